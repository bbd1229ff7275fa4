"""Blocks that vectors point to, held against torch's own sampling, far outside the picture too."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from wavenetmv.models.block_sampling import EDGE, SUBPEL, Blocks, flat_index, quarter_planes


def picture(batch: int = 2, height: int = 32, width: int = 48) -> torch.Tensor:
    return torch.rand(batch, 1, height, width, generator=torch.Generator().manual_seed(0)) * 255


def test_quarter_planes_are_bicubic_interpolation():
    x = picture()
    B, _, H, W = x.shape
    planes = quarter_planes(x)
    assert planes.shape == (B, SUBPEL, SUBPEL, H + 2 * EDGE, W + 2 * EDGE)
    for down in range(SUBPEL):
        for right in range(SUBPEL):
            rows = torch.arange(-EDGE, H + EDGE) + down / SUBPEL
            columns = torch.arange(-EDGE, W + EDGE) + right / SUBPEL
            grid = torch.stack(
                torch.broadcast_tensors(
                    (2 * columns + 1) / W - 1, ((2 * rows + 1) / H - 1)[:, None]
                ),
                2,
            ).expand(B, -1, -1, -1)
            wanted = F.grid_sample(
                x, grid, mode="bicubic", padding_mode="border", align_corners=False
            )
            found = planes[:, down, right].float()
            error = (found - wanted[:, 0]).abs()
            # Below black, where only overshoot leads, rounding is towards zero.
            assert (error <= torch.where(wanted[:, 0] < 0, 1.51, 0.51)).all()


def test_blocks_are_where_vectors_point_and_the_border_goes_on():
    x = picture()
    B, _, H, W = x.shape
    block = 8
    h, w = H // block, W // block
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randint(-80, 81, (B, 2, h, w), generator=generator)
    found = Blocks(x, block).at(vectors)
    dense = vectors.repeat_interleave(block, 2).repeat_interleave(block, 3)
    moved = x.flatten(1).gather(1, flat_index(dense).flatten(1)).view(B, h, block, w, block)
    assert torch.equal(found, moved.transpose(2, 3)[:, :, :, ::2])
