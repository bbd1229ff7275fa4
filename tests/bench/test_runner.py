"""The whole benchmark on two small pictures: failures, resuming, interrupts, processes."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from wavenetmv.bench import measure, preparation
from wavenetmv.bench.codecs.base import Codec, CodecOptions, Setting
from wavenetmv.bench.codecs.registry import make_codec
from wavenetmv.bench.detection_files import read_detections
from wavenetmv.bench.jobs import Job, Plan, source_of
from wavenetmv.bench.preparation import prepare
from wavenetmv.bench.request import Request
from wavenetmv.bench.results import load, save
from wavenetmv.bench.runner import run
from wavenetmv.bench.workers import run_jobs
from wavenetmv.errors import InputError, UsageFault
from wavenetmv.metrics import bits_per_pixel, psnr
from wavenetmv.types import Detection


class Counting(Codec):
    """JPEG that counts its calls, and fails or is interrupted where a test says so."""

    name = "jpeg"
    title = "JPEG"
    suffix = ".jpg"
    settings = tuple(Setting(f"q{q}", q) for q in (10, 50, 90))

    def __init__(self):
        self.calls = Counter()
        self.fault = lambda pixels, setting: None
        self._jpeg = make_codec("jpeg", CodecOptions())

    def command(self, setting):
        return f"counting {setting.label}"

    def encode(self, pixels, setting):
        self.calls["encode"] += 1
        self.fault(pixels, setting)
        return self._jpeg.encode(pixels, setting)

    def decode(self, data, height, width):
        self.calls["decode"] += 1
        return self._jpeg.decode(data, height, width)

    head_name = "latents-1"

    def detects(self):
        return None

    classification_head_name = "latents-2"

    def classifies(self):
        return None

    def classify(self, data):
        return 7

    def detect(self, data, threshold):
        return [Detection(0, "person", 0.8, (1.0, 2.0, 30.0, float(len(data) % 40 + 3)))]


class Finder:
    """Finds one object, better the brighter the picture's corner; counts its calls."""

    def __init__(self, path, threads=None):
        self.calls = 0

    def detect(self, pixels, threshold=0.25):
        self.calls += 1
        return [Detection(2, "car", 0.5 + pixels[0, 0, 0] / 1000, (0.0, 0.0, 30.0, 40.0))]


@pytest.fixture
def pictures(photographs, tmp_path):
    found = {}
    for name in ("chelsea.png", "coffee.png"):
        with Image.open(photographs / name) as image:
            image.convert("RGB").crop((100, 60, 197, 131)).save(tmp_path / name)
        found[name] = tmp_path / name
    return found


@pytest.fixture
def counting(monkeypatch):
    codec = Counting()

    def make(name, options):
        return codec if name == "jpeg" else make_codec(name, options)

    monkeypatch.setattr(measure, "make_codec", make)
    monkeypatch.setattr(preparation, "make_codec", make)
    return codec


