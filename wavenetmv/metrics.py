"""Every measure, defined once. Arrays are uint8 pictures [H, W, 3] unless said otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wavenetmv.errors import UsageFault

Pixels = npt.NDArray[np.uint8]
# (rate, quality) points of one codec, in any order.
Curve = Sequence[tuple[float, float]]


def bits_per_pixel(file_bytes: int, width: int, height: int, frames: int = 1) -> float:
    """8 * bytes / (W * H * frames), of the whole file, header included."""
    return 8 * file_bytes / (width * height * frames)


def psnr(a: Pixels, b: Pixels) -> float:
    """Peak signal-to-noise ratio in dB over all RGB samples, peak 255; inf if equal."""
    error = a.astype(np.float64) - b
    mse = float(np.mean(np.square(error)))
    return float("inf") if mse == 0 else float(10 * np.log10(255**2 / mse))


def bd_rate(anchor: Curve, test: Curve) -> float:
    """Bjontegaard delta rate in percent: how many more bits `test` needs than `anchor`.

    PCHIP of log rate over quality, on the overlap of the two quality ranges; negative is
    better.  Qualities must rise with the rate.  Raises ValueError without overlap or with
    fewer than two points.  (Bjontegaard, VCEG-M33, 2001; library `bjontegaard`.)
    """
    try:
        import bjontegaard
    except ImportError as error:
        raise UsageFault("BD-rates need a library: pip install bjontegaard") from error
    (rates_a, quality_a), (rates_t, quality_t) = _columns(anchor), _columns(test)
    if max(quality_a[0], quality_t[0]) >= min(quality_a[-1], quality_t[-1]):
        raise ValueError("the two curves share no range of quality")
    return float(
        bjontegaard.bd_rate(
            rates_a, quality_a, rates_t, quality_t,
            method="pchip", require_matching_points=False, min_overlap=0,
        )
    )  # fmt: skip


def _columns(curve: Curve) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    if len(curve) < 2:
        raise ValueError(f"a curve needs two points, got {len(curve)}")
    rates, quality = np.array(sorted(curve), float).T
    if np.any(np.diff(quality) <= 0):
        raise ValueError(f"quality does not rise with the rate: {quality}")
    return rates, quality
