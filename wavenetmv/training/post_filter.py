"""From a codec to one with a filter on decoded pixels."""

from __future__ import annotations

from wavenetmv.models.codec_model import CodecModel
from wavenetmv.training.extension import extended

_WIDTH = 16


def with_post_filter(model: CodecModel) -> CodecModel:
    """`model` and a filter that does nothing yet; itself if it has one already."""
    if model.config.post_width:
        return model
    return extended(model, post_width=_WIDTH)
