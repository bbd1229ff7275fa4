"""What errors of the latents did to a detection head's answers, and in which parts of the picture.

An answer is what the head says at one place of one of its grids: scores of all classes and a
box.  Its error counts as far as the answer to the original counts, so that a lost object weighs
what it scored, and noise where nothing is weighs nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavenetmv.models.boxes import STRIDES, decode_boxes
from wavenetmv.models.heads import LATENT_STRIDE, DetectionHead
from wavenetmv.models.layout import channels_last
from wavenetmv.models.tiling import Span, tiles
from wavenetmv.types import DROP_CELL

_BOX_WEIGHT = 0.18  # of a box's place and log size in strides, squared, where a score counts 1
_MOST_STRIDES = 2.0  # a box that is further off is as wrong as can be
_CELL = LATENT_STRIDE * DROP_CELL  # pixels
_TILE, _HALO = 64, 8  # latents; multiples of 4, as cells and what heads see

Cells = npt.NDArray[np.float32]  # [h / DROP_CELL, w / DROP_CELL]


class Answers:
    """A head's answers to y_hat [1, M, h, w], by which those to others are judged.

    Large pictures go in tiles, which bounds the memory.
    """

    def __init__(self, head: DetectionHead, y_hat: Tensor) -> None:
        self._head = head
        h, w = y_hat.shape[2:]
        self._parts = [
            (rows, columns, _PartAnswers(self._raw(y_hat, rows, columns), rows, columns))
            for rows, columns in tiles(h, w, _TILE, _HALO)
        ]

    def errors(self, y_hat: Tensor) -> Cells:
        """What is wrong with the answers to these latents, 0 and more, where it is."""
        cells = np.zeros([side // DROP_CELL for side in y_hat.shape[2:]], np.float32)
        for rows, columns, part in self._parts:
            within = _in_cells(rows.seen), _in_cells(columns.seen)
            cells[within] += part.errors(self._raw(y_hat, rows, columns))
        return cells

    @torch.inference_mode()
    def _raw(self, y_hat: Tensor, rows: Span, columns: Span) -> Tensor:
        """The head's answers [A, 85] in a tile."""
        seen = y_hat[:, :, rows.seen, columns.seen]
        dtype = next(self._head.parameters()).dtype
        size = (LATENT_STRIDE * seen.shape[2], LATENT_STRIDE * seen.shape[3])
        raw: Tensor = self._head(channels_last(seen, dtype), size)[0]
        return raw.float()


class _PartAnswers:
    """Those of one tile."""

    def __init__(self, raw: Tensor, rows: Span, columns: Span) -> None:
        self._boxes, self._scores = raw[:, :4], _scores(raw).half()  # half of the memory
        self._counts = self._scores.amax(1).float()
        h, w = (LATENT_STRIDE * (each.seen_stop - each.seen_start) for each in (rows, columns))
        self._own = _yielded(h, w, rows.inner, columns.inner).to(raw.device)
        self._cells = (h // _CELL, w // _CELL)
        self._covered = _covered(decode_boxes(raw.cpu(), h, w)[0], *self._cells)

    def errors(self, raw: Tensor) -> Cells:
        """Of other answers, in the cells that the tile sees."""
        wanted = self._scores.float()
        wrong = ((_scores(raw) - wanted).square() * wanted).sum(1)
        off = (raw[:, :4] - self._boxes).square().clamp(max=_MOST_STRIDES**2).sum(1)
        each = (wrong + _BOX_WEIGHT * off * self._counts) * self._own
        return self._spread(each.cpu().numpy())

    def _spread(self, errors: npt.NDArray[np.float32]) -> Cells:
        """Each error evenly over the cells that its box covers: any of them may be the cause."""
        top, bottom, left, right = self._covered
        share = errors / ((bottom - top) * (right - left))
        # Corners of boxes; running sums along both axes fill them.
        corners = np.zeros([count + 1 for count in self._cells])
        for sign, row, column in (
            (1, top, left),
            (-1, top, right),
            (-1, bottom, left),
            (1, bottom, right),
        ):
            np.add.at(corners, (row, column), sign * share)
        cells = corners.cumsum(0).cumsum(1)[:-1, :-1]
        return cells.clip(min=0).astype(np.float32)


def _scores(raw: Tensor) -> Tensor:
    return raw[:, 4:5] * raw[:, 5:]


def _yielded(height: int, width: int, rows: slice, columns: slice) -> Tensor:
    """Bool [A]: which answers of a tile of height x width pixels lie in its `rows` and `columns`
    of latents."""
    found = []
    for stride in STRIDES:
        places = torch.zeros(height // stride, width // stride, dtype=torch.bool)
        per_latent = LATENT_STRIDE / stride
        inner = [
            slice(int(side.start * per_latent), int(side.stop * per_latent))
            for side in (rows, columns)
        ]
        places[inner[0], inner[1]] = True
        found.append(places.flatten())
    return torch.cat(found)


def _covered(boxes: Tensor, rows: int, columns: int) -> tuple[npt.NDArray[np.intp], ...]:
    """First and last rows of cells of boxes [A, 4], and columns; last ones exclusive."""
    corners = torch.nan_to_num(boxes / _CELL).double().numpy()
    ranges = []
    for first, last, count in (
        (corners[:, 1], corners[:, 3], rows),
        (corners[:, 0], corners[:, 2], columns),
    ):
        start = np.floor(first).clip(0, count - 1).astype(np.intp)
        stop = np.ceil(last).clip(start + 1, count).astype(np.intp)
        ranges += [start, stop]
    return tuple(ranges)


def _in_cells(latents: slice) -> slice:
    return slice(latents.start // DROP_CELL, latents.stop // DROP_CELL)
