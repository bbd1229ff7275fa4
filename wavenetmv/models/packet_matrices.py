"""A wavelet packet without learned steps as products with small matrices.

Where no network predicts or updates, all levels of a packet together are one linear map along
each axis, and every result sees few values: a band along the diagonal of a large matrix.  It is
cut into small dense ones, nearly all of them the same.  Multiplying by these takes a fifth of the
time of lifting, which goes through all of the picture's memory at every step.

The values are those of lifting up to rounding (tests/models/test_packet_matrices.py).
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wavenetmv.models.lifting_steps import lifting_factors, merge, split

_LEAST_BLOCK = 32  # results of one product


class Map(NamedTuple):
    """A packet's `levels` along one axis, samples to coefficients, or with `inverse` back.

    transposed  what gradients go through
    """

    base: str
    levels: int
    inverse: bool
    transposed: bool = False


class Block(NamedTuple):
    """Results `given` of the values `seen`, by `matrix` [seen, given]."""

    seen: slice
    given: slice
    matrix: Tensor


def analyse(x: Tensor, base: str, levels: int) -> Tensor:
    """x [B, C, H, W] -> packet [B, 4^n C, H / 2^n, W / 2^n], sides multiples of 2^n, n = `levels`.

    Channels as of `lifting.LiftingPacket`; float32 from half precision, or float64 as it is.
    """
    packet: Tensor = _Analysis.apply(_precise(x), Map(base, levels, inverse=False))
    return packet


def synthesise(packet: Tensor, base: str, levels: int) -> Tensor:
    """The inverse of `analyse`."""
    x: Tensor = _Synthesis.apply(_precise(packet), Map(base, levels, inverse=True))
    return x


def _precise(x: Tensor) -> Tensor:
    """Rounded to half precision the matrices would be those of another wavelet."""
    return x if x.dtype is torch.float64 else x.float()


class _Analysis(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, map: Map) -> Tensor:
        ctx.map = map
        return _to_packet(x, map)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _from_packet(gradient, ctx.map._replace(transposed=True)), None


class _Synthesis(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, packet: Tensor, map: Map) -> Tensor:
        ctx.map = map
        return _from_packet(packet, map)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _to_packet(gradient, ctx.map._replace(transposed=True)), None


def _to_packet(x: Tensor, map: Map) -> Tensor:
    return _packed(_along_columns(_along_rows(x, map), map), map.levels)


def _from_packet(packet: Tensor, map: Map) -> Tensor:
    return _along_rows(_along_columns(_unpacked(packet, map.levels), map), map)


def _packed(x: Tensor, levels: int) -> Tensor:
    """Coefficients [B, C, H, W] where they belong -> packet."""
    B, C, H, W = x.shape
    size, bits = 1 << levels, (2,) * levels
    # [B, C, rows, low or high along columns, columns, the same along rows], the last level first.
    apart = x.reshape(B, C, H // size, *bits, W // size, *bits)
    down, along = range(3, 3 + levels), range(4 + levels, 4 + 2 * levels)
    bands = [axis for pair in zip(down, along, strict=True) for axis in pair]
    packet = apart.permute(0, *bands, 1, 2, 3 + levels)
    return packet.reshape(B, size * size * C, H // size, W // size)


def _unpacked(packet: Tensor, levels: int) -> Tensor:
    """The inverse of `_packed`."""
    B, _, h, w = packet.shape
    size, bits = 1 << levels, (2,) * levels
    bands = packet.reshape(B, *bits, *bits, -1, h, w)
    x = packet.new_empty(B, bands.shape[-3], h, *bits, w, size)
    order = (0, levels + 1, levels + 2, *range(1, levels + 1), levels + 3)
    # Column by column of each position: torch takes three times as long for all at once.
    for column, along in enumerate(product((0, 1), repeat=levels)):
        chosen = [index for bit in along for index in (slice(None), bit)]
        x[..., column] = bands[(slice(None), *chosen)].permute(order)
    return x.view(B, -1, size * h, size * w)


def _along_rows(x: Tensor, map: Map) -> Tensor:
    """The map along the last axis of [B, C, H, W]."""
    rows = x.reshape(-1, x.shape[3])
    out = torch.empty_like(rows)
    for seen, given, matrix in _blocks(map, x.shape[3], x.dtype, x.device):
        torch.mm(rows[:, seen], matrix, out=out[:, given])
    return out.view(x.shape)


def _along_columns(x: Tensor, map: Map) -> Tensor:
    """The map along the axis before."""
    planes = x.reshape(-1, *x.shape[2:])
    out = torch.empty_like(planes)
    blocks = _blocks(map, x.shape[2], x.dtype, x.device)
    for plane, result in zip(planes, out, strict=True):
        for seen, given, matrix in blocks:
            torch.mm(matrix.t(), plane[seen], out=result[given])
    return out.view(x.shape)


@cache
def _blocks(map: Map, length: int, dtype: torch.dtype, device: torch.device) -> list[Block]:
    """The map of `length` values; what is given is in order, and everything."""
    size = _block_size(map)
    if length < 3 * size:
        all_of_it = slice(0, length)
        return [Block(all_of_it, all_of_it, _whole(map, length).to(dtype).to(device))]
    # Ends and middle are those of a short map.
    short = _whole(map, 3 * size + length % size).to(dtype).to(device)
    first = _cut(short, 0, 2 * size, 0, size)
    inner = _cut(short, 0, 3 * size, size, 2 * size)
    last = _cut(short, size, len(short), 2 * size, len(short))
    count = length // size
    moved = (_moved(inner, k * size) for k in range(count - 2))
    return [first, *moved, _moved(last, (count - 3) * size)]


def _block_size(map: Map) -> int:
    """As far as a result may see to a side, or more, so that products are worth their calls."""
    reach = len(lifting_factors(map.base).steps) * ((1 << map.levels) - 1)
    return max(_LEAST_BLOCK, -(-reach >> map.levels) << map.levels)


def _cut(whole: Tensor, first: int, stop: int, first_given: int, stop_given: int) -> Block:
    """A block of `whole`, without values that count nothing."""
    part = whole[first:stop, first_given:stop_given]
    counting = part.any(1).nonzero()
    top, bottom = int(counting[0]), int(counting[-1]) + 1
    seen = slice(first + top, first + bottom)
    return Block(seen, slice(first_given, stop_given), part[top:bottom].contiguous())


def _moved(block: Block, by: int) -> Block:
    seen, given = (slice(each.start + by, each.stop + by) for each in block[:2])
    return Block(seen, given, block.matrix)


@torch.no_grad()
def _whole(map: Map, length: int) -> Tensor:
    """The map as one matrix, float64 [length seen, length given].

    Coefficients are in the order position, then low or high, the last level first.
    """
    unit = torch.eye(length, dtype=torch.float64)[None]
    whole = _joined(unit, map) if map.inverse else _split(unit, map)
    return whole[0].t() if map.transposed else whole[0]


def _split(x: Tensor, map: Map) -> Tensor:
    """[1, n, length] along its last axis by lifting, samples to coefficients."""
    factors = lifting_factors(map.base)
    parts = [x]
    for _ in range(map.levels):
        lows, highs = zip(*(split(part, -1, factors) for part in parts), strict=True)
        parts = [*lows, *highs]
    return torch.stack(parts, -1).reshape(x.shape)


def _joined(x: Tensor, map: Map) -> Tensor:
    """The inverse of `_split`."""
    factors = lifting_factors(map.base)
    parts = list(x.view(*x.shape[:2], -1, 1 << map.levels).unbind(3))
    while len(parts) > 1:
        half = len(parts) // 2
        pairs = zip(parts[:half], parts[half:], strict=True)
        parts = [merge(low, high, -1, factors) for low, high in pairs]
    return parts[0]
