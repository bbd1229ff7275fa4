"""What a video shows in all: a line for each class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from wavenetmv.types import Detection, Finding
from wavenetmv.video_analysis.analyzer import AnalyzedFrame


@dataclass(slots=True)
class ClassSummary:
    """One class in a video.

    tracks        how many objects were told apart by their tracks
    most_at_once  the most in one frame
    frames        analysed frames that show it
    first_s       time of the first of them, seconds
    last_s        time of the last
    """

    label: str
    class_id: int
    first_s: Fraction
    last_s: Fraction
    frames: int = 0
    most_at_once: int = 0
    _numbers: set[int] = field(default_factory=set, repr=False)

    @property
    def tracks(self) -> int:
        return len(self._numbers)

    def add(self, time_s: Fraction, found: Sequence[Finding]) -> None:
        """Another frame that shows the class."""
        self.last_s = time_s
        self.frames += 1
        self.most_at_once = max(self.most_at_once, len(found))
        numbers = (each.track for each in found if isinstance(each, Detection))
        self._numbers.update(number for number in numbers if number is not None)


class Summary:
    """Counts what frames show. Of findings that have no boxes, only the best one of a frame."""

    def __init__(self) -> None:
        self._classes: dict[int, ClassSummary] = {}

    def add(self, frame: AnalyzedFrame) -> None:
        """The next frame."""
        found: dict[int, list[Finding]] = defaultdict(list)
        for place, each in enumerate(frame.found):
            if place == 0 or isinstance(each, Detection):
                found[each.class_id].append(each)
        for class_id, some in found.items():
            if class_id not in self._classes:
                new = ClassSummary(some[0].label, class_id, frame.time_s, frame.time_s)
                self._classes[class_id] = new
            self._classes[class_id].add(frame.time_s, some)

    def classes(self) -> list[ClassSummary]:
        """Those in most frames first."""
        return sorted(self._classes.values(), key=lambda each: (-each.frames, each.first_s))
