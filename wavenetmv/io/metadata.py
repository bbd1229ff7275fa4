"""EXIF, ICC, XMP and text of a Pillow image, to our Metadata and back."""

from __future__ import annotations

from typing import Any

from PIL import Image

from wavenetmv.io import exif as exif_bytes
from wavenetmv.types import Metadata, MetadataKind

# Far above what cameras and editors write; a stream is not a place to hide files in.
LIMIT_BYTES = 1 << 24
LIMIT_COUNT = 64

_XMP_KEY = "XML:com.adobe.xmp"
_RAW_EXIF_KEY = "Raw profile type exif"  # how ImageMagick puts EXIF into a PNG
# The first directory of a TIFF describes strips and tiles too; these describe the picture.
_DESCRIPTIVE_TAGS = (270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432)
_NESTED_DIRECTORIES = (34665, 34853)  # Exif, GPS
_RESOLUTION_TAGS = {282, 283, 296}  # every TIFF has them: no reason to keep EXIF


def collect(image: Image.Image) -> tuple[tuple[Metadata, ...], int, tuple[str, ...]]:
    """Metadata, EXIF orientation 1..8 still to be applied, and notes on what was left out.

    `image` must be loaded: a PNG may carry text behind its pixels.
    """
    exif = _exif(image)
    xmp = _xmp(image)
    orientation = exif_bytes.orientation(exif, xmp)
    if orientation != 1:
        exif, xmp = exif_bytes.reset_exif(exif), exif_bytes.reset_xmp(xmp)
    found = [
        Metadata(MetadataKind.EXIF, exif),
        Metadata(MetadataKind.ICC, _as_bytes(image.info.get("icc_profile"))),
        Metadata(MetadataKind.XMP, xmp),
        *(_text(key, value) for key, value in _texts(image)),
    ]
    kept: list[Metadata] = []
    notes: list[str] = []
    total = 0
    for item in found:
        if not item.data:
            continue
        if total + len(item.data) > LIMIT_BYTES or len(kept) == LIMIT_COUNT:
            notes.append(f"{item.kind.name} left out: too much metadata")
            continue
        total += len(item.data)
        kept.append(item)
    return tuple(kept), orientation, tuple(notes)


def split_text(item: Metadata) -> tuple[str, str]:
    """Key and value of a TEXT item."""
    key, _, value = item.data.decode("utf-8", "replace").partition("\0")
    return key, value


def _text(key: str, value: str) -> Metadata:
    data = f"{key.replace(chr(0), '')}\0{value}".encode("utf-8", "replace")
    return Metadata(MetadataKind.TEXT, data)


def _texts(image: Image.Image) -> list[tuple[str, str]]:
    texts = {key: str(value) for key, value in getattr(image, "text", {}).items()}
    texts.pop(_XMP_KEY, None)
    texts.pop(_RAW_EXIF_KEY, None)
    if comment := _as_bytes(image.info.get("comment")):  # JPEG and GIF
        texts.setdefault("Comment", _decode(comment))
    return list(texts.items())


def _decode(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _exif(image: Image.Image) -> bytes:
    if data := _as_bytes(image.info.get("exif")):
        return exif_bytes.strip_prefix(data)
    if image.format == "TIFF":
        return _tiff_exif(image)
    if isinstance(raw := image.info.get(_RAW_EXIF_KEY), str):
        try:  # a line "exif", a line with the length, then hexadecimal
            return exif_bytes.strip_prefix(bytes.fromhex("".join(raw.split("\n")[3:])))
        except ValueError:
            return b""
    return b""


def _tiff_exif(image: Image.Image) -> bytes:
    source, kept = image.getexif(), Image.Exif()
    for tag in _DESCRIPTIVE_TAGS:
        if tag in source:
            kept[tag] = source[tag]
    for tag in _NESTED_DIRECTORIES:
        if directory := source.get_ifd(tag):
            kept[tag] = dict(directory)
    if set(kept) <= _RESOLUTION_TAGS:
        return b""
    return exif_bytes.strip_prefix(kept.tobytes())


def _xmp(image: Image.Image) -> bytes:
    return _as_bytes(image.info.get("xmp") or image.info.get(_XMP_KEY))


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return bytes(value) if isinstance(value, (bytes, bytearray)) else b""
