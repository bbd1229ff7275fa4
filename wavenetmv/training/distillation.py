"""Stage 3: heads learn from a teacher that sees the original pixels.

Every position of every picture teaches, so no labels are needed.  Errors of features are
counted in units of each channel's variance, so that all layers weigh alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetmv.models.codec_model import CodecModel, Output
from wavenetmv.models.entropy import Coded
from wavenetmv.models.heads import ClassificationHead, DetectionHead
from wavenetmv.training.batches import POSITION_MAX
from wavenetmv.training.objectives import (
    TINY_ERROR,
    Measures,
    coded_for,
    coded_in_turn,
    coded_measures,
    psnr_of,
    weighted_measures,
)
from wavenetmv.training.teachers import EfficientNetTeacher, YoloxTeacher
from wavenetmv.types import LAMBDA_MIN

_TINY_VARIANCE = 1e-3
# What pictures for machines are worth, in units of what pixels are to people. With the
# stretched lambda, rates of 0.03..0.6 bits per pixel.
_PIXEL_WEIGHT, _FEATURE_WEIGHT = 0.05, 3e-3
# An octave of the machine profile's lambda is more than one of what it trades rate for: else
# 64..2048 would span a factor of 8 in rate, too little at the low end.
_STRETCH = 1.45
_UNSTRETCHED = 4.0  # position, of lambda 1024
# What stage 3c makes of positions 0..5 of the gains: quality maps go 2.5 octaves below 0.
_LOWEST_POSITION, _OCTAVES = -2.0, 7.0
_SHOWN_PIXEL_WEIGHT = 0.3


def feature_error(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Mean squared error over channel variance, mean over layers: [B]; 1 is knowing nothing."""
    errors = []
    for ours, theirs in zip(found, wanted, strict=True):
        theirs = theirs.float()
        variance = theirs.var((0, 2, 3), keepdim=True) + _TINY_VARIANCE
        errors.append(((ours.float() - theirs).square() / variance).mean((1, 2, 3)))
    return torch.stack(errors).mean(0)


@dataclass(frozen=True)
class FeatureMatching:
    """Stage 3a: the codec is frozen, the detection head learns the teacher's features.

    decoded  stage 3d: from latents of decoded pixels, `seen_again`
    """

    teacher: YoloxTeacher
    decoded: bool = False

    def __call__(self, model: CodecModel, x: Tensor, position: Tensor) -> Measures:
        """x [B, 3, H, W] in [0, 1], sides multiples of 64; position as for `CodecModel`."""
        with torch.no_grad():
            wanted = self.teacher.features(x)
            y_hat, coded, block = coded_in_turn(model, x, position)
            if self.decoded:
                shown = model.synthesis(y_hat, model.gains.level(position, block), block)
                y_hat = seen_again(model, shown, position, block)
        error = feature_error(detector_of(model).features(y_hat), wanted).mean()
        return coded_measures(x, coded, error, feature_error=error.item())


@dataclass(frozen=True)
class LogitMatching:
    """Stage 3a of classification: features as in `FeatureMatching`, and the teacher's answer.

    The answer's error is the Kullback-Leibler divergence of both softmaxes at `temperature`,
    times its square so that gradients keep their size (Hinton et al., 2015).
    """

    teacher: EfficientNetTeacher
    temperature: float = 2.0
    # Heavier answers drown the features, which teach far more: after 600 steps the best class
    # was the teacher's for 34 of 100 pictures with 0.02, 27 with 0.1, 4 with 1.
    logit_weight: float = 0.02

    def __call__(self, model: CodecModel, x: Tensor, position: Tensor) -> Measures:
        """x and position as for `FeatureMatching`."""
        with torch.no_grad():
            wanted = self.teacher.features(x)
            answer = self.teacher.tail.predict(wanted)
            y_hat, coded, _ = coded_in_turn(model, x, position)
        head = cast(ClassificationHead, model.heads[ClassificationHead.task])
        found = head.features(y_hat, (x.shape[2], x.shape[3]))
        error = feature_error(found, wanted).mean()
        divergence = answer_error(head.tail.predict(found), answer, self.temperature)
        loss = error + self.logit_weight * divergence
        return coded_measures(x, coded, loss, feature_error=error.item())


