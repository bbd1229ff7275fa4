"""Raw RGB frames with exact times as a Matroska stream: how frames reach ffmpeg's input.

Of the containers ffmpeg reads from a pipe, the plain ones have no time stamps, and variable
distances would be lost. This is the least of Matroska (RFC 9559) that carries them:

    EBML header | Segment, of unknown size: Info | Tracks | Cluster | Cluster | ...

with one frame to a Cluster and times in nanoseconds.
"""

from __future__ import annotations

from fractions import Fraction

_NANOSECONDS = 1_000_000_000
_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7
# Element ids, with the names that the RFC gives them.
_EBML = b"\x1a\x45\xdf\xa3"
_DOC_TYPE = b"\x42\x82"
_SEGMENT = b"\x18\x53\x80\x67"
_INFO = b"\x15\x49\xa9\x66"
_TIMESTAMP_SCALE = b"\x2a\xd7\xb1"
_TRACKS = b"\x16\x54\xae\x6b"
_TRACK_ENTRY = b"\xae"
_TRACK_NUMBER = b"\xd7"
_TRACK_UID = b"\x73\xc5"
_TRACK_TYPE = b"\x83"
_DEFAULT_DURATION = b"\x23\xe3\x83"
_CODEC_ID = b"\x86"
_VIDEO = b"\xe0"
_PIXEL_WIDTH = b"\xb0"
_PIXEL_HEIGHT = b"\xba"
_UNCOMPRESSED_FOURCC = b"\x2e\xb5\x24"
_CLUSTER = b"\x1f\x43\xb6\x75"
_TIMESTAMP = b"\xe7"
_BLOCK_GROUP = b"\xa0"
_BLOCK = b"\xa1"
_BLOCK_DURATION = b"\x9b"


def start(width: int, height: int, rate: Fraction) -> bytes:
    """Everything before the first frame; `rate` in frames per second."""
    video = (
        _number(_PIXEL_WIDTH, width)
        + _number(_PIXEL_HEIGHT, height)
        + _element(_UNCOMPRESSED_FOURCC, b"RGB\x18")  # ffmpeg's name of rgb24
    )
    track = (
        _number(_TRACK_NUMBER, 1)
        + _number(_TRACK_UID, 1)
        + _number(_TRACK_TYPE, 1)
        + _number(_DEFAULT_DURATION, max(1, nanoseconds(1 / rate)))
        + _element(_CODEC_ID, b"V_UNCOMPRESSED")
        + _element(_VIDEO, video)
    )
    return (
        _element(_EBML, _element(_DOC_TYPE, b"matroska"))
        + _SEGMENT
        + _UNKNOWN_SIZE
        + _element(_INFO, _number(_TIMESTAMP_SCALE, 1))
        + _element(_TRACKS, _element(_TRACK_ENTRY, track))
    )


def before_frame(frame_bytes: int, time_s: Fraction, duration_s: Fraction) -> bytes:
    """What stands before a frame's `frame_bytes` bytes; nothing stands after them."""
    header = b"\x81\x00\x00\x00"  # track 1, at the cluster's own time, no flags
    duration = _number(_BLOCK_DURATION, nanoseconds(duration_s))
    block = _BLOCK + _size(len(header) + frame_bytes) + header
    group = duration + block
    group = _BLOCK_GROUP + _size(len(group) + frame_bytes) + group
    cluster = _number(_TIMESTAMP, nanoseconds(time_s)) + group
    return _CLUSTER + _size(len(cluster) + frame_bytes) + cluster


def nanoseconds(seconds: Fraction) -> int:
    """The nearest whole number of nanoseconds."""
    return round(seconds * _NANOSECONDS)


def _element(name: bytes, content: bytes) -> bytes:
    return name + _size(len(content)) + content


def _number(name: bytes, value: int) -> bytes:
    return _element(name, value.to_bytes(8, "big"))


def _size(length: int) -> bytes:
    return ((1 << 56) | length).to_bytes(8, "big")
