"""Several processes, one model: gradients averaged over torch's own launcher.

`torchrun --nproc-per-node 2 -m wavenetmv train ...` sets the environment that `join` reads.
Every process draws its own crops; the rest of the state stays the same everywhere, because
all start from the same parameters and apply the same averaged gradients.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Group:
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes checkpoints and reports."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        offset = 0
        for gradient in gradients:
            part = flat[offset : offset + gradient.numel()]
            gradient.copy_(part.view_as(gradient))
            offset += gradient.numel()

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Every process gets the leader's values, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def agree(self, value: float) -> float:
        """The leader's number, for decisions that all must take alike."""
        if self.size == 1:
            return value
        box = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(box, 0)
        return float(box)

    def wait_for_leader(self) -> None:
        """Until the leader is here too, and what it did before is done."""
        self.agree(0)

    def leave(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()


def join(device: torch.device) -> Group:
    """The group that torchrun's environment describes; a group of one without it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Group()
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Group(dist.get_rank(), size)
