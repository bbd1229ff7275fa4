"""Videos to streams and back: every frame, time, sample of audio and property kept."""

from __future__ import annotations

import io
import os
import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import wavenetmv
from tests import clips
from wavenetmv import api, bitstream
from wavenetmv.bitstream import VideoStreamReader, read_header
from wavenetmv.errors import CheckpointError, InputError, StreamError, UsageFault
from wavenetmv.frame_coders import IntraCoder
from wavenetmv.io.video import read_audio
from wavenetmv.types import Picture, VideoFrame, VideoInfo
from wavenetmv.video import (
    DecodedVideo,
    EncodingInterrupted,
    Selection,
    decode_video,
    encode_video,
    encoding,
    parse_frames,
    parse_times,
)
from wavenetmv.video_codec import VideoDecoder, VideoEncoder


def decoded(codec, source, **options):
    with DecodedVideo(codec, source, **options) as video:
        return list(video), video


def same(frames, others):
    return [frame.time_s for frame in frames] == [frame.time_s for frame in others] and all(
        np.array_equal(a.pixels, b.pixels) for a, b in zip(frames, others, strict=True)
    )


def test_every_frame_is_coded_as_a_picture_is(codec, clip, stream):
    _, sources, _ = clips.read(clip)
    frames, video = decoded(codec, stream)
    assert video.info.frame_count == len(frames) == len(sources) == 12
    for source, frame in zip(sources, frames, strict=True):
        picture = codec.decode(codec.encode(Picture(source.pixels), 256))
        assert np.array_equal(frame.pixels, picture.pixels)
        assert frame.time_s == source.time_s
    assert video.notes == ()


def test_lossless_output_has_the_very_frames_of_an_odd_size(codec, stream, tmp_path):
    frames, _ = decoded(codec, stream)
    summary = decode_video(codec, stream, tmp_path / "a.mkv")
    info, written, _ = clips.read(tmp_path / "a.mkv")
    assert (info.width, info.height) == (33, 18)
    assert same(written, frames)
    assert (summary.frames, summary.notes) == (12, ())


def test_audio_travels_as_it_is(codec, clip, stream, tmp_path):
    track = read_audio(clip)
    with DecodedVideo(codec, stream) as video:
        assert video.audio == track
    decode_video(codec, stream, tmp_path / "a.mkv")
    assert read_audio(tmp_path / "a.mkv").codecs == ("aac",)
    decode_video(codec, stream, tmp_path / "b.mkv", audio=False)
    assert read_audio(tmp_path / "b.mkv") is None
    without = tmp_path / "without.wmv"
    assert encode_video(codec, clip, without, audio=False, gop=1).notes == ()
    with DecodedVideo(codec, without) as video:
        assert video.audio is None


def test_uneven_times_are_kept_exactly(codec, tmp_path):
    ticks = (0, 1, 5, 6, 7, 30, 31)
    tick = Fraction(1, 600)
    times = [tick * each for each in ticks]
    frames = clips.timed(clips.moving(7), times)
    clips.write(tmp_path / "a.mp4", frames, time_base=tick, crf=0)
    encode_video(codec, tmp_path / "a.mp4", tmp_path / "a.wmv")
    came, video = decoded(codec, tmp_path / "a.wmv")
    assert [frame.time_s for frame in came] == times
    assert video.info.variable_rate
    decode_video(codec, tmp_path / "a.wmv", tmp_path / "b.mp4")
    _, again, _ = clips.read(tmp_path / "b.mp4")
    assert [frame.time_s for frame in again] == times


def test_what_is_known_of_the_colours_and_pixels_is_kept(codec, tmp_path):
    frames = clips.timed(clips.moving(2), [Fraction(0), Fraction(1, 25)])
    known = {"matrix": "bt601", "full_range": True, "pixel_aspect": Fraction(16, 11)}
    clips.write(tmp_path / "a.mp4", frames, **known)
    encode_video(codec, tmp_path / "a.mp4", tmp_path / "a.wmv")
    decode_video(codec, tmp_path / "a.wmv", tmp_path / "b.mp4")
    for info in (decoded(codec, tmp_path / "a.wmv")[1].info, clips.read(tmp_path / "b.mp4")[0]):
        assert {name: getattr(info, name) for name in known} == known


