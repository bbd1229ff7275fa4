"""What a detector should find: annotated objects, or what it finds on the original pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from wavenetmv.errors import InputError
from wavenetmv.labels import COCO_LABELS
from wavenetmv.types import Detection

PSEUDO_TRUTH_SCORE = 0.3  # detections on the original that count as objects for agreement

Box = tuple[float, float, float, float]  # x, y, width, height in pixels
Object = tuple[int, Box, bool]  # class 0..79, box, whether it is a crowd


@dataclass(frozen=True)
class GroundTruth:
    """Objects by picture name."""

    objects: Mapping[str, Sequence[Object]]

    @staticmethod
    def from_annotations(path: Path, names: Sequence[str]) -> GroundTruth:
        """COCO's instances.json; its categories are matched by name, pictures by file name.

        Raises InputError when the file is none of that kind or lacks one of the pictures.
        """
        try:
            return GroundTruth(_read_annotations(path, names))
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not COCO annotations ({error!r})") from error

    @staticmethod
    def from_detections(
        detections: Mapping[str, Sequence[Detection]], score: float = PSEUDO_TRUTH_SCORE
    ) -> GroundTruth:
        """Pseudo ground truth: the detections with at least this score."""
        return GroundTruth(
            {
                name: [(d.class_id, to_coco_box(d), False) for d in found if d.score >= score]
                for name, found in detections.items()
            }
        )

    def __len__(self) -> int:
        return sum(len(objects) for objects in self.objects.values())


def _read_annotations(path: Path, names: Sequence[str]) -> dict[str, list[Object]]:
    record = json.loads(path.read_text(encoding="utf-8"))
    classes = {
        category["id"]: COCO_LABELS.index(category["name"])
        for category in record["categories"]
        if category["name"] in COCO_LABELS
    }
    ids = {PurePath(image["file_name"]).name: image["id"] for image in record["images"]}
    for name in names:
        if PurePath(name).name not in ids:
            raise InputError(f"{path}: no picture {name} in these annotations")
    if not classes:
        raise InputError(f"{path}: none of its categories is one of COCO's 80 classes")
    by_id: dict[int, list[Any]] = {ids[PurePath(name).name]: [] for name in names}
    for entry in record["annotations"]:
        if entry["image_id"] in by_id and entry["category_id"] in classes:
            x, y, width, height = map(float, entry["bbox"])
            crowd = bool(entry.get("iscrowd", 0))
            by_id[entry["image_id"]].append(
                (classes[entry["category_id"]], (x, y, width, height), crowd)
            )
    return {name: by_id[ids[PurePath(name).name]] for name in names}


def to_coco_box(detection: Detection) -> Box:
    """x, y, width, height."""
    left, top, right, bottom = detection.box
    return left, top, right - left, bottom - top
