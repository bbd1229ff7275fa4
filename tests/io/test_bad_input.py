"""What is no picture, or no whole one, ends in one line that says so."""

from __future__ import annotations

import contextlib
import os
import random
import struct
import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from wavenetmv.errors import InputError, UsageFault, WmvError
from wavenetmv.io import from_pil, read_picture

FORMATS = ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "PPM", "TGA"]
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(100)


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"", InputError, "empty file"),
        (b"hello, this is text\n" * 9, InputError, "found text"),
        ("Grüße " * 2000, InputError, "found text"),
        (bytes(range(256)), InputError, "not a picture in a known format"),
        (ASF, InputError, "Windows Media"),
        (b"\x8bWMV\r\n\x1a\n\x01" + bytes(40), UsageFault, r"already; `wmv decode`"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(40), InputError, "video"),
        (b"\x00\x00\x00\x20ftypheic" + bytes(40), InputError, "HEIC"),
        (b"%PDF-1.4\n" + bytes(40), InputError, "PDF"),
        (b"PK\x03\x04" + bytes(40), InputError, "ZIP"),
        (b"<svg xmlns='x'/>", InputError, "SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", InputError, "Post"),
        (b"\x89PNG\r\n\x1a\n", InputError, "damaged or cut short PNG"),
        (b"\xff\xd8\xff\xe0", InputError, "damaged or cut short JPEG"),
    ],
    ids=lambda value: str(value)[:16] if isinstance(value, (bytes, str)) else "",
)
def test_not_a_picture(data, error, text, tmp_path):
    path = tmp_path / "some file.jpg"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(error, match=text) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_folder_and_forbidden(tmp_path):
    with pytest.raises(InputError, match=r"none\.png: No such file"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(InputError, match="Is a directory"):
        read_picture(tmp_path)
    if os.geteuid() != 0:  # root may read everything
        secret = tmp_path / "secret.png"
        secret.touch(mode=0o000)
        with pytest.raises(InputError, match="Permission denied"):
            read_picture(secret)


@pytest.mark.parametrize("name", FORMATS)
def test_every_cut_and_many_changes_end_well(name, noise, saved, capfd):
    data = saved(Image.fromarray(noise[..., :3]), name)
    seeded = random.Random(name)
    cases = [data[:length] for length in range(0, len(data), max(1, len(data) // 40))]
    for _ in range(120):
        changed = bytearray(data)
        for _ in range(seeded.randint(1, 4)):
            changed[seeded.randrange(seeded.choice((64, len(data))))] = seeded.randrange(256)
        cases.append(bytes(changed))
    for case in cases:
        with contextlib.suppress(WmvError):
            read_picture(case, max_pixels=1_000_000)
    assert capfd.readouterr().err == ""  # libtiff likes to write there itself


@pytest.mark.parametrize("name", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_half_a_file_is_not_a_picture(name, noise, saved):
    data = saved(Image.fromarray(noise[..., :3]), name)
    with pytest.raises(InputError):
        read_picture(data[: len(data) // 2])


def test_pixel_limit_comes_before_the_pixels(saved):
    data = saved(Image.new("1", (300, 300)), "PNG")
    with pytest.raises(InputError, match="300x300 is 90000 pixels; the limit is 89999"):
        read_picture(data, max_pixels=89_999)
    with pytest.raises(InputError, match="more pixels than the limit"):
        read_picture(data, max_pixels=10_000)
    huge = struct.pack(">II", 60_000, 60_000)  # over the header's sides; nothing more is there
    with pytest.raises(InputError):
        read_picture(data[:16] + huge + data[24:])


def test_the_limit_can_be_raised_and_pillows_own_stays(saved, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    data = saved(Image.new("L", (50, 50)), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_picture(data, max_pixels=2500).width == 50
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_pipe_is_read_whole_but_not_without_end(saved):
    data = saved(Image.new("L", (50, 50)), "PNG")

    def through_pipe(payload: bytes):
        reader, writer = os.pipe()
        thread = threading.Thread(target=_feed, args=(writer, payload))
        thread.start()
        with os.fdopen(reader, "rb") as source:
            try:
                return read_picture(source, max_pixels=10_000)
            finally:
                source.close()
                thread.join()

    assert through_pipe(data).width == 50
    with pytest.raises(InputError, match="through the pipe"):
        through_pipe(bytes(68_000_000))


def _feed(writer: int, payload: bytes) -> None:
    left = memoryview(payload)
    with contextlib.suppress(BrokenPipeError):
        while left:
            left = left[os.write(writer, left) :]
    os.close(writer)


def test_first_frame_of_an_animation(saved):
    frames = [Image.new("RGB", (8, 6), (40 * index, 0, 0)) for index in range(3)]
    for name in ("GIF", "WEBP", "PNG", "TIFF"):
        options = {"lossless": True} if name == "WEBP" else {}
        data = saved(frames[0], name, save_all=True, append_images=frames[1:], **options)
        picture = read_picture(data)
        assert picture.notes == ("frame 1 of 3",)
        assert np.abs(picture.pixels.astype(int)).max() <= 2


def test_pillow_warnings_become_notes(noise, saved):
    exif = b"Exif\0\0" + b"II*\0\x08\0\0\0\x09\0" + b"\x0f\x01\x02\0\xff\0\0\0\xff\xff\0\0" * 2
    data = saved(Image.fromarray(noise[..., :3]), "JPEG", exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = read_picture(data)
    assert picture.width == 30


def test_an_image_whose_file_is_gone(noise, saved, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(saved(Image.fromarray(noise), "PNG")[:-900])
    with Image.open(path) as image, pytest.raises(InputError, match="damaged"):
        from_pil(image)
