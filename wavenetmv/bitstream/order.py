"""The order of packets. Normative text: docs/FORMAT.md section 4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from wavenetmv.bitstream.framing import StreamReader, check_crc
from wavenetmv.bitstream.header import StreamHeader
from wavenetmv.bitstream.packets import (
    MAX_METADATA_PACKETS,
    Packet,
    PacketKind,
    RawPacket,
    read_raw_packet,
)
from wavenetmv.errors import CorruptStream, UnsupportedStream

# Packets come in ascending rank; equal ranks in any number that `PacketOrder` allows.
_RANK = {
    PacketKind.METADATA: 0,
    PacketKind.ALPHA: 1,
    PacketKind.INTRA: 2,
    PacketKind.INTER: 2,
    PacketKind.AUDIO: 3,
    PacketKind.INDEX: 4,
    PacketKind.END: 5,
}
_PICTURE_KINDS = {PacketKind.METADATA, PacketKind.ALPHA, PacketKind.INTRA, PacketKind.END}
_PICTURE_SINGLE = {PacketKind.ALPHA, PacketKind.INTRA}
_VIDEO_SINGLE = {PacketKind.AUDIO, PacketKind.INDEX}
_VIDEO_STARTS = {PacketKind.METADATA, PacketKind.INTRA}


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
        if kind is PacketKind.METADATA and self._counts[kind] == MAX_METADATA_PACKETS:
            raise CorruptStream(f"more than {MAX_METADATA_PACKETS} METADATA packets")
        self._last = kind
        self._counts[kind] += 1
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
        video = self._header.video
        if kind is PacketKind.ALPHA:
            raise CorruptStream(f"{label}: a video stream has no such packet")
        if kind is PacketKind.INTER and video and not video.has_inter:
            raise CorruptStream(f"{label}, but the header declares no inter frames")
        if kind in _VIDEO_SINGLE and self._counts[kind]:
            raise CorruptStream(f"{label} is the second {kind.name}")
        if kind not in _VIDEO_STARTS and not self._counts[PacketKind.INTRA]:
            raise CorruptStream(f"{label} comes before the first INTRA packet")
        if kind is PacketKind.END and not self._counts[PacketKind.INDEX]:
            raise CorruptStream(f"{label} comes before the INDEX packet")
