"""YOLOX-nano (Ge et al., "YOLOX: Exceeding YOLO Series in 2021"), batch norms folded away.

    picture [B, 3, H, W]                BGR 0..255, sides multiples of 32
      -> `corners`    [B, 12, H/2, W/2]
      -> `YoloxStem`  c3 [B, 64, H/8, W/8]
      -> `YoloxTail`  backbone c4, c5 -> pyramid p3, p4, p5 -> raw [B, A, 85]

A head on latents has stem and tail, and wavelet coefficients in the place of corners.
Modules are declared in the order in which they run, so that weights of any export of the
network can be taken over by position (training/teachers.py).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = 80
C3_CHANNELS, C4_CHANNELS, C5_CHANNELS = 64, 128, 256
_HEAD_CHANNELS = 64


class Features(NamedTuple):
    """Everything between the stem and the predictions, channels as in the constants above."""

    c3: Tensor  # [B, 64, H/8, W/8]
    c4: Tensor  # [B, 128, H/16, W/16]
    c5: Tensor  # [B, 256, H/32, W/32]
    p3: Tensor  # the same sizes, after the feature pyramid
    p4: Tensor
    p5: Tensor


class Silu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        # Where gradients are wanted, x is kept: in place it would have to be copied first.
        return F.silu(x, inplace=not torch.is_grad_enabled())


class ConvAct(nn.Sequential):
    """Convolution, then SiLU."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups),
            Silu(),
        )


class SeparableConv(nn.Sequential):
    """3x3 per channel, then 1x1 across channels."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__(
            ConvAct(channels_in, channels_in, 3, stride, groups=channels_in),
            ConvAct(channels_in, channels_out, 1),
        )


class Bottleneck(nn.Module):
    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.reduce = ConvAct(channels, channels, 1)
        self.spread = SeparableConv(channels, channels)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.spread(self.reduce(x))
        return out + x if self.shortcut else out


class CspLayer(nn.Module):
    """Cross stage partial layer: half of the channels pass by the bottlenecks."""

    def __init__(self, channels_in: int, channels_out: int, depth: int, shortcut: bool) -> None:
        super().__init__()
        half = channels_out // 2
        self.main = ConvAct(channels_in, half, 1)
        self.bypass = ConvAct(channels_in, half, 1)
        self.blocks = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(depth)))
        self.merge = ConvAct(2 * half, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.merge(torch.cat([self.blocks(self.main(x)), self.bypass(x)], 1))
        return out


class SpatialPyramidPooling(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = ConvAct(channels, channels // 2, 1)
        self.merge = ConvAct(2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.reduce(x)
        pooled = [F.max_pool2d(x, size, 1, size // 2) for size in (5, 9, 13)]
        out: Tensor = self.merge(torch.cat([x, *pooled], 1))
        return out


class YoloxStem(nn.Module):
    """Corners of pixels, or wavelet coefficients in their place, to c3."""

    def __init__(self, kernel: int = 3) -> None:
        """kernel of the first layer; coefficients take 7 for what 3 do with corners."""
        super().__init__()
        self.focus = ConvAct(12, 16, kernel)
        self.dark2 = nn.Sequential(SeparableConv(16, 32, 2), CspLayer(32, 32, 1, True))
        self.dark3 = nn.Sequential(SeparableConv(32, 64, 2), CspLayer(64, 64, 3, True))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, 12, H/2, W/2] -> c3 [B, 64, H/8, W/8]."""
        c3: Tensor = self.dark3(self.dark2(self.focus(x)))
        return c3


def corners(x: Tensor) -> Tensor:
    """Pixels [B, 3, H, W], BGR 0..255 -> what `YoloxStem` sees of them [B, 12, H/2, W/2]."""
    return torch.cat([x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)], 1)


class FeaturePyramid(nn.Module):
    """Path aggregation: top down, then bottom up."""

    def __init__(self) -> None:
        super().__init__()
        self.lateral = ConvAct(C5_CHANNELS, C4_CHANNELS, 1)
        self.down_to_4 = CspLayer(2 * C4_CHANNELS, C4_CHANNELS, 1, False)
        self.reduce = ConvAct(C4_CHANNELS, C3_CHANNELS, 1)
        self.down_to_3 = CspLayer(2 * C3_CHANNELS, C3_CHANNELS, 1, False)
        self.stride_to_4 = SeparableConv(C3_CHANNELS, C3_CHANNELS, 2)
        self.up_to_4 = CspLayer(2 * C3_CHANNELS, C4_CHANNELS, 1, False)
        self.stride_to_5 = SeparableConv(C4_CHANNELS, C4_CHANNELS, 2)
        self.up_to_5 = CspLayer(2 * C4_CHANNELS, C5_CHANNELS, 1, False)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        top = self.lateral(c5)
        middle = self.reduce(self.down_to_4(torch.cat([_double(top), c4], 1)))
        p3 = self.down_to_3(torch.cat([_double(middle), c3], 1))
        p4 = self.up_to_4(torch.cat([self.stride_to_4(p3), middle], 1))
        p5 = self.up_to_5(torch.cat([self.stride_to_5(p4), top], 1))
        return p3, p4, p5


class LevelHead(nn.Module):
    """Predictions at one stride: [B, C, h, w] -> [B, 85, h, w] as box, objectness, classes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = _HEAD_CHANNELS
        self.stem = ConvAct(channels, width, 1)
        self.class_convs = nn.Sequential(*(SeparableConv(width, width) for _ in range(2)))
        self.classes = nn.Conv2d(width, CLASSES, 1)
        self.box_convs = nn.Sequential(*(SeparableConv(width, width) for _ in range(2)))
        self.box = nn.Conv2d(width, 4, 1)
        self.objectness = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        classes, boxes = self.class_convs(x), self.box_convs(x)
        # Box sizes are exponents: bfloat16 would cost them up to a percent.
        return torch.cat(
            [
                self.box(boxes).float(),
                self.objectness(boxes).float(),
                self.classes(classes).float(),
            ],
            1,
        )


class YoloxTail(nn.Module):
    """From c3 to predictions."""

    def __init__(self) -> None:
        super().__init__()
        self.dark4 = nn.Sequential(SeparableConv(64, 128, 2), CspLayer(128, 128, 3, True))
        self.dark5 = nn.Sequential(
            SeparableConv(128, 256, 2), SpatialPyramidPooling(256), CspLayer(256, 256, 1, False)
        )
        self.pyramid = FeaturePyramid()
        self.heads = nn.ModuleList(
            LevelHead(channels) for channels in (C3_CHANNELS, C4_CHANNELS, C5_CHANNELS)
        )

    def features(self, c3: Tensor) -> Features:
        c4 = self.dark4(c3)
        c5 = self.dark5(c4)
        return Features(c3, c4, c5, *self.pyramid(c3, c4, c5))

    def predict(self, features: Features) -> Tensor:
        """-> [B, A, 85] before the sigmoids: box, objectness, classes; strides 8, 16, 32."""
        levels = [head(x) for head, x in zip(self.heads, features[3:], strict=True)]
        return torch.cat([level.flatten(2) for level in levels], 2).transpose(1, 2)

    def forward(self, c3: Tensor) -> Tensor:
        """c3 [B, 64, H/8, W/8] -> raw [B, A, 85] as `boxes.find_objects` takes it."""
        return as_scores(self.predict(self.features(c3)))


def as_scores(predicted: Tensor) -> Tensor:
    """What `YoloxTail.predict` gives, or some rows of it, with objectness and classes in 0..1."""
    return torch.cat([predicted[..., :4], predicted[..., 4:].sigmoid()], -1)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
