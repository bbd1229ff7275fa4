"""wmv analyze"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import typer

from wavenetmv.cli import batch, options
from wavenetmv.cli.detections import AnalysisReporter, CocoResults, as_record
from wavenetmv.cli.items import Item, plan
from wavenetmv.errors import UsageFault

if TYPE_CHECKING:
    from wavenetmv.api import Codec
    from wavenetmv.models.heads import Head
    from wavenetmv.types import Detection, Finding


def analyze(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help=".wmv files, folders, or - for stdin.")
    ],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Pictures with the boxes drawn: a file or a folder."),
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
    """Find what .wmv files show from their latents, without decoding pixels."""
    from wavenetmv.api import Codec
    from wavenetmv.io.formats import SUFFIXES
    from wavenetmv.models.heads import head_class

    head = head_class(task)
    _check_boxes(head, {"--output": output, "--coco-json": coco_json, "--pixels": pixels})
    wanted = _labels(classes, head)
    items = plan(inputs, output, suffix=".png", wanted={".wmv"}, file_suffixes=SUFFIXES)
    codec = Codec(device.value, threads)
    least = head.threshold if threshold is None else threshold
    find = _by_pixels(codec, pixels, threads) if pixels else _by_latents(codec, head)
    results = CocoResults(coco_json, force) if coco_json else None
    overlay = output is not None
    job = _Job(codec, head, find, least, wanted, overlay, max_pixels, force, results)
    with results or batch.nothing():
        batch.run(items, job, AnalysisReporter(head, as_json, quiet))


# Stream, least score and limit of pixels to results.
_Find = Callable[["BinaryIO", float, int], "Sequence[Finding]"]


def _by_latents(codec: Codec, head: type[Head]) -> _Find:
    analyzer = codec.analyzer(head.task)

    def find(source: BinaryIO, threshold: float, max_pixels: int) -> list[Finding]:
        return analyzer.analyze(source, threshold, max_pixels)

    return find


def _by_pixels(codec: Codec, path: Path, threads: int | None) -> _Find:
    from wavenetmv.bench.detectors import OnnxDetector

    detector = OnnxDetector(path, threads)

    def find(source: BinaryIO, threshold: float, max_pixels: int) -> list[Detection]:
        return detector.detect(codec.engine().decode(source, max_pixels).pixels, threshold)

    return find


def _check_boxes(head: type[Head], options: dict[str, object]) -> None:
    """Raises UsageFault when one of `options`, which are about boxes, meets another task."""
    from wavenetmv.models.heads import DetectionHead

    given = [name for name, value in options.items() if value is not None]
    if given and head.task != DetectionHead.task:
        raise UsageFault(
            f"{', '.join(given)}: only objects have boxes; this fits --task {DetectionHead.task}, "
            f"not --task {head.task}"
        )


def _labels(classes: str | None, head: type[Head]) -> frozenset[str] | None:
    """Lower case. Raises UsageFault for labels that the task does not have."""
    if classes is None:
        return None
    known = {label.lower(): label for label in head.labels}
    wanted = frozenset(name.strip().lower() for name in classes.split(",") if name.strip())
    if unknown := sorted(wanted - set(known)):
        near = [known[each] for name in unknown for each in get_close_matches(name, known)]
        hint = f"near ones are {', '.join(near)}" if near else f"there are {_some(head.labels)}"
        raise UsageFault(f"unknown labels {', '.join(unknown)}; {hint}")
    return wanted


def _some(labels: Sequence[str], limit: int = 80) -> str:
    more = len(labels) - limit
    return ", ".join(labels[:limit]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class _Job:
    codec: Codec
    head: type[Head]
    find: _Find
    threshold: float
    wanted: frozenset[str] | None
    overlay: bool
    max_pixels: int
    force: bool
    results: CocoResults | None

    def __call__(self, item: Item, frames: batch.Frames) -> dict[str, Any]:
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
                self._draw(item, data, _with_boxes(found))
        if self.results:
            self.results.add(item.source, _with_boxes(found))
        return as_record(item.source, self.head, found, seconds)

    def _found(self, data: bytes) -> Sequence[Finding]:
        found = self.find(io.BytesIO(data), self.threshold, self.max_pixels)
        return [each for each in found if self.wanted is None or each.label.lower() in self.wanted]

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


def _with_boxes(found: Sequence[Finding]) -> Sequence[Detection]:
    return cast("Sequence[Detection]", found)  # as `_check_boxes` made sure
