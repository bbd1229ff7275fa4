"""A video stream read frame by frame, to its end, its cut or past its damage."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from wavenetmv.bitstream.container import check_pixels
from wavenetmv.bitstream.framing import StreamReader, check_crc
from wavenetmv.bitstream.header import StreamHeader, read_header
from wavenetmv.bitstream.index import FrameIndex
from wavenetmv.bitstream.packets import FRAME_KINDS, PacketKind, RawPacket, read_raw_packet
from wavenetmv.bitstream.recovery import RewindableReader, find_intra, follows
from wavenetmv.bitstream.video_contents import VideoContents
from wavenetmv.bitstream.video_header import VideoHeader
from wavenetmv.bitstream.video_payloads import CodedFrame
from wavenetmv.errors import CorruptStream, StreamError, TruncatedStream, UnsupportedStream
from wavenetmv.types import MAX_PIXELS_DEFAULT, AudioTrack, Metadata

_MAX_NOTES = 100


@dataclass(frozen=True, slots=True)
class LocatedFrame:
    """A frame and where it was.

    number     from 0; behind damage only as far as the frames could be counted
    offset     bytes from the start of the stream
    after_gap  what came before it was lost, so only an INTRA frame can be decoded
    """

    frame: CodedFrame
    number: int
    offset: int
    after_gap: bool = False

    @property
    def label(self) -> str:
        """For messages: "frame 12 at byte 3456"."""
        return f"frame {self.number} at byte {self.offset}"


class Notes:
    """What the user should know, one line each; a bad file does not make them endless."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._more = 0

    def add(self, line: str) -> None:
        if len(self._lines) < _MAX_NOTES:
            self._lines.append(line)
        else:
            self._more += 1

    @property
    def lines(self) -> tuple[str, ...]:
        more = (f"and {self._more} more of the kind",) if self._more else ()
        return (*self._lines, *more)


class VideoStreamReader:
    """Iterates once over the frames of a stream; needs nothing of `source` but `read`.

        reader = VideoStreamReader(source)
        for located in reader:
            ...

    max_pixels       frames above this are refused, UnsupportedStream
    allow_truncated  a stream that was cut gives its whole frames and a note
    skip_damaged     what is damaged is left out with a note, and reading goes on at the next
                     sound packet or, behind a damaged length, at the next INTRA frame. The
                     source's end may be missing too. Needs memory for one packet.
    index            where it is known beforehand: it numbers frames behind damage

    The constructor reads the header. Iterating raises StreamError for what the options do
    not allow, after the last frame before it; without an option that includes END's CRC,
    an index that lists other frames, and whatever follows END.
    """

    def __init__(
        self,
        source: BinaryIO,
        *,
        max_pixels: int = MAX_PIXELS_DEFAULT,
        allow_truncated: bool = False,
        skip_damaged: bool = False,
        index: FrameIndex | None = None,
    ) -> None:
        self._reader = RewindableReader(source) if skip_damaged else StreamReader(source)
        self.header, self.video = read_video_header(self._reader, max_pixels)
        self._may_end_early = allow_truncated or skip_damaged
        self._notes = Notes()
        self._contents = VideoContents(self.header)
        self._offsets = index.offsets() if index else None
        self._number = 0
        self._gap = False
        self._ended = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What was cut or damaged so far."""
        return self._notes.lines

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        """All of it once the first frame is there."""
        return tuple(self._contents.metadata)

    @property
    def audio(self) -> AudioTrack | None:
        """Known when all frames have been read."""
        return self._contents.audio

    @property
    def index(self) -> FrameIndex | None:
        """The stream's own, known when all frames have been read."""
        return self._contents.index

    def __iter__(self) -> Iterator[LocatedFrame]:
        while not self._ended:
            try:
                located = self._next()
            except TruncatedStream as error:
                if not self._may_end_early:
                    raise
                self._end_early(error)
            else:
                if located is not None:
                    yield located
        if not len(self._contents.seen):
            raise CorruptStream("no whole frame in the stream")

    def _next(self) -> LocatedFrame | None:
        if isinstance(self._reader, RewindableReader):
            return self._next_sound(self._reader)
        raw = read_raw_packet(self._reader, self.header)
        return self._take(raw)

    def _next_sound(self, reader: RewindableReader) -> LocatedFrame | None:
        """As `_take`, or None where a packet was damaged; then the next call goes on behind."""
        reader.mark()
        raw = None
        try:
            raw = read_raw_packet(reader, self.header)
            return self._take(raw)
        except StreamError as error:
            self._recover(reader, raw, error)
            return None

    def _take(self, raw: RawPacket) -> LocatedFrame | None:
        if raw.kind == PacketKind.END:
            self._finish(raw)
            return None
        check_crc(raw.crc_actual, raw.crc_expected, raw.label)
        frame = self._contents.take(raw)
        if frame is None:
            return None
        located = LocatedFrame(frame, self._number_at(raw.offset), raw.offset, self._gap)
        self._number += 1
        self._gap = False
        return located

    def _finish(self, raw: RawPacket) -> None:
        lenient = isinstance(self._reader, RewindableReader)
        # Once something was left out, what covers the whole stream says nothing any more.
        damaged = isinstance(self._reader, RewindableReader) and self._reader.rewound
        if not damaged:
            self._contents.take(raw)
            check_crc(raw.crc_actual, raw.crc_expected, raw.label)
            self._contents.check_index()
        if self._reader.read_up_to(1):
            if damaged or not lenient:
                raise CorruptStream("bytes follow the END packet")
            self._notes.add("bytes follow the END packet: left out")
        self._ended = True

    def _recover(self, reader: RewindableReader, raw: RawPacket | None, error: StreamError) -> None:
        is_frame = raw is not None and raw.kind in FRAME_KINDS
        number = f" (frame {self._number_at(raw.offset)})" if raw and is_frame else ""
        self._notes.add(f"{error}{number}: left out")
        self._gap = True
        if raw is not None and follows(reader, self.header):
            self._number += is_frame
            self._ended = raw.kind == PacketKind.END
            return
        reader.rewind(1)
        if find_intra(reader, self.header):
            self._notes.add(f"went on with the intra frame at byte {reader.offset}")
        else:
            self._notes.add("no intra frame follows")
            self._ended = True

    def _number_at(self, offset: int) -> int:
        return bisect_left(self._offsets, offset) if self._offsets else self._number

    def _end_early(self, error: TruncatedStream) -> None:
        count = len(self._contents.seen)
        self._notes.add(f"cut short, {count} whole frames: {error}")
        self._ended = True


def read_video_header(
    reader: StreamReader, max_pixels: int = MAX_PIXELS_DEFAULT
) -> tuple[StreamHeader, VideoHeader]:
    """The header of a video. Raises StreamError, also for a picture and for large frames."""
    header = read_header(reader)
    if header.video is None:
        raise UnsupportedStream("the stream is a picture; a video was expected")
    check_pixels(header, max_pixels)
    return header, header.video
