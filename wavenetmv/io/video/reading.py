"""`VideoReader`: any video, or a sequence of pictures, as frames with exact times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from wavenetmv.errors import UsageFault
from wavenetmv.io.video import sequences
from wavenetmv.io.video.decoding import Options
from wavenetmv.io.video.opened import OpenedVideo, open_video
from wavenetmv.io.video.pipes import ReadAhead
from wavenetmv.types import MAX_PIXELS_DEFAULT, ColourMatrix, VideoFrame, VideoInfo


class VideoReader:
    """Reads a video frame by frame, a few frames ahead of the caller and never more.

        with VideoReader("clip.mp4") as reader:
            print(reader.info.width, reader.info.rate)
            for frame in reader:
                ...

    `source` is one of
        a path                  anything ffmpeg reads: MP4, MOV, MKV, WebM, AVI, GIF, y4m, ...
        a folder                its pictures in natural order of their names
        "frame_%05d.png"        the pictures with those numbers, from the lowest, without gaps
        "shots/*.jpg"           the pictures that match, in natural order
        "-" or a binary file    a pipe: y4m, MKV, WebM, fragmented MP4, MPEG-TS, ...; a file
                                that can seek is read as by its path, from its beginning

    rate            frames per second of pictures, which have none; 25 without it
    matrix          the YUV matrix, where the source states none or a wrong one
    keep_damaged    go on after damage, with a note, in place of an InputError
    scan            read a file's packets once beforehand, for frame count, exact rate and
                    duration; pipes cannot be
    read_ahead      frames in memory besides the caller's
    threads         of the decoder; 0: as many as it likes
    max_pixels      a frame above this is refused

    Frames are those the source shows, in order and with its own time stamps, 8-bit RGB,
    rotated as they should be seen; without a matrix YUV is taken for BT.601, as ffmpeg does.
    Entering the context raises InputError for what is no video or cannot be opened and
    UsageFault for a stream of ours. Iterating raises InputError, with ffmpeg's own words,
    after the last frame before the damage. Leaving it ends ffmpeg, whatever happened.
    """

    def __init__(
        self,
        source: str | Path | BinaryIO,
        *,
        rate: Fraction | None = None,
        matrix: ColourMatrix | None = None,
        keep_damaged: bool = False,
        scan: bool = True,
        read_ahead: int = 4,
        threads: int = 0,
        max_pixels: int = MAX_PIXELS_DEFAULT,
    ) -> None:
        if read_ahead < 1 or threads < 0 or max_pixels < 1:
            raise ValueError("read_ahead and max_pixels must be above 0, threads not below")
        self._source = source
        self._rate = rate
        self._options = Options(matrix, keep_damaged, threads, max_pixels)
        self._scan = scan
        self._depth = read_ahead
        self._stack = ExitStack()
        self._frames: OpenedVideo | sequences.PictureFrames | None = None
        self._ahead: Iterator[VideoFrame] = iter(())

    @property
    def info(self) -> VideoInfo:
        return self._opened().info

    @property
    def notes(self) -> tuple[str, ...]:
        """What reading changed or left out so far, one line each, for the user."""
        return tuple(dict.fromkeys(self._opened().notes))

    def __enter__(self) -> VideoReader:
        with ExitStack() as stack:
            self._frames = self._open(stack)
            ahead = ReadAhead(self._frames, self._depth)
            stack.callback(ahead.close)
            stack.callback(self._frames.stop)  # first, so that the thread ahead ends
            self._ahead = ahead
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End ffmpeg; what was read ahead is dropped and iteration is over."""
        self._stack.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        return self._ahead

    def _opened(self) -> OpenedVideo | sequences.PictureFrames:
        if self._frames is None:
            raise ValueError("VideoReader is used inside a `with` block")
        return self._frames

    def _open(self, stack: ExitStack) -> OpenedVideo | sequences.PictureFrames:
        if paths := sequences.find(self._source):
            rate = self._rate or sequences.DEFAULT_RATE
            return sequences.PictureFrames(paths, rate, self._options.max_pixels)
        if self._rate is not None:
            raise UsageFault(f"{self._source}: a rate is for pictures; a video has its own")
        return stack.enter_context(open_video(self._source, self._options, scan=self._scan))
