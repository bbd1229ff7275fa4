"""Where a detection head would feel errors of the latents: by its own gradients.

What an error does to an answer is the answer's gradient times its size.  Summed over all answers,
each as far as it counts, the squares of that are what errors cost at a place.  One backward pass
gives the gradient of one sum: with random signs before its terms, its square is on average the sum
of their squares (Hutchinson, 1989).

Gradients are those of the head's first features: from there on down to latents they would take
half as long again, and tell no more (docs/decisions/0030).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetmv.models.heads import DetectionHead
from wavenetmv.models.layout import channels_last
from wavenetmv.models.tiling import tiles

_SEED = 1
_BOX_WEIGHT = 0.3  # of a box's place and log size in strides, where a score counts 1
# Larger pictures go in tiles: the gradients of a pass take 0.4 GB per megapixel.
_TILE, _HALO = 64, 8  # latents; multiples of 4, as what heads see has to be


def sensitivity(head: DetectionHead, y_hat: Tensor) -> Tensor:
    """Float32 [h, w]: what errors of about the same size cost there, in no unit.

    y_hat [1, M, h, w], as heads see it.  The same for the same input on one machine.
    """
    h, w = y_hat.shape[2:]
    found = torch.empty(h, w)
    signs = torch.Generator().manual_seed(_SEED)
    for rows, columns in tiles(h, w, _TILE, _HALO):
        tile = _of_tile(head, y_hat[:, :, rows.seen, columns.seen], signs)
        found[rows.yielded, columns.yielded] = tile[rows.inner, columns.inner]
    return found


def _of_tile(head: DetectionHead, y_hat: Tensor, signs: torch.Generator) -> Tensor:
    dtype = next(head.parameters()).dtype
    with torch.inference_mode():
        c3 = head.c3(channels_last(y_hat, dtype))
    with torch.inference_mode(False), torch.enable_grad():
        c3 = c3.clone().requires_grad_()
        raw = head.answers(c3).float()
        scores = raw[..., 4:5] * raw[..., 5:]
        weight = scores.detach()
        answers = (scores * weight.sqrt() * _signs(scores, signs)).sum()
        places = raw[..., :4] * weight.amax(-1, keepdim=True) * _signs(raw[..., :4], signs)
        (gradient,) = torch.autograd.grad(answers + _BOX_WEIGHT * places.sum(), c3)
        cost = gradient.float().square().sum((0, 1)).cpu()
    cost = F.avg_pool2d(cost[None], 2)  # two features to a latent
    return F.avg_pool2d(cost, 3, 1, 1, count_include_pad=False)[0]


def _signs(like: Tensor, generator: torch.Generator) -> Tensor:
    """-1 or 1 for each element."""
    drawn = torch.randint(0, 2, like.shape, generator=generator, dtype=torch.int8)
    return (2 * drawn - 1).to(like)
