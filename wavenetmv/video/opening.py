"""A stream, opened: what it says of its video, and the packets of the frames that are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

from wavenetmv.bitstream import (
    FrameIndex,
    LocatedFrame,
    Notes,
    StreamHeader,
    StreamReader,
    VideoHeader,
    VideoStreamReader,
    read_audio_packet,
    read_frames,
    read_index,
    read_video_header,
)
from wavenetmv.errors import CorruptStream, TruncatedStream
from wavenetmv.types import MAX_PIXELS_DEFAULT, AudioTrack
from wavenetmv.video.selection import ALL, Selection, playable


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What of a stream may be missing, and how large its frames may be."""

    allow_truncated: bool = False
    skip_damaged: bool = False
    max_pixels: int = MAX_PIXELS_DEFAULT

    def hinted(self, error: CorruptStream) -> CorruptStream:
        """The error with words on what would have helped."""
        if isinstance(error, TruncatedStream) and not (self.allow_truncated or self.skip_damaged):
            return TruncatedStream(f"{error}; --allow-truncated keeps the whole frames")
        if not isinstance(error, TruncatedStream) and not self.skip_damaged:
            return CorruptStream(f"{error}; --skip-damaged leaves it out")
        return error


@dataclass(frozen=True)
class OpenedStream:
    """A stream and what is wanted of it.

    frames     wanted ones, True, and those that must be decoded before them, False
    count      how many are wanted, None if that is not known
    span_s     seconds from the first wanted frame to the end of the last; None if not known
    audio      of the whole video, where it was found before the frames
    reader     of the whole stream, None where only a part of it is read
    """

    header: StreamHeader
    video: VideoHeader
    frames: Iterator[tuple[LocatedFrame, bool]]
    count: int | None
    span_s: tuple[Fraction, Fraction] | None
    audio: AudioTrack | None
    reader: VideoStreamReader | None


def open_stream(
    source: BinaryIO, selection: Selection, tolerance: Tolerance, damage: Notes
) -> OpenedStream:
    """Read header and, where `source` can seek, index and audio. Raises StreamError.

    A selection is read where the index says it is; without one, from the beginning on.
    """
    if not (source.seekable() and source.tell() == 0):
        return _in_order(source, selection, tolerance, None, None)
    header, video = read_video_header(StreamReader(source), tolerance.max_pixels)
    index = _index(source, header, tolerance, damage)
    if index is None:
        source.seek(0)
        return _in_order(source, selection, tolerance, None, None)
    audio = _audio(source, header, index, tolerance, damage)
    if selection == ALL:
        source.seek(0)
        return _in_order(source, selection, tolerance, index, audio)
    numbers = selection.resolve(index, video.tick)
    frames = read_frames(
        source,
        header,
        index,
        index.intra_before(numbers.start),
        numbers.stop,
        damage if tolerance.skip_damaged else None,
    )
    wanted = playable(frames, Selection(numbers.start, numbers.stop), video.tick)
    span_s = _span_s(index, numbers, video)
    return OpenedStream(header, video, wanted, len(numbers), span_s, audio, None)


def _in_order(
    source: BinaryIO,
    selection: Selection,
    tolerance: Tolerance,
    index: FrameIndex | None,
    audio: AudioTrack | None,
) -> OpenedStream:
    reader = VideoStreamReader(
        source,
        max_pixels=tolerance.max_pixels,
        allow_truncated=tolerance.allow_truncated,
        skip_damaged=tolerance.skip_damaged,
        index=index,
    )
    frames = playable(reader, selection, reader.video.tick)
    count = len(index) if index else None
    return OpenedStream(reader.header, reader.video, frames, count, None, audio, reader)


def _index(
    source: BinaryIO, header: StreamHeader, tolerance: Tolerance, damage: Notes
) -> FrameIndex | None:
    """The index; None if there is none, but there may be frames."""
    try:
        return read_index(source, header)
    except TruncatedStream as error:
        if not (tolerance.allow_truncated or tolerance.skip_damaged):
            raise tolerance.hinted(error) from error
    except CorruptStream as error:
        if not tolerance.skip_damaged:
            raise tolerance.hinted(error) from error
        damage.add(f"the index is damaged: {error}")
    return None


def _audio(
    source: BinaryIO,
    header: StreamHeader,
    index: FrameIndex,
    tolerance: Tolerance,
    damage: Notes,
) -> AudioTrack | None:
    try:
        return read_audio_packet(source, header, index)
    except CorruptStream as error:
        if not tolerance.skip_damaged:
            raise tolerance.hinted(error) from error
        damage.add(f"audio left out: {error}")
        return None


def _span_s(index: FrameIndex, numbers: range, video: VideoHeader) -> tuple[Fraction, Fraction]:
    start_s = index.times[numbers.start] * video.tick
    if numbers.stop < len(index):
        return start_s, index.times[numbers.stop] * video.tick
    return start_s, index.times[-1] * video.tick + 1 / video.rate