@pytest.fixture
def request_of(pictures, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    base = Request(pictures, ["jpeg", "webp"], ["psnr"], out, anchor="webp", points=3)
    return lambda **changes: replace(base, **changes)


def go(request, begins=lambda job: None):
    return run(prepare(request), begins)


def test_rows_are_those_of_the_files_on_disk(request_of, pictures):
    results = go(request_of())
    assert [(r.codec, r.setting, r.picture) for r in results.rows] == [
        (codec, setting, name)
        for codec, settings in (("jpeg", ("q5", "q45", "q92")), ("webp", ("q1", "q45", "q92")))
        for setting in settings
        for name in ("chelsea.png", "coffee.png")
    ]
    for row in results.rows:
        stream = request_of().out / row.stream_file
        assert (row.width, row.height, row.error) == (97, 71, "")
        assert row.file_bytes == stream.stat().st_size
        assert row.bpp == bits_per_pixel(row.file_bytes, 97, 71)
        with Image.open(stream) as coded, Image.open(pictures[row.picture]) as original:
            assert row.psnr == psnr(np.asarray(original), np.asarray(coded.convert("RGB")))
        assert row.encode_s > 0
        assert row.decode_s > 0
        assert row.ms_ssim is None  # not asked for
    shown = [row for row in results.rows if row.decoded_file]
    assert {(row.picture, row.codec) for row in shown} == {
        (name, codec) for name in pictures for codec in ("jpeg", "webp")
    }
    for row in shown:
        files = [request_of().out / name for name in (row.decoded_file, row.stream_file)]
        with Image.open(files[0]) as decoded, Image.open(files[1]) as coded:
            assert np.array_equal(np.asarray(decoded), np.asarray(coded.convert("RGB")))
    for point in results.points:
        own = [r for r in results.rows if (r.codec, r.setting) == (point.codec, point.setting)]
        assert point.bpp == pytest.approx(np.mean([row.bpp for row in own]))
        assert point.psnr == pytest.approx(np.mean([row.psnr for row in own]))
    (change,) = results.comparisons
    assert (change.anchor, change.codec, change.metric) == ("webp", "jpeg", "psnr")
    assert change.bd_rate > 20
    assert "quality=5" in results.settings["jpeg"]
    assert results.failures == ()


def test_results_survive_their_files(request_of, counting):
    results = go(request_of(published=True))
    save(results, request_of().out)
    assert load(request_of().out / "results.json") == results
    with (request_of().out / "results.csv").open(newline="") as source:
        lines = list(csv.DictReader(source))
    assert [(line["codec"], float(line["psnr"])) for line in lines] == [
        (point.codec, point.psnr) for point in results.points
    ]
    with (request_of().out / "pictures.csv").open(newline="") as source:
        assert len(list(csv.DictReader(source))) == len(results.rows)


def test_other_json_is_no_results_file(tmp_path):
    path = tmp_path / "results.json"
    for text in ("{}", "[]", "no json", '{"weights": 3}'):
        path.write_text(text)
        with pytest.raises(InputError, match=r"not a results\.json of wmv bench"):
            load(path)


def test_a_failing_codec_costs_only_its_rows(request_of, counting):
    def fault(pixels, setting):
        raise ZeroDivisionError("by\nzero")

    counting.fault = fault
    results = go(request_of())
    assert {row.codec for row in results.rows if row.error} == {"jpeg"}
    assert {row.error for row in results.rows if row.error} == {"ZeroDivisionError: by zero"}
    assert [p.codec for p in results.points] == ["webp"] * 3
    assert len(results.failures) == 2  # one line per picture, not per setting
    assert results.failures[0] == "jpeg, chelsea.png at q10, q50, q90: ZeroDivisionError: by zero"
    (change,) = results.comparisons
    assert (change.bd_rate, change.note) == (None, "PSNR of jpeg was not measured")


def test_a_failing_picture_costs_only_itself(request_of, counting, pictures):
    with Image.open(pictures["coffee.png"]) as image:
        corner = image.getpixel((0, 0))

    def fault(pixels, setting):
        if tuple(pixels[0, 0]) == corner and setting.value == 50:
            raise InputError("too much coffee")

    counting.fault = fault
    pictures["broken.png"] = pictures["coffee.png"].with_name("broken.png")
    pictures["broken.png"].write_bytes(b"not a picture")
    results = go(request_of(pictures=pictures))
    assert [r.picture for r in results.rows if r.error] == ["coffee.png"]
    assert "broken.png" in results.failures[0]
    assert results.failures[1] == "jpeg, coffee.png at q50: too much coffee"
    jpeg = [point for point in results.points if point.codec == "jpeg"]
    assert [point.pictures for point in jpeg] == [1, 1, 1]


def test_codecs_that_are_not_there_are_named(request_of, monkeypatch):
    monkeypatch.setenv("PATH", "")
    prepared = prepare(request_of(codecs=["vtm", "jpeg"], anchor=""))
    assert prepared.left_out == ["vtm is left out: no EncoderApp on the PATH"]
    assert prepared.anchor == "jpeg"
    assert prepare(request_of(codecs=["wmv", "webp"], anchor="")).anchor == "webp"
    with pytest.raises(InputError, match="the anchor vtm cannot run: no EncoderApp"):
        prepare(request_of(codecs=["vtm", "jpeg"], anchor="vtm"))
    with pytest.raises(InputError, match="no EncoderApp on the PATH"):
        prepare(request_of(codecs=["vtm"], anchor=""))
    monkeypatch.setitem(sys.modules, "compressai", None)
    with pytest.raises(InputError, match=r"no codec can run: vtm: no EncoderApp.*; bmshj2018: "):
        prepare(request_of(codecs=["vtm", "bmshj2018"], anchor=""))


def test_resuming_does_no_work_twice(request_of, counting):
    first = go(request_of())
    before = Counter(counting.calls)
    assert before["encode"] == 6
    again = go(request_of())
    assert counting.calls == before
    assert again.rows == first.rows
    # Nor is a known picture under another name.
    renamed = {"a.png": request_of().pictures["coffee.png"]}
    go(request_of(codecs=["jpeg"], anchor="", pictures=renamed))
    assert counting.calls["encode"] == before["encode"]
    go(request_of(resume=False))
    assert counting.calls["encode"] == 2 * before["encode"]


def test_a_changed_picture_is_coded_again(request_of, counting, pictures):
    go(request_of())
    with Image.open(pictures["coffee.png"]) as image:
        changed = np.asarray(image).copy()
    changed[40, 40] ^= 1
    Image.fromarray(changed).save(pictures["coffee.png"])
    os.utime(pictures["coffee.png"], (1, 1))
    go(request_of())
    assert counting.calls["encode"] == 6 + 3


def test_measures_asked_for_later_need_no_encoding(request_of, counting, pictures):
    pytest.importorskip("pytorch_msssim", reason="pytorch-msssim is not installed")
    first = go(request_of(codecs=["jpeg"], anchor=""))
    encoded = counting.calls["encode"]
    more = go(request_of(codecs=["jpeg"], anchor="", metrics=["psnr", "ms-ssim"]))
    assert counting.calls["encode"] == encoded
    assert [row.encode_s for row in more.rows] == [row.encode_s for row in first.rows]
    assert "MS-SSIM leaves out 2 pictures" in more.notes[-1]


def test_damaged_cache_files_are_made_again(request_of, counting):
    first = go(request_of(codecs=["jpeg"], anchor=""))
    for path in (request_of().out / "cache" / "jpeg").glob("*.json"):
        path.write_text("{")
    again = go(request_of(codecs=["jpeg"], anchor=""))
    assert counting.calls["encode"] == 12
    assert [row.file_bytes for row in again.rows] == [row.file_bytes for row in first.rows]


def test_an_interrupt_keeps_what_is_done(request_of, counting):
    def fault(pixels, setting):
        if counting.calls["encode"] == 5:
            raise KeyboardInterrupt

    counting.fault = fault
    with pytest.raises(KeyboardInterrupt):
        go(request_of(codecs=["jpeg"], anchor=""))
    counting.fault = lambda pixels, setting: None
    results = go(request_of(codecs=["jpeg"], anchor=""))
    assert counting.calls["encode"] == 5 + 2
    assert all(not row.error for row in results.rows)


def test_detections_by_pixels_and_by_latents(request_of, counting, monkeypatch, tmp_path):
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    from wavenetmv.bench import detectors

    monkeypatch.setattr(detectors, "load_detector", Finder)
    network = tmp_path / "finder.onnx"
    network.write_bytes(b"stands in for a network")
    labels = {
        "images": [{"id": k, "file_name": n} for k, n in enumerate(("chelsea.png", "coffee.png"))],
        "categories": [{"id": 3, "name": "car"}],
        "annotations": [
            {"image_id": 0, "category_id": 3, "bbox": [0, 0, 30, 40], "iscrowd": 0},
            {"image_id": 1, "category_id": 3, "bbox": [0, 0, 30, 30], "iscrowd": 0},
        ],
    }
    (tmp_path / "instances.json").write_text(json.dumps(labels))
    changes = {
        "metrics": ["map", "agreement"], "detector": network,
        "annotations": tmp_path / "instances.json", "codecs": ["webp", "jpeg"],
    }  # fmt: skip
    results = go(request_of(**changes))
    # Both are found; the second overlaps by 3/4, so for 6 of the 10 thresholds it is wrong.
    # Which of the two ranks first depends on the pictures, so mAP50 alone is clear by hand.
    assert results.baseline["map50"] == 1
    assert 0.5 < results.baseline["map"] < 1
    pixels = [p for p in results.points if p.path == "pixels"]
    assert len(pixels) == 6
    for point in pixels:
        assert point.measure("map50") == 1
        assert point.measure("relative_map") == point.measure("map") / results.baseline["map"]
        assert point.measure("agreement") == 1
        assert point.psnr is not None
    latents = [p for p in results.points if p.path == "latents"]
    assert [(p.codec, p.psnr, p.measure("map")) for p in latents] == [("jpeg", None, 0)] * 3
    assert all(point.decode_s > 0 for point in latents)
    (row, *_) = [row for row in results.rows if row.codec == "jpeg"]
    assert read_detections(request_of().out / row.latents_file)[0].label == "person"
    assert read_detections(request_of().out / row.detections_file)[0].label == "car"
    assert results.pictures[0].detections_file is not None
    assert results.detector.startswith("finder.onnx ")
    # A second run finds everything, also what the detector saw.
    monkeypatch.setattr(Finder, "detect", lambda *_: pytest.fail("looked again"))
    assert go(request_of(**changes)).points == results.points


def test_nothing_found_on_the_originals_is_a_note(request_of, counting, monkeypatch, tmp_path):
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    from wavenetmv.bench import detectors

    monkeypatch.setattr(detectors, "load_detector", Finder)
    monkeypatch.setattr(Finder, "detect", lambda *_: [])
    network = tmp_path / "finder.onnx"
    network.write_bytes(b"stands in for a network")
    results = go(request_of(metrics=["psnr", "agreement"], detector=network))
    assert any(
        note.startswith("no agreement: the detector finds nothing") for note in results.notes
    )
    assert {point.measure("agreement") for point in results.points} == {None}
    notes = {c.note for c in results.comparisons if c.metric == "agreement"}
    assert notes == {"agreement is not defined on these pictures"}


def test_classes_by_pixels_and_by_latents(request_of, counting, monkeypatch, tmp_path):
    """Class 7 for a dark corner, else 8: the originals', and what becomes of them."""
    from wavenetmv.bench import classifiers

    class Corner:
        def __init__(self, path):
            pass

        def best(self, pixels):
            return [7 if pixels[0, 0, 0] < 160 else 8, 1]

    monkeypatch.setattr(classifiers, "Classifier", Corner)
    network = tmp_path / "corner.pth"
    network.write_bytes(b"stands in for a network")
    changes = {"metrics": ["psnr", "top1"], "classifier": network, "codecs": ["webp", "jpeg"]}
    results = go(request_of(**changes))
    wanted = {}
    for name, path in request_of().pictures.items():
        with Image.open(path) as image:
            wanted[name] = 7 if image.getpixel((0, 0))[0] < 160 else 8
    assert set(wanted.values()) == {7, 8}
    for row in results.rows:
        assert row.top1 is (row.label == wanted[row.picture])
        assert (row.latents_label, row.latents_top1) == (
            (7, wanted[row.picture] == 7) if row.codec == "jpeg" else (None, None)
        )
    latents = [p for p in results.points if p.path == "latents"]
    assert [(p.codec, p.psnr, p.measure("top1")) for p in latents] == [("jpeg", None, 0.5)] * 3
    found = [p.measure("top1") for p in results.points if p.path == "pixels"]
    assert max(found) == 1
    assert {(c.codec, c.path) for c in results.comparisons if c.metric == "top1"} == {
        ("jpeg", "pixels"), ("jpeg", "latents"),
    }  # fmt: skip
    assert results.classifier.startswith("corner.pth ")
    assert results.detector == ""
    monkeypatch.setattr(Corner, "best", lambda *_: pytest.fail("looked again"))
    assert go(request_of(**changes)).points == results.points
    saved = request_of().out / "again"
    saved.mkdir()
    save(results, saved)
    assert load(saved / "results.json") == results


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codecs": ["jpeg", "gif"]}, "unknown codec 'gif'"),
        ({"metrics": ["psnr", "ssim"]}, "unknown metric 'ssim'; there are psnr, ms-ssim"),
        ({"metrics": ["agreement"]}, "need --detector"),
        ({"metrics": ["map"], "detector": "x.onnx"}, "needs --annotations"),
        ({"metrics": ["top1"]}, "needs --classifier"),
        ({"anchor": "vvc"}, "the anchor vvc is not among the codecs"),
    ],
)
def test_requests_that_do_not_fit_together_are_refused(request_of, changes, message):
    with pytest.raises(UsageFault, match=message):
        request_of(**changes)


