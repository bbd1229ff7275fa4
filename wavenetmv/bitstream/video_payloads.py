"""Payloads of the frames and the audio of a video. Normative text: docs/FORMAT.md 5.4, 5.5."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from wavenetmv.bitstream.framing import LONG_VARINT_BYTES, StreamReader, pack_varint
from wavenetmv.bitstream.packets import FRAME_KINDS, MAX_PAYLOAD, PacketKind
from wavenetmv.bitstream.payloads import FramePayload, pack_frame, unpack_frame
from wavenetmv.errors import CorruptStream
from wavenetmv.types import LAMBDA_INDEX_MAX, AudioTrack

_LAMBDA_INDEX = struct.Struct("<H")
MAX_TIME = (1 << 7 * LONG_VARINT_BYTES) - 1  # ticks
_MAX_CODECS = 255
_MAX_NAME_BYTES = 255
# The names of a handful of streams take far less.
MAX_AUDIO_BYTES = MAX_PAYLOAD - (1 << 16)


@dataclass(frozen=True, slots=True)
class CodedFrame:
    """A frame of a video as its packet holds it. ValueError if out of range.

    kind          INTRA or INTER
    time          when it is shown, in ticks of the header from the start of the file
    lambda_index  0..320, the quality of this frame
    payload       what comes out and what the entropy decoder reads
    """

    kind: PacketKind
    time: int
    lambda_index: int
    payload: FramePayload

    def __post_init__(self) -> None:
        if self.kind not in FRAME_KINDS:
            raise ValueError(f"{self.kind.name} is not a kind of frame")
        if not 0 <= self.time <= MAX_TIME:
            raise ValueError(f"time must be in 0..{MAX_TIME} ticks, got {self.time}")
        if not 0 <= self.lambda_index <= LAMBDA_INDEX_MAX:
            raise ValueError(
                f"lambda_index must be in 0..{LAMBDA_INDEX_MAX}, got {self.lambda_index}"
            )


def pack_video_frame(frame: CodedFrame) -> bytes:
    """Bytes of an INTRA or INTER payload of a video."""
    return (
        pack_varint(frame.time, LONG_VARINT_BYTES)
        + _LAMBDA_INDEX.pack(frame.lambda_index)
        + pack_frame(frame.payload)
    )


def unpack_video_frame(kind: PacketKind, payload: bytes) -> CodedFrame:
    """Inverse of `pack_video_frame`. Raises CorruptStream."""
    reader = StreamReader(io.BytesIO(payload))
    try:
        time, _ = reader.read_varint("time", LONG_VARINT_BYTES)
        (index,) = _LAMBDA_INDEX.unpack(reader.read_exactly(2, "lambda index"))
        return CodedFrame(kind, time, index, unpack_frame(payload[reader.offset :]))
    except (ValueError, CorruptStream) as error:  # not TruncatedStream: the source is whole
        raise CorruptStream(f"frame payload: {error}") from error


def pack_audio(track: AudioTrack) -> bytes:
    """Bytes of an AUDIO payload. ValueError if there is too much of anything."""
    names = [name.encode("utf-8") for name in track.codecs]
    if not 1 <= len(names) <= _MAX_CODECS or max(map(len, names)) > _MAX_NAME_BYTES:
        raise ValueError(f"audio must have 1..{_MAX_CODECS} streams with short codec names")
    if len(track.data) > MAX_AUDIO_BYTES:
        raise ValueError(f"audio has {len(track.data)} bytes; the limit is {MAX_AUDIO_BYTES}")
    head = bytes([len(names)]) + b"".join(bytes([len(name)]) + name for name in names)
    return head + track.data


def unpack_audio(payload: bytes) -> AudioTrack:
    """Inverse of `pack_audio`. Raises CorruptStream; the audio itself is not looked at."""
    reader = StreamReader(io.BytesIO(payload))
    try:
        (count,) = reader.read_exactly(1, "number of streams")
        codecs = tuple(_read_name(reader) for _ in range(count))
    except (UnicodeDecodeError, CorruptStream) as error:
        raise CorruptStream(f"audio payload: {error}") from error
    if not codecs:
        raise CorruptStream("audio payload: it has no streams")
    return AudioTrack(payload[reader.offset :], codecs)


def _read_name(reader: StreamReader) -> str:
    (size,) = reader.read_exactly(1, "length of a codec's name")
    return reader.read_exactly(size, "a codec's name").decode("utf-8")
