from __future__ import annotations

import io
import json
import os

import pytest
from PIL import Image

ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(100)


def names(folder):
    return sorted(os.listdir(folder))


def test_beside_the_input(wmv, stream, picture, psnr):
    result = wmv("decode", stream)
    assert result.code == 0
    assert names(stream.parent) == ["photo.png", "photo.wmv"]
    with Image.open(stream.with_suffix(".png")) as decoded:
        assert decoded.mode == "RGB"
        assert psnr(decoded, picture) > 18  # random weights
    assert result.out.startswith(f"{stream} -> {stream.with_suffix('.png')}: 96x80, ")


@pytest.mark.parametrize(
    ("suffix", "name"),
    [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP"), ("avif", "AVIF"), ("tif", "TIFF")],
)
def test_formats_by_suffix_and_by_option(suffix, name, wmv, stream, tmp_path):
    assert wmv("decode", stream, "-o", tmp_path / f"a.{suffix}").code == 0
    assert wmv("decode", stream, "--format", suffix).code == 0
    assert wmv("decode", stream, "--format", suffix, "-o", tmp_path / "odd.name").code == 0
    piped = wmv("decode", "-", "--format", suffix, stdin=stream.read_bytes())
    paths = [tmp_path / f"a.{suffix}", stream.with_suffix(f".{suffix}"), tmp_path / "odd.name"]
    for source in (*paths, io.BytesIO(piped.raw)):
        with Image.open(source) as image:
            assert image.format == name
            assert image.size == (96, 80)


def test_pipe_defaults_to_png(wmv, stream):
    result = wmv("decode", stream, "-o", "-", "--json")
    assert result.raw.startswith(b"\x89PNG")
    assert json.loads(result.err)["bytes"] == len(result.raw)


def test_metadata_alpha_and_grey_come_back(wmv, picture, tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = 6
    grey = picture.convert("L")
    grey.putalpha(Image.radial_gradient("L").resize(picture.size))
    grey.save(tmp_path / "a.png", exif=exif, icc_profile=b"")
    alpha = grey.transpose(Image.Transpose.ROTATE_270).getchannel("A")
    wmv("encode", tmp_path / "a.png")
    wmv("decode", tmp_path / "a.wmv", "-f")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "LA"
        assert image.size == (80, 96)
        assert image.getexif()[0x010F] == "Maker"
        assert image.getexif().get(0x0112, 1) == 1
        assert image.getchannel("A").tobytes() == alpha.tobytes()
    result = wmv("decode", tmp_path / "a.wmv", "-o", tmp_path / "a.jpg")
    assert "note: alpha left out: JPEG has none" in result.out
    assert wmv("decode", tmp_path / "a.wmv", "-f", "--drop-alpha").code == 0
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "L"


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (65, 3)])
def test_odd_sizes(size, wmv, tmp_path):
    Image.new("RGB", size, (200, 30, 40)).save(tmp_path / "a.bmp")
    assert wmv("encode", tmp_path / "a.bmp").code == 0
    assert wmv("decode", tmp_path / "a.wmv").code == 0
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == size


def test_folders(wmv, stream, tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    stream.rename(tmp_path / "in" / "sub" / "x.wmv")
    (tmp_path / "in" / "readme.txt").touch()
    assert wmv("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "jpg").code == 0
    assert names(tmp_path / "out" / "sub") == ["x.jpg"]


def test_quality(wmv, stream):
    sizes = []
    for quality in (20, 95):
        wmv("decode", stream, "--format", "jpg", "--quality", quality, "-f")
        sizes.append(stream.with_suffix(".jpg").stat().st_size)
    assert sizes[0] < sizes[1]
    wmv("decode", stream, "--quality", 20).failed_with(2, "PNG is lossless")


def test_existing_output_needs_force(wmv, stream):
    target = stream.with_suffix(".png")
    target.write_bytes(b"mine")
    wmv("decode", stream).failed_with(2, "--force")
    assert target.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["a.gif", "a.mp4", "a.wmv", "noname"])
def test_unknown_suffix(name, wmv, stream, tmp_path):
    result = wmv("decode", stream, "-o", tmp_path / name)
    result.failed_with(2, "known are .png .jpg .jpeg .webp .avif .tif .tiff .bmp")
    assert names(tmp_path) == ["photo.wmv"]


def test_unknown_format(wmv, stream):
    wmv("decode", stream, "--format", "docx").failed_with(2, "unknown picture suffix")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (ASF, "Windows Media"),
        (b"", ""),
        (b"hello", ""),
        (b"\x8bWMV\r\n\x1a\n\x63" + bytes(50), "version 99"),
    ],
)
def test_foreign_files(data, text, wmv, tmp_path):
    (tmp_path / "a b.wmv").write_bytes(data)
    wmv("decode", tmp_path / "a b.wmv").failed_with(3, text)
    assert names(tmp_path) == ["a b.wmv"]


def test_damage(wmv, stream):
    data = stream.read_bytes()
    for damaged in (
        data[: len(data) // 2],
        data[:-1],
        data + b"x",
        data[:60] + bytes([data[60] ^ 1]) + data[61:],
    ):
        stream.write_bytes(damaged)
        wmv("decode", stream).failed_with(3, "photo.wmv")
    assert names(stream.parent) == ["photo.wmv"]


def test_weights_that_are_not_here(wmv, stream, monkeypatch):
    monkeypatch.delenv("WAVENETMV_WEIGHTS")
    wmv("decode", stream).failed_with(4, "photo.wmv: this stream needs weights")
    assert names(stream.parent) == ["photo.wmv"]


def test_missing_and_max_pixels(wmv, stream, tmp_path):
    wmv("decode", tmp_path / "none.wmv").failed_with(1, "none.wmv: No such file")
    wmv("decode", stream, "--max-pixels", 100).failed_with(3, "limit is 100")
