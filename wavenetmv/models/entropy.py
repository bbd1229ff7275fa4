"""Entropy model: hyperprior and four-step context, as it is trained.

    y [B, M, h, w] --h_a--> z --round--> z_hat --h_s--> features f
    step 0:      parameters = heads(f)
    step t > 0:  parameters = heads(f) + context_t(f, y_hat so far)

The parameters of a latent are its mean, in units of the quantiser step, and its scale
index: scale = 0.11 * exp(index * ln(64 / 0.11) / 63), 64 values (Balle et al., ICLR 2018;
Minnen et al., NeurIPS 2018; He et al., ELIC, CVPR 2022 for the staged context).

The shipped form of the networks that select probabilities is `models.exact`: the same
topology, `HyperSynthesis` and `Context` below, with exact integer convolutions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetmv.models.config import ModelConfig
from wavenetmv.models.dead_zone import dead_zone_of
from wavenetmv.models.gains import interpolate
from wavenetmv.models.partition import GROUPS, STEPS, assemble, at_phase, gather, phase_of
from wavenetmv.models.quantised import FakeQuantConv2d, round_ste

SCALE_MIN, SCALE_MAX, SCALE_LEVELS = 0.11, 64.0, 64
SCALE_LOG_STEP = math.log(SCALE_MAX / SCALE_MIN) / (SCALE_LEVELS - 1)

# Networks give indexes in units of 2^3, a scale factor of 2.2: a unit that learns at the
# same speed as the means do.
INDEX_UNIT_BITS = 3
MEAN_BITS = 4  # means and y_hat travel in steps of 1/16
CONTEXT_BITS = 2  # the context networks see y_hat in steps of 1/4 ...
CONTEXT_MAX = 511  # ... clamped to this many steps
Z_MAX = 255  # z_hat is clamped to -255..255
TEMPORAL_WIDTH = 64  # channels that tell of the frame before


def scale_of(index: Tensor) -> Tensor:
    """Scale (standard deviation in quantiser steps) of a real-valued index."""
    return SCALE_MIN * torch.exp(index * SCALE_LOG_STEP)


def index_of(scale: Tensor) -> Tensor:
    """Real-valued index of a scale."""
    return torch.log(scale / SCALE_MIN) / SCALE_LOG_STEP


class HyperAnalysis(nn.Sequential):
    """h_a: y [B, M, h, w] -> z [B, N, h/4, w/4]. Encoder only, so plain floating point."""

    def __init__(self, config: ModelConfig) -> None:
        N = config.N
        layers = (
            nn.Conv2d(config.M, N, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(N, N, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(N, N, 4, stride=2, padding=1),
        )
        super().__init__(*layers)

    @property
    def first(self) -> nn.Conv2d:
        return cast(nn.Conv2d, self[0])

    @property
    def last(self) -> nn.Conv2d:
        return cast(nn.Conv2d, self[-1])


class HyperSynthesis(nn.Module):
    """h_s: z_hat [B, N, h/4, w/4] -> features [B, C, h, w], and from these parameters."""

    def __init__(self, config: ModelConfig, *, temporal: bool = False) -> None:
        super().__init__()
        N, C, M = config.N, config.context_width, config.M
        self.temporal = TemporalContext(M) if temporal else None
        seen = N + (TEMPORAL_WIDTH if temporal else 0)
        self.up = nn.ModuleList(
            [
                FakeQuantConv2d(N, 4 * N, 1, input_bits=0, input_max=Z_MAX, hidden=True),
                FakeQuantConv2d(N, 4 * N, 1, hidden=True),
            ]
        )
        self.features = FakeQuantConv2d(seen, C, 3, hidden=True)
        self.heads = nn.ModuleList(
            FakeQuantConv2d(C, 2 * M // GROUPS, 1, hidden=False) for _ in range(GROUPS)
        )

    def forward(self, z_hat: Tensor, past: Tensor | None = None) -> Tensor:
        """`past` [B, M + 2, h, w] from `temporal_input`, if this is the model of inter frames."""
        x = z_hat
        for layer in self.up:
            x = F.pixel_shuffle(layer(x), 2)
        if self.temporal is not None:
            x = torch.cat([x, self.temporal(past)], 1)
        features: Tensor = self.features(x)
        return features

    def parameters_of(self, step: int, features: Tensor) -> list[Tensor]:
        """Per group [B, M/2, h/2, w/2], M/4 means and M/4 scale indexes, of this step."""
        return _at_own_phase(self.heads, step, features)


class TemporalContext(FakeQuantConv2d):
    """What the frame before says about this one, before anything of this one is decoded.

    Its inputs, by channel: M latents of the frame before in the steps of `Context`, how
    rough the motion is there (quarters of a pixel, seen in steps of 1/32), and whether that
    frame was an intra frame (0 or 255, seen in steps of 1/256).
    """

    def __init__(self, M: int) -> None:
        bits = (*[CONTEXT_BITS] * M, 5, 8)
        largest = (*[CONTEXT_MAX] * M, 255, 255)
        super().__init__(
            M + 2, TEMPORAL_WIDTH, 1, input_bits=bits, input_max=largest, hidden=True
        )  # fmt: skip


class Context(nn.Module):
    """What the latents of earlier steps say about those of this step."""

    def __init__(self, config: ModelConfig, step: int) -> None:
        super().__init__()
        C, M = config.context_width, config.M
        self.step = step
        bits = (*[5] * C, *[CONTEXT_BITS] * M)
        largest = (*[255] * C, *[CONTEXT_MAX] * M)
        self.join = FakeQuantConv2d(C + M, C, 1, input_bits=bits, input_max=largest, hidden=True)
        self.spread = FakeQuantConv2d(C, C, 3, hidden=True)
        self.heads = nn.ModuleList(
            FakeQuantConv2d(C, 2 * M // GROUPS, 1, hidden=False) for _ in range(GROUPS)
        )

    def forward(self, features: Tensor, y_context: Tensor) -> Tensor:
        """features [B, C, h, w], y_context [B, M, h, w] -> [B, C, h, w]; sees one row around."""
        hidden: Tensor = self.spread(self.join(torch.cat([features, y_context], 1)))
        return hidden

    def parameters_of(self, hidden: Tensor) -> list[Tensor]:
        """What to add to the parameters of `HyperSynthesis`, same shapes."""
        return _at_own_phase(self.heads, self.step, hidden)


def _at_own_phase(heads: nn.ModuleList, step: int, x: Tensor) -> list[Tensor]:
    """Each group's head, only at the positions that the group has in this step."""
    return [head(at_phase(x, phase_of(step, group))) for group, head in enumerate(heads)]


