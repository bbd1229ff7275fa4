"""Bits for what a detection head looks at: quality maps and rounding from its sensitivity.

y_hat of the picture -> models.sensitivity -> what an error costs there -> drops for cells of
64 x 64 pixels, and how leniently each latent may be rounded -> answer_descent: other latents, by
what the head answers then
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetmv.analysis import Analyzer
from wavenetmv.answer_descent import AnswerDescent
from wavenetmv.errors import UsageFault
from wavenetmv.frame_codec import Focus, Look
from wavenetmv.models.answers import Answers
from wavenetmv.models.heads import LATENT_STRIDE, DetectionHead
from wavenetmv.models.inference import per_latent
from wavenetmv.models.sensitivity import sensitivity
from wavenetmv.types import DROP_CELL, Profile

# docs/decisions/0018 and 0019 have what else was tried.
_STRENGTH = 0.3  # octaves of lambda for each octave of sensitivity
_FULL_FROM = -9.5  # log2 of the sensitivity from which nothing drops
_LEAST = 1e-14  # any less is as little
_MOST = 5  # half octaves
# Rounding needs no map, so it can follow each latent. Octaves of the slope of distortion over
# rate that it works at: with a sensitivity of `_FULL_FROM` in a cell where nothing drops; more for
# each octave of sensitivity less; less for each octave of lambda that is dropped already.
_LENIENCY, _LENIENCY_PER_SENSITIVITY, _LENIENCY_PER_DROP = -1.0, 1.5, 2.5


@dataclass(frozen=True)
class ObjectFocus:
    """Full lambda where `head` is sensitive, up to 2.5 octaves and more zeros elsewhere; where
    there may be several `trials`, latents to which it answers as to the original.

    trials     how often a frame is coded at most; None: `answer_descent.default_trials`
    of_pixels  gives the head for frames whose pixels heads will see; None: it is `head`
    """

    head: DetectionHead
    trials: int | None = None
    of_pixels: Callable[[], DetectionHead] | None = None

    def __call__(self, y_hat: Tensor) -> Look:
        """As `frame_codec.Focus`."""
        cost = torch.log2(sensitivity(self.head, y_hat).clamp_min(_LEAST))
        cells = F.max_pool2d(cost[None], DROP_CELL)[0]
        wanted = 2 * _STRENGTH * (_FULL_FROM - cells)
        drops = wanted.round().clamp(0, _MOST).numpy().astype(np.uint8)
        leniency = _LENIENCY + _LENIENCY_PER_SENSITIVITY * (_FULL_FROM - cost)
        leniency -= _LENIENCY_PER_DROP * per_latent(drops) / 2
        search_of = None if self.trials == 1 else self._search
        return Look(drops, leniency.exp2().to(y_hat.device), search_of)

    def _search(self, y_hat: Tensor, of_pixels: bool) -> AnswerDescent:
        """As `frame_codec.SearchOf`."""
        head = self.of_pixels() if of_pixels and self.of_pixels else self.head
        pixels = LATENT_STRIDE**2 * y_hat.shape[2] * y_hat.shape[3]
        return AnswerDescent(Answers(head, y_hat), pixels, self.trials)


def focus_of(
    analyzer: Analyzer,
    profile: Profile | None,
    wanted: bool | None = None,
    trials: int | None = None,
) -> Focus | None:
    """What `PictureCodec.encode` takes, with the detection head of `analyzer`.

    profile  whom the bits serve, as for `PictureCodec.encode`
    wanted   None: for machines, where the weights have a head; True: UsageFault if they have none
    trials   how often a picture is coded at most, to keep the best; None: as `ObjectFocus`;
             UsageFault for several where there is no focus
    """
    if trials is not None and trials < 1:
        raise UsageFault(f"trials must be at least 1, got {trials}")
    focus = _focus_of(analyzer, profile, wanted, trials)
    if focus is None and trials is not None and trials > 1:
        raise UsageFault("several trials are for a focus, and there is none: they need its head")
    return focus


def _focus_of(
    analyzer: Analyzer, profile: Profile | None, wanted: bool | None, trials: int | None
) -> Focus | None:
    if wanted is None:
        _, profile = analyzer.codec.frames_for(profile)
        if profile is not Profile.MACHINE:
            return None
    elif not wanted:
        return None
    head = analyzer.encoding_head()
    if head is not None:
        return ObjectFocus(
            cast(DetectionHead, head),
            trials,
            lambda: cast(DetectionHead, analyzer.encoding_head(of_pixels=True)),
        )
    if wanted:
        raise UsageFault(f"weights {analyzer.codec.weights.name} have no head to focus with")
    return None
