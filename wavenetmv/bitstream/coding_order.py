"""The order in which fields of vectors or drops are coded, and what is known around each place.

i\\j  0 1 2 3 4        Places are coded in steps of equal j + 2 i, so that their neighbours to
 0   0 1 2 3 4        the left, above and above to the right are known, and a step's symbols
 1   2 3 4 5 6        are decoded together.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# [..., h + 1, w + 2]: a field in a border of zeros above and at both sides.
Bordered = npt.NDArray[np.int32]
_Numbers = npt.NDArray[np.intp]


class Places(NamedTuple):
    """Some places of a field.

    rows, columns  [n]
    around         where their neighbours lie in a flattened `bordered` field: to the left, above,
                   above to the right, [3, n]
    """

    rows: _Numbers
    columns: _Numbers
    around: _Numbers


def bordered(h: int, w: int, *leading: int) -> Bordered:
    """An empty field."""
    return np.zeros((*leading, h + 1, w + 2), np.int32)


@lru_cache(maxsize=4)
def coding_order(h: int, w: int) -> tuple[Places, ...]:
    """All places, one step after the other."""
    steps = []
    for step in range(w - 1 + 2 * (h - 1) + 1):
        rows = np.arange(max(0, (step - w + 2) // 2), min(h - 1, step // 2) + 1)
        if rows.size:  # of one column, every second step has none
            steps.append(_places(rows, step - 2 * rows, w))
    return tuple(steps)


@lru_cache(maxsize=4)
def everywhere(h: int, w: int) -> Places:
    """All places at once, row by row."""
    rows, columns = np.indices((h, w)).reshape(2, -1)
    return _places(rows, columns, w)


def _places(rows: _Numbers, columns: _Numbers, w: int) -> Places:
    here = (rows + 1) * (w + 2) + columns + 1
    left, above, above_right = here - 1, here - w - 2, here - w - 1
    # Outside the field the others stand in.
    above_right = np.where(columns == w - 1, above, above_right)
    around = (
        np.where(columns == 0, above, left),
        np.where(rows == 0, left, above),
        np.where(rows == 0, left, above_right),
    )
    return Places(rows, columns, np.stack(around))


def neighbours(field: Bordered, places: Places) -> tuple[Bordered, Bordered, Bordered]:
    """What `field` [..., h + 1, w + 2] has around `places`, [..., n] each; zero where there is
    nothing."""
    found = field.reshape(*field.shape[:-2], -1).take(places.around, -1)
    return found[..., 0, :], found[..., 1, :], found[..., 2, :]


def median(a: Bordered, b: Bordered, c: Bordered) -> Bordered:
    """Of each three."""
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
