"""Stage "video": what inter frames minimise, each coded from what the codec made of the last."""

from __future__ import annotations

import torch
from torch import Tensor

from wavenetmv.models import skip
from wavenetmv.models.inter import InterModel, past_of
from wavenetmv.models.motion import compensate, estimate, luma, price_of_a_bit
from wavenetmv.training.objectives import Measures, weighted_measures
from wavenetmv.training.streams import InterSamples
from wavenetmv.types import LAMBDA_MIN


def inter_rate_distortion(model: InterModel, samples: InterSamples, position: Tensor) -> Measures:
    """L = R + lambda * D of inter frames; position [B] as for the model.

    Each is predicted from the decoded frame before, rounded to 8 bits as a decoder keeps it.
    Gradients stay within a frame; what errors do to later frames is seen because those frames
    are coded from them.  Blocks that the encoder would skip are skipped.
    """
    x, reference = samples.frames, samples.references
    price = price_of_a_bit(LAMBDA_MIN * torch.exp2(position))
    motion = estimate(luma(x), luma(reference), price)
    prediction = compensate(reference, motion).clamp(0, 1)
    past = past_of(samples.latents, motion, samples.after_intra)
    output = model(x, prediction, past, position)
    # What the encoder will not show teaches nothing, and costs bits all the same.
    skips = skip.choose(x, prediction, output.x_hat, price)
    x_hat = skip.apply(skips, prediction, output.x_hat)
    samples.keep(x_hat.detach(), output.y_hat.detach())
    mse = (x - x_hat).square().mean((1, 2, 3))
    return weighted_measures(x, output.y_bits, output.z_bits, mse, position)
