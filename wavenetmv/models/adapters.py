"""From latents to features that a pretrained network expects: the learned front of a head."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetmv.models.lifting import LiftingPacket
from wavenetmv.models.resampling import resample
from wavenetmv.models.transforms import ResidualBlock

_PACKET_LEVELS = 3  # of the codec's wavelet packet, whose coefficients lie at H/8
# The codec's pixels are -0.5..0.5. What half a unit is in LL of one level makes black zero,
# as it was for YOLOX: so the zeros that convolutions see around a picture are black.
_GREY = 1.0


class PlainBlock(nn.Module):
    """x + conv(act(conv(x))), 3x3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.last(F.silu(self.first(x), inplace=True))
        return out


class Adapter(nn.Module):
    """Latents to the features that a pretrained tail expects.

    y_hat [B, M, h, w], gain undone: `scaled` brings its channels to about unit size, `enter`
    is the first layer.
    """

    def __init__(self, M: int, width: int, kernel: int = 3) -> None:
        super().__init__()
        self.enter = nn.Conv2d(M, width, kernel, padding=kernel // 2)
        # Latents of a wavelet codec differ a hundredfold in size between channels.
        self.register_buffer("scale", torch.ones(M))
        self.scale: Tensor

    def scaled(self, y_hat: Tensor) -> Tensor:
        return y_hat * self.scale[:, None, None]

    @torch.no_grad()
    def calibrate(self, latents: Iterator[Tensor]) -> None:
        """Set `scale` from batches [B, M, h, w], so that channels enter at about unit size."""
        squares = torch.stack([y.square().mean((0, 2, 3)) for y in latents])
        self.scale.copy_(_scale_for(squares.mean(0).sqrt()))

    @torch.no_grad()
    def follow(self, change: Tensor, size: Tensor) -> None:
        """Read other latents, of which `change` [M, M] makes those read so far.

        size [M]: root mean square of each of the new channels
        """
        weight = torch.einsum("oihw,i,ij->ojhw", self.enter.weight, self.scale, change)
        self.scale.copy_(_scale_for(size))
        self.enter.weight.copy_(weight / self.scale[:, None, None])


def _scale_for(size: Tensor) -> Tensor:
    return 1 / (size + 0.02)


class PacketAdapter(Adapter):
    """To wavelet coefficients at half of the picture's size: [B, M, h, w] -> [B, 12, 8h, 8w].

        y_hat -> blocks at H/16 -> 2x2 step -> blocks at H/8 -> packet coefficients
          -> two of the three inverse lifting levels -> LL, HL, LH, HH of red, green, blue at H/2

    A synthesis of its own, lighter than the codec's, which ends one level before pixels: a
    pretrained network whose first layer sees 2x2 pixels as channels (YOLOX's focus) reads
    these coefficients as well, for that layer and the last level are linear both.
    """

    CHANNELS = 12  # of what it gives

    def __init__(
        self, M: int, base: str, coarse: int, fine: int, coarse_blocks: int, fine_blocks: int
    ) -> None:
        """base is the codec's wavelet, `ModelConfig.base`; coarse and fine are block widths."""
        super().__init__(M, M, kernel=1)
        nn.init.dirac_(self.enter.weight)
        nn.init.zeros_(self.enter.bias)  # type: ignore[arg-type]
        packet = 3 << 2 * _PACKET_LEVELS
        self.coarse = nn.Sequential(*(ResidualBlock(M, coarse) for _ in range(coarse_blocks)))
        self.up = nn.ConvTranspose2d(M, packet, 2, stride=2)
        self.fine = nn.Sequential(*(ResidualBlock(packet, fine) for _ in range(fine_blocks)))
        self.lifting = LiftingPacket((0,) * _PACKET_LEVELS, base)

    def forward(self, y_hat: Tensor) -> Tensor:
        x = self.fine(self.up(self.coarse(self.enter(self.scaled(y_hat)))))
        # Lifting is cheap, and in half precision its errors would add up.
        packet = x.float().contiguous()
        for level in list(self.lifting.levels)[:0:-1]:
            packet = level.inverse(packet)  # type: ignore[operator]
        return torch.cat([packet[:, :3] + _GREY, packet[:, 3:]], 1)


class ResizingAdapter(Adapter):
    """To a resolution of one's own: [B, M, h, w] -> [B, channels, *positions].

    `near` blocks see the latents where they are, `far` ones what became of them at the new
    resolution.
    """

    def __init__(self, M: int, channels: int, width: int, near: int, far: int) -> None:
        super().__init__(M, width)
        # The same latents mean other features in a picture that is seen from further away.
        self.zoom = nn.Parameter(torch.zeros(width))
        self.near = nn.Sequential(*(PlainBlock(width) for _ in range(near)))
        self.far = nn.Sequential(*(PlainBlock(width) for _ in range(far)))
        self.leave = nn.Conv2d(width, channels, 1)

    def forward(
        self, y_hat: Tensor, extent: tuple[float, float], positions: tuple[int, int]
    ) -> Tensor:
        """`extent` is the part (rows, columns) of the latents that belongs to the picture."""
        zoom = math.log2(max(extent) / max(positions))
        x = self.enter(self.scaled(y_hat))
        x = x + (max(-1.0, min(1.0, zoom)) * self.zoom)[:, None, None]
        out: Tensor = self.leave(self.far(resample(self.near(x), extent, positions)))
        return out
