"""`Picture` to Pillow images and picture files, with the metadata each format can hold."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from wavenetmv.errors import InputError, UsageFault
from wavenetmv.io import exif as exif_bytes
from wavenetmv.io import metadata
from wavenetmv.io.files import STDIO, open_sink
from wavenetmv.io.formats import Format, format_of
from wavenetmv.types import ColourMode, MetadataKind, Picture

# Keys that mean something to Pillow's writers; a text chunk of that name must not.
_RESERVED = {"exif", "icc_profile", "xmp", "transparency", "dpi", "gamma", "background", "comment"}
_PNG_KEY_CHARACTERS = 79
_XMP_TAG = 700


def to_pil(picture: Picture) -> Image.Image:
    """A Pillow image, mode L, LA, RGB or RGBA; `info` carries EXIF, ICC, XMP and text."""
    grey = picture.mode is ColourMode.GREY
    samples = picture.pixels[..., :1] if grey else picture.pixels
    if picture.alpha is not None:
        samples = np.concatenate([samples, picture.alpha[..., None]], axis=2)
    image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    for item in picture.metadata:
        if item.kind is MetadataKind.EXIF:
            image.info["exif"] = exif_bytes.PREFIX + item.data
        elif item.kind is MetadataKind.ICC:
            image.info["icc_profile"] = item.data
        elif item.kind is MetadataKind.XMP:
            image.info["xmp"] = item.data
        else:
            key, value = metadata.split_text(item)
            if key not in _RESERVED:
                image.info[key] = value
    return image


def write_picture(
    picture: Picture,
    target: str | Path,
    *,
    format_name: str | None = None,
    quality: int | None = None,
    force: bool = False,
) -> tuple[str, ...]:
    """Write `picture` and return notes on what the format could not hold.

    The format comes from `format_name` ("png", "jpg", ...) or the target's suffix; "-" is
    standard output, PNG unless named. `quality` is 1..100 for jpg, webp and avif; without
    it JPEG and AVIF write 95 in 4:4:4 and WebP is lossless.
    Raises UsageFault for an unknown format or an existing target, InputError when the
    file cannot be written.
    """
    chosen = format_of(format_name or ("png" if str(target) == STDIO else Path(target).name))
    data, notes = picture_bytes(picture, chosen, quality)
    with open_sink(target, force=force) as sink:
        sink.write(data)
    return notes


def picture_bytes(
    picture: Picture, chosen: Format, quality: int | None = None
) -> tuple[bytes, tuple[str, ...]]:
    """The whole file in memory: TIFF seeks while writing and a pipe does not."""
    options = _options(chosen, quality)
    notes: list[str] = []
    if picture.alpha is not None and not chosen.alpha:
        picture = Picture(picture.pixels, None, picture.mode, picture.metadata)
        notes.append(f"alpha left out: {chosen.name} has none")
    image = to_pil(picture)
    image.info.clear()  # only what is passed explicitly gets written
    kept = _metadata_options(picture, chosen, notes)
    try:
        data = _saved(image, chosen, options | _as_pillow_wants(chosen, kept))
    except Exception:  # Pillow parses some of it, and cameras write broken EXIF
        if not kept:
            raise
        data = _saved(image, chosen, options)
        notes.append(f"metadata left out: {chosen.name} could not hold it")
    return data, tuple(notes)


def check_quality(chosen: Format, quality: int | None) -> None:
    """UsageFault if `quality` is out of range or means nothing to the format."""
    if quality is not None and chosen.quality_options is None:
        raise UsageFault(f"{chosen.name} is lossless; --quality is for jpg, webp and avif")
    if quality is not None and not 1 <= quality <= 100:
        raise UsageFault(f"quality must be in 1..100, got {quality}")


def _options(chosen: Format, quality: int | None) -> dict[str, Any]:
    check_quality(chosen, quality)
    if quality is None or chosen.quality_options is None:
        return chosen.options
    return chosen.quality_options | {"quality": quality}


def _saved(image: Image.Image, chosen: Format, options: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    try:
        image.save(sink, chosen.name, **options)
    except (OSError, ValueError) as error:
        size = f"{image.width}x{image.height}"
        raise InputError(f"{size} picture as {chosen.name}: {error}") from error
    return sink.getvalue()


def _metadata_options(picture: Picture, chosen: Format, notes: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    texts: list[tuple[str, str]] = []
    grey = picture.mode is ColourMode.GREY and chosen.grey
    for item in picture.metadata:
        if item.kind is MetadataKind.EXIF and len(item.data) <= chosen.exif_limit:
            options["exif"] = exif_bytes.PREFIX + item.data
        elif item.kind is MetadataKind.XMP and len(item.data) <= chosen.xmp_limit:
            options["xmp"] = item.data
        elif item.kind is MetadataKind.ICC and chosen.icc and _profile_fits(item.data, grey):
            options["icc_profile"] = item.data
        elif item.kind is MetadataKind.TEXT and chosen.text:
            texts.append(metadata.split_text(item))
        else:
            notes.append(f"{item.kind.name} left out: {chosen.name} cannot hold it")
    if texts:
        options["texts"] = texts
    return options


def _profile_fits(profile: bytes, grey: bool) -> bool:
    """A grey profile on colour samples makes readers refuse the file; the reverse is common."""
    return grey or profile[16:20] != b"GRAY"


def _as_pillow_wants(chosen: Format, options: dict[str, Any]) -> dict[str, Any]:
    """PNG and TIFF have no option for XMP: one takes it as a text chunk, one as an EXIF tag."""
    if chosen.name == "PNG":
        return _png_options(dict(options))
    if chosen.name == "TIFF" and "xmp" in options:
        tags = Image.Exif()
        tags.load(options.get("exif", b""))
        tags[_XMP_TAG] = options["xmp"]
        return options | {"exif": tags}
    return options


def _png_options(options: dict[str, Any]) -> dict[str, Any]:
    chunks = PngImagePlugin.PngInfo()
    for key, value in options.pop("texts", ()):
        name = key.encode("latin-1", "replace").decode("latin-1")[:_PNG_KEY_CHARACTERS]
        chunks.add_text(name or "Comment", value)
    if xmp := options.pop("xmp", None):
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    return options | {"pnginfo": chunks}
