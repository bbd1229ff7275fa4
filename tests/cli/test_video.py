"""wmv encode, decode and info with videos."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from tests import clips
from wavenetmv import bitstream
from wavenetmv.io.video import read_audio

ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(100)


def names(folder):
    return sorted(os.listdir(folder))


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Six frames of 32x24 with audio."""
    path = tmp_path_factory.mktemp("made") / "clip.mp4"
    clips.ffmpeg(*clips.pattern("32x24", 25, 0.24), *clips.tone(0.24), *clips.H264, path)
    return path


@pytest.fixture
def clip(made, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(made.read_bytes())
    return path


@pytest.fixture
def video(wmv, clip):
    """clip.wmv, with clip.mp4 gone."""
    assert wmv("encode", clip).code == 0
    clip.unlink()
    return clip.with_suffix(".wmv")


def test_there_and_back_beside_the_input(wmv, clip, tmp_path):
    result = wmv("encode", clip)
    assert (result.code, result.err) == (0, "")
    size = clip.with_suffix(".wmv").stat().st_size
    bpp = 8 * size / (32 * 24 * 6)
    assert result.out.startswith(f"{clip} -> {tmp_path / 'clip.wmv'}: 32x24, 6 frames, ")
    assert f"{bpp:.3f} bpp" in result.out
    assert result.out.splitlines()[0].endswith(" fps")
    clip.unlink()
    result = wmv("decode", tmp_path / "clip.wmv")
    assert (result.code, result.err) == (0, "")
    assert names(tmp_path) == ["clip.mp4", "clip.wmv"]
    info, frames, _ = clips.read(clip)
    assert (info.width, info.height, info.rate, len(frames)) == (32, 24, Fraction(25), 6)
    assert read_audio(clip) is not None


def test_json_records(wmv, clip):
    record = json.loads(wmv("encode", clip, "--json", "--lambda", 128).out)
    stream = clip.with_suffix(".wmv")
    assert record["frames"] == 6
    assert record["fps"] == 25
    assert record["lambda"] == 128
    assert record["bytes"] == stream.stat().st_size
    assert record["bpp"] == 8 * record["bytes"] / (6 * 32 * 24)
    record = json.loads(wmv("decode", stream, "--json", "-f").out)
    assert (record["frames"], record["bytes"]) == (6, clip.stat().st_size)


def test_videos_and_pictures_together(wmv, clip, photo, tmp_path):
    out = tmp_path / "out"
    result = wmv("encode", clip, photo, "-o", out)
    assert result.code == 0
    assert names(out) == ["clip.wmv", "photo.wmv"]
    kinds = [bitstream.inspect((out / name).read_bytes()).header.video for name in names(out)]
    assert [bool(kind) for kind in kinds] == [True, False]
    assert wmv("decode", out, "-o", tmp_path / "back").code == 0
    assert names(tmp_path / "back") == ["clip.mp4", "photo.png"]


def test_no_audio(wmv, clip, tmp_path):
    assert wmv("encode", clip, "--no-audio").code == 0
    assert json.loads(wmv("info", tmp_path / "clip.wmv", "--json").out)["audio_codecs"] == []
    wmv("encode", clip, "-f")
    assert wmv("decode", tmp_path / "clip.wmv", "-f", "--no-audio").code == 0
    assert read_audio(clip) is None


@pytest.mark.parametrize(
    ("target", "written"),
    [
        ("b.mkv", ["b.mkv"]),
        ("b.webm", ["b.webm"]),
        ("f_%02d.png", [f"f_{number:02}.png" for number in range(1, 7)]),
        ("f%d.jpg", [f"f{number}.jpg" for number in range(1, 7)]),
        ("frames/", ["frames"]),
        ("frames", ["frames"]),
    ],
)
def test_outputs(target, written, wmv, video, tmp_path):
    result = wmv("decode", video, "-o", f"{tmp_path}/{target}")
    assert result.code == 0, result.err
    assert names(tmp_path) == sorted(["clip.wmv", *written])
    if written == ["frames"]:
        assert names(tmp_path / "frames") == [f"frame_{n:05}.png" for n in range(1, 7)]
        assert "note: audio left out: pictures have none" in result.out


def test_outputs_by_format(wmv, video, tmp_path):
    assert wmv("decode", video, "--format", "mkv").code == 0
    assert wmv("decode", video, "--format", "png").code == 0
    assert wmv("decode", video, "--format", "mov", "-o", f"{tmp_path}/new/").code == 0
    assert names(tmp_path) == ["clip", "clip.mkv", "clip.wmv", "new"]
    assert len(names(tmp_path / "clip")) == 6
    assert names(tmp_path / "new") == ["clip.mov"]


def test_a_failure_leaves_no_new_folder(wmv, video, clip, tmp_path):
    video.write_bytes(video.read_bytes()[:-1])
    wmv("decode", video, "--format", "mov", "-o", f"{tmp_path}/new/deep/").failed_with(3, "cut")
    clip.write_bytes(b"\0\0\0\x18ftypisom" + bytes(50))
    wmv("encode", clip, "-o", f"{tmp_path}/new/").failed_with(1, "not a video")
    assert names(tmp_path) == ["clip.mp4", "clip.wmv"]


def test_gop(wmv, clip):
    assert wmv("encode", clip, "--gop", 1, "--json").out.count('"notes": []') == 1
    wmv("encode", clip, "-f", "--gop", 8).failed_with(4, "weights of inter frames")
    assert wmv("encode", clip, "-f", "--gop", 0).code == 2


def test_crf(wmv, video, tmp_path):
    sizes = []
    for crf in (5, 40):
        assert wmv("decode", video, "-f", "--crf", crf, "--no-audio").code == 0
        sizes.append((tmp_path / "clip.mp4").stat().st_size)
    assert sizes[0] > sizes[1]


def test_parts(wmv, video, tmp_path):
    counts = []
    for part in (["--frames", "2:4"], ["--frames", "5:"], ["--time", "0.04:0.2"]):
        result = wmv("decode", video, "-o", tmp_path / "a.mkv", "-f", "--json", *part)
        counts.append(json.loads(result.out)["frames"])
    assert counts == [2, 1, 4]
    for part, text in (
        (["--frames", "6:"], "frames 0 to 5"),
        (["--frames", "x"], "A:B"),
        (["--time", "2"], "A:B"),
        (["--time", "1:2", "--frames", "1:2"], "exclude each other"),
    ):
        wmv("decode", video, *part).failed_with(2, text)


def test_options_of_the_other_kind(wmv, clip, stream, video, tmp_path):
    clip.write_bytes(clips.ffmpeg(*clips.pattern("32x24", 25, 0.04), "-f", "yuv4mpegpipe", "-"))
    for option in (["--target-bpp", 1], ["--target-size", 999]):
        wmv("encode", clip, "-f", *option).failed_with(2, "for pictures, this is a video")
    wmv("decode", video, "--quality", 50, "-f").failed_with(2, "--quality is for pictures")
    for option in (["--crf", 3], ["--frames", "1:2"], ["--time", "0:1"]):
        wmv("decode", stream, *option).failed_with(2, f"{option[0]}: only for videos")
    wmv("decode", stream, "--format", "mp4").failed_with(2, "unknown picture suffix")
    wmv("decode", video, "-o", tmp_path / "a.docx").failed_with(2, "unknown video suffix")
    wmv("decode", video, "-o", tmp_path / "a.png").failed_with(2, "one file for many frames")
    wmv("encode", clip, "-f", "--fps", "25").failed_with(2, "a rate is for pictures")
    wmv("encode", clip, "--fps", "many").failed_with(2, "--fps takes a number")
    wmv("encode", clip, "-f", "--trials", 2).failed_with(2, "trials are for a focus")


def test_numbered_pictures(wmv, video, tmp_path):
    assert wmv("decode", video, "-o", tmp_path / "shot_%03d.png").code == 0
    assert wmv("encode", tmp_path / "shot_%03d.png", "--fps", "30000/1001").code == 0
    record = json.loads(wmv("info", tmp_path / "shot.wmv", "--json").out)
    assert record["frames"] == 6
    assert record["fps"] == pytest.approx(29.97, abs=1e-3)
    (tmp_path / "shot_004.png").unlink()
    result = wmv("encode", tmp_path / "shot_%03d.png", "-f")
    result.failed_with(1, "number 4 is missing")
    wmv("encode", tmp_path / "none_%03d.png").failed_with(1, "no pictures there")


def test_a_folder_is_pictures_unless_a_video_is_meant(wmv, video, tmp_path):
    folder = tmp_path / "shots"
    assert wmv("decode", video, "-o", folder).code == 0
    assert wmv("encode", folder, "--video").code == 0
    assert wmv("info", tmp_path / "shots.wmv").out.count("6 intra, 0 inter") == 1
    assert wmv("encode", f"{folder}/", "-o", tmp_path / "many").code == 0
    one = folder / "frame_00001.png"
    wmv("encode", one, "--fps", 5).failed_with(2, "--video says that they do")
    assert len(names(tmp_path / "many")) == 6


def test_a_gif_is_a_picture_unless_a_video_is_meant(wmv, tmp_path):
    clips.write(
        tmp_path / "a.gif", clips.timed(clips.moving(3), [Fraction(n, 25) for n in range(3)])
    )
    assert wmv("encode", tmp_path / "a.gif").code == 0
    assert "picture" in wmv("info", tmp_path / "a.wmv").out
    assert wmv("encode", tmp_path / "a.gif", "--video", "-f").code == 0
    assert "3 intra" in wmv("info", tmp_path / "a.wmv").out


def test_the_other_files_with_our_suffix(wmv, made, tmp_path):
    theirs = tmp_path / "clip.wmv"
    clips.ffmpeg("-i", made, "-c:v", "wmv2", "-c:a", "wmav2", "-f", "asf", theirs)
    wmv("encode", theirs).failed_with(2, "would replace the input")
    assert wmv("encode", theirs, "-o", tmp_path / "new.wmv").code == 0
    assert names(tmp_path) == ["clip.wmv", "new.wmv"]
    wmv("decode", theirs).failed_with(3, "Windows Media")


def test_standard_input(wmv, video, tmp_path):
    raw = clips.ffmpeg(*clips.pattern("32x24", 25, 0.2), "-f", "yuv4mpegpipe", "-")
    assert wmv("encode", "-", "-o", tmp_path / "a.wmv", stdin=raw).code == 0
    result = wmv("encode", "-", stdin=raw)
    assert result.raw == (tmp_path / "a.wmv").read_bytes()
    stream = ["-", "-f", "mpegts", "-"]
    packed = clips.ffmpeg(*clips.pattern("32x24", 25, 0.2), *clips.H264, *stream[1:])
    assert wmv("encode", "-", "-o", tmp_path / "b.wmv", stdin=packed).code == 0
    assert wmv("decode", "-", "-o", tmp_path / "c.mkv", stdin=video.read_bytes()).code == 0
    assert len(clips.read(tmp_path / "c.mkv")[1]) == 6


def test_existing_outputs_need_force(wmv, clip, video, tmp_path):
    clip.write_bytes(b"mine")
    wmv("decode", video).failed_with(2, "--force")
    assert clip.read_bytes() == b"mine"
    assert wmv("decode", video, "--force").code == 0
    before = video.read_bytes()
    wmv("encode", clip).failed_with(2, "--force")
    assert video.read_bytes() == before


def test_damage(wmv, video, tmp_path):
    data = video.read_bytes()
    video.write_bytes(data[: len(data) // 2])
    wmv("decode", video).failed_with(3, "clip.wmv: the stream is cut short")
    result = wmv("decode", video, "--allow-truncated", "-o", tmp_path / "a.mkv")
    assert result.code == 0
    assert "note: cut short, " in result.out
    frame = bitstream.inspect(data).packets[2]
    video.write_bytes(data[: frame.offset + 40] + b"?!" + data[frame.offset + 42 :])
    wmv("decode", video).failed_with(3, "--skip-damaged leaves it out")
    record = json.loads(wmv("decode", video, "--skip-damaged", "--json").out)
    assert record["frames"] == 5
    assert "(frame 2): left out" in record["notes"][0]


def test_info(wmv, video, tmp_path):
    record = json.loads(wmv("info", video, "--json").out)
    assert record["kind"] == "video"
    assert (record["frames"], record["intra_frames"], record["inter_frames"]) == (6, 6, 0)
    assert record["duration_s"] == pytest.approx(0.24)
    assert record["bits_per_second"] == pytest.approx(8 * video.stat().st_size / 0.24)
    assert record["audio_codecs"] == ["aac"]
    assert len(record["packets"]) == 9
    assert sum(each["bytes"] for each in record["packets"]) + 68 == video.stat().st_size
    text = wmv("info", video, "--verify").out
    lines = dict(line.split(None, 1) for line in text.splitlines()[1:])
    assert lines["frames"] == "6: 6 intra, 0 inter"
    assert lines["duration"].startswith("0:00.240, ")
    assert lines["INTRA"].split() == [
        "6",
        str(sum(p["bytes"] for p in record["packets"][:6])),
        "right",
    ]
    assert wmv("info", video, "--packets").out.count("INTRA") == 6
    assert wmv("info", "-", stdin=video.read_bytes()).code == 0
    data = bytearray(video.read_bytes())
    data[100] ^= 1
    video.write_bytes(data)
    assert "1 WRONG" in wmv("info", video).out
    wmv("info", video, "--verify").failed_with(3, "CRC")
    video.write_bytes(video.read_bytes()[:-60])
    assert "damage" in wmv("info", video).out


def test_missing_files(wmv, tmp_path):
    wmv("encode", tmp_path / "none.mp4").failed_with(1, "No such file")
    wmv("decode", tmp_path / "none.wmv", "-o", f"{tmp_path}/x/").failed_with(1, "No such file")
    assert Path(tmp_path / "x").exists() is False


def test_a_picture_in_a_folder_for_frames(wmv, stream, tmp_path):
    assert wmv("decode", stream, "-o", f"{tmp_path}/out/").code == 0
    with Image.open(tmp_path / "out" / "photo.png") as image:
        assert image.size == (96, 80)
