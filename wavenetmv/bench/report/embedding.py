"""Pictures inside a page: as good as they can be within a limit on its size."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from wavenetmv.bench.report.pictures import ComparisonPicture
from wavenetmv.bench.wording import count
from wavenetmv.metrics import Pixels

DEFAULT_LIMIT_BYTES = 15_000_000  # of all data URIs together
_LONGEST_SIDE = 1600  # pixels; a page shows no more
# What is tried in turn until everything fits: WebP quality (None: lossless), scale.
_STEPS = ((None, 1.0), (95, 1.0), (90, 1.0), (90, 0.7), (85, 0.5), (80, 0.35), (75, 0.2))


@dataclass(frozen=True)
class Embedded:
    """Data URIs: per picture the original's, then those of its versions; `note` for readers."""

    uris: tuple[tuple[str, ...], ...]
    note: str


def embed(
    pictures: Sequence[ComparisonPicture], limit_bytes: int = DEFAULT_LIMIT_BYTES
) -> Embedded:
    """Originals and versions alike as WebP, at the first of _STEPS at which all fit.

    Pictures at the end are left out, which the note says, when even the last step is too large.
    """
    if not pictures:
        return Embedded((), "")
    for quality, scale in _STEPS:
        groups = list(_within(pictures, quality, scale, limit_bytes))
        if len(groups) == len(pictures):
            break
    return Embedded(tuple(groups), _note(groups, len(pictures), quality, scale))


def _within(
    pictures: Sequence[ComparisonPicture], quality: int | None, scale: float, limit_bytes: int
) -> Iterator[tuple[str, ...]]:
    """Whole pictures as long as the limit allows."""
    used = 0
    for picture in pictures:
        group = []
        for pixels in (picture.original, *(version.pixels for version in picture.versions)):
            group.append(_data_uri(pixels, quality, scale))
            used += len(group[-1])
            if used > limit_bytes:
                return
        yield tuple(group)


def _data_uri(pixels: Pixels, quality: int | None, scale: float) -> str:
    image = Image.fromarray(pixels)
    scale *= min(1.0, _LONGEST_SIDE / max(image.size))
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    if quality is None:
        image.save(sink, "WEBP", lossless=True, quality=20, method=2)
    else:
        image.save(sink, "WEBP", quality=quality, method=4)
    return "data:image/webp;base64," + base64.b64encode(sink.getvalue()).decode("ascii")


def _note(groups: Sequence[tuple[str, ...]], wanted: int, quality: int | None, scale: float) -> str:
    used = sum(len(uri) for group in groups for uri in group)
    how = "without loss" if quality is None else f"as WebP of quality {quality}"
    if scale < 1:
        how += f", reduced to {scale:.0%} of their size"
    note = f"{count(sum(map(len, groups)), 'picture')} embedded {how}: {used / 1e6:.1f} MB"
    left_out = wanted - len(groups)
    if left_out:
        note += f"; {left_out} of {count(wanted, 'original')} left out for size"
    return f"{note}. Measures are of the decoded pixels themselves."
