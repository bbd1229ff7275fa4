from __future__ import annotations

import json
import os

import numpy as np
import pytest
from PIL import Image

from wavenetmv import bitstream
from wavenetmv.errors import CheckpointError

ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(100)


def names(folder):
    return sorted(os.listdir(folder))


def test_beside_the_input(wmv, photo):
    result = wmv("encode", photo)
    assert result.code == 0
    assert result.err == ""
    assert names(photo.parent) == ["photo.png", "photo.wmv"]
    data = photo.with_suffix(".wmv").read_bytes()
    header = bitstream.inspect(data).header
    assert (header.width, header.height, header.lmbda) == (96, 80, 512)
    (line,) = result.out.splitlines()
    assert line.startswith(f"{photo} -> {photo.with_suffix('.wmv')}: 96x80, ")
    assert f"{8 * len(data) / 96 / 80:.3f} bpp" in line


def test_json_has_every_number(wmv, photo):
    result = wmv("encode", "--json", "--lambda", 128, photo)
    record = json.loads(result.out)
    size = photo.with_suffix(".wmv").stat().st_size
    assert record["bytes"] == size
    assert record["input_bytes"] == photo.stat().st_size
    assert record["bpp"] == 8 * size / (96 * 80)
    assert record["ratio"] == record["input_bytes"] / size
    assert record["lambda"] == 128
    assert record["seconds"] > 0
    assert (record["width"], record["height"], record["notes"]) == (96, 80, [])


def test_larger_lambda_more_bytes(wmv, photo):
    sizes = []
    for lmbda in (64, 300.5, 2048):
        wmv("encode", photo, "--force", "-l", lmbda)
        sizes.append(photo.with_suffix(".wmv").stat().st_size)
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("name", ["b.png", "b.JPG", "b.mp4"])
def test_an_output_named_as_a_picture_or_a_video_is_refused(name, wmv, photo, tmp_path):
    result = wmv("encode", photo, "-o", tmp_path / name)
    result.failed_with(2, f"try -o {tmp_path / 'b.wmv'}")
    assert not (tmp_path / name).exists()


def test_an_output_may_have_any_other_name(wmv, photo, tmp_path):
    for name in ("b", "b.bin", "b.1"):
        assert wmv("encode", photo, "-o", tmp_path / name).code == 0
    (tmp_path / "folder.png").mkdir()
    assert wmv("encode", photo, "-o", tmp_path / "folder.png").code == 0
    assert names(tmp_path / "folder.png") == ["photo.wmv"]


@pytest.mark.parametrize("lmbda", [63, 2049, "x"])
def test_lambda_out_of_range_is_a_usage_error(lmbda, wmv, photo):
    assert wmv("encode", photo, "--lambda", lmbda).code == 2
    assert names(photo.parent) == ["photo.png"]


def test_targets_are_never_exceeded(wmv, photo):
    smallest = json.loads(wmv("encode", photo, "-l", 64, "--json", "-f").out)["bytes"]
    limit = smallest + 150
    record = json.loads(wmv("encode", photo, "--target-size", limit, "--json", "-f").out)
    assert smallest <= record["bytes"] <= limit
    bpp = limit * 8 / (96 * 80)
    assert (
        json.loads(wmv("encode", photo, "--target-bpp", bpp, "--json", "-f").out)
        | {"seconds": record["seconds"]}
        == record
    )
    photo.with_suffix(".wmv").unlink()
    wmv("encode", photo, "--target-size", smallest - 1).failed_with(2, "lambda 64")
    assert names(photo.parent) == ["photo.png"]


def test_one_quality_setting_at_a_time(wmv, photo):
    result = wmv("encode", photo, "--lambda", 100, "--target-size", 100)
    result.failed_with(2, "exclude each other")


def test_existing_output_needs_force(wmv, photo):
    target = photo.with_suffix(".wmv")
    target.write_bytes(b"mine")
    wmv("encode", photo).failed_with(2, "--force")
    assert target.read_bytes() == b"mine"
    assert wmv("encode", photo, "--force").code == 0
    assert target.read_bytes() != b"mine"


