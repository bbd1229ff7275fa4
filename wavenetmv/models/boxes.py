"""From a detector's raw output to boxes: YOLOX's grid (Ge et al., 2021) and suppression."""

from __future__ import annotations

import torch
from torch import Tensor

from wavenetmv.labels import COCO_LABELS
from wavenetmv.types import Detection

STRIDES = (8, 16, 32)
_CANDIDATES = 1000  # with the highest scores; more never survive suppression


def decode_boxes(raw: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """raw [A, 5 + classes] of a height x width input (multiples of 32) -> boxes and scores.

    A row is centre offset (x, y) in strides, log size (w, h) in strides, objectness, class
    probabilities; rows run over the grids of strides 8, 16, 32.  Returns boxes [A, 4] as
    x1, y1, x2, y2 in input pixels and scores [A, classes] in 0..1.
    """
    corners, strides = [], []
    for stride in STRIDES:
        rows, columns = torch.meshgrid(
            torch.arange(height // stride), torch.arange(width // stride), indexing="ij"
        )
        corners.append(torch.stack([columns, rows], -1).reshape(-1, 2))
        strides.append(torch.full((corners[-1].shape[0], 1), stride))
    stride_of = torch.cat(strides).to(raw)
    centre = (raw[:, :2] + torch.cat(corners).to(raw)) * stride_of
    half = raw[:, 2:4].exp() * stride_of / 2
    return torch.cat([centre - half, centre + half], 1), raw[:, 4:5] * raw[:, 5:]


def suppress(boxes: Tensor, scores: Tensor, classes: Tensor, overlap: float) -> Tensor:
    """Non-maximum suppression within each class; boxes sorted by falling score.

    boxes [K, 4], scores and classes [K] -> indices of those kept: of two boxes of one class
    whose intersection over union is above `overlap`, the better one.
    """
    top_left = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    bottom_right = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (bottom_right - top_left).clamp_min(0).prod(2)
    area = (boxes[:, 2:] - boxes[:, :2]).clamp_min(0).prod(1)
    union = area[:, None] + area[None, :] - shared
    rivals = (shared > overlap * union) & (classes[:, None] == classes[None, :])
    alive = torch.ones(len(boxes), dtype=torch.bool)
    for index in range(len(boxes)):
        if alive[index]:
            alive[index + 1 :] &= ~rivals[index, index + 1 :]
    return alive.nonzero().flatten()


def find_objects(
    raw: Tensor,
    input_size: tuple[int, int],
    picture_size: tuple[int, int],
    threshold: float,
    overlap: float = 0.65,
    limit: int = 300,
) -> list[Detection]:
    """Detections of one picture, best first.

    raw as for `decode_boxes`, of an input of `input_size` (height, width) whose top left
    `picture_size` part is the picture; boxes are clipped to it.
    """
    boxes, scores = decode_boxes(raw.float().cpu(), *input_size)
    return keep_best(boxes, scores, picture_size, threshold, overlap, limit)


def keep_best(
    boxes: Tensor,
    scores: Tensor,
    picture_size: tuple[int, int],
    threshold: float,
    overlap: float,
    limit: int = 300,
) -> list[Detection]:
    """Detections, best first, from boxes [A, 4] and scores [A, 80] of a picture (height, width)."""
    anchor, classes = (scores > threshold).nonzero(as_tuple=True)
    score, order = scores[anchor, classes].sort(descending=True, stable=True)
    score, order = score[:_CANDIDATES], order[:_CANDIDATES]
    boxes, classes = boxes[anchor[order]], classes[order]
    height, width = picture_size
    boxes[:, 0::2] = boxes[:, 0::2].clamp(0, width)
    boxes[:, 1::2] = boxes[:, 1::2].clamp(0, height)
    kept = suppress(boxes, score, classes, overlap)[:limit]
    return [
        Detection(int(c), COCO_LABELS[int(c)], float(s), tuple(box))
        for box, s, c in zip(boxes[kept].tolist(), score[kept], classes[kept], strict=True)
    ]
