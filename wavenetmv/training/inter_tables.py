"""Probability tables of inter frames, from what occurs in training sequences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavenetmv.bitstream import (
    MAX_RADIUS,
    SCALE_COUNT,
    MotionField,
    ScaleTables,
    Step,
    binary_tables,
    default_scales,
    encode_skips,
    fitted_tables,
    gaussian_tables,
)
from wavenetmv.frame_codec import shared_tensor
from wavenetmv.inter_codec import Past
from wavenetmv.models.checkpoints import load_inter_weights, save_weights
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.dead_zone import dead_zone_of
from wavenetmv.models.inference import InferenceModel
from wavenetmv.models.inter import InterModel
from wavenetmv.models.inter_inference import InterInferenceModel, Reference
from wavenetmv.models.latents import Quantise, walk
from wavenetmv.motion_estimation import find_motion
from wavenetmv.training.clips import SequenceSource
from wavenetmv.training.tables import as_tensors, load_unfitted, step_cost_bits
from wavenetmv.types import LAMBDA_INDEX_MAX, LAMBDA_STEPS_PER_OCTAVE

_SEQUENCES, _SIZE, _FRAMES = 24, 256, 10
_SEED = 0
# Samples that a motion table's Gaussian counts for; the tables' contexts are rare or crowded.
_MOTION_PRIOR = 30.0
_LEAST_DEVIATION, _LARGEST_DEVIATION = 0.3, 60.0  # quarters of a pixel


def make_inter_tables(
    model: InterModel,
    pictures: CodecModel,
    source: SequenceSource | None,
    blocks: Sequence[int] = (0,),
) -> dict[str, Tensor]:
    """All tables of a weights file: "radii" and "frequencies", "motion_radii" and so on.

    Gaussian without `source`, else fitted to what the exact networks and the motion search
    meet on its sequences at all lambdas and for all of `blocks`, as in models/gains.py;
    `pictures` codes the first frames.
    """
    gaussian = gaussian_tables(default_scales())
    # Arrays of their own: a weights file refuses tensors that share memory.
    motion = gaussian_tables(default_scales())
    skips = binary_tables(np.zeros((SCALE_COUNT, 2), np.int64))
    tables = as_tensors(gaussian) | as_tensors(motion, "motion_") | as_tensors(skips, "skip_")
    if source is None:
        return tables
    with TemporaryDirectory() as folder:
        path = save_weights(model, tables, Path(folder), name="unfitted", description="")
        loaded = load_inter_weights(path)
    counts = _Counts(
        load_unfitted(pictures),
        InterInferenceModel(loaded, torch.device("cpu"), torch.float32),
        ScaleTables.from_arrays(*gaussian),
        dead_zone_of(step_cost_bits(tables)),
    )
    rng = np.random.default_rng(_SEED)
    lambdas = range(0, LAMBDA_INDEX_MAX + 1, LAMBDA_STEPS_PER_OCTAVE)
    for number in range(_SEQUENCES):
        sequence = source.sequence(rng, min(_SIZE, source.largest_side), _FRAMES)
        block = blocks[number // len(lambdas) % len(blocks)]
        counts.add_sequence(sequence, lambdas[number % len(lambdas)], block)
    motion = fitted_tables(counts.motion, _deviations(counts.motion), _MOTION_PRIOR)
    return (
        as_tensors(fitted_tables(counts.latents, default_scales()))
        | as_tensors(motion, "motion_")
        | as_tensors(binary_tables(counts.skips[:, :2]), "skip_")
    )


class _Counts:
    """How often each magnitude came up, per table: [64, MAX_RADIUS + 2] each."""

    def __init__(
        self,
        pictures: InferenceModel,
        inter: InterInferenceModel,
        tables: ScaleTables,
        dead_zone: Tensor,
    ) -> None:
        self._pictures, self._inter = pictures, inter
        self._tables, self._dead_zone = tables, dead_zone
        self.latents = np.zeros((SCALE_COUNT, MAX_RADIUS + 2), np.int64)
        self.motion = np.zeros_like(self.latents)
        self.skips = np.zeros_like(self.latents)

    def add_sequence(self, frames: npt.NDArray[np.uint8], lambda_index: int, block: int) -> None:
        """Code the frames [T, H, W, 3]: the first alone, the others from the one before."""
        height, width = frames.shape[1:3]
        first = shared_tensor(frames[0])
        y, z = self._pictures.analyse(first, lambda_index, block)
        quantise = Quantise(y, z, self._dead_zone)
        size = (y.shape[2], y.shape[3])
        found = walk(self._pictures.entropy, size, lambda_index, quantise, block)
        y_hat = self._pictures.dequantise(found, lambda_index, block)
        level = self._pictures.level(lambda_index, block)
        pixels = self._pictures.synthesise(y_hat, level, height, width, block)
        past = Past(Reference(pixels, found, intra=True))
        for frame in frames[1:]:
            past = self._add_frame(shared_tensor(frame), past, lambda_index, block)

    def _add_frame(self, pixels: Tensor, past: Past, lambda_index: int, block: int) -> Past:
        inter = self._inter
        x, before = inter.padded(pixels), inter.padded(past.reference.pixels)
        motion = find_motion(x, before, lambda_index, block)
        field = MotionField(motion.shape[2], motion.shape[3], past.activity)
        self._count(self.motion, field.encode(motion[0].numpy(), self._tables))
        prediction = inter.predict(before, motion)
        residual = inter.residual(x, prediction)
        y, z = inter.quantisable(inter.latents(residual, prediction), lambda_index, block)
        quantise = Quantise(y, z, self._dead_zone)
        seen = inter.past(past.reference, motion)
        size = (y.shape[2], y.shape[3])
        found = walk(inter.entropy, size, lambda_index, quantise, block, seen)
        # The first step is z, whose prior is a Gaussian by construction.
        coded = [(s.numpy(), i.numpy(), self._tables) for s, i in quantise.coded[1:]]
        self._count(self.latents, coded)
        y_hat = inter.dequantise(found, lambda_index, block)
        x_hat = inter.synthesise(y_hat, prediction)
        skips = inter.choose_skips(x, prediction, x_hat, lambda_index, block)
        decoded = inter.shown(x_hat, prediction, skips, pixels.shape[0], pixels.shape[1])
        skip_map = skips[0, 0].numpy()
        self._count(self.skips, encode_skips(skip_map, past.skips, self._tables))
        return Past(Reference(decoded, found, intra=False), field.activity, skip_map)

    @staticmethod
    def _count(counts: npt.NDArray[np.int64], steps: list[Step]) -> None:
        for symbols, indexes, _ in steps:
            magnitudes = np.minimum(np.abs(symbols), MAX_RADIUS + 1)
            np.add.at(counts, (indexes, magnitudes), 1)


def _deviations(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Standard deviation of each table's symbols, [64], within what a table can hold."""
    squares = np.minimum(np.arange(counts.shape[1]), MAX_RADIUS / 2) ** 2
    variance = (counts * squares).sum(1) / np.maximum(counts.sum(1), 1)
    deviations: npt.NDArray[np.float64] = np.sqrt(variance)
    return deviations.clip(_LEAST_DEVIATION, _LARGEST_DEVIATION)
