"""Latents moved until a head answers to them as to the original: descent through the quantiser.

What rounding changes of a head's answers is made of thousands of little errors, of which most
cancel.  The encoder can ask what became of the answers, and by the head's gradient which way each
latent would have to go for them to mend.  It moves latents a little that way before they are
rounded, so that some that lie between two symbols become the other one, and codes the frame
again: bits and pixels stay about as they were, and the answers come back (docs/decisions/0031).

    attempt -> y_hat -> Answers -> gradient -> Codable.pull_back -> shift of latents -> attempt
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from wavenetmv.frame_codec import Coded
from wavenetmv.models.answers import Answers
from wavenetmv.types import index_to_lambda

# What a unit of the errors' root is worth in bits, at lambda 128 and in powers of lambda.
_WORTH_AT_128, _WORTH_POWER = 9700.0, 1.42
_LITTLE = 0.2  # errors of a picture of which less would hardly be worth anything
_DONE = 0.12  # of the cost: where what is left wrong is less, another attempt would save little
_USUAL_PIXELS = 640 * 480  # of the pictures that this is for

# How often a picture is coded at most, one of few bits and a large one: what little there is has to
# lie better, and each attempt takes time by the pixel.
_TRIALS, _TRIALS_OF_FEW_BITS, _TRIALS_OF_LARGE = 16, 24, 6
_FEW_BITS = 192.0  # lambda, below which they are
_LARGE_FROM = 2_000_000  # pixels; beyond, trials get fewer

# If latents moved as they are told to, and answers with them, the first step would undo the errors
# so many times. Most moves end in the rounding, and more of them the fewer bits there are.
_FIRST_STEP, _FIRST_STEP_POWER, _FIRST_STEP_MOST = 22.0, -0.65, 14.0  # of lambda / 128
# Symbols that do move should undo them so many times; less than half of that comes true, because
# answers are far from linear. The next step is longer or shorter by what the last one's did.
_WANTED, _WANTED_POWER, _WANTED_LEAST, _WANTED_MOST = 2.1, -0.35, 1.0, 1.6  # of lambda / 128
_MOST_LONGER, _MOST_SHORTER = 2.0, 8.0
_ASTRAY = 2.0  # times the error before: from there it does not go on, but back
_MOST_SHIFT = 1.0  # quantiser steps that a latent goes at once


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a descent is.

    steps     what is coded there, in quantiser steps
    error     of the answers, and its gradient by these
    shift     of the latents that were rounded to it; None: they are as they were
    """

    steps: Tensor
    error: float
    gradient: Tensor
    shift: Tensor | None

    def next_shift(self, size: float) -> Tensor:
        """By a step downhill that would undo `size` times the error if all were linear."""
        # Square roots: of a few long moves most would be beyond what is linear, and of many
        # equal ones most would be for nothing.
        way = self.gradient.sign() * self.gradient.abs().sqrt()
        length = size * self.error / float((way * self.gradient).sum())
        move = (way * -length).clamp(-_MOST_SHIFT, _MOST_SHIFT)
        return move if self.shift is None else self.shift + move

    def undone_by(self, steps: Tensor) -> float:
        """How many times these would undo the error if answers were linear."""
        return -float((self.gradient * (steps - self.steps)).sum()) / self.error


@dataclass(frozen=True)
class _Costs:
    """What attempts cost: bits, and what is left wrong.

    worth      of a unit of the errors' root, in bits
    most_bits  that an attempt may have; if that is finite, all up to there are as cheap
    """

    worth: float
    most_bits: float

    @classmethod
    def at(cls, lmbda: float, pixels: int, most_bits: float) -> _Costs:
        worth = _WORTH_AT_128 * math.pow(lmbda / 128, _WORTH_POWER)
        return cls(worth * math.sqrt(pixels / _USUAL_PIXELS), most_bits)

    def of(self, bits: float, error: float) -> float:
        wrong = self._wrong(error)
        return wrong if math.isfinite(self.most_bits) else bits + wrong

    def little_is_wrong(self, bits: float, error: float) -> bool:
        wrong = self._wrong(error)
        return wrong < _DONE * (bits + wrong)

    def _wrong(self, error: float) -> float:
        return self.worth * (math.sqrt(_LITTLE + error) - math.sqrt(_LITTLE))


@dataclass
class _Pace:
    """How long the next step is: it would undo the error `size` times if all were linear, so that
    symbols that do move undo it `wanted` times."""

    size: float
    wanted: float

    @classmethod
    def at(cls, lmbda: float) -> _Pace:
        ratio = lmbda / 128
        wanted = _WANTED * ratio**_WANTED_POWER
        return cls(
            min(_FIRST_STEP_MOST, _FIRST_STEP * ratio**_FIRST_STEP_POWER),
            min(_WANTED_MOST, max(_WANTED_LEAST, wanted)),
        )

    def learn(self, undone: float) -> None:
        """From how many times the last step's symbols undid the error."""
        change = self.wanted / max(undone, 1e-6)
        self.size *= min(_MOST_LONGER, max(1 / _MOST_SHORTER, change))

    def shorten(self) -> None:
        self.size /= _MOST_LONGER


@dataclass(frozen=True)
class AnswerDescent:
    """Looks for the attempt that costs least, bits and what they leave wrong: a
    `frame_codec.Search`.

    answers  to the frame as it was
    pixels   of it
    trials   how often it is coded, at most; None: `default_trials`
    """

    answers: Answers
    pixels: int
    trials: int | None = None

    def __call__(
        self,
        lambda_index: int,
        attempts: Callable[[Tensor | None], Coded],
        spare_bits: float = math.inf,
    ) -> Coded:
        lmbda = index_to_lambda(lambda_index)
        best = attempt = attempts(None)
        bits = attempt.bits()
        costs = _Costs.at(lmbda, self.pixels, bits + spare_bits)
        pace = _Pace.at(lmbda)
        lowest, done = math.inf, False
        place: _Place | None = None
        shift: Tensor | None = None
        trials = self.trials or default_trials(self.pixels, lmbda)
        for left in reversed(range(trials)):
            if bits <= costs.most_bits:
                error, gradient = self._judged(attempt, wanted=left > 0)
                if (cost := costs.of(bits, error)) < lowest:
                    best, lowest = attempt, cost
                    done = costs.little_is_wrong(bits, error)
                if done or gradient is None or not gradient.any():
                    break
                steps = attempt.steps()
                if place is not None:
                    pace.learn(place.undone_by(steps))
                if place is None or error < _ASTRAY * place.error:
                    place = _Place(steps, error, gradient, shift)
            else:
                pace.shorten()
            if not left:
                break
            assert place is not None  # the first attempt takes no more bits than itself
            shift = place.next_shift(pace.size)
            attempt = attempts(shift)
            bits = attempt.bits()
        return best

    def _judged(self, attempt: Coded, wanted: bool) -> tuple[float, Tensor | None]:
        """Its error, and if it is `wanted` the gradient by what is coded."""
        if not wanted:
            return self.answers.error(attempt.y_hat()), None
        error, gradient = self.answers.gradient(attempt.y_hat())
        return error, attempt.pull_back(gradient)


def default_trials(pixels: int, lmbda: float) -> int:
    """How often a picture of so many pixels is coded at most, if nobody says."""
    most = _TRIALS_OF_FEW_BITS if lmbda < _FEW_BITS else _TRIALS
    return max(_TRIALS_OF_LARGE, min(most, most * _LARGE_FROM // pixels))
