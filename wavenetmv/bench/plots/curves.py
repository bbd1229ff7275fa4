"""Quality over rate: one line per codec, published curves dashed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from wavenetmv.bench.plots.style import MUTED, PAPER, Style, style_of
from wavenetmv.bench.results import MEASURES, DecodingPath, Results
from wavenetmv.bench.wording import title_of
from wavenetmv.metrics import Curve, decibels

_PATHS: tuple[DecodingPath, ...] = ("pixels", "latents")
# Above this ratio of the largest to the smallest rate a linear axis hides the low rates.
_LOG_FROM_RATIO = 8
_DASHES = ((0, (4, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)))
_LATENTS_DASH = (0, (7, 1.6))
_ENTRY_INCHES = 0.22
_LEGEND_CHARACTERS = 30  # a line; longer titles would squeeze the plot


@dataclass(frozen=True)
class _Line:
    label: str
    points: Curve  # (bpp, quality), rate rising
    style: Style
    path: DecodingPath = "pixels"
    dash: int | None = None  # of a published curve: index into _DASHES


def curve_figure(results: Results, metric: str) -> Figure | None:
    """Quality `metric` (a key of MEASURES) over bpp; None if nothing was measured."""
    measured = list(_measured(results, metric))
    if not measured:
        return None
    published = list(_published(results, metric))
    entries = len(measured) + len(published)
    height = max(4.8, _ENTRY_INCHES * entries)
    figure = Figure(figsize=(8.2, height), layout="constrained")
    axes = figure.subplots()
    for line in (*published, *measured):
        _draw(axes, line)
    _set_axes(axes, [line.points for line in measured], metric)
    original = results.baseline.get(metric)
    if original is not None:
        _mark_original(axes, original)
    _legend(figure, measured, published)
    return figure


def _measured(results: Results, metric: str) -> Iterator[_Line]:
    for codec in dict.fromkeys(point.codec for point in results.points):
        for path in _PATHS:
            points = [
                (point.bpp, value)
                for point in results.curve(codec, metric, path)
                if (value := point.measure(metric)) is not None
            ]
            if points:
                style = style_of(codec, results)
                yield _Line(title_of(codec, results, path), points, style, path)


def _published(results: Results, metric: str) -> Iterator[_Line]:
    drawn: dict[str, int] = {}  # curves so far by colour
    for name, curve in results.published.items():
        points = _published_points(curve.psnr, curve.ms_ssim, metric)
        if points:
            style = style_of(name, results)
            dash = drawn.get(style.colour, 0)
            drawn[style.colour] = dash + 1
            yield _Line(curve.title, points, style, dash=dash)


def _published_points(psnr: Curve, ms_ssim: Curve, metric: str) -> Curve:
    if metric == "psnr":
        return psnr
    if metric == "ms_ssim":
        return ms_ssim
    if metric == "ms_ssim_db":
        return [(bpp, decibels(quality)) for bpp, quality in ms_ssim]
    return ()


def _draw(axes: Axes, line: _Line) -> None:
    rates, quality = zip(*line.points, strict=True)
    axes.plot(rates, quality, **_look(line))


def _look(line: _Line) -> dict[str, Any]:
    """Arguments of a line; a legend's entry must get the same."""
    style, latents = line.style, line.path == "latents"
    if line.dash is not None:
        return {
            "color": style.colour, "linestyle": _DASHES[line.dash % len(_DASHES)],
            "linewidth": 1.1, "alpha": 0.8, "zorder": 2,
        }  # fmt: skip
    return {
        "color": style.colour, "linewidth": style.width, "zorder": style.order + latents,
        "linestyle": _LATENTS_DASH if latents else "-",
        "marker": style.marker, "markersize": 6.5 if latents else 5,
        # Hollow: read from the stream without pixels.
        "markerfacecolor": PAPER if latents else style.colour,
        "markeredgewidth": 1.4 if latents else 0,
    }  # fmt: skip


def _set_axes(axes: Axes, curves: Sequence[Curve], metric: str) -> None:
    """The range of what was measured, however far published curves go."""
    rates = [bpp for curve in curves for bpp, _ in curve]
    quality = [value for curve in curves for _, value in curve]
    low, high = min(rates), max(rates)
    if high / low > _LOG_FROM_RATIO:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlim(low / 1.12, high * 1.12)
        axes.set_xlabel("rate (bits per pixel, logarithmic)")
    else:
        axes.set_xlim(0, high * 1.05)
        axes.set_xlabel("rate (bits per pixel)")
    margin = 0.04 * (max(quality) - min(quality)) or 0.05 * abs(high)
    axes.set_ylim(min(quality) - margin, max(quality) + margin)
    axes.set_ylabel(MEASURES[metric])


def _mark_original(axes: Axes, value: float) -> None:
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, value), max(high, value + 0.04 * (high - low)))
    axes.axhline(value, color=MUTED, linewidth=1, zorder=1)
    axes.annotate(
        f"original pictures {value:.3f}", (0.01, value), (0, -3),
        xycoords=("axes fraction", "data"), textcoords="offset points",
        va="top", color=MUTED, fontsize=8,
    )  # fmt: skip


def _legend(figure: Figure, measured: Sequence[_Line], published: Sequence[_Line]) -> None:
    """Beside the plot, in the order in which the lines lie above each other."""
    at = _middle_rate([line.points for line in measured])
    blank = Line2D([], [], linestyle="none")
    handles, labels = [], []
    for heading, lines in (("measured", measured), ("published, not measured here", published)):
        if lines and published:
            handles.append(blank)
            labels.append(heading)
        for line in sorted(lines, key=lambda line: -_height(line.points, at)):
            handles.append(Line2D([], [], **_look(line)))
            labels.append(fill(line.label, _LEGEND_CHARACTERS))
    legend = figure.legend(
        handles, labels, loc="outside right upper", handlelength=2.6, labelspacing=0.45
    )
    for text in legend.get_texts():
        if text.get_text() in ("measured", "published, not measured here"):
            text.set_fontweight("bold")


def _middle_rate(curves: Sequence[Curve]) -> float:
    """The geometric middle of the rates that all curves reach, or nearly."""
    low = max(curve[0][0] for curve in curves)
    high = min(curve[-1][0] for curve in curves)
    return math.sqrt(low * high)


def _height(points: Curve, bpp: float) -> float:
    rates, quality = zip(*points, strict=True)
    return float(np.interp(math.log(bpp), np.log(rates), quality))
