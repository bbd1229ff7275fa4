"""EXIF, ICC, XMP and text: kept, and the orientation applied once."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from wavenetmv.io import exif as exif_bytes
from wavenetmv.io import from_pil, metadata, read_picture
from wavenetmv.types import MetadataKind

EXIF_FORMATS = ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"]
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/>'
    b"<tiff:Orientation>6</tiff:Orientation></x:xmpmeta>"
)


def exif(orientation: int | None = None) -> Image.Exif:
    made = Image.Exif()
    made[0x010F] = "Maker"
    made[0x8769] = {0x9003: "2024:05:06 07:08:09"}
    if orientation is not None:
        made[0x0112] = orientation
    return made


def kept(picture, kind):
    return [item.data for item in picture.metadata if item.kind is kind]


def loaded(data):
    parsed = Image.Exif()
    parsed.load(exif_bytes.PREFIX + data)
    return parsed


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", EXIF_FORMATS)
def test_orientation_is_applied_and_reset(name, orientation, noise, saved):
    smooth = Image.fromarray(noise[:4, :3, :3]).resize((48, 64), Image.Resampling.NEAREST)
    data = saved(smooth, name, exif=exif(orientation).tobytes())
    picture = read_picture(data)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(picture.pixels, expected)
    (data,) = kept(picture, MetadataKind.EXIF)
    assert not data.startswith(b"Exif")
    assert loaded(data).get(0x0112, 1) == 1
    assert loaded(data)[0x010F] == "Maker"
    assert loaded(data).get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"


def test_alpha_turns_with_the_pixels(noise, saved):
    picture = read_picture(saved(Image.fromarray(noise), "PNG", exif=exif(6)))
    assert np.array_equal(picture.alpha, np.rot90(noise[..., 3], -1))
    assert np.array_equal(picture.pixels, np.rot90(noise[..., :3], -1))


def test_pillow_images_are_turned_too(noise, saved):
    with Image.open(io.BytesIO(saved(Image.fromarray(noise), "PNG", exif=exif(3)))) as image:
        picture = from_pil(image)
    assert np.array_equal(picture.pixels, noise[::-1, ::-1, :3])


def test_exif_without_orientation_is_kept_byte_for_byte(saved):
    data = exif().tobytes()
    picture = read_picture(saved(Image.new("RGB", (8, 8)), "JPEG", exif=data))
    assert kept(picture, MetadataKind.EXIF) == [data[6:]]


@pytest.mark.parametrize("endian", ["<", ">"])
def test_only_the_orientation_changes(endian):
    made = exif(8)
    made.endian = endian
    before = exif_bytes.strip_prefix(made.tobytes())
    after = exif_bytes.reset_exif(before)
    assert exif_bytes.orientation(before, b"") == 8
    assert exif_bytes.orientation(after, b"") == 1
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_damaged_exif_means_upright():
    data = exif_bytes.strip_prefix(exif(6).tobytes())
    for length in range(len(data)):
        assert exif_bytes.orientation(data[:length], b"") in (1, 6)
    for value in (0, 9, 65535):
        assert exif_bytes.orientation(exif_bytes.strip_prefix(exif(value).tobytes()), b"") == 1
    assert exif_bytes.orientation(b"II*\0\xff\xff\xff\xff", b"") == 1


def with_xmp(name, xmp):
    if name == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        return {"pnginfo": info}
    return {"tiffinfo": {700: xmp}} if name == "TIFF" else {"xmp": xmp}


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_orientation_in_xmp_alone(name, noise, saved):
    smooth = Image.fromarray(noise[:4, :3, :3]).resize((48, 64))
    picture = read_picture(saved(smooth, name, **with_xmp(name, XMP)))
    assert (picture.width, picture.height) == (64, 48)
    (data,) = kept(picture, MetadataKind.XMP)
    assert exif_bytes.orientation(b"", data) == 1
    assert b"xmpmeta" in data


@pytest.mark.parametrize("name", EXIF_FORMATS)
def test_profile_and_xmp_are_kept(name, saved):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = XMP.replace(b"6", b"1")
    extra = with_xmp(name, xmp)
    picture = read_picture(saved(Image.new("RGB", (8, 8)), name, icc_profile=profile, **extra))
    assert kept(picture, MetadataKind.ICC) == [profile]
    assert kept(picture, MetadataKind.XMP) == [xmp]
    assert kept(picture, MetadataKind.TEXT) == []


def test_png_text_of_every_kind(saved):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "plain")
    info.add_text("Long", "compressed " * 50, zip=True)
    info.add_itxt("Author", "Grüße, 你好", lang="de")
    picture = read_picture(saved(Image.new("L", (3, 3)), "PNG", pnginfo=info))
    texts = [metadata.split_text(item) for item in picture.metadata]
    expected = [("Title", "plain"), ("Long", "compressed " * 50), ("Author", "Grüße, 你好")]
    assert texts == expected


@pytest.mark.parametrize("comment", ["a comment", "Grüße"])
@pytest.mark.parametrize("name", ["JPEG", "GIF"])
def test_comments(name, comment, saved):
    picture = read_picture(saved(Image.new("L", (8, 8)), name, comment=comment.encode()))
    assert [metadata.split_text(item) for item in picture.metadata] == [("Comment", comment)]


def test_exif_as_imagemagick_writes_it(saved):
    data = exif_bytes.strip_prefix(exif(6).tobytes())
    info = PngImagePlugin.PngInfo()
    raw = (exif_bytes.PREFIX + data).hex()
    info.add_text("Raw profile type exif", f"\nexif\n{len(raw) // 2:8}\n{raw}\n")
    picture = read_picture(saved(Image.new("RGB", (5, 9)), "PNG", pnginfo=info))
    assert (picture.width, picture.height) == (9, 5)
    assert kept(picture, MetadataKind.EXIF) == [exif_bytes.reset_exif(data)]


def test_a_plain_tiff_brings_no_exif(saved):
    picture = read_picture(saved(Image.new("RGB", (5, 9)), "TIFF", dpi=(300, 300)))
    assert picture.metadata == ()


def test_too_much_metadata_is_left_out_with_a_note(saved, monkeypatch):
    monkeypatch.setattr(metadata, "LIMIT_BYTES", 100)
    monkeypatch.setattr(metadata, "LIMIT_COUNT", 2)
    info = PngImagePlugin.PngInfo()
    for key, length in (("a", 10), ("b", 90), ("c", 10), ("d", 1)):
        info.add_text(key, "x" * length)
    picture = read_picture(saved(Image.new("L", (3, 3)), "PNG", pnginfo=info))
    assert [metadata.split_text(item)[0] for item in picture.metadata] == ["a", "c"]
    assert picture.notes == ("TEXT left out: too much metadata",)
