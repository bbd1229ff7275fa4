"""More than 8 bits: rounded to the nearest level, and said so."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from wavenetmv.io import from_pil, read_picture
from wavenetmv.io.depth import avif_bits, rounded
from wavenetmv.types import ColourMode

NOTE = ("16 bits reduced to 8",)


def nearest(samples):
    return np.floor(samples / 257 + 0.5).astype(np.uint8)


def test_rounding_is_exact_for_every_value():
    samples = np.arange(65536, dtype=np.uint16).reshape(512, 128)
    assert np.array_equal(rounded(samples), nearest(samples))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png(channels, png16, rng):
    samples = rng.integers(0, 65536, (37, 23, channels))
    picture = read_picture(png16(samples))
    colours = 1 if channels < 3 else 3
    assert np.array_equal(picture.pixels[..., :colours], nearest(samples[..., :colours]))
    assert (picture.mode is ColourMode.GREY) == (channels < 3)
    if channels in (2, 4):
        assert np.array_equal(picture.alpha, nearest(samples[..., -1]))
    assert picture.notes == NOTE


@pytest.mark.parametrize("key", [(1000,), (1, 2, 3)])
def test_png_with_a_transparent_colour(key, png16, rng):
    samples = rng.integers(0, 65536, (9, 7, len(key)))
    samples[2, 3] = key
    samples[2, 4] = np.array(key) + 1  # the same in 8 bits, and not transparent
    picture = read_picture(png16(samples, transparent=key))
    assert np.argwhere(picture.alpha == 0).tolist() == [[2, 3]]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiff(channels, compression, order, rng):
    tifffile = pytest.importorskip("tifffile")  # comes with scikit-image
    samples = rng.integers(0, 65536, (37, 23, channels)).astype(np.uint16)
    sink = io.BytesIO()
    tifffile.imwrite(
        sink,
        samples if channels > 1 else samples[..., 0],
        byteorder=order,
        compression=compression,
        photometric="rgb" if channels > 1 else "minisblack",
        extrasamples=["unassalpha"] if channels == 4 else None,
    )
    picture = read_picture(sink.getvalue())
    assert np.array_equal(picture.pixels[..., : min(channels, 3)], nearest(samples)[..., :3])
    assert picture.notes == NOTE


def test_a_lazily_opened_wide_image_still_notes_it(png16, rng):
    samples = rng.integers(0, 65536, (5, 4, 3))
    with Image.open(io.BytesIO(png16(samples))) as image:
        picture = from_pil(image)
    assert picture.notes == NOTE
    assert np.abs(picture.pixels.astype(int) - nearest(samples)).max() <= 1


@pytest.mark.parametrize(
    ("mode", "samples", "expected", "note"),
    [
        ("F", [[0.0, 0.5, 1.0]], [0, 128, 255], "float samples 0..1 reduced to 8 bits"),
        ("F", [[0.0, 99.6, 255.0]], [0, 100, 255], "float samples 0..255 reduced to 8 bits"),
        ("F", [[-1.0, 0.0, 3.0]], [0, 64, 255], "samples from -1 to 3 scaled to 8 bits"),
        ("F", [[np.nan, np.inf, 1.0]], [0, 0, 255], "float samples 0..1 reduced to 8 bits"),
        ("F", [[-7.0, -7.0, -7.0]], [0, 0, 0], "samples from -7 to -7 scaled to 8 bits"),
        ("I", [[0, 32896, 65535]], [0, 128, 255], "integer samples 0..65535 reduced to 8 bits"),
        ("I", [[0, 1 << 20, 1 << 21]], [0, 128, 255], "samples from 0 to 2.09715e+06 scaled to"),
    ],
)
def test_floats_and_integers(mode, samples, expected, note):
    dtype = np.float32 if mode == "F" else np.int32
    picture = from_pil(Image.fromarray(np.array(samples, dtype)))
    assert picture.pixels[0, :, 0].tolist() == expected
    assert picture.notes[0].startswith(note)


def test_avif_depth_is_read_from_its_box(saved):
    data = saved(Image.new("RGB", (8, 8)), "AVIF")
    assert avif_bits(data) == 8
    at = data.index(b"pixi") + 9
    assert avif_bits(data[:at] + b"\x0a" + data[at + 1 :]) == 10
    assert avif_bits(b"pixi") == 8
