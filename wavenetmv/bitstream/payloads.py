"""Payloads of frame and metadata packets. Normative text: docs/FORMAT.md section 5."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from wavenetmv.bitstream.deflate import deflate, inflate
from wavenetmv.bitstream.packets import MAX_METADATA_BYTES
from wavenetmv.errors import CorruptStream, UnsupportedStream
from wavenetmv.types import Metadata, MetadataKind

_SYMBOLS_CRC = struct.Struct("<I")
_METADATA = struct.Struct("<BB")  # kind, encoding


class MetadataEncoding(IntEnum):
    """How a chunk's bytes are stored. Wire values: never renumber."""

    RAW = 0
    DEFLATE = 1


@dataclass(frozen=True, slots=True)
class FramePayload:
    """One frame: the CRC of what must come out, and what the entropy decoder reads."""

    symbols_crc: int  # entropy.symbols_crc of the decoded integers
    coded: bytes  # entropy.encode_steps


def pack_frame(frame: FramePayload) -> bytes:
    """Bytes of an INTRA (or INTER) payload."""
    return _SYMBOLS_CRC.pack(frame.symbols_crc) + frame.coded


def unpack_frame(payload: bytes) -> FramePayload:
    """Inverse of `pack_frame`; CorruptStream if there is no room for the symbols CRC."""
    if len(payload) < _SYMBOLS_CRC.size:
        raise CorruptStream(
            f"frame payload: expected at least {_SYMBOLS_CRC.size} bytes, got {len(payload)}"
        )
    (symbols_crc,) = _SYMBOLS_CRC.unpack_from(payload)
    return FramePayload(symbols_crc, payload[_SYMBOLS_CRC.size :])


def pack_metadata(metadata: Metadata) -> bytes:
    """Bytes of a METADATA payload, the shorter of both encodings. ValueError above 16 MiB."""
    if len(metadata.data) > MAX_METADATA_BYTES:
        raise ValueError(
            f"{metadata.kind.name} metadata has {len(metadata.data)} bytes; "
            f"the limit is {MAX_METADATA_BYTES}"
        )
    deflated = deflate(metadata.data)
    if len(deflated) < len(metadata.data):
        return _METADATA.pack(metadata.kind, MetadataEncoding.DEFLATE) + deflated
    return _METADATA.pack(metadata.kind, MetadataEncoding.RAW) + metadata.data


def unpack_metadata(payload: bytes) -> Metadata:
    """Inverse of `pack_metadata`; never expands to more than 16 MiB."""
    if len(payload) < _METADATA.size:
        raise CorruptStream(
            f"metadata payload: expected at least {_METADATA.size} bytes, got {len(payload)}"
        )
    kind_value, encoding_value = _METADATA.unpack_from(payload)
    try:
        kind, encoding = MetadataKind(kind_value), MetadataEncoding(encoding_value)
    except ValueError as error:
        raise UnsupportedStream(f"metadata payload: {error}") from error
    data = payload[_METADATA.size :]
    if encoding is MetadataEncoding.DEFLATE:
        data = inflate(data, MAX_METADATA_BYTES, f"{kind.name} metadata")
    return Metadata(kind, data)
