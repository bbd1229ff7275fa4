"""What `wmv analyze` looks for, and how: in pictures and in frames of videos alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from wavenetmv.errors import UsageFault

if TYPE_CHECKING:
    from wavenetmv.api import Codec
    from wavenetmv.bench.detectors import Detector
    from wavenetmv.frame_coders import DecodedFrame
    from wavenetmv.models.heads import Head
    from wavenetmv.types import Finding


@dataclass(frozen=True)
class Search:
    """Finds what has a score of at least `least` and, where `labels` names some, these labels.

    labels      lower case; None: all
    detector    works on pixels in place of the head on latents
    max_pixels  larger pictures and frames are refused
    """

    codec: Codec
    head: type[Head]
    least: float
    labels: frozenset[str] | None
    detector: Detector | None
    max_pixels: int

    @property
    def has_boxes(self) -> bool:
        """What is found are objects."""
        return _has_boxes(self.head)

    def in_picture(self, source: BinaryIO) -> list[Finding]:
        """Of the picture's stream. Raises StreamError and CheckpointError."""
        if self.detector is not None:
            picture = self.codec.engine().decode(source, self.max_pixels)
            return self._only_wanted(self.detector.detect(picture.pixels, self.least))
        analyzer = self.codec.analyzer(self.head.task)
        return self._only_wanted(analyzer.analyze(source, self.least, self.max_pixels))

    def in_frame(self, frame: DecodedFrame, least: float) -> list[Finding]:
        """Of a frame, with a least score of its own. Raises CheckpointError."""
        from wavenetmv.video_analysis import by_latents

        if self.detector is not None:
            return self._only_wanted(self.detector.detect(frame.pixels(), least))
        return self._only_wanted(by_latents(self.codec.analyzer(self.head.task))(frame, least))

    def _only_wanted(self, found: Sequence[Finding]) -> list[Finding]:
        return [each for each in found if self.labels is None or each.label.lower() in self.labels]


def detector_of(path: Path | None, threads: int | None) -> Detector | None:
    """That of --pixels. Raises InputError, and UsageFault where its libraries are missing."""
    if path is None:
        return None
    from wavenetmv.bench.detectors import load_detector

    return load_detector(path, threads)


def check_boxes(head: type[Head], options: dict[str, object]) -> None:
    """Raises UsageFault when one of `options`, which are about boxes, meets another task."""
    given = [name for name, value in options.items() if value]
    if given and not _has_boxes(head):
        raise UsageFault(
            f"{', '.join(given)}: only objects have boxes; this fits --task detect, "
            f"not --task {head.task}"
        )


def labels_of(classes: str | None, head: type[Head]) -> frozenset[str] | None:
    """Lower case. Raises UsageFault for labels that the task does not have."""
    if classes is None:
        return None
    known = {label.lower(): label for label in head.labels}
    wanted = frozenset(name.strip().lower() for name in classes.split(",") if name.strip())
    if unknown := sorted(wanted - set(known)):
        near = [known[each] for name in unknown for each in get_close_matches(name, known)]
        hint = f"near ones are {', '.join(near)}" if near else f"there are {_some(head.labels)}"
        raise UsageFault(f"unknown labels {', '.join(unknown)}; {hint}")
    return wanted


def _has_boxes(head: type[Head]) -> bool:
    from wavenetmv.models.heads import DetectionHead

    return issubclass(head, DetectionHead)


def _some(labels: Sequence[str], limit: int = 80) -> str:
    more = len(labels) - limit
    return ", ".join(labels[:limit]) + (f" and {more} more" if more > 0 else "")