def test_pictures_are_frames_at_the_rate_that_is_given(codec, stream, tmp_path):
    decode_video(codec, stream, tmp_path / "f%02d.png")
    rate = Fraction(12)
    summary = encode_video(codec, tmp_path / "f%02d.png", tmp_path / "a.wmv", rate=rate)
    assert (summary.info.rate, summary.frames) == (rate, 12)
    came, _ = decoded(codec, tmp_path / "a.wmv")
    assert [frame.time_s for frame in came] == [each / rate for each in range(12)]


# --- parts --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["3:7", ":1", "11:", ":", "5:99"])
def test_frames_by_number(text, codec, stream):
    whole, _ = decoded(codec, stream)
    first, stop = (int(part) if part else None for part in text.split(":"))
    part, video = decoded(codec, stream, selection=parse_frames(text))
    assert same(part, whole[first:stop])
    assert video.info.frame_count == len(part)
    with open(stream, "rb") as file:
        piped, _ = decoded(codec, Pipe(file.read()), selection=parse_frames(text))
    assert same(piped, part)


@pytest.mark.parametrize("text", ["0.1:0.2", ":0.05", "0.3:", "1/31:0.067", "0.3:9"])
def test_frames_by_time(text, codec, stream):
    whole, _ = decoded(codec, stream)
    start, end = (Fraction(part) if part else None for part in text.split(":"))
    wanted = [
        frame
        for frame in whole
        if (start is None or frame.time_s >= start) and (end is None or frame.time_s < end)
    ]
    assert wanted
    for source in (stream, Pipe(stream.read_bytes())):
        part, _ = decoded(codec, source, selection=parse_times(text))
        assert same(part, wanted)


@pytest.mark.parametrize("text", ["5", "a:b", "1:2:3", "", "1.5:3", "3:3", "5:2", "-4:"])
def test_impossible_frames(text):
    with pytest.raises(UsageFault):
        parse_frames(text)


@pytest.mark.parametrize("text", ["5", "a:b", "1:2:3", "2:1", "-1:", "1/0:"])
def test_impossible_times(text):
    with pytest.raises(UsageFault):
        parse_times(text)


def test_a_selection_without_frames(codec, stream):
    for selection in (Selection(first=12), parse_times("7:"), parse_times("0.001:0.002")):
        with pytest.raises(UsageFault, match="the video has frames 0 to 11"):
            decoded(codec, stream, selection=selection)
    with pytest.raises(UsageFault, match="ends before"):
        decoded(codec, Pipe(stream.read_bytes()), selection=Selection(first=12))


class Pipe:
    """Bytes that can only be read on; keeps what was asked for."""

    def __init__(self, data, *, seekable=False):
        self._file = io.BytesIO(data)
        self._seekable = seekable
        self.read_bytes = 0

    def seekable(self):
        return self._seekable

    def read(self, size=-1):
        data = self._file.read(size)
        self.read_bytes += len(data)
        return data

    def seek(self, *where):
        return self._file.seek(*where)

    def tell(self):
        return self._file.tell()


def test_only_what_is_needed_is_read_and_decoded(codec, stream, monkeypatch):
    data = stream.read_bytes()
    packets = bitstream.inspect(data).packets
    count = []
    decode = IntraCoder.decode
    monkeypatch.setattr(IntraCoder, "decode", lambda *given: count.append(1) or decode(*given))
    source = Pipe(data, seekable=True)
    decoded(codec, source, selection=Selection(4, 6))
    assert len(count) == 2
    others = sum(each.total_bytes for each in packets if each.kind not in (1, 255))
    frames = packets[4].total_bytes + packets[5].total_bytes
    assert source.read_bytes <= 68 + frames + others + 64
    decoded(codec, Pipe(data), selection=Selection(4, 6))
    assert len(count) == 4


