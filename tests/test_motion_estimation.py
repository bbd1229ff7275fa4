"""Motion search and compensation on frames that really moved."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from wavenetmv.bitstream import (
    MotionField,
    ScaleTables,
    default_scales,
    encode_steps,
    gaussian_tables,
)
from wavenetmv.models.block_sampling import BLOCK, SUBPEL
from wavenetmv.models.motion import (
    compensate,
    follow,
    luma,
    price_of_a_bit,
    roughness,
)
from wavenetmv.models.motion_search import search
from wavenetmv.motion_estimation import economise, estimate, find_motion
from wavenetmv.types import DROP_MAX

PRICE = price_of_a_bit(512.0)


@pytest.fixture(scope="module")
def photograph(photographs) -> torch.Tensor:
    """[1, 3, 256, 320] in [0, 1]."""
    with Image.open(photographs / "astronaut.png") as image:
        pixels = np.asarray(image.convert("RGB").crop((60, 40, 380, 296)))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def inner(x: torch.Tensor) -> torch.Tensor:
    """Without the border, where content comes in from outside."""
    return x[:, :, 2 * BLOCK : -2 * BLOCK, 2 * BLOCK : -2 * BLOCK]


@pytest.mark.parametrize("shift", [(0, 0), (3, -5), (-14, 9), (20, 24)])
def test_whole_pixels_are_found_and_undone(photograph, shift):
    moved = torch.roll(photograph, shift, (2, 3))
    motion = estimate(luma(moved), luma(photograph), PRICE)
    assert motion.dtype == torch.int16
    assert motion.shape == (1, 2, 16, 20)
    found = motion[0, :, 3:-3, 3:-3].flatten(1).float().median(1).values / SUBPEL
    assert found.tolist() == [-shift[0], -shift[1]]
    error = inner(compensate(photograph, motion) - moved).square().mean()
    assert error < 1e-4


def test_parts_of_a_pixel(photograph):
    """Half a pixel to the right, made by averaging: bicubic sampling comes close."""
    moved = (photograph + torch.roll(photograph, 1, 3)) / 2
    motion = estimate(luma(moved), luma(photograph), PRICE)
    textured = motion[0, 1, 3:-3, 3:-3].float() / SUBPEL
    assert (textured + 0.5).abs().median() <= 0.25
    still = compensate(photograph, torch.zeros_like(motion))
    better = inner(compensate(photograph, motion) - moved).square().mean()
    assert better < 0.5 * inner(still - moved).square().mean()


def test_two_motions(photograph):
    moved = photograph.clone()
    moved[:, :, :, :160] = torch.roll(photograph, 6, 2)[:, :, :, :160]
    motion = estimate(luma(moved), luma(photograph), PRICE)[0, 0].float() / SUBPEL
    assert motion[3:-3, 2:8].median() == -6
    assert motion[3:-3, 12:18].median() == 0


def test_dear_bits_make_smoother_fields(photograph):
    generator = torch.Generator().manual_seed(0)
    noisy = photograph + 0.1 * torch.randn(photograph.shape, generator=generator)
    cheap, dear = (estimate(luma(noisy), luma(photograph), price).float() for price in (0.0, 50.0))
    assert roughness(dear).mean() < 0.5 * roughness(cheap).mean()


def test_vectors_are_worth_their_bits(photograph):
    """Of two that are alike, that which is expected; together errors and bits get cheaper."""
    generator = torch.Generator().manual_seed(0)
    moved = torch.roll(photograph, (2, 5), (2, 3))
    noisy = moved + 0.05 * torch.randn(photograph.shape, generator=generator)
    current, reference = luma(noisy), luma(photograph)
    found = search(current, reference)
    kept = economise(current, reference, found, PRICE)
    assert bits(kept) < 0.8 * bits(found)
    price = PRICE * BLOCK * BLOCK
    assert cost(current, reference, kept, price) < cost(current, reference, found, price)
    assert not economise(current, reference, found, 1e6).any()  # no error is worth a bit


def test_vectors_are_dearer_where_quality_drops(photograph):
    """Two moving halves, of which a quality map gives one up."""
    generator = torch.Generator().manual_seed(0)
    moved = torch.roll(photograph, 3, 2)
    noisy = (moved + 0.1 * torch.randn(photograph.shape, generator=generator)).clamp(0, 1)
    drops = np.zeros((4, 5), np.uint8)
    everywhere = find_motion(noisy, photograph, 320, drops=drops)
    assert torch.equal(everywhere, find_motion(noisy, photograph, 320))
    drops[2:] = DROP_MAX
    half = find_motion(noisy, photograph, 320, drops=drops)
    assert torch.equal(half[:, :, :8], everywhere[:, :, :8])
    before, after = (roughness(each)[:, :, 9:].float().mean() for each in (everywhere, half))
    assert after < 0.5 * before


def bits(motion: torch.Tensor) -> int:
    """Of the field as it is coded, with tables that were not made for it."""
    tables = ScaleTables.from_arrays(*gaussian_tables(default_scales()))
    field = MotionField(*motion.shape[2:], None)
    return 8 * len(encode_steps(field.encode(motion[0].numpy(), tables)))


def cost(current, reference, motion, price: float) -> float:
    return float((compensate(reference, motion) - current).square().sum()) + price * bits(motion)


def test_no_motion_predicts_the_reference_itself(photograph):
    motion = torch.zeros(1, 2, 16, 20, dtype=torch.int16)
    assert torch.allclose(compensate(photograph, motion), photograph, atol=1e-6)
    assert roughness(motion).max() == 0


def test_batches_are_independent(photograph):
    frames = torch.cat([photograph, torch.roll(photograph, (5, 7), (2, 3))])
    references = torch.cat([photograph.flip(3), photograph])
    prices = torch.tensor([0.1, 3.0])
    both = estimate(luma(frames), luma(references), prices)
    for number, price in enumerate(prices):
        one = slice(number, number + 1)
        alone = estimate(luma(frames[one]), luma(references[one]), price)
        assert torch.equal(both[one], alone)


def test_follow_moves_whole_positions_of_integers():
    latents = torch.arange(2 * 4 * 6).view(1, 2, 4, 6).float()
    motion = torch.zeros(1, 2, 4, 6, dtype=torch.int16)
    motion[:, 1] = SUBPEL * BLOCK  # one position to the right
    motion[:, 0] = SUBPEL * BLOCK // 2 - 1  # not quite half a position down
    moved = follow(latents, motion)
    assert torch.equal(moved[:, :, :, :-1], latents[:, :, :, 1:])
    assert torch.equal(moved[:, :, :, -1], latents[:, :, :, -1])
