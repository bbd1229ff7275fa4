"""A video of the analysed frames, with what was found drawn on them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from wavenetmv.io.overlay import draw_detections
from wavenetmv.io.video import VideoWriter
from wavenetmv.types import Detection, VideoFrame, VideoInfo
from wavenetmv.video.overlap import WriteBehind
from wavenetmv.video_analysis.analyzer import AnalyzedFrame

_DEPTH = 4  # frames waiting to be written


class Overlay:
    """Writes boxes, labels and track numbers on the frames' pixels; without audio.

    `target` and `force` as for `VideoWriter`, `info` of the stream, of which `every`-th frames
    come. The file appears when the block succeeds. Raises what `VideoWriter` raises.
    """

    def __init__(
        self, target: str | Path, info: VideoInfo, *, every: int = 1, force: bool = False
    ) -> None:
        thinned = replace(info, rate=info.rate / every, frame_count=None)
        self._writer = VideoWriter(target, thinned, force=force)
        self._behind = WriteBehind(self._writer.write, _DEPTH)
        self._stack = ExitStack()

    def __enter__(self) -> Overlay:
        with ExitStack() as stack:
            stack.enter_context(self._writer)
            stack.enter_context(self._behind)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the file cannot hold, one line each."""
        return self._writer.notes

    def add(self, frame: AnalyzedFrame) -> None:
        """The next frame, later than the one before."""
        boxes = [each for each in frame.found if isinstance(each, Detection)]
        self._behind.put(VideoFrame(draw_detections(frame.pixels(), boxes), frame.time_s))
