"""Bits for what a detection head looks at: quality maps and rounding from its sensitivity.

y_hat of the picture -> models.sensitivity -> what an error costs there -> drops for cells of
64 x 64 pixels, and how leniently each latent may be rounded
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetmv.analysis import Analyzer
from wavenetmv.errors import UsageFault
from wavenetmv.frame_codec import Focus, Look
from wavenetmv.models.heads import DetectionHead
from wavenetmv.models.inference import per_latent
from wavenetmv.models.sensitivity import sensitivity
from wavenetmv.types import DROP_CELL, Profile

# docs/decisions/0018 and 0019 have what else was tried.
_STRENGTH = 0.3  # octaves of lambda for each octave of sensitivity
_FULL_FROM = -2.25  # log2 of the sensitivity from which nothing drops
_MOST = 5  # half octaves
# Rounding needs no map, so it can follow each latent. Octaves of the slope of distortion over
# rate that it works at: with a sensitivity of `_FULL_FROM` in a cell where nothing drops; more for
# each octave of sensitivity less; less for each octave of lambda that is dropped already.
_LENIENCY, _LENIENCY_PER_SENSITIVITY, _LENIENCY_PER_DROP = -1.0, 1.5, 2.5


@dataclass(frozen=True)
class ObjectFocus:
    """Full lambda where `head` is sensitive, up to 2.5 octaves and more zeros elsewhere."""

    head: DetectionHead

    def __call__(self, y_hat: Tensor, steps: Tensor) -> Look:
        """As `frame_codec.Focus`."""
        cost = torch.log2(sensitivity(self.head, y_hat, steps).clamp_min(1e-12))
        cells = F.max_pool2d(cost[None], DROP_CELL)[0]
        wanted = 2 * _STRENGTH * (_FULL_FROM - cells)
        drops = wanted.round().clamp(0, _MOST).numpy().astype(np.uint8)
        leniency = _LENIENCY + _LENIENCY_PER_SENSITIVITY * (_FULL_FROM - cost)
        leniency -= _LENIENCY_PER_DROP * per_latent(drops) / 2
        return Look(drops, leniency.exp2().to(y_hat.device))


def focus_of(
    analyzer: Analyzer, profile: Profile | None, wanted: bool | None = None
) -> Focus | None:
    """What `PictureCodec.encode` takes, with the detection head of `analyzer`.

    profile  whom the bits serve, as for `PictureCodec.encode`
    wanted   None: for machines, where the weights have a head; True: UsageFault if they have none
    """
    if wanted is None:
        _, profile = analyzer.codec.frames_for(profile)
        if profile is not Profile.MACHINE:
            return None
    elif not wanted:
        return None
    head = analyzer.encoding_head()
    if head is not None:
        return ObjectFocus(cast(DetectionHead, head))
    if wanted:
        raise UsageFault(f"weights {analyzer.codec.weights.name} have no head to focus with")
    return None
