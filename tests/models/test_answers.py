"""What is wrong with answers, and where that is counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wavenetmv.models import answers as module
from wavenetmv.models.answers import Answers

CAT = 15
CHANNELS = 6  # of y_hat: what `Painted` answers
NEVER, ALWAYS = -30.0, 30.0  # before a sigmoid


class Painted(nn.Module):
    """A head whose answers are painted into y_hat: four numbers of a box, objectness, cat, the
    last two before the sigmoid."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def predicted(self, y_hat):
        fine = y_hat.repeat_interleave(2, 2).repeat_interleave(2, 3)
        grids = [each.flatten(2) for each in (fine, y_hat, F.max_pool2d(y_hat, 2))]
        places = torch.cat(grids, 2).transpose(1, 2)
        raw = places.new_full((1, places.shape[1], 85), NEVER)
        raw[..., :5], raw[..., 5 + CAT] = places[..., :5], places[..., 5]
        return raw


def nothing(h=8, w=12):
    """Latents of 128 x 192 pixels, 2 x 3 cells, or others: no objects."""
    y_hat = torch.zeros(1, CHANNELS, h, w)
    y_hat[:, 4:] = NEVER
    return y_hat


def cat(score=0.9, width=1.0, row=5, column=8):
    """One whose boxes end where a cell does: of 8, 16 and 32 pixels at this latent's places."""
    y_hat = nothing()
    y_hat[0, :, row, column] = torch.tensor(
        [0.5, 0.5, np.log(width), 0.0, ALWAYS, np.log(score / (1 - score))]
    )
    return y_hat


def error(wanted, found):
    return Answers(Painted(), wanted).error(found)


def test_nothing_is_wrong_with_the_same():
    assert error(cat(), cat()) == pytest.approx(0, abs=1e-6)


def test_a_lost_object_counts_with_its_box():
    # Four places of the finest grid, one of each other.
    boxes = 6 * 0.9 * module._BOX_WEIGHT * (0.5**2 + 0.5**2)
    assert error(cat(), nothing()) == pytest.approx(6 * 0.9**3 + boxes, rel=1e-3)


def test_a_box_counts_as_its_object_does_and_only_so_far():
    sure, unsure = (error(cat(score), cat(score, width=1.5)) for score in (0.8, 0.2))
    assert sure == pytest.approx(4 * unsure, rel=1e-3)
    off, further = (error(cat(), cat(width=width)) for width in (100, 10000))
    assert off == pytest.approx(further)


def test_a_false_object_counts_what_it_scores():
    assert error(nothing(), cat()) == pytest.approx(6 * 0.9**3, rel=1e-3)
    assert error(cat(0.1), cat()) == pytest.approx(6 * 0.8**2 * 0.9, rel=1e-3)
    y_hat = cat()
    answers = Answers(Painted(), nothing())
    _, gradient = answers.gradient(y_hat)
    assert answers.error(y_hat - 1e-2 * gradient) < answers.error(y_hat)


def test_noise_where_nothing_is_counts_nothing():
    noise = nothing()
    noise[:, :5] += torch.randn(noise[:, :5].shape)
    assert error(nothing(), noise) == 0


@pytest.fixture
def some():
    """Answers everywhere, and others."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand(1, CHANNELS, 40, 24, generator=generator) for _ in range(2))


def test_tiles_count_everything_once(some, monkeypatch):
    wanted, found = some
    whole, gradient = Answers(Painted(), wanted).gradient(found)
    monkeypatch.setattr(module, "_TILE", 16)
    answers = Answers(Painted(), wanted)
    assert answers.error(found) == pytest.approx(whole, rel=1e-4)
    in_tiles, of_tiles = answers.gradient(found)
    assert in_tiles == pytest.approx(whole, rel=1e-4)
    assert torch.allclose(of_tiles, gradient, atol=1e-5)


def test_the_gradient_is_that_of_the_error(some):
    wanted, found = some
    answers = Answers(Painted(), wanted)
    error, gradient = answers.gradient(found)
    assert error == pytest.approx(answers.error(found), rel=1e-5)
    step = 1e-2 * torch.rand(found.shape, generator=torch.Generator().manual_seed(1))
    step *= gradient.sign()  # a way on which little cancels
    change = answers.error(found + step) - answers.error(found - step)
    assert change == pytest.approx(2 * float((gradient * step).sum()), rel=0.02)


def test_latents_of_inference_mode_have_gradients_too(some):
    with torch.inference_mode():
        wanted, found = (each.clone() for each in some)
        error, gradient = Answers(Painted(), wanted).gradient(found)
    assert error > 0
    assert gradient.any()
