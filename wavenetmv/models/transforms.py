"""Analysis g_a: pixels to latents. Synthesis g_s: latents to pixels.

    x [B, 3, H, W] -> lifting packet [B, 192, H/8, W/8] -> blocks
      -> 2x2 step [B, M, H/16, W/16] -> blocks -> y

Both share the lifting networks, so that learning them cannot break their inverse, and
both are linear (wavelet packet, then the 2x2 step) plus residual blocks whose last
convolution starts at zero: see `models.initialisation`.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from wavenetmv.models.adamix import AdaMixConv2d, MixtureAttention, pool
from wavenetmv.models.config import ModelConfig

NEGATIVE_SLOPE = 0.1


class ResidualBlock(nn.Module):
    """x + conv(act(conv(act(x)))), 3x3, `width` channels inside.

    The convolutions may have less precision than x, which keeps its own.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.last = nn.Conv2d(width, channels, 3, padding=1)
        zero_(self.last)

    def forward(self, x: Tensor, mixture: None = None) -> Tensor:
        """`mixture` is there for the places that an `AdaMixBlock` may have too."""
        seen = x.to(self.first.weight.dtype)
        inner = self.first(F.leaky_relu(seen, NEGATIVE_SLOPE))
        out: Tensor = x + self.last(F.leaky_relu(inner, NEGATIVE_SLOPE, inplace=True))
        return out


class AdaMixBlock(nn.Module):
    """A residual block whose first convolution is a mixture of filters."""

    def __init__(self, channels: int, width: int, filters: int) -> None:
        super().__init__()
        self.first = AdaMixConv2d(channels, width, filters)
        self.last = nn.Conv2d(width, channels, 3, padding=1)
        zero_(self.last)

    def forward(self, x: Tensor, mixture: Tensor) -> Tensor:
        seen = x.to(self.first.weight.dtype)
        inner = self.first(F.leaky_relu(seen, NEGATIVE_SLOPE), mixture)
        out: Tensor = x + self.last(F.leaky_relu(inner, NEGATIVE_SLOPE, inplace=True))
        return out


class AnalysisTransform(nn.Module):
    """Packet coefficients [B, P, H/8, W/8] -> latents y [B, M, H/16, W/16], before gains."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        P, M = config.packet_channels, config.M
        self.adamix = _adamix(config)
        self.attention = _attention(config, P)
        self.fine = nn.Sequential(
            *(ResidualBlock(P, config.fine_width) for _ in range(config.fine_blocks_analysis))
        )
        self.down = nn.Conv2d(P, M, 2, stride=2)
        self.coarse = nn.Sequential(
            *(ResidualBlock(M, config.coarse_width) for _ in range(config.coarse_blocks_analysis))
        )

    def mixture(self, packet: Tensor) -> Tensor | None:
        """AdaMix weights [B, N] from the packet coefficients of the whole picture."""
        return None if self.attention is None else self.attention(pool(packet))

    def forward(self, packet: Tensor, mixture: Tensor | None) -> Tensor:
        x = packet if self.adamix is None else self.adamix(packet, mixture)
        y: Tensor = self.coarse(self.down(self.fine(x).to(self.down.weight.dtype)))
        return y


class SynthesisTransform(nn.Module):
    """Latents y_hat [B, M, H/16, W/16], gains undone -> packet coefficients [B, P, H/8, W/8]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        P, M = config.packet_channels, config.M
        self.coarse = nn.Sequential(
            *(ResidualBlock(M, config.coarse_width) for _ in range(config.coarse_blocks_synthesis))
        )
        self.up = nn.ConvTranspose2d(M, P, 2, stride=2)
        self.adamix = _adamix(config)
        self.attention = _attention(config, M)
        self.fine = nn.Sequential(
            *(ResidualBlock(P, config.fine_width) for _ in range(config.fine_blocks_synthesis))
        )

    def mixture(self, y_hat: Tensor) -> Tensor | None:
        """AdaMix weights [B, N] from the latents of the whole picture."""
        return None if self.attention is None else self.attention(pool(y_hat))

    def forward(self, y_hat: Tensor, mixture: Tensor | None) -> Tensor:
        x = self.up(self.coarse(y_hat).to(self.up.weight.dtype))
        if self.adamix is not None:
            x = self.adamix(x, mixture)
        packet: Tensor = self.fine(x)
        return packet


def _adamix(config: ModelConfig) -> nn.Module | None:
    """One filter is no mixture but a plain block of the same width."""
    if not config.adamix_filters:
        return None
    if config.adamix_filters == 1:
        return ResidualBlock(config.packet_channels, config.adamix_width)
    return AdaMixBlock(config.packet_channels, config.adamix_width, config.adamix_filters)


def _attention(config: ModelConfig, channels: int) -> MixtureAttention | None:
    if config.adamix_filters < 2:
        return None
    return MixtureAttention(channels, config.adamix_filters)


def zero_(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv
