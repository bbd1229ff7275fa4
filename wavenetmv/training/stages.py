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
from wavenetmv.models.config import PRESETS, ModelConfig
from wavenetmv.models.device import choose_dtype
from wavenetmv.models.heads import DetectionHead
from wavenetmv.models.initialisation import initialise
from wavenetmv.training.cache import PictureCache
from wavenetmv.training.distillation import FeatureMatching, TaskRateDistortion
from wavenetmv.training.distributed import Group
from wavenetmv.training.export import load_checkpoint
from wavenetmv.training.objectives import Objective, latent_rate_distortion, rate_distortion
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.training.teachers import YoloxTeacher
from wavenetmv.training.trainer import CHECKPOINT, StageConfig, Trainer
from wavenetmv.training.wavelet import energy_compaction

Report = Callable[[str, dict[str, float]], None]


@dataclass(frozen=True)
class Stage:
    """One stage.

    share      its part of the minutes when several stages run
    trains     the parameters that learn, by prefix
    teaches    instead of `objective`: what makes one from a teacher
    """

    name: str
    config: StageConfig
    share: float
    trains: tuple[str, ...]
    objective: Objective | None = None
    teaches: Callable[[YoloxTeacher], Objective] | None = None


# The learning rates are those of the best of short runs on the same minutes.
STAGES = (
    Stage(
        "1", StageConfig(steps=1, batch=16, crop=192, lr=1e-3, ema=0.99),
        share=0.04, trains=("lifting.",), objective=energy_compaction,
    ),
    Stage(
        "2a", StageConfig(steps=1, batch=48, crop=192, lr=3e-3, ema=0.998),
        share=0.08, trains=("gains.", "entropy."), objective=latent_rate_distortion,
    ),
    Stage(
        "2b",
        StageConfig(steps=1, batch=16, crop=192, lr=6e-4, decay_from=0.3, fake_quant_from=0.75),
        share=0.88, trains=("",), objective=rate_distortion,
    ),
    Stage(
        "3a", StageConfig(steps=1, batch=16, crop=256, lr=1e-3, ema=0.998),
        share=0.3, trains=("heads.detect.adapter.",), teaches=FeatureMatching,
    ),
    Stage(
        "3b",
        StageConfig(steps=1, batch=12, crop=256, lr=2e-4, decay_from=0.3, fake_quant_from=0.75),
        share=0.7, trains=("",), teaches=TaskRateDistortion,
    ),
)  # fmt: skip


def choose(name: str, with_teacher: bool = False) -> tuple[Stage, ...]:
    """The stages that `name` means: one of them, 3 for its two parts, or all.

    Without a teacher "all" ends before stage 3.  Raises UsageFault.
    """
    chosen = tuple(
        stage for stage in STAGES
        if name in (stage.name, "all") or (name == "3" and stage.teaches)
    )  # fmt: skip
    if not chosen:
        names = ", ".join(stage.name for stage in STAGES)
        raise UsageFault(f"stage must be all, {names} or 3; got {name!r}")
    if with_teacher:
        return chosen
    if name != "all" and chosen[0].teaches:
        raise UsageFault(f"stage {name} learns from a detector: name its file with --teacher")
    return tuple(stage for stage in chosen if not stage.teaches)


def read_settings(
    path: Path | None, preset: str = "base"
) -> tuple[ModelConfig, dict[str, dict[str, Any]]]:
    """A JSON file {"model": {...}, "stages": {"2b": {...}}}: changes to a preset and the defaults.

    Raises UsageFault for unknown presets, unknown fields and unreadable files.
    """
    if preset not in PRESETS:
        raise UsageFault(f"model must be {' or '.join(PRESETS)}, got {preset!r}")
    if path is None:
        return PRESETS[preset], {}
    try:
        settings = json.loads(path.read_text())
        model = ModelConfig.from_dict(PRESETS[preset].to_dict() | settings.get("model", {}))
        stages = settings.get("stages", {})
        known = {field.name for field in fields(StageConfig)}
        for name, changes in stages.items():
            choose(name, with_teacher=True)
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
    teacher: YoloxTeacher | None = None,
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
        model = _starting_model(stage, out, start, model_config, data, seed)
        if stage.teaches:
            assert teacher is not None
            _give_head(model, teacher, data, seed)
        if stage.name == "3b":
            model = with_machine_profile(model)
        model.to(device)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith(stage.trains))
        if not any(parameter.requires_grad for parameter in model.parameters()):
            continue  # stage 1 of a wavelet without learned steps
        trainer = Trainer(
            model, _objective(stage, teacher), config, data, folder,
            partial(report, stage.name), device, group,
        )  # fmt: skip
        if resume:
            trainer.resume()
        elif trainer.has_checkpoint():
            raise UsageFault(f"{folder} holds a run already: --resume continues it")
        trainer.run()
        start = None
    return out / stages[-1].name / CHECKPOINT


def _objective(stage: Stage, teacher: YoloxTeacher | None) -> Objective:
    if stage.objective is not None:
        return stage.objective
    assert stage.teaches is not None
    assert teacher is not None
    return stage.teaches(teacher)


def _give_head(model: CodecModel, teacher: YoloxTeacher, data: PictureCache, seed: int) -> None:
    """A detection head that starts from the teacher's later stages, unless there is one."""
    if DetectionHead.task in model.heads:
        return
    torch.manual_seed(seed)
    head = DetectionHead(model.config.M)
    head.tail.load_state_dict(teacher.tail.state_dict())
    with torch.no_grad():
        head.adapter.calibrate(model.analysis(x) for x in _samples(data, seed, batches=4))
    model.heads[DetectionHead.task] = head


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
