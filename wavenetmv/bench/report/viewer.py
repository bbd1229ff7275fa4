"""What the page's picture viewer needs, as one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wavenetmv.bench.findings import subject_of
from wavenetmv.bench.report.embedding import Embedded
from wavenetmv.bench.report.pictures import ComparisonPicture, Version
from wavenetmv.bench.results import Results
from wavenetmv.bench.wording import title_of
from wavenetmv.types import Detection

# Less certain ones would cover the picture; the page can raise this, not lower it.
_LEAST_SCORE = 0.25


def viewer_data(
    pictures: Sequence[ComparisonPicture], embedded: Embedded, results: Results
) -> dict[str, Any]:
    """Titles, first choices and the pictures that were embedded, boxes in percent of a side."""
    codecs = dict.fromkeys(version.codec for p in pictures for version in p.versions)
    first = subject_of(results) if subject_of(results) in codecs else next(iter(codecs), "")
    others = [codec for codec in codecs if codec != first]
    second = results.anchor if results.anchor in others else next(iter(others), first)
    return {
        "titles": {codec: title_of(codec, results) for codec in codecs},
        "first": first,
        "second": second,
        "pictures": [
            _picture(picture, uris) for picture, uris in zip(pictures, embedded.uris, strict=False)
        ],
    }


def _picture(picture: ComparisonPicture, uris: Sequence[str]) -> dict[str, Any]:
    height, width = picture.original.shape[:2]
    return {
        "name": picture.name,
        "width": width,
        "height": height,
        "source": uris[0],
        "boxes": _boxes(picture.detections, width, height),
        "targets": [round(target, 4) for target in picture.targets],
        "versions": [
            _version(version, uri, width, height)
            for version, uri in zip(picture.versions, uris[1:], strict=True)
        ],
    }


def _version(version: Version, uri: str, width: int, height: int) -> dict[str, Any]:
    return {
        "codec": version.codec,
        "setting": version.setting,
        "bpp": version.bpp,
        "psnr": version.psnr,
        "source": uri,
        "boxes": _boxes(version.detections, width, height),
        "latents": _boxes(version.latents, width, height),
    }


def _boxes(
    detections: Sequence[Detection] | None, width: int, height: int
) -> list[dict[str, Any]] | None:
    """Left, top, width and height in percent of the picture; None: nothing looked for objects."""
    if detections is None:
        return None
    return [
        {
            "label": found.label,
            "score": round(found.score, 3),
            "box": [
                round(100 * x1 / width, 2), round(100 * y1 / height, 2),
                round(100 * (x2 - x1) / width, 2), round(100 * (y2 - y1) / height, 2),
            ],
        }
        for found in detections
        for x1, y1, x2, y2 in [found.box]
        if found.score >= _LEAST_SCORE
    ]  # fmt: skip
