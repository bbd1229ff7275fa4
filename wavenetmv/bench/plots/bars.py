"""Bars: BD-rates with their intervals, and seconds."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from wavenetmv.bench.plots.style import INK, MUTED, style_of
from wavenetmv.bench.results import Comparison, Results
from wavenetmv.bench.wording import OWN, duration, mean_seconds, percent, quality_name, title_of

_ROW_INCHES = 0.3
_MARGIN_INCHES = 0.95
# One codec far behind must not squeeze all others into a line; its number is written anyway.
_LIMIT_PERCENT = 250.0


def bd_rate_figure(results: Results, metric: str) -> Figure | None:
    """Percent of rate against the anchor at equal `metric`, best first; None without any."""
    chosen = [c for c in results.comparisons if c.metric == metric and c.bd_rate is not None]
    if not chosen:
        return None
    chosen.sort(key=lambda c: c.bd_rate or 0.0)
    figure = Figure(figsize=(5.2, _MARGIN_INCHES + _ROW_INCHES * len(chosen)), layout="constrained")
    axes = figure.subplots()
    for place, comparison in enumerate(chosen):
        _bar(axes, place, comparison, results)
    axes.axvline(0, color=INK, linewidth=1)
    _name_rows(axes, {title_of(c.codec, results, c.path): c.codec for c in chosen})
    low = min(0.0, *(_shown(c.low, c.bd_rate) for c in chosen))
    high = max(0.0, *(_shown(c.high, c.bd_rate) for c in chosen))
    room = 0.26 * (high - low)
    axes.set_xlim(low - room, high + room)
    anchor = title_of(chosen[0].anchor, results)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: percent(value, 0) if value else "0%")
    )
    axes.set_xlabel(f"bits against {anchor} at equal {quality_name(metric)}, left is better")
    return figure


def _bar(axes: Axes, place: int, comparison: Comparison, results: Results) -> None:
    value = comparison.bd_rate or 0.0
    shown = _shown(value)
    colour = style_of(comparison.codec, results).colour
    axes.barh(
        place, shown, height=0.62,
        color="none" if comparison.path == "latents" else colour, edgecolor=colour, linewidth=1.4,
    )  # fmt: skip
    ends = [shown]
    if comparison.low is not None and comparison.high is not None:
        interval = (_shown(comparison.low), _shown(comparison.high))
        axes.plot(interval, (place, place), color=INK, linewidth=1.2, marker="|", markersize=6)
        ends += interval
    right = value >= 0
    beyond = " (axis cut)" if shown != value else ""
    axes.annotate(
        percent(value) + beyond, (max(ends) if right else min(ends), place),
        (5 if right else -5, 0), textcoords="offset points",
        ha="left" if right else "right", va="center", fontsize=8,
    )  # fmt: skip


def _shown(*values: float | None) -> float:
    """The first value that there is, cut where the axis ends."""
    value = next(v for v in values if v is not None)
    return max(-_LIMIT_PERCENT, min(_LIMIT_PERCENT, value))


def _name_rows(axes: Axes, codecs: Mapping[str, str]) -> None:
    """From the top down; `codecs` by the title to show."""
    axes.set_yticks(range(len(codecs)), list(codecs))
    for label, codec in zip(axes.get_yticklabels(), codecs.values(), strict=True):
        label.set_fontweight("bold" if codec == OWN else "normal")
    axes.margins(y=0.02)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def time_figure(results: Results) -> Figure | None:
    """Mean seconds per picture or frame, all settings, logarithmic; None if nothing was timed."""
    times = sorted(mean_seconds(results).items(), key=lambda item: item[1][0])
    if not times:
        return None
    height = _MARGIN_INCHES + 1.45 * _ROW_INCHES * len(times)
    figure = Figure(figsize=(5.2, height), layout="constrained")
    axes = figure.subplots()
    seconds = [value for _, pair in times for value in pair]
    left = min(seconds) / 2
    for place, (codec, pair) in enumerate(times):
        colour = style_of(codec, results).colour
        for offset, value, filled in ((-0.2, pair[0], True), (0.2, pair[1], False)):
            axes.barh(
                place + offset, value - left, left=left, height=0.36,
                color=colour if filled else "none", edgecolor=colour, linewidth=1.2,
            )  # fmt: skip
            axes.annotate(
                duration(value), (value, place + offset), (4, 0), textcoords="offset points",
                va="center", fontsize=7.5,
            )  # fmt: skip
    each = "frame" if results.noun == "clip" else "picture"
    _time_axis(axes, left, max(seconds), each)
    _name_rows(axes, {title_of(codec, results): codec for codec, _ in times})
    return figure


def _time_axis(axes: Axes, left: float, longest: float, each: str) -> None:
    axes.set_xscale("log")
    axes.set_xlim(left, longest * 2.5)
    axes.xaxis.set_major_locator(LogLocator(numticks=8))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: duration(value)))
    axes.set_xlabel(f"filled: encode, hollow: decode; per {each}, logarithmic", color=MUTED)
