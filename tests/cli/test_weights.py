"""--weights: weights of one's own, for pictures and for inter frames."""

from __future__ import annotations

import json

import pytest

from tests.heads import cat_head
from tests.tiny import save_tiny, save_tiny_inter, tiny_model
from wavenetmv.models import inter_inference
from wavenetmv.models.head_checkpoints import save_head
from wavenetmv.models.registry import read_info


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    return save_tiny(folder, tiny_model(seed=7))


def test_pictures_with_weights_of_ones_own(wmv, photo, own, tmp_path):
    stream, out = tmp_path / "own.wmv", tmp_path / "out.png"
    assert wmv("encode", photo, "-o", stream, "--weights", own).code == 0
    wmv("decode", stream, "-o", out).failed_with(4, "needs weights")
    assert not out.exists()
    assert wmv("decode", stream, "-o", out, "--weights", own).code == 0
    assert out.exists()


def test_inter_frames_with_weights_of_ones_own(wmv, photo, own, tmp_path, monkeypatch):
    monkeypatch.setattr(inter_inference, "_WORTHWHILE", 1e9)  # random weights predict badly
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(3):
        (frames / f"{number}.png").write_bytes(photo.read_bytes())
    inter = save_tiny_inter(tmp_path)
    stream = tmp_path / "clip.wmv"
    both = ("--weights", own, "--weights", inter)
    assert wmv("encode", frames, "--video", "-o", stream, *both).code == 0
    record = json.loads(wmv("info", stream, "--json").out)
    assert [packet["kind"] for packet in record["packets"]][:3] == ["INTRA", "INTER", "INTER"]
    wmv("decode", stream, "--weights", own).failed_with(4, "needs inter weights")
    assert wmv("decode", stream, "-o", tmp_path / "clip.mkv", *both).code == 0


def test_wrong_files(wmv, photo, own, tmp_path):
    wmv("encode", photo, "--weights", tmp_path / "none.safetensors").failed_with(4, "No such file")
    wmv("encode", photo, "--weights", photo).failed_with(4, "photo.png")
    twice = ("--weights", own, "--weights", own)
    wmv("encode", photo, *twice).failed_with(2, "two files of pictures")


def test_a_head_of_ones_own(wmv, photo, own, tmp_path):
    stream = tmp_path / "own.wmv"
    wmv("encode", photo, "-o", stream, "--weights", own)
    fitting = save_head(
        cat_head(), tmp_path, codec_hash=read_info(own).stream_hash, description="test"
    )
    found = wmv("analyze", stream, "--weights", own, "--weights", fitting, "--json")
    assert found.code == 0, found.err
    assert "cat" in found.out
    other = save_head(cat_head(), tmp_path, codec_hash=bytes(8), description="test")
    both = ("--weights", own, "--weights", other)
    wmv("analyze", stream, *both).failed_with(4, "this head reads streams of weights 0000")
    wmv("analyze", stream, *both, "--task", "classify").failed_with(2, "a head for task detect")
