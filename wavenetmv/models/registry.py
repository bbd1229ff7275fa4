"""Which weights exist. Importable without torch: `wmv models` and `wmv info` use it.

A weights file is named `<name>-<first 8 hex digits of its SHA-256>.safetensors`.  A stream
names the weights it needs by model id and the first 8 bytes of that hash; nothing is ever
fetched from anywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from wavenetmv.errors import CheckpointError

WEIGHTS_FORMAT = "wavenetmv-weights-1"
SEARCH_VARIABLE = "WAVENETMV_WEIGHTS"  # further folders, separated as in PATH
DEFAULT_NAME = "base"
_SHIPPED = Path(__file__).resolve().parent.parent / "weights"


class ModelId(IntEnum):
    """Wire ids of network families. Permanent: never renumber, never reuse."""

    WAVELET_CONTEXT = 1  # lifting packet, AdaMix, hyperprior, four-step context


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    name: str
    model_id: int
    path: Path
    sha256: str  # hex
    licence: str
    parameters: int
    file_bytes: int
    description: str

    @property
    def stream_hash(self) -> bytes:
        """The 8 bytes that a stream's header carries."""
        return bytes.fromhex(self.sha256)[:8]


def list_weights() -> list[WeightsInfo]:
    """All weights in the package and in the folders of $WAVENETMV_WEIGHTS, by name.

    Raises CheckpointError when one of them is damaged.
    """
    more = os.environ.get(SEARCH_VARIABLE, "").split(os.pathsep)
    folders = [_SHIPPED, *(Path(part) for part in more if part)]
    return [read_info(path) for folder in folders for path in sorted(folder.glob("*.safetensors"))]


def default_weights(name: str = DEFAULT_NAME) -> WeightsInfo:
    """The weights that encode when none are named. Raises CheckpointError if missing."""
    for info in list_weights():
        if info.name == name:
            return info
    raise CheckpointError(f"no weights named {name!r} in {_SHIPPED} or ${SEARCH_VARIABLE}")


def find_weights(model_id: int, stream_hash: bytes) -> WeightsInfo:
    """The weights a stream was made with. Raises CheckpointError that says what is there."""
    known = list_weights()
    for info in known:
        if info.model_id == model_id and info.stream_hash == stream_hash:
            return info
    have = ", ".join(f"{info.name} {info.sha256[:16]}" for info in known) or "none"
    raise CheckpointError(
        f"this stream needs weights {stream_hash.hex()} (model {model_id}); found: {have}; "
        f"put the file into a folder of ${SEARCH_VARIABLE}"
    )


def read_info(path: Path) -> WeightsInfo:
    """What a weights file says of itself, its name checked against its content."""
    try:
        stat = path.stat()
        return _read_info(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise CheckpointError(f"weights {path}: {error.strerror}") from error


@lru_cache(maxsize=32)
def _read_info(path: Path, _mtime_ns: int, size: int) -> WeightsInfo:
    # The hash comes before anything in the file is believed.
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    named = path.stem.rpartition("-")[2]
    if not sha256.startswith(named) or len(named) < 8:
        raise CheckpointError(f"weights {path}: name says hash {named}, content has {sha256[:16]}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"weights {path}: {error}") from error
    card = parse_card(metadata, path)
    return WeightsInfo(
        name=card["name"],
        model_id=card["model_id"],
        path=path,
        sha256=sha256,
        licence=card["licence"],
        parameters=card["parameters"],
        file_bytes=size,
        description=card["description"],
    )


def parse_card(metadata: dict[str, str], path: Path) -> dict[str, Any]:
    """The JSON card in a weights file's header. Raises CheckpointError if it is not ours."""
    try:
        card: dict[str, Any] = json.loads(metadata.get("card", "{}"))
        found = metadata.get("format") or card.get("format")  # the first files had it apart
        if found != WEIGHTS_FORMAT:
            raise CheckpointError(
                f"weights {path}: expected format {WEIGHTS_FORMAT}, got {found!r}"
            )
        for key, kind in _CARD_FIELDS.items():
            if not isinstance(card[key], kind):
                raise CheckpointError(f"weights {path}: card field {key!r} is {card[key]!r}")
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"weights {path}: incomplete card ({error})") from error
    return card


_CARD_FIELDS: dict[str, type] = {
    "name": str,
    "model_id": int,
    "licence": str,
    "parameters": int,
    "description": str,
    "config": dict,
}
