"""A complete picture stream: header, packets, nothing after. docs/FORMAT.md sections 2 to 5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from wavenetmv.bitstream.framing import StreamReader, StreamWriter
from wavenetmv.bitstream.header import StreamHeader, read_header, write_header
from wavenetmv.bitstream.metadata_checks import check_metadata, check_metadata_total
from wavenetmv.bitstream.order import read_packets
from wavenetmv.bitstream.packets import Packet, PacketKind, write_end, write_packet
from wavenetmv.bitstream.payloads import (
    FramePayload,
    pack_frame,
    pack_metadata,
    unpack_frame,
    unpack_metadata,
)
from wavenetmv.errors import CorruptStream, UnsupportedStream
from wavenetmv.types import MAX_PIXELS_DEFAULT, Metadata


@dataclass(frozen=True, slots=True)
class PictureStream:
    """A picture as its stream holds it, entropy-coded. ValueError if it contradicts itself."""

    header: StreamHeader
    frame: FramePayload
    metadata: tuple[Metadata, ...] = ()
    alpha: bytes | None = None  # planes.encode_plane

    def __post_init__(self) -> None:
        if self.header.video:
            raise ValueError("a picture's header must not declare video")
        if self.header.alpha != (self.alpha is not None):
            raise ValueError(
                f"header says alpha={self.header.alpha}, but alpha is "
                f"{'missing' if self.alpha is None else 'present'}"
            )
        check_metadata(self.metadata)


def write_picture_stream(sink: BinaryIO, stream: PictureStream) -> int:
    """Write the whole stream; return its size in bytes, everything included."""
    writer = StreamWriter(sink)
    write_header(writer, stream.header)
    for metadata in stream.metadata:
        write_packet(writer, Packet(PacketKind.METADATA, pack_metadata(metadata)))
    if stream.alpha is not None:
        write_packet(writer, Packet(PacketKind.ALPHA, stream.alpha))
    write_packet(writer, Packet(PacketKind.INTRA, pack_frame(stream.frame)))
    write_end(writer)
    return writer.offset


def read_picture_stream(source: BinaryIO, max_pixels: int = MAX_PIXELS_DEFAULT) -> PictureStream:
    """Read a whole picture stream from a file or a pipe, to the source's end.

    A picture of more than `max_pixels` is refused (UnsupportedStream) before anything
    of its size is allocated. Any other fault of the bytes is a StreamError too.
    """
    reader = StreamReader(source)
    header = read_header(reader)
    if header.video:
        raise UnsupportedStream("the stream is a video; a picture was expected")
    check_pixels(header, max_pixels)
    metadata: list[Metadata] = []
    alpha: bytes | None = None
    frame: FramePayload | None = None
    for packet in read_packets(reader, header):
        if packet.kind is PacketKind.METADATA:
            metadata.append(unpack_metadata(packet.payload))
            check_metadata_total(metadata)
        elif packet.kind is PacketKind.ALPHA:
            alpha = packet.payload
        else:
            frame = unpack_frame(packet.payload)
    assert frame is not None  # read_packets lets no picture stream end without INTRA
    try:
        return PictureStream(header, frame, tuple(metadata), alpha)
    except ValueError as error:
        raise CorruptStream(f"picture stream: {error}") from error


def check_pixels(header: StreamHeader, max_pixels: int) -> None:
    """UnsupportedStream if a frame has more than `max_pixels` pixels."""
    if header.pixels > max_pixels:
        raise UnsupportedStream(
            f"stream declares {header.width}x{header.height} = {header.pixels} pixels; "
            f"the limit is {max_pixels}; raise max_pixels to read it"
        )
