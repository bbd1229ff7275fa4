"""Weights files: from a trained model to one safetensors file, and back to networks.

Floating-point networks (transforms, h_a) are stored in half precision, gains in float32,
everything that selects a probability as the integers it is: networks by
`exact.export_entropy`, tables as given by the caller.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from wavenetmv.errors import CheckpointError
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.entropy import HyperAnalysis
from wavenetmv.models.exact import PREFIX, ExactEntropyModel, export_entropy
from wavenetmv.models.gains import Gains
from wavenetmv.models.inter import InterAnalysis, InterModel, InterSynthesis
from wavenetmv.models.lifting import LiftingPacket
from wavenetmv.models.machine_synthesis import MachineSynthesis, machine_synthesis
from wavenetmv.models.post_filter import PostFilter, post_filter
from wavenetmv.models.registry import (
    INTER_FORMAT,
    INTER_SUFFIX,
    WEIGHTS_FORMAT,
    ModelId,
    WeightsInfo,
    parse_card,
    read_info,
    read_inter_info,
)
from wavenetmv.models.transforms import AnalysisTransform, SynthesisTransform

TABLES = "tables."
_H_A = "entropy.h_a."
_FLOAT_PARTS = ("lifting.", "g_a.", "g_s.", "post.", "for_machines.", "gains.", _H_A)


@dataclass(frozen=True)
class LoadedModel:
    """Networks ready for inference; all in eval mode, no gradients."""

    info: WeightsInfo
    config: ModelConfig
    lifting: LiftingPacket
    g_a: AnalysisTransform
    g_s: SynthesisTransform
    post: PostFilter | None
    for_machines: MachineSynthesis | None
    h_a: HyperAnalysis
    gains: Gains
    entropy: ExactEntropyModel
    table_radii: Tensor  # int32 [64]
    table_frequencies: Tensor  # int32, flat


@dataclass(frozen=True)
class LoadedInterModel:
    """The same of inter frames."""

    info: WeightsInfo
    config: ModelConfig
    lifting: LiftingPacket
    g_a: InterAnalysis
    g_s: InterSynthesis
    h_a: HyperAnalysis
    gains: Gains
    entropy: ExactEntropyModel
    table_radii: Tensor  # int32 [64]
    table_frequencies: Tensor  # int32, flat
    motion_radii: Tensor  # int32 [64], the tables of motion vectors
    motion_frequencies: Tensor  # int32, flat
    skip_radii: Tensor  # int32 [64], the tables of skipped blocks
    skip_frequencies: Tensor  # int32, flat


def save_weights(
    model: CodecModel | InterModel,
    tables: Mapping[str, Tensor],
    folder: Path,
    *,
    name: str,
    description: str,
    licence: str = "Apache-2.0",
) -> Path:
    """Write `<name>-<hash>.safetensors`, or `.inter.safetensors`, into `folder`.

    `tables` holds "radii" and "frequencies", int32, and for inter frames the same of motion and
    skipped blocks, "motion_radii", "skip_radii" and so on.  Returns the file's path.
    """
    inter = isinstance(model, InterModel)
    tensors = {
        key: value.float() if key.startswith("gains.") else value.half()
        for key, value in model.state_dict().items()
        if key.startswith(_FLOAT_PARTS)
    }
    tensors |= export_entropy(model.entropy)
    tensors |= {TABLES + key: value.to(torch.int32) for key, value in tables.items()}
    card = {
        "format": INTER_FORMAT if inter else WEIGHTS_FORMAT,
        "name": name,
        "model_id": int(ModelId.WAVELET_INTER if inter else ModelId.WAVELET_CONTEXT),
        "licence": licence,
        "parameters": sum(
            parameter.numel()
            for name, parameter in model.named_parameters()
            if not name.startswith("heads.")
        ),
        "description": description,
        "config": model.config.to_dict(),
    }
    suffix = INTER_SUFFIX if inter else ".safetensors"
    return write_named_by_content(tensors, card, folder, name, suffix)


def write_named_by_content(
    tensors: Mapping[str, Tensor], card: dict[str, Any], folder: Path, name: str, suffix: str
) -> Path:
    """Write `<name>-<first digits of the SHA-256><suffix>`; the same input, the same bytes."""
    ordered = {key: value.contiguous() for key, value in sorted(tensors.items())}
    # One metadata key: safetensors writes several in random order, and the hash would vary.
    data = save(ordered, {"card": json.dumps(card, sort_keys=True)})
    path = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:8]}{suffix}"
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
    return path


def load_weights(path: Path) -> LoadedModel:
    """Read and verify a weights file.

    Raises CheckpointError when it is missing, damaged, misnamed or of another shape.
    """
    info = read_info(path)
    _check_model_id(info, ModelId.WAVELET_CONTEXT)
    with _file_faults(path):
        tensors, config = load_file(path), _read_config(path, WEIGHTS_FORMAT)
        model = LoadedModel(
            info=info,
            config=config,
            g_a=AnalysisTransform(config),
            g_s=SynthesisTransform(config),
            post=post_filter(config),
            for_machines=machine_synthesis(config),
            entropy=ExactEntropyModel(config, tensors),
            **_common_parts(config, tensors),
        )
        _load_float_parts(model, tensors)
    return model


def load_inter_weights(path: Path) -> LoadedInterModel:
    """As `load_weights`, of inter frames."""
    info = read_inter_info(path)
    _check_model_id(info, ModelId.WAVELET_INTER)
    with _file_faults(path):
        tensors, config = load_file(path), _read_config(path, INTER_FORMAT)
        model = LoadedInterModel(
            info=info,
            config=config,
            g_a=InterAnalysis(config),
            g_s=InterSynthesis(config),
            entropy=ExactEntropyModel(config, tensors, temporal=True),
            motion_radii=tensors[TABLES + "motion_radii"],
            motion_frequencies=tensors[TABLES + "motion_frequencies"],
            skip_radii=tensors[TABLES + "skip_radii"],
            skip_frequencies=tensors[TABLES + "skip_frequencies"],
            **_common_parts(config, tensors),
        )
        _load_float_parts(model, tensors)
    return model


def _check_model_id(info: WeightsInfo, expected: ModelId) -> None:
    if info.model_id != expected:
        raise CheckpointError(f"weights {info.path}: unknown model id {info.model_id}")


@contextmanager
def _file_faults(path: Path) -> Iterator[None]:
    """Whatever a file's content makes go wrong, as CheckpointError."""
    try:
        yield
    except (KeyError, ValueError, RuntimeError, SafetensorError, OSError) as error:
        raise CheckpointError(f"weights {path}: {first_line(error)}") from error