def test_pipes(wmv, photo):
    wmv("encode", photo)
    expected = photo.with_suffix(".wmv").read_bytes()
    result = wmv("encode", "-", stdin=photo.read_bytes())
    assert result.raw == expected
    assert result.err.startswith("- -> -: 96x80")
    result = wmv("encode", photo, "-o", "-", "--json")
    assert result.raw == expected
    assert json.loads(result.err)["output"] == "-"
    result = wmv("encode", "-", "-o", photo.parent / "piped.wmv", "-q", stdin=photo.read_bytes())
    assert (result.out, result.err) == ("", "")
    assert (photo.parent / "piped.wmv").read_bytes() == expected


def test_folders_keep_their_tree(wmv, photo, tmp_path):
    album = tmp_path / "album with space" / "Grüße 你好"
    album.mkdir(parents=True)
    photo.rename(album / "a [bold].PNG")
    Image.new("L", (9, 9)).save(album.parent / "b.jpg")
    (album / "notes.txt").write_text("not a picture, not tried")
    (album / ".hidden.png").write_bytes(b"not tried")
    result = wmv("encode", album.parent, "-o", tmp_path / "out" / "deep")
    assert result.code == 0
    assert result.err == ""
    assert names(tmp_path / "out" / "deep") == ["Grüße 你好", "b.wmv"]
    assert names(tmp_path / "out" / "deep" / "Grüße 你好") == ["a [bold].wmv"]
    assert result.out.splitlines()[-1].startswith("2 of 2 files done; ")


def test_every_item_is_tried_and_the_first_failure_gives_the_code(wmv, photo, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"text, not a picture")
    (tmp_path / "video.wmv").write_bytes(ASF)
    stream = tmp_path / "stream.jpg"
    stream.write_bytes(bitstream.MAGIC + bytes(50))
    result = wmv("encode", stream, tmp_path / "none.png", tmp_path / "bad.png", photo)
    assert result.code == 2
    lines = result.err.splitlines()
    assert len(lines) == 3
    assert "`wmv decode`" in lines[0]
    assert "none.png: No such file" in lines[1]
    assert "bad.png: expected a picture, found text" in lines[2]
    assert photo.with_suffix(".wmv").exists()
    assert result.out.splitlines()[-1].startswith("1 of 4 files done, 3 failed; ")
    result = wmv("encode", tmp_path / "bad.png", stream, "--json")
    assert result.code == 1
    records = [json.loads(line) for line in result.out.splitlines()]
    assert [record["exit_code"] for record in records] == [1, 2]


def test_two_inputs_with_one_output(wmv, photo):
    Image.new("L", (9, 9)).save(photo.with_suffix(".jpg"))
    result = wmv("encode", photo, photo.with_suffix(".jpg"), photo)
    result.failed_with(2, f"photo.wmv is already the output of {photo}")
    assert bitstream.inspect(photo.with_suffix(".wmv").read_bytes()).header.width == 96
    assert wmv("encode", photo.parent, "--force").code == 2


@pytest.mark.parametrize(
    ("name", "data", "code", "text"),
    [
        ("empty.png", b"", 1, "empty file"),
        ("a b.jpg", b"plain text", 1, "found text"),
        ("video.mp4", ASF, 1, "not a video that ffmpeg can read"),
        ("ours.png", bitstream.MAGIC + bytes(50), 2, "already"),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 1, "damaged"),
    ],
)
def test_bad_inputs(name, data, code, text, wmv, tmp_path):
    (tmp_path / name).write_bytes(data)
    wmv("encode", tmp_path / name).failed_with(code, text)
    assert names(tmp_path) == [name]


def test_truncated_picture(wmv, photo):
    photo.write_bytes(photo.read_bytes()[:-3000])
    wmv("encode", photo).failed_with(1, "damaged")
    assert names(photo.parent) == ["photo.png"]


