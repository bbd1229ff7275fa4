"""From a codec to one with a filter on decoded pixels."""

from __future__ import annotations

from dataclasses import replace

from wavenetmv.models.codec_model import CodecModel

_WIDTH = 16


def with_post_filter(model: CodecModel) -> CodecModel:
    """`model` and a filter that does nothing yet; itself if it has one already."""
    if model.config.post_width:
        return model
    filtered = CodecModel(replace(model.config, post_width=_WIDTH))
    filtered.heads = model.heads
    filtered.load_state_dict(filtered.state_dict() | model.state_dict())
    return filtered.train(model.training)
