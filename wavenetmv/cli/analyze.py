"""wmv analyze"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavenetmv.cli import batch, options
from wavenetmv.cli.analyze_picture import PictureJob
from wavenetmv.cli.analyze_video import VideoJob
from wavenetmv.cli.by_header import EitherKind
from wavenetmv.cli.decode import AllowTruncated, SkipDamaged
from wavenetmv.cli.decode_video import Form
from wavenetmv.cli.detections import AnalysisReporter, CocoResults
from wavenetmv.cli.items import Item, plan
from wavenetmv.cli.own_weights import Weights, codec_of
from wavenetmv.cli.search import Search, check_boxes, detector_of, labels_of

Inputs = Annotated[
    list[str], typer.Argument(metavar="INPUT", help=".wmv files, folders, or - for stdin.")
]
Drawn = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", help="Pictures and videos with the boxes drawn: a file or a folder."
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="Least score.", show_default="0.25 to detect, 0.05 to classify"
    ),
]
Classes = Annotated[str | None, typer.Option(help="Only these labels, such as person,car.")]
Task = Annotated[str, typer.Option(help="detect finds objects, classify names the whole picture.")]
Every = Annotated[
    int | None,
    typer.Option(min=1, show_default="1", help="Analyze only every N-th frame of videos."),
]
Tracks = Annotated[
    bool | None,
    typer.Option(
        "--tracks/--no-tracks",
        show_default="where the library trackers is installed",
        help="Number the objects in videos, each the same in all its frames.",
    ),
]
CocoJson = Annotated[
    Path | None, typer.Option(help="Write all detections in pictures as a COCO results file.")
]
Pixels = Annotated[
    Path | None,
    typer.Option(
        help="Instead of latents, decode pixels and run this detector: a YOLOX-style"
        " ONNX file, or NanoDet's .param of ncnn."
    ),
]
JsonLines = Annotated[
    bool, typer.Option("--json-lines", help="One JSON object per line for each frame, at once.")
]


def analyze(
    inputs: Inputs,
    output: Drawn = None,
    threshold: Threshold = None,
    classes: Classes = None,
    task: Task = "detect",
    every: Every = None,
    tracks: Tracks = None,
    coco_json: CocoJson = None,
    pixels: Pixels = None,
    allow_truncated: AllowTruncated = False,
    skip_damaged: SkipDamaged = False,
    weights: Weights = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS_DEFAULT,
    threads: options.Threads = None,
    device: options.OnDevice = options.Device.AUTO,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    json_lines: JsonLines = False,
) -> None:
    """Find what .wmv files show from their latents: pictures without decoding pixels, videos
    frame by frame with tracks of their objects and a summary. With --json, a video from stdin
    gives one line for each frame as it comes."""
    from wavenetmv.models.heads import head_class

    head = head_class(task)
    about_boxes = {"--output": output, "--coco-json": coco_json, "--pixels": pixels}
    check_boxes(head, {**about_boxes, "--tracks": tracks})
    labels = labels_of(classes, head)
    items = _plan(inputs, output)
    codec = codec_of(device.value, threads, weights)
    least = head.threshold if threshold is None else threshold
    search = Search(codec, head, least, labels, detector_of(pixels, threads), max_pixels)
    reporter = AnalysisReporter(head, as_json, quiet, json_lines)
    results = CocoResults(coco_json, force) if coco_json else None
    draw = output is not None
    pictures = PictureJob(search, draw, force, results)
    steps = every or 1
    videos = VideoJob(search, reporter, draw, force, steps, tracks, allow_truncated, skip_damaged)
    given = {"--every": every, "--tracks": tracks}
    no_video = "--coco-json is for pictures; videos have --json" if results else None
    for_videos = tuple(name for name, value in given.items() if value)
    job = EitherKind(pictures, videos, no_video, for_videos)
    with results or batch.nothing():
        batch.run(items, job, reporter)


def _plan(inputs: list[str], output: str | None) -> list[Item]:
    """What is drawn of pictures are pictures, of videos videos."""
    from wavenetmv.io.formats import SUFFIXES
    from wavenetmv.io.video import CONTAINERS

    suffix = ".png" if output is None else Form(None).suffix
    suffixes = {*SUFFIXES, *CONTAINERS}
    return plan(inputs, output, suffix=suffix, wanted={".wmv"}, file_suffixes=suffixes)
