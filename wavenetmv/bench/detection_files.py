"""What a detector found, as JSON files: a list of objects, or of a clip a list per frame."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wavenetmv.types import Detection


def detections_json(detections: Sequence[Detection]) -> str:
    return json.dumps([asdict(found) for found in detections])


def write_detections(path: Path, detections: Sequence[Detection]) -> None:
    path.write_text(detections_json(detections), encoding="utf-8")


def read_detections(path: Path) -> list[Detection]:
    """What `write_detections` wrote: scores down to 0.01, boxes x1, y1, x2, y2 in pixels."""
    return _detections(json.loads(path.read_text(encoding="utf-8")))


def frame_detections_json(frames: Sequence[Sequence[Detection]]) -> str:
    return json.dumps([[asdict(found) for found in frame] for frame in frames])


def read_frame_detections(path: Path) -> list[list[Detection]]:
    """The same of a clip, a list per frame."""
    return [_detections(frame) for frame in json.loads(path.read_text(encoding="utf-8"))]


def _detections(entries: Sequence[Mapping[str, Any]]) -> list[Detection]:
    return [
        Detection(entry["class_id"], entry["label"], entry["score"], tuple(entry["box"]))
        for entry in entries
    ]
