"""What errors of the latents did to a detection head's answers, and which way they would mend.

An answer is what the head says at one place of one of its grids: scores of all classes and a
box.  Its error counts as far as the answer to the original counts or, if that scores more, the one
that came of it: a lost object and a false one weigh what they score, noise weighs nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from wavenetmv.models.boxes import STRIDES
from wavenetmv.models.heads import LATENT_STRIDE, DetectionHead
from wavenetmv.models.layout import channels_last
from wavenetmv.models.tiling import Span, tiles
from wavenetmv.models.yolox import as_scores

_BOX_WEIGHT = 0.18  # of a box's place and log size in strides, squared, where a score counts 1
_MOST_STRIDES = 2.0  # a box that is further off is as wrong as can be
# Answers in which nothing scores more than this count so little that they are left out: they are
# nearly all, and their gradients would take as long as the head's.
_LEAST_SCORE = 0.003
_FALSE_SCORE = 0.05  # of an object at such a place, from which it counts after all
# Larger pictures go in tiles: the gradients of a pass take 0.4 GB per megapixel.
_TILE, _HALO = 64, 8  # latents; multiples of 4, as what heads see


class Answers:
    """A head's answers to y_hat [1, M, h, w], by which those to others are judged."""

    def __init__(self, head: DetectionHead, y_hat: Tensor) -> None:
        self._head = head
        self._dtype = next(head.parameters()).dtype
        # What inference mode makes cannot be used where gradients are wanted.
        with torch.inference_mode(False), torch.no_grad():
            self._parts = [
                (rows, columns, _PartAnswers(self._predicted(y_hat, rows, columns), rows, columns))
                for rows, columns in tiles(y_hat.shape[2], y_hat.shape[3], _TILE, _HALO)
            ]

    @torch.inference_mode()
    def error(self, y_hat: Tensor) -> float:
        """What is wrong with the answers to these latents, 0 and more."""
        return float(
            sum(
                part.error(self._predicted(y_hat, rows, columns))
                for rows, columns, part in self._parts
            )
        )

    def gradient(self, y_hat: Tensor) -> tuple[float, Tensor]:
        """`error`, and its gradient by y_hat, float32 [1, M, h, w]."""
        with torch.inference_mode(False), torch.enable_grad():
            total, gradient = 0.0, torch.zeros_like(y_hat, dtype=torch.float32)
            for rows, columns, part in self._parts:
                seen = self._seen(y_hat, rows, columns).clone().requires_grad_()
                error = part.error(self._head.predicted(seen)[0])
                gradient[:, :, rows.seen, columns.seen] += torch.autograd.grad(error, seen)[0]
                total += float(error.detach())
        return total, gradient

    def _predicted(self, y_hat: Tensor, rows: Span, columns: Span) -> Tensor:
        """What the head says in a tile, [A, 85]."""
        return self._head.predicted(self._seen(y_hat, rows, columns))[0]

    def _seen(self, y_hat: Tensor, rows: Span, columns: Span) -> Tensor:
        return channels_last(y_hat[:, :, rows.seen, columns.seen], self._dtype)


class _PartAnswers:
    """Those of one tile."""

    def __init__(self, predicted: Tensor, rows: Span, columns: Span) -> None:
        raw = as_scores(predicted.float())
        scores = _scores(raw)
        h, w = (LATENT_STRIDE * (each.seen_stop - each.seen_start) for each in (rows, columns))
        own = _yielded(h, w, rows.inner, columns.inner).to(raw.device)
        counting = own & (scores.amax(1) > _LEAST_SCORE)
        self._rows, self._quiet = counting.nonzero()[:, 0], own & ~counting
        self._boxes, self._scores = raw[self._rows, :4], scores[self._rows]
        self._counts = self._scores.amax(1)

    def error(self, predicted: Tensor) -> Tensor:
        """Of other answers."""
        raw = as_scores(predicted[self._rows].float())
        scores = _scores(raw)
        counts = torch.maximum(scores, self._scores)
        wrong = ((scores - self._scores).square() * counts).sum(1)
        off = (raw[:, :4] - self._boxes).square().clamp(max=_MOST_STRIDES**2).sum(1)
        loud = self._quiet & (predicted[:, 4].sigmoid() > _FALSE_SCORE)
        false = _scores(as_scores(predicted[loud].float()))
        return (wrong + _BOX_WEIGHT * off * self._counts).sum() + false.pow(3).sum()


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
