"""Residuals that become 0 although they would not round to it: they are not worth their bits."""

from __future__ import annotations

import math

from torch import Tensor

# Slope of distortion over rate, in squared quantiser steps per bit.  Uniform quantisation at
# high rate has D = 1/12 and dD/dR = -2 ln(2) D; a third of that is best on real files, because
# the networks learned their reconstruction points with plain rounding.
RD_SLOPE = 2 * math.log(2) / 12 / 3
_MOST_RESCALED = 1.5  # larger ones would round to 2


def dead_zone_of(cost_bits: Tensor, slope: float = RD_SLOPE) -> Tensor:
    """Residual magnitude from which a symbol of +-1 is worth its bits.

    cost_bits [...]: how many bits +-1 costs more than 0.  Solves
    (1 - r)^2 + slope * cost = r^2, kept within 0.5..0.95.
    """
    return (0.5 + slope / 2 * cost_bits).clamp(0.5, 0.95)


def rescaled(dead_zone: Tensor, factor: Tensor | float) -> Tensor:
    """`dead_zone_of` for `factor` times the slope, everywhere or element by element."""
    return (0.5 + (dead_zone - 0.5) * factor).clamp(max=_MOST_RESCALED)
