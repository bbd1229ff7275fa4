"""Packets. Normative text: docs/FORMAT.md section 4."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import IntEnum

from wavenetmv.bitstream.framing import (
    CRC,
    MAX_VARINT,
    StreamReader,
    StreamWriter,
    pack_varint,
)
from wavenetmv.bitstream.header import StreamHeader
from wavenetmv.errors import CorruptStream

MAX_PAYLOAD = MAX_VARINT  # bytes
MAX_METADATA_BYTES = 1 << 24  # of one chunk, before compression
MAX_METADATA_PACKETS = 64
MAX_INDEX_BYTES = 1 << 26  # before and after compression
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


FRAME_KINDS = frozenset((PacketKind.INTRA, PacketKind.INTER))


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


def read_raw_packet(reader: StreamReader, header: StreamHeader) -> RawPacket:
    """Read one packet within the limits; CorruptStream if it is too long, or cut short."""
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


def frame_limit(header: StreamHeader) -> int:
    """Bytes that the payload of a frame may have; no encoder comes near it in a video."""
    # Where damage made a length wrong, this bounds what is read in vain.
    return min(4 * header.pixels + (1 << 16), MAX_PAYLOAD) if header.video else MAX_PAYLOAD


def _payload_limit(kind: int, header: StreamHeader) -> int:
    if kind in FRAME_KINDS:
        return frame_limit(header)
    if kind == PacketKind.INDEX:
        return MAX_INDEX_BYTES
    if kind == PacketKind.METADATA:
        return MAX_METADATA_BYTES + _METADATA_OVERHEAD
    if kind == PacketKind.ALPHA:
        return min(header.pixels + 1, MAX_PAYLOAD)  # a plane is never longer than stored
    return MAX_PAYLOAD
