"""Pictures to files: lossless where promised, metadata where there is a place for it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from wavenetmv.errors import InputError, UsageFault
from wavenetmv.io import from_pil, read_picture, to_pil, write_picture
from wavenetmv.io.formats import SUFFIXES, format_of
from wavenetmv.io.writing import picture_bytes
from wavenetmv.types import ColourMode, Metadata, MetadataKind, Picture

LOSSLESS = [".png", ".webp", ".tif", ".tiff", ".bmp"]


def exif(**tags: str) -> bytes:
    made = Image.Exif()
    made[0x010F] = tags.get("maker", "Maker")
    return made.tobytes()[6:]


def everything() -> tuple[Metadata, ...]:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return (
        Metadata(MetadataKind.EXIF, exif()),
        Metadata(MetadataKind.ICC, profile),
        Metadata(MetadataKind.XMP, b"<x:xmpmeta/>"),
        Metadata(MetadataKind.TEXT, "Title\0Grüße".encode()),
    )


def grey(plane):
    return Picture(np.repeat(plane[..., None], 3, 2), None, ColourMode.GREY)


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_lossless_formats(suffix, noise, tmp_path):
    picture = Picture(noise[..., :3], None)
    notes = write_picture(picture, tmp_path / f"a{suffix}")
    assert notes == ()
    assert np.array_equal(read_picture(tmp_path / f"a{suffix}").pixels, picture.pixels)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_alpha_survives_with_the_colours_beneath_it(suffix, noise, tmp_path):
    write_picture(Picture(noise[..., :3], noise[..., 3]), tmp_path / f"a{suffix}")
    back = read_picture(tmp_path / f"a{suffix}")
    assert np.array_equal(back.alpha, noise[..., 3])
    assert np.array_equal(back.pixels, noise[..., :3])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_writes_every_kind_of_picture(suffix, noise, tmp_path):
    for number, picture in enumerate(
        (
            Picture(noise[..., :3], noise[..., 3], metadata=everything()),
            Picture(noise[:1, :1, :3], metadata=everything()),
            grey(noise[..., 0]),
            Picture(grey(noise[..., 0]).pixels, noise[..., 3], ColourMode.GREY, everything()),
        )
    ):
        path = tmp_path / f"{number}{suffix}"
        write_picture(picture, path)
        back = read_picture(path)
        assert (back.width, back.height) == (picture.width, picture.height)
        if SUFFIXES[suffix].grey and suffix != ".avif":  # Pillow reads grey AVIF as RGB
            assert back.mode is picture.mode


def test_jpeg_is_quality_95_without_chroma_subsampling(noise, tmp_path):
    write_picture(Picture(noise[..., :3]), tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert [component[1:3] for component in image.layer] == [(1, 1)] * 3
        assert max(image.quantization[0]) <= 12  # 121 in the standard's table, times 0.1


def test_quality_changes_the_size(noise):
    picture = Picture(noise[..., :3])
    for suffix in (".jpg", ".webp", ".avif"):
        small, _ = picture_bytes(picture, format_of(suffix), quality=10)
        large, _ = picture_bytes(picture, format_of(suffix), quality=90)
        assert len(small) < len(large)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif", ".tif"])
def test_metadata_comes_back(suffix, noise, tmp_path):
    picture = Picture(noise[..., :3], metadata=everything())
    notes = write_picture(picture, tmp_path / f"a{suffix}")
    back = {item.kind: item.data for item in read_picture(tmp_path / f"a{suffix}").metadata}
    assert back[MetadataKind.ICC] == picture.metadata[1].data
    assert back[MetadataKind.XMP] == b"<x:xmpmeta/>"
    parsed = Image.Exif()
    parsed.load(b"Exif\0\0" + back[MetadataKind.EXIF])
    assert parsed[0x010F] == "Maker"
    if suffix == ".png":
        assert back[MetadataKind.TEXT] == "Title\0Grüße".encode()
        assert notes == ()
    else:
        assert notes == (f"TEXT left out: {SUFFIXES[suffix].name} cannot hold it",)


def test_what_a_format_cannot_hold_is_left_out_with_a_note(noise, tmp_path):
    big = (
        Metadata(MetadataKind.EXIF, exif(maker="x" * 70_000)),
        Metadata(MetadataKind.XMP, b"x" * 70_000),
    )
    picture = Picture(noise[..., :3], noise[..., 3], metadata=big)
    assert write_picture(picture, tmp_path / "a.jpg") == (
        "alpha left out: JPEG has none",
        "EXIF left out: JPEG cannot hold it",
        "XMP left out: JPEG cannot hold it",
    )
    assert write_picture(picture, tmp_path / "a.png") == ()
    assert len(write_picture(picture, tmp_path / "a.bmp")) == 3


def test_a_grey_profile_is_not_put_on_colour(noise, tmp_path):
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = b"GRAY"
    picture = Picture(
        grey(noise[..., 0]).pixels,
        None,
        ColourMode.GREY,
        (Metadata(MetadataKind.ICC, bytes(profile)),),
    )
    assert write_picture(picture, tmp_path / "a.png") == ()
    assert write_picture(picture, tmp_path / "a.webp") == ("ICC left out: WEBP cannot hold it",)


def test_broken_metadata_does_not_cost_the_picture(noise, tmp_path):
    picture = Picture(noise[..., :3], metadata=(Metadata(MetadataKind.EXIF, b"no TIFF at all"),))
    for suffix in SUFFIXES:
        write_picture(picture, tmp_path / f"a{suffix}")
        assert read_picture(tmp_path / f"a{suffix}").width == 30


def test_odd_text_keys(noise, tmp_path):
    keys = ["", "x" * 200, "你好", " lead", "a\nb"]
    texts = tuple(Metadata(MetadataKind.TEXT, f"{key}\0value".encode()) for key in keys)
    write_picture(Picture(noise[..., :3], metadata=texts), tmp_path / "a.png")
    assert len(read_picture(tmp_path / "a.png").metadata) == len(keys)


@pytest.mark.parametrize("name", ["a.gif", "a.wmv", "a", "a.mp4"])
def test_unknown_suffix_names_the_known_ones(name, noise, tmp_path):
    with pytest.raises(UsageFault, match=r"unknown picture suffix; known are \.png \.jpg"):
        write_picture(Picture(noise[..., :3]), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_impossible_requests(noise, tmp_path):
    with pytest.raises(UsageFault, match="PNG is lossless"):
        write_picture(Picture(noise[..., :3]), tmp_path / "a.png", quality=50)
    with pytest.raises(UsageFault, match=r"1\.\.100"):
        write_picture(Picture(noise[..., :3]), tmp_path / "a.jpg", quality=0)
    wide = Picture(np.zeros((1, 17_000, 3), np.uint8))
    with pytest.raises(InputError, match="17000x1 picture as WEBP"):
        write_picture(wide, tmp_path / "a.webp")
    assert list(tmp_path.iterdir()) == []


def test_pillow_image_and_back(noise):
    for picture in (
        Picture(noise[..., :3], noise[..., 3], metadata=everything()[:3]),
        Picture(noise[..., :3]),
        grey(noise[..., 0]),
        Picture(grey(noise[..., 0]).pixels, noise[..., 3], ColourMode.GREY),
    ):
        image = to_pil(picture)
        back = from_pil(image)
        assert np.array_equal(back.pixels, picture.pixels)
        assert (back.alpha is None) == (picture.alpha is None)
        assert (back.mode, back.metadata) == (picture.mode, picture.metadata)


def test_pillow_image_carries_text_but_not_under_names_that_mean_something():
    texts = (b"Title\0hello", b"transparency\0red")
    metadata = tuple(Metadata(MetadataKind.TEXT, text) for text in texts)
    image = to_pil(Picture(np.zeros((2, 2, 3), np.uint8), metadata=metadata))
    assert image.info == {"Title": "hello"}
    image.save(io.BytesIO(), "PNG")
