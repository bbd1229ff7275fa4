"""The stages in order, what each starts from and how it runs by default."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wavenetmv.errors import CheckpointError, UsageFault
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.device import choose_dtype
from wavenetmv.models.initialisation import initialise
from wavenetmv.training.cache import PictureCache
from wavenetmv.training.distributed import Group
from wavenetmv.training.export import load_checkpoint
from wavenetmv.training.objectives import Objective, latent_rate_distortion, rate_distortion
from wavenetmv.training.trainer import CHECKPOINT, StageConfig, Trainer
from wavenetmv.training.wavelet import energy_compaction

Report = Callable[[str, dict[str, float]], None]


@dataclass(frozen=True)
class Stage:
    """`share` is the part of the minutes it gets when all stages run; `trains` names the
    parameters that learn, by prefix."""

    name: str
    objective: Objective
    config: StageConfig
    share: float
    trains: tuple[str, ...]


# The learning rates are those of the best of short runs on the same minutes.
STAGES = (
    Stage(
        "1", energy_compaction,
        StageConfig(steps=1, batch=16, crop=192, lr=1e-3, ema=0.99),
        share=0.04, trains=("lifting.",),
    ),
    Stage(
        "2a", latent_rate_distortion,
        StageConfig(steps=1, batch=48, crop=192, lr=3e-3, ema=0.998),
        share=0.08, trains=("gains.", "entropy."),
    ),
    Stage(
        "2b", rate_distortion,
        StageConfig(steps=1, batch=16, crop=192, lr=6e-4, decay_from=0.3, fake_quant_from=0.75),
        share=0.88, trains=("",),
    ),
)  # fmt: skip


def choose(name: str) -> tuple[Stage, ...]:
    """The stages that `name` means: one of them, or "all". Raises UsageFault."""
    if name == "all":
        return STAGES
    for stage in STAGES:
        if stage.name == name:
            return (stage,)
    raise UsageFault(f"stage must be all, {', '.join(s.name for s in STAGES)}; got {name!r}")


def read_settings(path: Path | None) -> tuple[ModelConfig, dict[str, dict[str, Any]]]:
    """A JSON file {"model": {...}, "stages": {"2b": {...}}}: changes to the defaults.

    Raises UsageFault for unknown fields and unreadable files.
    """
    if path is None:
        return ModelConfig(), {}
    try:
        settings = json.loads(path.read_text())
        model = ModelConfig.from_dict(ModelConfig().to_dict() | settings.get("model", {}))
        stages = settings.get("stages", {})
        known = {field.name for field in fields(StageConfig)}
        for name, changes in stages.items():
            choose(name)
            if unknown := set(changes) - known:
                raise UsageFault(f"{path}: stage {name} has no setting {sorted(unknown)}")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UsageFault(f"{path}: {error}") from error
    return model, stages


def run_stages(
    stages: Sequence[Stage],
    data: PictureCache,
    out: Path,
    *,
    minutes: float | None,
    steps: int | None,
    model_config: ModelConfig,
    changes: dict[str, dict[str, Any]],
    seed: int,
    resume: bool,
    start: CodecModel | None,
    device: torch.device,
    group: Group,
    report: Report,
) -> Path:
    """Run `stages` one after the other below `out`; returns the last checkpoint.

    Each stage starts from the one before it (this run's or, resuming, an earlier one's in
    `out`), the first from `start` or from the wavelet + KLT initialisation.
    """
    total = sum(stage.share for stage in stages)
    for stage in stages:
        folder = out / stage.name
        config = replace(
            stage.config,
            minutes=None if minutes is None else minutes * stage.share / total,
            steps=None if steps is None else max(1, round(steps * stage.share / total)),
            seed=seed,
            bfloat16=choose_dtype("auto", device) is torch.bfloat16,
            **changes.get(stage.name, {}),
        )
        model = _starting_model(stage, out, start, model_config, data, seed).to(device)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith(stage.trains))
        if not any(parameter.requires_grad for parameter in model.parameters()):
            continue  # stage 1 of a wavelet without learned steps
        trainer = Trainer(
            model, stage.objective, config, data, folder,
            partial(report, stage.name), device, group,
        )  # fmt: skip
        if resume:
            trainer.resume()
        elif trainer.has_checkpoint():
            raise UsageFault(f"{folder} holds a run already: --resume continues it")
        trainer.run()
        start = None
    return out / stages[-1].name / CHECKPOINT


def _starting_model(
    stage: Stage,
    out: Path,
    start: CodecModel | None,
    model_config: ModelConfig,
    data: PictureCache,
    seed: int,
) -> CodecModel:
    if start is not None:
        return start
    names = [each.name for each in STAGES]
    for earlier in reversed(names[: names.index(stage.name)]):
        path = out / earlier / CHECKPOINT
        if path.exists():
            model = load_checkpoint(path)
            if model.config != model_config:
                raise CheckpointError(f"{path} is of another model configuration")
            if earlier == "1":
                initialise(model, _samples(data, seed))
            return model
    torch.manual_seed(seed)
    model = CodecModel(model_config)
    if stage.name != "1":
        initialise(model, _samples(data, seed))
    return model


def _samples(data: PictureCache, seed: int, batches: int = 20) -> Iterator[Tensor]:
    rng = np.random.default_rng(seed)
    size = min(256, data.smallest_side // 64 * 64)
    for _ in range(batches):
        crops = data.crops(rng, 16, size)
        yield torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