def test_a_part_is_moved_to_begin_at_zero_with_its_audio(codec, tmp_path):
    clips.ffmpeg(*clips.pattern(seconds=2), *clips.tone(2), *clips.H264, tmp_path / "a.mp4")
    encode_video(codec, tmp_path / "a.mp4", tmp_path / "a.wmv", lmbda=64)
    decode_video(codec, tmp_path / "a.wmv", tmp_path / "b.mkv", selection=parse_times("0.9:1.5"))
    info, frames, _ = clips.read(tmp_path / "b.mkv")
    assert [frame.time_s for frame in frames] == [Fraction(each, 25) for each in range(15)]
    assert info.has_audio
    duration = clips.ffmpeg("-i", tmp_path / "b.mkv", "-map", "0:a", "-f", "s16le", "-ac", 1, "-")
    assert len(duration) / 2 / 44100 == pytest.approx(0.6, abs=0.06)


# --- failures -----------------------------------------------------------------------------


def test_pictures_and_videos_are_not_mixed_up(codec, stream, tmp_path):
    data = stream.read_bytes()
    for use in (codec.decode, codec.latents, codec.decode_integers):
        with pytest.raises(StreamError, match="is a video; a picture was expected"):
            use(data)
    picture = tmp_path / "a.wmv"
    picture.write_bytes(codec.encode(Picture(np.zeros((8, 8, 3), np.uint8))))
    with pytest.raises(StreamError, match="is a picture; a video was expected"):
        decoded(codec, picture)
    with pytest.raises(UsageFault, match="already"):
        encode_video(codec, stream, tmp_path / "b.wmv")


def test_a_failure_leaves_no_output(codec, clip, stream, tmp_path, monkeypatch):
    broken = tmp_path / "in" / "a.mkv"
    broken.parent.mkdir()
    data = clip.read_bytes()
    middle = len(data) // 3
    broken.write_bytes(data[:middle] + bytes(200) + data[middle + 200 :])
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(InputError):
        encode_video(codec, broken, out / "a.wmv")
    with pytest.raises(UsageFault, match="lambda"):
        encode_video(codec, clip, out / "a.wmv", lmbda=3)
    with pytest.raises(InputError, match="limit is 100"):
        encode_video(codec, clip, out / "a.wmv", max_pixels=100)
    with pytest.raises(StreamError, match="limit is 100"):
        decode_video(codec, stream, out / "a.mp4", max_pixels=100)
    with pytest.raises(UsageFault, match="crf"):
        decode_video(codec, stream, out / "a.mp4", crf=99)
    assert os.listdir(out) == []


def test_existing_outputs_need_force(codec, clip, stream, tmp_path):
    (tmp_path / "a.wmv").write_bytes(b"mine")
    (tmp_path / "a.mkv").write_bytes(b"mine")
    with pytest.raises(UsageFault, match="--force"):
        encode_video(codec, clip, tmp_path / "a.wmv")
    with pytest.raises(UsageFault, match="--force"):
        decode_video(codec, stream, tmp_path / "a.mkv")
    assert (tmp_path / "a.wmv").read_bytes() == (tmp_path / "a.mkv").read_bytes() == b"mine"
    encode_video(codec, clip, tmp_path / "a.wmv", lmbda=256, force=True)
    assert (tmp_path / "a.wmv").read_bytes() == stream.read_bytes()


def test_audio_that_cannot_be_copied_says_what_helps(codec, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "MAX_AUDIO_BYTES", 10)
    with pytest.raises(InputError, match=r"more than 10 bytes of audio.*--no-audio"):
        encode_video(codec, clip, tmp_path / "a.wmv")
    assert os.listdir(tmp_path) == []


def test_a_source_that_fails_is_an_input_error(codec, stream):
    class Failing(Pipe):
        def read(self, size=-1):
            if self.read_bytes > 1000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(InputError, match="Input/output error"):
        decoded(codec, Failing(stream.read_bytes(), seekable=False))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk(codec, clip, stream):
    with pytest.raises(InputError, match="No space left on device"):
        encode_video(codec, clip, "/dev/full")


