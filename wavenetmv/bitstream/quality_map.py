"""Where a frame is coded at less than its lambda, as symbols. Normative: docs/FORMAT.md 6.9.

A drop of d takes d half octaves from lambda.  Each is predicted by the median of its
neighbours to the left, above and above to the right, as components of motion vectors are; how
far these are apart selects the table.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wavenetmv.bitstream.entropy import Indexes, Step, SymbolDecoder, Symbols
from wavenetmv.bitstream.motion import Places, coding_order, median, neighbours
from wavenetmv.bitstream.tables import ScaleTables
from wavenetmv.errors import CorruptStream
from wavenetmv.types import DROP_MAX

# Scale indexes for neighbours that agree, differ by 1, by 2, and by more.
_INDEXES = np.array([16, 20, 23, 27], np.uint8)

QualityMap = npt.NDArray[np.uint8]  # [h / DROP_CELL, w / DROP_CELL], 0..DROP_MAX


def encode_quality_map(drops: QualityMap, tables: ScaleTables) -> list[Step]:
    """The steps that code `drops`."""
    field = _bordered(drops.shape)
    field[1:, 1:-1] = drops
    steps = []
    for rows, columns in coding_order(*drops.shape):
        expected, indexes = _expected(field, rows, columns)
        symbols = (field[rows + 1, columns + 1] - expected).astype(np.int32)
        steps.append((symbols, indexes, tables))
    return steps


def decode_quality_map(
    decoder: SymbolDecoder, shape: tuple[int, int], tables: ScaleTables
) -> tuple[QualityMap, list[Symbols]]:
    """The map of this shape, and the symbols of each step. Raises CorruptStream."""
    field = _bordered(shape)
    steps = []
    for rows, columns in coding_order(*shape):
        expected, indexes = _expected(field, rows, columns)
        symbols = decoder.decode(indexes, tables)
        drops = expected + symbols
        if drops.min() < 0 or drops.max() > DROP_MAX:
            raise CorruptStream(f"quality map: a drop outside of 0..{DROP_MAX}")
        field[rows + 1, columns + 1] = drops
        steps.append(symbols)
    return field[1:, 1:-1].astype(np.uint8), steps


def _bordered(shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """Zeros, with a border above and at both sides."""
    return np.zeros((shape[0] + 1, shape[1] + 2), np.int32)


def _expected(
    field: npt.NDArray[np.int32], rows: Places, columns: Places
) -> tuple[npt.NDArray[np.int32], Indexes]:
    """What drops are predicted, and the tables of what they differ by."""
    a, b, c = neighbours(field, rows, columns)
    spread = np.maximum(np.maximum(a, b), c) - np.minimum(np.minimum(a, b), c)
    return median(a, b, c), _INDEXES[np.minimum(spread, len(_INDEXES) - 1)]
