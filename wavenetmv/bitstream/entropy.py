"""Integer symbols to bytes and back, with ANS. Normative text: docs/FORMAT.md section 6.

    step 0          step 1                       step n-1
    [groups|escapes][groups|escapes]     ...     [groups|escapes]   -> decoded in this order

All steps share one ANS stack. The decoder needs step k's symbols to know step k+1's indexes,
so step 0 lies on top: the encoder pushes from the last symbol of the last step to the first.
Within a step the symbols are grouped by index, so that a few dozen calls with one table each
replace a table per symbol: 20 times faster than the same models given one by one.

The coder is constriction's AnsCoder: 64-bit state, 32-bit words, 24-bit probabilities. It
checks bounds and decodes any bytes to some symbols, so damage costs no more than time linear
in the number of symbols asked for; what is wrong with them is found by `finish` and by CRCs.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from wavenetmv.bitstream.tables import (
    CODER_PRECISION_BITS,
    FREQUENCY_BITS,
    SCALE_COUNT,
    ScaleTables,
)
from wavenetmv.errors import CorruptStream
from wavenetmv.types import MAX_SYMBOL

ESCAPE_CLASSES = 32
_MAX_CLASS = MAX_SYMBOL.bit_length() - 1
_WORD_BYTES = 4
_SMALL_STEP = 4096  # symbols: sorting a step takes less time than the calls for it

Symbols = npt.NDArray[np.int32]
Indexes = npt.NDArray[np.uint8]

# Its submodules are attributes, not importable modules.
AnsCoder = constriction.stream.stack.AnsCoder
Uniform = constriction.stream.model.Uniform

# Every one of the 2^(class + 1) tails needs a whole number of the coder's units.
assert _MAX_CLASS + 1 < CODER_PRECISION_BITS


# Symbols int32 [n] in -MAX_SYMBOL..MAX_SYMBOL, indexes uint8 [n] in 0..63, and the tables
# that the indexes select from.
Step = tuple[Symbols, Indexes, ScaleTables]


def encode_steps(steps: Sequence[Step]) -> bytes:
    """Code all steps into one byte string without trailing zeros.

    A step may be empty. ValueError if shapes, types or ranges are wrong.
    """
    coder = AnsCoder()
    for run in reversed(_runs(steps)):
        _push_run(coder, run)
    words = coder.get_compressed().astype("<u4")
    # The last word is seldom full; its high zero bytes are not sent.
    return bytes(words.tobytes().rstrip(b"\0"))


class SymbolDecoder:
    """Decodes the steps of one `encode_steps` string, one call for each step.

    CorruptStream from the constructor if `data` cannot be a coder's output.
    """

    def __init__(self, data: bytes, tables: ScaleTables) -> None:
        if data.endswith(b"\0"):
            raise CorruptStream("entropy-coded data ends in a zero byte, which is never written")
        padded = data + bytes(-len(data) % _WORD_BYTES)
        self._coder = AnsCoder(np.frombuffer(padded, "<u4").astype(np.uint32))
        self._tables = tables

    @property
    def bits_left(self) -> int:
        """Bits not yet decoded; the difference between two calls is what lay between them."""
        return int(self._coder.num_valid_bits())

    def decode(self, indexes: Indexes, tables: ScaleTables | None = None) -> Symbols:
        """Decode the next step: indexes uint8 [n] in 0..63 to symbols int32 [n].

        `tables` in place of the constructor's, for this step.
        """
        _check_indexes(indexes)
        _check_range(indexes)
        tables = tables or self._tables
        order = np.argsort(indexes, kind="stable")
        grouped = np.empty(indexes.size, np.int32)
        escaped = [np.empty(0, np.int64)]
        for index, start, stop in _groups(indexes):
            entries = self._coder.decode(tables.models[index], stop - start)
            radius = int(tables.radii[index])
            grouped[start:stop] = entries - radius
            if entries.max() > 2 * radius:
                escaped.append(start + np.flatnonzero(entries > 2 * radius))
        positions = np.concatenate(escaped)
        if positions.size:
            # An escape entry reads as radius + 1, the least magnitude it can stand for.
            grouped[positions] = self._pop_escapes(grouped[positions])
        symbols: Symbols = np.empty_like(grouped)
        symbols[order] = grouped
        return symbols

    def finish(self) -> None:
        """CorruptStream unless the steps decoded so far used up the data exactly."""
        if not self._coder.is_empty():
            raise CorruptStream(
                f"entropy-coded data: {self.bits_left} bits are left after the last symbol"
            )

    def _pop_escapes(self, least: Symbols) -> Symbols:
        classes = self._coder.decode(Uniform(ESCAPE_CLASSES), least.size)
        if classes.max() > _MAX_CLASS:
            raise CorruptStream(
                f"escape code of class {classes.max()}; the highest is {_MAX_CLASS}"
            )
        tails = self._coder.decode(Uniform(), 2 << classes)
        magnitudes = least - 1 + (1 << classes) + (tails >> 1)
        if magnitudes.max() > MAX_SYMBOL:
            raise CorruptStream(f"symbol of magnitude {magnitudes.max()}; limit {MAX_SYMBOL}")
        signed: Symbols = np.where(tails & 1, -magnitudes, magnitudes).astype(np.int32)
        return signed


def symbols_crc(arrays: Iterable[Symbols]) -> int:
    """CRC-32 over the little-endian int32 bytes of the arrays, each in C order, in sequence."""
    crc = 0
    for array in arrays:
        if array.dtype != np.int32:
            raise ValueError(f"symbols must be int32, got {array.dtype}")
        crc = zlib.crc32(array.astype("<i4", copy=False).tobytes(), crc)
    return crc


def ideal_bits(symbols: Symbols, indexes: Indexes, tables: ScaleTables) -> float:
    """Bits that a perfect coder with these tables would spend on one step."""
    return float(symbol_bits(symbols, indexes, tables).sum(dtype=np.float64))


def symbol_bits(symbols: Symbols, indexes: Indexes, tables: ScaleTables) -> npt.NDArray[np.float32]:
    """The same of each symbol, float32 [n]."""
    _check_step(symbols, indexes)
    order = np.argsort(indexes, kind="stable")
    entries, escapes = _to_entries(symbols[order], indexes[order], tables)
    grouped = np.empty(indexes.size, np.float32)
    for index, start, stop in _groups(indexes):
        bits = FREQUENCY_BITS - np.log2(tables.frequencies[index])
        grouped[start:stop] = bits[entries[start:stop]]
    classes, _ = _escape_code(symbols[order][escapes], tables.radii[indexes[order][escapes]])
    grouped[escapes] += np.log2(ESCAPE_CLASSES) + classes + 1
    found = np.empty_like(grouped)
    found[order] = grouped
    return found


def _runs(steps: Sequence[Step]) -> list[list[Step]]:
    """Large steps alone, small ones together as far as they have the same tables."""
    runs = groupby(
        enumerate(steps),
        lambda each: (id(each[1][2]), each[0] if each[1][0].size > _SMALL_STEP else None),
    )
    return [[step for _, step in run] for _, run in runs]


def _push_run(coder: Any, steps: Sequence[Step]) -> None:
    """Steps with the same tables, whose symbols are sorted together."""
    for symbols, indexes, _ in steps:
        _check_types(symbols, indexes)
    symbols, indexes = (np.concatenate([step[part] for step in steps]) for part in (0, 1))
    _check_step(symbols, indexes)
    tables = steps[0][2]
    numbers = np.arange(len(steps), dtype=np.uint32).repeat([step[0].size for step in steps])
    # Up to 16 bits are sorted by counting.
    keys = (numbers * SCALE_COUNT + indexes).astype(np.min_scalar_type(len(steps) * SCALE_COUNT))
    order = np.argsort(keys, kind="stable")
    symbols, indexes = symbols[order], indexes[order]
    entries, escapes = _to_entries(symbols, indexes, tables)
    escapes_of = np.split(escapes, np.searchsorted(numbers[escapes], np.arange(1, len(steps))))
    step_before = len(steps)
    for key, start, stop in reversed(list(_groups(keys))):
        step, index = divmod(key, SCALE_COUNT)
        if step != step_before:
            _push_escapes(coder, symbols, indexes, escapes_of[step], tables)
            step_before = step
        coder.encode_reverse(entries[start:stop], tables.models[index])


def _push_escapes(
    coder: Any,
    symbols: Symbols,
    indexes: Indexes,
    escapes: npt.NDArray[np.intp],
    tables: ScaleTables,
) -> None:
    if escapes.size:
        classes, tails = _escape_code(symbols[escapes], tables.radii[indexes[escapes]])
        coder.encode_reverse(tails, Uniform(), 2 << classes)
        coder.encode_reverse(classes, Uniform(ESCAPE_CLASSES))


def _to_entries(
    symbols: Symbols, indexes: Indexes, tables: ScaleTables
) -> tuple[Symbols, npt.NDArray[np.intp]]:
    """Table entries of the symbols, and the positions where that entry is the escape."""
    radii = tables.radii[indexes]
    escapes = np.flatnonzero(np.abs(symbols) > radii)
    entries = symbols + radii
    entries[escapes] = 2 * radii[escapes] + 1
    return entries, escapes


def _escape_code(symbols: Symbols, radii: Symbols) -> tuple[Symbols, Symbols]:
    """(classes, tails): with v = |s| - radius >= 1, class = floor(log2 v) and the tail holds
    v's lower bits above the sign bit."""
    values = np.abs(symbols) - radii
    # frexp is exact for integers below 2^53, unlike a rounded log2.
    classes = (np.frexp(values.astype(np.float64))[1] - 1).astype(np.int32)
    tails = (values - (1 << classes) << 1 | (symbols < 0)).astype(np.int32)
    return classes, tails


