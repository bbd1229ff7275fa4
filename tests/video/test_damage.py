"""What is left of videos that were cut or damaged, from files and from pipes."""

from __future__ import annotations

import io
import os
import random
from dataclasses import replace

import numpy as np
import pytest

from tests.video.test_videos import Pipe, decoded, same
from wavenetmv import video_codec
from wavenetmv.bitstream import (
    CodedFrame,
    FramePayload,
    PacketKind,
    StreamReader,
    VideoStreamReader,
    VideoStreamWriter,
    inspect,
    read_header,
)
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import CorruptStream, StreamError
from wavenetmv.frame_coders import DecodedFrame
from wavenetmv.video import Selection, decode_video

INTRA, INTER = PacketKind.INTRA, PacketKind.INTER


@pytest.fixture(scope="module")
def data(stream):
    return stream.read_bytes()


@pytest.fixture(scope="module")
def packets(data):
    return inspect(data).packets


@pytest.fixture(scope="module")
def whole(codec, stream):
    return decoded(codec, stream)[0]


def lengths(packets):
    """Every packet's end, and a place inside each."""
    for packet in (*packets[:10:3], *packets[11:14]):  # all of them: tests/bitstream
        yield packet.offset + packet.total_bytes
        yield packet.offset + packet.total_bytes // 2


def test_cut_at_and_inside_every_packet(codec, data, packets, whole, changed):
    for length in lengths(packets):
        count = sum(
            each.offset + each.total_bytes <= length for each in packets if each.kind == INTRA
        )
        with pytest.raises(StreamError):
            decoded(codec, changed(data[:length]))
        for option in ("allow_truncated", "skip_damaged"):
            for source in (changed(data[:length]), Pipe(data[:length])):
                if not count:
                    with pytest.raises(CorruptStream, match="no whole frame"):
                        decoded(codec, source, **{option: True})
                    continue
                frames, video = decoded(codec, source, **{option: True})
                assert same(frames, whole[:count])
                assert video.notes


def test_a_cut_file_says_what_helps_and_leaves_nothing(codec, data, changed, tmp_path):
    for cut in (changed(data[:-1]), Pipe(data[:1000]), Pipe(data[:-1])):
        with pytest.raises(CorruptStream, match="; --allow-truncated keeps the whole frames"):
            decode_video(codec, cut, tmp_path / "a.mp4")
    assert os.listdir(tmp_path) == ["changed.wmv"]
    summary = decode_video(codec, Pipe(data[:1000]), tmp_path / "a.mkv", allow_truncated=True)
    assert (summary.frames, len(summary.notes)) == (4, 1)


def test_a_damaged_byte_in_every_packet(codec, data, packets, whole, changed, tmp_path):
    rng = random.Random(5)
    for number, packet in list(enumerate(packets))[::2]:
        position = rng.randrange(packet.offset, packet.offset + packet.total_bytes)
        damaged = bytearray(data)
        damaged[position] ^= 1 << rng.randrange(8)
        path = changed(bytes(damaged))
        with pytest.raises(StreamError):
            decode_video(codec, path, tmp_path / "a.mkv")
        assert os.listdir(tmp_path) == ["changed.wmv"]
        for source in (path, Pipe(bytes(damaged))):
            frames, video = decoded(codec, source, skip_damaged=True)
            expected = [frame for index, frame in enumerate(whole) if index != number]
            assert same(frames, expected)
            assert video.notes


def test_a_part_is_read_around_damage(codec, data, packets, whole, changed):
    damaged = bytearray(data)
    damaged[packets[5].offset + 20] ^= 1
    path = changed(bytes(damaged))
    assert same(decoded(codec, path, selection=Selection(6, 9))[0], whole[6:9])
    with pytest.raises(CorruptStream, match=r"CRC.*; --skip-damaged leaves it out"):
        decoded(codec, path, selection=Selection(4, 8))
    frames, video = decoded(codec, path, selection=Selection(4, 8), skip_damaged=True)
    assert same(frames, [whole[4], *whole[6:8]])
    (note,) = video.notes
    assert "(frame 5): left out" in note


def test_audio_behind_damage_is_kept(codec, data, packets, changed, tmp_path):
    damaged = bytearray(data)
    damaged[packets[3].offset + 1] ^= 0x40  # the length
    with_audio = decoded(codec, changed(bytes(damaged)), skip_damaged=True)[1]
    assert with_audio.audio is not None
    (audio,) = (packet for packet in packets if packet.name == "AUDIO")
    damaged = bytearray(data)
    damaged[audio.offset + 50] ^= 1
    path = changed(bytes(damaged))
    with pytest.raises(CorruptStream, match="AUDIO packet"):
        decoded(codec, path)
    _, video = decoded(codec, path, skip_damaged=True)
    assert video.audio is None
    assert video.notes[-1].startswith("audio left out: AUDIO packet")


