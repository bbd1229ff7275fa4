"""Keeps the quality of a group of pictures from falling: what inter frames do with lambda.

A group begins with the quality of its intra frame.  Blocks that are coded anew fall to what
inter frames sustain at their lambda, so the longer the group, the worse (docs/decisions/0012).
The encoder knows what it decodes: when quality falls, the next frames get more lambda, and
where there is no more of it, rounding that drops less.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean

from wavenetmv.types import LAMBDA_INDEX_MAX, LAMBDA_STEPS_PER_OCTAVE

_SETTLING = 3  # inter frames of a group by which the others are measured
_TOLERANCE_DB = 0.25
_STEPS_PER_DB = 20  # of lambda, for each dB below and frame
_MOST_STEPS = 2 * LAMBDA_STEPS_PER_OCTAVE  # of lambda
_MOST_FINER = 2 * LAMBDA_STEPS_PER_OCTAVE  # beyond that
# Errors add up slowly.  What falls or rises faster than this from one frame to the next has
# become harder or easier to code.
_JUMP_DB = 0.4
_BEST_DB = 99.0


@dataclass
class QualityHold:
    """Of one group, for the next inter frame of which `index` and `finer` say how to code it.

    lambda_index  of the group's inter frames as long as quality holds
    rounds_finer  whether rounding may follow quality too
    """

    lambda_index: int
    rounds_finer: bool = True

    _settling: list[float] = field(default_factory=list)
    _wanted_db: float = 0.0
    _last_db: float = 0.0
    _steps: float = 0.0

    @property
    def index(self) -> int:
        """Its lambda's."""
        return self.lambda_index + min(round(self._steps), self._most_steps)

    @property
    def finer(self) -> float:
        """Octaves of lambda that are missing beyond `index`: by these, rounding values errors
        more than it would at that lambda."""
        return max(0.0, self._steps - self._most_steps) / LAMBDA_STEPS_PER_OCTAVE

    @property
    def _most_steps(self) -> int:
        return min(_MOST_STEPS, LAMBDA_INDEX_MAX - self.lambda_index)

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
            most = self._most_steps + (_MOST_FINER if self.rounds_finer else 0)
            self._steps = min(max(0.0, self._steps + _STEPS_PER_DB * lag), most)
        self._last_db = psnr_db
