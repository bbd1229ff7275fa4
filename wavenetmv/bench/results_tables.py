"""A benchmark's numbers as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from wavenetmv.bench.findings import metrics_of, standings
from wavenetmv.bench.results import MEASURES, Comparison, Point, Results
from wavenetmv.bench.wording import MISSING, duration, number, percent, quality_name, title_of

_TIMES = {"encode_s": "encode", "decode_s": "decode"}
_SPEEDS = {"encode_fps": "encode fps", "decode_fps": "decode fps"}
_METHOD_COLUMNS = ("method", "setting", "PSNR (dB)", "MS-SSIM", "BPP", "AI accuracy")


def escaped(text: str) -> str:
    """Text as it is, whatever Markdown means by its characters; one line."""
    for character in "\\`*[]|<":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int) -> str:
    """Cells must be escaped; columns from `numbers_from` on are aligned to the right."""
    marks = ["---" if place < numbers_from else "---:" for place in range(len(columns))]
    lines = [columns, marks, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def bd_rate_tables(results: Results) -> str:
    """`bd_rate_table` for every anchor, the main one first; "" without comparisons."""
    others = {c.anchor: tuple(f for f in results.further if f.anchor == c.anchor)
              for c in results.further}  # fmt: skip
    further = (replace(results, anchor=a, comparisons=c) for a, c in others.items())
    return "\n".join(filter(None, map(bd_rate_table, (results, *further))))


def bd_rate_table(results: Results) -> str:
    """One line per codec, best first, one column per measure; "" without comparisons."""
    metrics = metrics_of(results)
    found = {(c.codec, c.path, c.metric): c for c in results.comparisons}
    ranked = [(s.codec, s.path) for metric in metrics[:1] for s in standings(results, metric)]
    compared = dict.fromkeys((c.codec, c.path) for c in results.comparisons)
    keys = dict.fromkeys([key for key in ranked if key in compared] + list(compared))
    rows = [
        [
            escaped(title_of(codec, results, path)),
            *(_change(found.get((codec, path, metric))) for metric in metrics),
        ]
        for codec, path in keys
    ]
    anchor = escaped(title_of(results.anchor, results))
    columns = [f"bits against {anchor}", *(f"at equal {quality_name(m)}" for m in metrics)]
    return table(columns, rows, 1) if rows else ""


def _change(comparison: Comparison | None) -> str:
    if comparison is None:
        return MISSING
    if comparison.bd_rate is None:
        return escaped(comparison.note) or MISSING
    text = percent(comparison.bd_rate)
    if comparison.low is not None and comparison.high is not None:
        text += f" ({percent(comparison.low)} to {percent(comparison.high)})"
    return f"{text}; {escaped(comparison.note)}" if comparison.note else text


def points_table(results: Results) -> str:
    """All points with every measure that was taken."""
    measures = {"bpp": "bpp", **MEASURES, **_TIMES, **_SPEEDS}
    used = [m for m in measures if any(p.measure(m) is not None for p in results.points)]
    rows = [
        [
            escaped(title_of(point.codec, results, point.path)),
            escaped(point.setting),
            *(_value(point, measure) for measure in used),
        ]
        for point in results.points
    ]
    return table(["codec", "setting", *(measures[m] for m in used)], rows, 2)


def _value(point: Point, measure: str) -> str:
    value = point.measure(measure)
    return duration(value) if measure in _TIMES else number(value, measure)


def settings_table(results: Results) -> str:
    """What each codec was called with."""
    rows = [
        [escaped(title_of(codec, results)), escaped(text)]
        for codec, text in results.settings.items()
    ]
    return table(["codec", "called with"], rows, 2)


def methods_table(results: Results) -> str:
    """Table 1 of the method's paper, measured rows only; "" where no accuracy was measured.

    AI accuracy is mAP on what the codec gives back / mAP on the originals, in percent.
    """
    rows = [
        [
            escaped(title_of(point.codec, results, point.path)),
            escaped(point.setting),
            number(point.psnr, "psnr"),
            number(point.ms_ssim, "ms_ssim"),
            number(point.bpp, "bpp"),
            f"{100 * accuracy:.1f}%",
        ]
        for point in results.points
        if (accuracy := point.measure("relative_map")) is not None
    ]
    return table(_METHOD_COLUMNS, rows, 2) if rows else ""
