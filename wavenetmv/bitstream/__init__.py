"""Bytes to dataclasses and integers, and back. The format is defined by docs/FORMAT.md."""

from __future__ import annotations

from wavenetmv.bitstream.container import (
    PictureStream,
    read_picture_stream,
    write_picture_stream,
)
from wavenetmv.bitstream.entropy import (
    Step,
    SymbolDecoder,
    encode_steps,
    ideal_bits,
    symbol_bits,
    symbols_crc,
)
from wavenetmv.bitstream.framing import StreamReader, StreamWriter
from wavenetmv.bitstream.header import (
    FORMAT_VERSION,
    MAGIC,
    StreamHeader,
    declares_video,
    read_header,
    write_header,
)
from wavenetmv.bitstream.index import MAX_FRAMES, FrameIndex
from wavenetmv.bitstream.inspection import PacketInfo, StreamInfo, VideoFacts, inspect
from wavenetmv.bitstream.motion import MotionField
from wavenetmv.bitstream.order import read_packets
from wavenetmv.bitstream.packets import Packet, PacketKind, write_end, write_packet
from wavenetmv.bitstream.payloads import (
    FramePayload,
    pack_frame,
    pack_metadata,
    unpack_frame,
    unpack_metadata,
)
from wavenetmv.bitstream.planes import decode_plane, encode_plane
from wavenetmv.bitstream.quality_map import (
    QualityMap,
    decode_quality_map,
    encode_quality_map,
)
from wavenetmv.bitstream.seeking import read_audio_packet, read_frames, read_index
from wavenetmv.bitstream.skip import SkipMap, decode_skips, encode_skips
from wavenetmv.bitstream.tables import (
    MAX_RADIUS,
    SCALE_COUNT,
    ScaleTables,
    binary_tables,
    default_scales,
    fitted_tables,
    gaussian_tables,
)
from wavenetmv.bitstream.video_header import NO_INTER, VideoHeader
from wavenetmv.bitstream.video_payloads import MAX_AUDIO_BYTES, CodedFrame
from wavenetmv.bitstream.video_reader import (
    LocatedFrame,
    Notes,
    VideoStreamReader,
    read_video_header,
)
from wavenetmv.bitstream.video_writer import VideoStreamWriter
from wavenetmv.types import MAX_SYMBOL, Profile

__all__ = [
    "FORMAT_VERSION",
    "MAGIC",
    "MAX_AUDIO_BYTES",
    "MAX_FRAMES",
    "MAX_RADIUS",
    "MAX_SYMBOL",
    "NO_INTER",
    "SCALE_COUNT",
    "CodedFrame",
    "FrameIndex",
    "FramePayload",
    "LocatedFrame",
    "MotionField",
    "Notes",
    "Packet",
    "PacketInfo",
    "PacketKind",
    "PictureStream",
    "Profile",
    "QualityMap",
    "ScaleTables",
    "SkipMap",
    "Step",
    "StreamHeader",
    "StreamInfo",
    "StreamReader",
    "StreamWriter",
    "SymbolDecoder",
    "VideoFacts",
    "VideoHeader",
    "VideoStreamReader",
    "VideoStreamWriter",
    "binary_tables",
    "declares_video",
    "decode_plane",
    "decode_quality_map",
    "decode_skips",
    "default_scales",
    "encode_plane",
    "encode_quality_map",
    "encode_skips",
    "encode_steps",
    "fitted_tables",
    "gaussian_tables",
    "ideal_bits",
    "inspect",
    "pack_frame",
    "pack_metadata",
    "read_audio_packet",
    "read_frames",
    "read_header",
    "read_index",
    "read_packets",
    "read_picture_stream",
    "read_video_header",
    "symbol_bits",
    "symbols_crc",
    "unpack_frame",
    "unpack_metadata",
    "write_end",
    "write_header",
    "write_packet",
    "write_picture_stream",
]
