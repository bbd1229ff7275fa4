"""Every codec against the anchor: BD-rate and BD-quality, with an interval over pictures.

The interval says how much the number depends on which pictures were chosen: pictures are
drawn anew with replacement, the same draw for both codecs, and the middle 95 percent of the
resulting BD-rates are reported (percentile bootstrap; Efron, 1979).  Curves are made
monotone first (`metrics.monotone`), each draw's as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from wavenetmv.bench.points import PATHS, Evaluations
from wavenetmv.bench.results import Comparison
from wavenetmv.bench.series import TASK_METRICS, Floats, Groups, Series, series_of
from wavenetmv.metrics import Curve, bd_quality, bd_rate

DRAWS = 200
_PERCENTILES = (2.5, 97.5)
# With more draws that have no BD-rate, the interval would leave out the extreme ones.
_LEAST_SHARE = 0.95
# Below this share of the shorter curve a BD-rate says little about the rest of it.
_LEAST_OVERLAP = 0.25
_NAMES = {
    "psnr": "PSNR", "ms_ssim_db": "MS-SSIM", "vmaf": "VMAF", "map": "mAP",
    "agreement": "agreement", "top1": "top-1 agreement",
}  # fmt: skip


def compare_all(
    groups: Mapping[str, Groups],
    evaluations: Evaluations,
    anchors: Sequence[str],
    metrics: Sequence[str],
) -> list[list[Comparison]]:
    """For each anchor every codec by pixels, and by latents where a head read its streams.

    groups   by codec the rows of each setting, see `points.complete_rows`
    metrics  of results.MEASURES; an anchor always counts by pixels
    """
    series = {
        (codec, path, metric): series_of(own, evaluations, path, metric)
        for metric in metrics
        for codec, own in groups.items()
        for path in (PATHS if metric in TASK_METRICS else PATHS[:1])
    }
    return [
        [
            compare(
                Comparison(anchor, codec, metric, path), series.get((anchor, "pixels", metric)), own
            )
            for (codec, path, metric), own in series.items()
            if (codec, path) != (anchor, "pixels") and (own or path == "pixels")
        ]
        for anchor in anchors
    ]


def compare(blank: Comparison, anchor: Series | None, test: Series | None) -> Comparison:
    """`blank` with its numbers, and with a note where one is missing or needs care."""
    if anchor is None or test is None:
        codec = blank.anchor if anchor is None else blank.codec
        return replace(blank, note=f"{_NAMES[blank.metric]} of {codec} was not measured")
    pictures = [name for name in anchor.pictures if name in test.pictures]
    if not pictures:
        return replace(blank, note="the two codecs have no picture in common")
    counts = _draws(len(pictures))
    curves = zip(anchor.curves(pictures, counts), test.curves(pictures, counts), strict=True)
    (base, own), *drawn = curves
    rate = _delta(bd_rate, base, own)
    low, high = _interval([_delta(bd_rate, *pair) for pair in drawn])
    notes = [_range_note(_NAMES[blank.metric], base, own, rate)]
    if len(pictures) < max(len(anchor.pictures), len(test.pictures)):
        notes.append(f"on the {len(pictures)} pictures that both have")
    return replace(
        blank,
        bd_rate=rate,
        low=None if rate is None else low,
        high=None if rate is None else high,
        bd_quality=_delta(bd_quality, base, own),
        note="; ".join(filter(None, notes)),
    )


def _draws(pictures: int) -> Floats:
    """How often each picture counts [1 + DRAWS, pictures]: first each once, then the draws."""
    once = np.ones((1, pictures))
    if pictures == 1:
        return once  # says nothing about other pictures
    share = np.full(pictures, 1 / pictures)
    return np.concatenate([once, np.random.default_rng(0).multinomial(pictures, share, DRAWS)])


def _delta(measure: Callable[[Curve, Curve], float], base: Curve, own: Curve) -> float | None:
    try:
        value = measure(base, own)
    except ValueError:  # no common range, or a single point
        return None
    return value if np.isfinite(value) else None


def _interval(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    there = [value for value in values if value is not None]
    if not there or len(there) < _LEAST_SHARE * len(values):
        return None, None
    low, high = np.percentile(there, _PERCENTILES)
    return float(low), float(high)


def _range_note(name: str, base: Curve, own: Curve, rate: float | None) -> str:
    if not base or not own:
        return f"{name} is not defined on these pictures"
    (base_low, base_high), (own_low, own_high) = (
        (min(q for _, q in curve), max(q for _, q in curve)) for curve in (base, own)
    )
    if rate is None:
        if at := _same_quality(name, base, own):
            return f"no common range: {at}"
        ranges = f"{own_low:.4g} to {own_high:.4g} against {base_low:.4g} to {base_high:.4g}"
        return f"no common range of {name}: {ranges}"
    low, high = max(base_low, own_low), min(base_high, own_high)
    if high - low < _LEAST_OVERLAP * min(base_high - base_low, own_high - own_low):
        return f"common range only {low:.4g} to {high:.4g}"
    return ""


def _same_quality(name: str, base: Curve, own: Curve) -> str:
    """The rates at one quality that both reach, "" if there is none."""
    rates, qualities = np.array(base).T
    reached = [point for point in own if qualities[0] <= point[1] <= qualities[-1]]
    if not reached:
        return ""
    rate, quality = max(reached, key=lambda point: point[1])
    other = float(np.exp(np.interp(quality, qualities, np.log(rates))))
    return f"{rate:.3f} bpp against {other:.3f} at {name} {quality:.4g}"
