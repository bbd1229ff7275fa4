"""Weights files: from a trained model to one safetensors file, and back to networks.

Floating-point networks (transforms, h_a) are stored in half precision, gains in float32,
everything that selects a probability as the integers it is: networks by
`exact.export_entropy`, tables as given by the caller.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from wavenetmv.errors import CheckpointError
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.entropy import HyperAnalysis
from wavenetmv.models.exact import PREFIX, ExactEntropyModel, export_entropy
from wavenetmv.models.gains import Gains
from wavenetmv.models.lifting import LiftingPacket
from wavenetmv.models.registry import WEIGHTS_FORMAT, ModelId, WeightsInfo, parse_card, read_info
from wavenetmv.models.transforms import AnalysisTransform, SynthesisTransform

TABLES = "tables."
_H_A = "entropy.h_a."
_FLOAT_PARTS = ("lifting.", "g_a.", "g_s.", "gains.", _H_A)


@dataclass(frozen=True)
class LoadedModel:
    """Networks ready for inference; all in eval mode, no gradients."""

    info: WeightsInfo
    config: ModelConfig
    lifting: LiftingPacket
    g_a: AnalysisTransform
    g_s: SynthesisTransform
    h_a: HyperAnalysis
    gains: Gains
    entropy: ExactEntropyModel
    table_radii: Tensor  # int32 [64]
    table_frequencies: Tensor  # int32, flat


def save_weights(
    model: CodecModel,
    tables: Mapping[str, Tensor],
    folder: Path,
    *,
    name: str,
    description: str,
    licence: str = "Apache-2.0",
) -> Path:
    """Write `<name>-<hash>.safetensors` into `folder` and return its path.

    `tables` holds "radii" and "frequencies", int32.
    """
    tensors = {
        key: value.float() if key.startswith("gains.") else value.half()
        for key, value in model.state_dict().items()
        if key.startswith(_FLOAT_PARTS)
    }
    tensors |= export_entropy(model.entropy)
    tensors |= {TABLES + key: value.to(torch.int32) for key, value in tables.items()}
    card = {
        "format": WEIGHTS_FORMAT,
        "name": name,
        "model_id": int(ModelId.WAVELET_CONTEXT),
        "licence": licence,
        "parameters": sum(
            parameter.numel()
            for name, parameter in model.named_parameters()
            if not name.startswith("heads.")
        ),
        "description": description,
        "config": model.config.to_dict(),
    }
    return write_named_by_content(tensors, card, folder, name, ".safetensors")


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
    if info.model_id != ModelId.WAVELET_CONTEXT:
        raise CheckpointError(f"weights {path}: unknown model id {info.model_id}")
    try:
        tensors = load_file(path)
        config = _read_config(path)
        model = LoadedModel(
            info=info,
            config=config,
            lifting=LiftingPacket(config.lifting_hidden, config.base),
            g_a=AnalysisTransform(config),
            g_s=SynthesisTransform(config),
            h_a=HyperAnalysis(config),
            gains=Gains(config.M, config.profiles),
            entropy=ExactEntropyModel(config, tensors),
            table_radii=tensors[TABLES + "radii"],
            table_frequencies=tensors[TABLES + "frequencies"],
        )
        _load_float_parts(model, tensors)
    except (KeyError, ValueError, RuntimeError, SafetensorError, OSError) as error:
        raise CheckpointError(f"weights {path}: {first_line(error)}") from error
    return model


def _read_config(path: Path) -> ModelConfig:
    with safe_open(path, framework="numpy") as file:
        return ModelConfig.from_dict(parse_card(file.metadata() or {}, path)["config"])


def _load_float_parts(model: LoadedModel, tensors: Mapping[str, Tensor]) -> None:
    parts = {
        "lifting.": model.lifting,
        "g_a.": model.g_a,
        "g_s.": model.g_s,
        "gains.": model.gains,
        _H_A: model.h_a,
    }
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
