"""A classifier on pixels, for comparison: what a codec's pictures are worth to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wavenetmv.metrics import Pixels
from wavenetmv.models.heads import ClassificationHead
from wavenetmv.training.teachers import EfficientNetTeacher, load_efficientnet

_SQUARE = 224  # pixels

View = Callable[[Tensor], Tensor]  # of a picture [1, 3, H, W] that is sized for the network


def whole(x: Tensor) -> Tensor:
    """All of the picture, as the head on latents sees it."""
    return x


def centre(x: Tensor) -> Tensor:
    """A square of 224 pixels in the middle, as ImageNet's results are published."""
    top, left = ((side - _SQUARE) // 2 for side in x.shape[2:])
    return x[:, :, max(0, top) :, max(0, left) :][:, :, :_SQUARE, :_SQUARE]


class Classifier:
    """EfficientNet-Lite0 from a state dict. Raises InputError if the file is another network."""

    def __init__(self, path: Path) -> None:
        self._network: EfficientNetTeacher = load_efficientnet(path)

    @torch.inference_mode()
    def best(self, pixels: Pixels, view: View = whole) -> list[int]:
        """The likeliest classes, best first, of pixels uint8 RGB [H, W, 3]."""
        x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255
        network = self._network
        logits = network.tail(network.stem(view(network.prepare(x))))
        best: list[int] = logits[0].topk(ClassificationHead.limit).indices.tolist()
        return best
