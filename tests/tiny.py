"""A tiny model with fixed pseudo-random weights: quick, and wild enough to reach escapes."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

import numpy as np
import torch

from wavenetmv.bitstream import binary_tables, default_scales, gaussian_tables
from wavenetmv.models.checkpoints import save_weights
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.initialisation import initialise
from wavenetmv.models.inter import InterModel

TINY = ModelConfig(
    M=16,
    N=8,
    lifting_hidden=(0, 4, 4),
    fine_width=8,
    fine_blocks_analysis=1,
    fine_blocks_synthesis=1,
    coarse_width=8,
    coarse_blocks_analysis=1,
    coarse_blocks_synthesis=1,
    adamix_filters=2,
    adamix_width=8,
    context_width=16,
)


def tiny_model(seed: int = 0) -> CodecModel:
    """A fresh copy of the same model: its making sums floats, so it is made once a process."""
    return copy.deepcopy(_make(seed))


@cache
def _make(seed: int) -> CodecModel:
    """Wavelet + KLT start, then every weight that starts at zero made random."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    model = CodecModel(TINY)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(4, 3, 64, 64)), 2), 3)
    low, high = smooth.min((2, 3), keepdims=True), smooth.max((2, 3), keepdims=True)
    initialise(model, [torch.from_numpy((smooth - low) / (high - low)).float()])
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                noise = rng.normal(scale=0.02, size=tuple(parameter.shape))
                parameter.copy_(torch.from_numpy(noise))
    return model.eval()


def tiny_inter_model() -> InterModel:
    """Inter networks around `tiny_model`, those that start at zero made random too."""
    rng = np.random.default_rng(1)
    torch.manual_seed(1)
    model = InterModel.from_pictures(tiny_model())
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                noise = rng.normal(scale=0.02, size=tuple(parameter.shape))
                parameter.copy_(torch.from_numpy(noise))
        columns = model.entropy.h_s.features.weight[:, TINY.N :]
        columns.copy_(torch.from_numpy(rng.normal(scale=0.05, size=tuple(columns.shape))))
    return model.eval()


def save_tiny_inter(folder: Path, name: str = "video", model: InterModel | None = None) -> Path:
    skips = binary_tables(np.zeros((64, 2), np.int64))
    radii, frequencies = (torch.from_numpy(each) for each in gaussian_tables(default_scales()))
    tables = {
        "radii": radii, "frequencies": frequencies,
        "motion_radii": radii.clone(), "motion_frequencies": frequencies.clone(),
        "skip_radii": torch.from_numpy(skips[0]), "skip_frequencies": torch.from_numpy(skips[1]),
    }  # fmt: skip
    model = model or tiny_inter_model()
    return save_weights(model, tables, folder, name=name, description="for tests")


def save_tiny(folder: Path, model: CodecModel | None = None) -> Path:
    radii, frequencies = gaussian_tables(default_scales())
    tables = {"radii": torch.from_numpy(radii), "frequencies": torch.from_numpy(frequencies)}
    model = model or tiny_model()
    return save_weights(model, tables, folder, name="tiny", description="for tests")
