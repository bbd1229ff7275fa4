"""COCO's mean average precision of detections, and the same over resampled pictures.

pycocotools matches boxes and computes the reported values; the bootstrap reuses its matches,
because running it once per sample would take hours.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from wavenetmv.bench.ground_truth import GroundTruth, to_coco_box
from wavenetmv.errors import UsageFault
from wavenetmv.labels import COCO_LABELS
from wavenetmv.types import Detection

Floats = npt.NDArray[np.float64]

_LIMIT = 100  # detections of one class in a picture, as COCO counts them
_AT_ONCE = 16  # samples of the bootstrap: bounds memory
_AREA = (0.0, 1e10)  # all sizes


@dataclass(frozen=True)
class _Matches:
    """One class: its detections by falling score, matched by COCO's rules.

    picture    [D] index of the picture; hit, counted [10, D] per IoU threshold
    positives  [P] objects of this class in each picture
    """

    picture: npt.NDArray[np.intp]
    hit: npt.NDArray[np.bool_]
    counted: npt.NDArray[np.bool_]
    positives: Floats


@dataclass(frozen=True)
class Evaluation:
    """map: mAP@[.5:.95] and map50: mAP at IoU 0.5, in 0..1; None if no picture has an object."""

    pictures: tuple[str, ...]
    map: float | None
    map50: float | None
    matches: tuple[_Matches, ...]

    def by_clip(self, clips: Sequence[str]) -> Evaluation:
        """The same result, resampled by whole clips: `clips` names that of each picture.

        Frames of a clip are alike, so drawing them one by one would promise too much.
        """
        names = tuple(dict.fromkeys(clips))
        place = np.array([names.index(name) for name in clips], np.intp)
        matches = [
            replace(
                each,
                picture=place[each.picture],
                positives=np.bincount(place, each.positives, len(names)).astype(np.float64),
            )
            for each in self.matches
        ]
        return replace(self, pictures=names, matches=tuple(matches))

    def resampled(self, counts: Floats) -> Floats:
        """mAP@[.5:.95] [B] if each picture occurred `counts` [B, P] times; nan without objects.

        With all counts 1 it is `map`.
        """
        parts = [counts[k : k + _AT_ONCE] for k in range(0, len(counts), _AT_ONCE)]
        return np.concatenate([self._resampled(part) for part in parts])

    def _resampled(self, counts: Floats) -> Floats:
        total, classes = np.zeros(len(counts)), np.zeros(len(counts))
        for matches in self.matches:
            positives = counts @ matches.positives
            present = positives > 0
            total[present] += _average_precision(matches, counts[present], positives[present])
            classes += present
        with np.errstate(invalid="ignore"):
            return np.asarray(total / classes)


def evaluate(truth: GroundTruth, detections: Mapping[str, Sequence[Detection]]) -> Evaluation:
    """Detections (scores down to about 0.01) by picture name against the truth.

    Only the pictures of `detections` count; each must be in the truth.
    """
    names = tuple(detections)
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports what it does
        run = _cocoeval(truth, detections)
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"]  # [IoU, recall, class, area, limit], -1 without objects
    found = precision[precision > -1]
    found50 = precision[0][precision[0] > -1]
    return Evaluation(
        names,
        float(found.mean()) if found.size else None,
        float(found50.mean()) if found50.size else None,
        tuple(_matches(run, len(names))),
    )


def _cocoeval(truth: GroundTruth, detections: Mapping[str, Sequence[Detection]]) -> Any:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise UsageFault("mAP needs a library: pip install pycocotools") from error
    objects, found = [], []
    for image, name in enumerate(detections):
        for class_id, box, crowd in truth.objects[name]:
            objects.append(_annotation(image, class_id, box) | {"iscrowd": int(crowd)})
        for each in detections[name]:
            found.append(
                _annotation(image, each.class_id, to_coco_box(each)) | {"score": each.score}
            )
    sides = []
    for entries in (objects, found):
        side = COCO()
        side.dataset = {
            "images": [{"id": image} for image in range(len(detections))],
            "categories": [{"id": class_id} for class_id in range(len(COCO_LABELS))],
            # COCOeval takes id 0 for "not matched".
            "annotations": [{"id": k + 1, **entry} for k, entry in enumerate(entries)],
        }
        side.createIndex()
        sides.append(side)
    run = COCOeval(*sides, "bbox")
    run.params.areaRng, run.params.areaRngLbl = [list(_AREA)], ["all"]
    run.params.maxDets = [_LIMIT]
    run.params.catIds = sorted({entry["category_id"] for entry in objects})
    return run


def _annotation(image: int, class_id: int, box: tuple[float, ...]) -> dict[str, Any]:
    area = box[2] * box[3]
    return {
        "image_id": image, "category_id": class_id, "bbox": list(box), "area": area, "iscrowd": 0,
    }  # fmt: skip


def _matches(run: Any, pictures: int) -> list[_Matches]:
    """COCOeval's per-picture results, joined per class as its `accumulate` does."""
    classes = []
    for start in range(0, len(run.evalImgs), pictures):
        results = [each for each in run.evalImgs[start : start + pictures] if each is not None]
        positives = np.zeros(pictures)
        for each in results:
            positives[each["image_id"]] = np.count_nonzero(each["gtIgnore"] == 0)
        if not positives.any():
            continue
        scores = np.concatenate([each["dtScores"] for each in results])
        order = np.argsort(-scores, kind="mergesort")
        sizes = [len(each["dtScores"]) for each in results]
        picture = np.repeat([each["image_id"] for each in results], sizes).astype(np.intp)
        matched = np.concatenate([each["dtMatches"] for each in results], axis=1) > 0
        counted = np.concatenate([each["dtIgnore"] for each in results], axis=1) == 0
        classes.append(_Matches(picture[order], matched[:, order], counted[:, order], positives))
    return classes


def _average_precision(matches: _Matches, counts: Floats, positives: Floats) -> Floats:
    """[B]: interpolated at COCO's 101 recalls, mean over the IoU thresholds."""
    if not len(matches.picture):
        return np.zeros(len(counts))
    weights = counts[:, None, matches.picture]  # [B, 1, D]
    hits = np.cumsum(weights * (matches.hit & matches.counted), axis=2)  # [B, 10, D]
    taken = np.cumsum(weights * matches.counted, axis=2)
    precision = hits / (taken + np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, :, ::-1], axis=2)[:, :, ::-1]
    levels = np.linspace(0, 1, 101)
    # How many recall levels each detection is the first to reach.
    reached = np.searchsorted(levels, hits / positives[:, None, None], side="right")
    new = np.diff(reached, axis=2, prepend=0)
    return np.asarray((envelope * new).sum(2).mean(1) / len(levels))
