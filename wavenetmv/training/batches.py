"""What a step learns from: random crops of pictures, at random lambdas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavenetmv.models.gains import ANCHOR_LAMBDAS
from wavenetmv.training.cache import PictureCache
from wavenetmv.training.stage_config import StageConfig

POSITION_MAX = len(ANCHOR_LAMBDAS) - 1


class Batches(Protocol):
    """Where a trainer's batches come from."""

    def draw(
        self, rng: np.random.Generator, config: StageConfig, share: float, device: torch.device
    ) -> tuple[Any, Tensor]:
        """What the stage's objective takes when `share` (0..1) of the run is done: samples and
        their positions [B] on the lambda axis."""

    def state_dict(self) -> dict[str, Any]:
        """What a run needs, besides the random state, to go on with the same batches."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to a state of `state_dict`."""


@dataclass(frozen=True)
class PictureBatches:
    """Crops [B, 3, size, size] in [0, 1]: a step has one size, of those that `config` names."""

    pictures: PictureCache

    def draw(
        self, rng: np.random.Generator, config: StageConfig, share: float, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        largest = self.pictures.largest_side
        sizes = [config.crop, *(size for size in config.larger_crops if size <= largest)]
        size = sizes[rng.integers(len(sizes))] if sizes[1:] else config.crop
        crops = self.pictures.crops(rng, config.batch, size, config.min_scale)
        x = as_input(crops, device)
        if config.fixed_position is not None:
            return x, torch.full((len(x),), config.fixed_position, device=device)
        positions = rng.permutation(even_positions(rng, len(x)))
        return x, torch.from_numpy(positions).float().to(device)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Every batch is drawn anew: there is nothing to load."""


def even_positions(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """`count` positions in rising order, each from a stretch of its own of the lambda axis.

    Less noise than independent draws.
    """
    positions: npt.NDArray[np.float64] = (np.arange(count) + rng.random(count)) / count
    return positions * POSITION_MAX


def as_input(pixels: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """uint8 [..., H, W, 3] -> [..., 3, H, W] in [0, 1]."""
    return torch.from_numpy(pixels).to(device).movedim(-1, -3).float().div_(255)