def means_and_indexes(groups: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Parameters per group -> means and scale indexes, [B, M, h/2, w/2] each.

    Indexes are in units of 2^INDEX_UNIT_BITS; nothing is rounded yet.
    """
    pairs = [group.chunk(2, 1) for group in groups]
    return torch.cat([mean for mean, _ in pairs], 1), torch.cat([index for _, index in pairs], 1)


@dataclass(frozen=True)
class Coded:
    """What training needs of a coded batch."""

    y_hat: Tensor  # [B, M, h, w]
    y_bits: Tensor  # [B], estimated
    z_bits: Tensor  # [B], estimated


class EntropyModel(nn.Module):
    """Trainable entropy model of y; `fake_quant` rounds everything as the exact form and the
    encoder do.

    `temporal`: it is that of inter frames and sees the frame before.
    """

    def __init__(self, config: ModelConfig, anchors: int, *, temporal: bool = False) -> None:
        super().__init__()
        self.h_a = HyperAnalysis(config)
        self.h_s = HyperSynthesis(config, temporal=temporal)
        self.contexts = nn.ModuleList(Context(config, step) for step in range(1, STEPS))
        # Narrow at the start: a wide prior of z costs bits for a long time.
        narrow = index_of(torch.tensor(0.4)) / 2**INDEX_UNIT_BITS
        self.z_index = nn.Parameter(narrow.repeat(config.profiles * anchors, config.N))
        scales = scale_of(torch.arange(SCALE_LEVELS))
        zero, one = (gaussian_bits(torch.full_like(scales, symbol), scales) for symbol in (0, 1))
        self.register_buffer("dead_zone", dead_zone_of(one - zero), persistent=False)
        self.dead_zone: Tensor
        self.fake_quant = False

    def set_fake_quant(self, on: bool) -> None:
        self.fake_quant = on
        for module in self.modules():
            if isinstance(module, FakeQuantConv2d):
                module.fake_quant = on

    def forward(
        self,
        y: Tensor,
        position: Tensor,
        block: Tensor | int = 0,
        past: Tensor | None = None,
    ) -> Coded:
        """y [B, M, h, w] times the gain, float32; position and block as in models/gains.py.

        `past` [B, M + 2, h, w]: the real values of `TemporalContext`'s inputs.
        """
        z = self.h_a(y).float()
        z_hat = round_ste(z).clamp(-Z_MAX, Z_MAX)
        z_noisy = z + torch.rand_like(z) - 0.5 if self.training else z_hat
        z_index = interpolate(self.z_index, position, block)[:, :, None, None]
        z_bits = _bits(z_noisy, self._scale(z_index))

        features = self.h_s(z_hat, past)
        known: list[Tensor] = []
        y_bits = torch.zeros_like(z_bits)
        for step in range(STEPS):
            groups = self.h_s.parameters_of(step, features)
            if step:
                context = cast(Context, self.contexts[step - 1])
                change = context.parameters_of(context(features, self._context(known)))
                groups = [base + delta for base, delta in zip(groups, change, strict=True)]
            mean, index = (part.float() for part in means_and_indexes(groups))
            if self.fake_quant:
                mean = round_ste(mean * 2**MEAN_BITS) / 2**MEAN_BITS
            residual = gather(y, step) - mean
            symbols = self._rounded(residual, index)
            known.append(symbols + mean)
            noisy = residual + torch.rand_like(residual) - 0.5 if self.training else symbols
            y_bits = y_bits + _bits(noisy, self._scale(index))
        return Coded(assemble(known), y_bits, z_bits)

    def _rounded(self, residual: Tensor, index: Tensor) -> Tensor:
        """The symbols, by way of the encoder's dead zone where `fake_quant`; gradient 1."""
        if not self.fake_quant:
            return round_ste(residual)
        level = (index * 2**INDEX_UNIT_BITS + 0.5).long().clamp(0, SCALE_LEVELS - 1)
        symbols = torch.floor(residual + 0.5) * (residual.abs() >= self.dead_zone[level])
        return residual + (symbols - residual).detach()

    def _context(self, known: list[Tensor]) -> Tensor:
        y_hat = assemble(known)
        if self.fake_quant:
            y_hat = round_ste(y_hat * 2**CONTEXT_BITS) / 2**CONTEXT_BITS
        return y_hat.clamp(-CONTEXT_MAX * 2.0**-CONTEXT_BITS, CONTEXT_MAX * 2.0**-CONTEXT_BITS)

    def _scale(self, units: Tensor) -> Tensor:
        index = lower_bound(units * 2**INDEX_UNIT_BITS, 0.0).clamp(max=SCALE_LEVELS - 1)
        return scale_of(round_ste(index) if self.fake_quant else index)


def _bits(residual: Tensor, scale: Tensor) -> Tensor:
    """Estimated bits per picture [B]."""
    return gaussian_bits(residual, scale).sum((1, 2, 3))


def gaussian_bits(residual: Tensor, scale: Tensor) -> Tensor:
    """-log2 of a Gaussian's mass on [r - 1/2, r + 1/2], element by element."""
    r = residual.abs()
    likelihood = _cdf((0.5 - r) / scale) - _cdf((-0.5 - r) / scale)
    # 2^-16 is what an integer table gives its rarest symbol; below it the gradient must not die.
    return -torch.log2(lower_bound(likelihood, 1e-9))


def _cdf(x: Tensor) -> Tensor:
    return 0.5 * torch.erfc(x * -(0.5**0.5))


class _LowerBound(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, bound: float) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp(min=bound)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return grad * ((x >= ctx.bound) | (grad < 0)), None


def lower_bound(x: Tensor, bound: float) -> Tensor:
    """max(x, bound) whose gradient still lets x rise from below the bound."""
    result: Tensor = _LowerBound.apply(x, bound)
    return result
