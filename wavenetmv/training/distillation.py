"""Stage 3: heads learn from a teacher that sees the original pixels.

Every position of every picture teaches, so no labels are needed.  Errors of features are
counted in units of each channel's variance, so that all layers weigh alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.heads import DetectionHead
from wavenetmv.models.yolox import Features
from wavenetmv.training.objectives import Measures, weighted_measures
from wavenetmv.training.teachers import YoloxTeacher
from wavenetmv.types import LAMBDA_MIN

_TINY_VARIANCE = 1e-3


def feature_error(found: Features, wanted: Features) -> Tensor:
    """Mean squared error over channel variance, mean over layers: [B]; 1 is knowing nothing."""
    errors = []
    for ours, theirs in zip(found, wanted, strict=True):
        theirs = theirs.float()
        variance = theirs.var((0, 2, 3), keepdim=True) + _TINY_VARIANCE
        errors.append(((ours.float() - theirs).square() / variance).mean((1, 2, 3)))
    return torch.stack(errors).mean(0)


@dataclass(frozen=True)
class FeatureMatching:
    """Stage 3a: the codec is frozen, the detection head learns the teacher's features."""

    teacher: YoloxTeacher

    def __call__(self, model: CodecModel, x: Tensor, position: Tensor) -> Measures:
        """x [B, 3, H, W] in [0, 1], sides multiples of 64; position as for `CodecModel`."""
        with torch.no_grad():
            wanted = self.teacher.features(x)
            y = model.analysis(x).float() * model.gains.encoder(position)
            coded = model.entropy(y, position)
            y_hat = coded.y_hat * model.gains.decoder(position)
        error = feature_error(_head(model).features(y_hat), wanted).mean()
        pixels = x.shape[2] * x.shape[3]
        return Measures(
            error,
            coded.y_bits.mean().item() / pixels,
            coded.z_bits.mean().item() / pixels,
            feature_error=error.item(),
        )


@dataclass(frozen=True)
class TaskRateDistortion:
    """Stage 3b: L = R + lambda * (pixel_weight * D + feature_weight * feature error).

    Half of each batch is coded for people, who see pixels (weight 1, no features), the other
    half for machines, with these weights.
    """

    teacher: YoloxTeacher
    pixel_weight: float = 0.05
    feature_weight: float = 1e-3

    def __call__(self, model: CodecModel, x: Tensor, position: Tensor) -> Measures:
        """x and position as for `FeatureMatching`."""
        with torch.no_grad():
            wanted = self.teacher.features(x)
        block = torch.arange(len(x), device=x.device) % 2  # 1 is the machine profile's
        y = model.analysis(x).float() * model.gains.encoder(position, block)
        coded = model.entropy(y, position, block)
        y_hat = coded.y_hat * model.gains.decoder(position, block)
        mse = (x - model.synthesis(y_hat).float()).square().mean((1, 2, 3))
        error = feature_error(_head(model).features(y_hat), wanted)
        for_machines = block.float()
        weight = self.feature_weight * for_machines
        return weighted_measures(
            x, coded.y_bits, coded.z_bits, mse, position,
            pixel_weight=1 + for_machines * (self.pixel_weight - 1),
            extra=weight * LAMBDA_MIN * torch.exp2(position) * error,
            feature_error=error,
        )  # fmt: skip


def _head(model: CodecModel) -> DetectionHead:
    return cast(DetectionHead, model.heads[DetectionHead.task])
