"""Numbers that objects keep from frame to frame, by ByteTrack as the library `trackers` has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from wavenetmv.errors import UsageFault
from wavenetmv.types import Detection

WEAK_SCORE = 0.1  # what a detection needs to continue a track
_PATIENCE_S = 1.0  # how long an object may be gone and still be the same one
_PATIENCE_FRAMES = 3  # and at least so many analysed frames
_LIBRARY_RATE = 30  # frames per second in which the library counts patience


def check_library() -> None:
    """Raises UsageFault, which says what to install, where tracking is not possible."""
    try:
        import trackers  # noqa: F401
    except ImportError as error:
        raise UsageFault(
            f"tracks need the library trackers ({error}): pip install 'wavenetmv[track]'"
        ) from error


class Tracker:
    """Numbers the objects of one video.

    Each class is tracked apart, so a track never changes its label and objects of different
    classes never exchange numbers. Detections of `threshold` or more begin tracks; weaker
    ones, of `WEAK_SCORE` or more, only continue them.

    Raises UsageFault where the library is missing or cannot be loaded.
    """

    def __init__(self, threshold: float) -> None:
        check_library()
        import supervision
        import trackers

        self._make, self._detections = trackers.ByteTrackTracker, supervision.Detections
        self._threshold = threshold
        self._classes: dict[int, Any] = {}
        self._numbers: dict[tuple[int, int], int] = {}

    def update(
        self, found: Sequence[Detection], time_s: Fraction, distance_s: Fraction
    ) -> list[Detection]:
        """The next frame's detections: those of `threshold` or more, in the order given.

        `track` counts from 1. It is None in the first frame that shows an object, as long as
        no other frame confirms it. `distance_s`: seconds from frame to frame, on average.
        """
        keys: dict[int, tuple[int, int]] = {}
        for class_id in {*self._classes, *(each.class_id for each in found)}:
            if class_id not in self._classes:
                self._classes[class_id] = self._tracker(distance_s)
            places = [k for k, each in enumerate(found) if each.class_id == class_id]
            keys |= self._associated(class_id, found, places, time_s)
        tracks = {
            place: self._numbers.setdefault(keys[place], len(self._numbers) + 1)
            for place in sorted(keys)
        }
        return [
            replace(each, track=tracks.get(place))
            for place, each in enumerate(found)
            if each.score >= self._threshold
        ]

    def _tracker(self, distance_s: Fraction) -> Any:
        patience_s = max(_PATIENCE_S, float(_PATIENCE_FRAMES * distance_s))
        return self._make(
            lost_track_buffer=ceil(patience_s * _LIBRARY_RATE),
            frame_rate=float(1 / distance_s),
            track_activation_threshold=self._threshold,
            high_conf_det_threshold=self._threshold,
        )

    def _associated(
        self, class_id: int, found: Sequence[Detection], places: list[int], time_s: Fraction
    ) -> dict[int, tuple[int, int]]:
        """Places in `found` of detections that have a track: class and the library's number."""
        given = self._detections(
            xyxy=np.array([found[k].box for k in places], float).reshape(-1, 4),
            confidence=np.array([found[k].score for k in places], float),
            data={"place": np.array(places, int)},
        )
        made = self._classes[class_id].update(given, timestamp=float(time_s))
        # Without detections the library leaves out the data that came with them.
        pairs = zip(made.data.get("place", ()), made.tracker_id, strict=True)
        return {int(place): (class_id, int(number)) for place, number in pairs if number >= 0}
