"""Where a detection head would feel errors of the latents: by its own gradients.

A quantiser of step s adds errors of variance s^2 / 12 to a latent; what they do to an answer is
the answer's gradient times as much.  Summed over all answers, each as far as it counts, that is
what an error costs at this place.  One backward pass gives the gradient of one sum: with random
signs before its terms, its square is on average the sum of their squares (Hutchinson, 1989).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetmv.models.heads import LATENT_STRIDE, DetectionHead
from wavenetmv.models.tiling import tiles

_SEED = 1
_BOX_WEIGHT = 0.3  # of a box's place and log size in strides, where a score counts 1
# Larger pictures go in tiles: the gradients of a pass take 0.5 GB per megapixel.
_TILE, _HALO = 64, 8  # latents; multiples of 4, as what heads see has to be


def sensitivity(head: DetectionHead, y_hat: Tensor, steps: Tensor) -> Tensor:
    """Float32 [h, w]: what errors of a quantiser's `steps` [1, M, 1, 1] cost there.

    y_hat [1, M, h, w], as heads see it.  The same for the same input on one machine.
    """
    h, w = y_hat.shape[2:]
    found = torch.empty(h, w)
    signs = torch.Generator().manual_seed(_SEED)
    for rows, columns in tiles(h, w, _TILE, _HALO):
        tile = _of_tile(head, y_hat[:, :, rows.seen, columns.seen], steps, signs)
        found[rows.yielded, columns.yielded] = tile[rows.inner, columns.inner]
    return found


def _of_tile(head: DetectionHead, y_hat: Tensor, steps: Tensor, signs: torch.Generator) -> Tensor:
    dtype = next(head.parameters()).dtype
    with torch.inference_mode(False), torch.enable_grad():
        y = y_hat.clone(memory_format=torch.channels_last).requires_grad_()
        raw = head(y.to(dtype), (LATENT_STRIDE * y.shape[2], LATENT_STRIDE * y.shape[3])).float()
        scores = raw[..., 4:5] * raw[..., 5:]
        weight = scores.detach()
        answers = (scores * weight.sqrt() * _signs(scores, signs)).sum()
        places = raw[..., :4] * weight.amax(-1, keepdim=True) * _signs(raw[..., :4], signs)
        (gradient,) = torch.autograd.grad(answers + _BOX_WEIGHT * places.sum(), y)
        cost = (gradient * steps.clone()).square().sum((0, 1)).cpu()
    return F.avg_pool2d(cost[None], 3, 1, 1, count_include_pad=False)[0]


def _signs(like: Tensor, generator: torch.Generator) -> Tensor:
    """-1 or 1 for each element."""
    drawn = torch.randint(0, 2, like.shape, generator=generator, dtype=torch.int8)
    return (2 * drawn - 1).to(like)
