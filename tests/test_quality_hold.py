"""How lambda follows the quality of a group's inter frames."""

from __future__ import annotations

import math

import pytest

from wavenetmv.quality_hold import QualityHold
from wavenetmv.types import LAMBDA_STEPS_PER_OCTAVE


def after(*psnr_db: float) -> QualityHold:
    hold = QualityHold()
    for each in psnr_db:
        hold.saw(each)
    return hold


def test_steady_quality_needs_nothing():
    assert after(*[40.0] * 50).steps == 0
    assert after(40, 40, 40, *[39.8] * 50).steps == 0  # within what is tolerated


def test_slow_loss_is_answered_until_it_is_made_good():
    falling = [40 - 0.05 * number for number in range(40)]
    hold = after(*falling)
    assert 0 < hold.steps <= 2 * LAMBDA_STEPS_PER_OCTAVE
    for psnr_db in (falling[-1] + 0.1 * number for number in range(40)):
        hold.saw(psnr_db)
    assert hold.steps == 0


def test_it_ends_two_octaves_higher():
    assert after(*[40 - 0.1 * number for number in range(200)]).steps == 128


def test_content_that_becomes_harder_at_once_is_no_loss():
    assert after(*[40.0] * 5, *[35.0] * 50).steps == 0
    assert after(*[40.0] * 5, *[35 - 0.05 * number for number in range(30)]).steps > 0


@pytest.mark.parametrize("quality", [[math.inf] * 9, [40, 41, math.inf, 40, 39, math.inf]])
def test_perfect_frames_are_fine(quality):
    assert 0 <= after(*quality).steps <= 128
