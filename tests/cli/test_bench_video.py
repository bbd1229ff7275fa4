"""`wmv bench` on video as a user types it."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from tests.clips import H264, ffmpeg, pattern

for module in ("matplotlib", "jinja2", "bjontegaard"):
    pytest.importorskip(module, reason=f"{module} of the extra bench is not installed")


@pytest.fixture
def clip(tmp_path):
    """Ten frames of 64x48."""
    path = tmp_path / "clip.mp4"
    ffmpeg(*pattern(seconds=0.4), *H264, path)
    return path


def test_a_video_file_is_enough_to_compare_video_codecs(wmv, clip, tmp_path):
    out = tmp_path / "out"
    arguments = ("--frames", 3, "--points", 2, "--metrics", "psnr,vmaf", "--out", out)
    result = wmv("bench", clip, "--codecs", "wmv-intra,x264,x265", *arguments)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].split()[-4:] == ["encode", "fps", "decode", "fps"]
    assert "BD-rate PSNR" in lines[0]
    assert "BD-rate VMAF" in lines[0]
    assert lines[4].startswith("BD-rate against x264")
    assert lines[9].startswith("BD-rate against wmv-intra")
    record = json.loads((out / "results.json").read_text())
    (picture,) = record["pictures"]
    assert (picture["name"], picture["frames"]) == ("clip.mp4", 3)
    for row in record["rows"]:
        assert row["bpp"] == 8 * row["file_bytes"] / (64 * 48 * 3)
        assert len(row["frame_psnr"]) == 3
        assert 0 <= row["vmaf"] <= 100
    assert record["weights"]["name"] == "tiny"
    assert "libx265 -preset medium -tune zerolatency -g 32" in record["settings"]["x265"]
    report = (out / "report.html").read_text()
    assert "1 clip of 3 frames of 64x48 pixels" in report
    assert "encode fps" in report
    assert (out / "rate-vmaf.svg").exists()


def test_a_folder_of_pictures_is_a_clip_if_it_is_said_to_be(wmv, tmp_path):
    (tmp_path / "walk").mkdir()
    for number in range(2):
        Image.new("RGB", (64, 48), (40, 90, 60 + 50 * number)).save(
            tmp_path / "walk" / f"{number:05d}.png"
        )
    out = tmp_path / "out"
    arguments = ("--video", "--codecs", "x264", "--points", 1, "--metrics", "psnr", "--gop", 5)
    assert wmv("bench", tmp_path / "walk", *arguments, "--out", out).code == 0
    record = json.loads((out / "results.json").read_text())
    assert [(p["name"], p["frames"]) for p in record["pictures"]] == [("walk", 2)]
    assert "-g 5" in record["settings"]["x264"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--codecs", "jpeg"), 2, "unknown codec 'jpeg' for video; there are wmv, wmv-trials"),
        (("--published", "kodak"), 2, "for pictures, not for video"),
        (("--codecs", "x264", "--anchor", "x264,vvc"), 2, "the anchor vvc is not among"),
    ],
)
def test_what_cannot_work_is_one_line(wmv, clip, tmp_path, arguments, code, message):
    wmv("bench", clip, *arguments, "--out", tmp_path / "out").failed_with(code, message)
    assert not (tmp_path / "out").exists()


def test_options_of_video_are_refused_for_pictures(wmv, photo, tmp_path):
    for option in (("--gop", 8), ("--frames", 2)):
        result = wmv("bench", photo, *option, "--out", tmp_path / "out")
        result.failed_with(2, f"{option[0]} ")
