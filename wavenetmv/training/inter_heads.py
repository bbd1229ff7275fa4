"""Stage 3d with --inter: a head learns from what inter frames show.

sequences -> streams -> inter frames, decoded -> the codec's analysis -> head | teacher on originals

Codec and inter frames stay as they are; the head is written for the same streams.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from wavenetmv.errors import UsageFault
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.device import choose_device, choose_dtype
from wavenetmv.models.inter import InterModel
from wavenetmv.training.distillation import detector_of, feature_error, seen_again
from wavenetmv.training.distributed import join
from wavenetmv.training.export import export, load_start
from wavenetmv.training.inter import code
from wavenetmv.training.objectives import Measures, coded_measures
from wavenetmv.training.options import RunOptions
from wavenetmv.training.stages import choose, read_settings
from wavenetmv.training.streams import InterSamples, LiveStreams
from wavenetmv.training.teachers import YoloxTeacher, load_yolox
from wavenetmv.training.trainer import CHECKPOINT, Trainer
from wavenetmv.training.video import Progress, give_head, load_inter, open_source
from wavenetmv.types import Profile


@dataclass(frozen=True)
class InterFeatureMatching:
    """`distillation.FeatureMatching` on decoded inter frames of `inter`."""

    teacher: YoloxTeacher
    inter: InterModel

    def __call__(
        self, model: CodecModel, samples: InterSamples, position: torch.Tensor
    ) -> Measures:
        """position [B] as for `CodecModel`."""
        with torch.no_grad():
            wanted = self.teacher.features(samples.frames)
            output, x_hat = code(self.inter, samples, position)
            y_hat = seen_again(model, x_hat, position, samples.block)
        error = feature_error(detector_of(model).features(y_hat), wanted).mean()
        return coded_measures(samples.frames, output, error, feature_error=error.item())


def run_inter_head(
    options: RunOptions, decoded: Progress, report: Callable[[dict[str, float]], None]
) -> list[Path]:
    """Train a head for decoded pixels on inter frames of `options.inter`, and export it.

    It starts from `options.head`, codec `options.start` codes the first frames.  Returns the
    head's file, nothing in processes that do not lead.  Raises UsageFault where something of
    this is missing.
    """
    if options.start is None or options.start.suffix != ".safetensors":
        raise UsageFault("a head for inter frames is for a weights file: name it with --from")
    if options.teacher is None:
        raise UsageFault("stage 3d learns from a network: name its file with --teacher")
    device = choose_device(options.device)
    (stage,) = choose("3d", options.task, with_teacher=True)
    _, changes = read_settings(options.config, options.model)
    config = replace(
        stage.config.lasting(options.minutes, options.steps),
        seed=options.seed,
        bfloat16=choose_dtype("auto", device) is torch.bfloat16,
        **changes.get(stage.name, {}),
    )
    group = join(device)
    try:
        source = open_source(options, config.crop, group, decoded)
        model = load_start(options.start)
        give_head(options, model, source)
        inter = load_inter(options, model).eval().requires_grad_(False).to(device)
        if inter.config.profiles < 2:
            raise UsageFault(f"{options.inter} serves people only, who need no head")
        block = inter.config.block_of(Profile.MACHINE)
        inter.entropy.set_fake_quant(True)  # as files are coded
        model.to(device)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith(stage.trains))
        objective = InterFeatureMatching(load_yolox(options.teacher).to(device), inter)
        batches = LiveStreams(source, model, (block,))
        folder = options.out / stage.folder
        trainer = Trainer(model, objective, config, batches, folder, report, device, group)
        trainer.start(options.resume)
        exported = list[Path]()
        if group.leads:
            description = f"trained by wmv train on inter frames, seed {options.seed}"
            exported = export(
                folder / CHECKPOINT, options.out,
                description=description, codec=options.start, decoded=True,
            )  # fmt: skip
        group.wait_for_leader()  # who writes the weights
        return exported
    finally:
        group.leave()