def test_ctrl_c_keeps_the_frames_so_far(codec, clip, tmp_path):
    def interrupt_at(number):
        def on_frame(done, total):
            assert total == 12
            if done == number:
                raise KeyboardInterrupt

        return on_frame

    target = tmp_path / "a.wmv"
    with pytest.raises(EncodingInterrupted, match=r"a\.wmv is whole and ends after 5 frames"):
        encode_video(codec, clip, target, lmbda=256, on_frame=interrupt_at(5))
    assert bitstream.inspect(target.read_bytes()).ok
    frames, video = decoded(codec, target)
    assert len(frames) == 5
    assert len(video.audio.data) < len(read_audio(clip).data)


def test_ctrl_c_before_the_first_frame_leaves_nothing(codec, clip, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(IntraCoder, "encode", interrupt)
    with pytest.raises(KeyboardInterrupt) as raised:
        encode_video(codec, clip, tmp_path / "a.wmv")
    assert not isinstance(raised.value, EncodingInterrupted)
    assert os.listdir(tmp_path) == []


def test_without_weights_of_inter_frames_a_note_says_so(codec, clip, tmp_path):
    notes = encode_video(codec, clip, tmp_path / "a.wmv").notes
    assert notes == ("every frame is coded alone: no weights of inter frames for this",)


def test_more_frames_than_a_stream_holds(codec, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "MAX_FRAMES", 3)
    summary = encode_video(codec, clip, tmp_path / "a.wmv", gop=1)
    assert (summary.frames, summary.notes) == (3, ("cut after 3 frames: a stream has no more",))


def test_inter_frames_need_weights_that_are_not_here(codec, stream):
    header = read_header(bitstream.StreamReader(io.BytesIO(stream.read_bytes())))
    video = replace(header.video, inter_hash=b"8 bytes!")
    with pytest.raises(CheckpointError, match=b"8 bytes!".hex()):
        VideoDecoder(codec, replace(header, video=video), video)


def test_frames_must_be_those_of_the_header(codec):
    info = VideoInfo(8, 8, Fraction(25))
    encoder = VideoEncoder(codec, info, gop=1)
    frame = VideoFrame(np.zeros((8, 9, 3), np.uint8), Fraction(0))
    with pytest.raises(ValueError, match="frame is"):
        encoder.encode(frame)
    with pytest.raises(UsageFault, match="cannot be encoded"):
        VideoEncoder(codec, VideoInfo(70_000, 8, Fraction(25)), gop=1)


# --- from Python --------------------------------------------------------------------------


def test_the_public_interface(codec, clip, stream, tmp_path, monkeypatch):
    default = wavenetmv.Codec(weights=codec.weights.path)
    monkeypatch.setattr(api, "_engines", {default: codec})
    summary = default.encode_video(clip, tmp_path / "a.wmv", 256, rate=None)
    assert (tmp_path / "a.wmv").read_bytes() == stream.read_bytes()
    assert summary.stream_bytes == stream.stat().st_size
    with default.open_video(stream, frames=slice(2, 4)) as video:
        part = list(video)
    assert same(part, decoded(codec, stream)[0][2:4])
    assert default.decode_video(stream, tmp_path / "b.mkv", frames=slice(None, 3)).frames == 3
    with pytest.raises(UsageFault, match="step"):
        default.open_video(stream, frames=slice(0, 9, 2))
    assert wavenetmv.open_video.__doc__ == wavenetmv.Codec.open_video.__doc__


def test_frames_that_nobody_takes_stay_in_the_pipe(codec, stream):
    first = next(iter(VideoStreamReader(Pipe(stream.read_bytes())))).frame
    header = read_header(bitstream.StreamReader(io.BytesIO(stream.read_bytes())))
    sink = io.BytesIO()
    writer = bitstream.VideoStreamWriter(sink, header)
    size = [writer.write_frame(replace(first, time=time)) for time in range(500)][-1]
    writer.finish()
    source = Pipe(sink.getvalue())
    with DecodedVideo(codec, source) as video:
        next(iter(video))
        (thread,) = (each for each in threading.enumerate() if each.name == "frames ahead")
        thread.join(0.3)
        assert source.read_bytes <= 10 * size + 2 * 8192
    assert not thread.is_alive()


def test_reading_needs_no_index(codec, stream):
    located = list(VideoStreamReader(Pipe(stream.read_bytes())))
    assert [each.number for each in located] == list(range(12))
