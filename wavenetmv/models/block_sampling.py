"""Pixels of a picture where blocks of another one point to.

A vector is (dy, dx) in quarters of a pixel; what it points to is interpolated bicubically.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 16  # pixels a side: one vector for each latent position
SUBPEL = 4  # steps of a vector in a pixel
PART = BLOCK // 2  # compensation works on quarters of blocks

Places = tuple[Tensor, ...]  # batch, row, column of some squares, int64 [k] each


def parts(x: Tensor) -> Tensor:
    """[B, C, H, W] as squares of 8 x 8: a view [B, C, H / 8, 8, W / 8, 8]."""
    B, C, H, W = x.shape
    return x.view(B, C, H // PART, PART, W // PART, PART)


def at(squares: Tensor, places: Places) -> Tensor:
    """The squares [k, C, 8, 8] at these places."""
    batch, rows, columns = places
    return squares[batch, :, rows, :, columns]


def replaced(x: Tensor, reference: Tensor, vectors: Tensor, where: Tensor) -> Tensor:
    """`x` [B, C, H, W] with the squares that `where` [B, H / 8, W / 8] names sampled anew.

    `vectors`, in steps, has one for each square.  In most frames most squares need nothing.
    """
    out = x.clone()
    batch, rows, columns = places = where.nonzero(as_tuple=True)
    if len(batch):
        own = vectors[batch, :, rows, columns]
        parts(out)[batch, :, rows, :, columns] = sample(reference, own, places)
    return out


def sample(reference: Tensor, vectors: Tensor, places: Places, step: int = 1) -> Tensor:
    """`reference` [B, C, H, W] where `vectors` [k, 2], in steps, point from squares at `places`.

    Places are sorted by batch.  [k, C, 8, 8]: every `step`-th pixel of squares with 8 * step
    pixels a side, by bicubic interpolation.
    """
    batch, rows, columns = places
    H, W = reference.shape[2:]
    offsets = torch.arange(0, PART * step, step, device=vectors.device)
    moved = vectors / SUBPEL
    y = (rows * PART * step + moved[:, 0])[:, None] + offsets
    x = (columns * PART * step + moved[:, 1])[:, None] + offsets
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


def flat_index(vectors: Tensor, block: int, height: int, width: int, every: int = 1) -> Tensor:
    """Where each position in every n-th row of a plane comes from, beyond the border the nearest.

    vectors int64 [B, 2, h, w], in whole pixels -> int64 [B, height / every, width].
    """
    dense = vectors.repeat_interleave(block // every, 2).repeat_interleave(block, 3)
    rows = torch.arange(0, height, every, device=vectors.device)[:, None] + dense[:, 0]
    columns = torch.arange(width, device=vectors.device) + dense[:, 1]
    return rows.clamp_(0, height - 1) * width + columns.clamp_(0, width - 1)
