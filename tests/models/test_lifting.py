"""The wavelet: perfect reconstruction whatever the weights, and PyWavelets' own filters."""

from __future__ import annotations

import numpy as np
import pytest
import pywt
import torch

from wavenetmv.models.lifting import LiftingLevel, LiftingPacket
from wavenetmv.models.lifting_steps import lifting_factors, merge, split

BASES = ["haar", "bior2.2", "bior4.4"]


def randomised(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
    return module.requires_grad_(False)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5), (8, 8), (9, 16), (33, 47), (64, 40)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inverse_restores_any_size_with_any_weights(base, size, dtype):
    packet = randomised(LiftingPacket((4, 6, 8), base), seed=1).to(dtype)
    x = torch.randn(2, 3, *size, dtype=dtype, generator=torch.Generator().manual_seed(2))
    y = packet(x)
    assert y.shape == (2, 192, -(-size[0] // 8), -(-size[1] // 8))
    restored = packet.inverse(y, size)
    tolerance = 1e-11 if dtype == torch.float64 else 2e-3
    # The networks amplify: error is relative to the coefficients, not to the pixels.
    assert (restored - x).abs().max() <= tolerance * max(1.0, float(y.abs().max()))


@pytest.mark.parametrize("base", BASES)
def test_one_dimension_equals_pywavelets(base):
    x = np.random.default_rng(0).normal(size=64)
    low, high = split(torch.from_numpy(x)[None, None, None], -1, lifting_factors(base))
    approximation, detail = pywt.dwt(x, base, mode="periodization")
    for ours, theirs in ((low, approximation), (high, detail)):
        # PyWavelets shifts and signs differently: compare magnitudes in the interior.
        ours = ours.flatten().numpy()[4:-4]
        best = min(
            np.abs(np.abs(ours) - np.abs(np.roll(theirs, shift)[4:-4])).max()
            for shift in range(-3, 4)
        )
        assert best < 1e-9


@pytest.mark.parametrize("base", BASES)
def test_merge_inverts_split_along_both_axes(base):
    x = torch.randn(1, 2, 6, 10, dtype=torch.float64)
    for dim in (-1, -2):
        low, high = split(x, dim, lifting_factors(base))
        assert torch.allclose(merge(low, high, dim, lifting_factors(base)), x, atol=1e-12)


def test_subband_letters_are_those_of_jpeg_2000():
    """Horizontal stripes vary vertically: energy in LH (second letter = vertical)."""
    stripes = torch.zeros(1, 1, 16, 16)
    stripes[:, :, ::2] = 1
    _, hl, lh, hh = LiftingLevel(1, 0, "bior4.4")(stripes).split(1, 1)
    assert lh.abs().mean() > 0.5
    assert hl.abs().max() < 1e-6
    assert hh.abs().max() < 1e-6


def test_near_orthonormal_base_keeps_energy():
    x = torch.randn(1, 3, 64, 64)
    y = LiftingPacket((0, 0, 0), "haar")(x)
    assert torch.isclose(y.square().sum(), x.square().sum(), rtol=1e-4)


@pytest.mark.parametrize("name", ["db4", "bior1.3", "bior3.1"])
def test_wavelets_without_two_tap_steps_are_refused(name):
    with pytest.raises(ValueError, match=name):
        lifting_factors(name)
