"""Pixels of a picture where blocks of another one point to.

A vector is (dy, dx) in quarters of a pixel; what it points to is interpolated bicubically.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 16  # pixels a side: one vector for each latent position
SUBPEL = 4  # steps of a vector in a pixel
PART = BLOCK // 2  # compensation works on quarters of blocks
_REACH = 2  # pixels of what is interpolated around a picture; beyond, it is the border's
EDGE = _REACH + BLOCK  # of `quarter_planes`: blocks further out are like those next to it
_STRIP = 128  # rows of these planes at a time, which caches hold

Places = tuple[Tensor, ...]  # batch, row, column of some squares, int64 [k] each


def _parts(x: Tensor) -> Tensor:
    """[B, C, H, W] as squares of 8 x 8: a view [B, C, H / 8, 8, W / 8, 8]."""
    B, C, H, W = x.shape
    return x.view(B, C, H // PART, PART, W // PART, PART)


def replaced(x: Tensor, reference: Tensor, vectors: Tensor, where: Tensor) -> Tensor:
    """`x` [B, C, H, W] with the squares that `where` [B, H / 8, W / 8] names sampled anew.

    `vectors`, in steps, has one for each square.  In most frames most squares need nothing.
    """
    out = x.clone()
    batch, rows, columns = places = where.nonzero(as_tuple=True)
    if len(batch):
        own = vectors[batch, :, rows, columns]
        _parts(out)[batch, :, rows, :, columns] = _sample(reference, own, places)
    return out


def _sample(reference: Tensor, vectors: Tensor, places: Places) -> Tensor:
    """`reference` [B, C, H, W] where `vectors` [k, 2], in steps, point from squares at `places`.

    Places are sorted by batch. [k, C, 8, 8].
    """
    batch, rows, columns = places
    H, W = reference.shape[2:]
    offsets = torch.arange(PART, device=vectors.device)
    moved = vectors / SUBPEL
    y = (rows * PART + moved[:, 0])[:, None] + offsets
    x = (columns * PART + moved[:, 1])[:, None] + offsets
    square = (len(batch), PART, PART)
    grid = torch.stack(
        (
            ((2 * x + 1) / W - 1)[:, None].expand(square),
            ((2 * y + 1) / H - 1)[:, :, None].expand(square),
        ),
        3,
    ).to(reference.dtype)
    ends = torch.bincount(batch, minlength=len(reference)).cumsum(0).tolist()
    found = [
        _bicubic(picture, grid[start:end])
        for picture, start, end in zip(reference, [0, *ends], ends, strict=False)
        if end > start
    ]
    if not found:
        return reference.new_empty(0, reference.shape[1], PART, PART)
    return torch.cat(found)


def _bicubic(picture: Tensor, grid: Tensor) -> Tensor:
    """picture [C, H, W] at grid [k, 8, 8, 2], as grid_sample has it -> [k, C, 8, 8]."""
    # One sample of a batch is sampled on one thread.
    workers = torch.get_num_threads()
    count = len(grid)
    grid = F.pad(grid, (0, 0, 0, 0, 0, 0, 0, -count % workers))
    sampled = F.grid_sample(
        picture.expand(workers, -1, -1, -1), grid.view(workers, -1, PART, 2),
        mode="bicubic", padding_mode="border", align_corners=False,
    )  # fmt: skip
    squares = sampled.view(workers, len(picture), -1, PART, PART).transpose(1, 2)
    return squares.flatten(0, 1)[:count]


@torch.no_grad()
def quarter_planes(picture: Tensor) -> Tensor:
    """`picture` [B, 1, H, W], 0..255, moved by all parts of a pixel: int16 [B, 4, 4, H', W'].

    At [.., i, j, y + EDGE, x + EDGE] is what lies at (y + i / 4, x + j / 4), for y from -EDGE to
    H + EDGE - 1 and x alike.
    """
    before, after = _REACH + 1, _REACH + 2  # bicubic interpolation looks one back and two ahead
    # Half a unit more, all that is interpolated has, and is rounded when it becomes an integer.
    padded = F.pad(picture + 0.5, (before, after, before, after), mode="replicate")
    H, W = (side - 3 for side in padded.shape[2:])
    size = (len(picture), SUBPEL, SUBPEL, H + 2 * BLOCK, W + 2 * BLOCK)
    planes = torch.empty(size, dtype=torch.int16, device=picture.device)
    inner = planes[..., BLOCK:-BLOCK, BLOCK:-BLOCK]
    for top in range(0, H, _STRIP):
        rows = padded[:, 0, top : top + _STRIP + 3]
        for i, lower in enumerate(_moved(rows, 1)):
            for j, plane in enumerate(_moved(lower, 2)):
                inner[:, i, j, top : top + _STRIP] = plane
    beside = planes[..., BLOCK:-BLOCK, :]
    beside[..., :BLOCK], beside[..., -BLOCK:] = inner[..., :1], inner[..., -1:]
    planes[..., :BLOCK, :], planes[..., -BLOCK:, :] = beside[..., :1, :], beside[..., -1:, :]
    return planes


def _moved(x: Tensor, axis: int) -> Iterator[Tensor]:
    """`x` without one pixel before and two after along `axis`, moved by each part of one."""
    count = x.shape[axis] - 3
    yield x.narrow(axis, 1, count)
    for part in range(1, SUBPEL):
        first, *others = _bicubic_taps(part / SUBPEL)
        total = first * x.narrow(axis, 0, count)
        for place, tap in enumerate(others, 1):
            total.add_(x.narrow(axis, place, count), alpha=tap)
        yield total


def _bicubic_taps(part: float, a: float = -0.75) -> list[float]:
    """Weights of pixels -1, 0, 1, 2 for what lies at `part` between 0 and 1, grid_sample's."""

    def near(distance: float) -> float:
        return ((a + 2) * distance - (a + 3)) * distance * distance + 1

    def far(distance: float) -> float:
        return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a

    return [far(1 + part), near(part), near(1 - part), far(2 - part)]


