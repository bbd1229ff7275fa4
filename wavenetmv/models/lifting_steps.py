"""One-dimensional wavelets as chains of two-tap lifting steps.

They are factored from PyWavelets' filters (Daubechies and Sweldens, "Factoring wavelet transforms
into lifting steps", 1998), with whole-sample symmetric extension at the borders.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pywt
import torch
from torch import Tensor


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
