"""From a codec for people to one with a second profile, for machines."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.gains import ANCHOR_LAMBDAS
from wavenetmv.models.inter import InterModel

Model = TypeVar("Model", CodecModel, InterModel)

# A network finds objects in far worse pictures than people like: the machine profile starts
# where the other one is at a quarter of its lambda.
_OCTAVES_LOWER = 2
_TABLES = ("gains.log_encoder", "gains.log_decoder", "entropy.z_index")


@torch.no_grad()
def with_machine_profile(model: Model) -> Model:
    """`model` with a second block of gains and priors; itself if it has one already."""
    if model.config.profiles == 2:
        return model
    state = model.state_dict()
    for name in _TABLES:
        state[name] = torch.cat([state[name], _shifted(state[name])])
    wider = type(model)(replace(model.config, profiles=2))
    if isinstance(model, CodecModel):
        wider.heads = model.heads
    wider.load_state_dict(state)
    return wider.train(model.training)


def _shifted(rows: Tensor) -> Tensor:
    """The rows of lambdas two octaves lower; below the lowest one on a straight line."""
    slope = (rows[-1] - rows[0]) / (len(ANCHOR_LAMBDAS) - 1)
    below = [rows[0] - slope * octaves for octaves in range(_OCTAVES_LOWER, 0, -1)]
    return torch.cat([torch.stack(below), rows[:-_OCTAVES_LOWER]])