def test_audio_that_comes_too_late_is_told(codec, data, tmp_path):
    summary = decode_video(codec, Pipe(data), tmp_path / "a.mkv")
    assert summary.notes == (
        "audio left out: it follows the frames, and no index led to it before",
    )


# --- streams with inter frames, by a coder that shows what it was given ---------------------


class Chain:
    """Frames whose pixels are their number; an INTER frame decodes only after the one before."""

    def __init__(self):
        self.last = None

    def decode(self, frame):
        number = frame.payload.symbols_crc
        if frame.payload.coded == b"bad" or (frame.kind is INTER and self.last != number - 1):
            self.last = None
            raise CorruptStream("symbols are not the encoder's")
        self.last = number
        pixels = np.full((18, 33, 3), number, np.uint8)
        return DecodedFrame(None, (18, 33), frame.lambda_index, known=pixels)


@pytest.fixture
def chained(data, monkeypatch):
    """A stream of twelve frames, each fourth intra, and the offsets of its packets."""
    header = read_header(StreamReader(io.BytesIO(data)))
    video = replace(header.video, inter_hash=b"8 bytes!")
    monkeypatch.setattr(PictureCodec, "inter_frames_of", lambda *_: None)
    monkeypatch.setattr(video_codec, "GroupCoder", lambda *_, **__: Chain())

    def build(bad=()):
        sink = io.BytesIO()
        writer = VideoStreamWriter(sink, replace(header, video=video))
        for number in range(12):
            kind = INTER if number % 4 else INTRA
            coded = b"bad" if number in bad else bytes(20)
            writer.write_frame(CodedFrame(kind, 10 * number, 0, FramePayload(number, coded)))
        writer.finish()
        return sink.getvalue()

    return build


def numbers(frames):
    return [int(frame.pixels[0, 0, 0]) for frame in frames]


@pytest.mark.parametrize(
    ("bad", "left"),
    [
        ((), range(12)),
        ((5,), [0, 1, 2, 3, 4, 8, 9, 10, 11]),
        ((4,), [0, 1, 2, 3, 8, 9, 10, 11]),
        ((0,), range(4, 12)),
        ((2, 9, 11), [0, 1, 4, 5, 6, 7, 8]),
    ],
)
def test_symbols_that_do_not_decode(bad, left, codec, chained, changed):
    data = chained(bad)
    for source in (changed(data), Pipe(data)):
        frames, video = decoded(codec, source, skip_damaged=True)
        assert numbers(frames) == list(left)
        assert len(video.notes) == 12 - len(left)
    if bad:
        with pytest.raises(CorruptStream, match=f"frame {min(bad)} at byte .*; --skip-damaged"):
            decoded(codec, changed(data))


def test_a_stream_of_which_nothing_is_left(codec, chained, changed):
    with pytest.raises(CorruptStream, match="no frame could be decoded"):
        decoded(codec, changed(chained((0, 4, 8))), skip_damaged=True)


@pytest.mark.parametrize("number", range(12))
def test_a_lost_packet_costs_the_frames_up_to_the_next_intra_frame(number, codec, chained, changed):
    data = chained()
    packet = inspect(data).packets[number]
    stop = packet.offset + packet.total_bytes
    rest = number // 4 * 4 + 4
    left = [*range(number), *range(rest, 12)]
    damaged = data[: packet.offset + 9] + b"??" + data[packet.offset + 11 :]
    for source in (changed(damaged), Pipe(damaged)):
        assert numbers(decoded(codec, source, skip_damaged=True)[0]) == left
    lost = data[: packet.offset] + data[stop:]
    frames, video = decoded(codec, Pipe(lost), skip_damaged=True)
    assert numbers(frames) == left
    assert video.notes


@pytest.mark.parametrize(("first", "stop"), [(0, 2), (3, 5), (6, 7), (7, 12), (8, 9)])
def test_a_part_starts_decoding_at_the_intra_frame_before(first, stop, codec, chained, changed):
    data = chained()
    for source in (changed(data), Pipe(data)):
        frames, _ = decoded(codec, source, selection=Selection(first, stop))
        assert numbers(frames) == list(range(first, stop))


def test_reading_goes_on_only_with_an_intra_frame(chained):
    data = chained()
    start = inspect(data).packets[5].offset
    reader = VideoStreamReader(Pipe(data[:start] + bytes(500) + data[start:]), skip_damaged=True)
    kinds = [each.frame.kind for each in reader if each.after_gap]
    assert kinds == [INTRA]
