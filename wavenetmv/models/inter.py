"""Inter frames: what motion cannot predict of a frame, coded by networks that see the prediction.

    reference, motion -> prediction -> packet p
    frame - prediction -> packet r --(r, p)--> g_a -> y -> entropy model (sees the past) -> y_hat
    (y_hat, p) -> g_s -> packet -> + prediction -> frame

The transforms are those of pictures with two linear paths for the prediction each, which
start at zero: at first a picture codec codes the residual, then training finds how much of
the prediction to believe (conditional coding: Li et al., "Deep contextual video compression",
NeurIPS 2021).  The entropy model's view of the past is made of integers only, so that every
machine decodes the same symbols.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from wavenetmv.models.codec_model import CodecModel, Output
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.entropy import CONTEXT_BITS, CONTEXT_MAX, EntropyModel
from wavenetmv.models.gains import ANCHOR_LAMBDAS, Gains
from wavenetmv.models.lifting import LiftingPacket
from wavenetmv.models.motion import follow, roughness
from wavenetmv.models.quantised import round_ste
from wavenetmv.models.transforms import AnalysisTransform, SynthesisTransform, zero_

CHECKPOINT_KIND = "inter"


class InterAnalysis(AnalysisTransform):
    """Packets of residual and prediction [B, P, H/8, W/8] -> latents y [B, M, H/16, W/16]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        P, M = config.packet_channels, config.M
        self.fine_prediction = zero_(nn.Conv2d(P, P, 1))
        self.coarse_prediction = zero_(nn.Conv2d(P, M, 2, stride=2))

    def forward(self, residual: Tensor, prediction: Tensor | None) -> Tensor:
        assert prediction is not None
        x = residual + self.fine_prediction(prediction)
        if self.adamix is not None:
            x = self.adamix(x, self.mixture(x))
        y: Tensor = self.coarse(self.down(self.fine(x)) + self.coarse_prediction(prediction))
        return y


class InterSynthesis(SynthesisTransform):
    """Latents y_hat [B, M, H/16, W/16], gains undone, and the packet of the prediction ->
    packet of what to add to the prediction."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        P, M = config.packet_channels, config.M
        self.fine_prediction = zero_(nn.Conv2d(P, P, 1))
        self.coarse_prediction = zero_(nn.Conv2d(P, M, 2, stride=2))

    def forward(self, y_hat: Tensor, prediction: Tensor | None) -> Tensor:
        assert prediction is not None
        x = self.up(self.coarse(y_hat + self.coarse_prediction(prediction)))
        x = x + self.fine_prediction(prediction)
        if self.adamix is not None:
            x = self.adamix(x, self.mixture(y_hat))
        packet: Tensor = self.fine(x)
        return packet


class InterModel(nn.Module):
    """The networks of inter frames, as they are trained."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.lifting = LiftingPacket(config.lifting_hidden, config.base)
        self.g_a = InterAnalysis(config)
        self.g_s = InterSynthesis(config)
        self.gains = Gains(config.M, config.profiles)
        self.entropy = EntropyModel(config, len(ANCHOR_LAMBDAS), temporal=True)

    @classmethod
    @torch.no_grad()
    def from_pictures(cls, pictures: CodecModel) -> InterModel:
        """A model that codes residuals as `pictures` codes pictures, and ignores the past.

        It serves people, whatever the profiles of `pictures`.
        """
        config = replace(pictures.config, profiles=1, post_width=0, machine_synthesis=False)
        model = cls(config)
        state = model.state_dict()
        for name, value in pictures.state_dict().items():
            if name == "entropy.h_s.features.weight":
                state[name].zero_()
                state[name][:, : value.shape[1]] = value
            elif name in state:
                state[name].copy_(value[: len(state[name])])
        return model

    def describe(self) -> dict[str, Any]:
        """What a checkpoint needs to build the model again."""
        return {"config": self.config.to_dict(), "kind": CHECKPOINT_KIND}

    def forward(
        self,
        x: Tensor,
        prediction: Tensor,
        past: Tensor,
        position: Tensor,
        block: Tensor | int = 0,
    ) -> Output:
        """x and prediction [B, 3, H, W] in [0, 1], sides multiples of 64; past from `past_of`.

        position [B] = log2(lambda / 64), block as in models/gains.py.
        """
        packet = self.lifting(prediction - 0.5)
        y = self.g_a(self.lifting(x - prediction), packet).float()
        y = y * self.gains.encoder(position, block)
        coded = self.entropy(y, position, block, past)
        change = self.g_s(coded.y_hat * self.gains.decoder(position, block), packet)
        x_hat = (prediction + self.lifting.inverse(change)).float()
        return Output(x_hat, coded.y_hat, coded.y_bits, coded.z_bits)


def past_of(latents: Tensor, motion: Tensor, after_intra: Tensor) -> Tensor:
    """The real values behind `entropy.TemporalContext`'s inputs, [B, M + 2, h, w].

    latents      y_hat of the frame before, [B, M, h, w] in quantiser steps
    motion       from that frame to this one, models/motion.py
    after_intra  bool [B]: the frame before was an intra frame
    """
    limit = CONTEXT_MAX * 2.0**-CONTEXT_BITS
    seen = round_ste(latents * 2**CONTEXT_BITS) / 2**CONTEXT_BITS
    moved = follow(seen.clamp(-limit, limit), motion)
    rough = roughness(motion) / 32
    flag = after_intra.view(-1, 1, 1, 1) * torch.full_like(rough, 255 / 256)
    return torch.cat([moved, rough.to(moved.dtype), flag.to(moved.dtype)], 1)
