"""Broken files and what is no video: the frames before the damage, then one clear line."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from tests import clips
from wavenetmv.errors import InputError, UsageFault
from wavenetmv.io.video import VideoReader
from wavenetmv.types import VideoFrame

FRAMES = 50


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One clip in several containers, by suffix."""
    folder = tmp_path_factory.mktemp("whole")
    path = folder / "a.mp4"
    coding = (*clips.H264, "-g", 10, "-bf", 2)
    # The index comes first, so that a cut takes only frames.
    clips.ffmpeg(*clips.pattern("160x120", seconds=2), *coding, "-movflags", "+faststart", path)
    for suffix in ("mkv", "avi"):
        clips.ffmpeg("-i", path, "-c", "copy", folder / f"a.{suffix}")
    clips.ffmpeg("-i", path, folder / "a.y4m")
    clips.ffmpeg("-i", path, folder / "a.gif")
    return {each.suffix[1:]: each.read_bytes() for each in folder.iterdir()}


def read_until_error(path, **options) -> tuple[int, str]:
    """How many frames came, and what was said then."""
    seen, error = frames_and_error(path, **options)
    return len(seen), str(error)


def frames_and_error(path, **options) -> tuple[list[VideoFrame], InputError]:
    seen = []
    try:
        with VideoReader(path, **options) as reader:
            for frame in reader:
                seen.append(frame)
    except InputError as error:
        return seen, error
    raise AssertionError("no error")


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "y4m", "gif"])
@pytest.mark.parametrize("seekable", [True, False], ids=["file", "pipe"])
def test_cut_files(suffix, seekable, whole, tmp_path):
    data = whole[suffix][: len(whole[suffix]) * 6 // 10]
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(data)
    count, said = read_until_error(path if seekable else io.BytesIO(data))
    assert 10 < count < 48
    assert f"damaged after {count} frames (" in said
    assert len(said.splitlines()) == 1


def test_what_came_before_the_damage_is_right(whole, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(whole["mp4"])
    _, good, _ = clips.read(path)
    data = bytearray(whole["mp4"])
    middle = len(data) * 6 // 10
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(data)
    seen, error = frames_and_error(path)
    assert "damaged after" in str(error)
    assert 10 < len(seen) < 48
    for one, other in zip(seen, good, strict=False):
        assert np.array_equal(one.pixels, other.pixels)
        assert one.time_s == other.time_s


def test_damage_can_be_kept(whole, tmp_path):
    path = tmp_path / "a.mkv"
    data = bytearray(whole["mkv"])
    middle = len(data) // 2
    data[middle : middle + 60] = bytes(60)
    path.write_bytes(data)
    count, _ = read_until_error(path)
    _, frames, notes = clips.read(path, keep_damaged=True)
    assert count < len(frames) <= FRAMES
    assert notes[0].startswith("damaged, and read as far as possible: ")


@pytest.mark.parametrize("keep", [False, True])
def test_no_video_at_all(keep, tmp_path):
    random = np.random.default_rng(6).bytes(5000)
    for data, text in [
        (b"", "empty file"),
        (random, "not a video that ffmpeg can read"),
        (b"hello, this is a text\n" * 20, "expected a video, found text"),
        (b"YUV4MPEG2 W64 H48 F25:1 C420\n", "no frame in its video stream"),
        (b"YUV4MPEG2 W64 H48 F25:1 C420\nFRAME\n" + bytes(99), "no(t a video| frame)"),
    ]:
        path = tmp_path / "a.mp4"
        path.write_bytes(data)
        for source in (path, io.BytesIO(data)):
            with pytest.raises(InputError, match=text), VideoReader(source, keep_damaged=keep):
                pass


def test_audio_only(tmp_path):
    path = tmp_path / "a.mp4"
    clips.ffmpeg(*clips.tone(), path)
    with pytest.raises(InputError, match=r"a\.mp4: no video in it, only audio"):
        clips.read(path)


@pytest.mark.parametrize("side", [5_000, 20_000, 100_000])
def test_absurd_sizes(side, tmp_path):
    path = tmp_path / "a.y4m"
    path.write_bytes(b"YUV4MPEG2 W%d H%d F25:1 C420\nFRAME\n" % (side, side) + bytes(1000))
    with pytest.raises(InputError, match=r"a\.y4m: (frames of|no frame|not a video)"):
        clips.read(path)


def test_more_pixels_than_allowed(whole):
    text = "frames of 160x120 are 19200 pixels; the limit is 19199"
    with pytest.raises(InputError, match=text):
        clips.read(io.BytesIO(whole["mkv"]), max_pixels=19199)
    assert len(clips.read(io.BytesIO(whole["mkv"]), max_pixels=19200)[1]) == FRAMES


def test_places_that_lead_nowhere(tmp_path):
    for name, text in [
        ("none.mp4", "No such file"),
        ("none/a.mp4", "No such file"),
        ("", "no pictures there"),
        ("a_%d.png", "no pictures there"),
        ("none/a_%d.png", "there is no folder"),
        ("*.png", "no pictures there"),
    ]:
        with pytest.raises(InputError, match=text):
            clips.read(tmp_path / name)


def test_our_own_streams_are_recognised(tmp_path):
    path = tmp_path / "a.wmv"
    path.write_bytes(b"\x8bWMV\r\n\x1a\n" + bytes(100))
    with pytest.raises(UsageFault, match=r"is a \.wmv stream already"):
        clips.read(path)


def test_an_index_at_the_end_needs_a_file(tmp_path):
    path = tmp_path / "a.mp4"
    clips.ffmpeg(*clips.pattern(seconds=0.2), *clips.H264, path)
    assert len(clips.read(path)[1]) == 5
    with pytest.raises(InputError, match="index of this MP4 comes last"):
        clips.read(io.BytesIO(path.read_bytes()))
    with path.open("rb") as handle:  # a file can seek, whoever opened it
        for _ in range(2):  # from its beginning, wherever it stands
            info, frames, _ = clips.read(handle)
            assert (info.frame_count, len(frames)) == (5, 5)


def test_playlists_do_not_reach_into_the_network(tmp_path):
    playlist, description = tmp_path / "a.m3u8", tmp_path / "a.sdp"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a\n")
    description.write_bytes(b"v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n\0\xff")
    with pytest.raises(InputError, match="expected a video, found text"):
        clips.read(playlist)
    with pytest.raises(InputError, match="not a video that ffmpeg can read"):
        clips.read(description)


def test_a_source_that_fails(whole):
    class Failing(io.BytesIO):
        def read(self, size=-1, /):
            if self.tell() > 125_000:
                raise OSError(5, "Input/output error")
            return super().read(min(size, 10_000))

    count, said = read_until_error(Failing(whole["y4m"]))
    assert count == 4
    assert said == "video: damaged after 4 frames (Input/output error)"


@pytest.mark.parametrize("seed", range(6))
def test_noise_anywhere_gives_frames_or_our_errors(seed, whole, tmp_path):
    rng = np.random.default_rng(seed)
    data = np.frombuffer(whole["mp4"], np.uint8).copy()
    where = rng.integers(0, data.size, 30)
    data[where] = rng.integers(0, 256, 30)
    path = tmp_path / "a.mp4"
    path.write_bytes(data.tobytes())
    with suppress(InputError):
        assert clips.read(path)[1]


def test_a_still_picture_is_a_short_video(tmp_path):
    path = tmp_path / "a.png"
    picture = clips.moving(1)[0]
    Image.fromarray(picture).save(path)
    _, frames, _ = clips.read(path)
    assert clips.errors(frames, [picture]) == 0
