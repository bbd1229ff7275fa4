"""The measuring programs for video, with tiny weights: what they print is what they measured."""

from __future__ import annotations

import json
import math
import sys
from fractions import Fraction

import numpy as np
import pytest

from tests.tiny import save_tiny, save_tiny_inter
from wavenetmv.bench import drift, video_memory, video_speed
from wavenetmv.bench.clips import fixed_camera, read_clip
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import InputError
from wavenetmv.models import inter_inference
from wavenetmv.models.registry import SEARCH_VARIABLE
from wavenetmv.video import encode_video


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return save_tiny(folder), save_tiny_inter(folder)


@pytest.fixture
def options(weights):
    return ["--weights", str(weights[0]), "--inter-weights", str(weights[1])]


def call(program, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["program", *map(str, arguments)])
    program.main()


def test_drift_is_of_the_last_frame_against_the_fifth(options, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(inter_inference, "_WORTHWHILE", math.inf)
    out = tmp_path / "drift.json"
    arguments = ["--frames", 7, "--limit", 50, "--json", out, *options]
    call(drift, monkeypatch, *arguments)
    record = json.loads(out.read_text())
    each = record["frame_psnr"]
    assert len(each) == 7
    assert record["intra_frames"] == [0]
    assert record["loss_db"] == each[4] - each[6]
    assert f"frame 7: {each[6]:.2f} dB" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="lost more than -50 dB"):
        call(drift, monkeypatch, "--frames", 7, "--limit", -50, *options)


def test_drift_of_several_groups_or_too_few_frames_is_none(weights, options, monkeypatch):
    monkeypatch.setattr(inter_inference, "_WORTHWHILE", 0.0)
    with pytest.raises(SystemExit, match=r"not one group: frames \[0, 1, 2, 3, 4, 5\]"):
        call(drift, monkeypatch, "--frames", 6, "--limit", 50, *options)
    codec = PictureCodec("cpu", weights=weights[0])
    with pytest.raises(InputError, match="more than 5 frames, got 5"):
        drift.measure_drift(codec, list(fixed_camera(32, 32, 5)), 512, 1)


def test_speed_program_prints_frames_per_second(options, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(video_speed, "SIZES", {"320p": (48, 64)})
    out = tmp_path / "speed.json"
    arguments = ["--frames", 3, "--rounds", 1, "--sizes", "320p", "--json", out, *options]
    call(video_speed, monkeypatch, *arguments)
    speeds = json.loads(out.read_text())["speeds"]
    assert [speed["codec"] for speed in speeds] == ["wmv-intra", "wmv", "x264"]
    assert all(speed["encode_fps"] > 0 < speed["decode_fps"] for speed in speeds)
    printed = capsys.readouterr().out
    assert f"encode {speeds[1]['encode_fps']:6.2f} fps" in printed
    assert "(1.00x)" in printed
    with pytest.raises(SystemExit, match="240p"):
        call(video_speed, monkeypatch, "--sizes", "240p", *options)


def test_speed_program_names_what_cannot_run(weights, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("wavenetmv.models.registry._SHIPPED", tmp_path)
    monkeypatch.delenv(SEARCH_VARIABLE, raising=False)
    monkeypatch.setattr(video_speed, "SIZES", {"320p": (48, 64)})
    arguments = ["--frames", 2, "--rounds", 1, "--sizes", "320p", "--weights", weights[0]]
    call(video_speed, monkeypatch, *arguments)
    printed = capsys.readouterr().out
    assert "wmv is left out: no weights of inter frames" in printed
    assert "320p wmv-intra" in printed


def test_videos_of_any_length_are_made_of_a_short_one(tmp_path):
    video_memory.make_video(tmp_path / "a.mp4", None, 64, 48, 3)
    frames = read_clip(tmp_path / "a.mp4")
    assert len(frames) == 75
    assert np.array_equal(frames[0], frames[50])
    assert not np.array_equal(frames[0], frames[40])
    video_memory.make_video(tmp_path / "b.mp4", None, 64, 48, 30, Fraction(2))
    assert len(read_clip(tmp_path / "b.mp4")) == 60


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_of_a_command_is_watched_until_it_ends(weights, monkeypatch, tmp_path):
    video_memory.make_video(tmp_path / "a.mp4", None, 64, 48, 1)
    codec = PictureCodec("cpu", weights=weights[0])
    encode_video(codec, tmp_path / "a.mp4", tmp_path / "a.wmv", gop=1)
    monkeypatch.setenv(SEARCH_VARIABLE, str(weights[0].parent))
    arguments = ["decode", "--quiet", str(tmp_path / "a.wmv"), "-o", str(tmp_path / "b.mp4")]
    usage = video_memory.watch("decode", arguments)
    assert (tmp_path / "b.mp4").stat().st_size > 0
    assert usage.peak_mb == max(usage.quarters_mb) > 50  # torch alone has more
    assert usage.growth == usage.quarters_mb[3] / usage.quarters_mb[1]
    with pytest.raises(InputError, match="wmv decode failed with status 1"):
        video_memory.watch("decode", ["decode", "--quiet", str(tmp_path / "none.wmv")])
