"""What `wmv analyze` does with a picture."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from wavenetmv.cli import batch
from wavenetmv.cli.detections import CocoResults, as_record
from wavenetmv.cli.items import Item
from wavenetmv.cli.search import Search

if TYPE_CHECKING:
    from wavenetmv.types import Detection, Finding


@dataclass(frozen=True)
class PictureJob:
    """Analyzes a picture. `results` collects what is found where that is wanted."""

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
