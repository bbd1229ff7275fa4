"""Keeps the quality of a group of pictures from falling: what inter frames do with lambda.

A group begins with the quality of its intra frame.  Blocks that are coded anew fall to what
inter frames sustain at their lambda, so the longer the group, the worse (docs/decisions/0012).
The encoder knows what it decodes: when quality falls, the next frames get more lambda.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean

from wavenetmv.types import LAMBDA_STEPS_PER_OCTAVE

_SETTLING = 3  # inter frames of a group by which the others are measured
_TOLERANCE_DB = 0.25
_STEPS_PER_DB = 20  # of lambda, for each dB below and frame
_MOST_STEPS = 2 * LAMBDA_STEPS_PER_OCTAVE
# Errors add up slowly.  What falls or rises faster than this from one frame to the next has
# become harder or easier to code.
_JUMP_DB = 0.4
_BEST_DB = 99.0


@dataclass
class QualityHold:
    """Of one group. `steps` is what is to be added to lambda's index for the next inter frame."""

    _settling: list[float] = field(default_factory=list)
    _wanted_db: float = 0.0
    _last_db: float = 0.0
    _steps: float = 0.0

    @property
    def steps(self) -> int:
        return round(self._steps)

    def saw(self, psnr_db: float) -> None:
        """PSNR of the group's next inter frame, as decoded; inf if nothing was lost."""
        psnr_db = min(psnr_db, _BEST_DB)
        if len(self._settling) < _SETTLING:
            self._settling.append(psnr_db)
            self._wanted_db = fmean(self._settling)
        else:
            change = psnr_db - self._last_db
            if abs(change) > _JUMP_DB:
                self._wanted_db += change
            lag = self._wanted_db - psnr_db - _TOLERANCE_DB
            self._steps = min(max(0.0, self._steps + _STEPS_PER_DB * lag), _MOST_STEPS)
        self._last_db = psnr_db
