"""Every Pillow mode to the planes of a Picture: RGB, perhaps alpha, grey or not."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from wavenetmv.io import depth
from wavenetmv.types import ColourMode

Bytes = npt.NDArray[np.uint8]


class Planes(NamedTuple):
    """`colour` is [H, W] when grey, else [H, W, 3]; `alpha` is [H, W] or None."""

    colour: Bytes
    alpha: Bytes | None = None
    notes: tuple[str, ...] = ()
    icc_applies: bool = True  # the source's profile still describes `colour`


def to_planes(image: Image.Image) -> Planes:
    """`image`, loaded, in any mode. 16-bit colour is `depth`'s work, not done here."""
    mode = image.mode
    if mode.startswith("I;16"):
        return _sixteen_bit_grey(image)
    if mode in ("I", "F"):
        colour, note = depth.stretched(np.asarray(image))
        return Planes(colour, notes=(note,))
    if mode in ("CMYK", "LAB"):
        return _by_profile(image)
    if mode in ("P", "PA"):
        return _palette(image)
    grey = mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        return split(np.asarray(image.convert("LA" if grey else "RGBA")))
    return Planes(np.asarray(image.convert("L" if grey else "RGB")))


def split(samples: Bytes) -> Planes:
    """[H, W, 1..4] samples, the last of two or four being alpha."""
    channels = samples.shape[2]
    colour = samples[..., 0] if channels < 3 else samples[..., :3]
    return Planes(colour, samples[..., -1] if channels in (2, 4) else None)


def to_rgb(colour: Bytes) -> tuple[Bytes, ColourMode]:
    """[H, W, 3] of `colour` [H, W] or [H, W, 3]."""
    if colour.ndim == 3:
        return owned(colour), ColourMode.RGB
    return np.repeat(colour[..., None], 3, axis=2), ColourMode.GREY


def owned(plane: Bytes) -> Bytes:
    """Contiguous and writable, copied if it is not: torch refuses what Pillow hands out."""
    return np.require(plane, requirements=["C", "W"])


def turned(plane: Bytes, orientation: int) -> Bytes:
    """`plane` [H, W, ...] as it should be seen; `orientation` 1..8 as in EXIF."""
    if orientation >= 5:  # 5..8 swap the axes first
        plane = plane.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    return plane


def _sixteen_bit_grey(image: Image.Image) -> Planes:
    samples = np.asarray(image)
    white = 4095 if _tiff_bits(image) == 12 else 65535
    key = image.info.get("transparency")
    alpha = (samples != key).astype(np.uint8) * np.uint8(255) if isinstance(key, int) else None
    note = f"{white.bit_length()} bits reduced to 8"
    return Planes(depth.rounded(samples, white), alpha, (note,))


def _tiff_bits(image: Image.Image) -> int:
    bits: Any = getattr(image, "tag_v2", {}).get(258, (16,))
    return int(bits[0]) if isinstance(bits, tuple) else int(bits)


def _palette(image: Image.Image) -> Planes:
    if image.has_transparency_data:
        planes = split(np.asarray(image.convert("RGBA")))
    else:
        planes = Planes(np.asarray(image.convert("RGB")))
    # GIF has no other way to be grey than a grey palette.
    red, green, blue = np.moveaxis(planes.colour, 2, 0)
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return planes._replace(colour=red)
    return planes


def _by_profile(image: Image.Image) -> Planes:
    """CMYK or LAB to sRGB, through the embedded ICC profile when there is a usable one."""
    srgb = ImageCms.createProfile("sRGB")
    try:
        if image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(image.info.get("icc_profile", b"")))
        converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
        how = "by its ICC profile" if image.mode == "CMYK" else "by its definition"
    except (ImageCms.PyCMSError, OSError):
        converted, how = None, "without a profile"
    if converted is None:
        converted = image.convert("RGB")
    note = f"{image.mode} converted to sRGB {how}"
    return Planes(np.asarray(converted), notes=(note,), icc_applies=False)
