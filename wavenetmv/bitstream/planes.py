"""Lossless coding of one 8-bit plane, as the alpha channel needs it. docs/FORMAT.md section 5.3.

    plane -> filter (differences, modulo 256) -> deflate or LZMA2 -> method byte + data

The method byte is coder * 16 + filter. Filters are undone by running sums, so both
directions are whole-array numpy operations.
"""

from __future__ import annotations

import lzma
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from wavenetmv.bitstream.deflate import deflate, inflate
from wavenetmv.errors import CorruptStream

Plane = npt.NDArray[np.uint8]


class PlaneCoder(IntEnum):
    """High half of the method byte. Wire values: never renumber."""

    CONSTANT = 0
    STORED = 1
    DEFLATE = 2
    LZMA2 = 3


class PlaneFilter(IntEnum):
    """Low half of the method byte: bit 0 = left, bit 1 = up. Wire values: never renumber."""

    NONE = 0
    LEFT = 1
    UP = 2
    LEFT_UP = 3


_UNFILTERED_CODERS = {PlaneCoder.CONSTANT, PlaneCoder.STORED}
_LZMA2_DICTIONARY = 1 << 22  # bytes; bounds the decoder's memory, part of the format
_LZMA2_DECODER = [{"id": lzma.FILTER_LZMA2, "dict_size": _LZMA2_DICTIONARY}]
_LZMA2_ENCODER = [{**_LZMA2_DECODER[0], "preset": 6, "pb": 0}]

# Effort of the encoder only. LZMA2 takes up to 1 s a megapixel on noisy planes, but little
# where deflate already finds almost nothing to code.
_FILTER_TRIAL_PIXELS = 1 << 18
_FILTER_TRIAL_BANDS = 4
_LARGE_PIXELS = 1 << 22
_EASY_RATIO = 64


def encode_plane(plane: Plane) -> bytes:
    """Code `plane` uint8 [H, W], H and W >= 1, into at most H * W + 1 bytes.

    Planes above 4 megapixels get LZMA2 only where deflate shrinks them 64-fold, so that
    48 megapixels take seconds, not minutes.
    """
    if plane.dtype != np.uint8 or plane.ndim != 2 or plane.size == 0:
        raise ValueError(f"plane must be uint8 [H, W], got {plane.dtype} {plane.shape}")
    if plane.min() == plane.max():
        return bytes([_method(PlaneCoder.CONSTANT), plane[0, 0]])
    chosen = _best_filter(plane)
    residual = _apply(plane, chosen).tobytes()
    deflated = deflate(residual, level=6)
    candidates = [
        bytes([_method(PlaneCoder.STORED)]) + plane.tobytes(),
        bytes([_method(PlaneCoder.DEFLATE, chosen)]) + deflated,
    ]
    if plane.size <= _LARGE_PIXELS or len(deflated) < plane.size // _EASY_RATIO:
        candidates.append(bytes([_method(PlaneCoder.LZMA2, chosen)]) + _lzma2(residual))
    return min(candidates, key=len)


def decode_plane(data: bytes, height: int, width: int) -> Plane:
    """Inverse of `encode_plane`: uint8 [height, width].

    CorruptStream unless `data` holds exactly height * width values and nothing else;
    neither time nor memory goes far beyond that size, whatever `data` says.
    """
    if not data:
        raise CorruptStream("alpha plane: the payload is empty")
    coder, chosen = _parse_method(data[0])
    values, size = data[1:], height * width
    if coder is PlaneCoder.CONSTANT:
        if len(values) != 1:
            raise CorruptStream(f"alpha plane: expected 1 constant value, got {len(values)}")
        return np.full((height, width), values[0], np.uint8)
    if coder is PlaneCoder.DEFLATE:
        values = inflate(values, size, "alpha plane")
    elif coder is PlaneCoder.LZMA2:
        values = _unlzma2(values, size)
    if len(values) != size:
        raise CorruptStream(f"alpha plane: expected {size} values, got {len(values)}")
    return _undo(np.frombuffer(values, np.uint8).reshape(height, width), chosen)


def _method(coder: PlaneCoder, chosen: PlaneFilter = PlaneFilter.NONE) -> int:
    return coder << 4 | chosen


def _parse_method(method: int) -> tuple[PlaneCoder, PlaneFilter]:
    try:
        coder, chosen = PlaneCoder(method >> 4), PlaneFilter(method & 15)
    except ValueError as error:
        raise CorruptStream(f"alpha plane: unknown method {method:#04x}") from error
    if coder in _UNFILTERED_CODERS and chosen is not PlaneFilter.NONE:
        raise CorruptStream(f"alpha plane: method {method:#04x} combines {coder.name} and a filter")
    return coder, chosen


def _best_filter(plane: Plane) -> PlaneFilter:
    """The filter under which a sample of the plane, bands of whole rows, codes shortest."""
    height, width = plane.shape
    sample = plane
    rows = max(1, _FILTER_TRIAL_PIXELS // (_FILTER_TRIAL_BANDS * width))
    if rows * _FILTER_TRIAL_BANDS < height:
        tops = np.linspace(0, height - rows, _FILTER_TRIAL_BANDS).astype(int)
        sample = np.concatenate([plane[top : top + rows] for top in tops])
    return min(PlaneFilter, key=lambda chosen: len(_lzma2(_apply(sample, chosen).tobytes())))


def _apply(plane: Plane, chosen: PlaneFilter) -> Plane:
    residual = plane.copy()
    if chosen & PlaneFilter.LEFT:
        residual[:, 1:] -= plane[:, :-1]
    if chosen & PlaneFilter.UP:
        # From a copy: the rows above must still hold what the decoder will have there.
        residual[1:] -= residual[:-1].copy()
    return residual


def _undo(residual: Plane, chosen: PlaneFilter) -> Plane:
    plane = residual.copy()  # a writable array of its own, not a view of the payload
    if chosen & PlaneFilter.UP:
        np.cumsum(plane, axis=0, dtype=np.uint8, out=plane)
    if chosen & PlaneFilter.LEFT:
        np.cumsum(plane, axis=1, dtype=np.uint8, out=plane)
    return plane


def _lzma2(data: bytes) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_RAW, filters=_LZMA2_ENCODER)


def _unlzma2(data: bytes, limit: int) -> bytes:
    coder = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=_LZMA2_DECODER)
    try:
        out = coder.decompress(data, max_length=limit + 1)
    except lzma.LZMAError as error:
        raise CorruptStream(f"alpha plane: LZMA2 data is damaged: {error}") from error
    if len(out) > limit:
        raise CorruptStream(f"alpha plane expands to more than {limit} bytes")
    if not coder.eof:
        raise CorruptStream(f"alpha plane: LZMA2 data is cut short after {len(out)} bytes")
    if coder.unused_data:
        raise CorruptStream(f"alpha plane: {len(coder.unused_data)} bytes follow the LZMA2 data")
    return out
