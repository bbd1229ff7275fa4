"""mAP against values that are clear by hand, and our resampled form against pycocotools'."""

from __future__ import annotations

import json

import numpy as np
import pytest

from wavenetmv.bench.detection_metrics import evaluate
from wavenetmv.bench.ground_truth import GroundTruth
from wavenetmv.errors import InputError
from wavenetmv.labels import COCO_LABELS
from wavenetmv.types import Detection

pytest.importorskip("pycocotools", reason="pycocotools is not installed")


def found(class_id, score, box):
    return Detection(class_id, COCO_LABELS[class_id], score, box)


def scene(seed, pictures=12):
    """Objects, and detections that are often a little or entirely beside them."""
    rng = np.random.default_rng(seed)
    truth, detections = {}, {}
    for number in range(pictures):
        corners = rng.uniform(0, 200, (rng.integers(0, 6), 2))
        sizes = rng.uniform(20, 80, corners.shape)
        classes = rng.integers(0, 3, len(corners))
        crowd = rng.random(len(corners)) < 0.1
        boxes = np.concatenate([corners, sizes], 1)
        name = f"{number}.png"
        truth[name] = [
            (int(c), tuple(map(float, box)), bool(k))
            for c, box, k in zip(classes, boxes, crowd, strict=True)
        ]
        # Scores of two decimals, so that some are equal.
        detections[name] = [
            found(int(c), round(float(rng.random()), 2), (x, y, x + w, y + h))
            for c, box in zip(classes.repeat(2), boxes.repeat(2, 0), strict=True)
            for x, y, w, h in [box + rng.normal(0, 6, 4)]
        ]
    return GroundTruth(truth), detections


def test_perfect_predictions_have_map_one_and_none_have_zero():
    truth, _ = scene(0)
    perfect = {
        name: [
            found(c, 0.9, (x, y, x + w, y + h)) for c, (x, y, w, h), crowd in objects if not crowd
        ]
        for name, objects in truth.objects.items()
    }
    nothing = {name: [] for name in perfect}
    assert (evaluate(truth, perfect).map, evaluate(truth, perfect).map50) == (1, 1)
    assert (evaluate(truth, nothing).map, evaluate(truth, nothing).map50) == (0, 0)
    wrong = {n: [found(79, d.score, d.box) for d in each] for n, each in perfect.items()}
    assert evaluate(truth, wrong).map == 0


def test_map_by_hand():
    """One object found with IoU 0.8 behind a false alarm: precision 1/2 up to threshold 0.8."""
    truth = GroundTruth({"a": [(0, (0.0, 0.0, 10.0, 10.0), False)]})
    boxes = {"a": [found(0, 0.9, (50, 50, 60, 60)), found(0, 0.5, (0, 0, 10, 8))]}
    result = evaluate(truth, boxes)
    assert result.map50 == pytest.approx(0.5)
    assert result.map == pytest.approx(0.5 * 7 / 10)  # 0.5, 0.55, ..., 0.8


def test_pictures_without_any_object_have_no_map():
    truth = GroundTruth({"a": []})
    result = evaluate(truth, {"a": [found(0, 0.9, (0, 0, 5, 5))]})
    assert (result.map, result.map50) == (None, None)
    assert np.isnan(result.resampled(np.ones((2, 1)))).all()


@pytest.mark.parametrize("seed", range(4))
def test_resampled_map_is_that_of_pycocotools(seed):
    truth, detections = scene(seed)
    result = evaluate(truth, detections)
    assert 0.05 < result.map < 0.95
    assert result.resampled(np.ones((1, 12)))[0] == pytest.approx(result.map, abs=1e-12)
    chosen = np.random.default_rng(seed).choice(12, 5, replace=False)
    counts = np.zeros((1, 12))
    counts[0, chosen] = 1
    some = evaluate(truth, {f"{k}.png": detections[f"{k}.png"] for k in sorted(chosen)})
    assert result.resampled(counts)[0] == pytest.approx(some.map, abs=1e-12)


def test_a_picture_that_counts_twice_is_two_pictures():
    truth, detections = scene(9, pictures=3)
    # Equal scores are ranked by picture, so repeated ones must not tie.
    detections = {
        name: [found(d.class_id, 0.9 - 0.01 * k - 0.2 * p, d.box) for k, d in enumerate(each)]
        for p, (name, each) in enumerate(detections.items())
    }
    twice = GroundTruth({**truth.objects, "again": truth.objects["0.png"]})
    expected = evaluate(twice, {**detections, "again": detections["0.png"]}).map
    counted = evaluate(truth, detections).resampled(np.array([[2.0, 1, 1]]))[0]
    # Both copies of a detection are ranked as one step here, one after the other there.
    assert counted == pytest.approx(expected, abs=0.02)


def test_agreement_takes_confident_detections_as_truth():
    _, detections = scene(1)
    truth = GroundTruth.from_detections(detections)
    confident = {name: [d for d in each if d.score >= 0.3] for name, each in detections.items()}
    assert len(truth) == sum(map(len, confident.values()))
    assert evaluate(truth, confident).map == 1
    assert evaluate(truth, detections).map == pytest.approx(1)
    assert evaluate(truth, {n: each[:1] for n, each in confident.items()}).map < 1


def annotations(**changes):
    record = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 80}],
        "categories": [{"id": 3, "name": "car"}, {"id": 400, "name": "a class of its own"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 30, 40], "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [5, 5, 9, 9], "iscrowd": 1},
            {"id": 3, "image_id": 7, "category_id": 400, "bbox": [5, 5, 9, 9], "iscrowd": 0},
            {"id": 4, "image_id": 8, "category_id": 3, "bbox": [5, 5, 9, 9], "iscrowd": 0},
        ],
    }
    return json.dumps(record | changes)


def test_annotations_are_read_by_names(tmp_path):
    path = tmp_path / "instances.json"
    path.write_text(annotations())
    truth = GroundTruth.from_annotations(path, ["some/folder/a.jpg"])
    car = COCO_LABELS.index("car")
    assert truth.objects == {
        "some/folder/a.jpg": [(car, (1, 2, 30, 40), False), (car, (5, 5, 9, 9), True)]
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", "not COCO annotations"),
        ("[]", "not COCO annotations"),
        (annotations(images=[]), "no picture a.jpg in these annotations"),
        (annotations(categories=[{"id": 3, "name": "cell"}]), "none of its categories"),
        (annotations(annotations=[{"image_id": 7, "category_id": 3, "bbox": [1]}]), "not COCO"),
        (None, "No such file"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "instances.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        GroundTruth.from_annotations(path, ["a.jpg"])
    assert "\n" not in str(caught.value)
