"""Every measure, defined once. Arrays are uint8 pictures [H, W, 3] unless said otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wavenetmv.errors import UsageFault

Pixels = npt.NDArray[np.uint8]
# (rate, quality) points of one codec, in any order.
Curve = Sequence[tuple[float, float]]

_MS_SSIM_LIMIT = 160  # (11 - 1) * 2**4: four halvings of an 11-pixel window
_FLOAT32_STEP = 2.0**-24
_BJONTEGAARD_OPTIONS: dict[str, Any] = {
    "method": "pchip",
    "require_matching_points": False,
    "min_overlap": 0,
}


def bits_per_pixel(file_bytes: int, width: int, height: int, frames: int = 1) -> float:
    """8 * bytes / (W * H * frames), of the whole file, header included."""
    return 8 * file_bytes / (width * height * frames)


def psnr(a: Pixels, b: Pixels) -> float:
    """Peak signal-to-noise ratio in dB over all RGB samples, peak 255; inf if equal."""
    error = np.subtract(a, b, dtype=np.int16)
    mse = int(np.multiply(error, error, dtype=np.int32).sum(dtype=np.int64)) / error.size
    return float("inf") if mse == 0 else float(10 * np.log10(255**2 / mse))


def ms_ssim(a: Pixels, b: Pixels) -> float | None:
    """Multi-scale structural similarity over RGB in 0..255, at most 1.

    None if a side is below 161 pixels, where the coarsest of the five scales has no window.
    (Wang et al., Asilomar 2003; library `pytorch-msssim`, as CompressAI's curves.)
    """
    if min(a.shape[:2]) <= _MS_SSIM_LIMIT:
        return None
    try:
        import pytorch_msssim
        import torch
    except ImportError as error:
        raise UsageFault("MS-SSIM needs a library: pip install pytorch-msssim") from error
    x, x_hat = (torch.tensor(pixels).permute(2, 0, 1)[None].float() for pixels in (a, b))
    with torch.inference_mode():
        return float(pytorch_msssim.ms_ssim(x, x_hat, data_range=255))


def decibels(ms_ssim: float) -> float:
    """-10 log10(1 - ms_ssim), the usual axis of plots; float32 resolves up to about 70 dB."""
    return -10 * math.log10(max(1 - ms_ssim, _FLOAT32_STEP))


def bd_rate(anchor: Curve, test: Curve) -> float:
    """Bjontegaard delta rate in percent: how many more bits `test` needs than `anchor`.

    PCHIP of log rate over quality, on the overlap of the two quality ranges; negative is
    better.  Qualities must rise with the rate.  Raises ValueError without overlap or with
    fewer than two points.  (Bjontegaard, VCEG-M33, 2001; library `bjontegaard`.)
    """
    (rates_a, quality_a), (rates_t, quality_t) = _columns(anchor), _columns(test)
    if max(quality_a[0], quality_t[0]) >= min(quality_a[-1], quality_t[-1]):
        raise ValueError("the two curves share no range of quality")
    arguments = (rates_a, quality_a, rates_t, quality_t)
    return float(_bjontegaard().bd_rate(*arguments, **_BJONTEGAARD_OPTIONS))


def bd_quality(anchor: Curve, test: Curve) -> float:
    """Bjontegaard delta quality: how much better `test` is than `anchor` at equal rate.

    In the unit of the curves' quality (BD-PSNR in dB for PSNR), positive is better; PCHIP
    over log rate on the overlap of the two rate ranges.  Errors as for `bd_rate`.
    """
    (rates_a, quality_a), (rates_t, quality_t) = _columns(anchor), _columns(test)
    if max(rates_a[0], rates_t[0]) >= min(rates_a[-1], rates_t[-1]):
        raise ValueError("the two curves share no range of rate")
    arguments = (rates_a, quality_a, rates_t, quality_t)
    return float(_bjontegaard().bd_psnr(*arguments, **_BJONTEGAARD_OPTIONS))


def monotone(curve: Curve) -> list[tuple[float, float]]:
    """The curve with quality made to rise strictly with the rate, for `bd_rate` of an mAP.

    Least-squares isotonic regression of quality over rate.  Points that it pools onto one
    level become one: their mean quality at their lowest rate, which is what that quality
    costs on the fitted curve.  So an outlier upwards does not count as reached (as it would
    with the running maximum), and a curve that saturates is not charged for its plateau.
    A curve that rises already comes back as it is.
    """
    try:
        from scipy.optimize import isotonic_regression
    except ImportError as error:
        raise UsageFault("BD-rates need a library: pip install bjontegaard scipy") from error
    rates, quality = np.array(sorted(curve), float).reshape(-1, 2).T
    if not len(rates):
        return []
    fit = isotonic_regression(quality)
    starts = fit.blocks[:-1]
    return list(zip(rates[starts].tolist(), fit.x[starts].tolist(), strict=True))


def _bjontegaard() -> Any:
    try:
        import bjontegaard
    except ImportError as error:
        raise UsageFault("BD-rates need a library: pip install bjontegaard") from error
    return bjontegaard


def _columns(curve: Curve) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    if len(curve) < 2:
        raise ValueError(f"a curve needs two points, got {len(curve)}")
    rates, quality = np.array(sorted(curve), float).T
    if np.any(np.diff(quality) <= 0):
        raise ValueError(f"quality does not rise with the rate: {quality}")
    return rates, quality
