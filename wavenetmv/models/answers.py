"""What errors of the latents did to a detection head's answers, and in which parts of the picture.

An answer is what the head says at one place of one of its grids: scores of all classes and a
box.  Its error counts as far as the answer to the original counts, so that a lost object weighs
what it scored, and noise where nothing is weighs nothing.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavenetmv.models.boxes import decode_boxes
from wavenetmv.models.heads import LATENT_STRIDE
from wavenetmv.types import DROP_CELL

_BOX_WEIGHT = 0.18  # of a box's place and log size in strides, squared, where a score counts 1
_MOST_STRIDES = 2.0  # a box that is further off is as wrong as can be
_CELL = LATENT_STRIDE * DROP_CELL  # pixels

Cells = npt.NDArray[np.float32]  # [h / DROP_CELL, w / DROP_CELL]


class Answers:
    """A head's answers to one picture, by which others are judged.

    raw   [1, A, 85] as `DetectionHead.forward` gives it
    size  (h, w) of the latents that it is of
    """

    def __init__(self, raw: Tensor, size: tuple[int, int]) -> None:
        self._raw, self._size = raw[0].float(), size
        self._scores = self._raw[:, 4:5] * self._raw[:, 5:]
        self._counts = self._scores.amax(1)

    def errors(self, raw: Tensor) -> Cells:
        """What is wrong with other answers to the same picture, 0 and more, where it is."""
        return self._spread(self._each(raw[0].float()).cpu().numpy())

    def _each(self, raw: Tensor) -> Tensor:
        """[A]"""
        scores = raw[:, 4:5] * raw[:, 5:]
        wrong = ((scores - self._scores).square() * self._scores).sum(1)
        off = (raw[:, :4] - self._raw[:, :4]).square().clamp(max=_MOST_STRIDES**2).sum(1)
        return wrong + _BOX_WEIGHT * off * self._counts

    def _spread(self, errors: npt.NDArray[np.float32]) -> Cells:
        """Each error evenly over the cells that its box covers: any of them may be the cause."""
        rows, columns = (side // DROP_CELL for side in self._size)
        top, bottom, left, right = self._covered
        share = errors / ((bottom - top) * (right - left))
        # Corners of boxes; running sums along both axes fill them.
        corners = np.zeros((rows + 1, columns + 1))
        for sign, row, column in ((1, top, left), (-1, top, right), (-1, bottom, left),
                                  (1, bottom, right)):  # fmt: skip
            np.add.at(corners, (row, column), sign * share)
        cells = corners.cumsum(0).cumsum(1)[:-1, :-1]
        return cells.clip(min=0).astype(np.float32)

    @cached_property
    def _covered(self) -> tuple[npt.NDArray[np.intp], ...]:
        """First and last rows of cells of each box, and columns; last ones exclusive."""
        h, w = self._size
        boxes, _ = decode_boxes(self._raw.cpu(), LATENT_STRIDE * h, LATENT_STRIDE * w)
        cells = torch.nan_to_num(boxes / _CELL).double().numpy()
        ranges = []
        for first, last, count in (
            (cells[:, 1], cells[:, 3], h // DROP_CELL),
            (cells[:, 0], cells[:, 2], w // DROP_CELL),
        ):
            start = np.floor(first).clip(0, count - 1).astype(np.intp)
            stop = np.ceil(last).clip(start + 1, count).astype(np.intp)
            ranges += [start, stop]
        return tuple(ranges)
