"""wmv analyze"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from wavenetmv.cli import batch, options
from wavenetmv.cli.detections import AnalysisReporter, CocoResults, as_record
from wavenetmv.cli.items import Item, plan
from wavenetmv.errors import UsageFault

if TYPE_CHECKING:
    from wavenetmv.api import Codec
    from wavenetmv.types import Detection


def analyze(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help=".wmv files, folders, or - for stdin.")
    ],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Pictures with the boxes drawn: a file or a folder."),
    ] = None,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Least score.")] = 0.25,
    classes: Annotated[
        str | None, typer.Option(help="Only these labels, such as person,car.")
    ] = None,
    task: Annotated[str, typer.Option(help="Which vision head reads the latents.")] = "detect",
    coco_json: Annotated[
        Path | None, typer.Option(help="Write all detections as a COCO results file.")
    ] = None,
    pixels: Annotated[
        Path | None,
        typer.Option(help="Instead of latents, decode pixels and run this YOLOX-style ONNX file."),
    ] = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS_DEFAULT,
    threads: options.Threads = None,
    device: options.OnDevice = options.Device.AUTO,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Find the objects in .wmv files from their latents, without decoding pixels."""
    from wavenetmv.api import Codec
    from wavenetmv.io.formats import SUFFIXES

    wanted = _labels(classes)
    items = plan(inputs, output, suffix=".png", wanted={".wmv"}, file_suffixes=SUFFIXES)
    codec = Codec(device.value, threads)
    find = _by_pixels(codec, pixels, threads) if pixels else _by_latents(codec, task)
    results = CocoResults(coco_json, force) if coco_json else None
    job = _Job(codec, find, threshold, wanted, output is not None, max_pixels, force, results)
    with results or batch.nothing():
        batch.run(items, job, AnalysisReporter(as_json, quiet))


# Stream, least score and limit of pixels to objects.
_Find = Callable[["BinaryIO", float, int], "list[Detection]"]


def _by_latents(codec: Codec, task: str) -> _Find:
    analyzer = codec.analyzer(task)  # an unknown task is an error before any work

    def find(source: BinaryIO, threshold: float, max_pixels: int) -> list[Detection]:
        return analyzer.analyze(source, threshold, max_pixels)

    return find


def _by_pixels(codec: Codec, path: Path, threads: int | None) -> _Find:
    from wavenetmv.bench.detectors import OnnxDetector

    detector = OnnxDetector(path, threads)

    def find(source: BinaryIO, threshold: float, max_pixels: int) -> list[Detection]:
        return detector.detect(codec.engine().decode(source, max_pixels).pixels, threshold)

    return find


def _labels(classes: str | None) -> frozenset[str] | None:
    from wavenetmv.labels import COCO_LABELS

    if classes is None:
        return None
    wanted = frozenset(name.strip().lower() for name in classes.split(",") if name.strip())
    if unknown := wanted - set(COCO_LABELS):
        raise UsageFault(
            f"unknown labels {', '.join(sorted(unknown))}; there are {', '.join(COCO_LABELS)}"
        )
    return wanted


@dataclass(frozen=True)
class _Job:
    codec: Codec
    find: _Find
    threshold: float
    wanted: frozenset[str] | None
    overlay: bool
    max_pixels: int
    force: bool
    results: CocoResults | None

    def __call__(self, item: Item) -> dict[str, Any]:
        from wavenetmv.io.files import open_source, translated

        if self.overlay:
            batch.check_output(item, self.force)
        with open_source(item.source) as source:
            data = source.read()
        self.codec.engine()  # loading the weights is not part of the time reported
        with translated(item.source):
            started = time.perf_counter()
            found = self._found(data)
            seconds = time.perf_counter() - started
            if self.overlay:
                self._draw(item, data, found)
        if self.results:
            self.results.add(item.source, found)
        return as_record(item.source, found, seconds)

    def _found(self, data: bytes) -> Sequence[Detection]:
        found = self.find(io.BytesIO(data), self.threshold, self.max_pixels)
        return [each for each in found if self.wanted is None or each.label in self.wanted]

    def _draw(self, item: Item, data: bytes, found: Sequence[Detection]) -> None:
        from wavenetmv.io.files import open_sink
        from wavenetmv.io.formats import format_of
        from wavenetmv.io.overlay import draw_detections
        from wavenetmv.io.writing import picture_bytes
        from wavenetmv.types import Picture

        decoded = self.codec.engine().decode(io.BytesIO(data), self.max_pixels)
        drawn = Picture(draw_detections(decoded.pixels, found))
        encoded, _ = picture_bytes(drawn, format_of(item.target), None)
        batch.make_folder(item)
        with open_sink(item.target, force=self.force) as sink:
            sink.write(encoded)
