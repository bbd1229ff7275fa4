"""Files of vision heads: half precision, named by content, bound to one set of codec weights."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from wavenetmv.errors import CheckpointError
from wavenetmv.models.checkpoints import first_line, write_named_by_content
from wavenetmv.models.heads import Head, build_head
from wavenetmv.models.registry import HEAD_FORMAT, HEAD_SUFFIX, HeadInfo, parse_card


def save_head(
    head: Head,
    folder: Path,
    *,
    codec_hash: bytes,
    description: str,
    licence: str = "Apache-2.0",
    decoded: bool = False,
) -> Path:
    """Write `<task>-<hash>.head.safetensors` into `folder` and return its path.

    `codec_hash` is `WeightsInfo.stream_hash` of the codec whose latents the head reads;
    `decoded` as for `HeadInfo`, and the name begins with `<task>-decoded` then.
    """
    card = {
        "format": HEAD_FORMAT,
        "task": head.task,
        "codec": codec_hash.hex(),
        "config": head.config(),
        "licence": licence,
        "parameters": sum(parameter.numel() for parameter in head.parameters()),
        "description": description,
    }
    if decoded:  # files of before keep their hash
        card["decoded"] = True
    # `scale` of an adapter spans more than half precision is good at.
    tensors = {
        key: value.float() if key.endswith(".scale") else value.half()
        for key, value in head.state_dict().items()
    }
    name = f"{head.task}-decoded" if decoded else head.task
    return write_named_by_content(tensors, card, folder, name, HEAD_SUFFIX)


def load_head(info: HeadInfo) -> Head:
    """The network of a verified head file, in eval mode. Raises CheckpointError."""
    try:
        with safe_open(info.path, framework="numpy") as file:
            card = parse_card(file.metadata() or {}, info.path, HEAD_FORMAT)
        head = build_head(info.task, **card["config"])
        head.load_state_dict({k: v.float() for k, v in load_file(info.path).items()})
    except (KeyError, ValueError, TypeError, RuntimeError, SafetensorError, OSError) as error:
        raise CheckpointError(f"weights {info.path}: {first_line(error)}") from error
    return head.eval().requires_grad_(False)
