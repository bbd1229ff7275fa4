"""What `wmv bench` says at its end."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wavenetmv.cli import render

if TYPE_CHECKING:
    from wavenetmv.bench.results import Comparison, Point, Results

_COLUMNS = {
    "psnr": "PSNR", "ms_ssim_db": "MS-SSIM", "vmaf": "VMAF", "map": "mAP",
    "agreement": "agreement",
}  # fmt: skip


def show_json(results: Results) -> None:
    """Everything but the rows of single pictures, which are in results.json."""
    record = asdict(results)
    for key in ("rows", "pictures", "published"):
        del record[key]
    typer.echo(json.dumps(record, allow_nan=False))


def show_tables(results: Results, out: Path) -> None:
    """One table for each anchor, notes, and where the report is."""
    _show_table(results)
    for anchor in dict.fromkeys(comparison.anchor for comparison in results.further):
        own = tuple(c for c in results.further if c.anchor == anchor)
        _show_table(replace(results, anchor=anchor, comparisons=own))
    for note in results.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"{out / 'report.html'}")


def _show_table(results: Results) -> None:
    metrics = [m for m in _COLUMNS if any(c.metric == m for c in results.comparisons)]
    curves = list(dict.fromkeys((point.codec, point.path) for point in results.points))
    header = [
        "codec", "points", "bpp",
        *(f"BD-rate {_COLUMNS[metric]}" for metric in metrics), *_times_of(results),
    ]  # fmt: skip
    lines = []
    for codec, path in curves:
        points = [point for point in results.points if (point.codec, point.path) == (codec, path)]
        changes = [_change(results, codec, path, metric) for metric in metrics]
        name = codec if path == "pixels" else f"{codec} ({path})"
        lines.append([name, str(len(points)), _range(points), *changes, *_times(points, results)])
    render.table(header, lines)
    typer.echo(
        f"BD-rate against {results.anchor}, negative is better; 95% interval over {results.noun}s"
    )


def _change(results: Results, codec: str, path: str, metric: str) -> str:
    if (codec, path) == (results.anchor, "pixels"):
        return "0"
    wanted = (codec, path, metric)
    found = [c for c in results.comparisons if (c.codec, c.path, c.metric) == wanted]
    return _percent(found[0]) if found else "-"


def _percent(comparison: Comparison) -> str:
    if comparison.bd_rate is None:
        return comparison.note or "-"
    text = f"{comparison.bd_rate:+.1f}%"
    if comparison.low is not None and comparison.high is not None:
        text += f" ({comparison.low:+.1f} to {comparison.high:+.1f})"
    return text


def _range(points: list[Point]) -> str:
    rates = [point.bpp for point in points]
    return f"{min(rates):.3f} to {max(rates):.3f}"


def _times_of(results: Results) -> dict[str, str]:
    """Columns, with the field of Point that each shows."""
    unit = "fps" if results.noun == "clip" else "s"
    return {f"{what} {unit}": f"{what}_{unit}" for what in ("encode", "decode")}


def _times(points: list[Point], results: Results) -> list[str]:
    """Means over the settings of the seconds per picture, or of the frames per second."""
    texts = []
    for name in _times_of(results).values():
        values = [value for p in points if (value := getattr(p, name)) is not None]
        texts.append(f"{sum(values) / len(values):.3f}" if values else "-")
    return texts
