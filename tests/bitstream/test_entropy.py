"""Entropy coding: the documented coder to the bit, rates near the entropy, safe on damage."""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import time
import zlib

import constriction
import numpy as np
import pytest

from wavenetmv.bitstream import (
    MAX_SYMBOL,
    SCALE_COUNT,
    ScaleTables,
    SymbolDecoder,
    default_scales,
    encode_steps,
    gaussian_tables,
    ideal_bits,
    symbol_bits,
    symbols_crc,
)
from wavenetmv.errors import CheckpointError, CorruptStream

RADII, FREQUENCIES = gaussian_tables(default_scales())
TABLES = ScaleTables.from_arrays(RADII, FREQUENCIES)


def step(symbols, indexes):
    return np.array(symbols, np.int32), np.array(indexes, np.uint8)


def random_steps(seed, sizes, escapes=0):
    """Symbols drawn from the tables' own Gaussians, some thrown far outside."""
    rng = np.random.default_rng(seed)
    steps = []
    for size in sizes:
        indexes = rng.integers(0, SCALE_COUNT, size, dtype=np.uint8)
        symbols = np.rint(rng.normal(size=size) * default_scales()[indexes]).astype(np.int32)
        for position in rng.integers(0, max(size, 1), min(escapes, size)):
            symbols[position] = rng.integers(-MAX_SYMBOL, MAX_SYMBOL + 1) >> rng.integers(0, 20)
        steps.append((symbols, indexes))
    return steps


def encode_with(tables, steps):
    return encode_steps([(symbols, indexes, tables) for symbols, indexes in steps])


def decode(data, steps, tables=TABLES):
    decoder = SymbolDecoder(data, tables)
    decoded = [decoder.decode(indexes) for _, indexes in steps]
    decoder.finish()
    return decoded


def assert_round_trip(steps, tables=TABLES):
    data = encode_with(tables, steps)
    for (symbols, _), decoded in zip(steps, decode(data, steps, tables), strict=True):
        np.testing.assert_array_equal(decoded, symbols)
        assert decoded.dtype == np.int32
    return data


# --- the coder of docs/FORMAT.md section 6, in plain Python ---------------------------------


def documented_entries(steps, tables=TABLES):
    """(F, C) of every entry in decoding order."""
    for symbols, indexes in steps:
        groups, classes, tails = [], [], []
        for i in range(SCALE_COUNT):
            cumulative = np.concatenate([[0], np.cumsum(tables.frequencies[i])]).tolist()
            radius = int(tables.radii[i])
            for symbol in symbols[indexes == i].tolist():
                entry = symbol + radius
                if abs(symbol) > radius:
                    entry = 2 * radius + 1
                    v = abs(symbol) - radius
                    c = v.bit_length() - 1
                    tail = (v - (1 << c)) * 2 + (symbol < 0)
                    classes.append((1 << 19, c << 19))
                    tails.append((1 << 23 - c, tail << 23 - c))
                start, stop = cumulative[entry], cumulative[entry + 1]
                groups.append((256 * (stop - start), 256 * start))
        yield from groups + classes + tails


