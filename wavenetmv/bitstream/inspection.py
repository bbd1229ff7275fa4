"""What a stream consists of, for `wmv info` and `wmv verify`; no weights needed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO

from wavenetmv.bitstream.framing import StreamReader
from wavenetmv.bitstream.header import StreamHeader, parse_header, read_raw_header
from wavenetmv.bitstream.order import PacketOrder
from wavenetmv.bitstream.packets import PacketKind, RawPacket, kind_name, read_raw_packet
from wavenetmv.bitstream.video_contents import VideoContents
from wavenetmv.errors import CorruptStream, StreamError

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PacketInfo:
    kind: int  # a PacketKind's value, or one that this build does not know
    offset: int  # bytes from the start of the stream
    total_bytes: int  # framing included
    payload_bytes: int
    crc_ok: bool

    @property
    def name(self) -> str:
        return kind_name(self.kind)


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What the sound packets of a video say. Times are in ticks, None without any frame."""

    intra_frames: int
    inter_frames: int
    first_time: int | None
    last_time: int | None
    audio_codecs: tuple[str, ...]

    @property
    def frames(self) -> int:
        return self.intra_frames + self.inter_frames


@dataclass(frozen=True, slots=True)
class StreamInfo:
    header: StreamHeader
    header_bytes: int
    header_crc_ok: bool
    packets: tuple[PacketInfo, ...]  # END included
    total_bytes: int  # of the data inspected
    problems: tuple[str, ...]  # one line each; empty if the framing is sound
    video: VideoFacts | None = None

    @property
    def ok(self) -> bool:
        return not self.problems


def inspect(source: bytes | BinaryIO, *, keep_going: bool = False) -> StreamInfo:
    """List header and packets of a complete stream, whose payloads are not decoded.

    The first fault is raised as StreamError; with `keep_going` faults are collected in
    `problems` instead, as far as the packets can still be told apart. A header that cannot
    be interpreted is raised in either case. One packet at a time is in memory.
    """
    log = _Faults(keep_going)
    reader = StreamReader(io.BytesIO(source) if isinstance(source, bytes) else source)
    raw_header = read_raw_header(reader)
    log.check_crc(raw_header.crc_actual, raw_header.crc_expected, "stream header")
    header = parse_header(raw_header.fields)
    header_bytes = reader.offset
    contents = VideoContents(header) if header.video else None
    packets = _list_packets(reader, header, contents, log)
    listed = header_bytes + sum(packet.total_bytes for packet in packets)
    if left := _read_to_the_end(reader) - listed:
        if packets and packets[-1].kind == PacketKind.END:
            log.add(CorruptStream(f"{left} bytes follow the END packet"))
        else:
            log.add(CorruptStream(f"the last {left} bytes could not be read"))
    return StreamInfo(
        header,
        header_bytes,
        raw_header.crc_ok,
        tuple(packets),
        reader.offset,
        tuple(log.lines),
        _facts(contents) if contents else None,
    )


class _Faults:
    """Raises the first fault, or keeps a line of each."""

    def __init__(self, keep_going: bool) -> None:
        self._keep_going = keep_going
        self.lines: list[str] = []

    def add(self, fault: StreamError) -> None:
        if not self._keep_going:
            raise fault
        self.lines.append(str(fault))

    def check_crc(self, actual: int, expected: int, what: str) -> None:
        if actual != expected:
            self.add(CorruptStream(f"{what}: CRC {actual:#010x}, stream says {expected:#010x}"))


def _list_packets(
    reader: StreamReader, header: StreamHeader, contents: VideoContents | None, log: _Faults
) -> list[PacketInfo]:
    order = PacketOrder(header)
    packets: list[PacketInfo] = []
    while not packets or packets[-1].kind != PacketKind.END:
        try:
            raw = read_raw_packet(reader, header)
        except StreamError as fault:
            log.add(fault)
            break
        log.check_crc(raw.crc_actual, raw.crc_expected, raw.label)
        try:
            if contents is None:
                order.accept(raw)
            else:
                _look_into(contents, raw, log)
        except StreamError as fault:
            log.add(fault)
        packets.append(
            PacketInfo(raw.kind, raw.offset, raw.total_bytes, len(raw.payload), raw.crc_ok)
        )
    return packets


def _look_into(contents: VideoContents, raw: RawPacket, log: _Faults) -> None:
    if raw.crc_ok:
        contents.take(raw)
    # Where something is missing, the index is known to list more than there is.
    if raw.kind == PacketKind.END and not log.lines:
        contents.check_index()


def _read_to_the_end(reader: StreamReader) -> int:
    """Bytes of the whole source."""
    while reader.read_up_to(_CHUNK_BYTES):
        pass
    return reader.offset


def _facts(contents: VideoContents) -> VideoFacts:
    seen = contents.seen
    intra = seen.kinds.count(PacketKind.INTRA)
    times = seen.times
    codecs = contents.audio.codecs if contents.audio else ()
    first, last = (times[0], times[-1]) if times else (None, None)
    return VideoFacts(intra, len(seen) - intra, first, last, codecs)