def jobs_of(pictures, codec="jpeg"):
    settings = make_codec(codec, CodecOptions()).settings
    sources = [source_of(name, path) for name, path in pictures.items()]
    return [Job(codec, setting, source) for source in sources for setting in settings[:2]]


@pytest.mark.slow
def test_processes_side_by_side_give_the_same_rows(pictures, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    jobs, begun = jobs_of(pictures), []
    plans = [Plan(tmp_path / folder, ms_ssim=False) for folder in ("one", "two")]
    alone = list(run_jobs(plans[0], jobs, 1, begun.append))
    together = list(run_jobs(plans[1], jobs, 2, begun.append))
    assert begun == [*jobs, *jobs]

    def key(row):
        return row.picture, row.setting, row.file_bytes, row.psnr, row.error

    assert sorted(map(key, together)) == sorted(map(key, alone))
    assert "OMP_NUM_THREADS" not in os.environ


class Deadly:
    """In place of a path: a worker that uses it dies as when memory runs out."""

    def __init__(self):
        self.home = os.getpid()

    def __hash__(self):
        if os.getpid() != self.home:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes die otherwise here")
def test_a_process_that_dies_costs_the_row_of_its_job(pictures, tmp_path):
    jobs = jobs_of(pictures)
    jobs[1] = replace(jobs[1], source=replace(jobs[1].source, path=Deadly()))
    rows = list(run_jobs(Plan(tmp_path / "out", ms_ssim=False), jobs, 2, lambda job: None))
    assert len(rows) == len(jobs)
    (failed,) = [row for row in rows if row.error]
    assert (failed.picture, failed.setting) == (jobs[1].source.name, jobs[1].setting.label)
    assert "died" in failed.error
