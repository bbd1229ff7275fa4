"""Name what a file is when it is not a picture, so that the error helps."""

from __future__ import annotations

import codecs

from wavenetmv.errors import InputError, UsageFault, WmvError

HEAD_BYTES = 4096  # an AVIF says its depth this far in; the signatures need less

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, _ASF, "a Windows Media (ASF) file"),
    (4, b"ftyphei", "a HEIC picture, which needs converting first"),
    (4, b"ftypmif1", "a HEIF picture, which needs converting first"),
    (4, b"ftyp", "a video (MP4 family)"),
    (0, b"\x1aE\xdf\xa3", "a video (Matroska or WebM)"),
    (8, b"AVI ", "a video (AVI)"),
    (0, b"\xff\x0a", "a JPEG XL picture, which needs converting first"),
    (4, b"JXL \r\n\x87\n", "a JPEG XL picture, which needs converting first"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<?xml", "an XML document"),
    (0, b"<!DOCTYPE", "an HTML page"),
    (0, b"<html", "an HTML page"),
)
_PICTURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG", "PNG"),
    (0, b"\xff\xd8", "JPEG"),
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (4, b"ftypavi", "AVIF"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"BM", "BMP"),
)


def is_our_stream(head: bytes) -> bool:
    """Whether a file starts like a .wmv of ours, of whatever version."""
    return len(head) >= 4 and head[0] >= 0x80 and head[1:4] == b"WMV"


def not_a_picture(name: str, head: bytes) -> WmvError:
    """The error for a file no picture reader recognises; `head` is its beginning."""
    if not head:
        return InputError(f"{name}: empty file")
    if is_our_stream(head):
        return UsageFault(f"{name} is a .wmv stream already; `wmv decode` turns it into a picture")
    for offset, signature, what in _PICTURES:
        if head[offset:].startswith(signature):
            return InputError(f"{name}: damaged or cut short {what}")
    for offset, signature, what in _SIGNATURES:
        if head[offset:].startswith(signature):
            return InputError(f"{name}: expected a picture, found {what}")
    if looks_like_text(head):
        return InputError(f"{name}: expected a picture, found text")
    return InputError(f"{name}: not a picture in a known format (it begins {head[:8].hex(' ')})")


def looks_like_text(head: bytes) -> bool:
    """Whether `head`, the beginning of a file, is UTF-8 that can be shown."""
    try:  # incremental: the head may end inside a character
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)
