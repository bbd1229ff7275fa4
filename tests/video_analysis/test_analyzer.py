"""Videos of tiny weights through a head of random weights, and through stubs in its place."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.heads import save_cat_head, save_coffee_head, save_dog_head
from tests.streams import RATE, TINY, stream_of, window
from tests.tiny import save_tiny_inter
from tests.vectors.regenerate import VECTORS
from wavenetmv import api
from wavenetmv.analysis import Analyzer
from wavenetmv.bitstream import PacketKind
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import CheckpointError, CorruptStream, TruncatedStream, UsageFault
from wavenetmv.frame_coders import GroupCoder, IntraCoder, intra_bonus
from wavenetmv.labels import COCO_LABELS
from wavenetmv.models.registry import SEARCH_VARIABLE
from wavenetmv.types import (
    LAMBDA_DEFAULT,
    Detection,
    Picture,
    Profile,
    index_to_lambda,
    lambda_to_index,
)
from wavenetmv.video import DecodedVideo
from wavenetmv.video.selection import thinned
from wavenetmv.video_analysis import VideoAnalyzer, by_latents

COUNT = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights")
    save_cat_head(path, TINY)
    save_coffee_head(path, TINY)
    return path


@pytest.fixture(scope="module")
def codec(folder) -> PictureCodec:
    """Rounds plainly, so that what rounding can change is known."""
    return PictureCodec("cpu", weights=TINY, inter_weights=save_tiny_inter(folder), rd_slope=0)


@pytest.fixture(scope="module")
def streams(codec, photographs):
    """For each gop: bytes, and where the frames' packets begin."""
    frames = window(photographs, COUNT)
    return {gop: stream_of(codec, frames, gop) for gop in (1, 3, COUNT)}


@pytest.fixture(autouse=True)
def _heads(folder, monkeypatch):
    monkeypatch.setenv(SEARCH_VARIABLE, f"{VECTORS}:{folder}")


def nothing(frame, least):
    return []


def analyzed(codec, data, find=nothing, threshold=0.3, **options):
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    with VideoAnalyzer(codec, source, find, threshold, **options) as video:
        return list(video)


def indexes(frames):
    return [frame.index for frame in frames]


@pytest.fixture
def decoded(monkeypatch):
    """The kinds of the frames that were decoded, in order."""
    kinds = []
    for coder in (IntraCoder, GroupCoder):

        def decode(self, frame, original=coder.decode):
            kinds.append("I" if frame.kind is PacketKind.INTRA else "P")
            return original(self, frame)

        monkeypatch.setattr(coder, "decode", decode)
    return kinds


@pytest.mark.parametrize("gop", [1, 3])
def test_intra_frames_give_the_latents_of_a_picture(codec, streams, photographs, gop):
    analyzer = Analyzer(codec)
    frames = analyzed(codec, streams[gop][0], by_latents(analyzer))
    assert indexes(frames) == list(range(COUNT))
    assert [frame.time_s for frame in frames] == [n / RATE for n in range(COUNT)]
    for frame, pixels in list(zip(frames, window(photographs, COUNT), strict=True))[::gop]:
        # Intra frames of groups are coded better than the video's own lambda says.
        index = lambda_to_index(LAMBDA_DEFAULT) + intra_bonus(gop, Profile.NEUTRAL)
        picture = codec.encode(Picture(pixels), index_to_lambda(index))
        assert torch.equal(frame._content.y_hat(), codec.latents(picture))
        assert list(frame.found) == analyzer.analyze(picture, 0.3)
        assert frame.found


def test_inter_frames_have_the_head_for_decoded_pixels(codec, streams, tmp_path, monkeypatch):
    save_dog_head(tmp_path, TINY)
    monkeypatch.setenv(SEARCH_VARIABLE, f"{os.environ[SEARCH_VARIABLE]}:{tmp_path}")
    frames = analyzed(codec, streams[3][0], by_latents(Analyzer(codec)))
    for frame in frames:
        label = "cat" if frame.index % 3 == 0 else "dog"
        assert frame.found[0].label == label


def test_intra_frames_of_a_video_without_others_are_not_synthesised(codec, streams, monkeypatch):
    monkeypatch.setattr("wavenetmv.frame_codec.FrameCodec.synthesise", None)
    frames = analyzed(codec, streams[1][0], by_latents(Analyzer(codec)))
    assert all(frame.found for frame in frames)
    with pytest.raises(TypeError):
        frames[0].pixels()


def test_inter_frames_give_the_latents_of_their_pixels(codec, streams):
    """The same as if the decoded frame were coded as a picture, but for its rounding."""
    frames = analyzed(codec, streams[COUNT][0], by_latents(Analyzer(codec)))
    model = codec.frames_for(None)[0].model
    for frame in frames[1:]:
        again = codec.latents(codec.encode(Picture(frame.pixels())))
        gain = model.gains.decoder(model.position(frame._content.lambda_index))
        steps = (frame._content.y_hat() - again) / gain
        assert steps.abs().max() <= 0.5 + 1 / 16  # symbols are integers from means in sixteenths
        assert steps.abs().max() > 0.4
        assert again.div(gain).abs().max() > 5
        assert frame.found


@pytest.mark.parametrize("gop", [1, 3])
def test_pixels_are_those_of_the_video(codec, streams, gop):
    data = streams[gop][0]
    with DecodedVideo(codec, io.BytesIO(data)) as video:
        expected = list(video)
    frames = analyzed(codec, data)
    for frame, one in zip(frames, expected, strict=True):
        assert np.array_equal(frame.pixels(), one.pixels)
        assert frame.time_s == one.time_s