def _read_config(path: Path, expected: str) -> ModelConfig:
    with safe_open(path, framework="numpy") as file:
        return ModelConfig.from_dict(parse_card(file.metadata() or {}, path, expected)["config"])


def _common_parts(config: ModelConfig, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        "lifting": LiftingPacket(config.lifting_hidden, config.base),
        "h_a": HyperAnalysis(config),
        "gains": Gains(config.M, config.profiles),
        "table_radii": tensors[TABLES + "radii"],
        "table_frequencies": tensors[TABLES + "frequencies"],
    }


def _load_float_parts(model: LoadedModel | LoadedInterModel, tensors: Mapping[str, Tensor]) -> None:
    parts: dict[str, nn.Module] = {
        "lifting.": model.lifting,
        "g_a.": model.g_a,
        "g_s.": model.g_s,
        "gains.": model.gains,
        _H_A: model.h_a,
    }
    if isinstance(model, LoadedModel):
        more = {"post.": model.post, "for_machines.": model.for_machines}
        parts |= {prefix: module for prefix, module in more.items() if module is not None}
    known = (*parts, PREFIX, TABLES)
    if unknown := [key for key in tensors if not key.startswith(known)]:
        raise ValueError(f"unknown tensor {unknown[0]}")
    for prefix, module in parts.items():
        state = {
            key.removeprefix(prefix): value.float()
            for key, value in tensors.items()
            if key.startswith(prefix)
        }
        module.load_state_dict(state)
        module.eval().requires_grad_(False)
    model.entropy.eval().requires_grad_(False)


def first_line(error: BaseException) -> str:
    """An error's message without what libraries add below it."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
