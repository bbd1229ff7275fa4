"""Which weights exist. Importable without torch: `wmv models` and `wmv info` use it.

A weights file is named `<name>-<first 8 hex digits of its SHA-256>.safetensors`.  A stream
names the weights it needs by model id and the first 8 bytes of that hash; nothing is ever
fetched from anywhere.  Heads are files of their own, `<task>-<hash>.head.safetensors`, and
name the codec weights whose latents they read: a better head needs no new codec.  The
networks of inter frames are files of their own too, `<name>-<hash>.inter.safetensors`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from wavenetmv.errors import CheckpointError
from wavenetmv.types import Profile

WEIGHTS_FORMAT = "wavenetmv-weights-1"
HEAD_FORMAT = "wavenetmv-head-1"
INTER_FORMAT = "wavenetmv-inter-2"
HEAD_SUFFIX = ".head.safetensors"
INTER_SUFFIX = ".inter.safetensors"
SEARCH_VARIABLE = "WAVENETMV_WEIGHTS"  # further folders, separated as in PATH
DEFAULT_NAME = "base"
_INTER_NAME = "video"
_SHIPPED = Path(__file__).resolve().parent.parent / "weights"


class ModelId(IntEnum):
    """Wire ids of network families. Permanent: never renumber, never reuse."""

    WAVELET_CONTEXT = 1  # lifting packet, AdaMix, hyperprior, four-step context
    WAVELET_INTER = 2  # the same for inter frames: motion compensation, a view of the past


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


@dataclass(frozen=True, slots=True)
class HeadInfo:
    task: str
    codec_hash: str  # of the codec weights it reads: the 16 hex digits that streams carry
    path: Path
    sha256: str  # hex
    licence: str
    parameters: int
    file_bytes: int
    description: str
    decoded: bool = False  # reads what is found in decoded pixels, not the streams' own latents


def list_weights() -> list[WeightsInfo]:
    """All weights in the package and in the folders of $WAVENETMV_WEIGHTS, by name.

    Raises CheckpointError when one of them is damaged.
    """
    return [
        read_info(path) for path in _files() if not path.name.endswith((HEAD_SUFFIX, INTER_SUFFIX))
    ]


def list_inter_weights() -> list[WeightsInfo]:
    """All weights of inter frames in the same places. Raises CheckpointError."""
    return [read_inter_info(path) for path in _files() if path.name.endswith(INTER_SUFFIX)]


def list_heads() -> list[HeadInfo]:
    """All heads in the same places. Raises CheckpointError when one of them is damaged."""
    return [read_head_info(path) for path in _files() if path.name.endswith(HEAD_SUFFIX)]


def _files() -> list[Path]:
    more = os.environ.get(SEARCH_VARIABLE, "").split(os.pathsep)
    folders = [_SHIPPED, *(Path(part) for part in more if part)]
    return [path for folder in folders for path in sorted(folder.glob("*.safetensors"))]


def find_head(task: str, codec_hash: bytes, decoded: bool = False) -> HeadInfo:
    """The head of `task` for streams of these codec weights; others as for `fitting_head`.

    Raises CheckpointError.
    """
    known = list_heads()
    if found := fitting_head(known, task, codec_hash, decoded):
        return found
    have = ", ".join(f"{info.task} for {info.codec_hash}" for info in known) or "none"
    raise CheckpointError(
        f"no head {task!r} for streams of weights {codec_hash.hex()}; found: {have}; "
        f"put its file into a folder of ${SEARCH_VARIABLE}"
    )


def fitting_head(
    heads: Iterable[HeadInfo], task: str, codec_hash: bytes, decoded: bool = False
) -> HeadInfo | None:
    """That of `task` for streams of these codec weights, if it is among `heads`.

    decoded  for latents of decoded pixels: one made for them, or the one for the streams' own
    """
    wanted = (task, codec_hash.hex())
    fitting = [
        info for info in heads
        if (info.task, info.codec_hash) == wanted and (decoded or not info.decoded)
    ]  # fmt: skip
    return max(fitting, key=lambda info: info.decoded, default=None)


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


def inter_name(profile: Profile | None = None) -> str:
    """What weights of inter frames are called that serve `profile`, or all."""
    return _INTER_NAME if profile is None else f"{_INTER_NAME}-{profile.name.lower()}"


def default_inter_weights(profile: Profile) -> WeightsInfo | None:
    """The weights that encode inter frames when none are named; None if there are none.

    Those that are for `profile` alone come before those for all.
    """
    by_name = {info.name: info for info in reversed(list_inter_weights())}
    return by_name.get(inter_name(profile)) or by_name.get(inter_name())


def find_inter_weights(stream_hash: bytes) -> WeightsInfo:
    """The weights of a stream's inter frames. Raises CheckpointError."""
    known = list_inter_weights()
    for info in known:
        if info.stream_hash == stream_hash:
            return info
    have = ", ".join(f"{info.name} {info.sha256[:16]}" for info in known) or "none"
    raise CheckpointError(
        f"this video needs inter weights {stream_hash.hex()}; found: {have}; "
        f"put the file into a folder of ${SEARCH_VARIABLE}"
    )


