"""Packets and their order. Normative text: docs/FORMAT.md section 4."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from wavenetmv.bitstream.framing import (
    CRC,
    MAX_VARINT,
    StreamReader,
    StreamWriter,
    check_crc,
    pack_varint,
)
from wavenetmv.bitstream.header import StreamHeader
from wavenetmv.errors import CorruptStream, UnsupportedStream

MAX_PAYLOAD = MAX_VARINT  # bytes
MAX_METADATA_BYTES = 1 << 24  # of one chunk, before compression
MAX_METADATA_PACKETS = 64
# Kind and encoding bytes in front of the data, payloads.py.
_METADATA_OVERHEAD = 2


class PacketKind(IntEnum):
    """Wire values. Permanent: never renumber, never reuse."""

    INTRA = 1
    INTER = 2
    METADATA = 16
    ALPHA = 17
    INDEX = 32
    AUDIO = 33
    END = 255


@dataclass(frozen=True, slots=True)
class Packet:
    kind: PacketKind
    payload: bytes


@dataclass(frozen=True, slots=True)
class RawPacket:
    """A packet as it lies in the stream, before its kind and CRC are believed."""

    kind: int
    payload: bytes
    offset: int  # bytes from the start of the stream
    total_bytes: int  # kind, length, payload and CRC
    crc_actual: int
    crc_expected: int

    @property
    def crc_ok(self) -> bool:
        return self.crc_actual == self.crc_expected

    @property
    def label(self) -> str:
        """For messages: "INTRA packet at byte 30"."""
        return f"{kind_name(self.kind)} packet at byte {self.offset}"


def kind_name(kind: int) -> str:
    """Name of a packet kind, or its number where this build knows none."""
    try:
        return PacketKind(kind).name
    except ValueError:
        return f"kind-{kind}"


def write_packet(writer: StreamWriter, packet: Packet) -> int:
    """Write one packet; return its bytes, framing included. END has its own writer."""
    if packet.kind is PacketKind.END:
        raise ValueError("END is written by write_end")
    body = bytes([packet.kind]) + pack_varint(len(packet.payload)) + packet.payload
    body += CRC.pack(zlib.crc32(body))
    writer.write(body)
    return len(body)


def write_end(writer: StreamWriter) -> int:
    """Write the END packet, whose CRC covers every byte before it; return its 5 bytes."""
    writer.write(bytes([PacketKind.END]))
    writer.write(CRC.pack(writer.crc))
    return 1 + CRC.size


def read_packets(reader: StreamReader, header: StreamHeader) -> Iterator[Packet]:
    """Yield the packets after the header, END excluded, in the order the format allows.

    Each CRC is checked before its packet is yielded. The END packet's CRC and the end of
    the source are checked when the iterator is exhausted, so exhaust it.
    """
    order = PacketOrder(header)
    while True:
        raw = read_raw_packet(reader, header)
        check_crc(raw.crc_actual, raw.crc_expected, raw.label)
        kind = order.accept(raw)
        if kind is PacketKind.END:
            break
        yield Packet(kind, raw.payload)
    if reader.read_up_to(1):
        raise CorruptStream("bytes follow the END packet")


def read_raw_packet(reader: StreamReader, header: StreamHeader) -> RawPacket:
    """Read one packet within the limits; CorruptStream if it is cut short or too long."""
    offset = reader.offset
    kind_byte = reader.read_exactly(1, "packet kind (the stream has no END packet)")
    kind = kind_byte[0]
    if kind == PacketKind.END:
        actual, payload = reader.crc, b""
    else:
        what = f"{kind_name(kind)} packet at byte {offset}"
        size, size_bytes = reader.read_varint(f"{what}: length")
        if size > (limit := _payload_limit(kind, header)):
            raise CorruptStream(f"{what} declares {size} bytes; the limit is {limit}")
        payload = reader.read_exactly(size, what)
        actual = zlib.crc32(payload, zlib.crc32(kind_byte + size_bytes))
    expected = reader.read_crc(f"{kind_name(kind)} packet at byte {offset}")
    return RawPacket(kind, payload, offset, reader.offset - offset, actual, expected)


def _payload_limit(kind: int, header: StreamHeader) -> int:
    if kind == PacketKind.METADATA:
        return MAX_METADATA_BYTES + _METADATA_OVERHEAD
    if kind == PacketKind.ALPHA:
        return min(header.pixels + 1, MAX_PAYLOAD)  # a plane is never longer than stored
    return MAX_PAYLOAD


# Packets come in ascending rank; equal ranks in any number that `PacketOrder` allows.
_RANK = {
    PacketKind.METADATA: 0,
    PacketKind.ALPHA: 1,
    PacketKind.INTRA: 2,
    PacketKind.INTER: 2,
    PacketKind.INDEX: 3,
    PacketKind.END: 4,
}
_PICTURE_KINDS = {PacketKind.METADATA, PacketKind.ALPHA, PacketKind.INTRA, PacketKind.END}
_PICTURE_SINGLE = {PacketKind.ALPHA, PacketKind.INTRA}


class PacketOrder:
    """Follows a stream packet by packet and refuses what the format does not allow there."""

    def __init__(self, header: StreamHeader) -> None:
        self._header = header
        self._counts: Counter[PacketKind] = Counter()
        self._last = PacketKind.METADATA

    def accept(self, raw: RawPacket) -> PacketKind:
        """Return the packet's kind; StreamError if it must not stand where it stands."""
        try:
            kind = PacketKind(raw.kind)
        except ValueError as error:
            raise UnsupportedStream(f"unknown {raw.label}") from error
        if self._header.video:
            self._check_video(kind, raw.label)
        else:
            self._check_picture(kind, raw.label)
        if _RANK[kind] < _RANK[self._last]:
            raise CorruptStream(f"{raw.label} comes after {self._last.name}")
        self._last = kind
        self._counts[kind] += 1
        if self._counts[PacketKind.METADATA] > MAX_METADATA_PACKETS:
            raise CorruptStream(f"more than {MAX_METADATA_PACKETS} METADATA packets")
        return kind

    def _check_picture(self, kind: PacketKind, label: str) -> None:
        if kind not in _PICTURE_KINDS:
            raise CorruptStream(f"{label}: a picture stream has no such packet")
        if kind in _PICTURE_SINGLE and self._counts[kind]:
            raise CorruptStream(f"{label} is the second {kind.name}")
        has_alpha = bool(self._counts[PacketKind.ALPHA])
        if kind is PacketKind.ALPHA and not self._header.alpha:
            raise CorruptStream(f"{label}, but the header declares no alpha")
        if kind in {PacketKind.INTRA, PacketKind.END} and has_alpha != self._header.alpha:
            raise CorruptStream(f"{label} comes before the ALPHA packet the header declares")
        if kind is PacketKind.END and not self._counts[PacketKind.INTRA]:
            raise CorruptStream(f"{label} comes before the picture's INTRA packet")

    def _check_video(self, kind: PacketKind, label: str) -> None:
        if kind in {PacketKind.ALPHA, PacketKind.AUDIO}:
            raise UnsupportedStream(f"{label}: this build reads video without {kind.name.lower()}")
        if kind in {PacketKind.INTER, PacketKind.INDEX} and not self._counts[PacketKind.INTRA]:
            raise CorruptStream(f"{label} comes before the first INTRA packet")
