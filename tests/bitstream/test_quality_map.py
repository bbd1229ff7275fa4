"""Quality maps as symbols: round trips, refusals, and predictions by hand."""

from __future__ import annotations

import numpy as np
import pytest

from wavenetmv.bitstream import (
    ScaleTables,
    SymbolDecoder,
    decode_quality_map,
    default_scales,
    encode_quality_map,
    encode_steps,
    gaussian_tables,
    ideal_bits,
)
from wavenetmv.errors import CorruptStream
from wavenetmv.types import DROP_MAX

TABLES = ScaleTables.from_arrays(*gaussian_tables(default_scales()))


def smooth_map(h, w):
    y, x = np.mgrid[:h, :w]
    return np.clip(np.hypot(y - h / 2, x - w / 3) / 3, 0, 5).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 4), (2, 2), (2, 10), (10, 2), (15, 20)])
@pytest.mark.parametrize("kind", ["random", "smooth", "constant"])
@pytest.mark.parametrize("later", [False, True])
def test_round_trip(shape, kind, later):
    previous = smooth_map(*shape)[::-1] if later else None
    drops = {
        "random": np.random.default_rng(0).integers(0, DROP_MAX + 1, shape).astype(np.uint8),
        "smooth": smooth_map(*shape),
        "constant": np.full(shape, DROP_MAX, np.uint8),
    }[kind]
    steps = encode_quality_map(drops, TABLES, previous)
    decoder = SymbolDecoder(encode_steps(steps), TABLES)
    found, symbols = decode_quality_map(decoder, shape, TABLES, previous)
    decoder.finish()
    assert np.array_equal(found, drops)
    assert all(np.array_equal(a[0], b) for a, b in zip(steps, symbols, strict=True))


def test_predictions_and_tables_by_hand():
    drops = np.array([[2, 2, 3], [2, 0, 9]], np.uint8)
    symbols, indexes = [], []
    for step, index, _ in encode_quality_map(drops, TABLES):
        symbols.append(step.tolist())
        indexes.append(index.tolist())
    # (0, 0), then (0, 1), then (0, 2) and (1, 0), then (1, 1), then (1, 2)
    assert symbols == [[2], [0], [1, 0], [-2], [9 - 3]]
    assert indexes == [[16], [16], [16, 16], [20], [27]]


def test_changes_by_hand():
    previous = np.array([[2, 2, 3], [2, 0, 9]], np.uint8)
    drops = np.array([[2, 3, 3], [2, 0, 7]], np.uint8)
    steps = encode_quality_map(drops, TABLES, previous)
    assert [step.tolist() for step, _, _ in steps] == [[0], [1], [0, 0], [0], [-2]]
    # (0, 2) has the change of (0, 1) for all three neighbours; (1, 0) and (1, 1) for one.
    assert [index.tolist() for _, index, _ in steps] == [[4], [4], [24, 16], [16], [4]]


def test_a_map_that_stays_costs_next_to_nothing():
    drops = smooth_map(8, 14)
    bits = sum(ideal_bits(*step) for step in encode_quality_map(drops, TABLES, drops))
    assert bits < 4


def test_a_smooth_map_costs_little():
    bits = sum(ideal_bits(*step) for step in encode_quality_map(smooth_map(15, 20), TABLES))
    assert bits < 1.5 * 15 * 20
    level = np.full((15, 20), 4, np.uint8)
    assert sum(ideal_bits(*step) for step in encode_quality_map(level, TABLES)) < bits


@pytest.mark.parametrize("symbol", [-1, DROP_MAX + 1])
def test_drops_out_of_range_are_refused(symbol):
    steps = [(np.array([symbol], np.int32), np.array([10], np.uint8), TABLES)]
    with pytest.raises(CorruptStream, match="quality map"):
        decode_quality_map(SymbolDecoder(encode_steps(steps), TABLES), (2, 2), TABLES)
