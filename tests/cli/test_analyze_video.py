from __future__ import annotations

import json
import sys
from fractions import Fraction

import pytest

from tests import clips
from tests.heads import save_cat_head, save_coffee_head
from tests.streams import TINY, stream_of, window
from tests.tiny import save_tiny_inter
from tests.vectors.regenerate import VECTORS
from wavenetmv import api
from wavenetmv.codec import PictureCodec
from wavenetmv.models.registry import SEARCH_VARIABLE
from wavenetmv.types import Detection

COUNT = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("heads")
    save_cat_head(path, TINY)
    save_coffee_head(path, TINY)
    return path


@pytest.fixture(scope="module")
def coded(folder, photographs):
    """A stream with inter frames, and where its frames' packets begin."""
    codec = PictureCodec("cpu", weights=TINY, inter_weights=save_tiny_inter(folder))
    return stream_of(codec, window(photographs, COUNT), gop=3)


@pytest.fixture
def clip(coded, tmp_path):
    path = tmp_path / "clip.wmv"
    path.write_bytes(coded[0])
    return path


@pytest.fixture(autouse=True)
def _heads(folder, monkeypatch):
    monkeypatch.setenv(SEARCH_VARIABLE, f"{VECTORS}:{folder}")
    monkeypatch.setattr(api, "_analyzers", {})


@pytest.fixture
def detector(monkeypatch):
    """In place of a detector's file: one cat that moves, over every frame's pixels."""

    class Detector:
        def __init__(self, path, threads):
            self.seen = []
            made.append(self)

        def detect(self, pixels, threshold):
            left = 5.0 * len(self.seen)
            self.seen.append(pixels.shape)
            return [Detection(15, "cat", 0.8, (left, 10.0, left + 40, 60.0))]

    made = []
    monkeypatch.setattr("wavenetmv.bench.detectors.load_detector", Detector)
    return made


def lines(result):
    assert result.code == 0, result.err
    return [json.loads(line) for line in result.out.splitlines()]


def test_a_summary_for_people(wmv, clip, detector):
    result = wmv("analyze", clip, "--pixels", "any.onnx")
    assert result.code == 0
    head, columns, cat = result.out.splitlines()
    assert head.startswith(f"{clip}: {COUNT} frames, ")
    assert head.endswith(" fps")
    assert columns.split() == ["object", "tracks", "at", "once", "frames", "first", "last"]
    assert cat.split() == ["cat", "1", "1", "6", "0.00", "s", "0.20", "s"]
    assert detector[0].seen == [(80, 96, 3)] * COUNT
    assert wmv("analyze", clip, "--quiet").out == ""


def test_json_for_programs(wmv, clip, detector):
    (record,) = lines(wmv("analyze", clip, "--pixels", "any.onnx", "--json"))
    assert record["file"] == str(clip)
    assert [(each["index"], each["time"]) for each in record["frames"]] == [
        (n, n / 25) for n in range(COUNT)
    ]
    box = {"label": "cat", "class_id": 15, "score": 0.8, "box": [5.0, 10.0, 45.0, 60.0]}
    assert record["frames"][0]["detections"][0]["track"] is None
    assert record["frames"][1] == {"index": 1, "time": 0.04, "detections": [{**box, "track": 1}]}
    (cat,) = record["summary"]
    assert {key: cat[key] for key in ("label", "class_id", "tracks", "most_at_once")} == {
        "label": "cat", "class_id": 15, "tracks": 1, "most_at_once": 1,
    }  # fmt: skip
    assert (cat["frames"], cat["first"], cat["last"]) == (COUNT, 0.0, 0.2)
    (record,) = lines(wmv("analyze", clip, "--pixels", "any.onnx", "--json", "--no-tracks"))
    assert record["frames"][1]["detections"] == [box]
    assert "tracks" not in record["summary"][0]
    assert record["notes"] == []


def test_by_latents(wmv, clip):
    (record,) = lines(wmv("analyze", clip, "--threshold", "0.3", "--json"))
    for frame in record["frames"]:
        assert frame["detections"]
        for each in frame["detections"]:
            assert set(each) == {"label", "class_id", "score", "box", "track"}
            assert each["score"] >= 0.3
            x1, y1, x2, y2 = each["box"]
            assert 0 <= x1 <= x2 <= 96
            assert 0 <= y1 <= y2 <= 80
    (record,) = lines(wmv("analyze", clip, "--threshold", "0.3", "--json", "--classes", "dog"))
    assert {each["label"] for each in record["summary"]} == {"dog"}


def test_one_line_a_frame(wmv, clip, coded):
    (record,) = lines(wmv("analyze", clip, "--json", "--every", "2"))
    assert [each["index"] for each in record["frames"]] == [0, 2, 4]
    named = lines(wmv("analyze", clip, "--json-lines", "--every", "2"))
    assert named == [{"file": str(clip), **each} for each in record["frames"]]
    piped = lines(wmv("analyze", "-", "--json", "--every", "2", stdin=coded[0]))
    assert piped == [{"file": "-", **each} for each in record["frames"]]
    table = wmv("analyze", "-", "--every", "2", stdin=coded[0])
    assert table.out.startswith("-: 3 frames, ")


