"""What a field of the frame before holds around each position: contexts of this frame's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def sum_around(values: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Sums over the 3 x 3 positions around each of [h, w], same type; 0 outside the field."""
    h, w = values.shape
    padded = np.pad(values, 1)
    sums = np.zeros_like(values)
    for row in range(3):
        for column in range(3):
            sums += padded[row : row + h, column : column + w]
    return sums
