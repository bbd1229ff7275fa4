"""Where the blocks of a frame come from in the frame before, and what they make of it.

A motion field is int16 [B, 2, h, w], one vector (dy, dx) for each block of 16 x 16 pixels,
in quarters of a pixel: the block at (i, j) of the current frame looks like what lies at
(16 i + dy / 4, 16 j + dx / 4) in the reference.  h x w is the size of the latents, so padded
blocks have vectors too.

Compensation: overlapped blocks (Orchard and Sullivan, "Overlapped block motion compensation",
1994) and bicubic sampling.  The search is in models/motion_search.py.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetmv.models.block_sampling import BLOCK, SUBPEL, flat_index, replaced

MAX_VECTOR = 1023  # steps: 255 pixels
# A bit is worth more where pixels count little (docs/decisions/0017).
MACHINE_PRICE = 8.0

_LUMA = (0.299, 0.587, 0.114)  # BT.601
NEIGHBOURS = ((0, -1), (0, 1), (-1, 0), (1, 0))


def price_of_a_bit(lmbda: Tensor | float, block: Tensor | int = 0) -> Tensor | float:
    """Squared error (0..255 scale) of each of a block's pixels that is worth one bit.

    L = R + lambda / 40000 * D, with R in bits per pixel, as the codec is trained for people;
    `block` says for whom, as in models/gains.py.
    """
    return 40000 / (lmbda * BLOCK * BLOCK) * MACHINE_PRICE**block


def luma(x: Tensor) -> Tensor:
    """RGB [B, 3, H, W] in [0, 1] -> [B, 1, H, W] in 0..255, as the search sees it."""
    weights = 255 * torch.tensor(_LUMA, device=x.device)
    return torch.einsum("c,bchw->bhw", weights, x)[:, None]


def compensate(reference: Tensor, motion: Tensor) -> Tensor:
    """The prediction [B, C, H, W] that `motion` makes of `reference` [B, C, H, W], float.

    Each pixel blends what its own block's vector and those of the two nearest neighbouring
    blocks point to, weighted by distance: no block edges.
    """
    H, W = reference.shape[2:]
    quarters = motion.repeat_interleave(2, 2).repeat_interleave(2, 3)
    own = replaced(reference, reference, quarters, (quarters != 0).any(1))
    prediction = own
    # Quarters of blocks: each has one nearest neighbour above or below, and one beside it.
    for axis, ramp in ((2, _ramp(H, reference)[:, None]), (3, _ramp(W, reference)[None])):
        neighbours = _nearest(quarters, axis)
        other = replaced(own, reference, neighbours, (neighbours != quarters).any(1))
        prediction = torch.addcmul(prediction, ramp, other - own)
    return prediction


def roughness(motion: Tensor) -> Tensor:
    """How much each vector differs from its neighbours: int [B, 1, h, w], quarters of a pixel.

    The largest absolute difference of a component to the four neighbours, at most 255.
    """
    padded = F.pad(motion.float(), (1, 1, 1, 1), mode="replicate")
    h, w = motion.shape[2:]
    differences = [
        (padded[:, :, 1 + down : 1 + down + h, 1 + right : 1 + right + w] - motion).abs()
        for down, right in NEIGHBOURS
    ]
    return torch.stack(differences).amax((0, 2))[:, None].clamp(max=255)


def follow(latents: Tensor, motion: Tensor) -> Tensor:
    """Latents [B, M, h, w] of the frame before, moved by whole positions along `motion`.

    Integers stay the integers they are: what selects probabilities may be made of them.
    """
    step = SUBPEL * BLOCK
    whole = torch.div(motion.long() + step // 2, step, rounding_mode="floor")
    index = flat_index(whole).flatten(1)
    moved = latents.flatten(2).gather(2, index[:, None].expand(-1, latents.shape[1], -1))
    return moved.view_as(latents)


def _nearest(quarters: Tensor, axis: int) -> Tensor:
    """For each quarter of a block, the vector of the block it touches along `axis`."""
    size = quarters.shape[axis]
    index = torch.arange(size, device=quarters.device)
    index = (index + 2 * (index % 2) - 1).clamp(0, size - 1)
    return quarters.index_select(axis, index)


def _ramp(size: int, like: Tensor) -> Tensor:
    """A neighbour's weight along one axis: a quarter at the common edge, none in the middle."""
    place = (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / BLOCK
    return (place - place.floor() - 0.5).abs() / 2