def flat_index(vectors: Tensor) -> Tensor:
    """Where each position of a plane comes from, beyond the border the nearest.

    vectors int64 [B, 2, h, w], in whole positions -> int64 [B, h, w].
    """
    h, w = vectors.shape[2:]
    rows = torch.arange(h, device=vectors.device)[:, None] + vectors[:, 0]
    columns = torch.arange(w, device=vectors.device) + vectors[:, 1]
    return rows.clamp_(0, h - 1) * w + columns.clamp_(0, w - 1)


class Blocks:
    """Every second row of a picture's blocks, where vectors of whole pixels point to.

    picture  [B, 1, H, W]
    block    pixels a side, dividing H and W
    """

    def __init__(self, picture: Tensor, block: int) -> None:
        B, _, H, W = picture.shape
        device = picture.device
        self._block, self._height, self._width = block, H, W
        padded = F.pad(picture, (block, block, block, block), mode="replicate")[:, 0]
        _, height, self._pitch = padded.shape
        # Rows of a block's width from every pixel on, which overlap.
        flat = padded.flatten()
        self._lines = flat.unfold(0, block, 1)
        self._batch = height * self._pitch * torch.arange(B, device=device)[:, None, None]
        self._rows_of_block = self._pitch * torch.arange(0, block, 2, device=device)
        self._rows = torch.arange(block, block + H, block, device=device)[:, None]
        self._columns = torch.arange(block, block + W, block, device=device)

    def at(self, vectors: Tensor) -> Tensor:
        """vectors int64 [B, 2, h, w] -> [B, h, w, block / 2, block]."""
        # Blocks further out hold the border's pixels, as those next to it do.
        y = (self._rows + vectors[:, 0]).clamp_(0, self._height + self._block)
        x = (self._columns + vectors[:, 1]).clamp_(0, self._width + self._block)
        first = self._batch + y * self._pitch + x
        # Whole lines are copied; by three indexes it would be one pixel after the other.
        lines = self._lines.index_select(0, (first[..., None] + self._rows_of_block).flatten())
        return lines.view(*first.shape, -1, self._block)
