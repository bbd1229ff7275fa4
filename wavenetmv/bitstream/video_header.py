"""What the header of a video adds to a picture's. Normative text: docs/FORMAT.md section 3."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

from wavenetmv.errors import CorruptStream, UnsupportedStream
from wavenetmv.types import ColourMatrix

# frame_count, rate, tick, pixel aspect (numerator and denominator each), matrix, flags,
# inter_hash
_FIELDS = struct.Struct("<IIIIIIIBB8s")
VIDEO_HEADER_BYTES = _FIELDS.size
_MAX_U32 = 0xFFFF_FFFF

# Wire values: never renumber.
_MATRICES: tuple[ColourMatrix, ...] = ("unspecified", "bt601", "bt709", "bt2020")
_FULL_RANGE = 0b0000_0001
_VARIABLE_RATE = 0b0000_0010

NO_INTER = bytes(8)


@dataclass(frozen=True, slots=True)
class VideoHeader:
    """What a decoder must know of a video before its frames. ValueError if out of range.

    rate           average frames per second
    tick           seconds; the time of every frame is a multiple
    frame_count    what the writer expected, 0 if it did not know; the index says what came
    pixel_aspect   width of a pixel over its height
    matrix         of the source's YUV; what is coded is RGB
    full_range     the source's samples used 0..255
    variable_rate  frames need not have even distances
    inter_hash     first 8 bytes of the SHA-256 of the inter frames' weights; NO_INTER: all
                   frames are intra frames
    """

    rate: Fraction
    tick: Fraction
    frame_count: int = 0
    pixel_aspect: Fraction = Fraction(1)
    matrix: ColourMatrix = "unspecified"
    full_range: bool = False
    variable_rate: bool = False
    inter_hash: bytes = NO_INTER

    def __post_init__(self) -> None:
        if not 0 <= self.frame_count <= _MAX_U32:
            raise ValueError(f"frame_count must be in 0..{_MAX_U32}, got {self.frame_count}")
        for name in ("rate", "tick", "pixel_aspect"):
            value: Fraction = getattr(self, name)
            if value <= 0 or max(value.numerator, value.denominator) > _MAX_U32:
                raise ValueError(f"{name} must have terms in 1..{_MAX_U32}, got {value}")
        if self.matrix not in _MATRICES:
            raise ValueError(f"unknown colour matrix {self.matrix}")
        if len(self.inter_hash) != len(NO_INTER):
            raise ValueError(f"inter_hash must have 8 bytes, got {len(self.inter_hash)}")

    @property
    def has_inter(self) -> bool:
        """Whether the stream may have inter frames."""
        return self.inter_hash != NO_INTER


def pack_video_header(video: VideoHeader) -> bytes:
    """The field `video` of the header, VIDEO_HEADER_BYTES bytes."""
    fractions = (video.rate, video.tick, video.pixel_aspect)
    flags = _FULL_RANGE * video.full_range | _VARIABLE_RATE * video.variable_rate
    return _FIELDS.pack(
        video.frame_count,
        *(term for each in fractions for term in (each.numerator, each.denominator)),
        _MATRICES.index(video.matrix),
        flags,
        video.inter_hash,
    )


def parse_video_header(fields: bytes) -> VideoHeader:
    """Inverse of `pack_video_header`; CorruptStream or UnsupportedStream, ValueError for ranges."""
    frame_count, *terms, matrix, flags, inter_hash = _FIELDS.unpack(fields)
    if unknown := flags & ~(_FULL_RANGE | _VARIABLE_RATE):
        raise UnsupportedStream(f"reserved video flags {unknown:#04x} are set")
    if matrix >= len(_MATRICES):
        raise UnsupportedStream(f"stream has the reserved colour matrix {matrix}")
    return VideoHeader(
        rate=_fraction("frame rate", *terms[0:2]),
        tick=_fraction("tick", *terms[2:4]),
        frame_count=frame_count,
        pixel_aspect=_fraction("pixel aspect", *terms[4:6]),
        matrix=_MATRICES[matrix],
        full_range=bool(flags & _FULL_RANGE),
        variable_rate=bool(flags & _VARIABLE_RATE),
        inter_hash=inter_hash,
    )


def _fraction(name: str, above: int, below: int) -> Fraction:
    # One value, one form: otherwise equal streams could differ in bytes.
    if not above or not below or gcd(above, below) != 1:
        raise CorruptStream(f"stream header: {name} {above}/{below} is not in lowest terms above 0")
    return Fraction(above, below)
