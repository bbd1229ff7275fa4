"""Measures against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wavenetmv.bench.published import published_kodak
from wavenetmv.metrics import (
    bd_quality,
    bd_rate,
    bits_per_pixel,
    decibels,
    monotone,
    ms_ssim,
    psnr,
)

CURVE = [(0.1, 28.0), (0.2, 30.5), (0.4, 33.0), (0.8, 36.0), (1.6, 39.5)]


def test_bits_per_pixel_counts_the_whole_file():
    assert bits_per_pixel(1000, 40, 20) == 10.0
    assert bits_per_pixel(1000, 40, 20, frames=5) == 2.0


def test_psnr_of_known_errors():
    black = np.zeros((4, 5, 3), np.uint8)
    assert psnr(black, black) == math.inf
    assert psnr(black, black + np.uint8(255)) == pytest.approx(0)
    assert psnr(black, black + np.uint8(1)) == pytest.approx(48.1308, abs=1e-4)


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.7])
def test_a_constant_factor_in_rate_is_the_bd_rate(factor):
    scaled = [(factor * rate, quality) for rate, quality in reversed(CURVE)]
    assert bd_rate(CURVE, scaled) == pytest.approx(100 * (factor - 1), abs=1e-6)


def test_bd_rate_uses_the_overlap_only():
    upper = [(2 * rate, quality) for rate, quality in CURVE[1:]]
    assert bd_rate(CURVE, upper) == pytest.approx(100, abs=2)


def test_bd_rate_refuses_what_it_cannot_compare():
    with pytest.raises(ValueError, match="no range"):
        bd_rate(CURVE, [(0.1, 10.0), (0.2, 20.0)])
    with pytest.raises(ValueError, match="two points"):
        bd_rate(CURVE, [(0.1, 30.0)])
    with pytest.raises(ValueError, match="does not rise"):
        bd_rate(CURVE, [(0.1, 30.0), (0.2, 29.0), (0.4, 31.0)])


def test_bd_quality_of_a_constant_gain_is_that_gain():
    better = [(rate, quality + 0.75) for rate, quality in CURVE]
    assert bd_quality(CURVE, better) == pytest.approx(0.75, abs=1e-9)
    assert bd_quality(better, CURVE) == pytest.approx(-0.75, abs=1e-9)
    with pytest.raises(ValueError, match="no range of rate"):
        bd_quality(CURVE, [(3.0, 30.0), (4.0, 31.0)])


def pchip_area(knots, values, low, high):
    """Integral of the piecewise cubic Hermite interpolant with Fritsch-Carlson slopes."""
    steps, secants = np.diff(knots), np.diff(values) / np.diff(knots)
    slopes = np.zeros(len(knots))
    for k in range(1, len(knots) - 1):
        if secants[k - 1] * secants[k] > 0:
            left, right = 2 * steps[k] + steps[k - 1], steps[k] + 2 * steps[k - 1]
            slopes[k] = (left + right) / (left / secants[k - 1] + right / secants[k])
    for end, (h0, h1), (d0, d1) in (
        (0, steps[:2], secants[:2]),
        (-1, steps[:-3:-1], secants[:-3:-1]),
    ):
        slope = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1)
        slope = 0 if slope * d0 <= 0 else slope
        slopes[end] = 3 * d0 if d0 * d1 < 0 and abs(slope) > 3 * abs(d0) else slope
    x = np.linspace(low, high, 100_001)
    at = np.clip(np.searchsorted(knots, x, "right") - 1, 0, len(steps) - 1)
    h, t = steps[at], (x - knots[at]) / steps[at]
    y = (
        (1 + 2 * t) * (1 - t) ** 2 * values[at]
        + t * (1 - t) ** 2 * h * slopes[at]
        + t**2 * (3 - 2 * t) * values[at + 1]
        + t**2 * (t - 1) * h * slopes[at + 1]
    )
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum())


@pytest.mark.parametrize(("anchor", "test"), [("vtm", "hm"), ("hm", "jpeg"), ("webp", "vtm")])
def test_bd_rate_of_published_curves_equals_an_integration_of_our_own(anchor, test):
    curves = [np.array(sorted(published_kodak()[name].psnr)).T for name in (anchor, test)]
    low = max(quality[0] for _, quality in curves)
    high = min(quality[-1] for _, quality in curves)
    areas = [pchip_area(quality, np.log(rates), low, high) for rates, quality in curves]
    expected = 100 * (math.exp((areas[1] - areas[0]) / (high - low)) - 1)
    found = bd_rate(published_kodak()[anchor].psnr, published_kodak()[test].psnr)
    assert found == pytest.approx(expected, abs=0.1)


def test_monotone_pools_what_falls_and_keeps_what_rises():
    assert monotone(CURVE[::-1]) == CURVE
    noisy = [(0.1, 0.2), (0.2, 0.31), (0.4, 0.29), (0.8, 0.35), (1.6, 0.35)]
    assert monotone(noisy) == [(0.1, 0.2), (0.2, pytest.approx(0.3)), (0.8, 0.35)]
    assert monotone([(0.2, 0.24), (0.4, 0.23), (0.8, 0.25), (1.6, 0.2)]) == [
        (0.2, pytest.approx(0.23))
    ]
    assert monotone([]) == []
    bd_rate(monotone(noisy), monotone(noisy))


def test_ms_ssim_of_equal_noisy_and_small_pictures():
    pytest.importorskip("pytorch_msssim", reason="pytorch-msssim is not installed")
    rng = np.random.default_rng(0)
    # Cells of eight pixels, so that the noise does not drown what it is added to.
    picture = rng.integers(60, 180, (24, 22, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    noisy = [
        (picture + rng.normal(0, sigma, picture.shape)).clip(0, 255).astype(np.uint8)
        for sigma in (2, 8, 32)
    ]
    values = [ms_ssim(picture, each) for each in noisy]
    assert ms_ssim(picture, picture) == pytest.approx(1, abs=1e-6)
    assert values == sorted(values, reverse=True)
    assert 0.2 < values[-1] < 0.95 < values[0] < 1
    assert ms_ssim(picture[:161, :161], picture[:161, :161]) == pytest.approx(1, abs=1e-6)
    assert ms_ssim(picture[:160], picture[:160]) is None


def test_decibels_of_ms_ssim():
    assert decibels(0.9) == pytest.approx(10)
    assert decibels(0.999) == pytest.approx(30)
    assert math.isfinite(decibels(1.0))
