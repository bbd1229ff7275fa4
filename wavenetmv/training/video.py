"""Stage "video": inter frames learn around a picture codec that stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from wavenetmv.errors import CheckpointError, UsageFault
from wavenetmv.models.checkpoints import save_weights
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.device import choose_device
from wavenetmv.models.heads import DetectionHead
from wavenetmv.models.inter import InterModel
from wavenetmv.models.registry import inter_name
from wavenetmv.training.cache import open_cache
from wavenetmv.training.clips import SequenceSource, open_clips
from wavenetmv.training.distributed import Group, join
from wavenetmv.training.export import (
    inter_model_from_weights,
    load_inter_checkpoint,
    load_start,
)
from wavenetmv.training.inter import InterTaskRateDistortion, inter_rate_distortion
from wavenetmv.training.inter_tables import make_inter_tables
from wavenetmv.training.objectives import Objective
from wavenetmv.training.options import RunOptions
from wavenetmv.training.prior_heads import load_prior_head
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.training.stage_config import StageConfig
from wavenetmv.training.stages import VIDEO, picture_samples, read_settings
from wavenetmv.training.streams import LiveStreams
from wavenetmv.training.teachers import load_yolox
from wavenetmv.training.trainer import CHECKPOINT, Trainer
from wavenetmv.types import Profile

CONFIG = StageConfig(
    steps=1, batch=12, crop=192, lr=4e-4, ema=0.998, decay_from=0.3, fake_quant_from=0.75
)

Progress = Callable[[int, int], None]


def run_video(
    options: RunOptions, decoded: Progress, report: Callable[[dict[str, float]], None]
) -> list[Path]:
    """Train inter frames on the clips and pictures below `options.data` and export them.

    `options.start` is the picture codec that codes the first frames.  With a teacher they learn
    to serve machines too: that codec needs a machine profile then, and a head, its own or
    `options.head`.  Returns the weights file, nothing in processes that do not lead.  Raises
    UsageFault where something of this is missing.
    """
    if options.start is None:
        raise UsageFault("stage video needs a trained picture codec: name its file with --from")
    device = choose_device(options.device)
    pictures = load_start(options.start).requires_grad_(False)
    _, changes = read_settings(options.config, options.model)
    lasting = CONFIG.lasting(options.minutes, options.steps)
    config = lasting.on(device, options.seed, changes.get(VIDEO, {}))
    group = join(device)
    try:
        source = _open_source(options, config.crop, group, decoded)
        model = _starting_model(options, pictures)
        objective: Objective = inter_rate_distortion
        if options.teacher is not None:
            model = with_machine_profile(model)
            _give_head(options, pictures, source)
            objective = InterTaskRateDistortion(load_yolox(options.teacher).to(device), pictures)
        elif model.config.profiles == 2:
            raise UsageFault(f"{options.inter} serves machines too: name a network with --teacher")
        model.to(device)
        pictures.to(device)
        # The first frames come from a wavelet that stays as it is, and so does this one.
        model.lifting.requires_grad_(False)
        blocks = _blocks(model, options.profile)
        batches = LiveStreams(source, pictures, blocks)
        folder = options.out / VIDEO
        trainer = Trainer(model, objective, config, batches, folder, report, device, group)
        trainer.start(options.resume)
        exported = list[Path]()
        if group.leads:
            exported = _export(options, folder / CHECKPOINT, pictures, source, blocks)
        group.wait_for_leader()  # who writes the weights
        return exported
    finally:
        group.leave()


def _open_source(options: RunOptions, crop: int, group: Group, decoded: Progress) -> SequenceSource:
    cache = options.cache or options.out / "cache"

    def build(progress: Progress | None) -> SequenceSource:
        stills = open_cache(options.data, cache, crop, progress)
        clips, skipped = open_clips(options.data, cache, progress)
        return SequenceSource(clips, stills, skipped=skipped)

    source = build(decoded) if group.leads else None
    group.wait_for_leader()  # who makes the cache
    return source or build(None)


def _starting_model(options: RunOptions, pictures: CodecModel) -> InterModel:
    if options.inter is None:
        return InterModel.from_pictures(pictures)
    is_weights = options.inter.suffix == ".safetensors"
    load = inter_model_from_weights if is_weights else load_inter_checkpoint
    model = load(options.inter)
    if model.config.M != pictures.config.M:
        raise CheckpointError(
            f"{options.inter}: {model.config.M} latent channels, "
            f"the picture codec has {pictures.config.M}"
        )
    return model


def _give_head(options: RunOptions, pictures: CodecModel, source: SequenceSource) -> None:
    """What sees for the machine profile, as it is."""
    if pictures.config.profiles < 2:
        raise UsageFault(f"{options.start}: no machine profile, for which --teacher would be")
    if DetectionHead.task in pictures.heads:
        return
    if options.head is None:
        raise UsageFault("stage video with --teacher needs the head: name its file with --head")
    prior = load_prior_head(options.head, DetectionHead.task)
    head = prior.fitted(pictures, picture_samples(source.stills, options.seed))
    pictures.heads[DetectionHead.task] = head.eval().requires_grad_(False)


def _blocks(model: InterModel, profile: Profile | None) -> Sequence[int]:
    if profile is None:
        return range(model.config.profiles)
    if model.config.profiles == 2:
        return (model.config.block_of(profile),)
    # What learns without a teacher is for people.
    if profile is Profile.MACHINE:
        raise UsageFault("inter frames for machines learn from a network: name it with --teacher")
    return (0,)


def _export(
    options: RunOptions,
    checkpoint: Path,
    pictures: CodecModel,
    source: SequenceSource,
    blocks: Sequence[int],
) -> list[Path]:
    model = load_inter_checkpoint(checkpoint)
    tables = make_inter_tables(model, pictures.cpu(), source, blocks)
    description = f"inter frames trained by wmv train, seed {options.seed}"
    name = options.name or inter_name(options.profile)
    return [save_weights(model, tables, options.out, name=name, description=description)]
