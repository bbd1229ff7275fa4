"""What came of encoding or decoding a video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wavenetmv.types import VideoInfo

# Called with the number of frames done and of all, None where that is not known.
Progress = Callable[[int, "int | None"], None]


@dataclass(frozen=True, slots=True)
class VideoSummary:
    """One video that was encoded or decoded.

    info          of the video: size, rate, time base, ...
    frames        how many were written
    stream_bytes  of the .wmv stream that was written, 0 when one was decoded
    seconds       from the first frame read to the last byte written
    notes         what was changed, left out or damaged, one line each
    """

    info: VideoInfo
    frames: int
    stream_bytes: int
    seconds: float
    notes: tuple[str, ...]
