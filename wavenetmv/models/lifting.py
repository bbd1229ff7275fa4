"""Lifting wavelet transform with learned predict and update steps.

One level, applied to all channels at once (a wavelet packet):

    x --> base wavelet --> LL, d = (HL, LH, HH)
                           d  = d  - P(LL)          P, U: small CNNs
                           LL = LL + U(d)

    y = cat(LL, d)         the inverse runs the same steps backwards:
                           LL = LL - U(d);  d = d + P(LL);  inverse base wavelet

so `inverse(forward(x)) == x` up to rounding whatever P and U compute.  The base
wavelet is itself a chain of two-tap lifting steps, factored from PyWavelets'
filters (Daubechies and Sweldens, "Factoring wavelet transforms into lifting
steps", 1998), with whole-sample symmetric extension at the borders.

Subband letters: first = horizontal (last axis), second = vertical, as in JPEG 2000.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pywt
import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class LiftingFactors:
    """A wavelet as lifting: steps alternate predict, update, predict, ...

    A predict step adds `c * (even[n] + even[n + 1])` to `odd[n]`, an update step adds
    `c * (odd[n - 1] + odd[n])` to `even[n]`; with `taps == 1` only the sample at n counts
    (Haar).  Afterwards low = `low_gain` * even, high = `high_gain` * odd.
    """

    steps: tuple[float, ...]
    taps: int
    low_gain: float
    high_gain: float


@cache
def lifting_factors(name: str) -> LiftingFactors:
    """Factor a PyWavelets wavelet ("haar", "bior2.2", "bior4.4", ...) into lifting steps.

    Raises ValueError unless it is Haar or has symmetric filters of odd length.
    """
    wavelet = pywt.Wavelet(name)
    low, high = np.trim_zeros(np.array(wavelet.dec_lo)), np.trim_zeros(np.array(wavelet.dec_hi))
    if name in {"haar", "db1"}:
        return LiftingFactors((-1.0, 0.5), 1, float(np.sum(low)), float(high[-1]))
    if len(low) % 2 == 0 or len(high) % 2 == 0:
        raise ValueError(f"wavelet {name!r} has no symmetric filters of odd length")
    steps: list[float] = []
    while len(low) > 1 or len(high) > 1:
        longer, shorter = (low, high) if len(low) > len(high) else (high, low)
        factor = longer[0] / shorter[0]
        reduced = longer.copy()
        reduced[: len(shorter)] -= factor * shorter
        reduced[2 : 2 + len(shorter)] -= factor * shorter
        reduced = np.where(np.abs(reduced) < 1e-9, 0.0, reduced)
        if len(shorter) + 2 != len(longer) or reduced[0] or reduced[-1]:
            raise ValueError(f"wavelet {name!r} does not factor into two-tap steps")
        steps.append(float(factor))
        low, high = (
            (np.trim_zeros(reduced), high) if longer is low else (low, np.trim_zeros(reduced))
        )
    # Peeled from filters that carry the final gains; the steps act before the gains.
    low_gain, high_gain = float(low[0]), float(high[0])
    ordered = [
        factor * (low_gain / high_gain if position % 2 == 0 else high_gain / low_gain)
        for position, factor in enumerate(reversed(steps))
    ]
    return LiftingFactors(tuple(ordered), 2, low_gain, high_gain)


def _step(target: Tensor, source: Tensor, c: float, dim: int, taps: int, ahead: bool) -> Tensor:
    """target[n] + c * (source[n] + source[n + 1]) if `ahead`, else with source[n - 1].

    The edge sample is repeated; one tap means source[n] alone.  Without gradients `target`
    is overwritten: lifting is bound by memory traffic, and this halves it.
    """
    size = source.shape[dim]
    edge = source.narrow(dim, size - 1 if ahead else 0, 1)
    inner = source.narrow(dim, 1 if ahead else 0, size - 1)
    if torch.is_grad_enabled():
        if taps == 1:
            return torch.add(target, source, alpha=c)
        shifted = torch.cat([inner, edge] if ahead else [edge, inner], dim)
        return torch.add(target, source + shifted, alpha=c)
    target.add_(source, alpha=c)
    if taps == 2:
        target.narrow(dim, 0 if ahead else 1, size - 1).add_(inner, alpha=c)
        target.narrow(dim, size - 1 if ahead else 0, 1).add_(edge, alpha=c)
    return target


def split(x: Tensor, dim: int, factors: LiftingFactors) -> tuple[Tensor, Tensor]:
    """One-dimensional analysis along `dim` (even size): low, high, each of half the size."""
    even, odd = (x[..., k::2] if dim == -1 else x[..., k::2, :] for k in (0, 1))
    if not torch.is_grad_enabled():
        even, odd = even.clone(), odd.clone()  # views of x, and steps write in place
    for position, c in enumerate(factors.steps):
        if position % 2 == 0:
            odd = _step(odd, even, c, dim, factors.taps, ahead=True)
        else:
            even = _step(even, odd, c, dim, factors.taps, ahead=False)
    return even * factors.low_gain, odd * factors.high_gain


def merge(low: Tensor, high: Tensor, dim: int, factors: LiftingFactors) -> Tensor:
    """Inverse of `split`."""
    even, odd = low * (1 / factors.low_gain), high * (1 / factors.high_gain)
    for position, c in reversed(list(enumerate(factors.steps))):
        if position % 2 == 0:
            odd = _step(odd, even, -c, dim, factors.taps, ahead=True)
        else:
            even = _step(even, odd, -c, dim, factors.taps, ahead=False)
    if dim == -1:
        return _alternating(even, odd)
    return torch.stack([even, odd], -2).flatten(-3, -2)


def _alternating(even: Tensor, odd: Tensor) -> Tensor:
    """Columns of both [..., n] in turn: [..., 2n]."""
    if torch.is_grad_enabled():
        return torch.stack([even, odd], -1).flatten(-2)
    # Stacking pairs takes five times as long.
    columns = even.new_empty(*even.shape, 2)
    columns[..., 0], columns[..., 1] = even, odd
    return columns.flatten(-2)


class LiftingLevel(nn.Module):
    """One level: x [B, C, H, W], H and W even -> [B, 4C, H/2, W/2] as (LL, HL, LH, HH).

    `hidden` is the width of the predict and update networks; 0 leaves the base wavelet alone.
    """

    def __init__(self, channels: int, hidden: int, base: str) -> None:
        super().__init__()
        self.channels = channels
        self.factors = lifting_factors(base)
        self.predict = _step_network(channels, hidden, 3 * channels) if hidden else None
        self.update = _step_network(3 * channels, hidden, channels) if hidden else None

    def forward(self, x: Tensor) -> Tensor:
        low, high = split(x, -1, self.factors)
        (ll, lh), (hl, hh) = split(low, -2, self.factors), split(high, -2, self.factors)
        if self.predict is None or self.update is None:
            return torch.cat([ll, hl, lh, hh], 1)
        detail = torch.cat([hl, lh, hh], 1)
        detail = detail - _run(self.predict, ll)
        ll = ll + _run(self.update, detail)
        return torch.cat([ll, detail], 1)

    def inverse(self, y: Tensor) -> Tensor:
        """[B, 4C, H/2, W/2] -> [B, C, H, W]."""
        ll, detail = y[:, : self.channels], y[:, self.channels :]
        if self.predict is not None and self.update is not None:
            ll = ll - _run(self.update, detail)
            detail = detail + _run(self.predict, ll)
        hl, lh, hh = detail.chunk(3, 1)
        low, high = merge(ll, lh, -2, self.factors), merge(hl, hh, -2, self.factors)
        return merge(low, high, -1, self.factors)


def _run(network: nn.Sequential, x: Tensor) -> Tensor:
    """The networks may run in bfloat16 while the wavelet itself stays in float32."""
    out: Tensor = network(x.to(next(network.parameters()).dtype))
    return out


def _step_network(channels_in: int, hidden: int, channels_out: int) -> nn.Sequential:
    last = nn.Conv2d(hidden, channels_out, 1)
    # Zero: training starts from the base wavelet.
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    return nn.Sequential(
        nn.Conv2d(channels_in, hidden, 3, padding=1), nn.LeakyReLU(0.1, inplace=True), last
    )


class LiftingPacket(nn.Module):
    """Levels applied one after the other: 3 -> 12 -> 48 -> 192 channels at H/8 for three."""

    def __init__(self, hidden: tuple[int, ...], base: str, channels: int = 3) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            LiftingLevel(channels * 4**depth, width, base) for depth, width in enumerate(hidden)
        )
        self.downsampling_factor = 2 ** len(hidden)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] of any size -> [B, 4^n C, ceil(H / 2^n), ceil(W / 2^n)].

        Sides that 2^n does not divide are extended by repeating the edge.
        """
        factor = self.downsampling_factor
        pad_h, pad_w = -x.shape[2] % factor, -x.shape[3] % factor
        if pad_h or pad_w:
            x = F.pad(x, (0, pad_w, 0, pad_h), mode="replicate")
        for level in self.levels:
            x = level(x)
        return x

    def inverse(self, y: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Back to [B, C, H, W]; `size` = (H, W) crops what `forward` padded."""
        for level in reversed(self.levels):
            y = level.inverse(y)  # type: ignore[operator]
        return y if size is None else y[:, :, : size[0], : size[1]]
