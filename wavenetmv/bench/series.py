"""Rates and qualities of one codec as arrays, so that pictures can be drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from wavenetmv.bench.points import Evaluations
from wavenetmv.bench.results import DecodingPath, Row
from wavenetmv.metrics import decibels, monotone

Floats = npt.NDArray[np.float64]
Points = list[tuple[float, float]]
Groups = Sequence[Sequence[Row]]  # per setting the rows of the same pictures in the same order

DETECTION_METRICS = ("map", "agreement")
TASK_METRICS = (*DETECTION_METRICS, "top1")


@dataclass(frozen=True)
class Series:
    """A codec's settings [S] measured on pictures [P].

    bits     bpp of each file [S, P]
    quality  how often each picture counts [B, P] -> mean quality [B, S]
    """

    pictures: Sequence[str]
    bits: Floats
    quality: Callable[[Floats], Floats]
    _known: dict[tuple[tuple[str, ...], bytes], list[Points]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def curves(self, pictures: Sequence[str], counts: Floats) -> list[Points]:
        """Monotone (bpp, quality) curves, one per line of counts [B, len(pictures)].

        A curve of which some quality is not defined (no objects in the draw) is empty.
        Kept: resampling mAP takes seconds, and a codec is held against several anchors.
        """
        key = (tuple(pictures), counts.tobytes())
        if key not in self._known:
            self._known[key] = self._curves(pictures, counts)
        return self._known[key]

    def _curves(self, pictures: Sequence[str], counts: Floats) -> list[Points]:
        own = np.zeros((len(counts), len(self.pictures)))
        own[:, [self.pictures.index(name) for name in pictures]] = counts
        rates = own @ self.bits.T / own.sum(1, keepdims=True)
        quality = self.quality(own)
        return [
            monotone(list(zip(*pair, strict=True))) if np.isfinite(pair).all() else []
            for pair in zip(rates.tolist(), quality.tolist(), strict=True)
        ]


def series_of(
    groups: Groups, evaluations: Evaluations, path: DecodingPath, metric: str
) -> Series | None:
    """One codec's rows; None where `metric` was not measured."""
    if metric in DETECTION_METRICS:
        return _detection_series(groups, evaluations, path, metric)
    name = _COLUMNS.get((metric, path), metric)
    # Small pictures have no MS-SSIM, nor VMAF.
    missing = {row.picture for g in groups for row in g if getattr(row, name) is None}
    kept = [[row for row in group if row.picture not in missing] for group in groups]
    if not kept or not kept[0]:
        return None
    values = np.array([[getattr(row, name) for row in group] for group in kept], float)

    def mean(counts: Floats) -> Floats:
        means: Floats = counts @ values.T / counts.sum(1, keepdims=True)
        return np.vectorize(decibels)(means) if metric == "ms_ssim_db" else means

    return Series([row.picture for row in kept[0]], _bits(kept), mean)


# Columns of rows whose names are not their metric's.
_COLUMNS: dict[tuple[str, DecodingPath], str] = {
    ("ms_ssim_db", "pixels"): "ms_ssim",
    ("top1", "latents"): "latents_top1",
}


def _detection_series(
    groups: Groups, evaluations: Evaluations, path: DecodingPath, metric: str
) -> Series | None:
    done = [evaluations.get((g[0].codec, path, g[0].setting), {}).get(metric) for g in groups]
    found = [evaluation for evaluation in done if evaluation is not None]
    if not found or len(found) < len(groups):
        return None

    def average_precision(counts: Floats) -> Floats:
        return np.stack([evaluation.resampled(counts) for evaluation in found], 1)

    return Series(found[0].pictures, _bits(groups), average_precision)


def _bits(groups: Groups) -> Floats:
    return np.array([[row.bpp for row in group] for group in groups], float)
