"""Which blocks an encoder skips, and what is shown then."""

from __future__ import annotations

import torch

from wavenetmv.models import skip


def test_the_better_of_two_is_shown_block_by_block():
    x = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    prediction, decoded = x.clone(), x.clone()
    decoded[0, :, :16, 16:32] += 0.1  # spoilt by the networks
    prediction[1, :, 16:, :16] += 0.1  # put right by the networks
    skips = skip.choose(x, prediction, decoded, price=0.0)
    assert skips.shape == (2, 1, 2, 3)
    assert skips.nonzero().tolist() == [[0, 0, 0, 1]]
    shown = skip.apply(skips, prediction, decoded)
    assert torch.equal(shown, x)


def test_a_gain_must_be_worth_its_price():
    x = torch.zeros(2, 3, 16, 16)
    prediction, decoded = x + 0.02, x + 0.01  # 26 and 6.5 squared errors of a pixel
    price = torch.tensor([15.0, 25.0])
    assert skip.choose(x, prediction, decoded, price).flatten().tolist() == [False, True]


def test_what_is_skipped_teaches_nothing():
    x = torch.rand(1, 3, 16, 32, generator=torch.Generator().manual_seed(0))
    decoded = (x + 0.1).requires_grad_()
    prediction = x + 0.2
    prediction[..., :16] = x[..., :16]
    skips = skip.choose(x, prediction, decoded, 0.0)
    (skip.apply(skips, prediction, decoded) - x).square().sum().backward()
    assert not decoded.grad[..., :16].any()
    assert decoded.grad[..., 16:].all()
