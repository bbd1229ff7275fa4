"""Stage "video": what inter frames minimise, over sequences that the codec itself codes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.inter import InterModel, past_of
from wavenetmv.models.motion import compensate, estimate, luma, price_of_a_bit
from wavenetmv.training.objectives import Measures, weighted_measures
from wavenetmv.types import LAMBDA_MIN


@dataclass(frozen=True)
class InterRateDistortion:
    """L = R + lambda * D of every frame but the first, which the frozen picture model codes.

    Each frame is predicted from the decoded frame before, rounded to 8 bits as a decoder
    keeps it.  Gradients stay within a frame; what errors do to later frames is seen because
    those frames are coded from them.
    """

    pictures: CodecModel

    def __call__(self, model: InterModel, x: Tensor, position: Tensor) -> Measures:
        """x [B, T, 3, H, W] in [0, 1], T >= 2, sides multiples of 64; position as for the model."""
        with torch.no_grad():
            first = self.pictures(x[:, 0], position)
        reference, latents = as_decoded(first.x_hat), first.y_hat
        price = price_of_a_bit(LAMBDA_MIN * torch.exp2(position))
        outputs = []
        for number in range(1, x.shape[1]):
            frame = x[:, number]
            motion = estimate(luma(frame), luma(reference), price)
            prediction = compensate(reference, motion).clamp(0, 1)
            past = past_of(latents, motion, after_intra=number == 1)
            output = model(frame, prediction, past, position)
            outputs.append((frame, output))
            reference, latents = as_decoded(output.x_hat.detach()), output.y_hat.detach()
        frames = torch.cat([frame for frame, _ in outputs])
        mse = (frames - torch.cat([out.x_hat for _, out in outputs])).square().mean((1, 2, 3))
        y_bits = torch.cat([out.y_bits for _, out in outputs])
        z_bits = torch.cat([out.z_bits for _, out in outputs])
        return weighted_measures(frames, y_bits, z_bits, mse, position.repeat(len(outputs)))


def as_decoded(x_hat: Tensor) -> Tensor:
    """x_hat in about [0, 1] as the 8-bit picture a decoder keeps, in [0, 1] again."""
    return x_hat.clamp(0, 1).mul(255).round().div(255)
