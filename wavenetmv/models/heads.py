"""Vision heads: from latents to what is in the picture, without pixels.

    y_hat [B, M, H/16, W/16] -> Adapter -> features that a pretrained network's later
    stages expect -> those stages -> raw -> `read` -> results in the picture's coordinates

A head is a class with a `task`, a network and a `read`; `HEADS` lists them.  A new one is
this file's business alone: training finds its loss in `training.distillation`, and
`wmv analyze --task NAME` finds it here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetmv.models.boxes import find_objects
from wavenetmv.models.yolox import C3_CHANNELS, Features, YoloxTail
from wavenetmv.types import Detection

LATENT_STRIDE = 16  # pixels per latent along a side


class PlainBlock(nn.Module):
    """x + conv(act(conv(x))), 3x3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.last(F.silu(self.first(x), inplace=True))
        return out


class Adapter(nn.Module):
    """Latents to features at twice their resolution.

    y_hat [B, M, h, w], gain undone -> [B, channels, 2h, 2w]
    """

    def __init__(self, M: int, channels: int, coarse: int, fine: int, blocks: int) -> None:
        super().__init__()
        # Latents of a wavelet codec differ a hundredfold in size between channels.
        self.register_buffer("scale", torch.ones(M))
        self.scale: Tensor
        self.enter = nn.Conv2d(M, coarse, 3, padding=1)
        self.coarse = nn.Sequential(*(PlainBlock(coarse) for _ in range(blocks)))
        self.up = nn.ConvTranspose2d(coarse, fine, 2, stride=2)
        self.fine = nn.Sequential(*(PlainBlock(fine) for _ in range(blocks)))
        self.leave = nn.Conv2d(fine, channels, 1)

    def forward(self, y_hat: Tensor) -> Tensor:
        x = y_hat * self.scale[:, None, None]
        out: Tensor = self.leave(self.fine(self.up(self.coarse(self.enter(x)))))
        return out

    @torch.no_grad()
    def calibrate(self, latents: Iterator[Tensor]) -> None:
        """Set `scale` from batches [B, M, h, w], so that channels enter at about unit size."""
        squares = torch.stack([y.square().mean((0, 2, 3)) for y in latents])
        self.scale.copy_(1 / (squares.mean(0).sqrt() + 0.02))


class Head(nn.Module, ABC):
    """What every head has; constructors take M and sizes with defaults."""

    task: ClassVar[str]

    @abstractmethod
    def config(self) -> dict[str, int]:
        """Arguments that build this network again."""

    @abstractmethod
    def read(
        self, raw: Tensor, latent_size: tuple[int, int], size: tuple[int, int], threshold: float
    ) -> list[Detection]:
        """Results, best first, from raw [1, ...] of latents (h, w) of a picture (H, W)."""


class DetectionHead(Head):
    """The 80 object classes of COCO: adapter, then YOLOX-nano from its stride 8 on."""

    task: ClassVar[str] = "detect"

    def __init__(self, M: int, coarse: int = 192, fine: int = 128, blocks: int = 2) -> None:
        super().__init__()
        self._config = {"M": M, "coarse": coarse, "fine": fine, "blocks": blocks}
        self.adapter = Adapter(M, C3_CHANNELS, coarse, fine, blocks)
        self.tail = YoloxTail()

    def config(self) -> dict[str, int]:
        return dict(self._config)

    def features(self, y_hat: Tensor) -> Features:
        """y_hat [B, M, h, w], h and w even, gain undone -> what the teacher computes."""
        features: Features = self.tail.features(self.adapter(y_hat))
        return features

    def forward(self, y_hat: Tensor) -> Tensor:
        """y_hat as for `features` -> raw [B, A, 85], see `boxes.decode_boxes`."""
        raw: Tensor = self.tail(self.adapter(y_hat))
        return raw

    def read(
        self, raw: Tensor, latent_size: tuple[int, int], size: tuple[int, int], threshold: float
    ) -> list[Detection]:
        h, w = latent_size
        return find_objects(raw[0], (LATENT_STRIDE * h, LATENT_STRIDE * w), size, threshold)


HEADS: dict[str, type[Head]] = {head.task: head for head in (DetectionHead,)}


def build_head(task: str, M: int, **sizes: int) -> Head:
    """Raises ValueError for an unknown task, TypeError for sizes that it does not have."""
    if task not in HEADS:
        raise ValueError(f"no head for task {task!r}; there are {', '.join(HEADS)}")
    return HEADS[task](M, **sizes)