def test_impossible_outputs(wmv, photo, tmp_path):
    wmv("encode", photo, "-o", tmp_path / "none" / "a.wmv").failed_with(1, "no folder")
    wmv("encode", photo, photo, "-o", tmp_path / "a.wmv").failed_with(2, "need a folder")
    wmv("encode", photo, photo, "-o", photo).failed_with(2, "need a folder")
    wmv("encode", tmp_path, "-o", "-").failed_with(2, "one input")
    unnamed = photo.rename(tmp_path / "photo")
    wmv("encode", unnamed, "-f", "-o", unnamed).failed_with(2, "would replace the input")
    wmv("encode", "-", "-o", tmp_path, stdin=unnamed.read_bytes()).failed_with(2, "a file name")
    assert names(tmp_path) == ["photo"]


def test_a_folder_without_pictures(wmv, tmp_path):
    wmv("encode", tmp_path).failed_with(1, "no picture files")


def test_max_pixels(wmv, photo):
    wmv("encode", photo, "--max-pixels", 96 * 80 - 1).failed_with(1, "the limit is 7679")
    assert wmv("encode", photo, "--max-pixels", 96 * 80).code == 0


def test_alpha_and_metadata_can_be_left_out(wmv, picture, tmp_path):
    picture.putalpha(Image.radial_gradient("L").resize(picture.size))
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    picture.save(tmp_path / "a.png", exif=exif)
    kinds = []
    for options in ([], ["--drop-alpha"], ["--drop-alpha", "--drop-metadata"]):
        assert wmv("encode", tmp_path / "a.png", "-f", *options).code == 0
        info = bitstream.inspect((tmp_path / "a.wmv").read_bytes())
        kinds.append([packet.name for packet in info.packets])
    assert kinds == [
        ["METADATA", "ALPHA", "INTRA", "END"],
        ["METADATA", "INTRA", "END"],
        ["INTRA", "END"],
    ]


def test_a_file_that_is_metadata_for_the_most_part_is_told(wmv, picture, tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "".join(map(chr, np.random.default_rng(0).integers(33, 126, 3000)))
    picture.save(tmp_path / "a.png", exif=exif)
    record = json.loads(wmv("encode", tmp_path / "a.png", "--json").out)
    (note,) = record["notes"]
    size, total = (int(word) for word in note.split() if word.isdigit())
    assert note == f"{size} of {total} bytes are metadata; --drop-metadata leaves it out"
    assert size > 2000
    assert total == record["bytes"]
    record = json.loads(wmv("encode", tmp_path / "a.png", "-f", "--drop-metadata", "--json").out)
    assert record["notes"] == []


def test_notes_are_told(wmv, tmp_path):
    Image.new("I;16", (8, 8)).save(tmp_path / "a.png")
    assert "note: 16 bits reduced to 8" in wmv("encode", tmp_path / "a.png").out
    record = json.loads(wmv("encode", tmp_path / "a.png", "-f", "--json").out)
    assert record["notes"] == ["16 bits reduced to 8"]


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (CheckpointError("weights base: expected hash 12, found 34"), 4, "expected hash"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "not enough memory"),
    ],
)
def test_trouble_in_the_codec(error, code, text, wmv, photo, codec, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(codec.PictureCodec, "encode", fail)
    wmv("encode", photo, "-o", photo.parent / "new" / "").failed_with(code, text)
    assert names(photo.parent) == ["photo.png"]


def test_no_space(wmv, photo):
    if os.path.exists("/dev/full"):
        wmv("encode", photo, "-o", "/dev/full").failed_with(1, "No space left on device")


def test_for_whom(wmv, photo):
    wmv("encode", photo, "--for", "machine").failed_with(2, "serve neutral, not machine")
    wmv("encode", photo, "--for", "cats").failed_with(2, "machine or human")


def test_focus_wants_a_head(wmv, photo):
    wmv("encode", photo, "--focus").failed_with(2, "have no head to focus with")
    assert wmv("encode", photo, "--no-focus").code == 0


def test_several_trials_want_a_focus(wmv, photo):
    wmv("encode", photo, "--no-focus", "--trials", 3).failed_with(2, "trials are for a focus")
    assert wmv("encode", photo, "--trials", 0).code == 2
    assert wmv("encode", photo, "--no-focus", "--trials", 1).code == 0
    assert wmv("info", photo.with_suffix(".wmv"), "--json").out.count('"quality_map": false') == 1
