"""Start as a codec: wavelet packet + Karhunen-Loeve transform + Gaussian hyperprior.

Residual blocks and lifting networks start at zero (their own constructors see to it), so
at step 0 the network is the base wavelet packet, a further 2x2 Haar step and the M
leading eigenvectors of the resulting coefficients' covariance; the synthesis is the
transpose, which is near the inverse because the base is near-orthonormal.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.entropy import INDEX_UNIT_BITS, index_of

_MIDDLE_GAIN = 7.0  # of the encoder, at the middle of the lambda range
_Z_STD = 0.6  # of the hyper-latents at the start: enough to survive rounding, cheap to code


@torch.no_grad()
def initialise(model: CodecModel, batches: Iterable[Tensor]) -> float:
    """Set the linear part of `model` from sample pictures.

    `batches` yields [B, 3, H, W] in [0, 1], sides multiples of 16.  Returns the share of
    the energy that the M eigenvectors keep.
    """
    config = model.config
    blocks = 4 * config.packet_channels
    samples = []
    covariance = torch.zeros(blocks, blocks, dtype=torch.float64)
    count = 0
    for x in batches:
        packet = model.lifting(x.float() - 0.5)
        samples = [packet]
        vectors = F.pixel_unshuffle(packet, 2).permute(0, 2, 3, 1).reshape(-1, blocks)
        covariance += (vectors.T @ vectors).double()
        count += vectors.shape[0]
    energies, basis = torch.linalg.eigh(covariance / count)
    energies, basis = energies.flip(0).clamp_min(0), basis.flip(1)[:, : config.M]
    # pixel_unshuffle orders its output channels as (channel, row, column): a 2x2 kernel.
    kernel = basis.T.reshape(config.M, config.packet_channels, 2, 2).float()
    model.g_a.down.weight.copy_(kernel)
    model.g_s.up.weight.copy_(kernel)
    for bias in (model.g_a.down.bias, model.g_s.up.bias):
        assert bias is not None
        bias.zero_()
    _initialise_entropy(model, energies[: config.M].float())
    _calibrate_hyper_analysis(model, model.g_a.down(samples[-1]))
    return float(energies[: config.M].sum() / energies.sum())


def _initialise_entropy(model: CodecModel, energies: Tensor) -> None:
    entropy = model.entropy
    std = energies.sqrt() * _MIDDLE_GAIN
    # h_a looks at latents of comparable size.
    first = entropy.h_a[0]
    first.weight.mul_(2 / (1 + std)[None, :, None, None])  # type: ignore[operator,union-attr]
    units = index_of(std.clamp(0.12, 60.0)) / 2**INDEX_UNIT_BITS
    for head, start in zip(entropy.h_s.heads, units.chunk(len(entropy.h_s.heads)), strict=True):
        head.weight.mul_(0.3)  # type: ignore[operator,union-attr]
        head.bias.zero_()  # type: ignore[operator,union-attr]
        head.bias[len(start) :] = start  # type: ignore[index,operator,union-attr]
    for context in entropy.contexts:
        for head in context.heads:  # type: ignore[union-attr]
            head.weight.mul_(0.1)  # type: ignore[operator,union-attr]
            head.bias.zero_()  # type: ignore[operator,union-attr]


def _calibrate_hyper_analysis(model: CodecModel, y: Tensor) -> None:
    h_a = model.entropy.h_a
    z = h_a(y * _MIDDLE_GAIN)
    last = h_a[-1]
    last.weight.mul_(_Z_STD / z.std((0, 2, 3))[:, None, None, None])  # type: ignore[operator,union-attr]
    last.bias.zero_()  # type: ignore[operator,union-attr]
