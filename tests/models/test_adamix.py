from __future__ import annotations

import torch
import torch.nn.functional as F

from wavenetmv.models.adamix import AdaMixConv2d, MixtureAttention, pool


def test_mixed_kernel_equals_the_literal_sum():
    torch.manual_seed(0)
    layer = AdaMixConv2d(6, 5, filters=4).double().requires_grad_(False)
    layer.bias.normal_()
    x = torch.randn(3, 6, 9, 7, dtype=torch.float64)
    mixture = torch.softmax(torch.randn(3, 4, dtype=torch.float64), 1)
    literal = sum(
        mixture[:, i, None, None, None] * F.conv2d(x, layer.weight[i], layer.bias[i], padding=1)
        for i in range(4)
    )
    assert torch.allclose(layer(x, mixture), literal, atol=1e-12)


def test_attention_starts_even_and_sums_to_one():
    attention = MixtureAttention(6, 4)
    pooled = pool(torch.randn(2, 6, 8, 8))
    assert torch.allclose(attention(pooled), torch.full((2, 4), 0.25))
    torch.nn.init.normal_(attention.linear.weight)
    mixed = attention(pooled)
    assert torch.allclose(mixed.sum(1), torch.ones(2))
    assert not torch.allclose(mixed[0], mixed[1])
