"""Frames come back from the file as they were given, and a file is whole or absent."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from tests import clips
from wavenetmv.errors import InputError, UsageFault
from wavenetmv.io.video import VideoWriter
from wavenetmv.io.video.ffmpeg import executable
from wavenetmv.types import VideoFrame, VideoInfo

EVEN = [Fraction(index, 25) for index in range(6)]
# Two distances, and times that no millisecond hits.
UNEVEN = [Fraction(1001 * index, 30000) for index in (0, 1, 2, 7, 12, 17)]
TICK = Fraction(1, 30000)


@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
@pytest.mark.parametrize(
    ("suffix", "tolerance"),
    [("mp4", 12), ("mov", 12), ("m4v", 12), ("mkv", 0), ("webm", 16), ("gif", 40), ("y4m", 2)],
)
def test_round_trip(suffix, tolerance, size, tmp_path):
    path = tmp_path / f"a.{suffix}"
    given = clips.moving(6, *size)
    clips.write(path, clips.timed(given, EVEN))
    info, frames, _ = clips.read(path)
    assert (info.width, info.height, info.rate, info.frame_count) == (*size, 25, 6)
    assert [frame.time_s for frame in frames] == EVEN
    assert clips.errors(frames, given) <= tolerance
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("pixels", [(1, 1), (2, 1), (8, 9)])
def test_the_smallest_frames(pixels, tmp_path):
    given = [np.full((*pixels, 3), 100 + index, np.uint8) for index in range(3)]
    # ffmpeg's FFV1 encoder cannot divide one pixel's width into slices, and says so.
    for suffix in ("mp4", "y4m", "webm", *(["mkv"] if min(pixels) > 2 else [])):
        path = tmp_path / f"a.{suffix}"
        clips.write(path, clips.timed(given, EVEN[:3]))
        assert clips.errors(clips.read(path)[1], given) <= 4


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_variable_rate_is_exact(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    clips.write(path, clips.timed(clips.moving(6), UNEVEN), time_base=TICK, rate=Fraction(15))
    info, frames, _ = clips.read(path)
    assert [frame.time_s for frame in frames] == UNEVEN
    assert (info.variable_rate, info.time_base) == (True, TICK)


@pytest.mark.parametrize(("suffix", "unit"), [("mkv", 1000), ("webm", 1000), ("gif", 100)])
def test_variable_rate_in_coarser_containers(suffix, unit, tmp_path):
    path = tmp_path / f"a.{suffix}"
    clips.write(path, clips.timed(clips.moving(6), UNEVEN), time_base=TICK, rate=Fraction(15))
    _, frames, _ = clips.read(path)
    for frame, wanted in zip(frames, UNEVEN, strict=True):
        assert abs(frame.time_s - wanted) <= Fraction(1, 2 * unit)


def test_times_without_a_time_base(tmp_path):
    path = tmp_path / "a.mp4"
    rate = Fraction(30000, 1001)
    clips.write(path, clips.timed(clips.moving(6), [k / rate for k in range(6)]), rate=rate)
    info, frames, _ = clips.read(path)
    assert (info.rate, info.variable_rate) == (rate, False)
    assert [frame.time_s for frame in frames] == [k / rate for k in range(6)]


@pytest.mark.parametrize("tick", [Fraction(1, 10**9), Fraction(1, 2**33), Fraction(1001, 30000)])
def test_time_bases_of_any_kind(tick, tmp_path):
    path = tmp_path / "a.mp4"
    times = [tick * round(Fraction(k, 25) / tick) for k in range(4)]
    clips.write(path, clips.timed(clips.moving(4), times), time_base=tick)
    made = [frame.time_s for frame in clips.read(path)[1]]
    # One that is finer than ffmpeg's is replaced by a tenth of a millisecond.
    allowed = Fraction(1, 20_000) if tick == Fraction(1, 2**33) else 0
    assert max(abs(a - b) for a, b in zip(made, times, strict=True)) <= allowed


def test_the_first_time_stamp_is_kept(tmp_path):
    path = tmp_path / "a.mp4"
    times = [time + Fraction(1, 2) for time in EVEN]
    clips.write(path, clips.timed(clips.moving(6), times), time_base=Fraction(1, 12800))
    listed = clips.ffmpeg("-copyts", "-i", path, "-c", "copy", "-f", "framecrc", "pipe:1")
    shown = sorted(int(line.split(b",")[2]) for line in listed.splitlines() if line[:1] != b"#")
    assert [Fraction(each, 12800) for each in shown] == times


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "y4m"])
def test_pixel_aspect(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    # WebM keeps it as a whole number of pixels that are to be shown: 66 * 12 / 11 = 72.
    clips.write(path, clips.timed(clips.moving(2, 66, 48), EVEN[:2]), pixel_aspect=Fraction(12, 11))
    info, frames, _ = clips.read(path)
    assert info.pixel_aspect == Fraction(12, 11)
    assert frames[0].pixels.shape == (48, 66, 3)


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020", "unspecified"])
@pytest.mark.parametrize("full_range", [False, True])
def test_colours(matrix, full_range, tmp_path):
    path = tmp_path / "a.mp4"
    given = clips.patches()
    frames = clips.timed([given] * 2, EVEN[:2])
    clips.write(path, frames, matrix=matrix, full_range=full_range, crf=1)
    info, made, _ = clips.read(path)
    # RGB is always of full range and says nothing of how it is to be written.
    expected = ("bt709", False) if matrix == "unspecified" else (matrix, full_range)
    assert (info.matrix, info.full_range) == expected
    assert np.abs(clips.middles(made[0].pixels) - clips.middles(given)).max() <= 2
    assert _labels(path) >= {"pc" if expected[1] else "tv"}
    if expected[0] == "bt709":
        assert _labels(path) >= {"bt709"}


def test_quality_is_for_the_caller_to_choose(tmp_path):
    frames = clips.timed(clips.moving(6), EVEN)
    sizes = {}
    for suffix in ("mp4", "webm"):
        for crf in (1, 40):
            path = tmp_path / f"{crf}.{suffix}"
            clips.write(path, frames, crf=crf)
            sizes[suffix, crf] = path.stat().st_size
        assert sizes[suffix, 40] < sizes[suffix, 1]
    for name, crf, text in [
        ("a.mkv", 12, "has no quality setting"),
        ("a.mp4", 52, r"crf must be in 0\.\.51, got 52"),
        ("a.webm", -1, r"crf must be in 0\.\.63, got -1"),
        ("a_%d.png", 12, "crf and chroma are for video files"),
    ]:
        with pytest.raises(UsageFault, match=text):
            clips.write(tmp_path / name, frames, crf=crf)


def test_chroma(tmp_path):
    given = clips.moving(2)
    sizes = {}
    for chroma in ("420", "444"):
        path = tmp_path / f"{chroma}.y4m"
        clips.write(path, clips.timed(given, EVEN[:2]), chroma=chroma)
        sizes[chroma] = path.stat().st_size
        assert clips.errors(clips.read(path)[1], given) <= 12
    assert sizes["444"] > 1.9 * sizes["420"]
    odd = clips.timed(clips.moving(2, 63, 47), EVEN[:2])
    assert clips.write(tmp_path / "a.mp4", odd) == (
        "63x47 has an odd side: written in 4:4:4, which not every player shows",
    )
    with pytest.raises(UsageFault, match="needs even sides, this is 63x47"):
        clips.write(tmp_path / "b.mp4", odd, chroma="420")


def test_notes_on_lost_times(tmp_path):
    frames = clips.timed(clips.moving(6), UNEVEN)
    lost = ("one frame rate: the frames' own time stamps are lost",)
    assert clips.write(tmp_path / "a.y4m", frames, rate=Fraction(15)) == lost
    assert clips.write(tmp_path / "a_%d.png", frames, rate=Fraction(15)) == lost
    even = clips.timed(clips.moving(6), EVEN)
    assert clips.write(tmp_path / "b.y4m", even) == ()
    assert clips.write(tmp_path / "c.y4m", even, matrix="bt709") == (
        "y4m cannot say that its colours are bt709",
    )


@pytest.mark.parametrize("name", ["a.wmv", "a.avi", "a.txt", "a.mp4.bak"])
def test_unknown_suffixes(name, tmp_path):
    with pytest.raises(UsageFault, match=r"unknown video suffix; known are \.mp4"):
        clips.write(tmp_path / name, clips.timed(clips.moving(1), EVEN[:1]))
    assert os.listdir(tmp_path) == []


def test_a_named_format_replaces_the_suffix(tmp_path):
    given = clips.moving(2)
    clips.write(tmp_path / "a.out", clips.timed(given, EVEN[:2]), format_name="mkv")
    assert (tmp_path / "a.out").read_bytes()[:4] == b"\x1aE\xdf\xa3"
    assert clips.errors(clips.read(tmp_path / "a.out")[1], given) == 0


def test_existing_targets_need_force(tmp_path):
    path = tmp_path / "a.mkv"
    path.write_bytes(b"old")
    frames = clips.timed(clips.moving(2), EVEN[:2])
    with pytest.raises(UsageFault, match="exists; --force overwrites it"):
        clips.write(path, frames)
    assert path.read_bytes() == b"old"
    clips.write(path, frames, force=True)
    assert len(clips.read(path)[1]) == 2
    assert os.listdir(tmp_path) == ["a.mkv"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("name", ["a.mp4", "a_%d.png", "folder"])
def test_any_failure_leaves_what_was_there(error, name, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"old")

    def fail_halfway() -> None:
        with VideoWriter(tmp_path / name, VideoInfo(64, 48, Fraction(25)), force=True) as writer:
            for frame in clips.timed(clips.moving(3), EVEN[:3]):
                writer.write(frame)
            raise error

    with pytest.raises(error):
        fail_halfway()
    assert (tmp_path / "a.mp4").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_impossible_targets(tmp_path):
    frames = clips.timed(clips.moving(1), EVEN[:1])
    (tmp_path / "dir.mp4").mkdir()
    for name, text in [
        ("none/a.mp4", "there is no folder"),
        ("none/a_%d.png", "there is no folder"),
        ("none/folder/", "there is no folder"),
    ]:
        with pytest.raises(InputError, match=text):
            clips.write(tmp_path / name, frames)
    assert os.listdir(tmp_path) == ["dir.mp4"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only")
@pytest.mark.parametrize("format_name", ["mkv", "y4m", "mp4"])
def test_a_full_disk(format_name):
    random = np.random.default_rng(3)
    noise = [random.integers(0, 256, (120, 160, 3), dtype=np.uint8) for _ in range(20)]
    times = [Fraction(index, 25) for index in range(20)]
    with pytest.raises(InputError, match=r"/dev/full: .*No space left on device") as caught:
        clips.write("/dev/full", clips.timed(noise, times), format_name=format_name)
    assert len(str(caught.value).splitlines()) == 1


def test_ffmpeg_that_dies(tmp_path):
    writer = VideoWriter(tmp_path / "a.mp4", VideoInfo(64, 48, Fraction(25)))

    def write_on() -> None:
        with writer:
            for index, pixels in enumerate(clips.moving(200)):
                if index == 3:
                    os.kill(writer._sink._process._process.pid, signal.SIGKILL)
                    time.sleep(0.05)
                writer.write(VideoFrame(pixels, Fraction(index, 25)))

    with pytest.raises(InputError, match=r"a\.mp4: cannot be written \(ffmpeg was ended by SIG"):
        write_on()
    assert os.listdir(tmp_path) == []


def test_what_is_not_a_frame_of_this_video(tmp_path):
    small, large = clips.moving(1)[0], clips.moving(1, 66, 48)[0]
    for frames, text in [
        ([VideoFrame(large, Fraction(0))], "frame is 66x48, the video 64x48"),
        ([VideoFrame(small, Fraction(0))] * 2, "time stamps must rise"),
        ([VideoFrame(small, Fraction(-1))], "time stamps must rise"),
        ([VideoFrame(small, Fraction(k, 50_000)) for k in (0, 1)], "two frames within 1/10000 s"),
    ]:
        with (
            pytest.raises(ValueError, match=text),
            VideoWriter(tmp_path / "a.mkv", VideoInfo(64, 48, Fraction(25))) as writer,
        ):
            [writer.write(frame) for frame in frames]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.mp4", "a_%d.png"])
def test_no_frame_no_file(name, tmp_path):
    with (
        pytest.raises(UsageFault, match="no frame to write"),
        VideoWriter(tmp_path / name, VideoInfo(64, 48, Fraction(25))),
    ):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "y4m"])
def test_a_named_pipe(suffix, tmp_path):
    pipe = tmp_path / f"a.{suffix}"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    given = clips.moving(3)
    clips.write(pipe, clips.timed(given, EVEN[:3]))
    reader.join()
    copy = tmp_path / "copy"
    copy.write_bytes(received[0])
    assert clips.errors(clips.read(copy)[1], given) <= 12


def test_frames_need_not_be_contiguous(tmp_path):
    given = [np.rot90(each) for each in clips.moving(2)]
    clips.write(tmp_path / "a.mkv", clips.timed(given, EVEN[:2]))
    assert clips.errors(clips.read(tmp_path / "a.mkv")[1], given) == 0


def test_links_keep_pointing(tmp_path):
    (tmp_path / "link.mkv").symlink_to("real.mkv")
    clips.write(tmp_path / "link.mkv", clips.timed(clips.moving(2), EVEN[:2]))
    assert (tmp_path / "link.mkv").is_symlink()
    assert len(clips.read(tmp_path / "real.mkv")[1]) == 2


def _labels(path) -> set[str]:
    """The words that ffmpeg has for the file's video stream."""
    command = [executable(), "-i", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    line = next(line for line in shown.splitlines() if "Video:" in line)
    return set(re.split(r"[ (),/]+", line))
