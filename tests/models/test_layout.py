"""Faster ways to the same values: each beside torch's own."""

from __future__ import annotations

import pytest
import torch

from wavenetmv.models.layout import channels_last, planes_first, to_bytes, to_pixels

LAST = torch.channels_last
# Few and many channels, one picture and two, odd sides, one row of one pixel.
SHAPES = [(1, 3, 7, 5), (1, 32, 4, 4), (2, 48, 5, 9), (1, 192, 1, 1), (1, 64, 1, 6)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_channels_last_and_back(shape, dtype):
    x = torch.randn(shape)
    with torch.no_grad():
        moved = channels_last(x, dtype)
    wanted = x.to(dtype or x.dtype, memory_format=LAST)
    assert moved.dtype == wanted.dtype
    assert moved.is_contiguous(memory_format=LAST)
    assert torch.equal(moved, wanted)
    back = planes_first(moved)
    assert back.dtype == torch.float32
    assert back.is_contiguous()
    assert torch.equal(back, wanted.float())


def test_views_and_gradients_pass():
    x = torch.randn(1, 64, 8, 8, requires_grad=True)
    channels_last(x[:, :, ::2]).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad[:, :, ::2], torch.ones(1, 64, 4, 8))
    with torch.no_grad():
        assert torch.equal(channels_last(x[:, :, ::2]), x[:, :, ::2])


def test_all_bytes():
    values = torch.arange(256)
    for dtype in (torch.float32, torch.int64):
        assert torch.equal(to_bytes(values.to(dtype)), values.byte())


def test_pixels_are_rounded_and_kept_in_range():
    x = torch.tensor([-0.3, 0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 1.0, 1.7, 0.5])
    pixels = to_pixels(
        x.view(1, 2, 4).repeat(3, 1, 1) * torch.tensor([1.0, 0.0, 1.0])[:, None, None]
    )
    assert pixels.shape == (2, 4, 3)
    assert pixels.is_contiguous()
    wanted = [0, 0, 0, 1, 254, 255, 255, 128]
    assert pixels[..., 0].flatten().tolist() == pixels[..., 2].flatten().tolist() == wanted
    assert not pixels[..., 1].any()
