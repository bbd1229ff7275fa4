"""PSNR from frame to frame: whether errors add up along a group of pictures."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wavenetmv.bench.plots.style import style_of
from wavenetmv.bench.results import Point, Results
from wavenetmv.bench.wording import number, title_of


def frame_figure(results: Results) -> Figure | None:
    """Each codec at the setting nearest to one rate; None where no clips were coded."""
    chosen = _at_one_rate(results)
    if not chosen:
        return None
    figure = Figure(figsize=(8.2, 4.8), layout="constrained")
    axes = figure.subplots()
    for point in chosen:
        curves = [
            row.frame_psnr
            for row in results.rows
            if (row.codec, row.setting) == (point.codec, point.setting) and row.frame_psnr
        ]
        length = min(map(len, curves))
        means = np.mean([curve[:length] for curve in curves], axis=0)
        style = style_of(point.codec, results)
        label = f"{title_of(point.codec, results)}, {number(point.bpp, 'bpp')} bpp"
        axes.plot(
            range(1, length + 1), means, label=label, color=style.colour, linewidth=style.width,
            marker=style.marker, markersize=3, zorder=style.order,
        )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("frame")
    axes.set_ylabel("PSNR (dB)")
    figure.legend(loc="outside right upper")
    return figure


def _at_one_rate(results: Results) -> list[Point]:
    """Per codec of clips its point nearest to the geometric middle of the first one's rates."""
    coded = {(row.codec, row.setting) for row in results.rows if row.frame_psnr}
    points = [
        point
        for point in results.points
        if point.path == "pixels" and (point.codec, point.setting) in coded
    ]
    if not points:
        return []
    first = [point.bpp for point in points if point.codec == points[0].codec]
    middle = math.sqrt(min(first) * max(first))
    return [
        min(
            (point for point in points if point.codec == codec),
            key=lambda point: abs(math.log(point.bpp / middle)),
        )
        for codec in dict.fromkeys(point.codec for point in points)
    ]
