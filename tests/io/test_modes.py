"""Every pixel layout people have, to RGB, grey or not, alpha or not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from wavenetmv.errors import UsageFault
from wavenetmv.io import from_array, from_pil, read_picture
from wavenetmv.types import ColourMode


@pytest.mark.parametrize("name", ["PNG", "TIFF", "BMP", "WEBP", "PPM", "TGA"])
def test_rgb_is_kept_exactly_by_every_lossless_format(name, noise, saved):
    options = {"lossless": True} if name == "WEBP" else {}
    picture = read_picture(saved(Image.fromarray(noise[..., :3]), name, **options))
    assert np.array_equal(picture.pixels, noise[..., :3])
    assert picture.mode is ColourMode.RGB
    assert picture.alpha is None
    assert picture.notes == ()


@pytest.mark.parametrize("orientation", [1, 2, 6])
def test_planes_are_contiguous_and_writable(orientation, noise, saved):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for picture in (
        read_picture(saved(Image.fromarray(noise), "PNG", exif=exif)),
        from_pil(Image.fromarray(noise)),
        from_array(np.frombuffer(noise.tobytes(), np.uint8).reshape(noise.shape)),
    ):
        for plane in (picture.pixels, picture.alpha):
            assert plane.flags.c_contiguous
            assert plane.flags.writeable


@pytest.mark.parametrize("name", ["JPEG", "AVIF", "JPEG2000"])
def test_lossy_formats_are_read(name, saved):
    source = Image.radial_gradient("L").convert("RGB")
    picture = read_picture(saved(source, name))
    error = picture.pixels.astype(int) - np.asarray(source)
    assert np.abs(error).mean() < 3


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_kept_and_left_out_on_request(name, noise, saved):
    options = {"lossless": True, "exact": True} if name == "WEBP" else {}
    data = saved(Image.fromarray(noise), name, **options)
    picture = read_picture(data)
    assert np.array_equal(picture.alpha, noise[..., 3])
    assert np.array_equal(picture.pixels, noise[..., :3])
    without = read_picture(data, keep_alpha=False)
    assert without.alpha is None
    assert without.notes == ("alpha left out",)


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_is_one_plane(mode, noise, saved):
    source = Image.fromarray(noise[..., 0]).convert(mode)
    picture = read_picture(saved(source, "PNG"))
    assert picture.mode is ColourMode.GREY
    assert np.array_equal(picture.pixels, np.asarray(source.convert("RGB")))


def test_grey_with_alpha(noise, saved):
    picture = read_picture(saved(Image.fromarray(noise[..., :2]), "PNG"))
    assert picture.mode is ColourMode.GREY
    assert np.array_equal(picture.pixels[..., 2], noise[..., 0])
    assert np.array_equal(picture.alpha, noise[..., 1])


def test_grey_with_a_transparent_level(noise, saved):
    noise[3, 4, 0] = 77
    picture = read_picture(saved(Image.fromarray(noise[..., 0]), "PNG", transparency=77))
    assert picture.mode is ColourMode.GREY
    assert np.array_equal(picture.alpha == 0, noise[..., 0] == 77)


def test_palette(saved):
    source = Image.radial_gradient("L").convert("RGB").quantize(20)
    source.putpalette([value for index in range(20) for value in (index, 9, 200)])
    picture = read_picture(saved(source, "PNG"))
    assert picture.mode is ColourMode.RGB
    assert np.array_equal(picture.pixels, np.asarray(source.convert("RGB")))


@pytest.mark.parametrize("transparency", [3, bytes([0, 128, 255, 7])])
def test_palette_with_transparency(transparency, saved):
    source = Image.frombytes("P", (8, 5), bytes(index % 4 for index in range(40)))
    source.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    picture = read_picture(saved(source, "PNG", transparency=transparency))
    opacity = [0, 128, 255, 7] if isinstance(transparency, bytes) else [255, 255, 255, 0]
    assert np.array_equal(picture.alpha, np.array(opacity)[np.asarray(source)])


def test_gif_with_a_grey_palette_is_grey(noise, saved):
    picture = read_picture(saved(Image.fromarray(noise[..., 0]), "GIF"))
    assert picture.mode is ColourMode.GREY
    assert np.array_equal(picture.pixels[..., 1], noise[..., 0])


def test_premultiplied_alpha_is_divided_out():
    image = Image.new("RGBA", (3, 2), (200, 100, 50, 128)).convert("RGBa")
    picture = from_pil(image)
    assert np.abs(picture.pixels.astype(int) - (200, 100, 50)).max() <= 1
    assert (picture.alpha == 128).all()


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_without_profile(name, saved):
    # JPEG holds it inverted, as Adobe does; both must come out the same red.
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    picture = read_picture(saved(image, name))
    assert np.abs(picture.pixels.astype(int) - (255, 0, 0)).max() <= 3
    assert picture.notes == ("CMYK converted to sRGB without a profile",)


def test_lab_is_converted():
    image = Image.new("LAB", (4, 4), (255, 128, 128))  # L* = 100, a* = b* = 0
    picture = from_pil(image)
    assert picture.pixels.min() >= 250
    assert picture.notes == ("LAB converted to sRGB by its definition",)


def test_a_broken_cmyk_profile_is_not_used_and_not_kept(saved):
    image = Image.new("CMYK", (16, 16), (0, 0, 0, 255))
    picture = read_picture(saved(image, "JPEG", icc_profile=b"no profile" * 20))
    assert picture.pixels.max() <= 3
    assert picture.metadata == ()


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "RGBX"])
def test_other_colour_modes(mode):
    picture = from_pil(Image.new("RGB", (4, 4), (250, 10, 20)).convert(mode))
    assert np.abs(picture.pixels.astype(int) - (250, 10, 20)).max() <= 6


def test_rgb_profile_is_kept(saved):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read_picture(saved(Image.new("RGB", (2, 2)), "PNG", icc_profile=profile))
    assert [item.data for item in picture.metadata] == [profile]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (4000, 3000)])
def test_sizes(size, saved):
    picture = read_picture(saved(Image.new("RGB", size, (1, 2, 3)), "PNG", compress_level=1))
    assert (picture.width, picture.height) == size
    assert tuple(picture.pixels[-1, -1]) == (1, 2, 3)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2"])
def test_arrays(channels, dtype, noise):
    samples = noise[..., :channels].astype(dtype)
    wide = samples.dtype.itemsize == 2
    picture = from_array(samples * 257 if wide else samples)
    assert np.array_equal(picture.pixels[..., 0], noise[..., 0])
    assert (picture.mode is ColourMode.GREY) == (channels == 1)
    assert (picture.alpha is not None) == (channels == 4)
    assert picture.notes == (("16 bits reduced to 8",) if wide else ())


def test_array_without_channel_axis(noise):
    assert from_array(noise[..., 0]).mode is ColourMode.GREY


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.int8),
        np.zeros((4, 4, 3), np.uint32),
    ],
    ids=lambda samples: f"{samples.dtype}{samples.shape}",
)
def test_impossible_arrays(samples):
    with pytest.raises(UsageFault, match="expected"):
        from_array(samples)


def test_photographs(photographs):
    for name in ("astronaut.png", "camera.png", "rocket.jpg", "no_time_for_that_tiny.gif"):
        path = photographs / name
        with Image.open(path) as image:
            size, grey = image.size, image.mode == "L"
        picture = read_picture(path)
        assert (picture.width, picture.height) == size
        assert (picture.mode is ColourMode.GREY) == grey
        assert np.array_equal(read_picture(io.BytesIO(path.read_bytes())).pixels, picture.pixels)
