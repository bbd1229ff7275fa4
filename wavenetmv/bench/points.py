"""From rows to the points of each codec's curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wavenetmv.bench.detection_files import read_detections, read_frame_detections
from wavenetmv.bench.detection_metrics import Evaluation, evaluate
from wavenetmv.bench.ground_truth import GroundTruth
from wavenetmv.bench.results import CLASSIFICATION, DETECTION, DecodingPath, Point, Row
from wavenetmv.metrics import decibels
from wavenetmv.types import Detection

PATHS: tuple[DecodingPath, ...] = ("pixels", "latents")
_TIMES = ("encode_s", "decode_s")


@dataclass(frozen=True)
class Task:
    """Detection judged against one ground truth.

    measures   names of mAP@[.5:.95], of mAP50 and of their ratio to the originals' ("" none)
    baseline   mAP@[.5:.95] and mAP50 on the original pictures
    """

    measures: tuple[str, str, str]
    truth: GroundTruth
    baseline: tuple[float | None, float | None]


# By codec, decoding path and setting, then by the name of the task's first measure.
Evaluations = Mapping[tuple[str, DecodingPath, str], Mapping[str, Evaluation]]


def complete_rows(rows: Sequence[Row], codec: str) -> list[list[Row]]:
    """Rows of one codec, a list per setting, each of the same pictures in the same order.

    A picture that failed at some setting is left out of all, so that the points of a curve
    are means of the same pictures; a setting at which every picture failed is left out first.
    """
    own = [row for row in rows if row.codec == codec]
    by_setting = {row.setting: [r for r in own if r.setting == row.setting] for row in own}
    groups = [group for group in by_setting.values() if any(not row.error for row in group)]
    failed = {row.picture for group in groups for row in group if row.error}
    kept = [[row for row in group if row.picture not in failed] for group in groups]
    return [sorted(group, key=lambda row: row.picture) for group in kept if group]


def evaluate_all(
    groups: Sequence[Sequence[Row]], tasks: Sequence[Task], folder: Path
) -> dict[tuple[str, DecodingPath, str], dict[str, Evaluation]]:
    """Every task on every group (one codec at one setting) that has detections.

    folder  that the rows' file names are relative to
    """
    found: dict[tuple[str, DecodingPath, str], dict[str, Evaluation]] = {}
    for group in groups:
        for path in PATHS:
            if tasks and all(_detections_file(row, path) for row in group):
                found[group[0].codec, path, group[0].setting] = {
                    task.measures[0]: _evaluate(task, group, folder, path) for task in tasks
                }
    return found


def _evaluate(task: Task, group: Sequence[Row], folder: Path, path: DecodingPath) -> Evaluation:
    seen = [detections_of(row, folder, path) for row in group]
    done = evaluate(task.truth, {name: found for each in seen for name, found in each.items()})
    clips = [row.picture for row, each in zip(group, seen, strict=True) for _ in each]
    return done.by_clip(clips) if group[0].frames else done


def detections_of(
    row: Row, folder: Path, path: DecodingPath = "pixels"
) -> dict[str, list[Detection]]:
    """What was found, by the name of the picture, or of each frame; empty where nobody looked."""
    file = _detections_file(row, path)
    if file is None:
        return {}
    if row.frames is None:
        return {row.picture: read_detections(folder / file)}
    frames = read_frame_detections(folder / file)
    return {f"{row.picture} {number}": found for number, found in enumerate(frames)}


def _detections_file(row: Row, path: DecodingPath) -> str | None:
    return row.detections_file if path == "pixels" else row.latents_file


def make_points(
    groups: Sequence[Sequence[Row]], tasks: Sequence[Task], evaluations: Evaluations
) -> list[Point]:
    """One point per group, and one by latents where a head read the streams."""
    points = []
    for group in groups:
        for path in PATHS:
            done = evaluations.get((group[0].codec, path, group[0].setting), {})
            found = {DETECTION: _measures(tasks, done), CLASSIFICATION: _agreement(group, path)}
            measured = {task: measures for task, measures in found.items() if measures}
            if path == "pixels" or measured:
                points.append(_point(group, path, measured))
    return points


def _agreement(group: Sequence[Row], path: DecodingPath) -> dict[str, float | None]:
    """How often the best class is that of the original; empty where nobody looked."""
    same = _mean([row.top1 if path == "pixels" else row.latents_top1 for row in group])
    return {} if same is None else {"top1": same}


def _point(
    group: Sequence[Row], path: DecodingPath, tasks: Mapping[str, Mapping[str, float | None]]
) -> Point:
    bpp = _mean([row.bpp for row in group])
    assert bpp is not None
    first = group[0]
    if path == "latents":
        return Point(
            first.codec, first.setting, bpp, path=path, pictures=len(group), tasks=tasks,
            decode_s=_mean([row.latents_s for row in group]),
        )  # fmt: skip
    similarity = _mean([row.ms_ssim for row in group])
    encode_s, decode_s = (_mean([getattr(row, n) for row in group]) for n in _TIMES)
    clips = first.frames is not None
    return Point(
        first.codec, first.setting, bpp,
        psnr=_mean([row.psnr for row in group]),
        ms_ssim=similarity,
        ms_ssim_db=None if similarity is None else decibels(similarity),
        encode_s=encode_s, decode_s=decode_s, pictures=len(group), tasks=tasks,
        vmaf=_mean([row.vmaf for row in group]),
        encode_fps=1 / encode_s if clips and encode_s else None,
        decode_fps=1 / decode_s if clips and decode_s else None,
    )  # fmt: skip


def _measures(tasks: Sequence[Task], done: Mapping[str, Evaluation]) -> dict[str, float | None]:
    measures: dict[str, float | None] = {}
    for task in tasks:
        if (evaluation := done.get(task.measures[0])) is None:
            continue
        whole, half, relative = task.measures
        measures |= {whole: evaluation.map, half: evaluation.map50}
        if relative:
            measures[relative] = _ratio(evaluation.map, task.baseline[0])
    return measures


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None


def _mean(values: Sequence[float | None]) -> float | None:
    """Of those that are there: MS-SSIM has none for small pictures."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None
