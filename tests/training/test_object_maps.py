"""Where a detector's predictions say that objects are."""

from __future__ import annotations

import math

import pytest
import torch

from wavenetmv.training.distillation import feature_error
from wavenetmv.training.object_maps import FLOOR, object_map

ANCHORS = 8 * 8 + 4 * 4 + 2 * 2  # of 64x64 pixels


def predictions(*objects):
    """Raw [1, A, 85]: (row of the stride-8 grid, column, width and height in strides, score)."""
    raw = torch.zeros(1, ANCHORS, 85)
    for row, column, width, height, score in objects:
        prediction = raw[0, row * 8 + column]
        prediction[:2] = 0.5
        prediction[2], prediction[3] = math.log(width), math.log(height)
        prediction[4], prediction[5 + 3] = score, 1.0
    return raw


def test_boxes_cover_their_places_with_the_surest_score():
    weight = object_map(predictions((2, 3, 2.8, 0.9, 0.64), (2, 4, 0.9, 0.9, 0.25)), 64, 64)
    assert weight.shape == (1, 1, 8, 8)
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[2, 2:5] = True
    assert weight[0, 0][inside].tolist() == pytest.approx([0.8 + FLOOR] * 3)
    assert (weight[0, 0][~inside] == FLOOR).all()


def test_nothing_seen_weighs_the_floor_everywhere():
    assert (object_map(predictions((1, 1, 2, 2, 0.01)), 64, 64) == FLOOR).all()


def test_errors_count_where_objects_are():
    weight = object_map(predictions((2, 3, 0.9, 0.9, 0.64)), 64, 64)
    generator = torch.Generator().manual_seed(1)
    wanted = [torch.randn(1, 4, side, side, generator=generator) for side in (8, 4)]
    there, elsewhere = ([each.clone() for each in wanted] for _ in range(2))
    for row, column, wrong in ((2, 3, there), (6, 6, elsewhere)):
        wrong[0][..., row, column] += 1
        wrong[1][..., row // 2, column // 2] += 1
    errors = [float(feature_error(wrong, wanted, weight)) for wrong in (there, elsewhere)]
    plain = [float(feature_error(wrong, wanted)) for wrong in (there, elsewhere)]
    assert plain[0] == pytest.approx(plain[1])
    assert errors == pytest.approx([plain[0] * (0.8 + FLOOR), plain[1] * FLOOR])
