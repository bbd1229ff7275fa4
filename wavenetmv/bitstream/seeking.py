"""Parts of a video stream read where its index says they are, from a source that can seek."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from wavenetmv.bitstream.framing import CRC, StreamReader, check_crc
from wavenetmv.bitstream.header import StreamHeader
from wavenetmv.bitstream.index import PACKET_SIZE, FrameIndex, unpack_index
from wavenetmv.bitstream.packets import PacketKind, RawPacket, read_raw_packet
from wavenetmv.bitstream.video_payloads import CodedFrame, unpack_audio, unpack_video_frame
from wavenetmv.bitstream.video_reader import LocatedFrame, Notes
from wavenetmv.errors import CorruptStream, TruncatedStream
from wavenetmv.types import AudioTrack

_END_BYTES = 1 + CRC.size


def read_index(source: BinaryIO, header: StreamHeader) -> FrameIndex:
    """The index at the end of a whole stream, found from its end.

    TruncatedStream when no index is there, CorruptStream when it is damaged.
    """
    tail_bytes = PACKET_SIZE.size + CRC.size + _END_BYTES
    total = source.seek(0, os.SEEK_END)
    source.seek(max(0, total - tail_bytes))
    tail = source.read(tail_bytes)
    if len(tail) < tail_bytes or tail[-_END_BYTES] != PacketKind.END:
        raise TruncatedStream("the stream is cut short: it does not end with an END packet")
    (size,) = PACKET_SIZE.unpack_from(tail)
    raw = _packet_at(source, header, total - _END_BYTES - size, PacketKind.INDEX)
    index = unpack_index(raw.payload)
    if raw.total_bytes != size or index.offsets()[-1] > raw.offset:
        raise CorruptStream(f"{raw.label} lists frames behind itself")
    return index


def read_audio_packet(
    source: BinaryIO, header: StreamHeader, index: FrameIndex
) -> AudioTrack | None:
    """The audio, which follows the frames; None if the stream has none. CorruptStream."""
    offset = index.offsets()[-1]
    source.seek(offset)
    if source.read(1) != bytes([PacketKind.AUDIO]):
        return None
    return unpack_audio(_packet_at(source, header, offset, PacketKind.AUDIO).payload)


def read_frames(
    source: BinaryIO,
    header: StreamHeader,
    index: FrameIndex,
    first: int,
    stop: int,
    damage: Notes | None = None,
) -> Iterator[LocatedFrame]:
    """Frames `first` to `stop`, that one excluded, of those in `index`; no other is read.

    CorruptStream at the first damaged one; with `damage` it is left out and told there.
    """
    offsets = index.offsets()
    gap = False
    for number in range(first, stop):
        try:
            frame = _frame_at(source, header, index, number, offsets[number])
        except CorruptStream as error:
            if damage is None:
                raise
            damage.add(f"{error} (frame {number}): left out")
            gap = True
        else:
            yield LocatedFrame(frame, number, offsets[number], gap)
            gap = False


def _frame_at(
    source: BinaryIO, header: StreamHeader, index: FrameIndex, number: int, offset: int
) -> CodedFrame:
    kind = PacketKind(index.kinds[number])
    raw = _packet_at(source, header, offset, kind)
    frame = unpack_video_frame(kind, raw.payload)
    if raw.total_bytes != index.sizes[number] or frame.time != index.times[number]:
        raise CorruptStream(f"{raw.label} is not the frame that the index lists there")
    return frame


def _packet_at(source: BinaryIO, header: StreamHeader, offset: int, kind: PacketKind) -> RawPacket:
    """The packet at `offset`, its CRC checked; CorruptStream unless it is of this kind."""
    if offset < 0:
        raise CorruptStream(f"there is no {kind.name} packet at byte {offset}")
    source.seek(offset)
    raw = read_raw_packet(StreamReader(source, offset), header)
    if raw.kind != kind:
        raise CorruptStream(f"expected the {kind.name} packet at byte {offset}, found {raw.label}")
    check_crc(raw.crc_actual, raw.crc_expected, raw.label)
    return raw
