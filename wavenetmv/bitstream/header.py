"""The stream header. Normative text: docs/FORMAT.md section 3."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from wavenetmv.bitstream.framing import CRC, StreamReader, StreamWriter, check_crc
from wavenetmv.bitstream.video_header import (
    VIDEO_HEADER_BYTES,
    VideoHeader,
    pack_video_header,
    parse_video_header,
)
from wavenetmv.errors import CorruptStream, NotAStream, TruncatedStream, UnsupportedStream
from wavenetmv.types import LAMBDA_INDEX_MAX, ColourMode, Profile, index_to_lambda

# A byte outside ASCII, so that text never matches; the name; then the bytes that PNG's
# magic also ends with, which any transfer in text mode changes.
MAGIC = b"\x8bWMV\r\n\x1a\n"
FORMAT_VERSION = 1  # of the format, not of the package
MAX_SIDE = 1 << 16  # pixels
WEIGHTS_HASH_BYTES = 8

# flags, model_id, weights_hash, lambda_index, width - 1, height - 1, colour
_FIELDS = struct.Struct("<BB8sHHHB")

# Bits of `flags` and `colour`. Plain integers: how an IntFlag is inverted depends on the
# Python version. Never renumber.
_FLAG_VIDEO = 0b0000_0001
_PROFILE_SHIFT = 1
_PROFILE_MASK = 0b0000_0110
_FLAG_ADAPTED_TABLES = 0b0000_1000
_FLAG_QUALITY_MAP = 0b0001_0000
_COLOUR_MODE_MASK = 0b0000_0011
_COLOUR_ALPHA = 0b0000_0100
_COLOUR_DEPTH_MASK = 0b0001_1000  # the code 0, 8 bits, is the only one

_ASF_GUID_START = bytes.fromhex("3026b2758e66cf11")
# 0x8b as Latin-1 text saved in UTF-8, and as a decoder's replacement character.
_RECODED_STARTS = (b"\xc2\x8bWMV", b"\xef\xbf\xbdWMV")


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """Everything a decoder must know before the first packet. ValueError if out of range."""

    width: int  # pixels, 1..MAX_SIDE
    height: int  # pixels, 1..MAX_SIDE
    model_id: int  # permanent wire id, 0..255
    weights_hash: bytes  # first 8 bytes of the weights' SHA-256
    lambda_index: int  # 0..320, types.index_to_lambda
    colour: ColourMode = ColourMode.RGB
    alpha: bool = False
    profile: Profile = Profile.NEUTRAL
    video: VideoHeader | None = None
    quality_map: bool = False  # every frame begins with one, bitstream/quality_map.py

    def __post_init__(self) -> None:
        _check_range("width", self.width, 1, MAX_SIDE)
        _check_range("height", self.height, 1, MAX_SIDE)
        _check_range("model_id", self.model_id, 0, 255)
        _check_range("lambda_index", self.lambda_index, 0, LAMBDA_INDEX_MAX)
        if len(self.weights_hash) != WEIGHTS_HASH_BYTES:
            raise ValueError(
                f"weights_hash must have {WEIGHTS_HASH_BYTES} bytes, got {len(self.weights_hash)}"
            )
        if self.video and self.alpha:
            raise ValueError("a video must not have alpha")

    @property
    def pixels(self) -> int:
        """Pixels of one frame."""
        return self.width * self.height

    @property
    def lmbda(self) -> float:
        """Rate-distortion weight, 64..2048."""
        return index_to_lambda(self.lambda_index)

    @property
    def bit_depth(self) -> int:
        """Bits per sample; version 1 knows only 8."""
        return 8


@dataclass(frozen=True, slots=True)
class RawHeader:
    """Header bytes after the version, with the state of their CRC, before interpretation."""

    fields: bytes
    crc_actual: int
    crc_expected: int

    @property
    def crc_ok(self) -> bool:
        return self.crc_actual == self.crc_expected


def write_header(writer: StreamWriter, header: StreamHeader) -> int:
    """Write magic, version, fields and CRC; return the number of bytes, 30 or 68."""
    flags = header.profile << _PROFILE_SHIFT | (_FLAG_VIDEO if header.video else 0)
    flags |= _FLAG_QUALITY_MAP if header.quality_map else 0
    colour = header.colour | (_COLOUR_ALPHA if header.alpha else 0)
    body = MAGIC + bytes([FORMAT_VERSION])
    body += _FIELDS.pack(
        flags, header.model_id, header.weights_hash, header.lambda_index,
        header.width - 1, header.height - 1, colour,
    )  # fmt: skip
    if header.video:
        body += pack_video_header(header.video)
    body += CRC.pack(zlib.crc32(body))
    writer.write(body)
    return len(body)


def read_header(reader: StreamReader) -> StreamHeader:
    """Read and check a header.

    NotAStream if the magic is another file's, UnsupportedStream if the version or a
    reserved bit is unknown, CorruptStream if bytes are missing, changed or out of range.
    """
    raw = read_raw_header(reader)
    check_crc(raw.crc_actual, raw.crc_expected, "stream header")
    return parse_header(raw.fields)


def declares_video(head: bytes) -> bool:
    """Whether a stream that begins with `head`, 10 bytes or more, says that it is a video.

    False for what is no stream, and nothing of it is checked: reading it does that.
    """
    flags = head[len(MAGIC) + 1 : len(MAGIC) + 2]
    return head.startswith(MAGIC) and bool(flags) and bool(flags[0] & _FLAG_VIDEO)


def read_raw_header(reader: StreamReader) -> RawHeader:
    """Check magic and version, read the rest with its CRC, believe none of it yet."""
    _check_magic(reader.read_up_to(len(MAGIC)))
    # Before the CRC: a newer version may put it elsewhere.
    (version,) = reader.read_exactly(1, "format version")
    if version != FORMAT_VERSION:
        raise UnsupportedStream(
            f"stream has format version {version}; this build reads version {FORMAT_VERSION}"
        )
    fields = reader.read_exactly(_FIELDS.size, "stream header")
    if fields[0] & _FLAG_VIDEO:
        fields += reader.read_exactly(VIDEO_HEADER_BYTES, "stream header")
    actual = reader.crc
    return RawHeader(fields, actual, reader.read_crc("stream header"))


def parse_header(fields: bytes) -> StreamHeader:
    """Interpret the bytes between version and CRC; errors as for `read_header`."""
    flags, model_id, weights_hash, lambda_index, width_1, height_1, colour = _FIELDS.unpack_from(
        fields
    )
    profile = _parse_flags(flags)
    mode = _parse_colour(colour)
    try:
        return StreamHeader(
            width=width_1 + 1,
            height=height_1 + 1,
            model_id=model_id,
            weights_hash=weights_hash,
            lambda_index=lambda_index,
            colour=mode,
            alpha=bool(colour & _COLOUR_ALPHA),
            profile=profile,
            video=parse_video_header(fields[_FIELDS.size :]) if flags & _FLAG_VIDEO else None,
            quality_map=bool(flags & _FLAG_QUALITY_MAP),
        )
    except ValueError as error:  # our fault when writing, the stream's when reading
        raise CorruptStream(f"stream header: {error}") from error


def _check_magic(head: bytes) -> None:
    if head == MAGIC:
        return
    if not head:
        raise NotAStream("the file is empty")
    if MAGIC.startswith(head):
        raise TruncatedStream(f"the file ends after {len(head)} of {len(MAGIC)} magic bytes")
    if head == _ASF_GUID_START:
        raise NotAStream(
            "this is a Windows Media (ASF) file, not a wavenetmv stream; both use the suffix .wmv"
        )
    if head[:4] == MAGIC[:4] or head.startswith(_RECODED_STARTS):
        raise CorruptStream(
            "the magic's line-end bytes were changed, as by a transfer in text mode: "
            f"expected {MAGIC.hex(' ')}, got {head.hex(' ')}"
        )
    raise NotAStream(f"not a wavenetmv stream: expected {MAGIC.hex(' ')}, got {head.hex(' ')}")


def _parse_flags(flags: int) -> Profile:
    if flags & _FLAG_ADAPTED_TABLES:
        raise UnsupportedStream("stream carries its own entropy tables; this build cannot use them")
    if unknown := flags & ~(_FLAG_VIDEO | _PROFILE_MASK | _FLAG_QUALITY_MAP):
        raise UnsupportedStream(f"reserved header flags {unknown:#04x} are set")
    try:
        return Profile((flags & _PROFILE_MASK) >> _PROFILE_SHIFT)
    except ValueError as error:
        raise UnsupportedStream(f"stream has a reserved profile: {error}") from error


def _parse_colour(colour: int) -> ColourMode:
    if depth := colour & _COLOUR_DEPTH_MASK:
        raise UnsupportedStream(f"bit depth code {depth >> 3}; this build reads 0 (8 bits)")
    if unknown := colour & ~(_COLOUR_MODE_MASK | _COLOUR_ALPHA):
        raise UnsupportedStream(f"reserved colour bits {unknown:#04x} are set")
    try:
        return ColourMode(colour & _COLOUR_MODE_MASK)
    except ValueError as error:
        raise UnsupportedStream(f"stream has a reserved colour mode: {error}") from error


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be in {low}..{high}, got {value}")
