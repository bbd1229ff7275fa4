"""Picture files, Pillow images and arrays to `Picture`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from wavenetmv.errors import InputError, UsageFault
from wavenetmv.io import depth, metadata, modes, sniff
from wavenetmv.io.boundary import guarded, pillow_errors
from wavenetmv.io.files import STDIO, open_source, seekable, translated
from wavenetmv.types import MAX_PIXELS_DEFAULT, MetadataKind, Picture

Source = str | Path | bytes | BinaryIO


def read_picture(
    source: Source, *, keep_alpha: bool = True, max_pixels: int = MAX_PIXELS_DEFAULT
) -> Picture:
    """Read any picture Pillow reads; of an animation, the first frame.

    `source` is a path ("-" is standard input), the file's bytes, or an open binary file.
    `Picture.notes` says what had to be changed: depth, colour space, frames left out.
    Raises InputError for what is not a whole picture or larger than `max_pixels`,
    UsageFault for a stream of ours.
    """
    with _named(source) as (handle, name):
        with translated(name):
            file = seekable(handle, limit_bytes=8 * max_pixels + (64 << 20))
            head = file.read(sniff.HEAD_BYTES)
            file.seek(0)
        with guarded(name, head, max_pixels) as warned, Image.open(file) as image:
            _check_size(image.size, name, max_pixels)
            _refuse_programs(image, name)
            picture = _to_picture(image, file, head, keep_alpha)
    return _with_notes(picture, tuple(warned))


def from_pil(image: Image.Image, *, keep_alpha: bool = True) -> Picture:
    """A Picture from a Pillow image of any mode, EXIF orientation applied.

    Raises InputError when the image's pixels cannot be loaded.
    """
    with pillow_errors("picture", b""):
        _refuse_programs(image, "picture")
        return _to_picture(image, None, b"", keep_alpha)


def from_array(samples: npt.NDArray[Any], *, keep_alpha: bool = True) -> Picture:
    """A Picture from [H, W] or [H, W, 1|3|4] samples, uint8 or uint16. Raises UsageFault."""
    if samples.ndim == 2:
        samples = samples[..., None]
    if samples.ndim != 3 or samples.shape[2] not in (1, 3, 4) or 0 in samples.shape:
        raise UsageFault(f"expected an array HxW or HxWx1, 3 or 4, got {samples.shape}")
    if samples.dtype.kind != "u" or samples.dtype.itemsize > 2:
        raise UsageFault(f"expected uint8 or uint16 samples, got {samples.dtype}")
    notes: tuple[str, ...] = ()
    if samples.dtype.itemsize == 2:
        samples, notes = depth.rounded(samples), ("16 bits reduced to 8",)
    planes = modes.split(samples)
    return _assemble(planes._replace(notes=notes), (), 1, keep_alpha)


def _to_picture(
    image: Image.Image, file: BinaryIO | None, head: bytes, keep_alpha: bool
) -> Picture:
    notes = _frame_note(image)
    rawmodes = depth.wide_rawmodes(image)
    image.load()
    planes = _wide_planes(image, file, rawmodes) if rawmodes else modes.to_planes(image)
    if image.format == "AVIF" and (bits := depth.avif_bits(head)) > 8:
        notes += (f"{bits} bits reduced to 8",)
    kept, orientation, dropped = metadata.collect(image)
    if not planes.icc_applies:
        kept = tuple(item for item in kept if item.kind is not MetadataKind.ICC)
    picture = _assemble(planes, kept, orientation, keep_alpha)
    return _with_notes(picture, notes + dropped)


def _wide_planes(
    image: Image.Image, file: BinaryIO | None, rawmodes: frozenset[str]
) -> modes.Planes:
    note = "16 bits reduced to 8"
    samples = depth.wide_samples(file, image, rawmodes) if file else None
    if samples is None:
        planes = modes.to_planes(image)
        return planes._replace(notes=(*planes.notes, note))
    planes = modes.split(depth.rounded(samples))
    key = image.info.get("transparency")  # PNG: the one colour that is transparent
    if isinstance(key, tuple) and planes.alpha is None:
        seen = np.any(samples != np.array(key, np.uint16), axis=2)
        planes = planes._replace(alpha=seen.astype(np.uint8) * np.uint8(255))
    return planes._replace(notes=(note,))


def _assemble(
    planes: modes.Planes, kept: tuple[Any, ...], orientation: int, keep_alpha: bool
) -> Picture:
    pixels, mode = modes.to_rgb(modes.turned(planes.colour, orientation))
    alpha, notes = planes.alpha, planes.notes
    if alpha is not None and not keep_alpha:
        alpha, notes = None, (*notes, "alpha left out")
    if alpha is not None:
        alpha = modes.owned(modes.turned(alpha, orientation))
    return Picture(pixels, alpha, mode, kept, notes)


def _with_notes(picture: Picture, notes: tuple[str, ...]) -> Picture:
    every = tuple(dict.fromkeys(picture.notes + notes))
    return Picture(picture.pixels, picture.alpha, picture.mode, picture.metadata, every)


def _frame_note(image: Image.Image) -> tuple[str, ...]:
    try:
        frames = int(getattr(image, "n_frames", 1))
    except (OSError, EOFError, SyntaxError, ValueError):  # later frames are damaged
        return ("one frame of several",)
    return (f"frame {image.tell() + 1} of {frames}",) if frames > 1 else ()


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise InputError(
            f"{name}: {width}x{height} is {width * height} pixels; the limit is {max_pixels}"
        )


def _refuse_programs(image: Image.Image, name: str) -> None:
    if image.format == "EPS":  # Pillow would hand a stranger's program to Ghostscript
        raise InputError(f"{name}: expected a picture, found a PostScript document")


@contextmanager
def _named(source: Source) -> Iterator[tuple[BinaryIO, str]]:
    if isinstance(source, (str, Path)):
        name = "standard input" if str(source) == STDIO else str(source)
        with open_source(source) as handle:
            yield handle, name
    elif isinstance(source, (bytes, bytearray, memoryview)):
        yield io.BytesIO(source), "picture"
    else:
        yield source, "picture"
