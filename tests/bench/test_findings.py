"""Sentences about results say what the numbers say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.samples import sample_results
from wavenetmv.bench.findings import headlines, losses, order, scope, standings, subject_of
from wavenetmv.bench.results import Comparison, Point, Results
from wavenetmv.bench.wording import (
    MISSING,
    count,
    duration,
    interval,
    joined,
    mean_seconds,
    number,
    percent,
    quality_name,
)

MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def results(tmp_path_factory, photographs):
    return sample_results(photographs, tmp_path_factory.mktemp("run"))


def test_headlines_follow_the_comparisons(results):
    psnr, accuracy = headlines(results)  # the third comparison of wmv has no number
    assert psnr.value == f"{MINUS}31.2%"
    assert psnr.better
    assert psnr.sentence == (
        "wmv needs 31.2% fewer bits than JPEG | <i>baseline</i> at equal PSNR "
        f"(95% interval {MINUS}36.0% to {MINUS}26.0%)."
    )
    assert "interval" not in accuracy.sentence
    assert accuracy.sentence.endswith("; on 2 pictures.")
    assert "equal mAP" in accuracy.title


def test_more_bits_are_called_more():
    results = Results(
        anchor="a", points=(Point("wmv", "1", 0.1),),
        comparisons=(Comparison("a", "wmv", "psnr", bd_rate=52.1),),
    )  # fmt: skip
    (headline,) = headlines(results)
    assert headline.sentence == "wmv needs 52.1% more bits than a at equal PSNR."
    assert not headline.better


def test_standings_hold_the_anchor_at_zero(results):
    assert [(s.codec, s.bd_rate) for s in standings(results, "map")] == [
        ("wmv", -12.0), ("jpeg", 0.0), ("webp", 400.0),
    ]  # fmt: skip
    assert standings(results, "top1") == []
    assert "(the anchor)" in order(results)[0]


def test_losses_name_who_is_ahead_and_by_what(results):
    text = "\n".join(losses(results))
    assert f"at equal PSNR: wmv {MINUS}31.2% needs more than WebP for $5 {MINUS}40.5%." in text
    assert "Highest mAP at any rate: wmv 0.270 is below WebP for $5 0.290" in text
    assert "wmv by latents 0.140 is below" in text
    assert "No BD-rate (mAP) of wmv by latents" in text
    assert "no common range" in text
    assert "Time of" not in text  # all sample codecs take the same time


def test_overlapping_intervals_are_said_to(results):
    wide = replace(results.comparisons[1], high=-30.0)
    (first, *_) = losses(replace(results, comparisons=(results.comparisons[0], wide)))
    assert "(intervals overlap)" in first


def test_slower_codecs_are_told_the_ratio():
    points = (
        Point("wmv", "1", 0.1, encode_s=0.2, decode_s=0.1),
        Point("wmv", "2", 0.2, encode_s=0.4, decode_s=0.1),
        Point("x", "1", 0.1, encode_s=0.1, decode_s=0.5),
    )
    results = Results(points=points)
    assert mean_seconds(results) == {"wmv": (pytest.approx(0.3), 0.1), "x": (0.1, 0.5)}
    assert losses(results) == ["Time of encoding: wmv takes 3.0 times that of x."]


def test_nothing_measured_gives_no_sentences():
    assert subject_of(Results()) == "wmv"
    assert headlines(Results()) == losses(Results()) == order(Results()) == []
    assert scope(Results()).startswith("0 codecs on 0 pictures")


def test_without_wmv_the_first_codec_is_the_subject():
    assert subject_of(Results(points=(Point("x", "1", 0.1), Point("y", "1", 0.1)))) == "x"


def test_scope_counts_and_names(results):
    assert scope(results) == (
        "3 codecs on 2 pictures of 192x128 pixels: wmv, JPEG | <i>baseline</i> and WebP for $5."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (number(27.716, "psnr"), "27.72"),
        (number(None, "psnr"), MISSING),
        (number(0.12345, "bpp"), "0.1235"),
        (number(-0.5, "map"), f"{MINUS}0.500"),
        (percent(-19.04), f"{MINUS}19.0%"),
        (percent(3.0, 0), "+3%"),
        (interval(1.0, None), MISSING),
        (duration(0.0962), "96.2 ms"),
        (duration(2.3), "2.3 s"),
        (duration(None), MISSING),
        (count(1, "picture"), "1 picture"),
        (joined([]), ""),
        (joined(["a"]), "a"),
        (joined(["a", "b", "c"]), "a, b and c"),
        (quality_name("ms_ssim_db"), "MS-SSIM"),
        (quality_name("map"), "mAP"),
    ],
)
def test_words_and_numbers(text, expected):
    assert text == expected
