"""Audio is carried past the frames packet by packet."""

from __future__ import annotations

import io
from fractions import Fraction

import pytest

from tests import clips
from wavenetmv.errors import InputError
from wavenetmv.io.video import VideoReader, VideoWriter, cut_audio, read_audio
from wavenetmv.types import AudioTrack

SOURCES = {
    "aac.mp4": (*clips.H264, "-c:a", "aac"),
    "opus.webm": ("-c:v", "libvpx-vp9", "-cpu-used", 8, "-deadline", "realtime", "-c:a", "libopus"),
    "flac.mkv": (*clips.H264, "-c:a", "flac"),
    "pcm.mov": (*clips.H264, "-c:a", "pcm_s16le"),
    "mp3.avi": ("-c:v", "mpeg4", "-c:a", "mp3"),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    for name, coding in SOURCES.items():
        clips.ffmpeg(*clips.pattern(), *clips.tone(), *coding, folder / name)
    return folder


def packets(path, stream: int = 0) -> str:
    """A digest of all packets of an audio stream."""
    to_digest = ("-c", "copy", "-f", "streamhash", "-hash", "md5", "pipe:1")
    return clips.ffmpeg("-i", path, "-map", f"0:a:{stream}", *to_digest).decode().split("=")[1]


def times(path) -> list[float]:
    """Seconds at which the packets of the first audio stream are heard."""
    listed = clips.ffmpeg(
        *("-copyts", "-i", path, "-map", "0:a:0", "-c", "copy", "-f", "framecrc", "pipe:1")
    ).decode()
    unit = next(line for line in listed.splitlines() if line.startswith("#tb 0: "))
    rows = [line.split(",") for line in listed.splitlines() if not line.startswith("#")]
    return [float(int(row[2]) * Fraction(unit.split()[-1])) for row in rows]


def copy_frames(source, target, track) -> tuple[str, ...]:
    with VideoReader(source) as reader, VideoWriter(target, reader.info, audio=track) as writer:
        for frame in reader:
            writer.write(frame)
    return writer.notes


@pytest.mark.parametrize("name", SOURCES)
def test_packets_are_the_same_in_the_track_and_behind_it(name, sources, tmp_path):
    source = sources / name
    track = read_audio(source)
    assert track is not None
    assert track.codecs == ({"pcm": "pcm_s16le"}.get(name[:3], name.split(".")[0]),)
    (tmp_path / "track.mka").write_bytes(track.data)
    assert packets(tmp_path / "track.mka") == packets(source)
    assert copy_frames(source, tmp_path / "a.mkv", track) == ()
    assert packets(tmp_path / "a.mkv") == packets(source)


def test_into_mp4_and_back_into_webm(sources, tmp_path):
    for name, target in [("aac.mp4", "a.mp4"), ("aac.mp4", "a.mov"), ("opus.webm", "a.webm")]:
        assert copy_frames(sources / name, tmp_path / target, read_audio(sources / name)) == ()
        assert packets(tmp_path / target) == packets(sources / name)
        assert clips.read(tmp_path / target)[0].has_audio


def test_the_track_depends_on_the_audio_only(sources):
    assert read_audio(sources / "aac.mp4") == read_audio(sources / "aac.mp4")
    assert "data" not in repr(read_audio(sources / "aac.mp4"))


def test_sound_and_picture_stay_together(tmp_path):
    source, copy = tmp_path / "a.mp4", tmp_path / "b.mp4"
    late = ("-itsoffset", 0.4, *clips.tone())
    clips.ffmpeg(*clips.pattern(), *late, *clips.H264, "-c:a", "aac", source)
    copy_frames(source, copy, read_audio(source))
    assert packets(copy) == packets(source)
    before, after = times(source), times(copy)
    assert before[0] > 0.3
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) < 0.002
    assert clips.read(source)[1][0].time_s == clips.read(copy)[1][0].time_s == 0


def test_all_streams(tmp_path):
    source, copy = tmp_path / "a.mp4", tmp_path / "b.mp4"
    clips.ffmpeg(
        *(*clips.pattern(), *clips.tone(), *clips.tone(pitch=880), "-map", 0, "-map", 1),
        *("-map", 2, *clips.H264, source),
    )
    track = read_audio(source)
    assert track is not None
    assert track.codecs == ("aac", "aac")
    copy_frames(source, copy, track)
    assert [packets(copy, index) for index in (0, 1)] == [
        packets(source, index) for index in (0, 1)
    ]


