"""The whole benchmark: pictures or clips x codecs x settings to `Results`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from itertools import chain

from wavenetmv.bench import environment
from wavenetmv.bench.cache import file_hash
from wavenetmv.bench.comparisons import compare_all
from wavenetmv.bench.detection_metrics import evaluate
from wavenetmv.bench.ground_truth import PSEUDO_TRUTH_SCORE, GroundTruth
from wavenetmv.bench.jobs import Job
from wavenetmv.bench.points import (
    Task,
    complete_rows,
    detections_of,
    evaluate_all,
    make_points,
)
from wavenetmv.bench.preparation import ORIGINAL, Prepared
from wavenetmv.bench.published import published_kodak
from wavenetmv.bench.request import METRICS
from wavenetmv.bench.results import PictureInfo, Results, Row, Weights
from wavenetmv.bench.showing import choose_shown, with_decoded
from wavenetmv.bench.workers import run_jobs


def run(prepared: Prepared, begins: Callable[[Job], None]) -> Results:
    """Do the work; `begins` is called before each of `prepared.jobs`.

    Interrupted, it raises KeyboardInterrupt and what was done is in the cache.
    """
    request = prepared.request
    found = list(run_jobs(prepared.plan, prepared.jobs, request.jobs, begins))
    originals = {row.picture: row for row in found if row.codec == ORIGINAL}
    shown = choose_shown([source.name for source in prepared.sources])
    rows = [_with_original(row, originals) for row in _in_order(prepared, found)]
    rows = with_decoded(rows, shown, prepared.codecs, request.out)
    tasks, notes = _tasks(prepared, originals)
    groups = {name: complete_rows(rows, name) for name in prepared.codecs}
    every = [group for own in groups.values() for group in own]
    evaluations = evaluate_all(every, tasks, request.out)
    metrics = [METRICS[name] for name in METRICS if name in request.metrics]
    anchors = (prepared.anchor, *prepared.further)
    comparisons, *further = compare_all(groups, evaluations, anchors, metrics)
    return replace(
        _circumstances(prepared),
        baseline=_baseline(tasks),
        pictures=tuple(_picture(prepared, originals, shown)),
        rows=tuple(rows),
        points=tuple(make_points(every, tasks, evaluations)),
        comparisons=tuple(comparisons),
        further=tuple(chain.from_iterable(further)),
        failures=tuple(_failures(prepared, [*originals.values(), *rows])),
        notes=(*prepared.notes, *notes, *_cautions(prepared, rows)),
    )


def _in_order(prepared: Prepared, found: Sequence[Row]) -> list[Row]:
    """Rows of codecs in the order of the jobs, picture by picture within a setting."""
    jobs = [(job.codec, job.setting.label) for job in prepared.jobs]
    place = {key: number for number, key in enumerate(dict.fromkeys(jobs))}
    coded = [row for row in found if row.codec != ORIGINAL]
    return sorted(coded, key=lambda row: (place[row.codec, row.setting], row.picture))


def _with_original(row: Row, originals: Mapping[str, Row]) -> Row:
    """With what networks see in the original, which a picture's results are held against."""
    original = originals.get(row.picture)
    if original is None or row.error:
        return row
    if original.error:
        blank = Row(row.codec, row.setting, row.picture, row.width, row.height, frames=row.frames)
        return replace(blank, error=f"a network failed on the original: {original.error}")
    return replace(
        row,
        top1=_same(row.label, original.label),
        latents_top1=_same(row.latents_label, original.label),
    )


def _same(label: int | None, wanted: int | None) -> bool | None:
    """None where nobody looked."""
    return None if label is None or wanted is None else label == wanted


def _tasks(prepared: Prepared, originals: Mapping[str, Row]) -> tuple[list[Task], list[str]]:
    """What detections are judged against, and notes."""
    folder, metrics = prepared.request.out, prepared.request.metrics
    detections = {
        name: found
        for row in originals.values()
        for name, found in detections_of(row, folder).items()
    }
    tasks, notes = [], []
    if prepared.annotations is not None and detections:
        base = evaluate(prepared.annotations, detections)
        names = ("map", "map50", "relative_map")
        tasks.append(Task(names, prepared.annotations, (base.map, base.map50)))
    if "agreement" in metrics and detections:
        truth = GroundTruth.from_detections(detections)
        tasks.append(Task(("agreement", "agreement50", ""), truth, (None, None)))
        if not len(truth):
            limit = f"a score of {PSEUDO_TRUTH_SCORE:g} or more"
            notes.append(f"no agreement: the detector finds nothing with {limit} on the originals")
    return tasks, notes


def _baseline(tasks: Sequence[Task]) -> dict[str, float]:
    named = [pair for task in tasks for pair in zip(task.measures, task.baseline, strict=False)]
    return {name: value for name, value in named if value is not None}


def _circumstances(prepared: Prepared) -> Results:
    """When, where and how."""
    request = prepared.request
    detector = annotations = classifier = ""
    if prepared.plan.detector:
        from wavenetmv.bench.detectors import detector_hash

        path = prepared.plan.detector
        detector = f"{path.name} {detector_hash(path)[:16]}"
    if network := prepared.plan.classifier:
        classifier = f"{network.name} {file_hash(network)[:16]}"
    if prepared.annotations is not None and request.annotations:
        annotations = f"{request.annotations.name} {file_hash(request.annotations)[:16]}"
    return Results(
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=request.command,
        jobs=request.jobs,
        anchor=prepared.anchor,
        machine=environment.machine(),
        versions=environment.versions(list(prepared.codecs)),
        titles={name: codec.title for name, codec in prepared.codecs.items()},
        settings={name: codec.describe() for name, codec in prepared.codecs.items()},
        weights=_weights(prepared),
        detector=detector,
        annotations=annotations,
        classifier=classifier,
        published=published_kodak() if request.published else {},
    )


def _weights(prepared: Prepared) -> Weights | None:
    from wavenetmv.bench.codecs.wmv import WmvCodec

    own = [codec for codec in prepared.codecs.values() if isinstance(codec, WmvCodec)]
    return Weights(own[0].weights.name, own[0].weights.sha256) if own else None


def _picture(
    prepared: Prepared, originals: Mapping[str, Row], shown: Sequence[str]
) -> list[PictureInfo]:
    files = {name: row.detections_file for name, row in originals.items()}
    return [
        PictureInfo(s.name, s.width, s.height, s.name in shown, files.get(s.name), s.frames)
        for s in prepared.sources
    ]


def _failures(prepared: Prepared, rows: Sequence[Row]) -> list[str]:
    """What was left out from the start, then a line per picture that a codec failed on."""
    lines = prepared.left_out
    failed: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row.error:
            failed.setdefault((row.codec, row.picture, row.error), []).append(row.setting)
    for (codec, picture, error), settings in failed.items():
        where = f" at {', '.join(settings)}" if any(settings) else ""
        lines.append(f"{codec or 'original'}, {picture}{where}: {error}")
    return lines


def _cautions(prepared: Prepared, rows: Sequence[Row]) -> list[str]:
    """What a reader of the numbers should know."""
    notes = []
    if prepared.request.jobs > 1:
        notes.append(f"times were taken while {prepared.request.jobs} jobs ran side by side")
    small = {row.picture for row in rows if not row.error and row.ms_ssim is None}
    if prepared.plan.ms_ssim and small:
        kind = "clips" if prepared.request.video else "pictures"
        notes.append(f"MS-SSIM leaves out {len(small)} {kind} with a side under 161 pixels")
    return notes