def seen_again(
    pictures: CodecModel, x_hat: Tensor, position: Tensor, block: Tensor | int
) -> Tensor:
    """Of decoded pixels [B, 3, H, W], the latents that `pictures` finds in them: what a head reads
    of frames whose own latents say something else.  position, block as for `CodecModel`."""
    y = pictures.analysis(x_hat.float().clamp(0, 1)).float()
    return y * pictures.gains.encoder(position, block) * pictures.gains.decoder(position, block)


def answer_error(found: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """temperature^2 * KL(wanted || found) of logits [B, classes], in nats, mean over B."""
    ours, theirs = (F.log_softmax(x.float() / temperature, 1) for x in (found, wanted))
    divergence = F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
    return temperature**2 * divergence


@dataclass(frozen=True)
class TaskRateDistortion:
    """Stage 3b: L = R + lambda * (pixel_weight * D + feature_weight * feature error).

    Half of each batch is coded for people, who see pixels (weight 1, no features), the other
    half for machines, with these weights.  The head learns from both halves, the codec does
    not learn from what the head makes of pictures for people.  Lambda is that of the stream
    for people, `stretched` for machines.  Pixels are those that people would see: a synthesis
    for machines has a stage of its own.
    """

    teacher: YoloxTeacher

    def __call__(self, model: CodecModel, x: Tensor, position: Tensor) -> Measures:
        """x and position as for `FeatureMatching`."""
        with torch.no_grad():
            wanted = self.teacher.features(x)
        y_hat, coded, block = coded_in_turn(model, x, position)
        x_hat = model.synthesis(y_hat, model.gains.level(position, block)).float()
        mse = (x - x_hat).square().mean((1, 2, 3))
        seen = torch.where(block.bool()[:, None, None, None], y_hat, y_hat.detach())
        error = feature_error(detector_of(model).features(seen), wanted)
        return task_measures(x, coded, mse, error, position, block)


@dataclass(frozen=True)
class ShownFeatures:
    """Stage 3c: in decoded pixels the teacher should see what it sees in the original.

    Only the synthesis for machines learns.  The loss is the logarithm of the features' error, so
    that bad streams weigh like good ones, and some of that of the pixels' error, so that what is
    drawn stays a picture, which other networks know as well.
    """

    teacher: YoloxTeacher

    def __call__(self, model: CodecModel, x: Tensor, position: Tensor) -> Measures:
        """x and position as for `FeatureMatching`."""
        position = _LOWEST_POSITION + _OCTAVES / POSITION_MAX * position
        with torch.no_grad():
            wanted = self.teacher.features(x)
            y_hat, coded = coded_for(model, x, position, 1)
        x_hat = model.synthesis(y_hat, model.gains.level(position, 1), 1).float()
        error = feature_error(self.teacher.features(x_hat.clamp(0, 1)), wanted)
        mse = (x - x_hat).square().mean((1, 2, 3))
        loss = error.log() + _SHOWN_PIXEL_WEIGHT * (mse + TINY_ERROR).log()
        return coded_measures(
            x, coded, loss.mean(), psnr=psnr_of(mse), feature_error=error.mean().item()
        )


def task_measures(
    x: Tensor, coded: Coded | Output, mse: Tensor, error: Tensor, position: Tensor, block: Tensor
) -> Measures:
    """What `TaskRateDistortion` says, from errors of pixels and features and the block, each [B].

    Logs the mean of the errors of features that are known: 0 where none was computed.
    """
    for_machines = block.float()
    traded = torch.lerp(position, stretched(position), for_machines)
    return weighted_measures(
        x, coded.y_bits, coded.z_bits, mse, traded,
        pixel_weight=1 + for_machines * (_PIXEL_WEIGHT - 1),
        extra=_FEATURE_WEIGHT * LAMBDA_MIN * torch.exp2(traded) * error,
        feature_error=error[error > 0],
    )  # fmt: skip


def stretched(position: Tensor) -> Tensor:
    """The position of the lambda that the machine profile trades rate for, at its own."""
    return _UNSTRETCHED + _STRETCH * (position - _UNSTRETCHED)


def detector_of(model: CodecModel) -> DetectionHead:
    return cast(DetectionHead, model.heads[DetectionHead.task])
