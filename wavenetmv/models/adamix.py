"""AdaMix: parallel filters mixed by attention, computed as one convolution.

    Y = sum_i w_i(x) * (K_i * x + b_i),   w = softmax(A pool(x))

Convolution is linear, so the sum of N filtered pictures equals one filtering with the
mixed kernel sum_i w_i K_i: a quarter of the work for N = 4 (dynamic convolution, Chen et
al., CVPR 2020, has the same identity).  The mixture is an argument of `forward`, so that
a large picture cut into tiles uses one mixture, taken from the whole picture, in all of
them: seams cannot appear.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AdaMixConv2d(nn.Module):
    """N parallel k x k filters as one mixed kernel per picture."""

    def __init__(self, channels_in: int, channels_out: int, filters: int, kernel: int = 3) -> None:
        super().__init__()
        self.padding = kernel // 2
        bound = (channels_in * kernel * kernel) ** -0.5
        shape = (filters, channels_out, channels_in, kernel, kernel)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(filters, channels_out))

    def forward(self, x: Tensor, mixture: Tensor) -> Tensor:
        """x [B, C_in, H, W], mixture [B, N] with rows summing to 1 -> [B, C_out, H, W]."""
        mixture = mixture.to(self.weight.dtype)
        bias = mixture @ self.bias
        # One convolution per picture: a grouped one over the batch runs far slower on CPUs.
        pictures = [
            F.conv2d(picture, torch.tensordot(weights, self.weight, 1), b, padding=self.padding)
            for picture, weights, b in zip(torch.split(x, 1), mixture, bias, strict=True)
        ]
        return pictures[0] if len(pictures) == 1 else torch.cat(pictures)


class MixtureAttention(nn.Module):
    """Softmax weights of N filters from globally pooled feature magnitudes."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, filters)
        # Zero: every filter starts with the same share.
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """pooled [B, C] from `pool` -> [B, N], rows sum to 1, float32 under autocast too."""
        with torch.autocast(pooled.device.type, enabled=False):
            return torch.softmax(self.linear(torch.log(pooled.float() + 1e-3)), dim=1)


def pool(x: Tensor) -> Tensor:
    """Mean magnitude of each channel over the picture: [B, C, H, W] -> [B, C]."""
    return x.abs().mean((2, 3))
