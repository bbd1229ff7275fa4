"""One video, opened and looked at: what is known of it, and then its frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wavenetmv.io.video.decoding import Decoder, Options
from wavenetmv.io.video.describe import video_info, video_notes
from wavenetmv.io.video.scanning import Scan
from wavenetmv.io.video.sources import open_input
from wavenetmv.types import VideoFrame, VideoInfo


@contextmanager
def open_video(
    source: str | Path | BinaryIO, options: Options, *, scan: bool
) -> Iterator[OpenedVideo]:
    """Decode `source` up to its first frame; raises as `VideoReader` says.

    The end of the block ends ffmpeg.
    """
    with ExitStack() as stack:
        given = stack.enter_context(open_input(source))
        scanned = Scan(given) if scan and given.inlet is None else None
        decoder = Decoder(given, options)
        stack.enter_context(decoder.process)
        if given.inlet is not None:
            given.inlet.pour(decoder.process.stdin)
        frames = decoder.frames()
        first = next(frames)  # a frame, or the reason why there is none
        info = video_info(first, decoder.time_base, decoder.log, scanned, options.matrix)
        notes = video_notes(info, decoder.log, piped=given.inlet is not None)
        yield OpenedVideo(info, notes, decoder, first, frames)


@dataclass(frozen=True)
class OpenedVideo:
    """Iterates once, over all frames."""

    info: VideoInfo
    first_notes: tuple[str, ...]
    decoder: Decoder
    first: VideoFrame
    others: Iterator[VideoFrame]

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.first_notes, *self.decoder.notes)

    def stop(self) -> None:
        """Make iteration end soon, wherever it is waiting."""
        self.decoder.stop()

    def __iter__(self) -> Iterator[VideoFrame]:
        yield self.first
        yield from self.others