def test_what_a_container_cannot_hold_is_said(sources, tmp_path):
    track = read_audio(sources / "flac.mkv")
    for suffix, encoder in [("webm", "libopus"), ("mov", "aac")]:
        target = tmp_path / f"a.{suffix}"
        notes = copy_frames(sources / "flac.mkv", target, track)
        name = {"webm": "WebM", "mov": "MOV"}[suffix]
        assert notes == (f"audio coded anew as {encoder}: {name} cannot hold flac",)
        again = read_audio(target)
        assert again is not None
        assert again.codecs == (encoder.removeprefix("lib"),)
    for name, what in [("a.gif", "GIF has none"), ("a.y4m", "y4m has none")]:
        assert f"audio left out: {what}" in copy_frames(
            sources / "flac.mkv", tmp_path / name, track
        )
    assert copy_frames(sources / "flac.mkv", tmp_path / "frames", track) == (
        "audio left out: pictures have none",
    )


def test_no_audio(tmp_path):
    silent = tmp_path / "a.mp4"
    clips.ffmpeg(*clips.pattern(seconds=0.1), *clips.H264, silent)
    assert read_audio(silent) is None
    assert clips.read(silent)[0].has_audio is False
    clips.write(tmp_path / "f_%d.png", clips.timed(clips.moving(1), [Fraction(0)]))
    assert read_audio(tmp_path / "f_%d.png") is None
    assert read_audio(tmp_path / "f_*.png") is None


def test_limits_and_errors(sources, tmp_path):
    with pytest.raises(InputError, match=r"aac\.mp4: more than 500 bytes of audio"):
        read_audio(sources / "aac.mp4", limit_bytes=500)
    (tmp_path / "a.mp4").write_bytes(b"\0" * 100)
    with pytest.raises(InputError, match=r"a\.mp4: its audio cannot be copied"):
        read_audio(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="No such file"):
        read_audio(tmp_path / "none.mp4")


def test_a_damaged_track_leaves_no_file(tmp_path):
    frames = clips.timed(clips.moving(2), [Fraction(0), Fraction(1, 25)])
    with pytest.raises(InputError, match=r"a\.mkv: cannot be written"):
        clips.write(tmp_path / "a.mkv", frames, audio=AudioTrack(b"\x1aE\xdf\xa3junk", ("aac",)))
    assert list(tmp_path.iterdir()) == []


def test_pipes_cannot_have_their_audio_copied(sources):
    data = (sources / "flac.mkv").read_bytes()
    info, _, notes = clips.read(io.BytesIO(data))
    assert info.has_audio
    assert notes == ("audio left out: it cannot be copied from a pipe",)


def test_cutting(sources, tmp_path):
    track = read_audio(sources / "aac.mp4")
    assert track is not None
    part, path = cut_audio(track, Fraction(1, 4), Fraction(3, 4)), tmp_path / "part.mka"
    assert part is not None
    path.write_bytes(part.data)
    heard = times(path)
    assert 0 <= heard[0] < 0.03
    assert 0.45 < heard[-1] < 0.5
    assert cut_audio(track, Fraction(50), Fraction(60)) is None
    whole = cut_audio(track, Fraction(0), Fraction(60))
    assert whole is not None
    path.write_bytes(whole.data)
    assert packets(path) == packets(sources / "aac.mp4")
    with pytest.raises(ValueError, match="nothing is between"):
        cut_audio(track, Fraction(1), Fraction(1))


def test_cutting_what_begins_late(tmp_path):
    source, path = tmp_path / "a.mp4", tmp_path / "part.mka"
    late = ("-itsoffset", 0.5, *clips.tone())
    clips.ffmpeg(*clips.pattern(seconds=2), *late, *clips.H264, "-c:a", "aac", source)
    track = read_audio(source)
    assert track is not None
    part = cut_audio(track, Fraction(1, 4), Fraction(3, 4))
    assert part is not None
    path.write_bytes(part.data)
    heard = times(path)
    assert 0.2 < heard[0] < 0.27
    assert heard[-1] < 0.5
    assert cut_audio(track, Fraction(0), Fraction(1, 4)) is None
