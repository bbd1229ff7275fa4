"""From latents to what a pretrained network expects: the learned front of a head."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wavenetmv.models.layout import planes_first
from wavenetmv.models.lifting import LiftingPacket
from wavenetmv.models.resampling import resample
from wavenetmv.models.transforms import ResidualBlock

_PACKET_LEVELS = 3  # of the codec's wavelet packet, whose coefficients lie at H/8
_SMALLEST_SIZE = 0.02  # added to those of channels: some are nearly always zero


class Adapter(nn.Module):
    """What every head sees latents through: `entered` are those of the codec it learned from."""

    def __init__(self, M: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(M, M, 1)
        nn.init.dirac_(self.enter.weight)
        nn.init.zeros_(self.enter.bias)  # type: ignore[arg-type]
        # Latents of a wavelet codec differ a hundredfold in size between channels.
        self.register_buffer("scale", torch.ones(M))
        self.scale: Tensor

    def entered(self, y_hat: Tensor) -> Tensor:
        """y_hat [B, M, h, w], gain undone, as it is until `follow` says otherwise."""
        out: Tensor = self.enter(y_hat * self.scale[:, None, None])
        return out

    @torch.no_grad()
    def follow(self, change: Tensor, size: Tensor) -> None:
        """Read other latents, of which `change` [M, M] makes those read so far.

        size [M]: root mean square of each of the new channels
        """
        weight = torch.einsum("oihw,i,ij->ojhw", self.enter.weight, self.scale, change)
        self.scale.copy_(1 / (size + _SMALLEST_SIZE))
        self.enter.weight.copy_(weight / self.scale[:, None, None])


class PacketAdapter(Adapter):
    """To wavelet coefficients at half of the picture's size: [B, M, h, w] -> [B, 12, 8h, 8w].

        y_hat -> blocks at H/16 -> 2x2 step -> blocks at H/8 -> packet coefficients
          -> two of the three inverse lifting levels -> LL, HL, LH, HH of red, green, blue at H/2

    A synthesis of its own, lighter than the codec's, which ends one level before pixels: a
    pretrained network whose first layer sees 2x2 pixels at a time reads these coefficients as
    well, for that layer and the last level are linear both.
    """

    CHANNELS = 12  # of what it gives

    def __init__(
        self, M: int, base: str, coarse: int, fine: int, coarse_blocks: int, fine_blocks: int
    ) -> None:
        """base is the codec's wavelet, `ModelConfig.base`; coarse and fine are block widths."""
        super().__init__(M)
        packet = 3 << 2 * _PACKET_LEVELS
        self.coarse = nn.Sequential(*(ResidualBlock(M, coarse) for _ in range(coarse_blocks)))
        self.up = nn.ConvTranspose2d(M, packet, 2, stride=2)
        self.fine = nn.Sequential(*(ResidualBlock(packet, fine) for _ in range(fine_blocks)))
        self.lifting = LiftingPacket((0,) * _PACKET_LEVELS, base)

    def forward(self, y_hat: Tensor) -> Tensor:
        return self.coefficients(y_hat, 0)

    def coefficients(self, y_hat: Tensor, octave: int) -> Tensor:
        """Those of the picture at 2^-octave of its size, octave 0..2: [B, 12, 8h, 8w] / 2^octave.

        The packet holds them all: where an inverse level would come, LL of LL is the LL of a
        picture of half the size, and so on.
        """
        x = self.fine(self.up(self.coarse(self.entered(y_hat))))
        # The wavelet is cheap, and in half precision its errors would add up.
        packet = self.lifting.inverse(planes_first(x), levels=_PACKET_LEVELS - 1 - octave)
        if octave:
            batch, channels, h, w = packet.shape
            bands = packet.view(batch, 4, channels // 4, h, w)[:, :, :3]  # within the LL before
            packet = bands.flatten(1, 2) * 2.0**-octave
        return packet


class OctaveAdapter(PacketAdapter):
    """To coefficients of the picture at a scale of one's own: [B, M, h, w] -> [B, 12, *positions].

    The nearest octave, resampled.
    """

    def scaled_coefficients(
        self, y_hat: Tensor, extent: tuple[float, float], positions: tuple[int, int]
    ) -> Tensor:
        """`extent` is the part (rows, columns) of the latents that belongs to the picture."""
        at_half = [8 * each for each in extent]  # in coefficients of octave 0
        octave = round(math.log2(max(at_half) / max(positions)))
        octave = max(0, min(_PACKET_LEVELS - 1, octave))
        rows, columns = (each / 2**octave for each in at_half)
        return resample(self.coefficients(y_hat, octave), (rows, columns), positions)
