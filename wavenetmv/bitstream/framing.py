"""Counting, checksumming reader and writer under every structure of a stream.

Normative text: docs/FORMAT.md section 2.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from wavenetmv.errors import CorruptStream, TruncatedStream

CRC = struct.Struct("<I")
MAX_VARINT_BYTES = 4
MAX_VARINT = (1 << 7 * MAX_VARINT_BYTES) - 1
# Times and sizes of files outgrow 28 bits; 63 fit a signed integer anywhere.
LONG_VARINT_BYTES = 9
# A declared length alone must never make us reserve memory.
_CHUNK_BYTES = 1 << 20


class StreamReader:
    """Sequential view of a byte source; `offset` and `crc` cover all bytes handed out so far.

    Needs nothing of the source but `read`, so pipes work as well as files. `offset` is where
    in the stream the source is.
    """

    def __init__(self, source: BinaryIO, offset: int = 0) -> None:
        self._source = source
        self.offset = offset
        self.crc = 0

    def read_exactly(self, size: int, what: str) -> bytes:
        """Read `size` bytes, however many calls the source needs; TruncatedStream if it ends."""
        data = self.read_up_to(size)
        if len(data) < size:
            raise TruncatedStream(f"{what}: expected {size} bytes, got {len(data)}")
        return data

    def read_up_to(self, size: int) -> bytes:
        """Read `size` bytes, or fewer where the source ends."""
        data = bytearray()
        while len(data) < size:
            chunk = self._source.read(min(size - len(data), _CHUNK_BYTES))
            if not chunk:
                break
            data += chunk
        self.offset += len(data)
        self.crc = zlib.crc32(data, self.crc)
        return bytes(data)

    def read_crc(self, what: str) -> int:
        """Read a CRC-32 field, 0..2^32-1."""
        (crc,) = CRC.unpack(self.read_exactly(CRC.size, f"{what} CRC"))
        return int(crc)

    def read_varint(self, what: str, max_bytes: int = MAX_VARINT_BYTES) -> tuple[int, bytes]:
        """Read an LEB128 number of 7 bits a byte; return it with the bytes it came from."""
        raw = b""
        value = 0
        while True:
            byte = self.read_exactly(1, what)
            value |= (byte[0] & 0x7F) << 7 * len(raw)
            raw += byte
            if byte[0] < 0x80:
                break
            if len(raw) == max_bytes:
                raise CorruptStream(f"{what} is longer than {max_bytes} bytes")
        # One number, one form: otherwise equal streams could differ in bytes.
        if len(raw) > 1 and raw[-1] == 0:
            raise CorruptStream(f"{what} is not in its shortest form: {raw.hex(' ')}")
        return value, raw


class StreamWriter:
    """Sequential writer; `offset` and `crc` cover all bytes written so far.

    The sink must be buffered: its `write` takes everything or raises.
    """

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self.offset = 0
        self.crc = 0

    def write(self, data: bytes) -> None:
        self._sink.write(data)
        self.offset += len(data)
        self.crc = zlib.crc32(data, self.crc)

    def flush(self) -> None:
        """Hand what was written on to whoever reads it."""
        self._sink.flush()


def pack_varint(value: int, max_bytes: int = MAX_VARINT_BYTES) -> bytes:
    """LEB128, shortest form; `value` of at most 7 * `max_bytes` bits, ValueError otherwise."""
    if not 0 <= value < 1 << 7 * max_bytes:
        raise ValueError(f"a varint must be in 0..{(1 << 7 * max_bytes) - 1}, got {value}")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def check_crc(actual: int, expected: int, what: str) -> None:
    """CorruptStream, with both values, unless they are equal."""
    if actual != expected:
        raise CorruptStream(f"{what}: CRC {actual:#010x}, stream says {expected:#010x}")
