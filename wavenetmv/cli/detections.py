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
from wavenetmv.errors import WmvError

if TYPE_CHECKING:
    from wavenetmv.models.heads import Head
    from wavenetmv.types import Detection, Finding


def as_record(
    source: str, head: type[Head], found: Sequence[Finding], seconds: float
) -> dict[str, Any]:
    """The JSON of one file: a picture is one frame at time 0."""
    frame = {"index": 0, "time": 0.0, head.results: [_as_json(each) for each in found]}
    return {"file": source, "frames": [frame], "seconds": round(seconds, 4)}


def _as_json(found: Finding) -> dict[str, Any]:
    record = {"label": found.label, **asdict(found), "score": round(found.score, 4)}
    if "box" in record:
        record["box"] = [round(value, 1) for value in record["box"]]
    return record


class AnalysisReporter:
    """A table of results for each file, or one JSON object a line."""

    def __init__(self, head: type[Head], as_json: bool, quiet: bool) -> None:
        self._head, self._as_json, self._quiet = head, as_json, quiet

    def done(self, record: dict[str, Any]) -> None:
        if self._as_json:
            typer.echo(json.dumps(record))
        elif not self._quiet:
            self._table(record)

    def failed(self, source: str, error: WmvError) -> None:
        message = render.item_error(source, error)
        if self._as_json:
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

    def add(self, source: str, found: Sequence[Detection]) -> None:
        from wavenetmv.labels import COCO_CATEGORY_IDS

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

        # Also when some input failed: what was found is worth keeping.
        if kind is None or issubclass(kind, typer.Exit):
            with open_sink(str(self._path), force=self._force) as sink:
                sink.write(json.dumps(self._results).encode())
