"""Measures against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wavenetmv.metrics import bd_rate, bits_per_pixel, psnr

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
