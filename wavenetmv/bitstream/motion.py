"""Motion vectors as symbols and scale indexes. Normative text: docs/FORMAT.md section 6.

Each component of a vector is predicted by the median of its neighbours to the left, above
and above to the right, and the difference is a symbol.  How large differences will be shows
in the field of the frame before: positions form three classes by what happened around them
there, and each class has one scale index for the whole frame, which travels with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wavenetmv.bitstream.entropy import Indexes, Symbols, ideal_bits
from wavenetmv.bitstream.tables import SCALE_COUNT, ScaleTables
from wavenetmv.errors import CorruptStream

CLASSES = 3
MAX_VECTOR = 1023  # quarters of a pixel
# Largest difference around a position in the frame before, up to which it is of class 0 or 1.
_CLASS_LIMITS = (0, 4)

Vectors = npt.NDArray[np.int16]  # [2, h, w]


@dataclass(frozen=True, slots=True, eq=False)
class MotionSymbols:
    """A motion field [2, h, w], ready to be coded.

    differences  int32 [2, h, w], what the prediction leaves
    scales       one scale index for each class
    """

    differences: Symbols
    scales: tuple[int, ...]


def motion_symbols(vectors: Vectors, classes: Indexes, tables: ScaleTables) -> MotionSymbols:
    """Differences of `vectors` [2, h, w] from their predictions, and the scales that suit them.

    classes [h, w] from `motion_classes`.
    """
    field = vectors.astype(np.int32)
    left = np.zeros_like(field)
    left[:, :, 1:] = field[:, :, :-1]
    above = np.zeros_like(field)
    above[:, 1:] = field[:, :-1]
    above_right = np.zeros_like(field)
    above_right[:, 1:, :-1] = field[:, :-1, 1:]
    differences = field - _median(left, above, above_right)
    scales = tuple(
        _cheapest(differences[:, classes == number].ravel(), tables) for number in range(CLASSES)
    )
    return MotionSymbols(differences, scales)


def motion_vectors(differences: Symbols) -> Vectors:
    """Inverse of `motion_symbols`. Raises CorruptStream for a vector out of range."""
    _, h, w = differences.shape
    planes = []
    for plane in differences.tolist():
        above = [0] * (w + 1)
        rows = []
        for row in plane:
            left = 0
            current = []
            for column, difference in enumerate(row):
                a, b, c = left, above[column], above[column + 1]
                left = difference + max(min(a, b), min(max(a, b), c))
                current.append(left)
            rows.append(current)
            above = [*current, 0]
        planes.append(rows)
    field = np.array(planes, np.int64).reshape(2, h, w)
    if field.size and (largest := int(np.abs(field).max())) > MAX_VECTOR:
        raise CorruptStream(f"motion vector of {largest} quarters of a pixel; limit {MAX_VECTOR}")
    return field.astype(np.int16)


def motion_classes(previous: Symbols | None, h: int, w: int) -> Indexes:
    """Class of each position, uint8 [h, w], from the differences [2, h, w] of the frame before.

    None, after an intra frame: class 0 everywhere.
    """
    classes = np.zeros((h, w), np.uint8)
    if previous is None:
        return classes
    activity = np.abs(previous).max(0)
    padded = np.pad(activity, 1)
    around = np.max(
        [padded[row : row + h, column : column + w] for row in range(3) for column in range(3)], 0
    )
    for limit in _CLASS_LIMITS:
        classes += around > limit
    return classes


def motion_indexes(classes: Indexes, scales: tuple[int, ...]) -> Indexes:
    """Scale index of every symbol, uint8 [2 * h * w]: both components share theirs."""
    per_position = np.array(scales, np.uint8)[classes]
    return np.concatenate([per_position.ravel()] * 2)


def _median(a: Symbols, b: Symbols, c: Symbols) -> Symbols:
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))


def _cheapest(symbols: Symbols, tables: ScaleTables) -> int:
    """The scale index whose table codes `symbols` in the fewest bits."""
    if not symbols.size:
        return 0
    # The best Gaussian's index is near; a wider search would only cost time.
    costs = {}
    for index in range(0, SCALE_COUNT, 3):
        costs[index] = ideal_bits(symbols, np.full(symbols.size, index, np.uint8), tables)
    near = min(costs, key=costs.__getitem__)
    for index in (near - 1, near + 1):
        if 0 <= index < SCALE_COUNT:
            costs[index] = ideal_bits(symbols, np.full(symbols.size, index, np.uint8), tables)
    return min(costs, key=costs.__getitem__)
