"""One call of `wmv train`: data, stages, export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from wavenetmv.errors import UsageFault
from wavenetmv.models.device import choose_device
from wavenetmv.training.cache import PictureCache, open_cache
from wavenetmv.training.courses import COURSES
from wavenetmv.training.distributed import Group, join
from wavenetmv.training.export import export, load_start
from wavenetmv.training.options import RunOptions
from wavenetmv.training.prior_heads import load_prior_head
from wavenetmv.training.stages import (
    VIDEO,
    Report,
    Stage,
    choose,
    read_settings,
    run_stages,
)
from wavenetmv.training.video import run_video


def run(options: RunOptions, decoded: Callable[[int, int], None], report: Report) -> list[Path]:
    """Train and export; returns the weights files, none in processes that do not lead.

    Stage 1 alone exports nothing but its checkpoint: none as well.
    """
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.stage == VIDEO:
        return run_video(options, decoded, partial(report, VIDEO))
    for given, name in ((options.inter, "--inter"), (options.profile, "--for")):
        if given is not None:
            raise UsageFault(f"{name} is for --stage video")
    device = choose_device(options.device)
    stages = choose(options.stage, options.task, with_teacher=options.teacher is not None)
    teacher = COURSES[options.task].load(options.teacher).to(device) if options.teacher else None
    model_config, changes = read_settings(options.config, options.model)
    start = load_start(options.start) if options.start else None
    prior = load_prior_head(options.head, options.task) if options.head else None
    crop = max(changes.get(stage.name, {}).get("crop", stage.config.crop) for stage in stages)
    group = join(device)
    try:
        cache = options.cache or options.out / "cache"
        data = open_cache(options.data, cache, crop, decoded) if group.leads else None
        group.wait_for_leader()  # who makes the cache
        data = data or open_cache(options.data, cache, crop)
        checkpoint = run_stages(
            stages, data, options.out,
            minutes=options.minutes, steps=options.steps,
            model_config=start.config if start else model_config, changes=changes,
            seed=options.seed, resume=options.resume, start=start,
            device=device, group=group, report=report, teacher=teacher, prior=prior,
        )  # fmt: skip
        exported = _export(options, checkpoint, stages, group, data)
        group.wait_for_leader()  # who writes the weights
        return exported
    finally:
        group.leave()


def _export(
    options: RunOptions,
    checkpoint: Path,
    stages: Sequence[Stage],
    group: Group,
    data: PictureCache,
) -> list[Path]:
    if not group.leads or stages[-1].name == "1":
        return []
    description = f"trained by wmv train, stages to {stages[-1].name}, seed {options.seed}"
    start = options.start
    if start is not None and start.suffix != ".safetensors":
        start = None
    learned = tuple(part for stage in stages for part in stage.trains)
    heads_only = all(part.startswith("heads.") for part in learned)
    return export(
        checkpoint, options.out, name=options.name or options.model, description=description,
        codec=start if heads_only else None, data=data,
        same_latents_as=start if set(learned) <= {"post.", "for_machines."} else None,
        decoded=stages[-1].for_decoded,
    )  # fmt: skip
