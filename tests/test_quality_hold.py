"""How lambda follows the quality of a group's inter frames."""

from __future__ import annotations

import math

import pytest

from wavenetmv.quality_hold import QualityHold
from wavenetmv.types import LAMBDA_INDEX_MAX, LAMBDA_STEPS_PER_OCTAVE

INDEX = 40  # of lambda, as long as quality holds


def after(*psnr_db: float) -> QualityHold:
    hold = QualityHold(INDEX)
    for each in psnr_db:
        hold.saw(each)
    return hold


def test_steady_quality_needs_nothing():
    assert after(*[40.0] * 50).index == INDEX
    assert after(40, 40, 40, *[39.8] * 50).index == INDEX  # within what is tolerated


def test_slow_loss_is_answered_until_it_is_made_good():
    falling = [40 - 0.05 * number for number in range(40)]
    hold = after(*falling)
    assert INDEX < hold.index <= INDEX + 2 * LAMBDA_STEPS_PER_OCTAVE
    for psnr_db in (falling[-1] + 0.1 * number for number in range(40)):
        hold.saw(psnr_db)
    assert hold.index == INDEX
    assert hold.finer == 0


@pytest.mark.parametrize(
    ("index", "highest"),
    [(0, 128), (INDEX, INDEX + 128), (250, LAMBDA_INDEX_MAX), (LAMBDA_INDEX_MAX, LAMBDA_INDEX_MAX)],
)
def test_after_two_octaves_or_the_highest_lambda_only_rounding_gets_finer(index, highest):
    hold = QualityHold(index)
    for number in range(200):
        hold.saw(40 - 0.1 * number)
        assert index <= hold.index <= highest
        assert hold.finer == 0 or hold.index == highest
    assert hold.index == highest
    assert hold.finer == 2  # octaves, and no more


def test_without_finer_rounding_it_recovers_as_soon_as_lambda_does():
    """Steps that nothing answers would have to be taken back first."""
    hold = QualityHold(INDEX, rounds_finer=False)
    for psnr_db in (40 - 0.1 * number for number in range(200)):
        hold.saw(psnr_db)
    assert hold.index == INDEX + 128
    assert hold.finer == 0
    for psnr_db in (20.1 + 0.3 * number for number in range(70)):
        hold.saw(psnr_db)
    assert hold.index < INDEX + 128


def test_content_that_becomes_harder_at_once_is_no_loss():
    assert after(*[40.0] * 5, *[35.0] * 50).index == INDEX
    assert after(*[40.0] * 5, *[35 - 0.05 * number for number in range(30)]).index > INDEX


@pytest.mark.parametrize("quality", [[math.inf] * 9, [40, 41, math.inf, 40, 39, math.inf]])
def test_perfect_frames_are_fine(quality):
    assert INDEX <= after(*quality).index <= INDEX + 128
