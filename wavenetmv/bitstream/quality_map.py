"""Where a frame is coded at less than its lambda, as symbols. Normative: docs/FORMAT.md 6.9.

A drop of d takes d half octaves from lambda.  Each is predicted by the median of its
neighbours to the left, above and above to the right, as components of motion vectors are; how
far these are apart selects the table.  An inter frame's is predicted to be that of the frame
before.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wavenetmv.bitstream.coding_order import (
    Places,
    bordered,
    coding_order,
    median,
    neighbours,
)
from wavenetmv.bitstream.entropy import Indexes, Step, SymbolDecoder, Symbols
from wavenetmv.bitstream.tables import ScaleTables
from wavenetmv.errors import CorruptStream
from wavenetmv.types import DROP_MAX

# Scale indexes where neighbours agree, differ by 1, by 2, and by more.
_INDEXES = np.array([16, 20, 23, 27], np.uint8)
# The same with a map of the frame before, of what neighbours differ from it by together.
_LATER_INDEXES = np.array([4, 16, 20, 24], np.uint8)

QualityMap = npt.NDArray[np.uint8]  # [h / DROP_CELL, w / DROP_CELL], 0..DROP_MAX
_Field = npt.NDArray[np.int32]


def encode_quality_map(
    drops: QualityMap, tables: ScaleTables, previous: QualityMap | None = None
) -> list[Step]:
    """The steps that code `drops`; `previous` is the frame before's, None in an intra frame."""
    coder = _Coder(drops.shape, previous)
    steps = []
    for places in coding_order(*drops.shape):
        expected, indexes = coder.expected(places)
        own = drops[places.rows, places.columns].astype(np.int32)
        steps.append((own - expected, indexes, tables))
        coder.put(places, own)
    return steps


def decode_quality_map(
    decoder: SymbolDecoder,
    shape: tuple[int, int],
    tables: ScaleTables,
    previous: QualityMap | None = None,
) -> tuple[QualityMap, list[Symbols]]:
    """The map of this shape, and the symbols of each step. Raises CorruptStream."""
    coder = _Coder(shape, previous)
    steps = []
    for places in coding_order(*shape):
        expected, indexes = coder.expected(places)
        symbols = decoder.decode(indexes, tables)
        drops = expected + symbols
        if drops.min() < 0 or drops.max() > DROP_MAX:
            raise CorruptStream(f"quality map: a drop outside of 0..{DROP_MAX}")
        coder.put(places, drops)
        steps.append(symbols)
    return coder.drops, steps


class _Coder:
    """A map while it is coded: in an intra frame drops, else what they change by."""

    def __init__(self, shape: tuple[int, int], previous: QualityMap | None) -> None:
        self._field = bordered(*shape)
        self._previous = None if previous is None else previous.astype(np.int32)

    @property
    def drops(self) -> QualityMap:
        found = self._field[1:, 1:-1]
        if self._previous is not None:
            found = found + self._previous
        drops: QualityMap = found.astype(np.uint8)
        return drops

    def expected(self, places: Places) -> tuple[_Field, Indexes]:
        """What drops are predicted, and the tables of what they differ by."""
        a, b, c = neighbours(self._field, places)
        if self._previous is not None:
            changes = np.abs(a) + np.abs(b) + np.abs(c)
            return self._previous[places.rows, places.columns], _chosen(_LATER_INDEXES, changes)
        spread = np.maximum(np.maximum(a, b), c) - np.minimum(np.minimum(a, b), c)
        return median(a, b, c), _chosen(_INDEXES, spread)

    def put(self, places: Places, drops: _Field) -> None:
        rows, columns, _ = places
        known = 0 if self._previous is None else self._previous[rows, columns]
        self._field[rows + 1, columns + 1] = drops - known


def _chosen(indexes: Indexes, level: _Field) -> Indexes:
    chosen: Indexes = indexes[np.minimum(level, len(indexes) - 1)]
    return chosen
