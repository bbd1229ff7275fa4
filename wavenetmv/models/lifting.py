"""Lifting wavelet transform with learned predict and update steps.

One level, applied to all channels at once (a wavelet packet):

    x --> base wavelet --> LL, d = (HL, LH, HH)
                           d  = d  - P(LL)          P, U: small CNNs
                           LL = LL + U(d)

    y = cat(LL, d)         the inverse runs the same steps backwards:
                           LL = LL - U(d);  d = d + P(LL);  inverse base wavelet

so `inverse(forward(x)) == x` up to rounding whatever P and U compute.  The base
wavelet is itself a chain of two-tap lifting steps, factored from PyWavelets'
filters (Daubechies and Sweldens, "Factoring wavelet transforms into lifting
steps", 1998), with whole-sample symmetric extension at the borders.

Subband letters: first = horizontal (last axis), second = vertical, as in JPEG 2000.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetmv.models import packet_matrices
from wavenetmv.models.lifting_steps import lifting_factors, merge, split


class LiftingLevel(nn.Module):
    """One level: x [B, C, H, W], H and W even -> [B, 4C, H/2, W/2] as (LL, HL, LH, HH).

    `hidden` is the width of the predict and update networks; 0 leaves the base wavelet alone.
    """

    def __init__(self, channels: int, hidden: int, base: str) -> None:
        super().__init__()
        self.channels = channels
        self.factors = lifting_factors(base)
        self.predict = _step_network(channels, hidden, 3 * channels) if hidden else None
        self.update = _step_network(3 * channels, hidden, channels) if hidden else None

    def forward(self, x: Tensor) -> Tensor:
        low, high = split(x, -1, self.factors)
        (ll, lh), (hl, hh) = split(low, -2, self.factors), split(high, -2, self.factors)
        if self.predict is None or self.update is None:
            return torch.cat([ll, hl, lh, hh], 1)
        detail = torch.cat([hl, lh, hh], 1)
        detail = detail - _run(self.predict, ll)
        ll = ll + _run(self.update, detail)
        return torch.cat([ll, detail], 1)

    def inverse(self, y: Tensor) -> Tensor:
        """[B, 4C, H/2, W/2] -> [B, C, H, W]."""
        ll, detail = y[:, : self.channels], y[:, self.channels :]
        if self.predict is not None and self.update is not None:
            ll = ll - _run(self.update, detail)
            detail = detail + _run(self.predict, ll)
        hl, lh, hh = detail.chunk(3, 1)
        low, high = merge(ll, lh, -2, self.factors), merge(hl, hh, -2, self.factors)
        return merge(low, high, -1, self.factors)


def _run(network: nn.Sequential, x: Tensor) -> Tensor:
    """The networks may run in bfloat16 while the wavelet itself stays in float32."""
    out: Tensor = network(x.to(next(network.parameters()).dtype))
    return out


def _step_network(channels_in: int, hidden: int, channels_out: int) -> nn.Sequential:
    last = nn.Conv2d(hidden, channels_out, 1)
    # Zero: training starts from the base wavelet.
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    return nn.Sequential(
        nn.Conv2d(channels_in, hidden, 3, padding=1), nn.LeakyReLU(0.1, inplace=True), last
    )


class LiftingPacket(nn.Module):
    """Levels applied one after the other: 3 -> 12 -> 48 -> 192 channels at H/8 for three.

    Without learned steps all levels are one product with matrices (packet_matrices.py).
    """

    def __init__(self, hidden: tuple[int, ...], base: str, channels: int = 3) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            LiftingLevel(channels * 4**depth, width, base) for depth, width in enumerate(hidden)
        )
        self.downsampling_factor = 2 ** len(hidden)
        self._base, self._learned = base, any(hidden)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] of any size -> [B, 4^n C, ceil(H / 2^n), ceil(W / 2^n)].

        Sides that 2^n does not divide are extended by repeating the edge.
        """
        factor = self.downsampling_factor
        pad_h, pad_w = -x.shape[2] % factor, -x.shape[3] % factor
        if pad_h or pad_w:
            x = F.pad(x, (0, pad_w, 0, pad_h), mode="replicate")
        if not self._learned:
            return packet_matrices.analyse(x, self._base, len(self.levels))
        for level in self.levels:
            x = level(x)
        return x

    def inverse(
        self, y: Tensor, size: tuple[int, int] | None = None, *, levels: int | None = None
    ) -> Tensor:
        """Back to [B, C, H, W]; `size` = (H, W) crops what `forward` padded.

        levels  how many of the last ones are undone; None: all
        """
        count = len(self.levels) if levels is None else levels
        if self._learned:
            for level in list(self.levels)[::-1][:count]:
                y = level.inverse(y)  # type: ignore[operator]
        elif count:
            y = packet_matrices.synthesise(y, self._base, count)
        return y if size is None else y[:, :, : size[0], : size[1]]
