"""Motion vectors as symbols and table indexes. Normative text: docs/FORMAT.md section 6.

Each component of a vector is predicted by the median of its neighbours to the left, above
and above to the right; the difference is a symbol.  How large it will be shows in how much
the neighbours surprised and disagree, and in what happened around this place in the frame
before: eight levels of each select one of 64 tables.

The order is that of coding_order.py.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wavenetmv.bitstream.coding_order import (
    Bordered,
    Places,
    bordered,
    coding_order,
    everywhere,
    median,
    neighbours,
)
from wavenetmv.bitstream.entropy import Indexes, Step, SymbolDecoder, Symbols
from wavenetmv.bitstream.neighbours import sum_around
from wavenetmv.bitstream.tables import ScaleTables
from wavenetmv.errors import CorruptStream

MAX_VECTOR = 1023  # quarters of a pixel
_LEVELS = 8
_UNKNOWN = _LEVELS - 1  # level of the past after an intra frame

Vectors = npt.NDArray[np.int16]  # [2, h, w]
Activity = npt.NDArray[np.int32]  # [h, w], |dy| + |dx| of the differences


class MotionField:
    """A motion field while it is coded: vectors and differences so far, zero elsewhere.

    previous   `activity` of the frame before, None after an intra frame
    """

    def __init__(self, h: int, w: int, previous: Activity | None) -> None:
        self._h, self._w = h, w
        self._vectors = bordered(h, w, 2)
        self._activity = np.zeros((h + 1, w + 2), np.int32)
        self._past = _past_levels(previous, h, w)

    @property
    def vectors(self) -> Vectors:
        return self._vectors[:, 1:, 1:-1].astype(np.int16)

    @property
    def activity(self) -> Activity:
        return self._activity[1:, 1:-1].copy()

    def encode(self, vectors: Vectors, tables: ScaleTables) -> list[Step]:
        """The steps that code `vectors` [2, h, w]."""
        self._vectors[:, 1:, 1:-1] = vectors
        places = everywhere(self._h, self._w)
        differences = np.empty((2, self._h, self._w), np.int32)
        predicted = predict(self._vectors, places).reshape(differences.shape)
        np.subtract(vectors, predicted, out=differences)
        self._activity[1:, 1:-1] = np.abs(differences).sum(0)
        indexes = self._indexes(places).reshape(self._h, self._w)
        return [
            (differences[:, rows, columns].ravel(), np.tile(indexes[rows, columns], 2), tables)
            for rows, columns, _ in coding_order(self._h, self._w)
        ]

    def decode(self, decoder: SymbolDecoder, tables: ScaleTables) -> list[Symbols]:
        """Read the field; returns the symbols of each step. Raises CorruptStream."""
        steps = []
        for places in coding_order(self._h, self._w):
            rows, columns, _ = places
            indexes = self._indexes(places)
            symbols = decoder.decode(np.tile(indexes, 2), tables)
            steps.append(symbols)
            differences = symbols.reshape(2, -1)
            values = predict(self._vectors, places) + differences
            if (largest := int(np.abs(values).max())) > MAX_VECTOR:
                raise CorruptStream(
                    f"motion vector of {largest} quarters of a pixel; limit {MAX_VECTOR}"
                )
            self._vectors[:, rows + 1, columns + 1] = values
            self._activity[rows + 1, columns + 1] = np.abs(differences).sum(0)
        return steps

    def _indexes(self, places: Places) -> Indexes:
        a, b, c = neighbours(self._vectors, places)
        rows, columns, _ = places
        spread = (np.maximum(np.maximum(a, b), c) - np.minimum(np.minimum(a, b), c)).sum(0)
        activity = self._activity
        surprise = (
            activity[rows + 1, columns] + activity[rows, columns + 1] + activity[rows, columns + 2]
        )
        level = _levels((spread + surprise) >> 1, _LEVELS - 1)
        return level * _LEVELS + self._past[rows, columns]


def predict(field: Bordered, places: Places) -> Bordered:
    """What vectors [..., 2, n] are expected: the `median` of their neighbours."""
    return median(*neighbours(field, places))


def _past_levels(previous: Activity | None, h: int, w: int) -> Indexes:
    if previous is None:
        return np.full((h, w), _UNKNOWN, np.uint8)
    return _levels(sum_around(previous) >> 1, _UNKNOWN - 1)


def _levels(values: npt.NDArray[np.integer], highest: int) -> Indexes:
    """0 for 0, 1 for 1, 2 for 2 and 3, 3 for 4 to 7 and so on, up to `highest`."""
    # frexp is exact for integers of this size, unlike a rounded log2.
    exponents = np.frexp(values.astype(np.float64))[1]
    return np.minimum(exponents, highest).astype(np.uint8)