def documented_encoder(steps, tables=TABLES):
    state, words = 0, []
    for size, start in reversed(list(documented_entries(steps, tables))):
        if state >> 40 >= size:
            words.append(state % (1 << 32))
            state >>= 32
        state = (state // size << 24) + state % size + start
    words += [state % (1 << 32), state >> 32]
    while words and words[-1] == 0:
        words.pop()
    return b"".join(word.to_bytes(4, "little") for word in words).rstrip(b"\0")


def documented_decoder(data, steps):
    """Walk the data by the documented rules, checking every entry met; True if used up."""
    data += bytes(-len(data) % 4)
    words = [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
    state = 0
    while state < 1 << 32 and words:
        state = state << 32 | words.pop()
    for size, start in documented_entries(steps):
        q = state % (1 << 24)
        assert start <= q < start + size
        state = (state >> 24) * size + q - start
        if state < 1 << 32 and words:
            state = state << 32 | words.pop()
    return state == 0 and not words


@pytest.mark.parametrize("seed", range(20))
def test_the_bytes_are_the_documented_ones(seed):
    steps = random_steps(seed, [seed * 7, 0, 40 * seed, 3], escapes=seed)
    data = encode_with(TABLES, steps)
    assert data == documented_encoder(steps)
    assert documented_decoder(data, steps)


def test_long_streams_are_the_documented_ones():
    steps = random_steps(99, [3000, 5000], escapes=30)
    assert encode_with(TABLES, steps) == documented_encoder(steps)


@pytest.mark.parametrize("index", range(0, SCALE_COUNT, 3))
def test_models_are_the_integer_tables_exactly(index):
    """Every entry's first and last unit decodes to it: the model is the table, unrounded."""
    edges = 256 * np.concatenate([[0], np.cumsum(TABLES.frequencies[index])])
    for entry, (start, stop) in enumerate(itertools.pairwise(edges)):
        for unit in (start, stop - 1):
            words = np.array([unit | 0xAB << 24, 0xCD], np.uint32)
            coder = constriction.stream.stack.AnsCoder(words)
            assert coder.decode(TABLES.models[index]) == entry


# --- bytes and round trips ----------------------------------------------------------------

UNIFORM_TABLES = ScaleTables.from_arrays([1] * 64, [1 << 14] * 4 * 64)  # -1, 0, 1, escape


@pytest.mark.parametrize(
    ("steps", "golden"),
    [
        ([], ""),
        ([step([], [])], ""),
        ([step([-1] * 9, [0] * 9)], ""),
        ([step([0], [0])], "000040"),
        ([step([1, 0, -1, 1], [5, 3, 3, 0])], "00008021"),
        ([step([0, 1], [0, 0]), step([2, -9], [1, 1])], "0000403e43"),
    ],
)
def test_golden_bytes(steps, golden):
    data = encode_with(UNIFORM_TABLES, steps)
    assert data.hex() == golden == documented_encoder(steps, UNIFORM_TABLES).hex()
    for (symbols, _), decoded in zip(steps, decode(data, steps, UNIFORM_TABLES), strict=True):
        np.testing.assert_array_equal(decoded, symbols)


@pytest.mark.parametrize("seed", range(30))
def test_round_trip(seed):
    sizes = np.random.default_rng(seed).integers(0, 400, 5).tolist()
    assert_round_trip(random_steps(seed, sizes, escapes=seed))


@pytest.mark.parametrize("index", [0, 20, 63])
def test_round_trip_at_every_edge(index):
    radius = int(RADII[index])
    magnitudes = [0, 1, radius - 1, radius, radius + 1, radius + 2, radius + 3, 1 << 19, MAX_SYMBOL]
    symbols = [sign * m for m in magnitudes for sign in (1, -1)]
    assert_round_trip([step(symbols, [index] * len(symbols))])


def test_tables_without_a_radius_send_only_zeros_and_escapes():
    tables = ScaleTables.from_arrays([0] * 64, [65535, 1] * 64)
    assert_round_trip([step([0, 0, 5, -1, 0], [0, 9, 9, 63, 1])], tables)


def test_many_escapes_take_reasonable_time():
    rng = np.random.default_rng(3)
    symbols = rng.integers(-MAX_SYMBOL, MAX_SYMBOL + 1, 100_000, dtype=np.int32)
    indexes = rng.integers(0, SCALE_COUNT, 100_000, dtype=np.uint8)
    start = time.perf_counter()
    assert_round_trip([(symbols, indexes)])
    assert time.perf_counter() - start < 2


def test_other_arrays_are_the_callers_fault():
    good = step([1], [0])
    for symbols, indexes in [
        (good[0].astype(np.int64), good[1]),
        (good[0], good[1].astype(np.int32)),
        (good[0], np.zeros(2, np.uint8)),
        (good[0][None], good[1][None]),
        step([1], [64]),
        step([MAX_SYMBOL + 1], [0]),
        step([-(1 << 31)], [0]),
    ]:
        with pytest.raises(ValueError, match="must be"):
            encode_with(TABLES, [(symbols, indexes)])
    with pytest.raises(ValueError, match="must be"):
        SymbolDecoder(b"", TABLES).decode(np.array([64], np.uint8))


# --- rate ---------------------------------------------------------------------------------


@pytest.mark.parametrize("escapes", [0, 2000])
def test_rate_is_the_ideal_one(escapes):
    steps = random_steps(1, [20_000] * 5, escapes)
    ideal = sum(ideal_bits(symbols, indexes, TABLES) for symbols, indexes in steps) / 8
    assert ideal - 1 <= len(encode_with(TABLES, steps)) <= 1.001 * ideal + 8


@pytest.mark.parametrize("seed", range(50))
def test_overhead_of_short_data_is_small(seed):
    steps = random_steps(seed, [seed + 1])
    ideal = ideal_bits(*steps[0], TABLES) / 8
    assert len(encode_with(TABLES, steps)) <= ideal + 6


def test_ideal_bits_by_hand():
    assert ideal_bits(*step([], []), UNIFORM_TABLES) == 0
    assert ideal_bits(*step([0, 1], [4, 9]), UNIFORM_TABLES) == 4
    assert ideal_bits(*step([2, -9], [0, 0]), UNIFORM_TABLES) == (2 + 5 + 1) + (2 + 5 + 4)
    each = symbol_bits(*step([2, 0, -9, 1], [9, 4, 0, 0]), UNIFORM_TABLES)
    assert each.tolist() == [2 + 5 + 1, 2, 2 + 5 + 4, 2]


def test_silence_is_nearly_free():
    size = 100_000
    data = encode_with(TABLES, [step(np.zeros(size), np.zeros(size))])
    assert len(data) <= 4


def test_bits_left_counts_down_to_nothing():
    steps = random_steps(4, [500, 0, 300], escapes=9)
    decoder = SymbolDecoder(encode_with(TABLES, steps), TABLES)
    left = [decoder.bits_left]
    for _, indexes in steps:
        decoder.decode(indexes)
        left.append(decoder.bits_left)
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0
    for (symbols, indexes), spent in zip(steps, -np.diff(left), strict=True):
        assert abs(spent - ideal_bits(symbols, indexes, TABLES)) < 32


# --- damage -------------------------------------------------------------------------------


def test_left_over_data_is_reported():
    steps = random_steps(5, [300])
    data = encode_with(TABLES, steps)
    for damaged in (b"\1\2\3\4" + data, data + b"\1\1\1\1"):
        with pytest.raises(CorruptStream, match="bits are left"):
            decode(damaged, steps)
    with pytest.raises(CorruptStream, match="bits are left"):
        SymbolDecoder(data, TABLES).finish()


def test_trailing_zeros_are_reported():
    with pytest.raises(CorruptStream, match="zero byte"):
        SymbolDecoder(b"\1\0", TABLES)


def push(state, size_bits, start):
    """The documented encoder's step for an entry of 2^size_bits units."""
    return (state >> size_bits << 24) + state % (1 << size_bits) + start


def escape_data(escape_class, tail=None):
    """One escape of UNIFORM_TABLES, in the documented coder."""
    state = 0 if tail is None else push(0, 23 - escape_class, tail << 23 - escape_class)
    state = push(push(state, 19, escape_class << 19), 22, 3 << 22)
    return state.to_bytes(8, "little").rstrip(b"\0")


def test_escapes_out_of_range_are_reported():
    def decode_one(data):
        return SymbolDecoder(data, UNIFORM_TABLES).decode(np.zeros(1, np.uint8)).tolist()

    assert decode_one(escape_data(0, 1)) == [-2]
    assert decode_one(escape_data(19, (1 << 20) - 4)) == [MAX_SYMBOL]
    with pytest.raises(CorruptStream, match="magnitude 1048576; limit 1048575"):
        decode_one(escape_data(19, (1 << 20) - 1))
    for escape_class in (20, 31):
        with pytest.raises(CorruptStream, match=f"class {escape_class}; the highest is 19"):
            decode_one(escape_data(escape_class))


@pytest.mark.parametrize("seed", range(300))
def test_garbage_costs_nothing_but_an_error(seed):
    rng = random.Random(seed)
    steps = random_steps(seed, [rng.randint(0, 2000)])
    data = rng.randbytes(rng.randint(0, 600))
    try:
        (symbols,) = decode(data, steps)
        assert np.abs(symbols).max(initial=0) <= MAX_SYMBOL
    except CorruptStream:
        pass


def test_damaged_data_never_passes_for_the_original():
    steps = random_steps(6, [60], escapes=3)
    data = encode_with(TABLES, steps)
    crc = symbols_crc([steps[0][0]])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            decoded = decode(bytes(damaged), steps)
        except CorruptStream:
            continue
        assert symbols_crc(decoded) != crc
    for length in range(len(data)):
        with contextlib.suppress(CorruptStream):
            assert symbols_crc(decode(data[:length], steps)) != crc


# --- CRC of the symbols ---------------------------------------------------------------------


def test_symbols_crc_is_over_little_endian_int32():
    z, y = np.array([1, -2], np.int32), np.array([[3], [256]], np.int32)
    expected = bytes.fromhex("01000000 feffffff 03000000 00010000")
    assert symbols_crc([z, y]) == zlib.crc32(expected)
    assert symbols_crc([]) == 0


def test_symbols_crc_follows_the_shape_not_the_memory():
    y = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    assert symbols_crc([np.asfortranarray(y)]) == symbols_crc([y])
    with pytest.raises(ValueError, match="int32"):
        symbols_crc([y.astype(np.int64)])


# --- tables ---------------------------------------------------------------------------------


def test_gaussian_tables_are_well_formed():
    assert RADII.shape == (64,)
    assert (np.diff(RADII) >= 0).all()
    assert (RADII[0], RADII[-1]) == (1, 257)
    for radius, table in zip(RADII, TABLES.frequencies, strict=True):
        assert len(table) == 2 * radius + 2
        symbols = table[:-1]
        assert np.abs(symbols - symbols[::-1]).max() <= 1
        assert symbols.max() - symbols[radius] <= 1


@pytest.mark.parametrize("index", range(0, SCALE_COUNT, 7))
def test_gaussian_tables_cost_next_to_nothing_against_the_gaussian(index):
    sigma = default_scales()[index]
    edges = [math.erf((k - 0.5) / sigma / math.sqrt(2)) / 2 for k in range(-500, 502)]
    masses = np.diff(edges)
    entropy = -sum(p * math.log2(p) for p in masses if p > 0)
    cost = sum(
        p * ideal_bits(*step([k], [index]), TABLES)
        for k, p in zip(range(-500, 501), masses, strict=True)
        if p > 0
    )
    assert entropy <= cost + 1e-9
    assert cost <= entropy * 1.0005 + 2e-4


def test_gaussian_tables_respect_their_cap():
    radii, frequencies = gaussian_tables(default_scales(), max_radius=64)
    assert radii.max() == 64
    tables = ScaleTables.from_arrays(radii, frequencies)
    # What the cap leaves outside is the escape's: P(|x| > 64.5) at sigma 64.
    assert tables.frequencies[63][-1] / 65536 == pytest.approx(0.3136, abs=1e-3)


@pytest.mark.parametrize("scales", [[1.0] * 63, [0.0] * 64, [float("nan")] * 64])
def test_impossible_scales_are_the_callers_fault(scales):
    with pytest.raises(ValueError, match="scales must be"):
        gaussian_tables(scales)


@pytest.mark.parametrize("max_radius", [0, 513])
def test_impossible_caps_are_the_callers_fault(max_radius):
    with pytest.raises(ValueError, match="max_radius"):
        gaussian_tables(default_scales(), max_radius=max_radius)


def changed(array, position, value):
    copy = array.astype(np.int64)
    copy[position] += value
    return copy


@pytest.mark.parametrize(
    ("radii", "frequencies", "words"),
    [
        (RADII[:-1], FREQUENCIES, "expected 64 radii"),
        (RADII.astype(float), FREQUENCIES, "must be a 1-D integer array"),
        (RADII, FREQUENCIES.astype(float), "must be a 1-D integer array"),
        (RADII, FREQUENCIES[None], "must be a 1-D integer array"),
        (RADII, FREQUENCIES[:-1], "ask for 5462 frequencies, got 5461"),
        (RADII, [], "must be a 1-D integer array"),
        (changed(RADII, 0, 1), FREQUENCIES, "ask for"),
        (changed(RADII, 0, 600), FREQUENCIES, "radii must be in 0..512"),
        (changed(RADII, 0, -2), FREQUENCIES, "radii must be in"),
        (RADII, changed(FREQUENCIES, 1, 1), "table 0: frequencies sum to 65537"),
        (RADII, changed(FREQUENCIES, -1, -1 - FREQUENCIES[-1]), "frequencies must be in"),
        (RADII, changed(changed(FREQUENCIES, 0, -1), 1, 1), "table 0: frequency 0"),
        (RADII, changed(FREQUENCIES, 1, 1 << 40), "frequencies must be in"),
    ],
)
def test_bad_tables_are_refused(radii, frequencies, words):
    with pytest.raises(CheckpointError, match=words):
        ScaleTables.from_arrays(radii, frequencies)


def test_tables_keep_their_own_copy():
    frequencies = FREQUENCIES.copy()
    tables = ScaleTables.from_arrays(RADII, frequencies)
    frequencies[:] = 0
    assert tables.frequencies[0].sum() == 1 << 16
