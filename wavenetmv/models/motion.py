"""Where the blocks of a frame come from in the frame before: search, and compensation.

A motion field is int16 [B, 2, h, w], one vector (dy, dx) for each block of 16 x 16 pixels,
in quarters of a pixel: the block at (i, j) of the current frame looks like what lies at
(16 i + dy / 4, 16 j + dx / 4) in the reference.  h x w is the size of the latents, so padded
blocks have vectors too.

Search: coarse to fine block matching with the neighbours' vectors as candidates (as in
de Haan et al., "True-motion estimation with 3-D recursive search", 1993), then a parabola
through the matching errors for the part of a pixel.  Compensation: overlapped blocks
(Orchard and Sullivan, "Overlapped block motion compensation", 1994) and bicubic sampling.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 16  # pixels a side: one vector for each latent position
SUBPEL = 4  # steps of a vector in a pixel
MAX_VECTOR = 1023  # steps: 255 pixels
# Machines are content with pictures of people's quality at a quarter of lambda or less.
MACHINE_PRICE = 4.0

_LUMA = (0.299, 0.587, 0.114)  # BT.601
_COARSEST = 4  # the first search runs on pictures so many times smaller
_RADIUS = 8  # of the first search, in pixels of that picture
_NEIGHBOURS = ((0, -1), (0, 1), (-1, 0), (1, 0))
_AROUND = (*_NEIGHBOURS, (-1, -1), (-1, 1), (1, -1), (1, 1))
_ECONOMY_PASSES = 2
# Squared error of a pixel (0..255 scale) below which a block does not move by parts of one:
# there the parabola follows noise.
_STILL = 1.0
_SMOOTHNESS_LIMIT = 16.0  # pixels: beyond it a vector may differ from its neighbours at will

_PART = BLOCK // 2  # compensation works on quarters of blocks

Vectors = Tensor  # int64 [B, 2, h, w], whole pixels of one level of the search
Places = tuple[Tensor, ...]  # batch, row, column of some blocks, int64 [k] each


@torch.no_grad()
def estimate(
    current: Tensor, reference: Tensor, bit_price: Tensor | float, smoothness: float = 0.5
) -> Tensor:
    """The motion field that makes `reference` like `current`, both luma [B, 1, H, W], 0..255.

    H and W are multiples of 16.  Vectors cost bits: `bit_price`, one number or [B], is the
    squared error per pixel that a bit of a block's vector must save (`price_of_a_bit`).
    `smoothness`, for the search of whole pixels, is that of a pixel's difference from the
    neighbours' vectors in mean absolute difference.
    """
    levels = [
        (F.avg_pool2d(current, scale), F.avg_pool2d(reference, scale), BLOCK // scale)
        for scale in (_COARSEST, 2)
    ]
    vectors = _full_search(*levels[0], smoothness)
    vectors = _refine(*levels[1], 2 * vectors, smoothness, passes=2)
    vectors = _refine(current, reference, BLOCK, 2 * vectors, smoothness, passes=1)
    motion = _subpel(current, reference, vectors)
    return _economise(current, reference, motion, bit_price).to(torch.int16)


def price_of_a_bit(lmbda: Tensor | float, block: Tensor | int = 0) -> Tensor | float:
    """Squared error (0..255 scale) of each of a block's pixels that is worth one bit.

    L = R + lambda / 40000 * D, with R in bits per pixel, as the codec is trained for people;
    `block` says for whom, as in models/gains.py.
    """
    return 40000 / (lmbda * BLOCK * BLOCK) * MACHINE_PRICE**block


def luma(x: Tensor) -> Tensor:
    """RGB [B, 3, H, W] in [0, 1] -> [B, 1, H, W] in 0..255, as the search sees it."""
    weights = torch.tensor(_LUMA, device=x.device)[:, None, None]
    return (x * weights).sum(1, keepdim=True) * 255


def compensate(reference: Tensor, motion: Tensor) -> Tensor:
    """The prediction [B, C, H, W] that `motion` makes of `reference` [B, C, H, W], float.

    Each pixel blends what its own block's vector and those of the two nearest neighbouring
    blocks point to, weighted by distance: no block edges.
    """
    H, W = reference.shape[2:]
    quarters = motion.repeat_interleave(2, 2).repeat_interleave(2, 3)
    own = _replaced(reference, reference, quarters, (quarters != 0).any(1))
    prediction = own
    # Quarters of blocks: each has one nearest neighbour above or below, and one beside it.
    for axis, ramp in ((2, _ramp(H, reference)[:, None]), (3, _ramp(W, reference)[None])):
        neighbours = _nearest(quarters, axis)
        other = _replaced(own, reference, neighbours, (neighbours != quarters).any(1))
        prediction = torch.addcmul(prediction, ramp, other - own)
    return prediction


def roughness(motion: Tensor) -> Tensor:
    """How much each vector differs from its neighbours: int [B, 1, h, w], quarters of a pixel.

    The largest absolute difference of a component to the four neighbours, at most 255.
    """
    padded = F.pad(motion.float(), (1, 1, 1, 1), mode="replicate")
    h, w = motion.shape[2:]
    differences = [
        (padded[:, :, 1 + down : 1 + down + h, 1 + right : 1 + right + w] - motion).abs()
        for down, right in _NEIGHBOURS
    ]
    return torch.stack(differences).amax((0, 2))[:, None].clamp(max=255)


def follow(latents: Tensor, motion: Tensor) -> Tensor:
    """Latents [B, M, h, w] of the frame before, moved by whole positions along `motion`.

    Integers stay the integers they are: what selects probabilities may be made of them.
    """
    h, w = motion.shape[2:]
    step = SUBPEL * BLOCK
    whole = torch.div(motion.long() + step // 2, step, rounding_mode="floor")
    index = _flat_index(whole, 1, h, w).flatten(1)
    moved = latents.flatten(2).gather(2, index[:, None].expand(-1, latents.shape[1], -1))
    return moved.view_as(latents)


def _full_search(current: Tensor, reference: Tensor, block: int, smoothness: float) -> Vectors:
    """The best of all vectors within the radius, by windows of three blocks a side."""
    H, W = current.shape[2:]
    R = _RADIUS
    padded = F.pad(reference, (R, R, R, R), mode="replicate")
    best: Tensor | None = None
    for down in range(2 * R + 1):
        for right in range(2 * R + 1):
            error = (current - padded[:, :, down : down + H, right : right + W]).abs_()
            error = F.avg_pool2d(error, block)
            error = F.avg_pool2d(error, 3, 1, 1, count_include_pad=False)
            error += smoothness / 4 * (abs(down - R) + abs(right - R))
            if best is None:
                best, vectors = error, torch.zeros_like(error).long().expand(-1, 2, -1, -1)
                vectors = vectors - R
                continue
            better = error < best
            best = torch.where(better, error, best)
            here = torch.tensor([down - R, right - R], device=error.device)[:, None, None]
            vectors = torch.where(better, here, vectors)
    return vectors


def _refine(
    current: Tensor,
    reference: Tensor,
    block: int,
    vectors: Vectors,
    smoothness: float,
    passes: int,
) -> Vectors:
    """Vectors that the neighbours, no motion or one more pixel would serve better, replaced."""
    errors = _Matching(current, reference, block)
    h, w = vectors.shape[2:]
    for _ in range(passes):
        around = F.pad(vectors.float(), (1, 1, 1, 1), mode="replicate").long()
        neighbours = [
            around[:, :, 1 + down : 1 + down + h, 1 + right : 1 + right + w]
            for down, right in _NEIGHBOURS
        ]
        middle = torch.stack(neighbours).sort(0).values[1:3].float().mean(0)

        def cost(candidate: Vectors, middle: Tensor = middle) -> Tensor:
            distance = (candidate - middle).abs().sum(1, keepdim=True)
            return errors.absolute(candidate) + smoothness * distance.clamp(max=_SMOOTHNESS_LIMIT)

        best = cost(vectors)
        for candidate in (*neighbours, torch.zeros_like(vectors)):
            vectors, best = _better(vectors, best, candidate, cost)
        for offset in _AROUND:
            moved = vectors + torch.tensor(offset, device=vectors.device)[:, None, None]
            vectors, best = _better(vectors, best, moved, cost)
    limit = MAX_VECTOR // SUBPEL - 1
    return vectors.clamp(-limit, limit)


def _better(
    vectors: Vectors, best: Tensor, candidate: Vectors, cost: Callable[[Vectors], Tensor]
) -> tuple[Vectors, Tensor]:
    candidate_cost = cost(candidate)
    better = candidate_cost < best
    return torch.where(better, candidate, vectors), torch.where(better, candidate_cost, best)


def _subpel(current: Tensor, reference: Tensor, vectors: Vectors) -> Tensor:
    """Whole pixels [B, 2, h, w] to quarters, by a parabola along each axis."""
    errors = _Matching(current, reference, BLOCK)
    here = errors.squared(vectors)
    parts = []
    for axis in ((1, 0), (0, 1)):
        offset = torch.tensor(axis, device=vectors.device)[:, None, None]
        before, after = errors.squared(vectors - offset), errors.squared(vectors + offset)
        curvature = (before + after - 2 * here).clamp_min(1e-3)
        parts.append((0.5 * (before - after) / curvature).clamp(-0.5, 0.5))
    part = torch.where(here < _STILL, 0.0, torch.cat(parts, 1))
    return torch.round((vectors + part) * SUBPEL)


def _economise(
    current: Tensor, reference: Tensor, motion: Tensor, bit_price: Tensor | float
) -> Tensor:
    """Where a neighbour's vector costs fewer bits than it adds errors, that one instead."""
    price = torch.as_tensor(bit_price, device=motion.device).view(-1, 1, 1, 1)
    h, w = motion.shape[2:]
    step = BLOCK // _PART  # every second row and column tell enough
    wanted = _parts(current[:, :, ::step, ::step].contiguous())

    def errors(candidate: Tensor, where: Tensor) -> Tensor:
        """Mean squared errors of the blocks that `where` [B, h, w] names."""
        places = where.nonzero(as_tuple=True)
        found = _sample(reference, candidate, places, step)
        return (found - _at(wanted, places)).square_().mean((1, 2, 3))

    own = errors(motion, torch.ones_like(motion[:, 0], dtype=torch.bool)).view(-1, 1, h, w)
    for _ in range(_ECONOMY_PASSES):
        padded = F.pad(motion, (1, 1, 1, 0))
        left, above, above_right = (
            padded[:, :, 1 - up : 1 - up + h, 1 + right : 1 + right + w]
            for up, right in ((0, -1), (1, 0), (1, 1))
        )
        expected = torch.stack((left, above, above_right)).median(0).values
        best = own + price * _vector_bits(motion - expected)
        for candidate in (expected, left, above, torch.zeros_like(motion)):
            cost = price * _vector_bits(candidate - expected)
            possible = (cost < best) & (candidate != motion).any(1, keepdim=True)
            found = torch.full_like(own, torch.inf)
            found[possible] = errors(candidate, possible[:, 0])
            better = found + cost < best
            motion = torch.where(better, candidate, motion)
            own = torch.where(better, found, own)
            best = torch.where(better, found + cost, best)
    return motion


