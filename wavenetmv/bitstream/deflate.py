"""Raw deflate (RFC 1951) with a bound on what comes out.

Raw, because a packet's CRC already covers what zlib's header and Adler-32 would.
"""

from __future__ import annotations

import zlib

from wavenetmv.errors import CorruptStream

_RAW_WINDOW_BITS = -15


def deflate(data: bytes, level: int = 9) -> bytes:
    """Compress; the bytes may differ between zlib releases, what they inflate to may not."""
    coder = zlib.compressobj(level, zlib.DEFLATED, _RAW_WINDOW_BITS, memLevel=9)
    return coder.compress(data) + coder.flush()


def inflate(data: bytes, limit: int, what: str) -> bytes:
    """Decompress to at most `limit` bytes.

    CorruptStream if `data` is damaged, cut short, followed by anything, or expands further.
    """
    coder = zlib.decompressobj(_RAW_WINDOW_BITS)
    try:
        # One byte beyond the limit tells "exactly full" from "more to come".
        out = coder.decompress(data, limit + 1)
    except zlib.error as error:
        raise CorruptStream(f"{what}: deflated data is damaged: {error}") from error
    if len(out) > limit:
        raise CorruptStream(f"{what} expands to more than {limit} bytes")
    if not coder.eof:
        raise CorruptStream(f"{what}: deflated data is cut short after {len(out)} bytes")
    if coder.unused_data:
        raise CorruptStream(f"{what}: {len(coder.unused_data)} bytes follow the deflated data")
    return out
