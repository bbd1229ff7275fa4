"""The tables of a report: what a reader sees, and the full numbers to sort by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wavenetmv.bench.results import MEASURES, Comparison, Point, Results
from wavenetmv.bench.wording import (
    MISSING,
    duration,
    interval,
    number,
    percent,
    quality_name,
    title_of,
)


@dataclass(frozen=True)
class Cell:
    """`value` sorts numbers and is exact; None for text and for what is missing."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """`numeric` holds the places of the columns of numbers; rows are as long as `columns`."""

    name: str  # the id in the page
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: frozenset[int] = frozenset()
    note: str = ""


# Columns of numbers about a point: measure and title.
_POINT_COLUMNS = {
    "bpp": "bpp", **MEASURES, "encode_s": "encode", "decode_s": "decode",
    "encode_fps": "encode fps", "decode_fps": "decode fps",
}  # fmt: skip


def points_table(results: Results) -> Table:
    """Every point of results.csv, without the columns that nothing was measured for."""
    used = [
        measure
        for measure in _POINT_COLUMNS
        if any(point.measure(measure) is not None for point in results.points)
    ]
    rows = [
        (
            Cell(title_of(point.codec, results, point.path)),
            Cell(point.setting, place),  # in the order of rates, not of letters
            *(_cell(point, measure) for measure in used),
            Cell(str(point.pictures), point.pictures),
        )
        for place, point in enumerate(results.points)
    ]
    columns = (
        "codec",
        "setting",
        *(_POINT_COLUMNS[measure] for measure in used),
        f"{results.noun}s",
    )
    numeric = frozenset(range(2, len(columns)))
    note = f"Means over the {results.noun}s; bpp counts whole files, header included."
    if results.noun == "clip":
        note += " Times are for each frame."
    return Table("points", "All points", columns, tuple(rows), numeric, note)


def _cell(point: Point, measure: str) -> Cell:
    value = point.measure(measure)
    timed = measure in ("encode_s", "decode_s")
    return Cell(duration(value) if timed else number(value, measure), value)


def comparisons_table(results: Results) -> Table:
    """Every comparison with its interval."""
    rows = [
        (
            Cell(title_of(c.codec, results, c.path)),
            Cell(quality_name(c.metric)),
            Cell(title_of(c.anchor, results)),
            Cell(percent(c.bd_rate), c.bd_rate),
            Cell(interval(c.low, c.high), c.low),
            Cell(_gain(c), c.bd_quality),
            Cell(c.note),
        )
        for c in (*results.comparisons, *results.further)
    ]
    columns = ("codec", "at equal", "against", "BD-rate", "95% interval", "BD-quality", "note")
    note = (
        "BD-rate: mean difference in bits at equal quality, negative is better. "
        "BD-quality: mean difference in quality at equal rate, positive is better."
    )
    return Table("comparisons", "BD-rates", columns, tuple(rows), frozenset((3, 4, 5)), note)


def _gain(comparison: Comparison) -> str:
    value = comparison.bd_quality
    if value is None:
        return MISSING
    unit = " dB" if MEASURES[comparison.metric].endswith("(dB)") else ""
    sign = "+" if value > 0 else ""
    return f"{sign}{number(value, comparison.metric)}{unit}"


def settings_table(results: Results) -> Table:
    """What each codec was called with."""
    codecs = dict.fromkeys((*results.titles, *results.settings))
    rows = [
        (
            Cell(title_of(codec, results)),
            Cell(codec),
            Cell(results.settings.get(codec, MISSING)),
            _points_of(codec, results),
        )
        for codec in codecs
    ]
    columns = ("codec", "name", "called with", "points")
    return Table("settings", "Settings of each codec", columns, tuple(rows), frozenset((3,)))


def _points_of(codec: str, results: Results) -> Cell:
    found = sum((point.codec, point.path) == (codec, "pixels") for point in results.points)
    return Cell(str(found), found)


def published_table(results: Results) -> Table:
    """Where the dashed curves come from."""
    rows: Sequence[tuple[Cell, ...]] = [
        (
            Cell(curve.title),
            Cell(curve.source),
            Cell(str(len(curve.psnr)), len(curve.psnr)),
        )
        for curve in results.published.values()
    ]
    columns = ("published curve", "source", "points")
    note = "Drawn dashed as references; none of these numbers was measured here."
    return Table("published", "Published curves", columns, tuple(rows), frozenset((2,)), note)
