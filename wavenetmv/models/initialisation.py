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
from torch import Tensor, nn

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
    entropy.h_a.first.weight.mul_(2 / (1 + std)[None, :, None, None])
    units = index_of(std.clamp(0.12, 60.0)) / 2**INDEX_UNIT_BITS
    for head, start in zip(entropy.h_s.heads, units.chunk(len(entropy.h_s.heads)), strict=True):
        bias = _shrink(head, 0.3)
        bias[len(start) :] = start
    for context in entropy.contexts:
        for head in context.get_submodule("heads").children():
            _shrink(head, 0.1)


def _shrink(head: nn.Module, factor: float) -> Tensor:
    """Weights times `factor`, bias zero; returns the bias."""
    assert isinstance(head, nn.Conv2d)
    assert head.bias is not None
    head.weight.mul_(factor)
    return head.bias.zero_()


def _calibrate_hyper_analysis(model: CodecModel, y: Tensor) -> None:
    last = model.entropy.h_a.last
    z = model.entropy.h_a(y * _MIDDLE_GAIN)
    last.weight.mul_(_Z_STD / z.std((0, 2, 3))[:, None, None, None])
    assert last.bias is not None
    last.bias.zero_()
