"""Codecs for video and what is measured of clips, on a small real scene of odd size."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from tests.clips import moving, timed, write
from tests.heads import cat_head
from tests.tiny import save_tiny, save_tiny_inter, tiny_inter_model, tiny_model
from wavenetmv.bench import detectors, measure, preparation
from wavenetmv.bench.clips import RATE, find_clips, fixed_camera, read_clip
from wavenetmv.bench.codecs.base import VIDEO_CODEC_NAMES, CodecOptions, even_choice
from wavenetmv.bench.codecs.ffmpeg import ffmpeg_program
from wavenetmv.bench.codecs.registry import make_codec
from wavenetmv.bench.detection_files import read_frame_detections
from wavenetmv.bench.detection_metrics import evaluate
from wavenetmv.bench.ground_truth import GroundTruth
from wavenetmv.bench.plots import make_plots
from wavenetmv.bench.preparation import prepare
from wavenetmv.bench.report import comparison_pictures
from wavenetmv.bench.request import Request
from wavenetmv.bench.results import load, save
from wavenetmv.bench.runner import run
from wavenetmv.bench.vmaf import has_vmaf, vmaf
from wavenetmv.bitstream import PacketKind, inspect
from wavenetmv.errors import CheckpointError, InputError, UsageFault
from wavenetmv.metrics import bits_per_pixel, psnr
from wavenetmv.models import inter_inference
from wavenetmv.models.head_checkpoints import save_head
from wavenetmv.models.registry import SEARCH_VARIABLE, read_info
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.types import Detection, Profile

FFMPEG = tuple(name for name in VIDEO_CODEC_NAMES if not name.startswith("wmv"))
COUNT, GOP, HEIGHT, WIDTH = 7, 3, 75, 97


@pytest.fixture(scope="module")
def clip(photographs):
    """[7, 75, 97, 3]: a window that moves over a real cat."""
    with Image.open(photographs / "chelsea.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    windows = [pixels[70 + n : 145 + n, 110 + 2 * n : 207 + 2 * n] for n in range(COUNT)]
    return np.ascontiguousarray(windows)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return save_tiny(folder), save_tiny_inter(folder)


def mean_psnr(a, b):
    return np.mean([psnr(*pair) for pair in zip(a, b, strict=True)])


@pytest.mark.parametrize("name", FFMPEG)
def test_quality_and_size_rise_with_the_setting(name, clip):
    codec = make_codec(name, CodecOptions(gop=GOP))
    assert len(codec.settings) >= 5
    chosen = even_choice(codec.settings, 3)
    files = [codec.encode(clip, setting) for setting in chosen]
    decoded = [codec.decode(data, HEIGHT, WIDTH) for data in files]
    assert [each.shape for each in decoded] == [clip.shape] * 3
    quality = [mean_psnr(clip, each) for each in decoded]
    assert all(len(b) > len(a) for a, b in pairwise(files))
    assert all(b > a + 2 for a, b in pairwise(quality))
    assert quality[-1] > 33  # a wrong colour matrix or frames out of order lose more
    assert np.abs(decoded[-1].mean((0, 1, 2)) - clip.mean((0, 1, 2))).max() < 1.5


@pytest.mark.parametrize("name", FFMPEG)
def test_streams_are_bare_and_groups_as_long_as_asked_for(name, clip, tmp_path):
    """At each group's beginning there is a frame that needs no other, and nowhere else."""
    codec = make_codec(name, CodecOptions(gop=GOP))
    path = tmp_path / f"clip{codec.suffix}"
    path.write_bytes(codec.encode(clip, codec.settings[2]))
    command = [ffmpeg_program(), "-v", "info", "-i", path, "-vf", "showinfo", "-f", "null", "-"]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    types = [line.split(" type:")[1][0] for line in log.splitlines() if " type:" in line]
    assert "".join("I" if kind == "I" else "P" for kind in types) == "IPPIPPI"
    assert "frames streams" not in log
    text = codec.command(codec.settings[2])
    assert f"{GOP} frames" in text if name == "vvc" else f"-g {GOP}" in text


