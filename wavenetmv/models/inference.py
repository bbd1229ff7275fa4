"""A loaded model on a device: pixels to latents and latents to pixels, any size.

Pictures above `TILE_THRESHOLD` pixels go through the transforms in overlapping tiles.
The overlap is wider than the transforms' reach and the AdaMix mixture is taken from the
whole picture, so tiles differ from one big pass in rounding only: no seams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetmv.models.adamix import pool
from wavenetmv.models.checkpoints import LoadedInterModel, LoadedModel
from wavenetmv.models.entropy import MEAN_BITS
from wavenetmv.models.layout import channels_last, planes_first, to_pixels
from wavenetmv.models.post_filter import in_strips
from wavenetmv.models.tiling import Span, tiles
from wavenetmv.models.transforms import AnalysisTransform, SynthesisTransform
from wavenetmv.types import (
    DROP_CELL,
    DROP_MAX,
    DROP_STEPS,
    LAMBDA_STEPS_PER_OCTAVE,
    index_to_lambda,
)

TILE_THRESHOLD = 6_000_000  # pixels
TILE = 112  # latents a side, without overlap
HALO = 16  # latents; the transforms reach 13 (tests/models/test_inference.py measures it)

# Latents along a row below which oneDNN's strided convolutions in bfloat16 read beyond their input
# on processors with AMX (torch 2.14, outputs one column wide): what they give is anything.
_NARROW = 8

# uint8 [h / DROP_CELL, w / DROP_CELL]: so many half octaves less than lambda there.
Drops = npt.NDArray[np.uint8]


class Networks:
    """The networks of a weights file on one device, and what both kinds of frames share."""

    def __init__(
        self, model: LoadedModel | LoadedInterModel, device: torch.device, dtype: torch.dtype
    ) -> None:
        """`dtype` is that of the transforms' convolutions; it never touches the symbols."""
        self.device, self.dtype = device, dtype
        self.info, self.config = model.info, model.config
        self.entropy = model.entropy.to(device)
        self.lifting = model.lifting.to(device, dtype)
        self.h_a = model.h_a.to(device, dtype)
        self.gains = model.gains.to(device)
        for transform in (model.g_a, model.g_s):
            _place(transform, device, dtype)

    def latent_size(self, height: int, width: int) -> tuple[int, int]:
        """(h, w) of y for a picture of this size: padding to whole hyper-latents included."""
        factor = self.config.downsampling_factor
        return 4 * -(-height // factor), 4 * -(-width // factor)

    @torch.inference_mode()
    def quantisable(
        self, y: Tensor, lambda_index: int, block: int = 0, drops: Drops | None = None
    ) -> tuple[Tensor, Tensor]:
        """What g_a gives, [1, M, h, w] -> y in quantiser steps, and z, float32."""
        y = y * self.gain(self.gains.encoder, lambda_index, block, drops)
        if y.shape[3] < _NARROW:
            return y, deepcopy(self.h_a).float()(channels_last(y))
        return y, self.h_a(self.cast(y)).float()

    @torch.inference_mode()
    def dequantise(
        self, y_sixteenths: Tensor, lambda_index: int, block: int = 0, drops: Drops | None = None
    ) -> Tensor:
        """Integers of `latents.walk` -> y_hat [1, M, h, w], the scale the transforms know.

        `drops` as for `quantisable`.
        """
        return self.steps(y_sixteenths) * self.step_sizes(lambda_index, block, drops)

    @torch.inference_mode()
    def steps(self, y_sixteenths: Tensor) -> Tensor:
        """Integers of `latents.walk` in quantiser steps."""
        return y_sixteenths * 2.0**-MEAN_BITS

    @torch.inference_mode()
    def step_sizes(self, lambda_index: int, block: int = 0, drops: Drops | None = None) -> Tensor:
        """What a quantiser step is in y_hat, as `gain` gives it."""
        return self.gain(self.gains.decoder, lambda_index, block, drops)

    def gain(
        self,
        gains: Callable[[Tensor, int], Tensor],
        lambda_index: int,
        block: int,
        drops: Drops | None,
    ) -> Tensor:
        """[1, M, 1, 1], or [1, M, h, w] where `drops` differ from place to place."""
        if drops is None:
            return gains(self.position(lambda_index), block)
        below = DROP_STEPS * torch.arange(DROP_MAX + 1, device=self.device)
        table = gains((lambda_index - below) / LAMBDA_STEPS_PER_OCTAVE, block)[:, :, 0, 0]
        return table[per_latent(drops).long().to(self.device)].permute(2, 0, 1)[None]

    def cast(self, x: Tensor) -> Tensor:
        """As the convolutions like it best: the layout is a tenth of their time on CPUs."""
        return channels_last(x, self.dtype)

    def position(self, lambda_index: int) -> Tensor:
        lmbda = torch.tensor([index_to_lambda(lambda_index)], device=self.device)
        return torch.log2(lmbda / index_to_lambda(0))


class InferenceModel(Networks):
    """Transforms of one set of weights on one device. Safe to use from several threads."""

    def __init__(self, model: LoadedModel, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(model, device, dtype)
        self.g_a, self.g_s = model.g_a, model.g_s
        # What blocks add is small and may be rounded, not what they add it to: half precision
        # all along would cost 0.02 dB at the highest lambda.
        self.g_a.down.float()
        self.g_s.up.float()
        self.post = model.post
        if self.post is not None:
            self.post.to(device, dtype)
        self.for_machines = model.for_machines
        if self.for_machines is not None:
            self.for_machines.to(device, dtype)
            _place(self.for_machines.g_s, device, dtype)
            self.for_machines.g_s.up.float()

    @torch.inference_mode()
    def analyse(self, pixels: Tensor, lambda_index: int, block: int = 0) -> tuple[Tensor, Tensor]:
        """pixels uint8 [H, W, 3] -> y [1, M, h, w] times the gain, and z, float32."""
        return self.quantisable(self.latents(pixels), lambda_index, block)

    @torch.inference_mode()
    def unrounded(self, y: Tensor, lambda_index: int, block: int = 0) -> Tensor:
        """`latents` -> the y_hat [1, M, h, w] that coding them would give, but for rounding: in
        the scale of `dequantise`, which synthesis and heads know."""
        position = self.position(lambda_index)
        return y * self.gains.encoder(position, block) * self.gains.decoder(position, block)

    @torch.inference_mode()
    def latents(self, pixels: Tensor) -> Tensor:
        """pixels uint8 [H, W, 3] -> y [1, M, h, w], float32, no gain."""
        h, w = self.latent_size(*pixels.shape[:2])
        parts = list(_tiles(h, w, pixels.shape[0] * pixels.shape[1]))
        mixture = self._analysis_mixture(pixels, parts)
        y = channels_last(torch.empty(1, self.config.M, h, w, device=self.device))
        for rows, columns in parts:
            packet = self._packet(pixels, rows, columns)
            if mixture is None:
                mixture = self.g_a.mixture(packet)
            _paste(y, self.g_a(channels_last(packet), mixture), rows, columns)
        return y

    def latents_gradient(self, pixels: Tensor, gradient: Tensor) -> Tensor:
        """Gradient of anything by `latents` of pixels uint8 [H, W, 3] -> the same by the pixels,
        float32 [1, 3, H, W] for values in 0..1."""
        height, width = pixels.shape[:2]
        h, w = gradient.shape[2:]
        factor = self.config.latent_factor
        found = torch.zeros(1, 3, factor * h, factor * w, device=self.device)
        parts = list(_tiles(h, w, height * width))
        mixture = self._analysis_mixture(pixels, parts)
        with torch.inference_mode(False), torch.enable_grad():
            for rows, columns in parts:
                x = self._window(pixels, rows, columns).clone().requires_grad_()
                packet = self.lifting(x)
                seen_as = self.g_a.mixture(packet) if mixture is None else mixture
                y = self.g_a(channels_last(packet), seen_as)[:, :, rows.inner, columns.inner]
                wanted = gradient[:, :, rows.yielded, columns.yielded].clone()
                window = found[
                    :,
                    :,
                    factor * rows.seen_start : factor * rows.seen_stop,
                    factor * columns.seen_start : factor * columns.seen_stop,
                ]
                window += torch.autograd.grad(y, x, wanted)[0]
        return found[:, :, :height, :width]

    @torch.inference_mode()
    def level(self, lambda_index: int, block: int = 0, drops: Drops | None = None) -> Tensor:
        """What the filter on pixels knows of how latents were rounded, [1, 1, 1, 1] or, where
        `drops` differ from place to place, [1, 1, h, w]."""
        return self.gain(self.gains.level, lambda_index, block, drops)

    @torch.inference_mode()
    def synthesise(
        self, y_hat: Tensor, level: Tensor, height: int, width: int, block: int = 0
    ) -> Tensor:
        """y_hat [1, M, h, w] from `dequantise`, and its `level` -> pixels uint8
        [height, width, 3]."""
        networks = self.for_machines if block and self.for_machines is not None else self
        g_s, post = networks.g_s, networks.post
        h, w = y_hat.shape[2:]
        factor = self.config.latent_factor
        mixture = g_s.mixture(y_hat)
        pixels = torch.empty(factor * h, factor * w, 3, dtype=torch.uint8)
        for rows, columns in _tiles(h, w, height * width):
            seen = _part(y_hat, rows, columns)
            packet = planes_first(g_s(channels_last(seen), mixture))
            x = self.lifting.inverse(packet)
            if post is not None:
                x = in_strips(post, x, _part(level, rows, columns))
            x_hat = x + 0.5
            top, left = (factor * (s.start - s.seen_start) for s in (rows, columns))
            bottom, right = (factor * (s.stop - s.seen_start) for s in (rows, columns))
            inner = x_hat[0, :, top:bottom, left:right]
            pixels[
                factor * rows.start : factor * rows.stop,
                factor * columns.start : factor * columns.stop,
            ] = to_pixels(inner).cpu()
        return pixels[:height, :width]

    def _packet(self, pixels: Tensor, rows: Span, columns: Span) -> Tensor:
        """Packet coefficients of one tile and its surroundings, float32."""
        packet: Tensor = self.lifting(self._window(pixels, rows, columns))
        return packet

    def _window(self, pixels: Tensor, rows: Span, columns: Span) -> Tensor:
        """Its pixels, [1, 3, h, w] in -0.5..0.5, edges repeated."""
        factor = self.config.latent_factor
        top, bottom = factor * rows.seen_start, factor * rows.seen_stop
        left, right = factor * columns.seen_start, factor * columns.seen_stop
        window = pixels[top:bottom, left:right].to(self.device)
        x = window.permute(2, 0, 1)[None].float().div_(255).sub_(0.5)
        pad_bottom, pad_right = bottom - top - x.shape[2], right - left - x.shape[3]
        if pad_bottom or pad_right:
            x = F.pad(x, (0, pad_right, 0, pad_bottom), mode="replicate")
        return x

    def _analysis_mixture(self, pixels: Tensor, parts: list[tuple[Span, Span]]) -> Tensor | None:
        """The mixture of a tiled picture, from a first pass; None when one tile is all."""
        if len(parts) == 1 or self.g_a.attention is None:
            return None
        total, area = torch.zeros(1, self.config.packet_channels, device=self.device), 0
        for rows, columns in parts:
            packet = self._packet(pixels, rows, columns)
            top, left = (2 * (s.start - s.seen_start) for s in (rows, columns))
            bottom, right = (2 * (s.stop - s.seen_start) for s in (rows, columns))
            inner = packet[:, :, top:bottom, left:right]
            total += pool(inner) * (inner.shape[2] * inner.shape[3])
            area += inner.shape[2] * inner.shape[3]
        mixture: Tensor = self.g_a.attention(total / area)
        return mixture


def _place(
    transform: AnalysisTransform | SynthesisTransform, device: torch.device, dtype: torch.dtype
) -> None:
    transform.to(device, dtype)
    if transform.attention is not None:
        transform.attention.float()


def per_latent(drops: Drops) -> Tensor:
    """`drops` for each latent, uint8 [h, w]."""
    return torch.from_numpy(drops.repeat(DROP_CELL, 0).repeat(DROP_CELL, 1))


def _tiles(h: int, w: int, pixels: int) -> Iterator[tuple[Span, Span]]:
    return tiles(h, w, max(h, w) if pixels <= TILE_THRESHOLD else TILE, HALO)


def _part(x: Tensor, rows: Span, columns: Span) -> Tensor:
    """What a tile sees of x [B, C, h, w]; all of it if it is the same everywhere, [B, C, 1, 1]."""
    if x.shape[2:] == (1, 1):
        return x
    return x[:, :, rows.seen, columns.seen]


def _paste(y: Tensor, tile: Tensor, rows: Span, columns: Span) -> None:
    y[:, :, rows.yielded, columns.yielded] = tile[:, :, rows.inner, columns.inner]
