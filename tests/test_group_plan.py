"""How long groups of pictures are, and whom their frames' lambda serves."""

from __future__ import annotations

from wavenetmv.group_plan import GroupPlan
from wavenetmv.types import LAMBDA_STEPS_PER_OCTAVE, Profile


def test_intra_frames_of_long_groups_get_more_lambda_most_for_machines():
    people, machines = (
        [GroupPlan.serving(profile, gop).intra_bonus for gop in (1, 2, 8, 32, 500)]
        for profile in (Profile.HUMAN, Profile.MACHINE)
    )
    assert people[0] == machines[0] == 0
    assert all(0 < a < b for a, b in zip(people[1:], machines[1:], strict=True))
    for bonus in (people, machines):
        assert bonus == sorted(bonus)
        assert bonus[3] == bonus[4] < 2 * LAMBDA_STEPS_PER_OCTAVE
