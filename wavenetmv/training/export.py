"""From a training checkpoint to a weights file: integers, tables, hash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from wavenetmv.errors import CheckpointError
from wavenetmv.models.checkpoints import (
    LoadedInterModel,
    LoadedModel,
    load_inter_weights,
    load_weights,
    save_weights,
)
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.exact import restore_entropy
from wavenetmv.models.head_checkpoints import load_head, save_head
from wavenetmv.models.heads import Head
from wavenetmv.models.inter import CHECKPOINT_KIND, InterModel
from wavenetmv.models.registry import DEFAULT_NAME, list_heads, read_info
from wavenetmv.training.cache import PictureCache
from wavenetmv.training.tables import make_tables


def load_checkpoint(path: Path) -> CodecModel:
    """The averaged model of a trainer's checkpoint. Raises CheckpointError."""
    with _checkpoint_faults(path):
        state = torch.load(path, weights_only=True)
        if state.get("kind") == CHECKPOINT_KIND:
            raise ValueError("of inter frames, where one of pictures was expected")
        model = CodecModel(ModelConfig.from_dict(state["config"]), dict(state.get("heads", {})))
        model.load_state_dict(state["ema"])
    return model.eval()


def load_start(path: Path) -> CodecModel:
    """What a run starts from: a weights file's model or a checkpoint's. Raises CheckpointError."""
    return model_from_weights(path) if path.suffix == ".safetensors" else load_checkpoint(path)


def load_inter_checkpoint(path: Path) -> InterModel:
    """As `load_checkpoint`, of the networks of inter frames."""
    with _checkpoint_faults(path):
        state = torch.load(path, weights_only=True)
        if state.get("kind") != CHECKPOINT_KIND:
            raise ValueError("not of inter frames")
        model = InterModel(ModelConfig.from_dict(state["config"]))
        model.load_state_dict(state["ema"])
    return model.eval()


@contextmanager
def _checkpoint_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, ValueError, RuntimeError, UnpicklingError, EOFError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CheckpointError(f"checkpoint {path}: {reason}") from error


def inter_model_from_weights(path: Path) -> InterModel:
    """As `model_from_weights`, of inter frames."""
    loaded = load_inter_weights(path)
    model = InterModel(loaded.config)
    _restore(model, loaded)
    return model


def model_from_weights(path: Path) -> CodecModel:
    """A trainable model from a weights file alone.

    The integer networks come back as the floats that round to them, so training goes on
    from exactly what the file codes with.  Raises CheckpointError.
    """
    loaded = load_weights(path)
    model = CodecModel(loaded.config)
    _restore(model, loaded)
    return model


def _restore(model: CodecModel | InterModel, loaded: LoadedModel | LoadedInterModel) -> None:
    for ours, theirs in (
        (model.lifting, loaded.lifting),
        (model.g_a, loaded.g_a),
        (model.g_s, loaded.g_s),
        (model.gains, loaded.gains),
        (model.entropy.h_a, loaded.h_a),
    ):
        ours.load_state_dict(theirs.state_dict())
    if isinstance(loaded, LoadedModel):
        assert isinstance(model, CodecModel)
        for part, other in ((model.post, loaded.post), (model.for_machines, loaded.for_machines)):
            if other is not None:
                assert part is not None
                part.load_state_dict(other.state_dict())
    restore_entropy(model.entropy, load_file(loaded.info.path))


def export(
    checkpoint: Path,
    folder: Path,
    *,
    name: str = DEFAULT_NAME,
    description: str = "",
    codec: Path | None = None,
    data: PictureCache | None = None,
    same_latents_as: Path | None = None,
    decoded: bool = False,
) -> list[Path]:
    """Write the weights file of a checkpoint into `folder`, and one for each of its heads.

    codec   the weights file of the checkpoint's codec, where that did not train: the heads
            are for its streams then, and no codec is written
    data    pictures to fit the probability tables to; None makes Gaussian ones
    same_latents_as  the weights file that the checkpoint comes from, where nothing learned that
            makes latents or symbols: its tables serve, and so do all known heads for its streams
    decoded  its heads are for latents of decoded pixels

    Returns the files written.
    """
    model = load_checkpoint(checkpoint)
    heads = [(head, decoded) for head in model.heads.values()]
    written = []
    if codec is None:
        if same_latents_as is None:
            tables = make_tables(model, data)
        else:
            tables = _tables_of(same_latents_as)
            heads += _heads_for(same_latents_as, but={(task, decoded) for task in model.heads})
        codec = save_weights(model, tables, folder, name=name, description=description)
        written.append(codec)
    codec_hash = read_info(codec).stream_hash
    for head, for_decoded in heads:
        assert isinstance(head, Head)
        written.append(
            save_head(
                head, folder,
                codec_hash=codec_hash, description=description, decoded=for_decoded,
            )
        )  # fmt: skip
    return written


def _tables_of(path: Path) -> dict[str, Tensor]:
    loaded = load_weights(path)
    return {"radii": loaded.table_radii, "frequencies": loaded.table_frequencies}


def _heads_for(path: Path, but: set[tuple[str, bool]]) -> list[tuple[nn.Module, bool]]:
    """The known heads for streams of a weights file, and whether they are for decoded pixels."""
    codec = read_info(path).stream_hash.hex()
    return [
        (load_head(info), info.decoded) for info in list_heads()
        if info.codec_hash == codec and (info.task, info.decoded) not in but
    ]  # fmt: skip
