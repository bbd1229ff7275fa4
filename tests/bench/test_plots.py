"""Plots show the numbers of the results, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from tests.bench.samples import sample_results
from wavenetmv.bench.plots import draw_all, make_plots
from wavenetmv.bench.plots.style import DARK, style_of
from wavenetmv.bench.results import Comparison, Point, Results

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib (extra bench) is missing")

NAMES = ["rate-psnr", "rate-ms-ssim", "rate-map", "bd-rate-psnr", "bd-rate-map", "time"]


@pytest.fixture(scope="module")
def results(tmp_path_factory, photographs):
    return sample_results(photographs, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def drawn(results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plots")
    before = dict(matplotlib.rcParams)
    paths = draw_all(results, folder)
    assert dict(matplotlib.rcParams) == before
    return folder, paths


@pytest.fixture(scope="module")
def plots(results):
    return {plot.name: plot for plot in make_plots(results)}


def lines_of(plot):
    """(x, y) of every curve with markers or dashes."""
    (axes,) = plot.figure.axes
    return [np.column_stack(line.get_data()) for line in axes.lines if len(line.get_xdata()) > 2]


def texts(svg):
    return ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter() if "text" in e.tag]


def test_every_plot_is_written_as_png_and_svg(drawn):
    folder, paths = drawn
    assert [path.name for path in paths] == [f"{n}.{s}" for n in NAMES for s in ("png", "svg")]
    for name in NAMES:
        with Image.open(folder / f"{name}.png") as image:
            assert image.width > 700
            assert np.asarray(image.convert("L")).std() > 5  # something is drawn
        assert ElementTree.parse(folder / f"{name}.svg").getroot().tag.endswith("svg")


def test_svg_files_are_the_same_bytes_every_time(results, drawn, tmp_path):
    folder, _ = drawn
    for path in draw_all(results, tmp_path, ["svg"], prefix="again-"):
        first = folder / path.name.removeprefix("again-")
        assert path.read_bytes() == first.read_bytes()
        assert b"2026" not in path.read_bytes()


@pytest.mark.parametrize(
    ("name", "metric"), [("rate-psnr", "psnr"), ("rate-ms-ssim", "ms_ssim_db"), ("rate-map", "map")]
)
def test_curves_are_the_points(results, plots, name, metric):
    curves = lines_of(plots[name])
    for codec in ("wmv", "jpeg", "webp"):
        expected = [(p.bpp, p.measure(metric)) for p in results.curve(codec, metric)]
        assert any(np.array_equal(curve, expected) for curve in curves), codec


def test_published_curves_are_dashed_and_named_so(results, plots):
    (axes,) = plots["rate-psnr"].figure.axes
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert len(dashed) == len(results.published) == 2
    expected = results.published["vtm"].psnr
    assert any(np.array_equal(np.column_stack(line.get_data()), expected) for line in dashed)
    labels = texts(plots["rate-psnr"].svg())
    assert labels.index("published, not measured here") < labels.index("VTM (VVC intra)")
    assert "published" not in " ".join(texts(plots["rate-map"].svg()))


def test_latents_are_told_from_pixels(plots):
    (axes,) = plots["rate-map"].figure.axes
    own = [line for line in axes.lines if line.get_marker() == "o"]
    assert len(own) == 2
    assert len({line.get_color() for line in own}) == 1
    assert len({line.get_markerfacecolor() for line in own}) == 2
    assert len({line.get_linestyle() for line in own}) == 2
    assert {"wmv", "wmv by latents"} <= set(texts(plots["rate-map"].svg()))
    assert "Hollow" in plots["rate-map"].caption
    assert "Hollow" not in plots["rate-psnr"].caption


def test_titles_are_drawn_as_they_are(plots):
    assert {"WebP for $5", "JPEG | <i>baseline</i>"} <= set(texts(plots["rate-psnr"].svg()))


@pytest.mark.parametrize(("top", "scale"), [(0.4, "linear"), (4.0, "log")])
def test_wide_ranges_of_rate_get_a_logarithmic_axis(top, scale):
    points = tuple(Point("wmv", str(bpp), bpp, 30 + bpp) for bpp in (0.1, 0.3, top))
    (plot, *_) = make_plots(Results(points=points))
    (axes,) = plot.figure.axes
    assert axes.get_xscale() == scale
    assert axes.get_xlim()[1] > top


def test_bars_are_as_long_as_the_bd_rates(plots):
    (axes,) = plots["bd-rate-psnr"].figure.axes
    assert [bar.get_width() for bar in axes.patches] == [-40.5, -31.25]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["WebP for $5", "wmv"]
    intervals = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "|"]
    assert intervals == [[-47.0, -38.0], [-36.0, -26.0]]


def test_far_bars_are_cut_and_say_so(plots):
    (axes,) = plots["bd-rate-map"].figure.axes
    assert [bar.get_width() for bar in axes.patches] == [-12.0, 250.0]
    assert "+400.0% (axis cut)" in texts(plots["bd-rate-map"].svg())


def test_comparisons_without_numbers_are_not_drawn():
    none = Comparison("jpeg", "wmv", "psnr", note="no common range")
    assert make_plots(Results(anchor="jpeg", comparisons=(none,))) == []


def test_times_are_means_over_settings(plots):
    (axes,) = plots["time"].figure.axes
    ends = {round(bar.get_x() + bar.get_width(), 6) for bar in axes.patches}
    assert ends == {round(0.115 / 3, 6), round(0.0575 / 3, 6)}
    assert axes.get_xscale() == "log"


def test_codecs_keep_their_look_and_differ(results):
    names = ["wmv", "jpeg", "webp", "jpeg2000", "jpegxl", "hevc", "av1", "avif", "vvc", "vtm",
             "bmshj2018", "cheng2020"]  # fmt: skip
    looks = {(style_of(name, results).colour, style_of(name, results).marker) for name in names}
    assert len(looks) == len(names)
    strangers = replace(results, titles={"mine": "mine", "yours": "yours"})
    assert style_of("mine", strangers).colour != style_of("yours", strangers).colour
    for name in (*names, "mine"):
        assert style_of(name, strangers).colour in DARK
