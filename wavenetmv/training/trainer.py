"""The training loop: one stage, by minutes or by steps, resumable at any moment."""

from __future__ import annotations

import copy
import math
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wavenetmv.errors import UsageFault
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.inter import InterModel
from wavenetmv.training.batches import Batches
from wavenetmv.training.distributed import Group
from wavenetmv.training.log import FIELDS, RunLog
from wavenetmv.training.objectives import Measures, Objective
from wavenetmv.training.optimizers import Optimizer
from wavenetmv.training.stage_config import StageConfig

CHECKPOINT = "checkpoint.pt"


class Trainer:
    """Trains `model` in place; `ema` is the averaged copy that is exported."""

    def __init__(
        self,
        model: CodecModel | InterModel,
        objective: Objective,
        config: StageConfig,
        batches: Batches,
        out: Path,
        report: Callable[[dict[str, float]], None] | None = None,
        device: torch.device | None = None,
        group: Group | None = None,
    ) -> None:
        self.model, self.objective, self.config = model, objective, config
        self.batches, self.out, self.report = batches, out, report
        self.device, self.group = device or torch.device("cpu"), group or Group()
        self.group.share(model.state_dict().values())
        self.ema = copy.deepcopy(model).requires_grad_(False)
        self.learning = [p for p in model.parameters() if p.requires_grad]
        self.late = [
            parameter for name, parameter in model.named_parameters()
            if parameter.requires_grad and name.startswith(tuple(config.late))
        ]  # fmt: skip
        self.optimizer = Optimizer(model, muon=config.muon, bfloat16=config.bfloat16)
        # Every process sees crops of its own.
        self.rng = np.random.default_rng((config.seed, self.group.rank))
        torch.manual_seed(config.seed + self.group.rank)
        self.log = RunLog(out)
        self.step = 0
        self.elapsed_s = 0.0
        self.rollbacks = 0
        self._recent: deque[tuple[float, ...]] = deque(maxlen=config.log_every)
        self._good: dict[str, Any] | None = None

    @property
    def share(self) -> float:
        """How much of the run is done, 0..1."""
        if self.config.steps is not None:
            return self.step / self.config.steps
        assert self.config.minutes is not None
        return self.elapsed_s / 60 / self.config.minutes

    def learning_rate(self) -> float:
        config, share = self.config, min(1.0, self.share)
        warm = min(1.0, (self.step + 1) / config.warmup_steps)
        decayed = max(0.0, (share - config.decay_from) / max(1e-9, 1 - config.decay_from))
        cosine = 0.5 * (1 + math.cos(math.pi * decayed))
        return config.lr * warm * (config.final_lr + (1 - config.final_lr) * cosine)

    def start(self, resume: bool) -> None:
        """`run`, from this run's own checkpoint if it is to `resume` and there is one.

        Raises UsageFault where a run would begin anew over the checkpoint of another.
        """
        if resume:
            self.resume()
        elif self.has_checkpoint():
            raise UsageFault(f"{self.out} holds a run already: --resume continues it")
        self.run()

    def run(self) -> None:
        """Train until the stage's end; KeyboardInterrupt saves a checkpoint first."""
        torch.set_flush_denormal(True)
        self.model.train()
        self.out.mkdir(parents=True, exist_ok=True)
        clock = time.process_time if self.config.processor_minutes else time.monotonic
        saved_at = start = clock()
        before = self.elapsed_s
        try:
            while self.share < 1:
                self._one_step()
                now = clock()
                self.elapsed_s = self.group.agree(before + now - start)
                if self.step % self.config.log_every == 0 and self._recent:
                    self._report_progress()
                if now - saved_at > 60 * self.config.checkpoint_minutes:
                    self.save()
                    saved_at = now
        finally:
            self.save()
            self.log.close()

    def _one_step(self) -> None:
        config = self.config
        quantise = self.share >= config.fake_quant_from
        if quantise != self.model.entropy.fake_quant:
            self.model.entropy.set_fake_quant(quantise)
        for parameter in self.late:
            parameter.requires_grad_(self.share >= config.late_from)
        x, position = self.batches.draw(self.rng, config, self.share, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.bfloat16):
            measures = self.objective(self.model, x, position)
        lr = self.learning_rate()
        measures.loss.backward()  # type: ignore[no-untyped-call]
        self.group.average_gradients(self.learning)
        norm = nn.utils.clip_grad_norm_(self.learning, config.clip)
        # The norm is of averaged gradients, so all processes decide alike.
        if not torch.isfinite(norm):
            self._roll_back()
            return
        self.optimizer.step(lr)
        self.step += 1
        self._average()
        self._remember(measures, lr)

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.ema.parameters()), list(self.model.parameters()), 1 - decay)

    def _remember(self, measures: Measures, lr: float) -> None:
        self._recent.append(
            (
                lr, measures.loss.item(), measures.y_bpp, measures.z_bpp, measures.psnr,
                measures.feature_error,
            )
        )  # fmt: skip
        if self.step % 200 == 0:
            self._good = copy.deepcopy(self._state())

    def _roll_back(self) -> None:
        """A loss or gradient that is no number: back to the last good state."""
        self.rollbacks += 1
        self.model.zero_grad(set_to_none=True)
        if self._good is not None:
            keep = self.step
            self._load(self._good)
            # The random stream goes on, so the same batch does not come again.
            seed = (self.config.seed, self.group.rank, keep, self.rollbacks)
            self.rng = np.random.default_rng(seed)
        if self.report and self.group.leads:
            self.report({"step": self.step, "rollback": self.rollbacks})

    def _report_progress(self) -> None:
        if not self.group.leads:
            return
        mean = np.mean(np.array(self._recent), 0)
        images = self.step * self.config.batch * self.group.size
        values = (self.step, self.elapsed_s / 60, *mean, images / max(self.elapsed_s, 1e-9))
        row = dict(zip(FIELDS, map(float, values), strict=True))
        self.log.add(row)
        if self.report:
            self.report(row)

    def _state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "rng": self.rng.bit_generator.state,
            "torch_rng": torch.get_rng_state(),
            "batches": self.batches.state_dict(),
        }

    def save(self) -> None:
        """Write the checkpoint beside the log, by way of a temporary name."""
        if not self.group.leads:
            return
        state = {**self.model.describe(), **self._state()}
        self.out.mkdir(parents=True, exist_ok=True)
        temporary = self.out / "checkpoint.tmp"
        torch.save(state, temporary)
        temporary.replace(self.out / CHECKPOINT)

    def has_checkpoint(self) -> bool:
        return (self.out / CHECKPOINT).exists()

    def resume(self) -> bool:
        """Continue from this run's own checkpoint, if there is one."""
        if not self.has_checkpoint():
            return False
        self._load(torch.load(self.out / CHECKPOINT, weights_only=True, map_location=self.device))
        if self.group.rank:
            # The file holds the leader's random state and batches; the others start their own.
            self.batches.load_state_dict({})
            self.rng = np.random.default_rng((self.config.seed, self.group.rank, self.step))
        return True

    def _load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]
        self.rng = np.random.default_rng()
        self.rng.bit_generator.state = state["rng"]
        torch.set_rng_state(state["torch_rng"].cpu())
        # Checkpoints of earlier versions hold none, nor did what they drew from need any.
        self.batches.load_state_dict(state.get("batches", {}))
