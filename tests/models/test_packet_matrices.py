"""Products with matrices give what lifting gives, and so do their gradients."""

from __future__ import annotations

import pytest
import torch

from wavenetmv.models import packet_matrices
from wavenetmv.models.lifting import LiftingLevel, LiftingPacket

CASES = [("haar", 3), ("bior2.2", 2), ("bior4.4", 1), ("bior4.4", 3), ("bior4.4", 4)]
# One block; two ends; ends and blocks between them, of a width that blocks do not divide.
SIZES = [(16, 32), (96, 112), (256, 336)]


def lifted(x: torch.Tensor, base: str, levels: int) -> torch.Tensor:
    for _ in range(levels):
        x = LiftingLevel(x.shape[1], 0, base)(x)
    return x


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize(("base", "levels"), CASES)
@pytest.mark.parametrize("size", SIZES)
def test_equal_lifting_both_ways(base, levels, size, grad):
    x = noise(2, 3, *size)
    with torch.set_grad_enabled(grad):
        packet = packet_matrices.analyse(x, base, levels)
        restored = packet_matrices.synthesise(packet, base, levels)
    assert torch.allclose(packet, lifted(x, base, levels), rtol=0, atol=1e-12)
    assert torch.allclose(restored, x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_gradients_equal_those_of_lifting(size):
    x = noise(1, 3, *size).requires_grad_()
    wanted, found = (
        torch.autograd.grad((packet * noise(*packet.shape)).sum(), x)[0]
        for packet in (lifted(x, "bior4.4", 3), packet_matrices.analyse(x, "bior4.4", 3))
    )
    assert torch.allclose(found, wanted, rtol=0, atol=1e-12)


def test_gradients_pass_after_use_without_any():
    """Matrices are kept, and those made in inference mode would be of no use to gradients."""
    packet = LiftingPacket((0, 0, 0), "bior4.4")
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        packet(x)
    x.requires_grad_()
    packet(x).square().sum().backward()
    assert x.grad is not None


def test_float32_is_as_exact_as_lifting():
    x = noise(1, 3, 256, 256)
    exact = lifted(x, "bior4.4", 3)
    found = packet_matrices.analyse(x.float(), "bior4.4", 3)
    assert (found - exact).abs().max() < 2e-5 * exact.abs().max()


def test_half_precision_and_autocast_change_nothing():
    """As in training, where convolutions before it may have half precision."""
    x = torch.randn(1, 3, 128, 160).bfloat16()
    wanted = packet_matrices.analyse(x.float(), "bior4.4", 3)
    with torch.autocast("cpu", torch.bfloat16):
        leaf = x.clone().requires_grad_()
        packet = packet_matrices.analyse(leaf, "bior4.4", 3)
        assert torch.equal(packet, wanted)
        packet.square().sum().backward()
        assert leaf.grad.dtype is torch.bfloat16
        restored = packet_matrices.synthesise(packet.bfloat16(), "bior4.4", 3)
    rounded = wanted.bfloat16().float()
    assert torch.equal(restored, packet_matrices.synthesise(rounded, "bior4.4", 3))


def test_some_of_the_levels_can_be_undone():
    packet = LiftingPacket((0, 0, 0), "bior4.4")
    x = noise(1, 3, 64, 96)
    y = packet(x)
    assert packet.inverse(y, levels=0) is y
    assert torch.allclose(packet.inverse(y, levels=2), lifted(x, "bior4.4", 1), atol=1e-12)
