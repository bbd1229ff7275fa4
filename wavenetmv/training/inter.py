"""Stage "video": what inter frames minimise, each coded from what the codec made of the last."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wavenetmv.models import skip
from wavenetmv.models.codec_model import CodecModel, Output
from wavenetmv.models.inter import InterModel, past_of
from wavenetmv.models.motion import compensate, luma, price_of_a_bit
from wavenetmv.motion_estimation import estimate
from wavenetmv.training.distillation import (
    detector_of,
    feature_error,
    seen_again,
    task_measures,
)
from wavenetmv.training.objectives import Measures, weighted_measures
from wavenetmv.training.streams import InterSamples
from wavenetmv.training.teachers import YoloxTeacher
from wavenetmv.types import LAMBDA_MIN


def inter_rate_distortion(model: InterModel, samples: InterSamples, position: Tensor) -> Measures:
    """L = R + lambda * D of inter frames; position [B] as for the model."""
    output, x_hat = _code(model, samples, position)
    mse = (samples.frames - x_hat).square().mean((1, 2, 3))
    return weighted_measures(samples.frames, output.y_bits, output.z_bits, mse, position)


@dataclass(frozen=True)
class InterTaskRateDistortion:
    """The same, and for machines as `distillation.TaskRateDistortion` has it.

    Machines read the pixels of an inter frame, or the latents that `pictures` finds in them: the
    errors of the teacher's features there and of its head's count half each.  That codec and its
    head stay as they are.
    """

    teacher: YoloxTeacher
    pictures: CodecModel

    def __call__(self, model: InterModel, samples: InterSamples, position: Tensor) -> Measures:
        output, x_hat = _code(model, samples, position)
        x = samples.frames
        mse = (x - x_hat).square().mean((1, 2, 3))
        error = torch.zeros_like(mse)
        rows = samples.block.nonzero().flatten()
        error[rows] = self._feature_error(x[rows], x_hat[rows], position[rows])
        return task_measures(x, output, mse, error, position, samples.block)

    def _feature_error(self, x: Tensor, x_hat: Tensor, position: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.teacher.features(x)
        y_hat = seen_again(self.pictures, x_hat, position, 1)
        by_latents = feature_error(detector_of(self.pictures).features(y_hat), wanted)
        by_pixels = feature_error(self.teacher.features(x_hat.clamp(0, 1)), wanted)
        return (by_latents + by_pixels) / 2


def _code(model: InterModel, samples: InterSamples, position: Tensor) -> tuple[Output, Tensor]:
    """What the networks give, and the frames as they are shown, [B, 3, H, W].

    Each is predicted from the decoded frame before, rounded to 8 bits as a decoder keeps it.
    Gradients stay within a frame; what errors do to later frames is seen because those frames
    are coded from them.  Blocks that the encoder would skip are skipped.
    """
    x, reference = samples.frames, samples.references
    price = price_of_a_bit(LAMBDA_MIN * torch.exp2(position), samples.block)
    motion = estimate(luma(x), luma(reference), price)
    prediction = compensate(reference, motion).clamp(0, 1)
    past = past_of(samples.latents, motion, samples.after_intra)
    output = model(x, prediction, past, position, samples.block)
    # What the encoder will not show teaches nothing, and costs bits all the same.
    skips = skip.choose(x, prediction, output.x_hat, price)
    x_hat = skip.apply(skips, prediction, output.x_hat)
    samples.keep(x_hat.detach(), output.y_hat.detach())
    return output, x_hat
