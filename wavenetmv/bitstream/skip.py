"""Which blocks of an inter frame show the prediction as it is. Normative: docs/FORMAT.md 6.8.

row i-1    a b c        A row is one step. How many of a, b, c are skipped, and how many of
row i        x          the nine around x in the frame before, selects the table for x.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wavenetmv.bitstream.entropy import Indexes, Step, SymbolDecoder, Symbols
from wavenetmv.bitstream.neighbours import sum_around
from wavenetmv.bitstream.tables import ScaleTables
from wavenetmv.errors import CorruptStream

_PAST_LEVELS = 11  # 0..9 skipped, or unknown
_UNKNOWN = _PAST_LEVELS - 1  # after an intra frame

SkipMap = npt.NDArray[np.bool_]  # [h, w], True where a block is skipped


def encode_skips(skips: SkipMap, previous: SkipMap | None, tables: ScaleTables) -> list[Step]:
    """The steps that code `skips`; `previous` is the frame before's, None after an intra frame."""
    past = _past(previous, skips.shape)
    indexes = [_indexes(row, past[i]) for i, row in enumerate(_rows_above(skips))]
    return [
        (row.astype(np.int32), index, tables) for row, index in zip(skips, indexes, strict=True)
    ]


def decode_skips(
    decoder: SymbolDecoder, shape: tuple[int, int], previous: SkipMap | None, tables: ScaleTables
) -> tuple[SkipMap, list[Symbols]]:
    """The map [h, w], and the symbols of each step. Raises CorruptStream."""
    skips = np.zeros(shape, np.bool_)
    past = _past(previous, shape)
    steps = []
    above = np.zeros(shape[1], np.bool_)
    for i, row in enumerate(skips):
        symbols = decoder.decode(_indexes(above, past[i]), tables)
        if ((symbols != 0) & (symbols != 1)).any():
            raise CorruptStream("a block that is neither skipped nor not")
        steps.append(symbols)
        row[:] = symbols
        above = row
    return skips, steps


def _rows_above(skips: SkipMap) -> SkipMap:
    """For each row the one before it; nothing is skipped above the first."""
    return np.concatenate([np.zeros_like(skips[:1]), skips[:-1]])


def _indexes(above: SkipMap, past: Indexes) -> Indexes:
    padded = np.pad(above, 1).astype(np.uint8)
    indexes: Indexes = (padded[:-2] + padded[1:-1] + padded[2:]) * _PAST_LEVELS + past
    return indexes


def _past(previous: SkipMap | None, shape: tuple[int, ...]) -> Indexes:
    if previous is None:
        return np.full(shape, _UNKNOWN, np.uint8)
    return sum_around(previous.astype(np.uint8)).astype(np.uint8)
