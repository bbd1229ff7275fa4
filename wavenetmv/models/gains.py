"""One gain per channel, profile and anchor lambda; log-interpolated between anchors.

One network serves every rate (Cui et al., "Asymmetric gained deep image compression",
CVPR 2021).  A position of 0..5 on the lambda axis is log2(lambda / 64).  Tables hold a block
of six rows, one per anchor, for each profile that the model knows (`ModelConfig.block_of`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

ANCHOR_LAMBDAS = (64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0)


def interpolate(table: Tensor, position: Tensor, block: Tensor | int = 0) -> Tensor:
    """Rows of table [blocks * 6, C] at real positions [B], linear in between -> [B, C].

    Positions below 0 continue the line of the lowest two anchors.  block [B] or one number:
    whose six rows.
    """
    last = len(ANCHOR_LAMBDAS) - 1
    below = position.floor().long().clamp(0, last)
    above = (below + 1).clamp(max=last)
    part = (position - below)[:, None]
    first = block * len(ANCHOR_LAMBDAS)
    return table[first + below] * (1 - part) + table[first + above] * part


class Gains(nn.Module):
    """Encoder gain (1 / quantiser step) and decoder gain (reconstruction), [blocks * 6, M]."""

    def __init__(self, channels: int, blocks: int = 1) -> None:
        super().__init__()
        # Quantiser step proportional to 1 / sqrt(lambda), as at high rate in theory.
        start = math.log(10.0) + 0.5 * torch.log(torch.tensor(ANCHOR_LAMBDAS) / 512)
        start = start.repeat(blocks)
        self.log_encoder = nn.Parameter(start[:, None].repeat(1, channels))
        self.log_decoder = nn.Parameter(-start[:, None].repeat(1, channels))

    def encoder(self, position: Tensor, block: Tensor | int = 0) -> Tensor:
        """position [B] -> factors [B, M, 1, 1] for y."""
        return interpolate(self.log_encoder, position, block).exp()[:, :, None, None]

    def level(self, position: Tensor, block: Tensor | int = 0) -> Tensor:
        """How finely latents are rounded, [B, 1, 1, 1]: log of the encoder's factors, their mean
        over the channels."""
        return interpolate(self.log_encoder, position, block).mean(1)[:, None, None, None]

    def decoder(self, position: Tensor, block: Tensor | int = 0) -> Tensor:
        """position [B] -> factors [B, M, 1, 1] for y_hat."""
        return interpolate(self.log_decoder, position, block).exp()[:, :, None, None]
