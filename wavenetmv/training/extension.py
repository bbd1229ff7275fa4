"""A trained codec with further parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wavenetmv.models.codec_model import CodecModel


def extended(model: CodecModel, **changes: Any) -> CodecModel:
    """`model` with parts that `changes` to its configuration bring; what it has stays as it is."""
    wider = CodecModel(replace(model.config, **changes))
    wider.heads = model.heads
    wider.load_state_dict(wider.state_dict() | model.state_dict())
    return wider.train(model.training)
