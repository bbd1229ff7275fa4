"""Blocks of an inter frame that show the prediction as it is.

Networks change every block a little, and where nothing changes from frame to frame these
little errors would add up.  The encoder sees both results and says block by block which one
is shown, as skipped blocks of conventional codecs do (ITU-T H.264, 2003).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from wavenetmv.models.block_sampling import BLOCK


def choose(x: Tensor, prediction: Tensor, decoded: Tensor, price: Tensor | float) -> Tensor:
    """Where `prediction` serves better than `decoded`, both [B, 3, H, W] in [0, 1] like `x`.

    bool [B, 1, h, w], one for each 16 x 16 pixels.  `decoded` must save as many squared errors
    as a bit is worth (`motion.price_of_a_bit`, one number or [B]): what stays as it is costs
    less in the next frame, too.
    """
    before, after = (_block_errors(x, each) for each in (prediction, decoded))
    if isinstance(price, Tensor):
        price = price.view(-1, 1, 1, 1)
    return before < after + price


def apply(skips: Tensor, prediction: Tensor, decoded: Tensor) -> Tensor:
    """`decoded`, and `prediction` where `skips` of `choose` says so."""
    dense = skips.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)
    return prediction.where(dense, decoded)


def _block_errors(x: Tensor, shown: Tensor) -> Tensor:
    """Mean squared errors of blocks, 0..255 scale: [B, 1, h, w]."""
    errors = shown.detach().clamp(0, 1).sub_(x).square_().mean(1, keepdim=True)
    return F.avg_pool2d(errors, BLOCK) * 255**2
