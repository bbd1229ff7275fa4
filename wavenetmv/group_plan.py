"""How an encoder makes groups of pictures: how long, and how good their first frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

from wavenetmv.types import LAMBDA_STEPS_PER_OCTAVE, Profile

# Octaves of lambda. For people a whole one saves a little more, but inter frames cannot keep its
# quality; what machines saw of an intra frame, they find again in the frames after it.
_MOST_INTRA_BONUS = 0.3
_MOST_INTRA_BONUS_FOR_MACHINES = 1.3


@dataclass(frozen=True)
class GroupPlan:
    """What `GroupCoder` does with the frames of a video.

    gop          frames of a group, at most
    intra_bonus  steps of lambda that its intra frame is better by
    """

    gop: int
    intra_bonus: int = 0

    @classmethod
    def serving(cls, profile: Profile, gop: int) -> GroupPlan:
        """All frames of a group inherit the quality of its intra frame, so its bits are well
        spent: the longer the group, the more."""
        for_machines = profile is Profile.MACHINE
        most = _MOST_INTRA_BONUS_FOR_MACHINES if for_machines else _MOST_INTRA_BONUS
        bonus = round(most * LAMBDA_STEPS_PER_OCTAVE * min(1.0, math.log2(gop) / 5))
        return cls(gop, bonus)