def _groups(keys: npt.NDArray[np.unsignedinteger[Any]]) -> Iterator[tuple[int, int, int]]:
    """(key, start, stop) of each that occurs, in the order of what is sorted by them."""
    counts = np.bincount(keys)
    there = counts.nonzero()[0]
    stops = counts[there].cumsum()
    yield from zip(there.tolist(), (stops - counts[there]).tolist(), stops.tolist(), strict=True)


def _check_step(symbols: Symbols, indexes: Indexes) -> None:
    _check_types(symbols, indexes)
    _check_range(indexes)
    if symbols.size and max(-int(symbols.min()), int(symbols.max())) > MAX_SYMBOL:
        raise ValueError(
            f"symbols must be in -{MAX_SYMBOL}..{MAX_SYMBOL}, got {symbols.min()}..{symbols.max()}"
        )


def _check_types(symbols: Symbols, indexes: Indexes) -> None:
    _check_indexes(indexes)
    if symbols.dtype != np.int32 or symbols.shape != indexes.shape:
        raise ValueError(
            f"symbols must be int32 {indexes.shape}, got {symbols.dtype} {symbols.shape}"
        )


def _check_indexes(indexes: Indexes) -> None:
    if indexes.dtype != np.uint8 or indexes.ndim != 1:
        raise ValueError(f"indexes must be uint8 [n], got {indexes.dtype} {indexes.shape}")


def _check_range(indexes: Indexes) -> None:
    if indexes.size and indexes.max() >= SCALE_COUNT:
        raise ValueError(f"indexes must be in 0..{SCALE_COUNT - 1}, got {indexes.max()}")
