"""Probability tables from what really occurs, once the networks are trained."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavenetmv.bitstream import (
    MAX_RADIUS,
    SCALE_COUNT,
    ScaleTables,
    default_scales,
    fitted_tables,
    gaussian_tables,
)
from wavenetmv.models.checkpoints import load_weights, save_weights
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.dead_zone import dead_zone_of
from wavenetmv.models.inference import InferenceModel
from wavenetmv.models.latents import Quantise, walk
from wavenetmv.training.cache import PictureCache
from wavenetmv.types import LAMBDA_INDEX_MAX, LAMBDA_STEPS_PER_OCTAVE

_CROPS, _CROP = 48, 256  # pixels a side
_SEED = 0


def make_tables(model: CodecModel, data: PictureCache | None) -> dict[str, Tensor]:
    """ "radii" and "frequencies" for a weights file of `model`.

    Gaussian without `data`, else fitted to the symbols that the exact networks meet on crops
    of its pictures, at all lambdas and profiles, with the encoder's own rounding.
    """
    tables = as_tensors(gaussian_tables(default_scales()))
    if data is None:
        return tables
    counts = count_magnitudes(load_unfitted(model), data, dead_zone_of(step_cost_bits(tables)))
    return as_tensors(fitted_tables(counts, default_scales()))


def load_unfitted(model: CodecModel) -> InferenceModel:
    """`model` as its weights file will be, but with Gaussian tables."""
    tables = as_tensors(gaussian_tables(default_scales()))
    with TemporaryDirectory() as folder:
        path = save_weights(model, tables, Path(folder), name="unfitted", description="")
        return InferenceModel(load_weights(path), torch.device("cpu"), torch.float32)


def count_magnitudes(
    model: InferenceModel, data: PictureCache, dead_zone: Tensor
) -> npt.NDArray[np.int64]:
    """[64, MAX_RADIUS + 2]: magnitudes 0..MAX_RADIUS and any larger one, per scale index of y."""
    width = MAX_RADIUS + 2
    counts = np.zeros(SCALE_COUNT * width, np.int64)
    size = min(_CROP, data.smallest_side)
    for crop in data.crops(np.random.default_rng(_SEED), _CROPS, size):
        pixels = torch.from_numpy(np.ascontiguousarray(crop))
        for block in range(model.config.profiles):
            for lambda_index in range(0, LAMBDA_INDEX_MAX + 1, LAMBDA_STEPS_PER_OCTAVE):
                y, z = model.analyse(pixels, lambda_index, block)
                quantise = Quantise(y, z, dead_zone)
                walk(model.entropy, (y.shape[2], y.shape[3]), lambda_index, quantise, block)
                # The first step is z, whose prior is a Gaussian by construction.
                for symbols, indexes in quantise.coded[1:]:
                    magnitudes = symbols.abs().clamp(max=MAX_RADIUS + 1)
                    cells = indexes.long() * width + magnitudes
                    counts += np.bincount(cells.numpy(), minlength=len(counts))
    return counts.reshape(SCALE_COUNT, width)


def step_cost_bits(tables: dict[str, Tensor]) -> Tensor:
    """Of the tables "radii" and "frequencies": `ScaleTables.step_cost_bits`."""
    checked = ScaleTables.from_arrays(tables["radii"].numpy(), tables["frequencies"].numpy())
    return torch.from_numpy(checked.step_cost_bits()).float()


def as_tensors(
    arrays: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]], prefix: str = ""
) -> dict[str, Tensor]:
    """Radii and frequencies by the names that they have in a weights file."""
    radii, frequencies = arrays
    return {
        f"{prefix}radii": torch.from_numpy(radii),
        f"{prefix}frequencies": torch.from_numpy(frequencies),
    }
