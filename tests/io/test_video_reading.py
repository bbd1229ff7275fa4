"""What a video is comes out as it went in: sizes, times, rotation, colours."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from tests import clips
from wavenetmv.errors import InputError, UsageFault
from wavenetmv.io.video import VideoReader

# What ffmpeg is told about colours, by what we call them.
MATRICES = {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc"}


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (1, 1), (2, 3)])
@pytest.mark.parametrize("suffix", ["mkv", "y4m"])
def test_any_size_is_exact(size, suffix, tmp_path):
    width, height = size
    path = tmp_path / f"a.{suffix}"
    codec = ("-c:v", "ffv1") if suffix == "mkv" else ("-strict", "-1")
    clips.ffmpeg(
        *clips.pattern("64x48", seconds=0.2),
        *("-vf", f"crop={width}:{height}:exact=1,format=yuv444p", *codec, path),
    )
    info, frames, notes = clips.read(path)
    assert (info.width, info.height, info.rate, info.frame_count) == (width, height, 25, 5)
    assert [frame.pixels.shape for frame in frames] == [(height, width, 3)] * 5
    assert [frame.time_s for frame in frames] == [Fraction(index, 25) for index in range(5)]
    assert notes == ()


def test_lossless_rgb_is_exact(tmp_path):
    path = tmp_path / "a.mkv"
    given = clips.moving(4, 63, 47)
    clips.ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "63x47", "-r", 25, "-i", "pipe:0"),
        *("-c:v", "ffv1", "-pix_fmt", "gbrp", path),
        stdin=b"".join(frame.tobytes() for frame in given),
    )
    info, frames, _ = clips.read(path)
    assert clips.errors(frames, given) == 0
    assert (info.matrix, info.full_range) == ("unspecified", True)


def test_ntsc_rate_and_times_are_exact(tmp_path):
    path = tmp_path / "a.mp4"
    clips.ffmpeg(*clips.pattern(rate="30000/1001"), *clips.H264, path)
    info, frames, _ = clips.read(path)
    assert (info.rate, info.variable_rate, info.frame_count) == (Fraction(30000, 1001), False, 30)
    assert [frame.time_s for frame in frames] == [Fraction(1001 * i, 30000) for i in range(30)]
    assert info.duration_s == Fraction(1001, 1000)
    assert all(frame.time_s % info.time_base == 0 for frame in frames)


def test_rates_rounded_to_milliseconds_are_not_variable(tmp_path):
    path = tmp_path / "a.mkv"
    clips.ffmpeg(*clips.pattern(rate="30000/1001"), *clips.H264, path)
    info, frames, _ = clips.read(path)
    assert (info.rate, info.variable_rate) == (Fraction(30000, 1001), False)
    assert frames[1].time_s == Fraction(33, 1000)


@pytest.mark.parametrize("bframes", [0, 2])
def test_variable_rate(bframes, tmp_path):
    path = tmp_path / "a.mp4"
    clips.ffmpeg(
        *clips.pattern(seconds=0.8),
        *("-vf", "settb=1/90000,setpts='if(lt(N,10),N*3600,36000+(N-10)*12857)'"),
        *("-fps_mode", "passthrough", "-enc_time_base", "1/90000"),
        *(*clips.H264, "-bf", bframes, path),
    )
    info, frames, _ = clips.read(path)
    expected = [3600 * i if i < 10 else 36000 + 12857 * (i - 10) for i in range(20)]
    assert [frame.time_s * 90000 for frame in frames] == expected
    assert info.variable_rate is True
    assert info.time_base == Fraction(1, 90000)
    assert 10 < info.rate < 15


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_rotation_is_applied(degrees, turns, tmp_path):
    upright, turned = tmp_path / "a.mp4", tmp_path / "b.mp4"
    clips.ffmpeg(*clips.pattern(seconds=0.2), "-vf", "setsar=4/3", *clips.H264, upright)
    clips.ffmpeg("-display_rotation", degrees, "-i", upright, "-c", "copy", turned)
    _, straight, _ = clips.read(upright)
    info, frames, _ = clips.read(turned)
    sideways = turns % 2
    assert (info.width, info.height) == ((48, 64) if sideways else (64, 48))
    assert info.pixel_aspect == (Fraction(3, 4) if sideways else Fraction(4, 3))
    for one, other in zip(straight, frames, strict=True):
        # Chroma is turned before it is enlarged, and that is not quite the same.
        assert np.abs(np.rot90(one.pixels, turns).astype(int) - other.pixels).mean() < 1


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("colour_range", ["tv", "pc"])
@pytest.mark.parametrize("chroma", ["yuv420p", "yuv444p"])
def test_colours_by_the_source_s_matrix_and_range(matrix, colour_range, chroma, tmp_path):
    path = tmp_path / "a.mkv"
    given = clips.patches()
    # The opposite direction by another library than ours is read with.
    yuv = _reference_yuv(given, matrix, full=colour_range == "pc")
    planes = [yuv[..., 0], *(yuv[:: _step(chroma), :: _step(chroma), i] for i in (1, 2))]
    clips.ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", chroma, "-s", "128x128", "-r", 25, "-i", "pipe:0"),
        *("-vf", f"setparams=range={colour_range}:colorspace={MATRICES[matrix]}"),
        *("-color_range", colour_range, "-c:v", "ffv1", path),
        stdin=b"".join(plane.tobytes() for plane in planes),
    )
    info, frames, _ = clips.read(path)
    assert (info.matrix, info.full_range) == (matrix, colour_range == "pc")
    assert np.abs(clips.middles(frames[0].pixels) - clips.middles(given)).max() <= 2


def test_a_matrix_can_be_given(tmp_path):
    path = tmp_path / "a.y4m"
    given = clips.patches()
    yuv = _reference_yuv(given, "bt709", full=False)
    head = b"YUV4MPEG2 W128 H128 F25:1 C444\nFRAME\n"
    path.write_bytes(head + np.moveaxis(yuv, 2, 0).tobytes())
    plain, unlike, _ = clips.read(path)
    assert (plain.matrix, plain.full_range) == ("unspecified", False)
    assert np.abs(clips.middles(unlike[0].pixels) - clips.middles(given)).max() > 10
    info, frames, _ = clips.read(path, matrix="bt709")
    assert info.matrix == "bt709"
    assert np.abs(clips.middles(frames[0].pixels) - clips.middles(given)).max() <= 2


def test_notes_say_what_is_lost(tmp_path):
    deep, clear, woven = tmp_path / "a.mkv", tmp_path / "b.mkv", tmp_path / "c.mkv"
    source = clips.pattern(seconds=0.1)
    clips.ffmpeg(*source, "-c:v", "ffv1", "-pix_fmt", "yuv420p10le", deep)
    clips.ffmpeg(*source, "-c:v", "ffv1", "-pix_fmt", "bgra", clear)
    clips.ffmpeg(*source, "-vf", "setfield=tff", "-c:v", "ffv1", "-field_order", "tt", woven)
    assert clips.read(deep)[2] == ("10 bits reduced to 8",)
    assert clips.read(clear)[2] == ("alpha left out",)
    assert clips.read(woven)[2] == ("interlaced: both fields are in one frame",)


def test_high_dynamic_range_and_large_unlabelled_frames(tmp_path):
    hdr, large = tmp_path / "a.mkv", tmp_path / "b.y4m"
    clips.ffmpeg(
        *clips.pattern(seconds=0.04),
        *("-vf", "format=yuv420p10le,setparams=color_trc=smpte2084:colorspace=bt2020nc"),
        *("-c:v", "ffv1", hdr),
    )
    clips.ffmpeg(*clips.pattern("1280x720", seconds=0.04), "-pix_fmt", "yuv420p", large)
    info, _, notes = clips.read(hdr)
    assert info.matrix == "bt2020"
    assert notes == (
        "10 bits reduced to 8",
        "HDR (PQ) taken as it is, without tone mapping",
    )
    assert clips.read(large)[2] == ("colour matrix not stated, BT.601 assumed",)
    assert clips.read(large, matrix="bt709")[2] == ()


def test_gif(tmp_path):
    path = tmp_path / "a.gif"
    pictures = [Image.fromarray(each).quantize(64) for each in clips.moving(4)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[50, 50, 200, 100])
    info, frames, notes = clips.read(path)
    assert [frame.time_s * 100 for frame in frames] == [0, 5, 10, 30]
    assert (info.variable_rate, info.duration_s) == (True, Fraction(4, 10))
    assert clips.errors(frames, [np.asarray(each.convert("RGB")) for each in pictures]) == 0
    assert notes == ("transparency left out, if there is any",)


@pytest.mark.parametrize("suffix", ["mov", "webm", "avi", "flv", "mpg"])
def test_other_containers(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    codec = () if suffix == "webm" else ("-c:v", "mpeg2video" if suffix == "mpg" else "mpeg4")
    if suffix == "flv":
        codec = ("-c:v", "flv1")
    clips.ffmpeg(*clips.pattern(seconds=0.4), *codec, path)
    info, frames, _ = clips.read(path)
    assert (info.width, info.height, info.rate, len(frames)) == (64, 48, 25, 10)
    distances = {b.time_s - a.time_s for a, b in pairwise(frames)}
    assert distances == {Fraction(1, 25)}


def test_the_first_time_stamp_need_not_be_zero(tmp_path):
    path = tmp_path / "a.mkv"
    clips.ffmpeg(*clips.tone(), "-itsoffset", 0.5, *clips.pattern(seconds=0.2), path)
    info, frames, _ = clips.read(path)
    assert float(frames[0].time_s) == pytest.approx(0.5, abs=0.03)  # after the audio's padding
    assert info.has_audio


def test_covers_of_songs_are_not_videos(tmp_path):
    cover, path = tmp_path / "cover.png", tmp_path / "a.mp3"
    Image.fromarray(clips.moving(1)[0]).save(cover)
    clips.ffmpeg(
        *(*clips.tone(), "-i", cover, "-map", 0, "-map", 1, "-c:v", "copy"),
        *("-disposition:v", "attached_pic", path),
    )
    with pytest.raises(InputError, match=r"a\.mp3: no video in it, only audio"):
        clips.read(path)


def test_names_that_mean_something_to_ffmpeg(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("-i.y4m", "concat:a.y4m", "a|b,c.y4m", "with space é.y4m", "100%.y4m"):
        clips.ffmpeg(*clips.pattern(seconds=0.04), tmp_path / "a.y4m")
        (tmp_path / "a.y4m").rename(name)
        assert len(clips.read(name)[1]) == 1


def test_a_rate_is_for_pictures(tmp_path):
    path = tmp_path / "a.y4m"
    clips.ffmpeg(*clips.pattern(seconds=0.04), path)
    with pytest.raises(UsageFault, match="a video has its own"):
        clips.read(path, rate=Fraction(30))


def test_used_outside_its_block(tmp_path):
    with pytest.raises(ValueError, match="inside a `with` block"):
        _ = VideoReader(tmp_path).info
    with pytest.raises(ValueError, match="must be above 0"):
        VideoReader(tmp_path, read_ahead=0)


def _step(chroma: str) -> int:
    return 2 if chroma == "yuv420p" else 1


def _reference_yuv(rgb: clips.Pixels, matrix: str, *, full: bool) -> clips.Pixels:
    """[H, W, 3] by the definitions of BT.601, BT.709 and BT.2020."""
    red, blue = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}[
        matrix
    ]
    r, g, b = np.moveaxis(rgb / 255, 2, 0)
    y = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - y) / (2 * (1 - blue)), (r - y) / (2 * (1 - red))
    yuv = np.stack([y, u, v], axis=2)
    scale, offset = ([255, 255, 255], [0, 128, 128]) if full else ([219, 224, 224], [16, 128, 128])
    return np.clip(np.round(yuv * scale + offset), 0, 255).astype(np.uint8)
