"""What follows the inverse wavelet: a small U-Net on pixels (Ronneberger et al., 2015).

The synthesis works at 1/8 of the resolution, where each of the 8x8 pixels of a position has
weights of its own.  What should happen to all pixels alike, as along edges that ring, takes many
weights there and few here (docs/decisions/0021 and 0022).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetmv.models.config import ModelConfig
from wavenetmv.models.layout import channels_last
from wavenetmv.models.transforms import NEGATIVE_SLOPE, zero_

_INNER = 3  # convolutions at half the resolution
# Pixels: one for each convolution at full resolution, two for each at half of it, and one
# because a pixel may be at either end of its 2x2.
REACH = 3 + 2 * _INNER + 1
_STRIP = 128  # rows of pixels at a time: less memory, and the processor's caches hold them


class PostFilter(nn.Module):
    """x + what 3x3 convolutions at full and half resolution make of x and level.

    It has `width` channels at full resolution and twice as many at half of it, knows how
    coarsely the latents were rounded (`Gains.level`), and starts as nothing.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3 + 1, width, 3, padding=1)
        self.down = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.inner = nn.ModuleList(
            nn.Conv2d(2 * width, 2 * width, 3, padding=1) for _ in range(_INNER)
        )
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.late = nn.Conv2d(width, width, 3, padding=1)
        self.last = zero_(nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """x [B, 3, H, W] around zero, sides even, level [B, 1, h, w] for parts of it -> x
        filtered, float32."""
        plane = F.interpolate(level, x.shape[2:], mode="nearest")
        seen = torch.cat([x, plane.expand(len(x), -1, -1, -1)], 1)
        seen = channels_last(seen, self.first.weight.dtype)
        full = _activated(self.first(seen))
        half = _activated(self.down(full))
        for layer in self.inner:
            half = _activated(layer(half))
        full = _activated(full + self.up(half))
        change = self.last(_activated(self.late(full)))
        # Half precision would round pixels, but not what is added to them.
        out: Tensor = x + change.float()
        return out


def _activated(x: Tensor) -> Tensor:
    """In place: for what nobody else reads."""
    return F.leaky_relu(x, NEGATIVE_SLOPE, True)


def post_filter(config: ModelConfig) -> PostFilter | None:
    """That of a model; models without one leave pixels as they are."""
    return PostFilter(config.post_width) if config.post_width else None


def in_strips(post: PostFilter, x: Tensor, level: Tensor) -> Tensor:
    """`post`, strip by strip; the same but for rounding."""
    rows, out = x.shape[2], torch.empty_like(x)
    level = F.interpolate(level, x.shape[2:], mode="nearest")
    for top in range(0, rows, _STRIP):
        bottom = min(top + _STRIP, rows)
        # Both even, as _STRIP and REACH are: the 2x2 stay what they are in the whole picture.
        first, last = max(0, top - REACH), min(rows, bottom + REACH)
        strip = post(x[:, :, first:last], level[:, :, first:last])
        out[:, :, top:bottom] = strip[:, :, top - first : bottom - first]
    return out