@pytest.mark.parametrize("gop", [1, GOP])
def test_wmv_codes_clips_into_streams_that_wmv_decodes(gop, clip, weights, monkeypatch, tmp_path):
    from wavenetmv.codec import PictureCodec
    from wavenetmv.video import DecodedVideo

    monkeypatch.setattr(inter_inference, "_WORTHWHILE", np.inf)  # random weights predict badly
    options = CodecOptions(weights[0], gop=gop, inter_weights=weights[1])
    codec = make_codec("wmv", options)
    codec.prepare()
    data = codec.encode(clip, codec.settings[1])
    path = tmp_path / "clip.wmv"
    path.write_bytes(data)
    pictures = PictureCodec("cpu", weights=weights[0], inter_weights=weights[1])
    with DecodedVideo(pictures, path) as video:
        assert video.info.rate == RATE
        frames = [frame.pixels for frame in video]
    assert np.array_equal(codec.decode(data, HEIGHT, WIDTH), frames)
    with path.open("rb") as source:
        kinds = [packet.kind for packet in inspect(source).packets]
    assert kinds.count(PacketKind.INTRA) == -(-COUNT // gop)
    assert f"--gop {gop}" in codec.command(codec.settings[0])
    assert ("inter weights video" in codec.command(codec.settings[0])) == (gop > 1)
    alone = make_codec("wmv-intra", options)
    assert (alone.encode(clip, codec.settings[1]) == data) == (gop == 1)


def test_wmv_for_people_and_alone_are_codecs(clip, tmp_path):
    options = CodecOptions(
        save_tiny(tmp_path, with_machine_profile(tiny_model())), gop=GOP,
        inter_weights=save_tiny_inter(tmp_path, model=with_machine_profile(tiny_inter_model())),
    )  # fmt: skip
    with pytest.raises(UsageFault, match="need its head"):
        make_codec("wmv-trials", options)
    own = [name for name in VIDEO_CODEC_NAMES if name.startswith("wmv") and name != "wmv-trials"]
    for name in own:
        codec = make_codec(name, options)
        stream = inspect(codec.encode(clip, codec.settings[1]))
        assert stream.header.profile is (Profile.HUMAN if "human" in name else Profile.MACHINE)
        command = codec.command(codec.settings[1])
        assert ("--for human" in command) == ("human" in name)
        assert f"--gop {1 if 'intra' in name else GOP}" in command
    with pytest.raises(UsageFault, match="not human"):
        make_codec("wmv-human", CodecOptions(save_tiny(tmp_path), gop=1))


def test_wmv_without_inter_weights_is_left_out_and_named(weights, monkeypatch, tmp_path):
    monkeypatch.setattr("wavenetmv.models.registry._SHIPPED", tmp_path)
    monkeypatch.delenv(SEARCH_VARIABLE, raising=False)
    with pytest.raises(CheckpointError, match="gop 1"):
        make_codec("wmv", CodecOptions(weights[0], gop=GOP)).describe()
    assert make_codec("wmv-intra", CodecOptions(weights[0], gop=GOP)).describe()


def test_clips_are_found_and_read(tmp_path):
    frames = moving(5)
    write(tmp_path / "one.mkv", timed(frames, (n / RATE for n in range(5))))
    (tmp_path / "two").mkdir()
    for number, pixels in enumerate(frames):
        Image.fromarray(pixels).save(tmp_path / "two" / f"{number:05d}.png")
    (tmp_path / "notes.txt").write_text("no clip")
    found = find_clips([str(tmp_path)])
    assert found == {"one.mkv": tmp_path / "one.mkv", "two": tmp_path / "two"}
    assert find_clips([str(tmp_path / "two")]) == {"two": tmp_path / "two"}
    assert np.array_equal(read_clip(tmp_path / "two"), frames)
    assert len(read_clip(tmp_path / "one.mkv", 2)) == 2
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no video files"):
        find_clips([str(tmp_path / "none")])
    with pytest.raises(InputError, match="a picture among videos"):
        find_clips([str(tmp_path / "one.mkv"), str(tmp_path / "two" / "00000.png")])


def test_fixed_camera_moves_one_thing():
    frames = [frame.astype(int) for frame in fixed_camera(60, 80, 30)]
    change = np.abs(frames[29] - frames[0]).mean(2)
    assert np.median(change) < 4
    assert change.max() > 40


@pytest.mark.skipif(not has_vmaf(), reason="this ffmpeg has no libvmaf")
def test_vmaf_falls_with_damage(clip):
    rng = np.random.default_rng(0)
    scores = [
        vmaf(clip, np.clip(clip + rng.normal(scale=s, size=clip.shape), 0, 255).astype(np.uint8))
        for s in (0, 20, 40)
    ]
    assert scores[0] > 95
    assert all(b < a - 5 for a, b in pairwise(scores))
    assert vmaf(clip[:, :15], clip[:, :15]) is None


class Finder:
    """Finds one object, moved by how dark the corner is."""

    def __init__(self, path, threads=None):
        pass

    def detect(self, pixels, threshold=0.25):
        left = float(pixels[0, 0, 0]) / 10
        return [Detection(2, "car", 0.6, (left, 0.0, left + 30.0, 40.0))]


@pytest.fixture
def request_of(clip, weights, tmp_path, monkeypatch):
    """Two clips of 4 frames; wmv with every frame alone, and x264."""
    monkeypatch.setattr(detectors, "load_detector", Finder)
    network = tmp_path / "finder.onnx"
    network.write_bytes(b"stands in for a network")
    paths = {}
    for name, frames in (("a", clip), ("b", clip[:, :, ::-1])):
        paths[name] = tmp_path / name
        paths[name].mkdir()
        for number, pixels in enumerate(frames):
            Image.fromarray(pixels).save(paths[name] / f"{number:05d}.png")
    out = tmp_path / "out"
    out.mkdir()
    base = Request(
        paths, ["wmv-intra", "x264"], ["psnr", "agreement"], out, detector=network, frames=4,
        points=2, options=CodecOptions(weights[0], gop=GOP),
    )  # fmt: skip
    return lambda **changes: replace(base, **changes)


def go(request):
    return run(prepare(request), lambda job: None)


def test_rows_of_clips_are_those_of_the_files_on_disk(request_of, clip):
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    results = go(request_of())
    assert results.failures == ()
    assert [(r.codec, r.picture) for r in results.rows] == [
        (codec, name) for codec in ("wmv-intra", "x264") for _ in range(2) for name in "ab"
    ]
    for row in results.rows:
        data = (request_of().out / row.stream_file).read_bytes()
        assert (row.frames, row.file_bytes) == (4, len(data))
        assert row.bpp == bits_per_pixel(len(data), WIDTH, HEIGHT, 4)
        decoded = prepare(request_of()).codecs[row.codec].decode(data, HEIGHT, WIDTH)
        original = clip[:4] if row.picture == "a" else clip[:4, :, ::-1]
        each = [psnr(*pair) for pair in zip(original, decoded, strict=True)]
        assert row.frame_psnr == pytest.approx(each)
        assert row.psnr == pytest.approx(np.mean(each))
        seen = read_frame_detections(request_of().out / row.detections_file)
        assert [s[0].box[0] for s in seen] == [float(frame[0, 0, 0]) / 10 for frame in decoded]
    for point in results.points:
        assert point.pictures == 2
        assert point.encode_fps == pytest.approx(1 / point.encode_s)
        assert 0 < point.measure("agreement") <= 1
    assert results.anchor == "x264"
    assert {(c.anchor, c.codec) for c in results.further} == {("wmv-intra", "x264")}
    save(results, request_of().out)
    assert load(request_of().out / "results.json") == results
    check_frame_plot(results)
    (shown, *_) = comparison_pictures(results, request_of().out, lambda name: clip[2])
    assert shown.versions[0].pixels.shape == (HEIGHT, WIDTH, 3)
    assert len(shown.detections) == 1


def check_frame_plot(results):
    """Both codecs at the setting nearest in rate, mean over the clips."""
    (plot,) = [plot for plot in make_plots(results) if plot.name == "frame-psnr"]
    lines = plot.figure.axes[0].lines
    assert len(lines) == 2
    own = [point.setting for point in results.points if point.codec == "wmv-intra"]
    expected = [
        np.mean([r.frame_psnr for r in results.rows if (r.codec, r.setting) == key], axis=0)
        for key in (("wmv-intra", setting) for setting in own)
    ]
    assert any(np.allclose(lines[0].get_ydata(), each) for each in expected)
    assert list(lines[0].get_xdata()) == [1, 2, 3, 4]


def test_a_codec_that_loses_frames_costs_its_row(request_of, monkeypatch):
    class Forgetful:
        """x264 without the last frame."""

        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def decode(self, data, height, width):
            return self.inner.decode(data, height, width)[:-1]

    def make(name, options):
        codec = make_codec(name, options)
        return Forgetful(codec) if name == "x264" else codec

    monkeypatch.setattr(measure, "make_codec", make)
    monkeypatch.setattr(preparation, "make_codec", make)
    results = go(request_of(metrics=["psnr"]))
    assert [row.codec for row in results.rows if row.error] == ["x264"] * 4
    assert "(4, 75, 97, 3) expected" in results.rows[-1].error
    assert {point.codec for point in results.points} == {"wmv-intra"}


def test_vmaf_that_is_not_there_is_a_note(request_of, monkeypatch):
    monkeypatch.setattr(preparation, "has_vmaf", lambda: False)
    prepared = prepare(request_of(metrics=["psnr", "vmaf"]))
    assert "VMAF is left out: this ffmpeg was built without libvmaf" in prepared.notes
    assert not prepared.plan.vmaf


def test_what_is_for_pictures_is_refused(request_of):
    with pytest.raises(UsageFault, match="unknown codec 'jpeg' for video; there are wmv"):
        request_of(codecs=["jpeg"])
    with pytest.raises(UsageFault, match="for pictures, not for video"):
        request_of(published=True)
    with pytest.raises(UsageFault, match="vmaf is for video"):
        request_of(codecs=["jpeg"], options=CodecOptions(), metrics=["vmaf"], frames=None)
    with pytest.raises(UsageFault, match="--frames and --inter-weights are for video"):
        request_of(codecs=["jpeg"], options=CodecOptions())
    with pytest.raises(UsageFault, match="anchor vvc is not among"):
        request_of(further=["vvc"])


def test_frames_of_a_clip_are_drawn_together():
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    found = {
        name: [Detection(0, "person", 0.9 - number / 20, (0.0, 0.0, 10.0 + 2 * number, 10.0))]
        for number, name in enumerate(("a 0", "a 1", "b 0", "b 1", "b 2"))
    }
    truth = GroundTruth({name: [(0, (0, 0, 10, 10), False)] for name in found})
    done = evaluate(truth, found)
    clips = done.by_clip(["a", "a", "b", "b", "b"])
    assert clips.pictures == ("a", "b")
    counts = np.array([[1, 1], [2, 0], [1, 3]])
    expected = done.resampled(counts[:, [0, 0, 1, 1, 1]])
    assert np.array_equal(clips.resampled(counts), expected)
    assert clips.resampled(counts)[0] == pytest.approx(done.map)
    assert len(set(expected)) == 3


def test_results_without_the_fields_of_video_are_read(tmp_path):
    """Files of before clips could be measured."""
    row = {"codec": "jpeg", "setting": "q1", "picture": "a.png", "width": 3, "height": 4}
    empty = {"weights": None, "pictures": [], "points": [], "comparisons": [], "published": {}}
    record = {**empty, "rows": [row], "failures": [], "notes": []}
    (tmp_path / "results.json").write_text(json.dumps(record))
    assert load(tmp_path / "results.json").rows[0].frames is None


def test_latents_of_every_frame(clip, tmp_path, monkeypatch):
    weights, inter = save_tiny(tmp_path), save_tiny_inter(tmp_path)
    save_head(cat_head(), tmp_path, codec_hash=read_info(weights).stream_hash, description="test")
    monkeypatch.setenv(SEARCH_VARIABLE, str(tmp_path))
    codec = make_codec("wmv", CodecOptions(weights=weights, inter_weights=inter, gop=GOP))
    assert codec.detects() is None
    found = codec.detect_frames(codec.encode(clip, codec.settings[0]), 0.1)
    assert len(found) == COUNT
    assert all(frame and frame[0].label == "cat" for frame in found)
