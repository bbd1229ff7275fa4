"""From a codec that draws all pictures alike to one with a synthesis for machines."""

from __future__ import annotations

from wavenetmv.errors import CheckpointError
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.training.extension import extended


def with_machine_synthesis(model: CodecModel) -> CodecModel:
    """`model` and a copy of its synthesis for machines; itself if it has one already.

    Raises CheckpointError if it has no machine profile.
    """
    if model.config.profiles < 2:
        raise CheckpointError("stage 3c needs a codec with a machine profile, as stage 3b makes it")
    if model.config.machine_synthesis:
        return model
    wider = extended(model, machine_synthesis=True)
    assert wider.for_machines is not None
    wider.for_machines.g_s.load_state_dict(model.g_s.state_dict())
    if model.post is not None:
        assert wider.for_machines.post is not None
        wider.for_machines.post.load_state_dict(model.post.state_dict())
    return wider
