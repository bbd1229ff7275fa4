"""Wide samples (16 bits, 32 bits, floats) to the 8 bits the codec keeps, correctly rounded.

Pillow has no mode for 16-bit colour and gives the high byte without saying so. Unpacking
the same file once more with the other byte order gives the low bytes, so that
`floor((v + 128) / 257)`, the nearest of 256 levels, can be taken of the whole number.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

_OTHER_ORDER = {
    "RGB;16B": "RGB;16L",
    "RGB;16L": "RGB;16B",
    "RGBA;16B": "RGBA;16L",
    "RGBA;16L": "RGBA;16B",
    "RGB;16N": "RGB;16B",
    "RGBA;16N": "RGBA;16B",
}
_ROWS = 256  # a block at a time: the intermediate needs four bytes a sample


def rounded(wide: npt.NDArray[Any], white: int = 65535) -> npt.NDArray[np.uint8]:
    """Nearest of 256 levels for samples 0..`white`, any shape [H, ...]."""
    out = np.empty(wide.shape, np.uint8)
    for top in range(0, wide.shape[0], _ROWS):
        block = wide[top : top + _ROWS].astype(np.uint64)
        out[top : top + _ROWS] = np.minimum((block * 510 + white) // (2 * white), 255)
    return out


def stretched(samples: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint8], str]:
    """8 bits from integers or floats of no agreed range, and a note that says how.

    0..1 (floats only), 0..255 (floats only) and 0..65535 are taken as such; anything
    else is scaled from its smallest to its largest value.
    """
    values = np.nan_to_num(samples.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    floating = samples.dtype.kind == "f"
    for white in (1, 255, 65535) if floating else (65535,):
        if low >= 0 and high <= white:
            note = f"{'float' if floating else 'integer'} samples 0..{white} reduced to 8 bits"
            return np.round(values * (255 / white)).astype(np.uint8), note
    note = f"samples from {low:g} to {high:g} scaled to 8 bits"
    return np.round((values - low) * (255 / ((high - low) or 1.0))).astype(np.uint8), note


def wide_rawmodes(image: Image.Image) -> frozenset[str]:
    """How 16-bit colour lies in the file, for an `image` not loaded yet; empty if it is not."""
    if not isinstance(image, ImageFile.ImageFile):
        return frozenset()
    found = _rawmodes(image)
    return found if any(";16" in name and name[0] != "I" for name in found) else frozenset()


def wide_samples(
    source: BinaryIO, high: Image.Image, rawmodes: frozenset[str]
) -> npt.NDArray[np.uint16] | None:
    """Whole samples [H, W, 2..4] of the picture in `source`, whose high bytes `high` holds.

    None where Pillow has no unpacker for the low bytes; then the high ones have to do.
    """
    grey_alpha = rawmodes == {"LA;16B"}
    # Grey and alpha, two bytes each, unpack as the four channels of an 8-bit picture.
    swap = {"LA;16B": "RGBA"} if grey_alpha else _OTHER_ORDER
    if not rawmodes <= swap.keys():
        return None
    source.seek(0)
    with Image.open(source) as again:
        if not isinstance(again, ImageFile.ImageFile):
            return None
        again.tile = [tile._replace(args=_swapped(tile.args, swap)) for tile in again.tile]
        again.load()
        low = np.asarray(again)
    top, low = (low[..., 0::2], low[..., 1::2]) if grey_alpha else (np.asarray(high), low)
    wide: npt.NDArray[np.uint16] = top.astype(np.uint16)
    wide <<= 8
    wide |= low
    return wide


def avif_bits(head: bytes) -> int:
    """Bits per channel that an AVIF's `pixi` box declares; 8 when there is none."""
    at = head.find(b"pixi")
    # After the name: version and flags (4 bytes), channel count, then bits for each.
    return head[at + 9] if 0 <= at < len(head) - 9 else 8


def _rawmodes(image: ImageFile.ImageFile) -> frozenset[str]:
    arguments = (tile.args if isinstance(tile.args, tuple) else (tile.args,) for tile in image.tile)
    return frozenset(str(args[0]) for args in arguments if args)


def _swapped(args: Any, swap: dict[str, str]) -> Any:
    if isinstance(args, tuple):
        return (swap[args[0]], *args[1:])
    return swap[args]
