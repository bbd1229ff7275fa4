"""The whole network, as it is trained: transforms, gains and entropy model together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from wavenetmv.models.config import ModelConfig
from wavenetmv.models.entropy import EntropyModel
from wavenetmv.models.gains import ANCHOR_LAMBDAS, Gains
from wavenetmv.models.heads import Head, build_head
from wavenetmv.models.lifting import LiftingPacket
from wavenetmv.models.machine_synthesis import machine_synthesis
from wavenetmv.models.post_filter import PostFilter, post_filter
from wavenetmv.models.transforms import AnalysisTransform, SynthesisTransform


@dataclass(frozen=True)
class Output:
    """One training pass over a batch."""

    x_hat: Tensor  # [B, 3, H, W], about [0, 1], not clamped
    y_hat: Tensor  # [B, M, H/16, W/16], in quantiser steps
    y_bits: Tensor  # [B], estimated
    z_bits: Tensor  # [B], estimated


class CodecModel(nn.Module):
    """`heads`: the vision heads that train with the codec, by task, as `Head.config` says."""

    def __init__(
        self, config: ModelConfig, heads: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.lifting = LiftingPacket(config.lifting_hidden, config.base)
        self.g_a = AnalysisTransform(config)
        self.g_s = SynthesisTransform(config)
        self.post = post_filter(config)
        self.for_machines = machine_synthesis(config)
        self.gains = Gains(config.M, config.profiles)
        self.entropy = EntropyModel(config, len(ANCHOR_LAMBDAS))
        self.heads = nn.ModuleDict(
            {task: build_head(task, **sizes) for task, sizes in (heads or {}).items()}
        )

    def describe(self) -> dict[str, Any]:
        """What a checkpoint needs to build the model again."""
        heads = {task: cast(Head, head).config() for task, head in self.heads.items()}
        return {"config": self.config.to_dict(), "heads": heads}

    def analysis(self, x: Tensor) -> Tensor:
        """x [B, 3, H, W] in [0, 1], sides multiples of 64 -> y [B, M, H/16, W/16], no gain."""
        packet = self.lifting(x - 0.5)
        y: Tensor = self.g_a(packet, self.g_a.mixture(packet))
        return y

    def synthesis(self, y_hat: Tensor, level: Tensor, block: Tensor | int = 0) -> Tensor:
        """y_hat [B, M, H/16, W/16], gain undone, and its `Gains.level` -> x_hat [B, 3, H, W],
        not clamped; block as in models/gains.py."""
        if self.for_machines is None:
            return self._drawn(self.g_s, self.post, y_hat, level)
        for_machines = torch.as_tensor(block, device=y_hat.device).bool().expand(len(y_hat))
        drawn, places = [], []
        for networks, wanted in ((self, ~for_machines), (self.for_machines, for_machines)):
            if len(rows := wanted.nonzero().flatten()):
                drawn.append(self._drawn(networks.g_s, networks.post, y_hat[rows], level[rows]))
                places.append(rows)
        return torch.cat(drawn)[torch.cat(places).argsort()]

    def _drawn(
        self, g_s: SynthesisTransform, post: PostFilter | None, y_hat: Tensor, level: Tensor
    ) -> Tensor:
        x = self._unfiltered(g_s, y_hat)
        return (x if post is None else post(x, level)) + 0.5

    def unfiltered(self, y_hat: Tensor) -> Tensor:
        """y_hat -> what `post` makes the picture of, around zero."""
        return self._unfiltered(self.g_s, y_hat)

    def _unfiltered(self, g_s: SynthesisTransform, y_hat: Tensor) -> Tensor:
        x: Tensor = self.lifting.inverse(g_s(y_hat, g_s.mixture(y_hat)))
        return x

    def forward(self, x: Tensor, position: Tensor, block: Tensor | int = 0) -> Output:
        """x as for `analysis`; position [B] = log2(lambda / 64), block as in models/gains.py."""
        y = self.analysis(x).float() * self.gains.encoder(position, block)
        coded = self.entropy(y, position, block)
        y_hat = coded.y_hat * self.gains.decoder(position, block)
        x_hat = self.synthesis(y_hat, self.gains.level(position, block), block).float()
        return Output(x_hat, coded.y_hat, coded.y_bits, coded.z_bits)
