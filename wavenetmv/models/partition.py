"""The order in which latents are coded: four steps, each a quarter of everything.

The channels form four groups and the positions four phases of a 2x2 grid; in step t,
group k is coded at phase (t + k) mod 4.  So after each step every position knows some
channels and every channel some positions (the quadtree partition of Li et al.,
"Neural Video Compression with Diverse Contexts", CVPR 2023).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

STEPS = 4
GROUPS = 4
# (row, column) inside the 2x2 grid; opposite corners first.
PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))
_ROW_MAJOR = tuple(PHASES.index(corner) for corner in ((0, 0), (0, 1), (1, 0), (1, 1)))


def phase_of(step: int, group: int) -> tuple[int, int]:
    return PHASES[(step + group) % len(PHASES)]


def at_phase(x: Tensor, phase: tuple[int, int]) -> Tensor:
    """[B, C, H, W] -> the view [B, C, H/2, W/2] of one phase."""
    return x[:, :, phase[0] :: 2, phase[1] :: 2]


def gather(x: Tensor, step: int) -> Tensor:
    """The quarter of x [B, M, H, W] that `step` codes, as [B, M, H/2, W/2]."""
    return torch.cat(
        [at_phase(part, phase_of(step, group)) for group, part in enumerate(x.chunk(GROUPS, 1))], 1
    )


def scatter_(x: Tensor, values: Tensor, step: int) -> None:
    """Inverse of `gather`, in place: write `values` [B, M, H/2, W/2] into x [B, M, H, W]."""
    size = x.shape[1] // GROUPS
    for group in range(GROUPS):
        channels = slice(group * size, (group + 1) * size)
        at_phase(x[:, channels], phase_of(step, group)).copy_(values[:, channels])


def assemble(steps: list[Tensor]) -> Tensor:
    """Quarters of steps 0, 1, ... -> [B, M, H, W], zeros where nothing is known yet.

    Out of place, for autograd; `gather(assemble(steps), t)` is `steps[t]`.
    """
    known = steps + [torch.zeros_like(steps[0])] * (STEPS - len(steps))
    parts = [step.chunk(GROUPS, 1) for step in known]
    groups = []
    for group in range(GROUPS):
        # Row-major phases, as pixel_shuffle wants them: channel, row, column.
        phases = [parts[(phase - group) % STEPS][group] for phase in _ROW_MAJOR]
        groups.append(F.pixel_shuffle(torch.stack(phases, 2).flatten(1, 2), 2))
    return torch.cat(groups, 1)
