from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from torch import nn

from tests.heads import save_cat_head, save_coffee_head, save_for
from tests.vectors.regenerate import VECTORS
from wavenetmv import api
from wavenetmv.models.adapters import Adapter
from wavenetmv.models.heads import HEADS, Head
from wavenetmv.models.registry import SEARCH_VARIABLE
from wavenetmv.types import Classification

TINY = next(VECTORS.glob("tiny-*.safetensors"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("heads")
    save_cat_head(path, TINY)
    save_coffee_head(path, TINY)
    return path


@pytest.fixture(autouse=True)
def _heads(folder, monkeypatch):
    monkeypatch.setenv(SEARCH_VARIABLE, f"{VECTORS}:{folder}")
    monkeypatch.setattr(api, "_analyzers", {})


def detections(result):
    (line,) = result.out.splitlines()
    (frame,) = json.loads(line)["frames"]
    assert (frame["index"], frame["time"]) == (0, 0.0)
    return frame["detections"]


def test_a_table_for_people(wmv, stream):
    result = wmv("analyze", stream, "--threshold", "0.3")
    assert result.code == 0
    head, columns, first, *_ = result.out.splitlines()
    assert head.startswith(f"{stream}: ")
    assert columns.split() == ["object", "score", "x1", "y1", "x2", "y2"]
    assert first.split()[0] in ("cat", "dog")
    assert wmv("analyze", stream, "--threshold", "1").out.startswith(f"{stream}: 0 objects, ")
    assert wmv("analyze", stream, "--quiet").out == ""


def test_json_for_programs(wmv, stream):
    found = detections(wmv("analyze", stream, "--threshold", "0.3", "--json"))
    assert {each["label"] for each in found} == {"cat", "dog"}
    for each in found:
        assert set(each) == {"label", "class_id", "score", "box"}
        x1, y1, x2, y2 = each["box"]
        assert 0 <= x1 <= x2 <= 96
        assert 0 <= y1 <= y2 <= 80
    data = stream.read_bytes()
    piped = detections(wmv("analyze", "-", "--threshold", "0.3", "--json", stdin=data))
    assert piped == found


def test_only_some_classes(wmv, stream):
    found = detections(wmv("analyze", stream, "--threshold", "0.3", "--json", "--classes", "Dog"))
    assert {each["label"] for each in found} == {"dog"}
    wmv("analyze", stream, "--classes", "dog,unicorn").failed_with(2, "unknown labels unicorn")


def test_classes_for_people_and_programs(wmv, stream):
    result = wmv("analyze", stream, "--task", "classify")
    assert result.code == 0
    head, columns, first, second = result.out.splitlines()
    assert head.startswith(f"{stream}: 2 classes, ")
    assert columns.split() == ["class", "score"]
    assert first.split()[0] == "espresso"
    assert second.split()[:2] == ["Egyptian", "cat"]
    (line,) = wmv("analyze", stream, "--task", "classify", "--json").out.splitlines()
    record = json.loads(line)
    (frame,) = record["frames"]
    assert record["file"] == str(stream)
    assert (frame["index"], frame["time"]) == (0, 0.0)
    assert frame["classes"] == [
        {"label": label, "class_id": class_id, "score": pytest.approx(score, abs=0.01)}
        for label, class_id, score in (("espresso", 967, 0.593), ("Egyptian cat", 285, 0.218))
    ]


def test_only_some_classes_of_imagenet(wmv, stream):
    def classify(*arguments):
        return wmv("analyze", stream, "--task", "classify", *arguments)

    result = classify("--classes", "egyptian cat,tabby", "--threshold", "0", "--json")
    (frame,) = json.loads(result.out)["frames"]
    assert [each["label"] for each in frame["classes"]] == ["Egyptian cat"]
    classify("--classes", "expresso").failed_with(2, "unknown labels expresso; near ones are esp")
    classify("--classes", "zzz").failed_with(2, "unknown labels zzz; there are tench, goldfish")
    assert classify("--threshold", "1").out.startswith(f"{stream}: 0 classes, ")


@pytest.mark.parametrize(
    ("option", "value"), [("-o", "a.png"), ("--coco-json", "a.json"), ("--pixels", "a.onnx")]
)
def test_boxes_are_of_objects_only(wmv, stream, tmp_path, option, value):
    result = wmv("analyze", stream, "--task", "classify", option, tmp_path / value)
    result.failed_with(2, "only objects have boxes")
    assert not (tmp_path / value).exists()


def test_coco_results(wmv, stream, tmp_path):
    numbered = stream.with_name("000000000139.wmv")
    stream.rename(numbered)
    out = tmp_path / "results.json"
    found = detections(wmv("analyze", numbered, "--json", "--coco-json", out))
    results = json.loads(out.read_text())
    assert len(results) == len(found)
    assert {each["image_id"] for each in results} == {139}
    assert {each["category_id"] for each in results} <= {17, 18}
    x1, y1, x2, y2 = found[0]["box"]
    assert results[0]["bbox"] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=0.2)
    wmv("analyze", numbered, "--coco-json", out).failed_with(2, "--force")


def test_overlay(wmv, stream, tmp_path):
    wmv("decode", stream, "-o", tmp_path / "plain.png")
    target = tmp_path / "boxes.png"
    assert wmv("analyze", stream, "-o", target, "--threshold", "0.3").code == 0
    with Image.open(tmp_path / "plain.png") as plain, Image.open(target) as drawn:
        assert drawn.size == plain.size
        assert (np.asarray(drawn) != np.asarray(plain)).any()
    wmv("analyze", stream, "-o", target).failed_with(2, "--force")


def test_every_input_is_tried(wmv, stream, tmp_path):
    broken = tmp_path / "a broken.wmv"
    broken.write_bytes(stream.read_bytes()[:-9])
    result = wmv("analyze", broken, stream, "--json")
    assert result.code == 3
    first, second = (json.loads(line) for line in result.out.splitlines())
    assert first["exit_code"] == 3
    assert second["frames"]
    wmv("analyze", tmp_path / "none.wmv").failed_with(1, "No such file")


def test_wrong_usage(wmv, stream, monkeypatch):
    wmv("analyze", stream, "--task", "smell").failed_with(2, "there are detect")
    monkeypatch.setenv(SEARCH_VARIABLE, str(VECTORS))
    monkeypatch.setattr(api, "_analyzers", {})
    wmv("analyze", stream).failed_with(4, "no head 'detect'")


class BrightnessHead(Head):
    """A third head: nothing but this class and its entry in HEADS knows of it."""

    task = "brightness"
    labels = ("dark", "bright")
    threshold = 0.0
    results = "impressions"
    noun = "impression"

    def __init__(self, M: int) -> None:
        super().__init__()
        self.adapter = Adapter(M)
        self.tail = nn.Linear(M, 2)

    def config(self):
        return {"M": self.tail.in_features}

    def forward(self, y_hat, size):
        return self.tail(self.adapter.entered(y_hat).mean((2, 3)))

    def read(self, raw, latent_size, size, threshold):
        scores, order = raw[0].softmax(0).sort(descending=True)
        pairs = zip(order.tolist(), scores.tolist(), strict=True)
        return [
            Classification(k, self.labels[k], score) for k, score in pairs if score >= threshold
        ]


def test_a_third_head_is_one_class(wmv, stream, folder, monkeypatch):
    monkeypatch.setitem(HEADS, "brightness", BrightnessHead)
    save_for(TINY, BrightnessHead(16), folder)
    result = wmv("analyze", stream, "--task", "brightness")
    assert result.out.startswith(f"{stream}: 2 impressions, ")
    result = wmv("analyze", stream, "--task", "brightness", "--classes", "bright", "--json")
    (found,) = json.loads(result.out)["frames"][0]["impressions"]
    assert (found["label"], found["class_id"]) == ("bright", 1)
    assert 0 < found["score"] < 1
