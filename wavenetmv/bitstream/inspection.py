"""What a stream consists of, for `wmv info` and `wmv verify`; no weights needed."""

from __future__ import annotations

import io
from dataclasses import dataclass

from wavenetmv.bitstream.framing import StreamReader
from wavenetmv.bitstream.header import StreamHeader, parse_header, read_raw_header
from wavenetmv.bitstream.packets import (
    PacketKind,
    PacketOrder,
    RawPacket,
    kind_name,
    read_raw_packet,
)
from wavenetmv.errors import CorruptStream, StreamError


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
class StreamInfo:
    header: StreamHeader
    header_bytes: int
    header_crc_ok: bool
    packets: tuple[PacketInfo, ...]  # END included
    total_bytes: int  # of the data inspected
    problems: tuple[str, ...]  # one line each; empty if the framing is sound

    @property
    def ok(self) -> bool:
        return not self.problems


def inspect(data: bytes, *, keep_going: bool = False) -> StreamInfo:
    """List header and packets of a complete stream.

    The first fault is raised as StreamError; with `keep_going` faults are collected in
    `problems` instead, as far as the packets can still be told apart. A header that cannot
    be interpreted is raised in either case. Payloads are not decoded.
    """
    log = _Faults(keep_going)
    reader = StreamReader(io.BytesIO(data))
    raw_header = read_raw_header(reader)
    log.check_crc(raw_header.crc_actual, raw_header.crc_expected, "stream header")
    header = parse_header(raw_header.fields)
    header_bytes = reader.offset
    packets = _list_packets(reader, header, log)
    if left := len(data) - reader.offset:
        if packets and packets[-1].kind == PacketKind.END:
            log.add(CorruptStream(f"{left} bytes follow the END packet"))
        else:
            log.add(CorruptStream(f"the last {left} bytes could not be read"))
    return StreamInfo(
        header, header_bytes, raw_header.crc_ok, tuple(packets), len(data), tuple(log.lines)
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


def _list_packets(reader: StreamReader, header: StreamHeader, log: _Faults) -> list[PacketInfo]:
    order = PacketOrder(header)
    packets: list[PacketInfo] = []
    while not packets or packets[-1].kind != PacketKind.END:
        try:
            raw = read_raw_packet(reader, header)
        except StreamError as fault:
            log.add(fault)
            break
        log.check_crc(raw.crc_actual, raw.crc_expected, raw.label)
        _check_order(order, raw, log)
        packets.append(
            PacketInfo(raw.kind, raw.offset, raw.total_bytes, len(raw.payload), raw.crc_ok)
        )
    return packets


def _check_order(order: PacketOrder, raw: RawPacket, log: _Faults) -> None:
    try:
        order.accept(raw)
    except StreamError as fault:
        log.add(fault)
