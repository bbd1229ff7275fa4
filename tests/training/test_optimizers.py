"""Muon in both precisions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from wavenetmv.training.optimizers import Optimizer

# Of the quintic iteration, Keller Jordan, https://kellerjordan.github.io/posts/muon/ (2024).
_A, _B, _C, _STEPS = 3.4445, -4.7750, 2.0315, 5


def stepped(kernel, gradient, bfloat16):
    """How one step of rate 1 changes a kernel."""
    layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2])
    with torch.no_grad():
        layer.weight.copy_(kernel)
    layer.weight.grad, layer.bias.grad = gradient.clone(), torch.zeros(kernel.shape[0])
    Optimizer(layer, bfloat16=bfloat16).step(1.0)
    assert layer.weight.grad is None
    return (layer.weight.detach() - kernel).double()


def orthogonalised(matrix):
    x = matrix / matrix.norm()
    for _ in range(_STEPS):
        gram = x @ x.T
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x


@pytest.mark.parametrize(("bfloat16", "error"), [(False, 1e-5), (True, 0.03)])
def test_muon_orthogonalises_in_the_precision_asked_for(bfloat16, error):
    torch.manual_seed(0)
    kernel, gradient = torch.randn(32, 40, 3, 3), torch.randn(32, 40, 3, 3)
    found = stepped(kernel, gradient, bfloat16).flatten(1)
    expected = orthogonalised(gradient.double().flatten(1))
    scale = float((found * expected).sum() / expected.square().sum())
    off = float((found / scale - expected).norm() / expected.norm())
    assert off < error
    # What tells one precision from the other, so that neither passes for both.
    assert (off > 1e-3) is bfloat16
