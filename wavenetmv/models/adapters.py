"""From latents to features that a pretrained network expects: the learned front of a head."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetmv.models.resampling import resample


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

    def __init__(self, M: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(M, width, 3, padding=1)
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


class DoublingAdapter(Adapter):
    """To twice the resolution: [B, M, h, w] -> [B, channels, 2h, 2w]."""

    def __init__(self, M: int, channels: int, coarse: int, fine: int, blocks: int) -> None:
        super().__init__(M, coarse)
        self.coarse = nn.Sequential(*(PlainBlock(coarse) for _ in range(blocks)))
        self.up = nn.ConvTranspose2d(coarse, fine, 2, stride=2)
        self.fine = nn.Sequential(*(PlainBlock(fine) for _ in range(blocks)))
        self.leave = nn.Conv2d(fine, channels, 1)

    def forward(self, y_hat: Tensor) -> Tensor:
        out: Tensor = self.leave(self.fine(self.up(self.coarse(self.enter(self.scaled(y_hat))))))
        return out


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
