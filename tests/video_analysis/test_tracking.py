"""Boxes that move as objects do: which of them keep their numbers."""

from __future__ import annotations

import sys
from fractions import Fraction

import pytest

from wavenetmv.errors import UsageFault
from wavenetmv.labels import COCO_LABELS
from wavenetmv.types import Detection
from wavenetmv.video_analysis import AnalyzedFrame, Summary, Tracker, check_library

DISTANCE = Fraction(1, 25)


def box(label: str, left: float, score: float = 0.8, top: float = 20) -> Detection:
    return Detection(COCO_LABELS.index(label), label, score, (left, top, left + 40, top + 40))


def track(frames, distance_s=DISTANCE, threshold=0.25):
    tracker = Tracker(threshold)
    return [tracker.update(found, n * distance_s, distance_s) for n, found in enumerate(frames)]


def numbers(tracked, label):
    """Of the objects of a class, frame by frame; () where there is none."""
    return [tuple(each.track for each in found if each.label == label) for found in tracked]


def test_numbers_begin_at_1_and_stay():
    tracked = track([[box("cat", 10 + 3 * n), box("cat", 200 - 3 * n)] for n in range(10)])
    assert numbers(tracked, "cat") == [(None, None)] + [(1, 2)] * 9
    boxes = [each.box for each in tracked[4]]
    assert boxes == [box("cat", 22).box, box("cat", 188).box]


def test_a_short_gap_is_bridged_and_a_long_one_not():
    gone = {5, 6, 7, 8}
    found = numbers(
        track([[] if n in gone else [box("cat", 10 + 3 * n)] for n in range(12)]), "cat"
    )
    assert found == [(None,)] + [(1,)] * 4 + [()] * 4 + [(1,)] * 3
    gone = set(range(5, 35))  # longer than a second
    found = numbers(track([[] if n in gone else [box("cat", 10)] for n in range(40)]), "cat")
    assert found[4] == (1,)
    assert found[36:] == [(2,)] * 4


def test_the_gap_is_measured_in_seconds_not_in_frames():
    """Ten frames are a short gap at 25 frames a second; at one a second they are not."""
    frames = [[] if 3 <= n < 13 else [box("cat", 10)] for n in range(16)]
    assert numbers(track(frames), "cat")[-1] == (1,)
    assert numbers(track(frames, Fraction(1)), "cat")[-1] == (2,)
    # But a frame without it is not the end of a track, however far frames are apart.
    frames = [[] if n == 3 else [box("cat", 10)] for n in range(8)]
    assert numbers(track(frames, Fraction(10)), "cat")[-1] == (1,)


def test_objects_of_different_classes_cross():
    frames = [[box("cat", 10 + 6 * n), box("dog", 190 - 6 * n)] for n in range(31)]
    tracked = track(frames)
    assert numbers(tracked, "cat") == [(None,)] + [(1,)] * 30
    assert numbers(tracked, "dog") == [(None,)] + [(2,)] * 30


def test_what_is_seen_once_has_no_number():
    tracked = track([[box("cat", 10), *([box("cat", 300)] if n == 4 else [])] for n in range(8)])
    assert numbers(tracked, "cat")[4] == (1, None)
    assert {number for found in numbers(tracked, "cat") for number in found} == {1, None}


def test_weak_detections_continue_tracks_but_are_not_told():
    """Far enough for the box after the gap to miss where the object was before."""
    frames = [
        [box("cat", 10 + 14 * max(0, n - 3), 0.15 if 4 <= n < 12 else 0.8)] for n in range(16)
    ]
    tracked = track(frames)
    assert numbers(tracked, "cat") == [(None,)] + [(1,)] * 3 + [()] * 8 + [(1,)] * 4
    without = [[each for each in found if each.score > 0.25] for found in frames]
    assert numbers(track(without), "cat")[-1] == (2,)


def test_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackers", None)
    for begin in (check_library, lambda: Tracker(0.25)):
        with pytest.raises(UsageFault, match=r"pip install 'wavenetmv\[track\]'"):
            begin()


def test_summary():
    frames = [
        [box("dog", 90), *([box("cat", 10), box("cat", 300)] if n > 1 else [])] for n in range(5)
    ]
    summary = Summary()
    for n, found in enumerate(track(frames)):
        summary.add(AnalyzedFrame(n, n * DISTANCE, tuple(found), None))
    dog, cat = summary.classes()
    assert (dog.label, dog.tracks, dog.most_at_once, dog.frames) == ("dog", 1, 1, 5)
    assert (cat.label, cat.tracks, cat.most_at_once, cat.frames) == ("cat", 2, 2, 3)
    assert (dog.first_s, dog.last_s, cat.first_s) == (0, 4 * DISTANCE, 2 * DISTANCE)
