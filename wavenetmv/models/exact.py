"""The shipped entropy model: from integers to probabilities' indexes, exact everywhere.

Built from the integers of `export_entropy`, which training writes once into the weights
file.  Everything here is an integer held in float32 (or int32), so encoder and decoder
find the same means and scale indexes on any machine: see `models.quantised`.

Means, and the latents made from them, count sixteenths of a quantiser step:

    y_sixteenths = 16 * symbol + mean
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from wavenetmv.models.config import ModelConfig
from wavenetmv.models.entropy import (
    CONTEXT_BITS,
    CONTEXT_MAX,
    INDEX_UNIT_BITS,
    MEAN_BITS,
    SCALE_LEVELS,
    Context,
    EntropyModel,
    HyperSynthesis,
    means_and_indexes,
)
from wavenetmv.models.exact_conv import ExactConv2d
from wavenetmv.models.gains import ANCHOR_LAMBDAS
from wavenetmv.models.layout import to_bytes
from wavenetmv.models.partition import STEPS
from wavenetmv.models.quantised import (
    OUTPUT_BITS,
    FakeQuantConv2d,
    export_integers,
    import_integers,
)
from wavenetmv.models.z_prior import z_scale_indexes

PREFIX = "entropy."
_NETWORKS = ("h_s", "contexts")
_STRIP = 64  # rows of latents at a time; even, so that phases stay what they are

Network = TypeVar("Network", HyperSynthesis, Context)


@torch.no_grad()
def export_entropy(entropy: EntropyModel) -> dict[str, Tensor]:
    """All integers behind the probabilities, named for the weights file."""
    tensors: dict[str, Tensor] = {
        # One row per anchor lambda; rows in between are interpolated in integers.
        f"{PREFIX}z_index": torch.floor(entropy.z_index * 2**INDEX_UNIT_BITS + 0.5)
        .clamp(0, SCALE_LEVELS - 1)
        .to(torch.int16)
    }
    for network in _NETWORKS:
        for name, layer in getattr(entropy, network).named_modules():
            if isinstance(layer, FakeQuantConv2d):
                for key, value in export_integers(layer).items():
                    tensors[f"{PREFIX}{network}.{name}.{key}"] = value
    return tensors


@torch.no_grad()
def restore_entropy(entropy: EntropyModel, tensors: Mapping[str, Tensor]) -> None:
    """Inverse of `export_entropy`: the trainable model that exports these integers."""
    entropy.z_index.copy_(tensors[f"{PREFIX}z_index"].float() / 2**INDEX_UNIT_BITS)
    for network in _NETWORKS:
        for name, layer in getattr(entropy, network).named_modules():
            if isinstance(layer, FakeQuantConv2d):
                key = f"{PREFIX}{network}.{name}."
                import_integers(
                    layer, *(tensors[key + part] for part in ("weight", "bias", "exponent"))
                )


class ExactEntropyModel(nn.Module):
    """Means and scale indexes of every latent, step by step, for one picture (B = 1)."""

    def __init__(
        self, config: ModelConfig, tensors: Mapping[str, Tensor], *, temporal: bool = False
    ) -> None:
        """Raises KeyError or ValueError when `tensors` do not fit `config`."""
        super().__init__()
        self.config = config
        self.h_s = _exact(HyperSynthesis(config, temporal=temporal), tensors, "h_s.")
        self.contexts = [
            _exact(Context(config, step), tensors, f"contexts.{step - 1}.")
            for step in range(1, STEPS)
        ]
        self._registered = nn.ModuleList(self.contexts)
        z_index = tensors[f"{PREFIX}z_index"]
        if z_index.shape != (config.profiles * len(ANCHOR_LAMBDAS), config.N):
            raise ValueError(f"z_index has shape {tuple(z_index.shape)}")
        self.z_anchor_indexes = z_index.numpy()

    def z_indexes(self, lambda_index: int, block: int = 0) -> Tensor:
        """Scale index of each channel of z, uint8 [N]; `lambda_index` in 0..320."""
        return torch.from_numpy(z_scale_indexes(self.z_anchor_indexes, lambda_index, block))

    def hyper(self, z_hat: Tensor, past: Tensor | None = None) -> Tensor:
        """z_hat integers [1, N, h/4, w/4] -> features [1, C, h, w] for `parameters_of_step`.

        past [1, M + 2, h, w]: the integers of `entropy.TemporalContext`, for inter frames.
        """
        features: Tensor = self.h_s(z_hat.float(), past)
        return features

    def parameters_of_step(
        self, step: int, features: Tensor, y_sixteenths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Means (sixteenths, int32) and scale indexes (uint8), both [1, M, h/2, w/2].

        y_sixteenths [1, M, h, w]: float32 integers, zero where nothing is decoded yet.
        Computed strip by strip, to the same integers: a large picture needs less memory.
        """
        h = features.shape[2]
        strips = [
            self._strip(step, features, y_sixteenths, top, min(top + _STRIP, h))
            for top in range(0, h, _STRIP)
        ]
        if len(strips) == 1:
            return strips[0]
        means, indexes = zip(*strips, strict=True)
        return torch.cat(means, 2), torch.cat(indexes, 2)

    def _strip(
        self, step: int, features: Tensor, y_sixteenths: Tensor, top: int, bottom: int
    ) -> tuple[Tensor, Tensor]:
        groups = self.h_s.parameters_of(step, features[:, :, top:bottom])
        if step:
            context = self.contexts[step - 1]
            # The context's 3x3 layer sees one row above and below.
            first, last = max(0, top - 1), min(features.shape[2], bottom + 1)
            hidden = context(features[:, :, first:last], as_context(y_sixteenths[:, :, first:last]))
            change = context.parameters_of(hidden[:, :, top - first : bottom - first])
            groups = [base.add_(delta) for base, delta in zip(groups, change, strict=True)]
        mean, index = means_and_indexes(groups)
        # From steps of 1/64 to 1/16 and to whole indexes, rounding to nearest.
        half = 2.0 ** (OUTPUT_BITS - MEAN_BITS - 1)
        mean = mean.add_(half).mul_(2.0 ** (MEAN_BITS - OUTPUT_BITS)).floor_()
        half = 2.0 ** (OUTPUT_BITS - INDEX_UNIT_BITS - 1)
        index = index.add_(half).mul_(2.0 ** (INDEX_UNIT_BITS - OUTPUT_BITS)).floor_()
        return mean.to(torch.int32), to_bytes(index.clamp_(0, SCALE_LEVELS - 1))


def as_context(y_sixteenths: Tensor) -> Tensor:
    """Latents in sixteenths -> the integers that the context networks see."""
    seen = torch.floor((y_sixteenths + 2) * 2.0 ** (CONTEXT_BITS - MEAN_BITS))
    return seen.clamp_(-CONTEXT_MAX, CONTEXT_MAX)


def _exact(module: Network, tensors: Mapping[str, Tensor], prefix: str) -> Network:
    """`module` with every trainable convolution replaced by its exact form."""
    for name, layer in list(module.named_modules()):
        if not isinstance(layer, FakeQuantConv2d):
            continue
        key = f"{PREFIX}{prefix}{name}."
        weight, bias, exponent = (tensors[key + part] for part in ("weight", "bias", "exponent"))
        if weight.shape != layer.weight.shape or bias.shape != exponent.shape:
            raise ValueError(f"{key}weight has shape {tuple(weight.shape)}")
        parent = module.get_submodule(name.rpartition(".")[0])
        exact = ExactConv2d(weight, bias, exponent, layer.hidden, layer.bytes_in)
        setattr(parent, name.rpartition(".")[2], exact)
    return module
