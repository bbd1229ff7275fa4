"""What a search tries, and that it keeps the best of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from wavenetmv.quality_search import QualitySearch
from wavenetmv.types import DROP_MAX, DROP_STEPS, LAMBDA_INDEX_MAX, lambda_to_index

PIXELS = 640 * 480


@dataclass(frozen=True)
class Fake:
    """An attempt at cells whose bits double with each octave of lambda."""

    lambda_index: int
    drops: np.ndarray

    @property
    def levels(self):
        """Absolute, in half octaves."""
        return self.lambda_index / DROP_STEPS - self.drops.astype(int)

    def cell_bits(self):
        return (300 * 2 ** (self.levels / 2)).astype(np.float32)


def searched(needs, trials, *, lmbda=512.0, drops=None, **options):
    """What a search finds where a cell of level l has 2^-l times the errors that it `needs`, and
    all its attempts."""
    needs = np.asarray(needs, float)
    tried = []

    def attempts(index, drops):
        tried.append(Fake(index, drops))
        return tried[-1]

    def judge(attempt):
        return (needs * 2.0**-attempt.levels).astype(np.float32)

    start = np.zeros(needs.shape, np.uint8) if drops is None else np.asarray(drops, np.uint8)
    search = QualitySearch(start, judge, PIXELS, trials)
    return search(lambda_to_index(lmbda), attempts, **options), tried


def test_the_first_attempt_is_what_was_given():
    drops = [[0, 3], [1, 2]]
    best, tried = searched(np.ones((2, 2)), 1, drops=drops)
    assert best is tried[0]
    assert (best.lambda_index, best.drops.tolist()) == (lambda_to_index(512), drops)


def test_cells_get_the_level_that_was_best_for_them():
    best, tried = searched([[0, 400], [0, 0]], 4)
    levels = best.levels - 6  # lambda 512 is six half octaves above 64
    assert levels.tolist() == [[-2, 2], [-2, -2]]
    assert best is tried[3]


def test_it_goes_on_from_there():
    needs = [[0, 3, 30], [3, 30, 300]]
    bits = [searched(needs, trials)[0].cell_bits().sum() for trials in (1, 4, 40)]
    errors = [(needs * 2.0 ** -searched(needs, t)[0].levels).sum() for t in (1, 4, 40)]
    worth = [b + 6e4 * math.sqrt(e) for b, e in zip(bits, errors, strict=True)]
    assert worth[2] < worth[1] < worth[0]


@pytest.mark.parametrize("lmbda", [64, 70, 500, 1448, 2048])
def test_attempts_are_what_streams_can_say_and_never_twice(lmbda):
    needs = np.random.default_rng(0).exponential(size=(2, 3)) * 50
    _, tried = searched(needs, 30, lmbda=lmbda, drops=np.full((2, 3), 5))
    assert 20 < len(tried) <= 30
    assert len({(each.lambda_index, each.drops.tobytes()) for each in tried}) == len(tried)
    for each in tried:
        assert 0 <= each.lambda_index <= LAMBDA_INDEX_MAX
        assert (each.lambda_index - lambda_to_index(lmbda)) % DROP_STEPS == 0
        assert each.drops.dtype == np.uint8
        assert each.drops.max() <= DROP_MAX


def test_it_ends_where_nothing_is_left_to_try():
    _, tried = searched([[1]], 1000)
    assert 3 <= len(tried) < 1000


def test_the_same_twice():
    needs = np.random.default_rng(1).exponential(size=(4, 4)) * 9
    first, second = (searched(needs, 12)[0] for _ in range(2))
    assert first.lambda_index == second.lambda_index
    assert np.array_equal(first.drops, second.drops)


@pytest.mark.parametrize("spare", [-1e9, 0, 500])
def test_no_more_bits_than_it_may_take(spare):
    needs = np.full((2, 2), 1e4)  # more bits would be better
    best, tried = searched(needs, 12, spare_bits=spare)
    unlimited, _ = searched(needs, 12)
    most = tried[0].cell_bits().sum() + max(spare, 0)
    assert best.cell_bits().sum() <= most < unlimited.cell_bits().sum()
