from __future__ import annotations

import torch

from wavenetmv.models.partition import STEPS, assemble, gather, scatter_


def test_four_steps_cover_every_latent_exactly_once():
    x = torch.arange(2 * 16 * 8 * 12, dtype=torch.float32).view(2, 16, 8, 12) + 1
    steps = [gather(x, step) for step in range(STEPS)]
    assert torch.equal(torch.cat([s.flatten() for s in steps]).sort().values, x.flatten())
    assert torch.equal(assemble(steps), x)
    written = torch.zeros_like(x)
    for step, values in enumerate(steps):
        scatter_(written, values, step)
    assert torch.equal(written, x)


def test_unknown_latents_are_zero():
    x = torch.ones(1, 8, 4, 4)
    known = assemble([gather(x, 0), gather(x, 1)])
    assert known.sum() == x.numel() / 2
    assert torch.equal(gather(known, 1), gather(x, 1))
    assert not gather(known, 2).any()
    assert not assemble([gather(x, 0)])[:, :2, 1::2].any()  # group 0 is at phase (0, 0)
