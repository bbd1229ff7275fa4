"""Pictures and features at another scale."""

from __future__ import annotations

import torch
from torch import Tensor

_LONGEST = 4  # times the short side


def fit_short_side(size: tuple[int, int], short: int) -> tuple[int, int]:
    """`size` (height, width) scaled to a short side of `short`.

    Beyond four times the short side the long side decides, so that a picture of one line
    of pixels stays of bounded size.
    """
    scale = min(short / min(size), _LONGEST * short / max(size))
    height, width = (max(1, round(scale * side)) for side in size)
    return height, width


def resample(x: Tensor, extent: tuple[float, float], size: tuple[int, int]) -> Tensor:
    """x [B, C, h, w] -> [B, C, *size], from the top left `extent` (rows, columns) of x.

    The extent may end within a position, as a picture's edge does within a latent.  The
    filter is a triangle as wide as the step: for whole extents, antialiased bilinear.
    """
    rows, columns = (
        resampling_matrix(x.shape[2 + axis], extent[axis], size[axis]).to(x) for axis in (0, 1)
    )
    return rows @ x @ columns.T


def resampling_matrix(count: int, extent: float, wanted: int) -> Tensor:
    """[wanted, count], rows sum to one: from `extent` of `count` positions to `wanted`."""
    step = extent / wanted
    centres = (torch.arange(wanted) + 0.5) * step
    positions = torch.arange(count)
    distance = (positions + 0.5 - centres[:, None]).abs() / max(1.0, step)
    # What lies beyond the extent is padding, not picture.
    inside = (extent - positions).clamp(0, 1)
    weights = (1 - distance).clamp_min(0) * inside
    return weights / weights.sum(1, keepdim=True)
