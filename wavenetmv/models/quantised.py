"""Convolutions that can run in exact integer arithmetic.

What selects a probability must be the same integer on every machine, so the networks
behind the entropy parameters exist twice:

`FakeQuantConv2d`  the trainable one: float, with weights and activations rounded as the
                   exact one rounds them when `fake_quant` is on (straight-through
                   gradients; Jacob et al., CVPR 2018).
`ExactConv2d`      the shipped one (models/exact_conv.py): float32 tensors that hold small
                   integers.  Every partial sum stays below 2^24 in magnitude, so float32
                   represents it exactly and the result does not depend on summation
                   order, threads, instruction set or device.  Rescaling is by powers of
                   two, then floor and clamp: exact as well.

A tensor of real values r travels as integers r / step with a power-of-two step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EXACT_LIMIT = 1 << 24  # float32 holds every integer up to here
WEIGHT_MAX = 127  # 8-bit weights

# Hidden activations: 0..255 in steps of 1/32.
ACTIVATION_MAX = 255
ACTIVATION_BITS = 5
# Outputs (entropy parameters): steps of 1/64, clamped far outside the useful range.
OUTPUT_MAX = 1 << 20
OUTPUT_BITS = 6


def round_ste(x: Tensor) -> Tensor:
    """Round half up; gradient of the identity."""
    return x + (torch.floor(x + 0.5) - x).detach()


class FakeQuantConv2d(nn.Conv2d):
    """Convolution of the trainable entropy network.

    input_bits   the input travels in steps of 2^-input_bits (one number, or one per channel)
    input_max    largest magnitude of an input integer
    hidden       True: clamped ReLU output (an activation); False: linear output (parameters)
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        *,
        input_bits: int | tuple[int, ...] = ACTIVATION_BITS,
        input_max: int | tuple[int, ...] = ACTIVATION_MAX,
        hidden: bool,
    ) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2)
        self.hidden = hidden
        self.fake_quant = False
        if hidden:
            # PyTorch's default shrinks a chain of ReLUs towards zero.
            nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        bits, largest = (
            torch.tensor(value, dtype=torch.float32).expand(channels_in)
            for value in (input_bits, input_max)
        )
        self.register_buffer("input_step", torch.exp2(-bits), persistent=False)
        self.register_buffer("input_max", largest.clone(), persistent=False)
        self.input_step: Tensor
        self.input_max: Tensor

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight, self.bias
        assert bias is not None
        if self.fake_quant:
            exponent = self.weight_exponents()
            unit = torch.exp2(exponent)[:, None, None, None] * self.input_step[:, None, None]
            weight = round_ste(weight * unit) / unit
            bias = round_ste(bias * torch.exp2(exponent)) / torch.exp2(exponent)
        out = F.conv2d(x, weight, bias, padding=self.padding)
        return self._quantise(out)

    def _quantise(self, out: Tensor) -> Tensor:
        if self.hidden:
            out = out.clamp(0, ACTIVATION_MAX * 2.0**-ACTIVATION_BITS)
        if not self.fake_quant:
            return out
        scale = 2.0 ** (ACTIVATION_BITS if self.hidden else OUTPUT_BITS)
        return round_ste(out.float() * scale) / scale

    @property
    def bytes_in(self) -> bool:
        """Whether the input is an activation of a layer like this: integers 0..255."""
        activation = self.input_step == 2.0**-ACTIVATION_BITS
        return bool((activation & (self.input_max == ACTIVATION_MAX)).all())

    @torch.no_grad()
    def weight_exponents(self) -> Tensor:
        """Per output channel the largest k for which round(w * step * 2^k) is exact to use.

        Two bounds: 8-bit weights, and the sum of |weight| times the largest inputs, plus
        bias and rounding term, below 2^24.
        """
        weight = self.weight.float() * self.input_step[:, None, None]
        assert self.bias is not None
        by_weight = WEIGHT_MAX / weight.abs().amax((1, 2, 3)).clamp_min(1e-12)
        reach = (weight.abs().sum((2, 3)) * self.input_max).sum(1) + self.bias.float().abs()
        # Half of the limit is left for rounding of weights, bias and the rounding term.
        by_sum = EXACT_LIMIT / 2 / reach.clamp_min(1e-12)
        return torch.floor(torch.log2(torch.minimum(by_weight, by_sum))).clamp(0, 20)


@torch.no_grad()
def export_integers(layer: FakeQuantConv2d) -> dict[str, Tensor]:
    """The integers of a trained layer: `weight` int8, `bias` int32, `exponent` int8.

    Raises ValueError if a partial sum could reach 2^24.
    """
    exponent = layer.weight_exponents()
    scale = torch.exp2(exponent)
    real = layer.weight.float() * layer.input_step[:, None, None]
    weight = torch.floor(real * scale[:, None, None, None] + 0.5)
    assert layer.bias is not None
    bias = torch.floor(layer.bias.float() * scale + 0.5) + _rounding_term(layer, exponent)
    reach = (weight.abs().sum((2, 3)).double() * layer.input_max).sum(1) + bias.abs()
    if float(reach.max()) >= EXACT_LIMIT or float(weight.abs().max()) > WEIGHT_MAX:
        raise ValueError(f"integer layer out of range: partial sums up to {float(reach.max()):.0f}")
    return {
        "weight": weight.to(torch.int8),
        "bias": bias.to(torch.int32),
        "exponent": exponent.to(torch.int8),
    }


@torch.no_grad()
def import_integers(layer: FakeQuantConv2d, weight: Tensor, bias: Tensor, exponent: Tensor) -> None:
    """Inverse of `export_integers`: the floats that these integers stand for."""
    scale = torch.exp2(exponent.float())
    layer.weight.copy_(
        weight.float() / scale[:, None, None, None] / layer.input_step[:, None, None]
    )
    assert layer.bias is not None
    layer.bias.copy_((bias.float() - _rounding_term(layer, exponent)) / scale)


def _rounding_term(layer: FakeQuantConv2d, exponent: Tensor) -> Tensor:
    """Half a step of the output: added to the bias, it makes the floor round to nearest."""
    bits = ACTIVATION_BITS if layer.hidden else OUTPUT_BITS
    return torch.where(exponent > bits, torch.exp2(exponent.float() - bits - 1), 0.0)
