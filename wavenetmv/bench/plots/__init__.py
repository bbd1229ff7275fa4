"""The plots of a benchmark, as files and as text to put into a page.

Figures are made without pyplot, so nothing global is left behind; SVG files of the same
results are the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wavenetmv.bench.plots.style import rc
from wavenetmv.bench.results import MEASURES, Results
from wavenetmv.bench.wording import quality_name
from wavenetmv.errors import UsageFault

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PNG_DPI = 144  # twice the pixels of a plain screen
# Every date, version or path inside a file would change its bytes.
_NO_METADATA = {"svg": dict.fromkeys(("Date", "Creator", "Format", "Type")), "png": None}
# Measures drawn over the rate, by the file's name.
CURVES = {
    "psnr": "rate-psnr",
    "ms_ssim_db": "rate-ms-ssim",
    "vmaf": "rate-vmaf",
    "map": "rate-map",
    "agreement": "rate-agreement",
    "top1": "rate-top1",
}


@dataclass(frozen=True)
class Plot:
    """One drawing; `title` says what it shows, `caption` how to read it."""

    name: str  # of the file, without suffix
    title: str
    caption: str
    figure: Figure

    def svg(self) -> str:
        """The drawing as text."""
        sink = io.BytesIO()
        with _look():
            self.figure.savefig(sink, format="svg", metadata=_NO_METADATA["svg"])
        return sink.getvalue().decode("utf-8")


def make_plots(results: Results) -> list[Plot]:
    """Every plot that `results` has numbers for: curves, BD-rates, times.

    Raises UsageFault without matplotlib.
    """
    with _look():
        plots = list(_plots(results))
        for plot in plots:
            # Laid out once: a second time, from the first's result, differs in the last digits.
            plot.figure.draw_without_rendering()
            plot.figure.set_layout_engine("none")
    return plots


def draw_all(
    results: Results, out_dir: Path, formats: Sequence[str] = ("png", "svg"), prefix: str = ""
) -> list[Path]:
    """Write every plot into the existing folder `out_dir`; the paths written.

    Files are PREFIXrate-psnr.svg, PREFIXbd-rate-psnr.svg, PREFIXtime.svg, ...
    Raises UsageFault without matplotlib.
    """
    return save_plots(make_plots(results), out_dir, formats, prefix)


def save_plots(
    plots: Sequence[Plot], out_dir: Path, formats: Sequence[str], prefix: str = ""
) -> list[Path]:
    """`draw_all` for plots that have been made."""
    paths = []
    for plot in plots:
        for suffix in formats:
            path = out_dir / f"{prefix}{plot.name}.{suffix}"
            with _look():
                plot.figure.savefig(
                    path, format=suffix, dpi=_PNG_DPI, metadata=_NO_METADATA[suffix]
                )
            paths.append(path)
    return paths


@contextmanager
def _look() -> Iterator[None]:
    try:
        import matplotlib
    except ImportError as error:
        raise UsageFault("plots need a library: pip install matplotlib") from error
    with matplotlib.rc_context(rc()):
        yield


def _plots(results: Results) -> Iterator[Plot]:
    from wavenetmv.bench.plots import bars, curves, frames

    for metric, name in CURVES.items():
        if figure := curves.curve_figure(results, metric):
            caption = f"Up and left is better; means over all {results.noun}s."
            if any(p.path == "latents" and p.measure(metric) is not None for p in results.points):
                caption += " Hollow markers: from the latents, without decoding pixels."
            if results.published and metric in ("psnr", "ms_ssim_db"):
                caption += " Dashed without markers: published by others, not measured here."
            yield Plot(name, f"{MEASURES[metric]} over rate", caption, figure)
    if figure := frames.frame_figure(results):
        caption = (
            "Mean over the clips at each frame, every codec at the setting nearest to one rate. "
            "A line that falls within a group of pictures shows errors that add up."
        )
        yield Plot("frame-psnr", "PSNR from frame to frame", caption, figure)
    for metric in MEASURES:
        if figure := bars.bd_rate_figure(results, metric):
            quality = quality_name(metric)
            caption = (
                "Mean difference in bits over the qualities that both reach, best first. "
                f"Lines across the bars: 95% intervals by bootstrap over {results.noun}s."
            )
            name = "bd-rate-" + metric.replace("_", "-")
            yield Plot(name, f"BD-rate ({quality})", caption, figure)
    if figure := bars.time_figure(results):
        each = "frame" if results.noun == "clip" else "picture"
        caption = (
            f"Mean seconds per {each} over all settings of a codec. "
            "Only ratios within this run mean something."
        )
        if results.jobs > 1:
            caption += f" {results.jobs} jobs ran side by side."
        yield Plot("time", "Encode and decode time", caption, figure)
