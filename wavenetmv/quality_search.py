"""The best of several attempts at one picture: how many bits each part of it is worth.

A head's sensitivity says what small errors would cost (focus.py). What it answers to the picture
as coded says what they did cost, and the encoder can know it.  So it codes the picture at some
levels of quality, looks at bits and errors of each cell of 64 x 64 pixels in each attempt, and
puts together the levels that were best where they were, which is the next attempt
(docs/decisions/0029).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wavenetmv.frame_codec import Codable, Coded
from wavenetmv.models.answers import Cells
from wavenetmv.types import (
    DROP_MAX,
    DROP_STEPS,
    LAMBDA_INDEX_MAX,
    index_to_lambda,
)

_SHIFTS = (0, -2, 2)  # half octaves of lambda that the first attempts differ by
# What a unit of the errors' root is worth in bits, at lambda 128 and in powers of lambda: so that
# files are about as large as without a search.
_WORTH_AT_128, _WORTH_POWER = 9700.0, 1.42
_LITTLE = 0.2  # errors of a picture of which less would hardly be worth anything
_USUAL_PIXELS = 640 * 480  # of the pictures that this is for
# Of the worth, after an attempt that is within a limit of bits, or that is not.
_WHERE_IT_FITS, _WHERE_NOT = 1.6, 0.75
_SEED = 1
_VARIATIONS = 8  # drawn, before there seem to be no others

# Half octaves of lambda above what was asked for, for each cell, int64 [H, W].
Levels = npt.NDArray[np.int64]
Judge = Callable[[Codable], Cells]


@dataclass(frozen=True, eq=False)
class _Tried:
    levels: Levels
    bits: Cells
    errors: Cells

    @property
    def total_bits(self) -> float:
        return float(self.bits.sum())

    @property
    def root(self) -> float:
        """Of its errors: the first objects that are lost count most, those of a hopeless picture
        little."""
        return math.sqrt(_LITTLE + float(self.errors.sum()))

    def cost(self, worth: float) -> float:
        """In bits."""
        return self.total_bits + worth * self.root


@dataclass(frozen=True)
class QualitySearch:
    """Looks for the attempt that costs least: bits, and what they leave wrong.

    drops   where to begin, half octaves below lambda, uint8 [H, W]
    judge   what is wrong with an attempt, for each cell
    pixels  of the picture
    trials  how often it is coded, at most
    """

    drops: npt.NDArray[np.uint8]
    judge: Judge
    pixels: int
    trials: int

    def __call__(
        self,
        lambda_index: int,
        attempts: Callable[[int, npt.NDArray[np.uint8]], Coded],
        spare_bits: float = math.inf,
    ) -> Coded:
        """As `frame_codec.Search`, for a picture that is worth `lambda_index`."""
        worth = _worth(lambda_index) * math.sqrt(self.pixels / _USUAL_PIXELS)
        limited, most_bits = math.isfinite(spare_bits), math.inf
        worth *= _WHERE_IT_FITS if limited else 1.0
        tried: dict[bytes, _Tried] = {}
        best: Coded | None = None  # no other is kept: those of large pictures are large
        lowest = math.inf
        generator = np.random.default_rng(_SEED)
        while (levels := self._next(tried, lambda_index, worth, generator)) is not None:
            attempt = attempts(*_absolute(levels, lambda_index))
            new = _Tried(levels, attempt.cell_bits(), self.judge(attempt))
            if best is None:
                most_bits = new.total_bits + spare_bits
            tried[levels.tobytes()] = new
            fits = new.total_bits <= most_bits
            rank = new.root if limited else new.cost(worth)
            if best is None or (fits and rank < lowest):
                best, lowest = attempt, rank
            if limited and len(tried) > len(_SHIFTS):
                worth *= _WHERE_IT_FITS if fits else _WHERE_NOT  # towards the limit
        assert best is not None
        return best

    def _next(
        self,
        tried: dict[bytes, _Tried],
        lambda_index: int,
        worth: float,
        generator: np.random.Generator,
    ) -> Levels | None:
        """What to try after all that was `tried`; None at the end."""
        if len(tried) >= self.trials:
            return None
        wanted = self._wanted(tried, worth, generator)
        allowed = (_allowed(levels, lambda_index) for levels in wanted)
        return next((levels for levels in allowed if levels.tobytes() not in tried), None)

    def _wanted(
        self, tried: dict[bytes, _Tried], worth: float, generator: np.random.Generator
    ) -> Iterator[Levels]:
        """What might be tried, the most promising first."""
        start = -self.drops.astype(np.int64)
        yield from (start + shift for shift in _SHIFTS)
        best = min(tried.values(), key=lambda each: each.cost(worth))
        yield _composed(list(tried.values()), best, worth)
        for _ in range(_VARIATIONS):
            yield best.levels + generator.integers(-1, 2, start.shape)


def _worth(lambda_index: int) -> float:
    return _WORTH_AT_128 * math.pow(index_to_lambda(lambda_index) / 128, _WORTH_POWER)


def _composed(tried: list[_Tried], best: _Tried, worth: float) -> Levels:
    """For each cell the level that cost least there, in whatever it was tried."""
    slope = worth / (2 * best.root)  # what errors are worth where the best is
    costs = np.stack([each.bits + slope * each.errors for each in tried])
    levels = np.stack([each.levels for each in tried])
    composed: Levels = np.take_along_axis(levels, costs.argmin(0)[None], 0)[0]
    return composed


def _allowed(levels: Levels, lambda_index: int) -> Levels:
    """`levels` within what a stream can say."""
    highest = (LAMBDA_INDEX_MAX - lambda_index) // DROP_STEPS
    levels = levels.clip(max=highest)
    return levels.clip(min=levels.max() - DROP_MAX)


def _absolute(levels: Levels, lambda_index: int) -> tuple[int, npt.NDArray[np.uint8]]:
    """A lambda's index, and the drops from it that make the levels."""
    top = max(int(levels.max()), -(lambda_index // DROP_STEPS))
    return lambda_index + DROP_STEPS * top, (top - levels).clip(0, DROP_MAX).astype(np.uint8)
