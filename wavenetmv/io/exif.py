"""The two things we do to EXIF and XMP bytes: find the orientation and reset it.

Everything else in them travels untouched, byte for byte, maker notes included.
"""

from __future__ import annotations

import re
import struct

PREFIX = b"Exif\x00\x00"  # JPEG and Pillow put it before the TIFF structure

_ORIENTATION = 0x0112
_ENTRY_BYTES = 12
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))([1-8])")


def strip_prefix(data: bytes) -> bytes:
    """The TIFF structure alone, as PNG, WebP and our streams keep it."""
    return data.removeprefix(PREFIX)


def orientation(exif: bytes, xmp: bytes) -> int:
    """1..8 from EXIF, else from XMP, else 1."""
    if (found := _find_orientation(exif)) is not None:
        _, value = found
    elif match := _XMP_ORIENTATION.search(xmp):
        value = int(match[2])
    else:
        return 1
    return value if 1 <= value <= 8 else 1


def reset_exif(exif: bytes) -> bytes:
    """The same EXIF with orientation 1, for pixels that have been turned already."""
    if (found := _find_orientation(exif)) is None:
        return exif
    offset, _ = found
    return exif[:offset] + struct.pack(_endian(exif) + "H", 1) + exif[offset + 2 :]


def reset_xmp(xmp: bytes) -> bytes:
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def _endian(exif: bytes) -> str:
    return {b"II*\x00": "<", b"MM\x00*": ">"}.get(exif[:4], "")


def _find_orientation(exif: bytes) -> tuple[int, int] | None:
    """Byte offset and value of the tag in the first directory; None if there is none."""
    if not (endian := _endian(exif)):
        return None
    try:
        (directory,) = struct.unpack_from(endian + "I", exif, 4)
        (count,) = struct.unpack_from(endian + "H", exif, directory)
        for entry in range(count):
            offset = directory + 2 + entry * _ENTRY_BYTES
            tag, kind, _, value = struct.unpack_from(endian + "HHIH", exif, offset)
            if tag == _ORIENTATION and kind == 3:  # SHORT: the value sits in the entry
                return offset + 8, value
    except struct.error:  # cut short: cameras and editors do write such EXIF
        return None
    return None
