"""How often classes from latents are those that the teacher sees in the original picture.

    python -m wavenetmv.bench.classification FOLDER... --teacher FILE [--lambda 512]
        [--weights FILE] [--head FILE] [--limit 100] [--json OUT]

Every picture is coded to a real stream.  By latents: `wmv analyze --task classify`.  By
pixels: the teacher, EfficientNet-Lite0, on the decoded picture.  Top-1 is the share of
pictures whose best class is the teacher's best class for the original, top-5 the share where
that class is among the five best.  The teacher looks at the original in two ways: at the
whole picture, as the head does, and at a square of 224 of 256 pixels in its centre, as
ImageNet's results are published.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from wavenetmv.analysis import Analyzer
from wavenetmv.bench.classifiers import Classifier, centre, whole
from wavenetmv.bench.pictures import load_folder
from wavenetmv.codec import PictureCodec
from wavenetmv.focus import focus_of
from wavenetmv.frame_codec import Focus
from wavenetmv.metrics import Pixels, bits_per_pixel
from wavenetmv.models.heads import ClassificationHead
from wavenetmv.models.registry import read_head_info
from wavenetmv.types import LAMBDA_DEFAULT, Picture


@dataclass(frozen=True)
class Row:
    """One picture; the best classes, best first."""

    name: str
    bpp: float
    by_latents: list[int]
    original_whole: list[int]
    original_centre: list[int]
    decoded_whole: list[int]
    decoded_centre: list[int]


def measure(
    codec: PictureCodec,
    analyzer: Analyzer,
    classifier: Classifier,
    pictures: dict[str, Pixels],
    lmbda: float,
    focus: Focus | None = None,
) -> list[Row]:
    """Code every picture and ask everyone what it shows."""
    rows = []
    for name, pixels in pictures.items():
        data = codec.encode(Picture(pixels), lmbda, focus=focus)
        decoded = codec.decode(data).pixels
        height, width = pixels.shape[:2]
        rows.append(
            Row(
                name,
                bits_per_pixel(len(data), width, height),
                [each.class_id for each in analyzer.analyze(data, threshold=0)],
                *(classifier.best(pixels, view) for view in (whole, centre)),
                *(classifier.best(decoded, view) for view in (whole, centre)),
            )
        )
    return rows


def agreement(found: list[list[int]], wanted: list[list[int]]) -> tuple[float, float]:
    """Top-1 and top-5 agreement, 0..1, of the best classes of each picture."""
    pairs = list(zip(found, wanted, strict=True))
    first = np.mean([ours[0] == theirs[0] for ours, theirs in pairs])
    among = np.mean([theirs[0] in ours for ours, theirs in pairs])
    return float(first), float(among)


def report(title: str, rows: list[Row]) -> None:
    """Print what `rows` say; `title` names their folder."""
    bpp = np.mean([row.bpp for row in rows])
    print(f"{title}: {len(rows)} pictures, {bpp:.4f} bpp")
    latents = [row.by_latents for row in rows]
    for view in ("whole", "centre"):
        wanted = [getattr(row, f"original_{view}") for row in rows]
        pixels = [getattr(row, f"decoded_{view}") for row in rows]
        for way, found in (("latents", latents), ("pixels", pixels)):
            first, among = agreement(found, wanted)
            print(f"  {view:6}  by {way:7}  top-1 {first:6.1%}  top-5 {among:6.1%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--lambda", dest="lmbda", type=float, default=LAMBDA_DEFAULT)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--head", type=Path)
    parser.add_argument("--no-focus", action="store_true", help="as of `wmv encode`")
    parser.add_argument("--limit", type=int, help="only the first pictures of each folder")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    classifier = Classifier(arguments.teacher)
    codec = PictureCodec(weights=arguments.weights)
    head = read_head_info(arguments.head) if arguments.head else None
    analyzer = Analyzer(codec, ClassificationHead.task, head)
    focus = focus_of(Analyzer(codec), None, False if arguments.no_focus else None)
    rows = {}
    for folder in arguments.folders:
        pictures = dict(list(load_folder(folder).items())[: arguments.limit])
        rows[str(folder)] = measure(codec, analyzer, classifier, pictures, arguments.lmbda, focus)
        report(str(folder), rows[str(folder)])
    if arguments.json:
        named = {folder: [asdict(row) for row in each] for folder, each in rows.items()}
        arguments.json.write_text(json.dumps(named, indent=1))


if __name__ == "__main__":
    main()
