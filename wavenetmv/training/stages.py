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
from torch import Tensor, nn

from wavenetmv.errors import CheckpointError, UsageFault
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.config import PRESETS, ModelConfig
from wavenetmv.models.heads import DetectionHead
from wavenetmv.models.initialisation import initialise
from wavenetmv.training.batches import PictureBatches
from wavenetmv.training.cache import PictureCache
from wavenetmv.training.courses import COURSES, Course, Lesson
from wavenetmv.training.distributed import Group
from wavenetmv.training.export import load_checkpoint
from wavenetmv.training.machine_synthesis import with_machine_synthesis
from wavenetmv.training.objectives import (
    Objective,
    filtered_distortion,
    latent_rate_distortion,
    rate_distortion,
)
from wavenetmv.training.post_filter import with_post_filter
from wavenetmv.training.prior_heads import PriorHead
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.training.stage_config import StageConfig
from wavenetmv.training.trainer import CHECKPOINT, Trainer
from wavenetmv.training.wavelet import energy_compaction

VIDEO = "video"  # the stage of inter frames, training/video.py

Report = Callable[[str, dict[str, float]], None]


@dataclass(frozen=True)
class Stage:
    """One stage.

    share      its part of the minutes when several stages run
    trains     the parameters that learn, by prefix; () for those that a head's course names
    lesson     of a head's course: instead of `objective`, what makes one from a teacher
    task       whose head learns, where there is a lesson
    with_head  a lesson is given to that head
    for_decoded  that head is one more, `registry.HeadInfo.decoded`: only when asked for by name
    extend     gives a model what this stage teaches it beside, where it lacks it
    """

    name: str
    config: StageConfig
    share: float
    trains: tuple[str, ...]
    objective: Objective | None = None
    lesson: Callable[[Course], Lesson | None] | None = None
    task: str = DetectionHead.task
    with_head: bool = True
    for_decoded: bool = False
    extend: Callable[[CodecModel], CodecModel] | None = None

    @property
    def folder(self) -> str:
        """Below the run's: heads of several tasks learn side by side."""
        return self.name if self.task == DetectionHead.task else f"{self.name}-{self.task}"


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
        "2c", StageConfig(steps=1, batch=24, crop=128, lr=2e-3, muon=False, fake_quant_from=0.0),
        share=0.1, trains=("post.",), objective=filtered_distortion, extend=with_post_filter,
    ),
    Stage(
        "3a", StageConfig(steps=1, batch=16, crop=256, lr=1e-3, ema=0.998),
        share=0.3, trains=(), lesson=lambda course: course.alone,
    ),
    Stage(
        "3b",
        StageConfig(steps=1, batch=12, crop=256, lr=2e-4, decay_from=0.3, fake_quant_from=0.75),
        share=0.7, trains=("",), lesson=lambda course: course.together, extend=with_machine_profile,
    ),
    Stage(
        "3c", StageConfig(steps=1, batch=12, crop=192, lr=4e-4, ema=0.998, decay_from=0.3),
        share=0.2, trains=("for_machines.",), lesson=lambda course: course.shown, with_head=False,
        extend=with_machine_synthesis,
    ),
    Stage(
        "3d", StageConfig(steps=1, batch=16, crop=256, lr=1e-3, ema=0.998),
        share=0.3, trains=(), lesson=lambda course: course.decoded, for_decoded=True,
    ),
)  # fmt: skip


def choose(
    name: str, task: str = DetectionHead.task, with_teacher: bool = False
) -> tuple[Stage, ...]:
    """The stages that `name` means: one of them, 3 for its two parts, or all.

    Without a teacher "all" ends before stage 3.  Raises UsageFault.
    """
    if task not in COURSES:
        raise UsageFault(f"no course for task {task!r}; there are {', '.join(COURSES)}")
    chosen = tuple(
        stage for stage in STAGES
        if name == stage.name
        or (not stage.for_decoded and (name == "all" or (name == "3" and stage.lesson)))
    )  # fmt: skip
    if not chosen:
        names = ", ".join(stage.name for stage in STAGES)
        raise UsageFault(f"stage must be all, {names}, 3 or {VIDEO}; got {name!r}")
    if not with_teacher:
        if name != "all" and chosen[0].lesson:
            raise UsageFault(f"stage {name} learns from a network: name its file with --teacher")
        chosen = tuple(stage for stage in chosen if not stage.lesson)
    if task != DetectionHead.task and not any(stage.lesson for stage in chosen):
        raise UsageFault(f"--task {task} is for stage 3a and its --teacher; none of that here")
    return tuple(_of_task(stage, task) if stage.lesson else stage for stage in chosen)


