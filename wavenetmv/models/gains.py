"""One gain per channel and anchor lambda; log-interpolated between anchors.

One network serves every rate (Cui et al., "Asymmetric gained deep image compression",
CVPR 2021).  A position of 0..5 on the lambda axis is log2(lambda / 64).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

ANCHOR_LAMBDAS = (64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0)


def interpolate(table: Tensor, position: Tensor) -> Tensor:
    """Rows of table [anchors, C] at real positions [B], linear in between -> [B, C]."""
    below = position.floor().long().clamp(0, table.shape[0] - 1)
    above = (below + 1).clamp(max=table.shape[0] - 1)
    part = (position - below)[:, None]
    return table[below] * (1 - part) + table[above] * part


class Gains(nn.Module):
    """Encoder gain (1 / quantiser step) and decoder gain (reconstruction), each [anchors, M]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Quantiser step proportional to 1 / sqrt(lambda), as at high rate in theory.
        start = math.log(10.0) + 0.5 * torch.log(torch.tensor(ANCHOR_LAMBDAS) / 512)
        self.log_encoder = nn.Parameter(start[:, None].repeat(1, channels))
        self.log_decoder = nn.Parameter(-start[:, None].repeat(1, channels))

    def encoder(self, position: Tensor) -> Tensor:
        """position [B] -> factors [B, M, 1, 1] for y."""
        return interpolate(self.log_encoder, position).exp()[:, :, None, None]

    def decoder(self, position: Tensor) -> Tensor:
        """position [B] -> factors [B, M, 1, 1] for y_hat."""
        return interpolate(self.log_decoder, position).exp()[:, :, None, None]
