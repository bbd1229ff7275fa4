"""Whole videos with inter frames, of tiny random weights."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.tiny import save_tiny, save_tiny_inter
from tests.video.test_videos import Pipe, decoded, same
from wavenetmv.bitstream import inspect
from wavenetmv.codec import PictureCodec
from wavenetmv.models import inter_inference
from wavenetmv.video import Selection, encode_video

KINDS = {1: "I", 2: "P"}


@pytest.fixture(autouse=True)
def _anything_goes(monkeypatch):
    """Random weights predict badly; inter frames are to be coded all the same."""
    monkeypatch.setattr(inter_inference, "_WORTHWHILE", math.inf)


@pytest.fixture(scope="module")
def codec(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return PictureCodec("cpu", weights=save_tiny(folder), inter_weights=save_tiny_inter(folder))


@pytest.fixture
def grouped(codec, clip, tmp_path):
    """`clip` in groups of five."""
    encode_video(codec, clip, tmp_path / "grouped.wmv", gop=5)
    return (tmp_path / "grouped.wmv").read_bytes()


def kinds(data):
    return "".join(KINDS.get(packet.kind, "") for packet in inspect(data).packets)


def test_groups_are_the_default_where_there_are_weights(codec, clip, tmp_path):
    summary = encode_video(codec, clip, tmp_path / "a.wmv")
    assert kinds((tmp_path / "a.wmv").read_bytes()) == "I" + 11 * "P"
    assert summary.notes == ()
    encode_video(codec, clip, tmp_path / "b.wmv", gop=1)
    assert kinds((tmp_path / "b.wmv").read_bytes()) == 12 * "I"


def test_parts_and_pipes_give_the_very_frames(codec, grouped, tmp_path):
    assert kinds(grouped) == "IPPPPIPPPPIP"
    whole, _ = decoded(codec, tmp_path / "grouped.wmv")
    assert len(whole) == 12
    assert same(decoded(codec, Pipe(grouped))[0], whole)
    for first, stop in ((0, 3), (4, 6), (7, 9), (9, 12)):
        for source in (tmp_path / "grouped.wmv", Pipe(grouped)):
            part, _ = decoded(codec, source, selection=Selection(first, stop))
            assert same(part, whole[first:stop])


def test_damage_costs_the_rest_of_the_group(codec, grouped):
    whole, _ = decoded(codec, Pipe(grouped))
    packet = inspect(grouped).packets[7]
    damaged = bytearray(grouped)
    damaged[packet.offset + packet.total_bytes // 2] ^= 1
    frames, video = decoded(codec, Pipe(bytes(damaged)), skip_damaged=True)
    assert same(frames, whole[:7] + whole[10:])
    assert len(video.notes) == 3
    assert all(
        np.array_equal(a.pixels, b.pixels) for a, b in zip(frames[7:], whole[10:], strict=True)
    )