def _of_task(stage: Stage, task: str) -> Stage:
    """A stage with a lesson, as the course of this task has it."""
    course = COURSES[task]
    assert stage.lesson is not None
    if stage.lesson(course) is None:
        able = [each for each, other in COURSES.items() if stage.lesson(other)]
        raise UsageFault(
            f"stage {stage.name} is for --task {' or '.join(able)} only; "
            f"for --task {task} choose --stage 3a"
        )
    if stage.trains:
        return replace(stage, task=task)
    trains = tuple(f"heads.{task}.{part}." for part in course.parts)
    config = replace(stage.config, **course.settings)
    return replace(stage, task=task, trains=trains, config=config)


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
            if name != VIDEO:
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
    teacher: nn.Module | None = None,
    prior: PriorHead | None = None,
) -> Path:
    """Run `stages` one after the other below `out`; returns the last checkpoint.

    Each stage starts from the one before it (this run's or, resuming, an earlier one's in
    `out`), the first from `start` or from the wavelet + KLT initialisation.
    """
    total = sum(stage.share for stage in stages)
    for stage in stages:
        folder = out / stage.folder
        lasting = stage.config.lasting(minutes, steps, stage.share / total)
        config = lasting.on(device, seed, changes.get(stage.name, {}))
        model = _starting_model(stage, out, start, model_config, data, seed)
        if stage.lesson and stage.with_head:
            assert teacher is not None
            _give_head(model, stage.task, teacher, prior, data, seed)
        if stage.extend:
            model = stage.extend(model)
        model.to(device)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith(stage.trains))
        if not any(parameter.requires_grad for parameter in model.parameters()):
            continue  # stage 1 of a wavelet without learned steps
        trainer = Trainer(
            model, _objective(stage, teacher), config, PictureBatches(data), folder,
            partial(report, stage.name), device, group,
        )  # fmt: skip
        trainer.start(resume)
        start = None
    return out / stages[-1].folder / CHECKPOINT


def _objective(stage: Stage, teacher: nn.Module | None) -> Objective:
    if stage.objective is not None:
        return stage.objective
    assert stage.lesson is not None
    lesson = stage.lesson(COURSES[stage.task])
    assert lesson is not None
    assert teacher is not None
    return lesson(teacher)


def _give_head(
    model: CodecModel,
    task: str,
    teacher: nn.Module,
    prior: PriorHead | None,
    data: PictureCache,
    seed: int,
) -> None:
    """A head that starts from a prior one or as its course says, unless there is one."""
    if task in model.heads:
        return
    if prior is not None:
        model.heads[task] = prior.fitted(model, picture_samples(data, seed))
        return
    torch.manual_seed(seed)
    model.heads[task] = COURSES[task].start(model, teacher)


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
            if replace(model.config, post_width=model_config.post_width) != model_config:
                raise CheckpointError(f"{path} is of another model configuration")
            if earlier == "1":
                initialise(model, picture_samples(data, seed))
            return model
    torch.manual_seed(seed)
    model = CodecModel(model_config)
    if stage.name != "1":
        initialise(model, picture_samples(data, seed))
    return model


def picture_samples(data: PictureCache, seed: int, batches: int = 20) -> Iterator[Tensor]:
    """Crops [16, 3, S, S] in [0, 1]: what statistics of latents are taken from."""
    rng = np.random.default_rng(seed)
    size = min(256, data.smallest_side // 64 * 64)
    for _ in range(batches):
        crops = data.crops(rng, 16, size)
        yield torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
