"""Maps of skipped blocks as symbols: round trips, refusals, and indexes by hand."""

from __future__ import annotations

import numpy as np
import pytest

from wavenetmv.bitstream import (
    ScaleTables,
    SymbolDecoder,
    binary_tables,
    decode_skips,
    default_scales,
    encode_skips,
    encode_steps,
    gaussian_tables,
    ideal_bits,
)
from wavenetmv.errors import CorruptStream

EVEN = ScaleTables.from_arrays(*binary_tables(np.zeros((64, 2), np.int64)))


def skip_map(seed, h, w, share):
    return np.random.default_rng(seed).random((h, w)) < share


@pytest.mark.parametrize("shape", [(4, 4), (8, 20), (12, 4)])
@pytest.mark.parametrize("share", [0, 0.3, 1])
@pytest.mark.parametrize("first", [True, False])
def test_round_trip(shape, share, first):
    skips = skip_map(0, *shape, share)
    previous = None if first else skip_map(1, *shape, 0.5)
    steps = encode_skips(skips, previous, EVEN)
    decoder = SymbolDecoder(encode_steps(steps), EVEN)
    found, symbols = decode_skips(decoder, shape, previous, EVEN)
    decoder.finish()
    assert np.array_equal(found, skips)
    assert len(symbols) == len(steps) == shape[0]
    for (expected, _, _), row in zip(steps, symbols, strict=True):
        assert np.array_equal(expected, row)


def test_indexes_by_hand():
    skips = np.array([[1, 1, 0], [0, 0, 0]], bool)
    previous = np.array([[1, 0, 0], [1, 1, 0]], bool)
    (_, first, _), (_, second, _) = encode_skips(skips, previous, EVEN)
    assert first.tolist() == [3, 3, 1]
    assert second.tolist() == [22 + 3, 22 + 3, 11 + 1]
    (_, first, _), _ = encode_skips(skips, None, EVEN)
    assert first.tolist() == [10, 10, 10]


def test_tables_are_what_was_counted():
    counts = np.zeros((64, 2), np.int64)
    counts[3] = (29, 69)
    counts[5] = (10**9, 0)
    radii, frequencies = binary_tables(counts)
    tables = ScaleTables.from_arrays(radii, frequencies)  # which checks the sums
    assert tables.frequencies[3].tolist() == [1, 19660, 45874, 1]
    assert tables.frequencies[5].tolist() == [1, 65533, 1, 1]
    assert tables.frequencies[0].tolist() == [1, 32767, 32767, 1]
    zeros = np.zeros(1000, np.int32)
    assert ideal_bits(zeros, np.full(1000, 5, np.uint8), tables) < 0.1
    with pytest.raises(ValueError, match="counts"):
        binary_tables(counts[:5])


def test_other_symbols_are_refused():
    """Tables of a damaged file might give them; the CRC alone would come too late."""
    tables = ScaleTables.from_arrays(*gaussian_tables(default_scales()))
    steps = [(np.full(4, 2, np.int32), np.full(4, 10, np.uint8), tables)] * 2
    with pytest.raises(CorruptStream, match="neither skipped nor not"):
        decode_skips(SymbolDecoder(encode_steps(steps), tables), (2, 4), None, tables)
