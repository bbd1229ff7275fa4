"""Integer probability tables, one for each scale index. Normative text: docs/FORMAT.md section 6.

Why these tables give the same models on every machine: what travels with the weights is
integers, never floats. For a table of n frequencies f summing to 2^16 the coder is handed
g = 256 * f - 1, whose sum is 2^24 - n. constriction's `Categorical(perfect=False)` sets

    scale = (2^24 - n) / sum(g)        cdf[i] = floor((g[0] + ... + g[i-1]) * scale) + i

(`fast_quantized_cdf` in its src/stream/model/categorical.rs). Every partial sum is an integer
below 2^24, hence exact in float64 in any order; the quotient is therefore exactly 1.0, and
cdf[i] = 256 * (f[0] + ... + f[i-1]) exactly. No rounding happens anywhere, and the model is
the table, in units of 2^-24. The tests hold constriction to this with a decoder of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from wavenetmv.errors import CheckpointError

SCALE_COUNT = 64
FREQUENCY_BITS = 16
FREQUENCY_TOTAL = 1 << FREQUENCY_BITS
MAX_RADIUS = 512
CODER_PRECISION_BITS = 24  # constriction's, fixed in its Python package
_CODER_SCALE = 1 << (CODER_PRECISION_BITS - FREQUENCY_BITS)

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class ScaleTables:
    """Probability tables of all scale indexes, checked and ready to code with.

    Entry e of table i stands for the symbol e - radii[i]; its last entry is the escape.
    """

    radii: IntArray  # [64], table i holds the symbols -radii[i]..radii[i]
    frequencies: tuple[IntArray, ...]  # 64 arrays of 2 * radii[i] + 2, each summing to 2^16
    models: tuple[Any, ...]  # constriction models of the same tables

    @classmethod
    def from_arrays(cls, radii: npt.ArrayLike, frequencies: npt.ArrayLike) -> ScaleTables:
        """Check and adopt tables as stored with the weights.

        radii [64] in 0..512; frequencies [sum of 2 * radii + 2] holds the tables one after
        another, every entry >= 1, every table summing to 2^16. CheckpointError otherwise.
        """
        radius_array = _checked_radii(radii)
        flat = _integer_array(frequencies, "frequencies")
        ends = np.cumsum(2 * radius_array + 2)
        if flat.size != ends[-1]:
            raise CheckpointError(
                f"entropy tables: radii ask for {ends[-1]} frequencies, got {flat.size}"
            )
        tables = [_checked_table(table, i) for i, table in enumerate(np.split(flat, ends[:-1]))]
        return cls(radius_array, tuple(tables), tuple(_model(table) for table in tables))

    def step_cost_bits(self) -> npt.NDArray[np.float64]:
        """[64]: how many bits the symbol 1 costs more than the symbol 0, per scale index."""
        return np.array(
            [
                np.log2(table[radius] / table[radius + 1])
                for radius, table in zip(self.radii, self.frequencies, strict=True)
            ]
        )


def default_scales() -> npt.NDArray[np.float64]:
    """The 64 standard deviations, 0.11..64 in logarithmic steps, in units of a quantiser step."""
    return np.geomspace(0.11, 64.0, SCALE_COUNT)


def gaussian_tables(
    scales: npt.ArrayLike, tail_mass: float = 2.0**-14, max_radius: int = MAX_RADIUS
) -> tuple[IntArray, IntArray]:
    """Make tables of zero-mean Gaussians: (radii [64], frequencies [flat]) for `from_arrays`.

    scales [64] are standard deviations > 0. Each radius is the smallest that leaves at most
    `tail_mass` outside, within 1..max_radius. For use once, when weights are exported: the
    result depends on this machine's erfc in its last bit.
    """
    sigmas = np.asarray(scales, dtype=np.float64)
    if sigmas.shape != (SCALE_COUNT,) or not (sigmas > 0).all():
        raise ValueError(f"scales must be {SCALE_COUNT} positive numbers, got {sigmas.shape}")
    if not 1 <= max_radius <= MAX_RADIUS:
        raise ValueError(f"max_radius must be in 1..{MAX_RADIUS}, got {max_radius}")
    radii = [_gaussian_radius(sigma, tail_mass, max_radius) for sigma in sigmas]
    tables = [_quantised(_gaussian_masses(s, k)) for s, k in zip(sigmas, radii, strict=True)]
    return np.array(radii, np.int32), np.concatenate(tables).astype(np.int32)


def fitted_tables(
    counts: npt.NDArray[np.integer],
    scales: npt.ArrayLike,
    prior: float = 1000.0,
    tail_mass: float = 2.0**-14,
) -> tuple[IntArray, IntArray]:
    """Tables of what really occurs at each index: (radii [64], frequencies [flat]).

    counts [64, MAX_RADIUS + 2]: how often magnitudes 0..MAX_RADIUS, and any larger one, came
    up on sample pictures.  They are mixed with `prior` symbols of the Gaussian of `scales`
    [64], which decides where samples are few.  Networks that think in Gaussians meet latents
    with a higher peak and heavier tails, so this saves bits.
    """
    sigmas = np.asarray(scales, dtype=np.float64)
    if counts.shape != (SCALE_COUNT, MAX_RADIUS + 2) or sigmas.shape != (SCALE_COUNT,):
        raise ValueError(f"counts must be [64, {MAX_RADIUS + 2}], got {counts.shape}")
    radii, tables = [], []
    for row, sigma in zip(counts, sigmas, strict=True):
        gaussian = np.array(_gaussian_masses(sigma, MAX_RADIUS))[MAX_RADIUS:]
        gaussian[1:-1] *= 2  # magnitudes stand for both signs
        masses = (row + prior * gaussian) / (row.sum() + prior)
        beyond = masses.sum() - np.cumsum(masses)  # what lies above each magnitude
        radius = min(max(1, int(np.argmax(beyond <= tail_mass))), MAX_RADIUS)
        side = masses[1 : radius + 1] / 2
        table = [*side[::-1], masses[0], *side, masses[radius + 1 :].sum()]
        radii.append(radius)
        tables.append(_quantised(table))
    return np.array(radii, np.int32), np.concatenate(tables).astype(np.int32)


def binary_tables(counts: npt.NDArray[np.integer]) -> tuple[IntArray, IntArray]:
    """Tables of the symbols 0 and 1 from how often they occur: (radii [64], frequencies [flat]).

    counts [64, 2].  Each of the two counts once more than it was seen.
    """
    if counts.shape != (SCALE_COUNT, 2):
        raise ValueError(f"counts must be [{SCALE_COUNT}, 2], got {counts.shape}")
    seen = counts + 1.0
    # -1 and the escape, which are never used, keep the least there is.
    usable = FREQUENCY_TOTAL - 2
    ones = np.clip(np.round(usable * seen[:, 1] / seen.sum(1)), 1, usable - 1)
    least = np.ones_like(ones)
    tables = np.stack([least, usable - ones, ones, least], 1)
    return np.ones(SCALE_COUNT, np.int32), tables.ravel().astype(np.int32)


def _checked_radii(radii: npt.ArrayLike) -> IntArray:
    array = _integer_array(radii, "radii")
    if array.shape != (SCALE_COUNT,):
        raise CheckpointError(f"entropy tables: expected {SCALE_COUNT} radii, got {array.shape}")
    if array.min() < 0 or array.max() > MAX_RADIUS:
        raise CheckpointError(
            f"entropy tables: radii must be in 0..{MAX_RADIUS}, got {array.min()}..{array.max()}"
        )
    return array


def _checked_table(table: IntArray, index: int) -> IntArray:
    if table.min() < 1:
        raise CheckpointError(f"entropy table {index}: frequency {table.min()}, must be >= 1")
    if (total := int(table.sum(dtype=np.int64))) != FREQUENCY_TOTAL:
        raise CheckpointError(
            f"entropy table {index}: frequencies sum to {total}, must be {FREQUENCY_TOTAL}"
        )
    return table


def _integer_array(values: npt.ArrayLike, name: str) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise CheckpointError(
            f"entropy tables: {name} must be a 1-D integer array, got {array.dtype} {array.shape}"
        )
    if array.size and (array.min() < 0 or array.max() > FREQUENCY_TOTAL):
        raise CheckpointError(f"entropy tables: {name} must be in 0..{FREQUENCY_TOTAL}")
    return array.astype(np.int32)  # a copy: the caller's array may change later


def _model(table: IntArray) -> Any:
    scaled = _CODER_SCALE * table.astype(np.float64) - 1.0
    return constriction.stream.model.Categorical(scaled, perfect=False)


def _upper_tail(x: float, sigma: float) -> float:
    return 0.5 * math.erfc(x / (sigma * math.sqrt(2.0)))


def _gaussian_radius(sigma: float, tail_mass: float, max_radius: int) -> int:
    radius = 1
    while radius < max_radius and 2.0 * _upper_tail(radius + 0.5, sigma) > tail_mass:
        radius += 1
    return radius


def _gaussian_masses(sigma: float, radius: int) -> list[float]:
    """Probabilities of -radius..radius and of everything else; they sum to 1."""
    side = [_upper_tail(k - 0.5, sigma) - _upper_tail(k + 0.5, sigma) for k in range(1, radius + 1)]
    centre = math.erf(0.5 / (sigma * math.sqrt(2.0)))
    return [*reversed(side), centre, *side, 2.0 * _upper_tail(radius + 0.5, sigma)]


def _quantised(masses: Sequence[float]) -> list[int]:
    """Integers >= 1 summing to 2^16, proportional to `masses`, by largest remainder."""
    shares = [mass * FREQUENCY_TOTAL for mass in masses]
    # What would round to nothing gets 1; the others pay for that in proportion, which may
    # push further ones below 1, so repeat until none is.
    small: set[int] = set()
    while True:
        rest = FREQUENCY_TOTAL - len(small)
        total = sum(share for i, share in enumerate(shares) if i not in small)
        scaled = [1.0 if i in small else s * rest / total for i, s in enumerate(shares)]
        if not (new := {i for i, s in enumerate(scaled) if s < 1.0}):
            break
        small |= new
    counts = [int(s) for s in scaled]
    # Stable sort: equal remainders go to the lower symbol, on every machine.
    by_remainder = sorted(range(len(scaled)), key=lambda i: counts[i] - scaled[i])
    for i in by_remainder[: FREQUENCY_TOTAL - sum(counts)]:
        counts[i] += 1
    return counts
