"""Scale indexes of z: integers from integers. Without torch, so that `wmv info` can use it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wavenetmv.types import LAMBDA_INDEX_MAX, LAMBDA_STEPS_PER_OCTAVE

_ANCHORS = 6


def z_scale_indexes(
    anchors: npt.NDArray[np.integer], lambda_index: int, block: int = 0
) -> npt.NDArray[np.uint8]:
    """anchors [blocks * 6, N]: indexes at lambda 64, 128, ..., 2048 -> [N] at `lambda_index`.

    `lambda_index` in 0..320; `block` as in models/gains.py.  docs/FORMAT.md section 7.2.
    Raises ValueError when the lambda index is out of range.
    """
    anchors = anchors[_ANCHORS * block : _ANCHORS * (block + 1)]
    if not 0 <= lambda_index <= LAMBDA_INDEX_MAX:
        raise ValueError(f"lambda index must be in 0..{LAMBDA_INDEX_MAX}, got {lambda_index}")
    anchor, part = divmod(lambda_index, LAMBDA_STEPS_PER_OCTAVE)
    below = anchors[anchor].astype(np.int64)
    above = anchors[min(anchor + 1, len(anchors) - 1)].astype(np.int64)
    mixed = below * (LAMBDA_STEPS_PER_OCTAVE - part) + above * part + LAMBDA_STEPS_PER_OCTAVE // 2
    indexes: npt.NDArray[np.uint8] = (mixed // LAMBDA_STEPS_PER_OCTAVE).astype(np.uint8)
    return indexes
