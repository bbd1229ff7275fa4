"""Probability tables fitted to what the networks meet."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.tiny import save_tiny, tiny_model
from wavenetmv.bitstream import (
    MAX_RADIUS,
    ScaleTables,
    default_scales,
    fitted_tables,
    gaussian_tables,
    ideal_bits,
)
from wavenetmv.models.checkpoints import load_weights, save_weights
from wavenetmv.models.inference import InferenceModel
from wavenetmv.training.cache import PictureCache
from wavenetmv.training.tables import count_magnitudes, make_tables

EMPTY = np.zeros((64, MAX_RADIUS + 2), np.int64)


def tables_of(counts, **options) -> ScaleTables:
    return ScaleTables.from_arrays(*fitted_tables(counts, default_scales(), **options))


def test_without_samples_they_are_the_gaussians():
    expected = ScaleTables.from_arrays(*gaussian_tables(default_scales()))
    found = tables_of(EMPTY)
    for ours, theirs in zip(found.frequencies, expected.frequencies, strict=True):
        if len(ours) == len(theirs):  # radii may differ by the last bit of a tail
            assert np.abs(ours - theirs).max() <= 2
    assert np.abs(found.radii - expected.radii).max() <= 1


def test_samples_decide_where_there_are_many():
    counts = EMPTY.copy()
    counts[20, :4] = (700_000, 200_000, 80_000, 20_000)
    table, radius = tables_of(counts).frequencies[20], tables_of(counts).radii[20]
    shares = table / 2**16
    assert shares[radius] == pytest.approx(0.7, abs=0.01)
    assert shares[[radius - 1, radius + 1]] == pytest.approx(0.1, abs=0.005)
    assert shares[radius + 3] == pytest.approx(0.01, abs=0.002)


def test_symbols_beyond_every_table_are_escapes():
    counts = EMPTY.copy()
    counts[0, [0, MAX_RADIUS + 1]] = 90_000, 10_000
    tables = tables_of(counts)
    assert tables.radii[0] == MAX_RADIUS
    assert tables.frequencies[0][-1] / 2**16 == pytest.approx(0.1, abs=0.02)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="counts must be"):
        fitted_tables(EMPTY[:, :-1], default_scales())


def test_fitted_tables_need_fewer_bits_on_other_symbols():
    rng = np.random.default_rng(0)
    counts = EMPTY.copy()
    for index in range(64):
        scale = default_scales()[index]
        seen = np.abs(np.rint(rng.laplace(scale=scale / 2**0.5, size=20_000))).astype(int)
        counts[index] = np.bincount(np.minimum(seen, MAX_RADIUS + 1), minlength=MAX_RADIUS + 2)
    indexes = rng.integers(0, 64, 50_000).astype(np.uint8)
    symbols = np.rint(rng.laplace(scale=default_scales()[indexes] / 2**0.5)).astype(np.int32)
    gaussian = ScaleTables.from_arrays(*gaussian_tables(default_scales()))
    fitted = ideal_bits(symbols, indexes, tables_of(counts))
    assert fitted < 0.985 * ideal_bits(symbols, indexes, gaussian)


@pytest.fixture
def noise() -> PictureCache:
    rng = np.random.default_rng(1)
    return PictureCache([rng.integers(0, 256, (64, 80, 3)).astype(np.uint8)], 0)


def test_every_latent_is_counted_once(noise, tmp_path):
    model = InferenceModel(load_weights(save_tiny(tmp_path)), torch.device("cpu"), torch.float32)
    counts = count_magnitudes(model, noise, torch.full((64,), 0.5))
    crops, lambdas, latents = 48, 6, 16 * 4 * 4
    assert counts.sum() == crops * lambdas * latents


def test_an_export_with_data_has_tables_of_its_own(noise, tmp_path):
    model = tiny_model()
    plain, fitted = make_tables(model, None), make_tables(model, noise)
    assert not torch.equal(plain["frequencies"], fitted["frequencies"])
    path = save_weights(model, fitted, tmp_path, name="fitted", description="")
    loaded = load_weights(path)
    ScaleTables.from_arrays(loaded.table_radii.numpy(), loaded.table_frequencies.numpy())
