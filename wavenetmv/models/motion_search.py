"""Motion search: coarse to fine block matching with the neighbours' vectors as candidates (as in
de Haan et al., "True-motion estimation with 3-D recursive search", 1993), then a parabola
through the matching errors for the part of a pixel.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetmv.models.block_sampling import BLOCK, SUBPEL, Blocks
from wavenetmv.models.motion import MAX_VECTOR, NEIGHBOURS

_COARSEST = 4  # the first search runs on pictures so many times smaller
_RADIUS = 8  # of the first search, in pixels of that picture
_AROUND = (*NEIGHBOURS, (-1, -1), (-1, 1), (1, -1), (1, 1))
# Squared error of a pixel (0..255 scale) below which a block does not move by parts of one:
# there the parabola follows noise.
_STILL = 1.0
_SMOOTHNESS_LIMIT = 16.0  # pixels: beyond it a vector may differ from its neighbours at will

Vectors = Tensor  # int64 [B, 2, h, w], whole pixels of one level of the search


@torch.no_grad()
def search(current: Tensor, reference: Tensor, smoothness: float = 0.5) -> Tensor:
    """The motion field that makes `reference` like `current`, both luma [B, 1, H, W], 0..255.

    H and W are multiples of 16.  `smoothness` is what a pixel's difference from the neighbours'
    vectors counts in mean absolute difference; bits are looked at in motion_estimation.py.
    """
    levels = [
        (F.avg_pool2d(current, scale), F.avg_pool2d(reference, scale), BLOCK // scale)
        for scale in (_COARSEST, 2)
    ]
    vectors = _full_search(*levels[0], smoothness)
    vectors = _refine(*levels[1], 2 * vectors, smoothness, passes=2)
    vectors = _refine(current, reference, BLOCK, 2 * vectors, smoothness, passes=1)
    return _subpel(current, reference, vectors).to(torch.int16)


def _full_search(current: Tensor, reference: Tensor, block: int, smoothness: float) -> Vectors:
    """The best of all vectors within the radius, by windows of three blocks a side."""
    H, W = current.shape[2:]
    R = _RADIUS
    padded = F.pad(reference, (R, R, R, R), mode="replicate")
    shifts = torch.arange(-R, R + 1, device=current.device)
    penalty = smoothness / 4 * shifts.abs()[:, None, None]
    found = []
    for down in range(2 * R + 1):
        # All shifts to the right at once, as channels.
        windows = padded[:, 0, down : down + H].unfold(2, W, 1).transpose(1, 2)
        error = F.avg_pool2d((current - windows).abs_(), block)
        error = F.avg_pool2d(error, 3, 1, 1, count_include_pad=False)
        found.append(error.add_(penalty + smoothness / 4 * abs(down - R)))
    best = torch.cat(found, 1).argmin(1)
    return torch.stack((best // len(shifts), best % len(shifts)), 1) - R


def _refine(
    current: Tensor,
    reference: Tensor,
    block: int,
    vectors: Vectors,
    smoothness: float,
    passes: int,
) -> Vectors:
    """Vectors that the neighbours, no motion or one more pixel would serve better, replaced."""
    errors = _Matching(current, reference, block)
    h, w = vectors.shape[2:]
    for _ in range(passes):
        around = F.pad(vectors.float(), (1, 1, 1, 1), mode="replicate").long()
        neighbours = [
            around[:, :, 1 + down : 1 + down + h, 1 + right : 1 + right + w]
            for down, right in NEIGHBOURS
        ]
        middle = torch.stack(neighbours).sort(0).values[1:3].float().mean(0)

        def cost(candidate: Vectors, middle: Tensor = middle) -> Tensor:
            distance = (candidate - middle).abs().sum(1, keepdim=True)
            return errors.absolute(candidate) + smoothness * distance.clamp(max=_SMOOTHNESS_LIMIT)

        best = cost(vectors)
        for candidate in (*neighbours, torch.zeros_like(vectors)):
            vectors, best = _better(vectors, best, candidate, cost)
        for offset in _AROUND:
            moved = vectors + torch.tensor(offset, device=vectors.device)[:, None, None]
            vectors, best = _better(vectors, best, moved, cost)
    limit = MAX_VECTOR // SUBPEL - 1
    return vectors.clamp(-limit, limit)


def _better(
    vectors: Vectors, best: Tensor, candidate: Vectors, cost: Callable[[Vectors], Tensor]
) -> tuple[Vectors, Tensor]:
    candidate_cost = cost(candidate)
    better = candidate_cost < best
    return torch.where(better, candidate, vectors), torch.where(better, candidate_cost, best)


def _subpel(current: Tensor, reference: Tensor, vectors: Vectors) -> Tensor:
    """Whole pixels [B, 2, h, w] to quarters, by a parabola along each axis."""
    errors = _Matching(current, reference, BLOCK)
    here = errors.squared(vectors)
    parts = []
    for axis in ((1, 0), (0, 1)):
        offset = torch.tensor(axis, device=vectors.device)[:, None, None]
        before, after = errors.squared(vectors - offset), errors.squared(vectors + offset)
        curvature = (before + after - 2 * here).clamp_min(1e-3)
        parts.append((0.5 * (before - after) / curvature).clamp(-0.5, 0.5))
    part = torch.where(here < _STILL, 0.0, torch.cat(parts, 1))
    return torch.round((vectors + part) * SUBPEL)


class _Matching:
    """Errors [B, 1, h, w] of blocks moved by whole pixels, from every second row."""

    def __init__(self, current: Tensor, reference: Tensor, block: int) -> None:
        B, _, H, W = current.shape
        still = torch.zeros(B, 2, H // block, W // block, dtype=torch.int64, device=current.device)
        self._current = Blocks(current, block).at(still)
        self._reference = Blocks(reference, block)

    def absolute(self, vectors: Vectors) -> Tensor:
        return self._difference(vectors).abs_().mean((3, 4))[:, None]

    def squared(self, vectors: Vectors) -> Tensor:
        return self._difference(vectors).square_().mean((3, 4))[:, None]

    def _difference(self, vectors: Vectors) -> Tensor:
        return self._reference.at(vectors).sub_(self._current)