def test_pictures_beside_videos(wmv, clip, stream):
    found = lines(wmv("analyze", stream, clip, "--json-lines"))
    assert [(each["file"], each["index"]) for each in found] == [
        (str(stream), 0), *((str(clip), n) for n in range(COUNT)),
    ]  # fmt: skip
    assert all("track" not in each for each in found[0]["detections"])
    for option in (("--every", "2"), ("--tracks",)):
        wmv("analyze", stream, *option).failed_with(2, f"{option[0]}: only for videos")


@pytest.mark.parametrize("every", [1, 2])
def test_overlay(wmv, clip, tmp_path, detector, every):
    plain, drawn = tmp_path / "plain.mkv", tmp_path / "boxes.mkv"
    options = ("--pixels", "any.onnx", "--every", every)
    assert wmv("decode", clip, "-o", plain).code == 0
    assert wmv("analyze", clip, "-o", drawn, *options).code == 0
    info, frames, _ = clips.read(drawn)
    _, originals, _ = clips.read(plain)
    assert (info.width, info.height) == (96, 80)
    assert [frame.time_s for frame in frames] == [Fraction(n, 25) for n in range(0, COUNT, every)]
    for frame, original in zip(frames, originals[::every], strict=True):
        changed = (frame.pixels != original.pixels).any(2)
        assert changed[10:60].any()
        assert not changed[62:].any()  # below the box
    wmv("analyze", clip, "-o", drawn).failed_with(2, "--force")
    wmv("analyze", clip, "-o", "-").failed_with(2, "name a file for -o")


def test_overlays_of_a_folder(wmv, clip, stream, tmp_path):
    out = tmp_path / "drawn"
    assert wmv("analyze", clip, stream, "-o", out).code == 0
    assert sorted(each.name for each in out.iterdir()) == ["clip.mp4", "photo.png"]


def test_no_overlay_of_a_damaged_video(wmv, clip, coded, tmp_path):
    clip.write_bytes(coded[0][: coded[1][4] + 5])
    wmv("analyze", clip, "-o", tmp_path / "new" / "a.mp4").failed_with(1, "there is no folder")
    wmv("analyze", clip, "-o", tmp_path / "a.mp4").failed_with(3, "--allow-truncated")
    assert not (tmp_path / "a.mp4").exists()
    kept = tmp_path / "a.mp4"
    result = wmv("analyze", clip, "-o", kept, "--allow-truncated")
    assert "note: cut short, 4 whole frames" in result.out
    assert len(clips.read(kept)[1]) == 4


def test_damage(wmv, clip, coded):
    broken = bytearray(coded[0])
    broken[coded[1][2] - 10] ^= 1
    clip.write_bytes(broken)
    wmv("analyze", clip).failed_with(3, "--skip-damaged")
    (record,) = lines(wmv("analyze", clip, "--skip-damaged", "--json"))
    assert [each["index"] for each in record["frames"]] == [0, 3, 4, 5]
    assert any("builds on a lost frame" in note for note in record["notes"])
    first, *others = wmv("analyze", "-", "--json", stdin=bytes(broken)).out.splitlines()
    assert json.loads(first)["index"] == 0
    assert json.loads(others[-1])["exit_code"] == 3
    result = wmv("analyze", clip, "--json-lines", "--skip-damaged")
    assert "builds on a lost frame" in result.err


def test_classes_of_frames(wmv, clip):
    (record,) = lines(wmv("analyze", clip, "--task", "classify", "--json"))
    labels = [each["label"] for each in record["frames"][2]["classes"]]
    assert labels == ["espresso", "Egyptian cat"]
    assert record["summary"] == [
        {"label": "espresso", "class_id": 967, "frames": COUNT, "first": 0.0, "last": 0.2}
    ]
    columns = wmv("analyze", clip, "--task", "classify").out.splitlines()[1]
    assert columns.split() == ["class", "frames", "first", "last"]
    wmv("analyze", clip, "--task", "classify", "--tracks").failed_with(2, "only objects have boxes")


def test_without_the_library(wmv, clip, detector, monkeypatch):
    monkeypatch.setitem(sys.modules, "trackers", None)
    result = wmv("analyze", clip, "--pixels", "any.onnx")
    assert result.code == 0
    assert "tracks" not in result.out.splitlines()[1]
    assert result.out.splitlines()[-1].startswith("  note: objects are not numbered: ")
    assert "pip install 'wavenetmv[track]'" in result.out
    wmv("analyze", clip, "--tracks").failed_with(2, "pip install 'wavenetmv[track]'")
    assert "note" not in wmv("analyze", clip, "--no-tracks").out


def test_coco_results_are_of_pictures(wmv, clip, stream, tmp_path):
    out = tmp_path / "results.json"
    wmv("analyze", clip, "--coco-json", out).failed_with(2, "--coco-json is for pictures")
    assert not out.exists()
    assert wmv("analyze", clip, stream, "--coco-json", out).code == 2
    assert {each["image_id"] for each in json.loads(out.read_text())} == {"photo"}
