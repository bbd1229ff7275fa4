"""What is wrong with answers, and where that is counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wavenetmv.models.answers import Answers
from wavenetmv.models.boxes import STRIDES

SIZE = (8, 12)  # latents: 2 x 3 cells of 64 pixels


def nothing():
    """[1, A, 85]: no objects, boxes of one stride."""
    answers = sum(128 * 192 // stride**2 for stride in STRIDES)
    return torch.zeros(1, answers, 85)


def cat(score=0.9, width=1.0):
    """One in the second row of cells, 64 pixels a side, across the last two columns; by the
    coarsest grid, of 4 x 6 places."""
    raw = nothing()
    place = 128 * 192 // 8**2 + 128 * 192 // 16**2 + 2 * 6 + 4
    raw[0, place, :5] = torch.tensor([0.0, 1.0, np.log(2 * width), np.log(2), 1.0])
    raw[0, place, 5 + 15] = score
    return raw


def test_nothing_is_wrong_with_the_same():
    assert not Answers(cat(), SIZE).errors(cat()).any()
    assert Answers(cat(), SIZE).errors(cat()).shape == (2, 3)


def test_a_lost_object_counts_where_it_was():
    errors = Answers(cat(), SIZE).errors(cat(score=0.0))
    assert errors[1, 1] == errors[1, 2] == pytest.approx(0.9**3 / 2, rel=1e-5)
    assert errors.sum() == pytest.approx(0.9**3, rel=1e-5)


def test_a_box_counts_as_its_object_does_and_only_so_far():
    sure, unsure = (
        Answers(cat(score), SIZE).errors(cat(score, width=1.5)).sum() for score in (0.8, 0.2)
    )
    assert sure == pytest.approx(4 * unsure, rel=1e-4)
    off, further = (Answers(cat(), SIZE).errors(cat(width=width)).sum() for width in (100, 10000))
    assert off == pytest.approx(further)


def test_noise_where_nothing_is_counts_nothing():
    raw = nothing()
    raw[..., :4] += torch.randn(raw[..., :4].shape)
    assert Answers(nothing(), SIZE).errors(raw).sum() == 0


def test_boxes_beyond_the_picture_and_wild_ones_count_inside_it():
    wild = cat()
    wild[0, :, :2] -= 1000
    wild[0, :, 2:4] = 200.0  # log size
    wild[0, :, 4:6] = 0.5
    lost = nothing()
    lost[..., :4] = wild[..., :4]
    errors = Answers(wild, SIZE).errors(lost)
    assert np.isfinite(errors).all()
    assert (errors >= 0).all()
    assert errors.sum() > 0
