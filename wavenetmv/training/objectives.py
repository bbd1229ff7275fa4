"""What each stage minimises: one function from a batch to a loss and what to log."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.entropy import Coded
from wavenetmv.types import LAMBDA_MIN

# lambda 64..2048 of the command line times this is the field's lambda on 255^2 * mse:
# 0.0016..0.0512, CompressAI's range.
DISTORTION_SCALE = 255.0**2 / 40000.0
# Rates and errors of all lambdas are brought to comparable size by sqrt(lambda), else the
# highest lambdas would own the gradient.
_REFERENCE_LAMBDA = 256.0
TINY_ERROR = 1e-5  # squared, a grey level or so: pictures of one colour have next to none


@dataclass(frozen=True)
class Measures:
    loss: Tensor
    y_bpp: float
    z_bpp: float
    psnr: float = math.nan  # where no pixels are computed
    feature_error: float = math.nan  # of heads, `training.distillation`


# From the model that trains (a CodecModel, or an InterModel), samples and position.
Objective = Callable[[Any, Any, Tensor], Measures]


def rate_distortion(model: CodecModel, x: Tensor, position: Tensor) -> Measures:
    """Stage 2b: L = R + lambda * D over the whole network. x [B, 3, H, W] in [0, 1]."""
    output = model(x, position)
    mse = (x - output.x_hat).square().mean((1, 2, 3))
    return weighted_measures(x, output.y_bits, output.z_bits, mse, position)


def latent_rate_distortion(model: CodecModel, x: Tensor, position: Tensor) -> Measures:
    """Stage 2a: the same on the latents of the linear transform, which is frozen.

    The transform is near-orthonormal, so the error of the latents is that of the pixels,
    and no synthesis has to run.  Valid only while all residual blocks are zero.
    """
    with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
        y = model.g_a.down(model.lifting(x - 0.5))
        dropped = ((x - 0.5).square().sum((1, 2, 3)) - y.square().sum((1, 2, 3))).clamp_min(0)
    coded = model.entropy(y * model.gains.encoder(position), position)
    error = (coded.y_hat * model.gains.decoder(position) - y).square().sum((1, 2, 3))
    mse = (error + dropped) / x[0].numel()
    return weighted_measures(x, coded.y_bits, coded.z_bits, mse, position)


def filtered_distortion(model: CodecModel, x: Tensor, position: Tensor) -> Measures:
    """Stage 2c: the share of the squared error that the filter on pixels leaves.

    All before it stays as it is; half of the pictures are coded for machines if it knows them.
    A share, because their errors are ten times those of pictures for people.
    """
    with torch.no_grad():
        y_hat, coded, block = coded_in_turn(model, x, position)
        decoded = model.unfiltered(y_hat).float()
        level = model.gains.level(position, block)
    assert model.post is not None
    x = x - 0.5
    mse = (x - model.post(decoded, level)).square().mean((1, 2, 3))
    before = (x - decoded).square().mean((1, 2, 3)).clamp_min(TINY_ERROR)
    return coded_measures(x, coded, (mse / before).mean(), psnr=psnr_of(mse))


def coded_in_turn(model: CodecModel, x: Tensor, position: Tensor) -> tuple[Tensor, Coded, Tensor]:
    """What a decoder hands to synthesis and heads, what it costs, and the profile's block [B] of
    each picture: the profiles that the model knows take turns."""
    block = torch.arange(len(x), device=x.device) % model.config.profiles
    return *coded_for(model, x, position, block), block


def coded_for(
    model: CodecModel, x: Tensor, position: Tensor, block: Tensor | int
) -> tuple[Tensor, Coded]:
    """What a decoder hands to synthesis and heads, and what it costs."""
    y = model.analysis(x).float() * model.gains.encoder(position, block)
    coded = model.entropy(y, position, block)
    return coded.y_hat * model.gains.decoder(position, block), coded


def weighted_measures(
    x: Tensor,
    y_bits: Tensor,
    z_bits: Tensor,
    mse: Tensor,
    position: Tensor,
    *,
    pixel_weight: float | Tensor = 1.0,
    extra: Tensor | None = None,
    feature_error: Tensor | None = None,
) -> Measures:
    """R + lambda * D from bits and errors per picture [B], lambdas brought to equal weight.

    `pixel_weight` scales D, for all pictures or each [B]; `extra` [B] is a further distortion,
    already times lambda; `feature_error` [B] is logged.
    """
    pixels = x.shape[2] * x.shape[3]
    lmbda = LAMBDA_MIN * torch.exp2(position)
    weight = (_REFERENCE_LAMBDA / lmbda).sqrt()
    rate = (y_bits + z_bits) / pixels
    distortion = lmbda * DISTORTION_SCALE * pixel_weight * mse
    if extra is not None:
        distortion = distortion + extra
    return Measures(
        (weight * (rate + distortion)).mean(),
        y_bits.detach().mean().item() / pixels,
        z_bits.detach().mean().item() / pixels,
        psnr_of(mse),
        math.nan if feature_error is None else feature_error.detach().mean().item(),
    )


def coded_measures(
    x: Tensor,
    coded: Coded,
    loss: Tensor,
    *,
    psnr: float = math.nan,
    feature_error: float = math.nan,
) -> Measures:
    """What to log where the codec is frozen, and its rate no part of the loss."""
    pixels = x.shape[2] * x.shape[3]
    y_bpp, z_bpp = (bits.mean().item() / pixels for bits in (coded.y_bits, coded.z_bits))
    return Measures(loss, y_bpp, z_bpp, psnr, feature_error)


def psnr_of(mse: Tensor) -> float:
    """Of the mean of squared errors [B], in dB; pixels span 1."""
    return -10 * math.log10(max(mse.detach().mean().item(), 1e-12))
