"""From a training checkpoint to a weights file: integers, tables, hash."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file

from wavenetmv.errors import CheckpointError
from wavenetmv.models.checkpoints import load_weights, save_weights
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.exact import restore_entropy
from wavenetmv.models.head_checkpoints import save_head
from wavenetmv.models.heads import Head
from wavenetmv.models.registry import DEFAULT_NAME, read_info
from wavenetmv.training.cache import PictureCache
from wavenetmv.training.tables import make_tables


def load_checkpoint(path: Path) -> CodecModel:
    """The averaged model of a trainer's checkpoint. Raises CheckpointError."""
    try:
        state = torch.load(path, weights_only=True)
        model = CodecModel(ModelConfig.from_dict(state["config"]), state.get("heads", ()))
        model.load_state_dict(state["ema"])
    except (OSError, KeyError, ValueError, RuntimeError, UnpicklingError, EOFError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CheckpointError(f"checkpoint {path}: {reason}") from error
    return model.eval()


def model_from_weights(path: Path) -> CodecModel:
    """A trainable model from a weights file alone.

    The integer networks come back as the floats that round to them, so training goes on
    from exactly what the file codes with.  Raises CheckpointError.
    """
    loaded = load_weights(path)
    model = CodecModel(loaded.config)
    for ours, theirs in (
        (model.lifting, loaded.lifting),
        (model.g_a, loaded.g_a),
        (model.g_s, loaded.g_s),
        (model.gains, loaded.gains),
        (model.entropy.h_a, loaded.h_a),
    ):
        ours.load_state_dict(theirs.state_dict())
    restore_entropy(model.entropy, load_file(path))
    return model


def export(
    checkpoint: Path,
    folder: Path,
    *,
    name: str = DEFAULT_NAME,
    description: str = "",
    codec: Path | None = None,
    data: PictureCache | None = None,
) -> list[Path]:
    """Write the weights file of a checkpoint into `folder`, and one for each of its heads.

    codec   the weights file of the checkpoint's codec, where that did not train: the heads
            are for its streams then, and no codec is written
    data    pictures to fit the probability tables to; None makes Gaussian ones

    Returns the files written.
    """
    model = load_checkpoint(checkpoint)
    written = []
    if codec is None:
        tables = make_tables(model, data)
        codec = save_weights(model, tables, folder, name=name, description=description)
        written.append(codec)
    codec_hash = read_info(codec).stream_hash
    for head in model.heads.values():
        assert isinstance(head, Head)
        written.append(save_head(head, folder, codec_hash=codec_hash, description=description))
    return written
