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


class Painted(nn.Module):
    """A head whose answers are painted into y_hat: four numbers of a box, objectness, cat."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, y_hat, size):
        fine = y_hat.repeat_interleave(2, 2).repeat_interleave(2, 3)
        grids = [each.flatten(2) for each in (fine, y_hat, F.max_pool2d(y_hat, 2))]
        places = torch.cat(grids, 2).transpose(1, 2)
        raw = places.new_zeros(1, places.shape[1], 85)
        raw[..., :5], raw[..., 5 + CAT] = places[..., :5], places[..., 5]
        return raw


def nothing(h=8, w=12):
    """Latents of 128 x 192 pixels, 2 x 3 cells, or others: no objects."""
    return torch.zeros(1, CHANNELS, h, w)


def cat(score=0.9, width=1.0, row=5, column=8):
    """One whose boxes end where a cell does: of 8, 16 and 32 pixels at this latent's places."""
    y_hat = nothing()
    y_hat[0, :, row, column] = torch.tensor([0.5, 0.5, np.log(width), 0.0, 1.0, score])
    return y_hat


def errors(wanted, found):
    return Answers(Painted(), wanted).errors(found)


def test_nothing_is_wrong_with_the_same():
    assert errors(cat(), cat()) == pytest.approx(np.zeros((2, 3)), abs=1e-6)


def test_a_lost_object_counts_where_it_was():
    found = errors(cat(), nothing())
    # Four places of the finest grid, one of each other.
    boxes = 6 * 0.9 * module._BOX_WEIGHT * (0.5**2 + 0.5**2)
    assert found[1, 2] == found.sum() == pytest.approx(6 * 0.9**3 + boxes, rel=1e-3)


def test_an_error_is_shared_by_the_cells_of_its_box():
    wide = cat(width=40.0)  # beyond all three cells on every grid
    found = errors(wide, wide * torch.tensor([1, 1, 1, 1, 1, 0.5])[:, None, None])
    assert found[1].tolist() == pytest.approx([6 * 0.9 * 0.45**2 / 3] * 3, rel=1e-2)
    assert found[0].tolist() == [0.0] * 3


def test_a_box_counts_as_its_object_does_and_only_so_far():
    sure, unsure = (errors(cat(score), cat(score, width=1.5)).sum() for score in (0.8, 0.2))
    assert sure == pytest.approx(4 * unsure, rel=1e-3)
    off, further = (errors(cat(), cat(width=width)).sum() for width in (100, 10000))
    assert off == pytest.approx(further)


def test_noise_where_nothing_is_counts_nothing():
    noise = nothing()
    noise[:, :5] += torch.randn(noise[:, :5].shape)
    assert errors(nothing(), noise).sum() == 0


def test_wild_boxes_count_inside_the_picture():
    wild = cat()
    wild[:, :2] -= 1000
    wild[:, 2:4] = 200.0
    wild[:, 4:] = 0.5
    found = errors(wild, wild * torch.tensor([1, 1, 1, 1, 1, 0])[:, None, None])
    assert np.isfinite(found).all()
    assert found.sum() == pytest.approx((4 + 1 + 0.25) * 8 * 12 * 0.25**3, rel=1e-3)


def test_tiles_count_everything_once(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    wanted, found = (torch.rand(1, CHANNELS, 40, 24, generator=generator) for _ in range(2))
    whole = errors(wanted, found)
    monkeypatch.setattr(module, "_TILE", 16)
    assert errors(wanted, found) == pytest.approx(whole, rel=1e-4)
