"""What `wmv analyze` found, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path, PurePath
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer

from wavenetmv.cli import render
from wavenetmv.cli.items import STDIO
from wavenetmv.errors import WmvError

if TYPE_CHECKING:
    from wavenetmv.models.heads import Head
    from wavenetmv.types import Detection, Finding
    from wavenetmv.video_analysis import AnalyzedFrame, ClassSummary


def as_record(
    source: str, head: type[Head], found: Sequence[Finding], seconds: float
) -> dict[str, Any]:
    """The JSON of one file: a picture is one frame at time 0."""
    frame = {"index": 0, "time": 0.0, head.results: [_as_json(each) for each in found]}
    return {"file": source, "frames": [frame], "seconds": round(seconds, 4)}


def frame_record(head: type[Head], frame: AnalyzedFrame, tracks: bool) -> dict[str, Any]:
    """The JSON of a video's frame; `tracks`: objects have numbers."""
    found = [_as_json(each, tracks) for each in frame.found]
    return {"index": frame.index, "time": round(float(frame.time_s), 6), head.results: found}


def summary_record(
    classes: Sequence[ClassSummary], boxes: bool, tracks: bool
) -> list[dict[str, Any]]:
    """The JSON of what a video shows in all; `boxes`: there are objects to be counted."""
    return [
        {
            "label": each.label,
            "class_id": each.class_id,
            **({"tracks": each.tracks} if tracks else {}),
            **({"most_at_once": each.most_at_once} if boxes else {}),
            "frames": each.frames,
            "first": round(float(each.first_s), 6),
            "last": round(float(each.last_s), 6),
        }
        for each in classes
    ]


def _as_json(found: Finding, tracks: bool = False) -> dict[str, Any]:
    record = {"label": found.label, **asdict(found), "score": round(found.score, 4)}
    if "box" in record:
        record["box"] = [round(value, 1) for value in record["box"]]
    if not tracks:
        record.pop("track", None)
    return record


class AnalysisReporter:
    """A table of results for each file, or one JSON object a line.

    lines  a line of JSON for each frame, not for each file
    """

    def __init__(self, head: type[Head], as_json: bool, quiet: bool, lines: bool = False) -> None:
        self._head, self._quiet, self._lines = head, quiet, lines
        self.as_json = as_json or lines

    def in_lines(self, source: str) -> bool:
        """Whether frames of the video `source` are told one by one, as they come."""
        return self._lines or (self.as_json and source == STDIO)

    def frame(self, source: str, record: dict[str, Any]) -> None:
        """A frame, told at once."""
        typer.echo(json.dumps({"file": source, **record}))

    def done(self, record: dict[str, Any]) -> None:
        is_video = "summary" in record
        if self._lines or (is_video and self.in_lines(record["file"])):
            for frame in record["frames"]:
                self.frame(record["file"], frame)
            self._notes(record, on_stderr=True)
        elif self.as_json:
            typer.echo(json.dumps(record))
        elif not self._quiet:
            (self._summary if is_video else self._table)(record)
            self._notes(record)

    @staticmethod
    def _notes(record: dict[str, Any], on_stderr: bool = False) -> None:
        for note in record.get("notes", ()):
            typer.echo(f"  note: {note}", err=on_stderr)

    def failed(self, source: str, error: WmvError) -> None:
        message = render.item_error(source, error)
        if self.as_json:
            failure = {"file": source, "error": message, "exit_code": error.exit_code}
            typer.echo(json.dumps(failure))

    def summary(self) -> None:
        """Every file said all there is to say."""

    def _table(self, record: dict[str, Any]) -> None:
        found = record["frames"][0][self._head.results]
        noun = self._head.noun
        plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
        count = f"{len(found)} {noun if len(found) == 1 else plural}"
        typer.echo(f"{record['file']}: {count}, {record['seconds']:.2f} s")
        if found:
            corners = ("x1", "y1", "x2", "y2") if "box" in found[0] else ()
            render.table((f"  {noun}", "score", *corners), [_row(each) for each in found])

    def _summary(self, record: dict[str, Any]) -> None:
        count, seconds = record["frame_count"], record["seconds"]
        frames = "1 frame" if count == 1 else f"{count} frames"
        pace = f"{count / max(seconds, 1e-3):.1f} fps"
        typer.echo(f"{record['file']}: {frames}, {seconds:.2f} s, {pace}")
        if record["summary"]:
            columns = {"tracks": "tracks", "most_at_once": "at once", "frames": "frames"}
            shown = [key for key in columns if key in record["summary"][0]]
            header = (f"  {self._head.noun}", *(columns[key] for key in shown), "first", "last")
            render.table(header, [_summary_row(each, shown) for each in record["summary"]])


def _summary_row(entry: dict[str, Any], shown: Sequence[str]) -> tuple[str, ...]:
    counts = (str(entry[key]) for key in shown)
    times = (f"{entry[key]:.2f} s" for key in ("first", "last"))
    return (f"  {entry['label']}", *counts, *times)


def _row(found: dict[str, Any]) -> tuple[str, ...]:
    box = (f"{value:.0f}" for value in found.get("box", ()))
    return (f"  {found['label']}", f"{found['score']:.2f}", *box)


class CocoResults:
    """Collects detections and writes them, at the end, as COCO's results format.

    An image's id is the number that its file name is, as in COCO, or else the name itself.
    """

    def __init__(self, path: Path, force: bool) -> None:
        from wavenetmv.io.files import check_target

        check_target(str(path), force=force)
        self._path, self._force = path, force
        self._results: list[dict[str, Any]] = []
        self._pictures = 0

    def add(self, source: str, found: Sequence[Detection]) -> None:
        from wavenetmv.labels import COCO_CATEGORY_IDS

        self._pictures += 1
        stem = PurePath(source).stem
        image_id = int(stem) if stem.isascii() and stem.isdecimal() else stem
        for each in found:
            left, top, right, bottom = each.box
            box = [round(value, 2) for value in (left, top, right - left, bottom - top)]
            self._results.append(
                {
                    "image_id": image_id,
                    "category_id": COCO_CATEGORY_IDS[each.class_id],
                    "bbox": box,
                    "score": round(each.score, 5),
                }
            )

    def __enter__(self) -> CocoResults:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        from wavenetmv.io.files import open_sink

        # Also when some input failed, but not all: what was found is worth keeping.
        if self._pictures and (kind is None or issubclass(kind, typer.Exit)):
            with open_sink(str(self._path), force=self._force) as sink:
                sink.write(json.dumps(self._results).encode())
