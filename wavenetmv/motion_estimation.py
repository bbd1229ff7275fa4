"""Motion of a frame as an encoder codes it: what a search finds, as far as it is worth its bits.

What a vector costs depends on the vectors it is predicted from, so blocks are decided in the
order in which they are coded, as encoders of conventional codecs decide them (Sullivan and
Wiegand, "Rate-distortion optimization for video compression", 1998).  Decoders need none of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavenetmv.bitstream.motion import bordered, coding_order, median, neighbours
from wavenetmv.models.block_sampling import BLOCK, PART, at, parts, sample
from wavenetmv.models.motion import luma, price_of_a_bit
from wavenetmv.models.motion_search import search
from wavenetmv.types import index_to_lambda

_BITS_OF_A_DIFFERENCE = 3.0  # of a component that is not as expected, before its size
_EVERY = BLOCK // PART  # second row and column tell enough

Array = npt.NDArray[np.float32]


def find_motion(x: Tensor, reference: Tensor, lambda_index: int, block: int = 0) -> Tensor:
    """`estimate` as an encoder needs it, from RGB [1, 3, H, W] in [0, 1]; block: for whom."""
    price = price_of_a_bit(index_to_lambda(lambda_index), block)
    return estimate(luma(x), luma(reference), price)


@torch.no_grad()
def estimate(current: Tensor, reference: Tensor, bit_price: Tensor | float) -> Tensor:
    """The motion field int16 [B, 2, h, w] that makes `reference` like `current`.

    Both are luma [B, 1, H, W], 0..255, H and W multiples of 16.  `bit_price`, one number or [B],
    is the squared error per pixel that a bit of a block's vector must save
    (`motion.price_of_a_bit`).
    """
    return economise(current, reference, search(current, reference), bit_price)


def economise(
    current: Tensor, reference: Tensor, motion: Tensor, bit_price: Tensor | float
) -> Tensor:
    """`motion`, or where that is cheaper the vector of a block nearby, or none; as `estimate`."""
    B, _, h, w = motion.shape
    price = np.broadcast_to(np.asarray(torch.as_tensor(bit_price).cpu(), np.float32), B)[:, None]
    errors = _Errors(current, reference)
    field = bordered(h, w, B)
    vectors = field[..., 1:, 1:-1]
    vectors[:] = motion.cpu().numpy()
    batch, rows, columns = np.indices((B, h, w)).reshape(3, -1)
    found = errors(vectors[batch, :, rows, columns], batch, rows, columns).reshape(B, h, w)
    for rows, columns in coding_order(h, w):
        around = neighbours(field, rows, columns)
        expected = median(*around)
        own = vectors[..., rows, columns]
        candidates = np.stack((own, expected, *around, np.zeros_like(own)))  # [K, B, 2, n]
        cost = price * _bits(candidates - expected)
        cost[0] += found[:, rows, columns]
        promising = cost < cost[0]
        promising[2:] &= (candidates[2:] != expected).any(2)  # not twice the same
        of_batch, candidate, place = np.nonzero(promising.swapaxes(0, 1))
        if not len(place):
            continue
        chosen = candidates[candidate, of_batch, :, place]
        cost[1:][~promising[1:]] = np.inf
        cost[candidate, of_batch, place] += errors(chosen, of_batch, rows[place], columns[place])
        best = cost.argmin(0)[None, :, None]
        vectors[..., rows, columns] = np.take_along_axis(candidates, best, 0)[0]
    return torch.from_numpy(vectors.astype(np.int16)).to(motion.device)


def _bits(differences: npt.NDArray[np.int32]) -> Array:
    """About what differences [..., 2, n] from the expected vectors take."""
    size = np.abs(differences).astype(np.float32)
    bits = 2 * np.log2(1 + size) + _BITS_OF_A_DIFFERENCE * (size > 0)
    total: Array = bits.sum(-2)
    return total


class _Errors:
    """Mean squared errors of blocks that come from where vectors point to."""

    def __init__(self, current: Tensor, reference: Tensor) -> None:
        self._wanted = parts(current[:, :, ::_EVERY, ::_EVERY].contiguous())
        self._reference = reference

    def __call__(
        self,
        vectors: npt.NDArray[np.int32],
        batch: npt.NDArray[np.intp],
        rows: npt.NDArray[np.intp],
        columns: npt.NDArray[np.intp],
    ) -> Array:
        """vectors [k, 2] of the blocks at these places, sorted by batch -> [k]."""
        device = self._reference.device
        places = tuple(torch.from_numpy(each).to(device) for each in (batch, rows, columns))
        found = sample(self._reference, torch.from_numpy(vectors).to(device), places, _EVERY)
        errors = (found - at(self._wanted, places)).square_().mean((1, 2, 3))
        result: Array = errors.float().cpu().numpy()
        return result
