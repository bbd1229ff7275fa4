"""Points and comparisons from rows whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wavenetmv.bench.comparisons import DRAWS, compare_all
from wavenetmv.bench.detection_metrics import Evaluation
from wavenetmv.bench.points import complete_rows, make_points
from wavenetmv.bench.results import Row
from wavenetmv.metrics import decibels

PICTURES = [f"{k}.png" for k in range(8)]


def rows_of(codec, factor=1.0, gain=0.0, spread=0.0, settings=4):
    """Rate doubles and PSNR rises by 3 dB with each setting, differently for each picture."""
    rng = np.random.default_rng(3)
    rows = []
    for step in range(settings):
        for number, name in enumerate(PICTURES):
            bpp = 0.1 * 2**step * (1 + 0.1 * number) * factor * (1 + spread * rng.normal())
            quality = 28 + 3 * step - 0.5 * number + gain
            similarity = 1 - 10 ** -(quality / 20)
            rows.append(
                Row(codec, f"s{step}", name, 100, 100, 1000, bpp, quality, similarity, 0.1, 0.2)
            )
    return rows


def compare(anchor, test, metric="psnr"):
    groups = {codec: complete_rows(rows, codec) for codec, rows in (("a", anchor), ("t", test))}
    ((found,),) = compare_all(groups, {}, ["a"], [metric])
    return found


@pytest.mark.parametrize("metric", ["psnr", "ms_ssim_db"])
def test_a_constant_factor_is_the_bd_rate_of_every_draw(metric):
    found = compare(rows_of("a"), rows_of("t", factor=0.8), metric)
    assert (found.anchor, found.codec, found.path, found.note) == ("a", "t", "pixels", "")
    assert [found.bd_rate, found.low, found.high] == pytest.approx([-20, -20, -20], abs=1e-3)
    assert found.bd_quality > 0


def test_a_constant_gain_is_the_bd_quality():
    found = compare(rows_of("a"), rows_of("t", gain=1.5))
    assert found.bd_quality == pytest.approx(1.5, abs=1e-6)
    assert found.bd_rate == pytest.approx(100 * (2**-0.5 - 1), abs=0.5)  # half of 3 dB


def test_the_interval_grows_with_the_differences_between_pictures():
    little = compare(rows_of("a"), rows_of("t", spread=0.02))
    much = compare(rows_of("a"), rows_of("t", spread=0.2))
    for found in (little, much):
        assert found.low < found.bd_rate < found.high
    assert much.high - much.low > 4 * (little.high - little.low)


def test_one_picture_has_a_bd_rate_and_no_interval():
    one = [
        [row for row in rows_of(codec, factor) if row.picture == "0.png"]
        for codec, factor in (("a", 1), ("t", 2))
    ]
    found = compare(*one)
    assert found.bd_rate == pytest.approx(100, abs=1e-6)
    assert (found.low, found.high) == (None, None)


def test_curves_apart_say_how_far():
    found = compare(rows_of("a"), rows_of("t", gain=20))
    assert (found.bd_rate, found.low, found.high) == (None, None, None)
    assert found.note == "no common range of PSNR: 46.25 to 55.25 against 26.25 to 35.25"
    found = compare(rows_of("a"), rows_of("t", gain=8.5))
    assert found.note.startswith("common range only 34.75 to 35.25")


def test_a_single_point_is_held_against_the_curve():
    found = compare(rows_of("a"), rows_of("t", factor=0.5, gain=3, settings=1))
    assert found.bd_rate is None
    assert found.note == "no common range: 0.068 bpp against 0.270 at PSNR 29.25"


def test_measures_that_are_missing_are_said():
    unmeasured = [replace(row, ms_ssim=None) for row in rows_of("t")]
    found = compare(rows_of("a"), unmeasured, "ms_ssim_db")
    assert (found.bd_rate, found.note) == (None, "MS-SSIM of t was not measured")
    small = [replace(r, ms_ssim=None) if r.picture == "3.png" else r for r in rows_of("t", 0.8)]
    found = compare(rows_of("a"), small, "ms_ssim_db")
    assert found.bd_rate == pytest.approx(-20, abs=1e-3)
    assert found.note == "on the 7 pictures that both have"


def test_a_picture_that_failed_once_is_left_out_of_the_curve():
    failed = Row("t", "s1", "3.png", 100, 100, error="too hard")
    rows = [
        failed if (row.setting, row.picture) == ("s1", "3.png") else row
        for row in rows_of("t", factor=0.8)
    ]
    groups = complete_rows(rows, "t")
    assert [len(group) for group in groups] == [7, 7, 7, 7]
    points = make_points(groups, [], {})
    assert {point.pictures for point in points} == {7}
    assert points[0].psnr == pytest.approx(np.mean([28 - 0.5 * k for k in range(8) if k != 3]))
    assert points[0].ms_ssim_db == pytest.approx(decibels(points[0].ms_ssim))
    found = compare(rows_of("a"), rows)
    assert found.bd_rate == pytest.approx(-20, abs=1e-3)
    assert "on the 7 pictures" in found.note


def test_a_setting_that_failed_on_every_picture_costs_only_itself():
    rows = [
        replace(row, bpp=None, psnr=None, error="too low") if row.setting == "s0" else row
        for row in rows_of("t")
    ]
    assert [group[0].setting for group in complete_rows(rows, "t")] == ["s1", "s2", "s3"]
    assert complete_rows([replace(row, error="no") for row in rows], "t") == []
    assert compare(rows_of("a"), [replace(row, error="no") for row in rows]).note == (
        "PSNR of t was not measured"
    )


class KnownPrecision(Evaluation):
    """mAP that does not depend on the draw."""

    def resampled(self, counts):
        return np.full(len(counts), self.map)


def test_map_curves_need_not_rise_and_latents_are_compared_too():
    groups = {codec: complete_rows(rows_of(codec), codec) for codec in ("a", "t")}
    values = {
        ("a", "pixels"): (0.10, 0.20, 0.30, 0.35),
        ("t", "pixels"): (0.15, 0.26, 0.24, 0.33),
        ("t", "latents"): (0.28, 0.27, 0.28, 0.26),
    }
    evaluations = {
        (codec, path, f"s{k}"): {"map": KnownPrecision(tuple(PICTURES), value, None, ())}
        for (codec, path), curve in values.items()
        for k, value in enumerate(curve)
    }
    ((pixels, latents),) = compare_all(groups, evaluations, ["a"], ["map"])
    assert (pixels.path, latents.path) == ("pixels", "latents")
    assert [pixels.low, pixels.high] == pytest.approx([pixels.bd_rate] * 2)  # draws are alike
    assert -40 < pixels.bd_rate < -5
    assert latents.bd_rate is None
    # 0.2725 lies 0.725 of the way from 0.2 to 0.3, that is from 0.27 bpp to 0.54.
    assert latents.note == "no common range: 0.135 bpp against 0.446 at mAP 0.2725"
    assert DRAWS >= 100


def test_a_codec_is_drawn_anew_once_for_all_anchors():
    """Drawing mAP anew is what a comparison's time goes into."""
    drawn = []

    class Counting(KnownPrecision):
        def resampled(self, counts):
            drawn.append(self.map)
            return super().resampled(counts)

    codecs = ("a", "b", "t")
    groups = {codec: complete_rows(rows_of(codec), codec) for codec in codecs}
    evaluations = {
        (codec, "pixels", f"s{k}"): {
            "map": Counting(tuple(PICTURES), 0.1 * k + 0.01 * codecs.index(codec), None, ())
        }
        for codec in codecs
        for k in range(4)
    }
    against_a, against_b = compare_all(groups, evaluations, ["a", "b"], ["map"])
    assert [each.codec for each in against_a] == ["b", "t"]
    assert [each.codec for each in against_b] == ["a", "t"]
    assert sorted(drawn) == sorted(set(drawn))
