"""Stage 1: predict and update networks learned for energy compaction.

Fewest bits at equal error: packet coefficients get uniform noise of one quantiser step,
their rate is that of a Laplacian per channel whose scale is the batch's mean magnitude,
and the error is measured on the pixels after the inverse, so that a transform that
amplifies noise does not pay.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wavenetmv.models.codec_model import CodecModel
from wavenetmv.training.objectives import Measures, weighted_measures

# The step at lambda 512, in packet coefficients, that `models.gains` starts from.
_STEP_AT_512 = 0.1


def energy_compaction(model: CodecModel, x: Tensor, position: Tensor) -> Measures:
    """x [B, 3, H, W] in [0, 1]; position [B] = log2(lambda / 64) sets each picture's step."""
    lmbda_over_512 = torch.exp2(position - 3)
    step = (_STEP_AT_512 * lmbda_over_512.rsqrt())[:, None, None, None]
    packet = model.lifting(x - 0.5).float()
    noise = (torch.rand_like(packet) - 0.5) * step
    x_hat = model.lifting.inverse(packet + noise).float() + 0.5
    bits = laplacian_bits(packet / step).sum((1, 2, 3))
    mse = (x - x_hat).square().mean((1, 2, 3))
    return weighted_measures(x, bits, torch.zeros_like(bits), mse, position)


def laplacian_bits(values: Tensor) -> Tensor:
    """Estimated bits of each value after rounding: a Laplacian per channel, fitted to them.

    values [B, C, H, W] in quantiser steps; the scale is the mean magnitude over B, H, W.
    """
    scale = values.abs().mean((0, 2, 3), keepdim=True) + 0.05
    magnitude = values.abs()
    inner = 1 - torch.exp(-0.5 / scale)
    # Mass of [v - 1/2, v + 1/2] for |v| > 1/2 is exp(-|v| / b) sinh(1 / 2b).
    log_outer = -magnitude / scale + torch.log(torch.sinh((0.5 / scale).clamp(max=20)))
    log_mass = torch.where(magnitude < 0.5, torch.log(inner), log_outer)
    return -log_mass / math.log(2)
