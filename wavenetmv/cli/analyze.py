"""wmv analyze"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import typer

from wavenetmv.cli import batch, options
from wavenetmv.cli.analyze_video import VideoJob
from wavenetmv.cli.decode import AllowTruncated, SkipDamaged
from wavenetmv.cli.decode_video import Form, look
from wavenetmv.cli.detections import AnalysisReporter, CocoResults, as_record
from wavenetmv.cli.items import Item, plan
from wavenetmv.cli.search import Search, check_boxes, detector_of, labels_of
from wavenetmv.errors import UsageFault

if TYPE_CHECKING:
    from wavenetmv.types import Detection, Finding

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
JsonLines = Annotated[
    bool, typer.Option("--json-lines", help="One JSON object per line for each frame, at once.")
]


def analyze(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help=".wmv files, folders, or - for stdin.")
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="Pictures and videos with the boxes drawn: a file or a folder."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Least score.", show_default="0.25 to detect, 0.05 to classify"
        ),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Only these labels, such as person,car.")
    ] = None,
    task: Annotated[
        str, typer.Option(help="detect finds objects, classify names the whole picture.")
    ] = "detect",
    every: Every = None,
    tracks: Tracks = None,
    coco_json: Annotated[
        Path | None, typer.Option(help="Write all detections as a COCO results file.")
    ] = None,
    pixels: Annotated[
        Path | None,
        typer.Option(help="Instead of latents, decode pixels and run this YOLOX-style ONNX file."),
    ] = None,
    allow_truncated: AllowTruncated = False,
    skip_damaged: SkipDamaged = False,
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
    from wavenetmv.api import Codec
    from wavenetmv.io.formats import SUFFIXES
    from wavenetmv.io.video import CONTAINERS
    from wavenetmv.models.heads import head_class

    head = head_class(task)
    about_boxes = {"--output": output, "--coco-json": coco_json, "--pixels": pixels}
    check_boxes(head, {**about_boxes, "--tracks": tracks})
    labels = labels_of(classes, head)
    suffix = Form(None).suffix if output is not None else ".png"
    items = plan(
        inputs, output, suffix=suffix, wanted={".wmv"}, file_suffixes={*SUFFIXES, *CONTAINERS}
    )
    codec = Codec(device.value, threads)
    least = head.threshold if threshold is None else threshold
    search = Search(codec, head, least, labels, detector_of(pixels, threads), max_pixels)
    reporter = AnalysisReporter(head, as_json, quiet, json_lines)
    results = CocoResults(coco_json, force) if coco_json else None
    overlay = output is not None
    pictures = _PictureJob(search, overlay, force, results)
    videos = VideoJob(
        search, reporter, overlay, force, every or 1, tracks, allow_truncated, skip_damaged
    )
    given = {"--every": every, "--tracks": tracks}
    job = _Either(pictures, videos, tuple(name for name, value in given.items() if value))
    with results or batch.nothing():
        batch.run(items, job, reporter)


@dataclass(frozen=True)
class _Either:
    """Decides for each stream by its header; `for_videos` are options that pictures lack."""

    pictures: _PictureJob
    videos: VideoJob
    for_videos: tuple[str, ...]

    def __call__(self, item: Item, frames: batch.Frames) -> dict[str, Any]:
        from wavenetmv.io.files import open_source

        with open_source(item.source) as file:
            source, is_video = look(item.source, file)
            if is_video:
                if self.pictures.results:
                    raise UsageFault("--coco-json is for pictures; videos have --json")
                return self.videos(item, source, frames)
            if self.for_videos:
                raise UsageFault(f"{', '.join(self.for_videos)}: only for videos, not for pictures")
            return self.pictures(item, source)


@dataclass(frozen=True)
class _PictureJob:
    search: Search
    overlay: bool
    force: bool
    results: CocoResults | None

    def __call__(self, item: Item, source: BinaryIO) -> dict[str, Any]:
        from wavenetmv.io.files import translated

        if self.overlay:
            batch.check_output(item, self.force)
        with translated(item.source):
            data = source.read()
        self.search.codec.engine()  # loading the weights is not part of the time reported
        started = time.perf_counter()
        found = self.search.in_picture(io.BytesIO(data))
        seconds = time.perf_counter() - started
        if self.overlay:
            self._draw(item, data, _with_boxes(found))
        if self.results:
            self.results.add(item.source, _with_boxes(found))
        return as_record(item.source, self.search.head, found, seconds)

    def _draw(self, item: Item, data: bytes, found: Sequence[Detection]) -> None:
        from wavenetmv.io.files import open_sink
        from wavenetmv.io.formats import format_of
        from wavenetmv.io.overlay import draw_detections
        from wavenetmv.io.writing import picture_bytes
        from wavenetmv.types import Picture

        engine = self.search.codec.engine()
        decoded = engine.decode(io.BytesIO(data), self.search.max_pixels)
        drawn = Picture(draw_detections(decoded.pixels, found))
        encoded, _ = picture_bytes(drawn, format_of(item.target), None)
        batch.make_folder(item)
        with open_sink(item.target, force=self.force) as sink:
            sink.write(encoded)


def _with_boxes(found: Sequence[Finding]) -> Sequence[Detection]:
    return cast("Sequence[Detection]", found)  # as `check_boxes` made sure
