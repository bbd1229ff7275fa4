"""`wmv bench` as a user types it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

from wavenetmv.bench.codecs.pillow import JPEG
from wavenetmv.cli.items import find
from wavenetmv.errors import InputError

for module in ("matplotlib", "jinja2", "pytorch_msssim", "onnx", "onnxruntime", "pycocotools"):
    pytest.importorskip(module, reason=f"{module} of the extra bench is not installed")


@pytest.fixture
def folder(tmp_path, photographs):
    """Two pictures of 180x165, large enough for MS-SSIM."""
    path = tmp_path / "pictures"
    path.mkdir()
    for name in ("chelsea.png", "coffee.png"):
        with Image.open(photographs / name) as image:
            image.convert("RGB").crop((100, 60, 280, 225)).save(path / name)
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_bench_compares_codecs_and_writes_everything(wmv, folder, out):
    arguments = ("bench", folder, "--codecs", "jpeg, webp,wmv", "--anchor", "webp", "--points", 3)
    result = wmv(*arguments, "--out", out)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].split("  ")[0] == "codec"
    assert "BD-rate PSNR" in lines[0]
    assert "BD-rate MS-SSIM" in lines[0]
    assert [line.split()[:2] for line in lines[1:4]] == [["jpeg", "3"], ["webp", "3"], ["wmv", "3"]]
    assert "+" in lines[1]  # JPEG needs more bits than WebP
    assert "BD-rate against webp" in lines[4]
    assert lines[-1] == str(out / "report.html")
    with (out / "results.csv").open(newline="") as source:
        points = list(csv.DictReader(source))
    assert [point["codec"] for point in points] == ["jpeg"] * 3 + ["webp"] * 3 + ["wmv"] * 3
    assert all(0 < float(point["ms_ssim"]) < 1 for point in points)
    names = {path.name for path in out.iterdir()}
    assert names >= {"results.json", "pictures.csv", "rate-psnr.svg", "rate-psnr.png", "cache"}
    assert (out / "report.html").read_text().lstrip().startswith("<!")
    record = json.loads((out / "results.json").read_text())
    assert record["command"].startswith("wmv bench ")
    assert record["weights"]["name"] == "tiny"


def test_bench_as_json_and_quietly(wmv, folder, out):
    arguments = ("bench", folder, "--codecs", "jpeg,webp", "--points", 2, "--metrics", "psnr")
    result = wmv(*arguments, "--json", "--out", out, "--published", "kodak")
    assert result.code == 0
    record = json.loads(result.out)
    assert record["anchor"] == "jpeg"
    assert [(c["codec"], c["metric"]) for c in record["comparisons"]] == [("webp", "psnr")]
    assert "rows" not in record
    full = json.loads((out / "results.json").read_text())
    assert full["points"] == record["points"]
    assert full["published"]["vtm"]["title"]
    wmv(*arguments, "--out", out).failed_with(2, "--force replaces it")
    again = wmv(*arguments, "--out", out, "--force", "--quiet")
    assert (again.code, again.out, again.err) == (0, "", "")


def test_settings_of_a_codec_can_be_named(wmv, folder, out):
    common = ("bench", folder, "--codecs", "jpeg,webp", "--metrics", "psnr", "--out", out)
    result = wmv(*common, "--points", 2, "--settings", "jpeg=20,5,45", "--json")
    assert result.code == 0
    points = [(p["codec"], p["setting"]) for p in json.loads(result.out)["points"]]
    assert points == [
        ("jpeg", "q5"), ("jpeg", "q20"), ("jpeg", "q45"), ("webp", "q1"), ("webp", "q92"),
    ]  # fmt: skip
    common = (*common, "--force")
    wmv(*common, "--settings", "jpeg=21").failed_with(2, "jpeg has no setting 21; there are 5, 10")
    wmv(*common, "--settings", "avif=10").failed_with(2, "settings of avif, which is not among")
    for wrong in ("jpeg", "jpeg=", "jpeg=high"):
        wmv(*common, "--settings", wrong).failed_with(2, f"--settings {wrong}: expected a codec's")


def test_a_codec_asked_for_and_missing_is_a_failure_after_the_rest_is_done(
    wmv, folder, out, monkeypatch
):
    monkeypatch.setenv("PATH", "")
    result = wmv("bench", folder, "--codecs", "jpeg,vtm", "--points", 2, "--out", out)
    result.failed_with(1, "vtm is left out: no EncoderApp on the PATH")
    assert (out / "report.html").exists()


def test_a_codec_that_fails_is_named_and_the_rest_is_done(wmv, folder, out, monkeypatch):
    def fail(self, pixels, setting):
        raise InputError("jpeg: no more ink")

    monkeypatch.setattr(type(JPEG), "encode", fail)
    result = wmv("bench", folder, "--codecs", "jpeg,wmv", "--points", 2, "--out", out)
    assert result.code == 1
    assert [line.partition(": ")[2] for line in result.err.splitlines()] == [
        "jpeg, chelsea.png at q5, q92: jpeg: no more ink",
        "jpeg, coffee.png at q5, q92: jpeg: no more ink",
    ]
    assert "wmv" in result.out
    assert (out / "report.html").exists()


def test_interrupted_it_says_how_to_go_on(wmv, folder, out, monkeypatch):
    def interrupt(self, pixels, setting):
        raise KeyboardInterrupt

    encode = type(JPEG).encode
    arguments = ("bench", folder, "--codecs", "jpeg", "--points", 2, "--out", out)
    monkeypatch.setattr(type(JPEG), "encode", interrupt)
    result = wmv(*arguments)
    assert result.code == 130
    assert "the same command goes on" in result.err
    assert not (out / "results.json").exists()
    monkeypatch.setattr(type(JPEG), "encode", encode)
    assert wmv(*arguments).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("--codecs", "jpeg,gif"),
            2,
            "unknown codec 'gif'; there are wmv, wmv-no-focus, wmv-human, jpeg",
        ),
        (("--metrics", "psnr,ssim"), 2, "unknown metric 'ssim'"),
        (("--metrics", "map"), 2, "need --detector"),
        (("--detector", "{text}"), 1, "not a usable ONNX network"),
        (("--detector", "{none}"), 1, "none.onnx"),
        (("--detector", "{text}", "--metrics", "map"), 2, "map needs --annotations"),
        (("--codecs", "jpeg", "--anchor", "vvc"), 2, "the anchor vvc is not among"),
        (("--checkpoint", "bmshj2018"), 2, "expected bmshj2018=FILE or cheng2020=FILE"),
        (("--checkpoint", "jpeg=a.pth"), 2, "expected bmshj2018=FILE"),
        (("--published", "clic"), 2, "published curves exist for kodak"),
        (("--codecs", "wmv", "--weights", "{none}"), 4, "none.onnx"),
        (("--codecs", "wmv", "--weights", "{none}.safetensors"), 4, "none.onnx.safetensors"),
    ],
)
def test_what_cannot_work_is_one_line(wmv, folder, out, tmp_path, arguments, code, message):
    (tmp_path / "text.onnx").write_text("not a network")
    places = {"text": tmp_path / "text.onnx", "none": tmp_path / "none.onnx"}
    given = [argument.format(**places) for argument in arguments]
    wmv("bench", folder, *given, "--out", out).failed_with(code, message)
    assert not out.exists()


def test_missing_libraries_are_named_before_the_work(wmv, folder, out, monkeypatch):
    from wavenetmv.bench import preparation

    there = preparation.find_spec
    monkeypatch.setattr(
        preparation, "find_spec", lambda name: None if name == "jinja2" else there(name)
    )
    result = wmv("bench", folder, "--codecs", "jpeg", "--out", out)
    result.failed_with(2, "pip install 'wavenetmv[bench]'; missing: jinja2")


def test_annotations_that_are_missing_or_of_other_pictures(wmv, folder, out, tmp_path, monkeypatch):
    from wavenetmv.bench import detectors

    monkeypatch.setattr(detectors, "load_detector", lambda path, threads: None)
    labels = tmp_path / "instances.json"
    arguments = ("bench", folder, "--metrics", "map", "--detector", "x", "--annotations", labels)
    wmv(*arguments, "--out", out).failed_with(1, "No such file")
    labels.write_text('{"images": [], "categories": [], "annotations": []}')
    wmv(*arguments, "--out", out).failed_with(1, "no picture chelsea.png in these annotations")


def test_folders_without_pictures_and_missing_files(wmv, tmp_path, out):
    (tmp_path / "empty").mkdir()
    wmv("bench", tmp_path / "empty", "--out", out).failed_with(1, "no picture files")
    missing = wmv("bench", tmp_path / "a.png", "--codecs", "jpeg", "--out", out)
    missing.failed_with(1, "a.png")


def test_pictures_of_one_name_stay_apart(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / place / "a.png")
    folders = [str(tmp_path / place) for place in ("one", "two", "one")]
    assert find(folders, {".png"}) == {
        "a.png": str(tmp_path / "one" / "a.png"),
        str(tmp_path / "two" / "a.png"): str(tmp_path / "two" / "a.png"),
    }
    with pytest.raises(InputError, match="no picture files"):
        find([str(tmp_path / "one")], {".jpg", ".gif"})
