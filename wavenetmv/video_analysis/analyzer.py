"""A video stream to results, frame by frame.

stream -> DecodedVideo -> DecodedFrame -> y_hat -> head -> results -> Tracker -> AnalyzedFrame
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from wavenetmv.errors import UsageFault
from wavenetmv.types import MAX_PIXELS_DEFAULT, Detection, Finding, VideoInfo
from wavenetmv.video import DecodedVideo
from wavenetmv.video_analysis.tracking import WEAK_SCORE, Tracker

if TYPE_CHECKING:
    from wavenetmv.analysis import Analyzer
    from wavenetmv.codec import PictureCodec
    from wavenetmv.frame_coders import DecodedFrame

# A frame and the least score to what is in the frame.
Find = Callable[["DecodedFrame", float], Sequence[Finding]]


def by_latents(analyzer: Analyzer) -> Find:
    """Reads an intra frame's own latents, of an inter frame those of its pixels."""

    def find(frame: DecodedFrame, least: float) -> list[Finding]:
        decoded = frame.latents is None
        return analyzer.find(frame.y_hat(), frame.size, frame.weights_hash, least, decoded)

    return find


@dataclass(frozen=True, slots=True, eq=False)
class AnalyzedFrame:
    """What one frame of a video shows.

    index   of the frame in its stream, from 0
    time_s  seconds from the start of the video to when it is shown, exact
    found   best first; boxes in pixels of the frame
    """

    index: int
    time_s: Fraction
    found: tuple[Finding, ...]
    _content: DecodedFrame = field(repr=False)

    def pixels(self) -> npt.NDArray[np.uint8]:
        """The frame itself, uint8 [H, W, 3], RGB: decoded now unless it was needed before."""
        return self._content.pixels()


class VideoAnalyzer:
    """Analyzes the frames of one stream, one after the other; a context manager.

        with VideoAnalyzer(codec, "clip.wmv", by_latents(analyzer), 0.25) as video:
            for frame in video:
                ...

    source     a file name, "-" for standard input, or an open binary file or pipe
    find       what is in a frame: `by_latents`, or a detector on its pixels
    threshold  the least score, 0..1
    every      only frames whose number is a multiple of it; those between are decoded only
               where these build on them
    tracks     number the objects; `find` must give detections then, see `Tracker`
    others     as for `DecodedVideo`

    Memory does not grow with the video's length. Opening and iterating raise what
    `DecodedVideo` and `find` raise; making one with `tracks` UsageFault where there is no
    library that tracks.
    """

    def __init__(
        self,
        codec: PictureCodec,
        source: str | Path | BinaryIO,
        find: Find,
        threshold: float,
        *,
        every: int = 1,
        tracks: bool = False,
        allow_truncated: bool = False,
        skip_damaged: bool = False,
        max_pixels: int = MAX_PIXELS_DEFAULT,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise UsageFault(f"threshold must be in 0..1, got {threshold:g}")
        self._find, self._threshold, self._every = find, threshold, every
        self._video = DecodedVideo(
            codec,
            source,
            allow_truncated=allow_truncated,
            skip_damaged=skip_damaged,
            max_pixels=max_pixels,
            every=every,
        )
        self._tracker = Tracker(threshold) if tracks else None

    def __enter__(self) -> VideoAnalyzer:
        self._video.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._video.__exit__(kind, error, trace)

    @property
    def info(self) -> VideoInfo:
        """Of the stream, all of its frames."""
        return self._video.info

    @property
    def notes(self) -> tuple[str, ...]:
        """What was cut, damaged or left out so far, one line each."""
        return self._video.notes

    def __iter__(self) -> Iterator[AnalyzedFrame]:
        distance_s = self._every / self.info.rate
        for each in self._video.read():
            if self._tracker is None:
                found = self._find(each.content, self._threshold)
            else:
                weak = self._find(each.content, min(self._threshold, WEAK_SCORE))
                boxes = [one for one in weak if isinstance(one, Detection)]
                if len(boxes) < len(weak):
                    raise UsageFault("tracks are of objects; what was found has no boxes")
                found = self._tracker.update(boxes, each.time_s, distance_s)
            yield AnalyzedFrame(each.number, each.time_s, tuple(found), each.content)
