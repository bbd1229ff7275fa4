"""The one walk over z and the four steps of y that encoder and decoder share.

Each side brings an `Exchange`: given the scale indexes of the next symbols (and, on the
encoder's side, their means), it returns the symbols: the encoder rounds its latents, the
decoder reads its stream.  Everything else is the same code on both sides, which is half of
the proof that both see the same indexes.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from wavenetmv.models.dead_zone import rescaled
from wavenetmv.models.entropy import MEAN_BITS, Z_MAX
from wavenetmv.models.exact import ExactEntropyModel
from wavenetmv.models.layout import channels_last
from wavenetmv.models.partition import STEPS, gather, scatter_
from wavenetmv.types import MAX_SYMBOL


class Exchange(Protocol):
    def hyper(self, indexes: Tensor) -> Tensor:
        """indexes uint8 [N, h/4, w/4] -> z_hat int32 of the same shape."""

    def step(self, step: int, means: Tensor, indexes: Tensor) -> Tensor:
        """means int32 (sixteenths), indexes uint8, [1, M, h/2, w/2] -> symbols int32, same."""


@torch.inference_mode()
def walk(
    entropy: ExactEntropyModel,
    size: tuple[int, int],
    lambda_index: int,
    exchange: Exchange,
    block: int = 0,
    past: Tensor | None = None,
) -> Tensor:
    """Code all latents of one picture; `size` = (h, w) of y, multiples of 4.

    `lambda_index` in 0..320; `block` as in models/gains.py; `past` as `ExactEntropyModel.hyper`
    wants it.

    Returns y_hat in sixteenths of a quantiser step: float32 integers [1, M, h, w].
    """
    h, w = size
    z_indexes = entropy.z_indexes(lambda_index, block)
    z_hat = exchange.hyper(z_indexes[:, None, None].expand(-1, h // 4, w // 4))
    features = entropy.hyper(z_hat[None], past)
    y_sixteenths = channels_last(features.new_zeros(1, entropy.config.M, h, w))
    for step in range(STEPS):
        means, indexes = entropy.parameters_of_step(step, features, y_sixteenths)
        symbols = exchange.step(step, means, indexes)
        values = symbols * (1 << MEAN_BITS) + means
        scatter_(y_sixteenths, values.float(), step)
    return y_sixteenths


class Quantise:
    """The encoder's side: rounds z and y and remembers symbols and indexes in order."""

    def __init__(
        self,
        y: Tensor,
        z: Tensor,
        dead_zone: Tensor | None = None,
        leniency: Tensor | None = None,
    ) -> None:
        """y float [1, M, h, w] times the gain; z float [1, N, h/4, w/4].

        dead_zone [64]: per scale index, residuals below this magnitude become 0 although
        they may round to 1 (`dead_zone_of`); None is plain rounding.
        leniency [h, w]: so many times the slope of distortion over rate there that `dead_zone`
        was made for.
        """
        self.y, self.z, self.dead_zone = y, z, dead_zone
        self.leniency = None if leniency is None else leniency.expand_as(y)
        self.coded: list[tuple[Tensor, Tensor]] = []  # (symbols int32, indexes uint8), flat

    def hyper(self, indexes: Tensor) -> Tensor:
        z_hat = torch.floor(self.z[0] + 0.5).clamp_(-Z_MAX, Z_MAX).to(torch.int32)
        self.coded.append((z_hat.flatten(), indexes.flatten()))
        return z_hat

    def step(self, step: int, means: Tensor, indexes: Tensor) -> Tensor:
        residual = gather(self.y, step) - means * 2.0**-MEAN_BITS
        symbols = torch.floor(residual + 0.5).clamp_(-MAX_SYMBOL, MAX_SYMBOL)
        if self.dead_zone is not None:
            threshold = self.dead_zone[indexes.int()]
            if self.leniency is not None:
                threshold = rescaled(threshold, gather(self.leniency, step))
            symbols *= residual.abs_() >= threshold
        symbols = symbols.to(torch.int32)
        self.coded.append((symbols.flatten(), indexes.flatten()))
        return symbols
