"""Where a detector sees objects: there its features count, elsewhere hardly.

What a detection needs lies in and around its box.  Errors of features weighted alike
everywhere spend most bits on background (regions of interest for machines: Fischer et al.,
"Boosting neural image compression for machines using latent space masking", 2022).
"""

from __future__ import annotations

import torch
from torch import Tensor

from wavenetmv.models.boxes import STRIDES, decode_boxes

FLOOR = 0.15  # weight where nothing is seen: what looks like an object must not appear there
_LEAST_SCORE = 0.03  # of what is seen; less hardly counts in COCO's measure
_MOST = 100  # predictions of one picture, the surest


@torch.no_grad()
def object_map(raw: Tensor, height: int, width: int) -> Tensor:
    """Weights [B, 1, height / 8, width / 8], FLOOR to 1 + FLOOR.

    raw [B, A, 85] of a height x width input, as `boxes.decode_boxes` takes it of one picture.
    A place weighs the square root of the highest score of a box that it lies in: what the
    detector doubts is the first thing to be lost.
    """
    maps = [_covered(each.float(), height, width) for each in raw]
    return FLOOR + torch.stack(maps)[:, None].sqrt()


def _covered(raw: Tensor, height: int, width: int) -> Tensor:
    """The highest score of a box over each place, [height / 8, width / 8], 0..1."""
    boxes, scores = decode_boxes(raw, height, width)
    score, best = scores.amax(1).topk(min(_MOST, len(scores)))
    score = torch.where(score < _LEAST_SCORE, 0.0, score)
    left, top, right, bottom = (boxes[best] / STRIDES[0]).unbind(1)
    rows = torch.arange(height // STRIDES[0], device=raw.device)
    columns = torch.arange(width // STRIDES[0], device=raw.device)
    in_rows = (rows + 1 > top[:, None]) & (rows < bottom[:, None])
    in_columns = (columns + 1 > left[:, None]) & (columns < right[:, None])
    inside = in_rows[:, :, None] & in_columns[:, None, :]
    return (inside * score[:, None, None]).amax(0)
