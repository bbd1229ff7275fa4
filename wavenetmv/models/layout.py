"""How tensors lie in memory: the same values, in the order in which the next step runs fastest."""

from __future__ import annotations

import torch
from torch import Tensor

# From so many channels on each plane is read as a row of a matrix to be transposed.
_MANY_CHANNELS = 32


def channels_last(x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """x [B, C, H, W] in the layout in which convolutions run fastest on processors.

    dtype  of what is returned; None: as it is
    """
    if dtype is not None:
        x = x.to(dtype)  # first: there is less to move after it
    B, C, H, W = x.shape
    if C < _MANY_CHANNELS or not x.is_contiguous() or torch.is_grad_enabled():
        return x.contiguous(memory_format=torch.channels_last)
    # Three times as fast for a packet as torch's own way, which reads one value per plane.
    moved = x.new_empty(B, H * W, C)
    for picture, result in zip(x.view(B, C, H * W), moved, strict=True):
        result.copy_(picture.t())
    return moved.view(B, H, W, C).permute(0, 3, 1, 2)


def planes_first(x: Tensor) -> Tensor:
    """x [B, C, H, W] plane after plane in float32, as wavelets read it."""
    # In this order: torch is slow at moving what it converts, and float32 is more to move.
    return x.contiguous().float()


def to_bytes(x: Tensor) -> Tensor:
    """Whole numbers in 0..255, of any type -> uint8."""
    # Straight from float, torch converts one by one.
    return x.to(torch.int16).to(torch.uint8)


def to_pixels(x: Tensor) -> Tensor:
    """[3, H, W] in [0, 1] and beyond -> pixels uint8 [H, W, 3]; x is overwritten."""
    planes = to_bytes(x.clamp_(0, 1).mul_(255).round_())
    return torch.stack(tuple(planes), -1)
