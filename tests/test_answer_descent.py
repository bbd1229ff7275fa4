"""Latents that go where a head wants them: what is tried, and that the best of it is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from wavenetmv import answer_descent
from wavenetmv.answer_descent import AnswerDescent, default_trials
from wavenetmv.types import lambda_to_index

PIXELS = 640 * 480
SHAPE = (1, 8, 16, 64)


@dataclass(frozen=True)
class Rounded:
    """Latents that are rounded to whole steps; heads see twice that."""

    latents: Tensor
    shift: Tensor | None

    def steps(self):
        return (self.latents if self.shift is None else self.latents + self.shift).round()

    def y_hat(self):
        return 2 * self.steps()

    def bits(self):
        return float(100 * (1 + self.steps().abs()).log2().sum())

    def pull_back(self, gradient):
        return 2 * gradient


class Sums:
    """Answers are sums over rows of latents, times `weight`: rounding errors that add up."""

    def __init__(self, latents, weight):
        self.wanted, self.weight = 2 * latents.sum(-1), weight
        self.asked = 0

    def error(self, y_hat):
        return float(self.weight * (y_hat.sum(-1) - self.wanted).square().sum())

    def gradient(self, y_hat):
        self.asked += 1
        slope = 2 * self.weight * (y_hat.sum(-1) - self.wanted)
        return self.error(y_hat), slope[..., None].expand(y_hat.shape).clone()


@pytest.fixture
def never_done(monkeypatch):
    monkeypatch.setattr(answer_descent, "_DONE", 0.0)


def descended(trials, *, seed=0, weight=0.01, lmbda=512.0, latents=None, **options):
    """What a search finds, all its attempts, and what heads answer to them."""
    generator = torch.Generator().manual_seed(seed)
    if latents is None:
        latents = torch.randn(SHAPE, generator=generator)
    tried = []

    def attempts(shift):
        tried.append(Rounded(latents, shift))
        return tried[-1]

    answers = Sums(latents, weight)
    search = AnswerDescent(answers, PIXELS, trials)
    return search(lambda_to_index(lmbda), attempts, **options), tried, answers


def test_the_first_attempt_is_the_latents_as_they_are():
    best, tried, answers = descended(1)
    assert best is tried[0]
    assert best.shift is None
    assert answers.asked == 0


@pytest.mark.usefixtures("never_done")
def test_errors_go_where_bits_and_latents_hardly_change():
    best, tried, answers = descended(6)
    first = tried[0]
    assert len(tried) == 6
    assert answers.asked == 5  # the last attempt leads nowhere
    assert answers.error(best.y_hat()) < 0.2 * answers.error(first.y_hat())
    assert best.bits() == pytest.approx(first.bits(), rel=0.15)
    changed = best.steps() != first.steps()
    assert 0 < changed.float().mean() < 0.3
    assert (best.steps() - first.steps()).abs().max() <= 2


@pytest.mark.usefixtures("never_done")
@pytest.mark.parametrize("weight", [1e-4, 1e-2, 10.0])
def test_the_length_of_steps_follows_what_symbols_did(weight):
    """Whatever the unit of errors, and although a first step may be far too long or short."""
    for lmbda in (64.0, 2048.0):
        _, tried, answers = descended(8, weight=weight, lmbda=lmbda)
        errors = [answers.error(each.y_hat()) for each in tried]
        assert min(errors) < 0.2 * errors[0]


def test_what_costs_least_is_kept():
    best, tried, answers = descended(6, lmbda=64.0, weight=1e-6)
    # Errors this small are not worth a bit.
    assert best.bits() == min(each.bits() for each in tried)
    best, tried, answers = descended(6, lmbda=2048.0, weight=1.0)
    errors = [answers.error(each.y_hat()) for each in tried]
    assert answers.error(best.y_hat()) == min(errors)


def test_nothing_is_tried_where_nothing_is_wrong():
    whole = torch.ones(SHAPE)
    best, tried, _ = descended(6, latents=whole)
    assert best is tried[0]
    assert len(tried) == 1


def test_it_goes_on_until_little_is_left_wrong():
    """Little against the bits: less of it where bits are few."""
    fine, coarse = (descended(32, weight=1.0, lmbda=lmbda)[1] for lmbda in (128.0, 64.0))
    assert 1 < len(coarse) < len(fine) < 32


@pytest.mark.parametrize(
    ("height", "width", "trials"),
    [(16, 16, 16), (480, 640, 16), (1600, 1280, 15), (2000, 2000, 8), (6000, 8000, 6)],
)
def test_large_pictures_are_coded_less_often(height, width, trials):
    assert default_trials(height * width, 512.0) == trials
    assert default_trials(height * width, 128.0) >= trials


def test_pictures_of_few_bits_are_coded_more_often():
    assert len(descended(None, weight=100.0, lmbda=512.0)[1]) == 16
    assert len(descended(None, weight=100.0, lmbda=128.0)[1]) == 24


def test_the_same_twice():
    first, second = (descended(6)[0] for _ in range(2))
    assert torch.equal(first.steps(), second.steps())


@pytest.mark.parametrize("spare", [0, 20, 200])
def test_no_more_bits_than_it_may_take(spare):
    best, tried, answers = descended(8, seed=3, spare_bits=spare)
    assert best.bits() <= tried[0].bits() + spare
    fitting = [each for each in tried if each.bits() <= tried[0].bits() + spare]
    assert answers.error(best.y_hat()) == min(answers.error(each.y_hat()) for each in fitting)
    assert math.isfinite(answers.error(best.y_hat()))
