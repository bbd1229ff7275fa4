"""The picture formats `wmv decode` writes, and what each of them can hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from wavenetmv.errors import UsageFault


@dataclass(frozen=True, slots=True)
class Format:
    """One output format. `exif_limit` and `xmp_limit` are bytes, 0 when there is no place."""

    name: str  # Pillow's
    alpha: bool = True
    grey: bool = True
    exif_limit: int = 1 << 30
    xmp_limit: int = 1 << 30
    icc: bool = True
    text: bool = False
    # Options without and with --quality; None: the format has no such setting.
    options: dict[str, Any] = field(default_factory=dict)
    quality_options: dict[str, Any] | None = None


# A JPEG marker holds 65533 bytes, of which the two names take 6 and 29.
_JPEG = Format(
    "JPEG",
    alpha=False,
    exif_limit=65_527,
    xmp_limit=65_504,
    options={"quality": 95, "subsampling": "4:4:4"},
    quality_options={"subsampling": "4:4:4"},
)
_TIFF = Format("TIFF", options={"compression": "tiff_adobe_deflate"})

SUFFIXES: dict[str, Format] = {
    ".png": Format("PNG", text=True),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": Format(
        "WEBP",
        grey=False,
        # exact: colours under transparent pixels stay as they are
        options={"lossless": True, "exact": True},
        quality_options={"lossless": False, "exact": True},
    ),
    ".avif": Format(
        "AVIF",
        options={"quality": 95, "subsampling": "4:4:4"},
        quality_options={"subsampling": "4:4:4"},
    ),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".bmp": Format("BMP", alpha=False, exif_limit=0, xmp_limit=0, icc=False),
}

# What a folder is searched for; a file that is named is tried whatever its suffix.
READABLE_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("png", "apng", "jpg", "jpeg", "jpe", "jfif", "mpo", "jp2", "j2k", "webp", "avif"),
        *("tif", "tiff", "bmp", "dib", "gif", "ppm", "pgm", "pbm", "pnm", "tga", "qoi"),
    )
)


def format_of(name: str) -> Format:
    """The format a file name or a bare suffix stands for. Raises UsageFault."""
    suffix = PurePath(name).suffix.lower() or "." + name.lower().lstrip(".")
    if (found := SUFFIXES.get(suffix)) is None:
        raise UsageFault(f"{name}: unknown picture suffix; known are {' '.join(SUFFIXES)}")
    return found
