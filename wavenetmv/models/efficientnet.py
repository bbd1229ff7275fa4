"""EfficientNet-Lite0 (Tan and Le, "EfficientNet", ICML 2019), batch norms folded away.

    picture [B, 3, H, W]                   RGB, (value - 127) / 128 of 0..255
      -> `EfficientNetStem`  c16 [B, 80, H/16, W/16]
      -> `EfficientNetTail`  d16 [B, 112, H/16, W/16], c32 [B, 320, H/32, W/32] -> logits

The Lite variant has ReLU6 for Swish and no squeeze-and-excitation.  A head on latents has a stem
that sees wavelet coefficients in the place of 2x2 pixels (models/heads.py).  Modules are
declared in the order in which they run, so that weights can be taken over by position
(training/teachers.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = 1000
C16_CHANNELS, D16_CHANNELS, C32_CHANNELS = 80, 112, 320
_STEM_CHANNELS, _LAST_CHANNELS = 32, 1280

# Repeats, kernel, stride of the first, expansion, channels out; published as table 1 (B0).
_STEM_STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, C16_CHANNELS))
_D16_STAGES = ((3, 5, 1, 6, D16_CHANNELS),)
_C32_STAGES = ((4, 5, 2, 6, 192), (1, 3, 1, 6, C32_CHANNELS))


class TailFeatures(NamedTuple):
    """What the tail passes through on its way to the logits."""

    c16: Tensor  # [B, 80, H/16, W/16], its input
    d16: Tensor  # [B, 112, H/16, W/16]
    c32: Tensor  # [B, 320, H/32, W/32]


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's 'same' padding: ceil(size / stride) positions out.

    Where the padding is odd, the bottom and the right get the larger part.
    """

    def forward(self, x: Tensor) -> Tensor:
        padding: list[int] = []
        for axis in (1, 0):  # F.pad starts from the last axis
            size, kernel, stride = x.shape[2 + axis], self.kernel_size[axis], self.stride[axis]
            total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
            padding += [total // 2, total - total // 2]
        return super().forward(F.pad(x, padding) if any(padding) else x)


class InvertedBottleneck(nn.Module):
    """Widen (1x1), filter each channel, narrow (1x1, no activation); shortcut where it fits."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = expansion * channels_in
        self.expand = SameConv(channels_in, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride, groups=wide)
        self.project = SameConv(wide, channels_out, 1)
        self.shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.expand is None else F.relu6(self.expand(x))
        out: Tensor = self.project(F.relu6(self.depthwise(wide)))
        return out + x if self.shortcut else out


class EfficientNetStem(nn.Module):
    """Pixels to c16."""

    def __init__(self) -> None:
        super().__init__()
        self.first: nn.Conv2d = SameConv(3, _STEM_CHANNELS, 3, 2)
        self.blocks = nn.Sequential(*_blocks(_STEM_CHANNELS, _STEM_STAGES))

    @classmethod
    def of_coefficients(cls) -> EfficientNetStem:
        """The same from coefficients of one level [B, 12, H/2, W/2], around middle grey.

        7x7 of them are what 3x3 pixels are to the first layer.
        """
        stem = cls()
        stem.first = nn.Conv2d(12, _STEM_CHANNELS, 7, padding=3)
        return stem

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 3, H, W], normalised as above -> c16 [B, 80, ceil(H/16), ceil(W/16)]."""
        c16: Tensor = self.blocks(F.relu6(self.first(x)))
        return c16


class EfficientNetTail(nn.Module):
    """From c16 to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks16 = nn.Sequential(*_blocks(C16_CHANNELS, _D16_STAGES))
        self.blocks32 = nn.Sequential(*_blocks(D16_CHANNELS, _C32_STAGES))
        self.last = SameConv(C32_CHANNELS, _LAST_CHANNELS, 1)
        self.classes = nn.Linear(_LAST_CHANNELS, CLASSES)

    def features(self, c16: Tensor) -> TailFeatures:
        d16 = self.blocks16(c16)
        return TailFeatures(c16, d16, self.blocks32(d16))

    def predict(self, features: TailFeatures) -> Tensor:
        """-> logits [B, 1000], float32 whatever the network computes in."""
        pooled = F.relu6(self.last(features.c32)).mean((2, 3))
        # bfloat16 keeps three digits of a logit: neighbours in rank would tie.
        with torch.autocast(pooled.device.type, enabled=False):
            weight, bias = self.classes.weight.float(), self.classes.bias.float()
            return F.linear(pooled.float(), weight, bias)

    def forward(self, c16: Tensor) -> Tensor:
        """c16 [B, 80, h, w] of any size -> logits [B, 1000]."""
        return self.predict(self.features(c16))


def _blocks(channels: int, stages: tuple[tuple[int, ...], ...]) -> Iterator[InvertedBottleneck]:
    for repeats, kernel, stride, expansion, channels_out in stages:
        for repeat in range(repeats):
            step = 1 if repeat else stride
            yield InvertedBottleneck(channels, channels_out, kernel, step, expansion)
            channels = channels_out