def _vector_bits(difference: Tensor) -> Tensor:
    """About how many bits a difference [B, 2, h, w] from the expected vector takes."""
    return 2 * torch.log2(1 + difference.abs()).sum(1, keepdim=True)


class _Matching:
    """Errors [B, 1, h, w] of blocks moved by whole pixels, from every second row."""

    def __init__(self, current: Tensor, reference: Tensor, block: int) -> None:
        self._current = current[:, :, ::2].flatten(1)
        self._reference = reference.flatten(1)
        self._height, self._width = current.shape[2:]
        self._block = block

    def absolute(self, vectors: Vectors) -> Tensor:
        return self._mean(self._difference(vectors).abs_())

    def squared(self, vectors: Vectors) -> Tensor:
        return self._mean(self._difference(vectors).square_())

    def _difference(self, vectors: Vectors) -> Tensor:
        index = _flat_index(vectors, self._block, self._height, self._width, every=2)
        return self._reference.gather(1, index.flatten(1)).sub_(self._current)

    def _mean(self, error: Tensor) -> Tensor:
        shape = (-1, 1, self._height // 2, self._width)
        return F.avg_pool2d(error.view(shape), (self._block // 2, self._block))


def _flat_index(vectors: Vectors, block: int, height: int, width: int, every: int = 1) -> Tensor:
    """Where each position in every n-th row of a plane comes from, beyond the border the nearest.

    int64 [B, height / every, width].
    """
    dense = vectors.repeat_interleave(block // every, 2).repeat_interleave(block, 3)
    rows = torch.arange(0, height, every, device=vectors.device)[:, None] + dense[:, 0]
    columns = torch.arange(width, device=vectors.device) + dense[:, 1]
    return rows.clamp_(0, height - 1) * width + columns.clamp_(0, width - 1)


def _nearest(quarters: Tensor, axis: int) -> Tensor:
    """For each quarter of a block, the vector of the block it touches along `axis`."""
    size = quarters.shape[axis]
    index = torch.arange(size, device=quarters.device)
    index = (index + 2 * (index % 2) - 1).clamp(0, size - 1)
    return quarters.index_select(axis, index)


def _ramp(size: int, like: Tensor) -> Tensor:
    """A neighbour's weight along one axis: a quarter at the common edge, none in the middle."""
    place = (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / BLOCK
    return (place - place.floor() - 0.5).abs() / 2


def _parts(x: Tensor) -> Tensor:
    """[B, C, H, W] as squares of 8 x 8: a view [B, C, H / 8, 8, W / 8, 8]."""
    B, C, H, W = x.shape
    return x.view(B, C, H // _PART, _PART, W // _PART, _PART)


def _at(parts: Tensor, places: Places) -> Tensor:
    """The squares [k, C, 8, 8] at these places."""
    batch, rows, columns = places
    return parts[batch, :, rows, :, columns]


def _replaced(x: Tensor, reference: Tensor, vectors: Tensor, where: Tensor) -> Tensor:
    """`x` [B, C, H, W] with the squares that `where` [B, H / 8, W / 8] names sampled anew.

    `vectors`, in steps, has one for each square.  In most frames most squares need nothing.
    """
    out = x.clone()
    batch, rows, columns = places = where.nonzero(as_tuple=True)
    if len(batch):
        _parts(out)[batch, :, rows, :, columns] = _sample(reference, vectors, places)
    return out


def _sample(reference: Tensor, vectors: Tensor, places: Places, step: int = 1) -> Tensor:
    """`reference` [B, C, H, W] where `vectors`, in steps, point from the squares at `places`.

    [k, C, 8, 8]: every `step`-th pixel of squares with 8 * step pixels a side, by bicubic
    interpolation.
    """
    batch, rows, columns = places
    H, W = reference.shape[2:]
    offsets = torch.arange(0, _PART * step, step, device=vectors.device)
    moved = vectors[batch, :, rows, columns] / SUBPEL
    y = (rows * _PART * step + moved[:, 0])[:, None] + offsets
    x = (columns * _PART * step + moved[:, 1])[:, None] + offsets
    square = (len(batch), _PART, _PART)
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
        return reference.new_empty(0, reference.shape[1], _PART, _PART)
    return torch.cat(found)


def _bicubic(picture: Tensor, grid: Tensor) -> Tensor:
    """picture [C, H, W] at grid [k, 8, 8, 2], as grid_sample has it -> [k, C, 8, 8]."""
    # One sample of a batch is sampled on one thread.
    workers = torch.get_num_threads()
    count = len(grid)
    grid = F.pad(grid, (0, 0, 0, 0, 0, 0, 0, -count % workers))
    sampled = F.grid_sample(
        picture.expand(workers, -1, -1, -1), grid.view(workers, -1, _PART, 2),
        mode="bicubic", padding_mode="border", align_corners=False,
    )  # fmt: skip
    squares = sampled.view(workers, len(picture), -1, _PART, _PART).transpose(1, 2)
    return squares.flatten(0, 1)[:count]
