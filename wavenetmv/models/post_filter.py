"""What follows the inverse wavelet: a few small convolutions on pixels.

The synthesis works at 1/8 of the resolution, where each of the 8x8 pixels of a position has
weights of its own.  What should happen to all pixels alike, as along edges that ring, takes many
weights there and few here (docs/decisions/0021).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetmv.models.config import ModelConfig
from wavenetmv.models.transforms import NEGATIVE_SLOPE, zero_

_INNER = 2  # convolutions between the first and the last
REACH = _INNER + 2  # pixels
_STRIP = 128  # rows of pixels at a time: less memory, and the processor's caches hold them


class PostFilter(nn.Module):
    """x + what 3x3 convolutions make of x and level, `width` channels inside.

    It knows how coarsely the latents were rounded (`Gains.level`), and starts as nothing.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3 + 1, width, 3, padding=1)
        self.inner = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(_INNER))
        self.last = zero_(nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """x [B, 3, H, W] around zero, level [B, 1, h, w] for parts of it -> x filtered, float32."""
        plane = F.interpolate(level, x.shape[2:], mode="nearest")
        seen = torch.cat([x, plane.expand(len(x), -1, -1, -1)], 1)
        seen = seen.to(self.first.weight.dtype, memory_format=torch.channels_last)
        inner = F.leaky_relu(self.first(seen), NEGATIVE_SLOPE, True)
        for layer in self.inner:
            inner = F.leaky_relu(layer(inner), NEGATIVE_SLOPE, True)
        # Half precision would round pixels, but not what is added to them.
        out: Tensor = x + self.last(inner).float()
        return out


def post_filter(config: ModelConfig) -> PostFilter | None:
    """That of a model; models without one leave pixels as they are."""
    return PostFilter(config.post_width) if config.post_width else None


def in_strips(post: PostFilter, x: Tensor, level: Tensor) -> Tensor:
    """`post`, strip by strip; the same but for rounding."""
    rows, out = x.shape[2], torch.empty_like(x)
    level = F.interpolate(level, x.shape[2:], mode="nearest")
    for top in range(0, rows, _STRIP):
        bottom = min(top + _STRIP, rows)
        first, last = max(0, top - REACH), min(rows, bottom + REACH)
        strip = post(x[:, :, first:last], level[:, :, first:last])
        out[:, :, top:bottom] = strip[:, :, top - first : bottom - first]
    return out
