"""How a stage of training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from wavenetmv.models.device import choose_dtype


@dataclass(frozen=True)
class StageConfig:
    """How one stage runs. `minutes` or `steps` ends it; the other is None."""

    minutes: float | None = None
    steps: int | None = None
    # Count the minutes of processor time: fair where other work shares the machine.
    processor_minutes: bool = False
    batch: int = 16
    crop: int = 192  # pixels, a multiple of 64
    # Further sizes: every step draws one of all that some picture is large enough for.
    larger_crops: Sequence[int] = ()
    min_scale: float = 1.0  # crops are shrunk by a random factor down to this one
    lr: float = 6e-4
    warmup_steps: int = 100
    decay_from: float = 0.0  # share of the run after which the rate decays (cosine)
    final_lr: float = 0.02  # share of `lr` at the end
    clip: float = 1.0  # gradient norm
    ema: float = 0.999
    seed: int = 0
    muon: bool = True
    fake_quant_from: float = 2.0  # share of the run after which integers are simulated
    late: Sequence[str] = ()  # parameters, by prefix, that learn only ...
    late_from: float = 0.5  # ... from this share of the run on
    fixed_position: float | None = None  # one lambda instead of all: log2(lambda / 64)
    bfloat16: bool = False  # convolutions in bfloat16 (autocast), where the machine is fast at it
    log_every: int = 50
    checkpoint_minutes: float = 5.0

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError("give either minutes or steps")
        for size in (self.crop, *self.larger_crops):
            if size % 64:
                raise ValueError(f"crop must be a multiple of 64, got {size}")

    def on(self, device: torch.device, seed: int, changes: Mapping[str, Any]) -> StageConfig:
        """The same for a run there; what `changes` names is theirs."""
        bfloat16 = choose_dtype("auto", device) is torch.bfloat16
        return replace(self, **{"seed": seed, "bfloat16": bfloat16, **changes})

    def lasting(self, minutes: float | None, steps: int | None, part: float = 1.0) -> StageConfig:
        """The same for `part` (0..1) of a run of so many minutes or steps."""
        return replace(
            self,
            minutes=None if minutes is None else minutes * part,
            steps=None if steps is None else max(1, round(steps * part)),
        )