def read_info(path: Path) -> WeightsInfo:
    """What a weights file says of itself, its name checked against its content."""
    return _read_info(path, *_stamp(path), WEIGHTS_FORMAT)


def read_inter_info(path: Path) -> WeightsInfo:
    """As `read_info`, of the weights of inter frames."""
    return _read_info(path, *_stamp(path), INTER_FORMAT)


def read_head_info(path: Path) -> HeadInfo:
    """As `read_info`, of a head."""
    return _read_head_info(path, *_stamp(path))


def _stamp(path: Path) -> tuple[int, int]:
    """Changes when the file does: time of change in ns, and size in bytes."""
    try:
        stat = path.stat()
    except OSError as error:
        raise CheckpointError(f"weights {path}: {error.strerror}") from error
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=32)
def _read_info(path: Path, _mtime_ns: int, size: int, expected: str) -> WeightsInfo:
    sha256, metadata = _verified(path)
    card = parse_card(metadata, path, expected)
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


@lru_cache(maxsize=32)
def _read_head_info(path: Path, _mtime_ns: int, size: int) -> HeadInfo:
    sha256, metadata = _verified(path)
    card = parse_card(metadata, path, HEAD_FORMAT)
    return HeadInfo(
        task=card["task"],
        codec_hash=card["codec"],
        path=path,
        sha256=sha256,
        licence=card["licence"],
        parameters=card["parameters"],
        file_bytes=size,
        description=card["description"],
        decoded=bool(card.get("decoded")),
    )


def _verified(path: Path) -> tuple[str, dict[str, str]]:
    """SHA-256 and metadata of a file whose name tells the first digits of that hash."""
    # The hash comes before anything in the file is believed.
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CheckpointError(f"weights {path}: {error.strerror}") from error
    named = path.name.partition(".")[0].rpartition("-")[2]
    if not sha256.startswith(named) or len(named) < 8:
        raise CheckpointError(f"weights {path}: name says hash {named}, content has {sha256[:16]}")
    try:
        with safe_open(path, framework="numpy") as file:
            return sha256, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"weights {path}: {error}") from error


def parse_card(
    metadata: dict[str, str], path: Path, expected: str = WEIGHTS_FORMAT
) -> dict[str, Any]:
    """The JSON card in a weights file's header. Raises CheckpointError if it is not ours."""
    try:
        card: dict[str, Any] = json.loads(metadata.get("card", "{}"))
        found = metadata.get("format") or card.get("format")  # the first files had it apart
        if found != expected:
            raise CheckpointError(f"weights {path}: expected format {expected}, got {found!r}")
        for key, kind in _CARD_FIELDS[expected].items():
            if not isinstance(card[key], kind):
                raise CheckpointError(f"weights {path}: card field {key!r} is {card[key]!r}")
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"weights {path}: incomplete card ({error})") from error
    return card


_COMMON_FIELDS: dict[str, type] = {
    "licence": str,
    "parameters": int,
    "description": str,
}
_CODEC_FIELDS: dict[str, type] = {"name": str, "model_id": int, "config": dict, **_COMMON_FIELDS}
_CARD_FIELDS: dict[str, dict[str, type]] = {
    WEIGHTS_FORMAT: _CODEC_FIELDS,
    INTER_FORMAT: _CODEC_FIELDS,
    HEAD_FORMAT: {"task": str, "codec": str, "config": dict, **_COMMON_FIELDS},
}
