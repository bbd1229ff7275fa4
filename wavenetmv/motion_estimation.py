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

from wavenetmv.bitstream.coding_order import bordered, coding_order, median, neighbours
from wavenetmv.models.block_sampling import BLOCK, EDGE, SUBPEL, quarter_planes
from wavenetmv.models.inference import Drops, per_latent
from wavenetmv.models.motion import luma, price_of_a_bit
from wavenetmv.models.motion_search import search
from wavenetmv.types import index_to_lambda

_PRICE_PER_DROP = 0.5  # octaves of a bit's price for each half octave of lambda
_BITS_OF_A_DIFFERENCE = 3.0  # of a component that is not as expected, before its size
_EVERY = 2  # second row and column tell enough

Array = npt.NDArray[np.float32]


def find_motion(
    x: Tensor, reference: Tensor, lambda_index: int, block: int = 0, drops: Drops | None = None
) -> Tensor:
    """`estimate` as an encoder needs it, from RGB [1, 3, H, W] in [0, 1]; block: for whom.

    `drops`, a quality map: where it lowers quality, a vector must save as much more.
    """
    price = torch.as_tensor(price_of_a_bit(index_to_lambda(lambda_index), block))
    if drops is not None:
        price = price * torch.exp2(_PRICE_PER_DROP * per_latent(drops).float())[None]
    return estimate(luma(x), luma(reference), price)


@torch.no_grad()
def estimate(current: Tensor, reference: Tensor, bit_price: Tensor | float) -> Tensor:
    """The motion field int16 [B, 2, h, w] that makes `reference` like `current`.

    Both are luma [B, 1, H, W], 0..255, H and W multiples of 16.  `bit_price`, one number, [B] or
    for each block [B, h, w], is the squared error per pixel that a bit of a block's vector must
    save (`motion.price_of_a_bit`).
    """
    return economise(current, reference, search(current, reference), bit_price)


def economise(
    current: Tensor, reference: Tensor, motion: Tensor, bit_price: Tensor | float
) -> Tensor:
    """`motion`, or where that is cheaper the vector of a block nearby, or none; as `estimate`."""
    B, _, h, w = motion.shape
    given = np.asarray(torch.as_tensor(bit_price).cpu(), np.float32)
    prices = np.broadcast_to(given[:, None, None] if given.ndim == 1 else given, (B, h, w))
    errors = _Errors(current, reference)
    field = bordered(h, w, B, 2)
    vectors = field[..., 1:, 1:-1]
    vectors[:] = motion.cpu().numpy()
    batch, rows, columns = np.indices((B, h, w)).reshape(3, -1)
    found = errors(vectors[batch, :, rows, columns], batch, rows, columns).reshape(B, h, w)
    for places in coding_order(h, w):
        rows, columns, _ = places
        around = neighbours(field, places)
        expected = median(*around)
        own = vectors[..., rows, columns]
        candidates = np.stack((own, expected, *around, np.zeros_like(own)))  # [K, B, 2, n]
        cost = prices[:, rows, columns] * _bits(candidates - expected)
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
        B, _, H, W = current.shape
        h, w = H // BLOCK, W // BLOCK
        seen = current[:, 0, ::_EVERY, ::_EVERY].reshape(B, h, BLOCK // _EVERY, w, -1)
        self._wanted: Array = seen.transpose(2, 3).reshape(B * h * w, -1).float().cpu().numpy()
        planes = quarter_planes(reference).cpu().numpy()
        self._plane_height, self._pitch = planes.shape[3:]
        self._planes = planes.ravel()
        places = np.arange(0, BLOCK, _EVERY)
        self._of_block = (places[:, None] * self._pitch + places).ravel()
        self._height, self._width, self._h, self._w = H, W, h, w

    def __call__(
        self,
        vectors: npt.NDArray[np.int32],
        batch: npt.NDArray[np.intp],
        rows: npt.NDArray[np.intp],
        columns: npt.NDArray[np.intp],
    ) -> Array:
        """vectors [k, 2] of the blocks at these places -> [k]."""
        whole, part = np.divmod(vectors, SUBPEL)
        y = _within(rows * BLOCK + whole[:, 0], self._height)
        x = _within(columns * BLOCK + whole[:, 1], self._width)
        plane = (batch * SUBPEL + part[:, 0]) * SUBPEL + part[:, 1]
        first = (plane * self._plane_height + y) * self._pitch + x
        found = self._planes.take(first[:, None] + self._of_block)
        difference = found - self._wanted.take((batch * self._h + rows) * self._w + columns, 0)
        errors: Array = np.einsum("ki,ki->k", difference, difference) / len(self._of_block)
        return errors


def _within(start: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.intp]:
    """Where blocks that start at `start` [k] along one axis begin in `quarter_planes`."""
    # numpy's clip takes as long as all the rest.
    begin: npt.NDArray[np.intp] = np.minimum(np.maximum(start + EDGE, 0), size + 2 * EDGE - BLOCK)
    return begin
