"""From raw predictions to boxes."""

from __future__ import annotations

import pytest
import torch

from wavenetmv.labels import COCO_CATEGORY_IDS, COCO_LABELS
from wavenetmv.models.boxes import decode_boxes, find_objects, suppress


def empty(height: int, width: int) -> torch.Tensor:
    anchors = sum((height // stride) * (width // stride) for stride in (8, 16, 32))
    return torch.zeros(anchors, 85)


def test_labels_and_ids_belong_together():
    assert len(COCO_LABELS) == len(COCO_CATEGORY_IDS) == len(set(COCO_LABELS)) == 80
    assert list(COCO_CATEGORY_IDS) == sorted(COCO_CATEGORY_IDS)
    assert COCO_CATEGORY_IDS[COCO_LABELS.index("toothbrush")] == 90


def test_rows_run_over_three_grids():
    raw = empty(64, 96)
    raw[:, :2] = 0.5  # half a cell from its corner; sizes exp(0) = 1 stride
    boxes, scores = decode_boxes(raw, 64, 96)
    assert scores.shape == (len(raw), 80)
    assert boxes[0].tolist() == [0, 0, 8, 8]
    assert boxes[1].tolist() == [8, 0, 16, 8]
    assert boxes[12].tolist() == [0, 8, 8, 16]
    assert boxes[8 * 12].tolist() == [0, 0, 16, 16]
    assert boxes[-1].tolist() == [64, 32, 96, 64]


def test_suppression_spares_other_classes_and_small_overlaps():
    boxes = torch.tensor(
        [[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [8, 0, 18, 10]], dtype=torch.float32
    )
    classes = torch.tensor([3, 3, 5, 3])
    assert suppress(boxes, torch.arange(4.0).flip(0), classes, 0.65).tolist() == [0, 2, 3]


def test_a_suppressed_box_suppresses_none():
    boxes = torch.tensor([[0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10]], dtype=torch.float32)
    kept = suppress(boxes, torch.ones(3), torch.zeros(3, dtype=torch.int64), 0.5)
    assert kept.tolist() == [0, 2]


@pytest.mark.parametrize("threshold", [0.2, 0.6])
def test_objects_come_best_first_and_clipped(threshold):
    raw = empty(64, 64)
    for row, (label, score) in {0: ("cat", 0.5), 70: ("dog", 0.9), 83: ("cat", 0.1)}.items():
        raw[row, 2:4] = 1.0
        raw[row, 4] = 1.0
        raw[row, 5 + COCO_LABELS.index(label)] = score
    found = find_objects(raw, (64, 64), (60, 50), threshold)
    assert [each.label for each in found] == (["dog", "cat"] if threshold < 0.5 else ["dog"])
    assert all(0 <= b[0] <= b[2] <= 50 and 0 <= b[1] <= b[3] <= 60 for b in (f.box for f in found))
