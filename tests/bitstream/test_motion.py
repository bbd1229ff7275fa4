"""Motion fields as symbols: exact round trips, bounds, and a price that context lowers."""

from __future__ import annotations

import numpy as np
import pytest

from wavenetmv.bitstream import (
    MotionField,
    ScaleTables,
    SymbolDecoder,
    default_scales,
    encode_steps,
    gaussian_tables,
)
from wavenetmv.bitstream.motion import MAX_VECTOR
from wavenetmv.errors import CorruptStream

TABLES = ScaleTables.from_arrays(*gaussian_tables(default_scales()))


def field(rng, h, w, spread):
    return np.clip(rng.normal(scale=spread, size=(2, h, w)).round(), -1023, 1023).astype(np.int16)


def encoded(vectors, previous=None):
    coder = MotionField(*vectors.shape[1:], previous)
    return encode_steps(coder.encode(vectors, TABLES)), coder


def decoded(data, shape, previous=None):
    decoder = SymbolDecoder(data, TABLES)
    coder = MotionField(*shape, previous)
    coder.decode(decoder, TABLES)
    decoder.finish()
    return coder


@pytest.mark.parametrize("size", [(4, 4), (4, 12), (12, 4), (8, 20)])
@pytest.mark.parametrize("spread", [0, 1, 30, 900])
def test_round_trip_over_two_frames(size, spread):
    rng = np.random.default_rng(spread)
    previous = None
    for _ in range(2):
        vectors = field(rng, *size, spread)
        data, coder = encoded(vectors, previous)
        found = decoded(data, size, previous)
        assert np.array_equal(found.vectors, vectors)
        assert np.array_equal(found.activity, coder.activity)
        previous = coder.activity


def test_steps_are_the_symbols_that_decoding_returns():
    rng = np.random.default_rng(0)
    vectors = field(rng, 8, 12, 9)
    coder = MotionField(8, 12, None)
    steps = coder.encode(vectors, TABLES)
    assert sum(symbols.size for symbols, _, _ in steps) == vectors.size
    read = MotionField(8, 12, None).decode(SymbolDecoder(encode_steps(steps), TABLES), TABLES)
    for (symbols, _, _), same in zip(steps, read, strict=True):
        assert np.array_equal(symbols, same)


def test_a_constant_field_costs_next_to_nothing():
    rng = np.random.default_rng(1)
    pan = np.full((2, 12, 20), 37, np.int16)
    data, _ = encoded(pan)
    assert len(data) < 60  # the first vector, in a table of what does not move
    assert len(encoded(field(rng, 12, 20, 37))[0]) > 300


def test_the_past_selects_other_tables():
    vectors = field(np.random.default_rng(2), 8, 8, 4)
    calm = np.zeros((8, 8), np.int32)
    assert encoded(vectors, calm)[0] != encoded(vectors, None)[0]


def test_a_vector_out_of_range_is_refused():
    vectors = np.zeros((2, 4, 4), np.int16)
    vectors[0, 2, 1] = MAX_VECTOR + 1
    data, _ = encoded(vectors)
    with pytest.raises(CorruptStream, match="motion vector of 1024"):
        decoded(data, (4, 4))
