"""Stage 3: heads learn from a teacher that sees the original pixels.

Every position of every picture teaches, so no labels are needed.  Errors of features are
counted in units of each channel's variance, so that all layers weigh alike.  Errors of a
detector's predictions count where it sees objects: features alone spend most on background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.entropy import Coded
from wavenetmv.models.heads import ClassificationHead, DetectionHead
from wavenetmv.training.objectives import Measures, weighted_measures
from wavenetmv.training.teachers import EfficientNetTeacher, YoloxTeacher
from wavenetmv.types import LAMBDA_MIN

_TINY_VARIANCE = 1e-3


def feature_error(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Mean squared error over channel variance, mean over layers: [B]; 1 is knowing nothing."""
    errors = []
    for ours, theirs in zip(found, wanted, strict=True):
        theirs = theirs.float()
        variance = theirs.var((0, 2, 3), keepdim=True) + _TINY_VARIANCE
        errors.append(((ours.float() - theirs).square() / variance).mean((1, 2, 3)))
    return torch.stack(errors).mean(0)


def prediction_error(found: Tensor, wanted: Tensor) -> Tensor:
    """How far predictions [B, A, 85] of `YoloxTail.predict` are from a teacher's: [B], 0 if equal.

    Everywhere the divergence of objectness; boxes and classes as much as the teacher is sure
    of an object.  In units of the batch's mean sureness, so that a picture with more objects
    weighs more.
    """
    found, wanted = found.float(), wanted.float()
    objectness, classes = wanted[..., 4].sigmoid(), wanted[..., 5:].sigmoid()
    sure = objectness * classes.amax(2)
    boxes = F.smooth_l1_loss(found[..., :4], wanted[..., :4], reduction="none").sum(2)
    names = _divergence(found[..., 5:], wanted[..., 5:]).sum(2)
    errors = _divergence(found[..., 4], wanted[..., 4]) + sure * (boxes + names)
    return errors.sum(1) / (sure.sum(1).mean() + 1)


def _divergence(found: Tensor, wanted: Tensor) -> Tensor:
    """Kullback-Leibler divergence of yes-or-no answers, given as logits, in nats."""
    yes = wanted.sigmoid()
    return yes * (F.logsigmoid(wanted) - F.logsigmoid(found)) + (1 - yes) * (
        F.logsigmoid(-wanted) - F.logsigmoid(-found)
    )


@dataclass(frozen=True)
class DetectionMatching:
    """Stage 3a: the codec is frozen, the head learns the teacher's features and predictions."""

    teacher: YoloxTeacher
    prediction_weight: float = 0.1

    def __call__(self, model: CodecModel, x: Tensor, position: Tensor) -> Measures:
        """x [B, 3, H, W] in [0, 1], sides multiples of 64; position as for `CodecModel`."""
        with torch.no_grad():
            wanted = self.teacher.features(x)
            answer = self.teacher.tail.predict(wanted)
            y_hat, coded, _ = _code(model, x, position)
        head = _detector(model)
        found = head.features(y_hat)
        error = feature_error(found, wanted).mean()
        missed = prediction_error(head.tail.predict(found), answer).mean()
        return _measures(x, coded, error + self.prediction_weight * missed, error)


@dataclass(frozen=True)
class LogitMatching:
    """Stage 3a of classification: features as in `DetectionMatching`, and the teacher's answer.

    The answer's error is the Kullback-Leibler divergence of both softmaxes at `temperature`,
    times its square so that gradients keep their size (Hinton et al., 2015).
    """

    teacher: EfficientNetTeacher
    temperature: float = 2.0
    # Heavier answers drown the features, which teach far more: after 600 steps the best class
    # was the teacher's for 34 of 100 pictures with 0.02, 27 with 0.1, 4 with 1.
    logit_weight: float = 0.02

    def __call__(self, model: CodecModel, x: Tensor, position: Tensor) -> Measures:
        """x and position as for `DetectionMatching`."""
        with torch.no_grad():
            wanted = self.teacher.features(x)
            answer = self.teacher.tail.predict(wanted)
            y_hat, coded, _ = _code(model, x, position)
        head = cast(ClassificationHead, model.heads[ClassificationHead.task])
        found = head.features(y_hat, (x.shape[2], x.shape[3]))
        error = feature_error(found, wanted).mean()
        divergence = answer_error(head.tail.predict(found), answer, self.temperature)
        return _measures(x, coded, error + self.logit_weight * divergence, error)


def answer_error(found: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """temperature^2 * KL(wanted || found) of logits [B, classes], in nats, mean over B."""
    ours, theirs = (F.log_softmax(x.float() / temperature, 1) for x in (found, wanted))
    divergence = F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
    return temperature**2 * divergence


@dataclass(frozen=True)
class TaskRateDistortion:
    """Stage 3b: L = R + lambda * (pixel_weight * D + task_weight * task error).

    Half of each batch is coded for people, who see pixels (weight 1, no task), the other half
    for machines, with these weights.  The task's error is as in `DetectionMatching`.
    """

    teacher: YoloxTeacher
    pixel_weight: float = 0.05
    task_weight: float = 1e-3
    prediction_weight: float = 0.1

    def __call__(self, model: CodecModel, x: Tensor, position: Tensor) -> Measures:
        """x and position as for `DetectionMatching`."""
        with torch.no_grad():
            wanted = self.teacher.features(x)
            answer = self.teacher.tail.predict(wanted)
        y_hat, coded, block = _code(model, x, position)
        mse = (x - model.synthesis(y_hat).float()).square().mean((1, 2, 3))
        head = _detector(model)
        found = head.features(y_hat)
        error = feature_error(found, wanted)
        missed = prediction_error(head.tail.predict(found), answer)
        for_machines = block.float()
        weight = self.task_weight * for_machines
        return weighted_measures(
            x, coded.y_bits, coded.z_bits, mse, position,
            pixel_weight=1 + for_machines * (self.pixel_weight - 1),
            extra=weight * LAMBDA_MIN * torch.exp2(position)
            * (error + self.prediction_weight * missed),
            feature_error=error,
        )  # fmt: skip


def _detector(model: CodecModel) -> DetectionHead:
    return cast(DetectionHead, model.heads[DetectionHead.task])


def _code(model: CodecModel, x: Tensor, position: Tensor) -> tuple[Tensor, Coded, Tensor]:
    """What a decoder hands to a head, what it costs, and the profile's block [B] of each picture.

    The profiles that the model knows take turns: a head reads the streams of all.
    """
    block = torch.arange(len(x), device=x.device) % model.config.profiles
    y = model.analysis(x).float() * model.gains.encoder(position, block)
    coded = model.entropy(y, position, block)
    return coded.y_hat * model.gains.decoder(position, block), coded, block


def _measures(x: Tensor, coded: Coded, loss: Tensor, error: Tensor) -> Measures:
    pixels = x.shape[2] * x.shape[3]
    return Measures(
        loss,
        coded.y_bits.mean().item() / pixels,
        coded.z_bits.mean().item() / pixels,
        feature_error=error.item(),
    )