@pytest.mark.parametrize(
    ("gop", "every", "needed"),
    [(1, 3, "III"), (3, 2, "IPPIPI"), (3, 3, "III"), (COUNT, 5, "IPPPPP"), (3, 1, "IPPIPPI")],
)
def test_every(codec, streams, decoded, gop, every, needed):
    """Frames in between are decoded only where a wanted one builds on them."""
    data = streams[gop][0]
    frames = analyzed(codec, data, every=every)
    assert "".join(decoded) == needed
    assert indexes(frames) == list(range(0, COUNT, every))
    whole = {frame.index: frame for frame in analyzed(codec, data)}
    for frame in frames:
        assert frame.time_s == whole[frame.index].time_s
        assert torch.equal(frame._content.y_hat(), whole[frame.index]._content.y_hat())
    with pytest.raises(UsageFault, match="every"):
        analyzed(codec, data, every=0)


def test_frames_that_wait_to_be_of_use_are_few():
    kinds = [PacketKind.INTRA] + [PacketKind.INTER] * 999
    located = [
        SimpleNamespace(frame=SimpleNamespace(kind=k), number=n) for n, k in enumerate(kinds)
    ]
    taken = 0

    def source():
        nonlocal taken
        for each in located:
            taken += 1
            yield each, True

    given = []
    for each, wanted in thinned(source(), 500):
        given.append((each.number, wanted))
        assert taken - each.number <= 64
    assert given[:501] == [(n, n % 500 == 0) for n in range(501)]


def test_damage(codec, streams):
    data, offsets = streams[3]
    broken = bytearray(data)
    broken[offsets[2] - 10] ^= 1
    seen = []
    with (
        pytest.raises(CorruptStream, match="--skip-damaged"),
        VideoAnalyzer(codec, io.BytesIO(broken), nothing, 0.3) as video,
    ):
        seen.extend(frame.index for frame in video)
    assert seen == [0]
    with VideoAnalyzer(codec, io.BytesIO(broken), nothing, 0.3, skip_damaged=True) as video:
        assert indexes(video) == [0, 3, 4, 5, 6]
        assert any("builds on a lost frame" in note for note in video.notes)


def test_truncation(codec, streams):
    data, offsets = streams[3]
    cut = data[: offsets[5] + 3]
    with pytest.raises(TruncatedStream, match="--allow-truncated"):
        analyzed(codec, cut)
    assert indexes(analyzed(codec, cut, allow_truncated=True)) == [0, 1, 2, 3, 4]


def test_frames_of_a_pipe_come_while_it_is_open(codec, streams):
    data, offsets = streams[3]
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", 0) as sink:
        sink.write(data[: offsets[2] + 1])
        with VideoAnalyzer(codec, source, nothing, 0.3) as video:
            frames = iter(video)
            assert [next(frames).index, next(frames).index] == [0, 1]
            sink.write(data[offsets[2] + 1 :])
            sink.close()
            assert indexes(frames) == [2, 3, 4, 5, 6]


def test_tracks_of_what_is_found(codec, streams):
    asked = []

    def find(frame, least):
        asked.append(least)
        left = 5.0 * len(asked)
        return [Detection(15, COCO_LABELS[15], 0.8, (left, 10.0, left + 30, 40.0))]

    frames = analyzed(codec, streams[3][0], find, tracks=True)
    assert [[each.track for each in frame.found] for frame in frames] == [[None]] + [[1]] * 6
    assert set(asked) == {0.1}
    assert analyzed(codec, streams[3][0], find)[1].found[0].track is None
    assert asked[-1] == 0.3


def test_tracks_change_nothing_else(codec, streams):
    """Though weaker detections are looked for too."""
    find = by_latents(Analyzer(codec))
    plain, tracked = (analyzed(codec, streams[3][0], find, tracks=each) for each in (False, True))
    for one, other in zip(plain, tracked, strict=True):
        assert one.found == tuple(replace(each, track=None) for each in other.found)
    assert any(each.track for each in tracked[-1].found)


def test_no_tracks_without_boxes(codec, streams):
    find = by_latents(Analyzer(codec, "classify"))
    assert [each.label for each in analyzed(codec, streams[1][0], find)[3].found][:1] == [
        "espresso"
    ]
    with pytest.raises(UsageFault, match="no boxes"):
        analyzed(codec, streams[1][0], find, tracks=True)


def test_from_python(codec, streams, tmp_path, monkeypatch):
    chosen = api.Codec("cpu")
    monkeypatch.setattr(api, "_engines", {chosen: codec})
    monkeypatch.setattr(api, "_analyzers", {})
    data, _ = streams[3]
    path = tmp_path / "clip.wmv"
    path.write_bytes(data)
    expected = analyzed(codec, data, by_latents(Analyzer(codec)), 0.25, every=2)
    for source in (data, path, str(path), io.BytesIO(data)):
        frames = list(chosen.analyze_video(source, every=2))
        assert indexes(frames) == [0, 2, 4, 6]
        assert [frame.found for frame in frames] == [frame.found for frame in expected]
    with pytest.raises(UsageFault, match=r"0\.\.1"):
        next(chosen.analyze_video(data, 1.5))
    monkeypatch.setenv(SEARCH_VARIABLE, str(VECTORS))
    monkeypatch.setattr(api, "_analyzers", {})
    with pytest.raises(CheckpointError, match="no head"):
        next(chosen.analyze_video(data))
