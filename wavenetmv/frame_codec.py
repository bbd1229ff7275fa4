"""One frame, pixels to payload and back, with loaded weights: what pictures and videos share.

pixels -> InferenceModel.latents -> Focus -> Look -> Attempt: latents.walk(Quantise)
                                                 -> the best one -> ANS -> FramePayload
FramePayload -> quality map, latents.walk(Dequantise) -> InferenceModel.synthesise -> pixels
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavenetmv.bitstream import (
    FramePayload,
    QualityMap,
    ScaleTables,
    Step,
    SymbolDecoder,
    decode_quality_map,
    encode_quality_map,
    encode_steps,
    symbol_bits,
    symbols_crc,
)
from wavenetmv.errors import CorruptStream, InputError
from wavenetmv.models.checkpoints import LoadedModel
from wavenetmv.models.dead_zone import dead_zone_of
from wavenetmv.models.entropy import Z_MAX
from wavenetmv.models.inference import InferenceModel
from wavenetmv.models.latents import Quantise, walk
from wavenetmv.types import DROP_CELL, LAMBDA_INDEX_MAX, Profile


@dataclass(frozen=True, eq=False)
class Latents:
    """What a frame decodes to before anything is floating point; the same on every machine.

    integers  in sixteenths of a quantiser step, float32 [1, M, h, w]
    drops     its quality map; None: the same quality everywhere
    """

    integers: Tensor
    drops: QualityMap | None = None


@dataclass(frozen=True, eq=False)
class Encoded:
    """A coded frame: what is sent, and what `FrameCodec.decode_latents` will find in that."""

    payload: FramePayload
    latents: Latents


@dataclass(frozen=True, eq=False)
class Attempt:
    """A frame as it would be coded.

    frames                 by which it is
    lambda_index, latents  as the stream will hold them
    coded                  symbols and indexes of z, and of the four steps of y
    """

    frames: FrameCodec
    lambda_index: int
    latents: Latents
    coded: Sequence[Step]

    def y_hat(self) -> Tensor:
        """[1, M, h, w], as synthesis and heads will see it."""
        return self.frames.dequantise(self.latents, self.lambda_index)

    def bits(self) -> float:
        """Of z and y."""
        return bits_of(self.coded)

    def steps(self) -> Tensor:
        """Its latents in quantiser steps, [1, M, h, w]."""
        return self.frames.model.steps(self.latents.integers)

    def pull_back(self, gradient: Tensor) -> Tensor:
        """Gradient of anything by `y_hat` -> the same by `steps`."""
        return gradient * self.frames.model.step_sizes(
            self.lambda_index, self.frames.block, self.latents.drops
        )

    def encoded(self) -> Encoded:
        tables, drops = self.frames.tables, self.latents.drops
        steps = [] if drops is None else encode_quality_map(drops, tables)
        steps += self.coded
        payload = FramePayload(symbols_crc(step[0] for step in steps), encode_steps(steps))
        return Encoded(payload, self.latents)


class Codable(Protocol):
    """What a search needs to know of an attempt."""

    def y_hat(self) -> Tensor:
        """[1, M, h, w], as heads will see it."""

    def bits(self) -> float:
        """Of its latents."""

    def steps(self) -> Tensor:
        """What is coded, [1, M, h, w] in quantiser steps."""

    def pull_back(self, gradient: Tensor) -> Tensor:
        """Gradient of anything by `y_hat` -> the same by `steps`, float32."""


Coded = TypeVar("Coded", bound=Codable)


class Search(Protocol):
    def __call__(
        self,
        lambda_index: int,
        attempts: Callable[[Tensor | None], Coded],
        spare_bits: float = ...,
    ) -> Coded:
        """The best of `attempts`, which code a frame whose latents are shifted by so many
        quantiser steps [1, M, h, w] before they are rounded; None: by nothing.

        With `spare_bits` it is the best of those that take at most so many bits more than without
        a shift.
        """


# y_hat [1, M, h, w] of a frame as heads see it if nothing is lost; whether heads will see its
# pixels, as those of inter frames, or its own latents -> how to find the best of several attempts.
SearchOf = Callable[[Tensor, bool], Search]


@dataclass(frozen=True, eq=False)
class Look:
    """Where less than a frame's lambda will do.

    drops      its quality map, which the stream holds
    leniency   what the encoder's rounding adds to it, `Quantise`; None: nothing
    search_of  makes a search for latents that serve better; None: they are coded as they are
    """

    drops: QualityMap
    leniency: Tensor | None = None
    search_of: SearchOf | None = None


# y_hat [1, M, h, w] of a picture, not rounded -> what an encoder should know of it.
Focus = Callable[[Tensor], Look]


@dataclass(frozen=True)
class FrameCodec:
    """Codes frames, each alone. Safe to use from several threads.

    dead_zone  of the encoder's rounding, per scale index
    block      which profile's gains and tables serve, `ModelConfig.block_of`
    """

    model: InferenceModel
    tables: ScaleTables
    dead_zone: Tensor
    block: int = 0

    @classmethod
    def load(
        cls, weights: LoadedModel, device: torch.device, dtype: torch.dtype, rd_slope: float
    ) -> FrameCodec:
        """Put `weights` on a device; the other arguments are `PictureCodec`'s."""
        radii, frequencies = weights.table_radii.numpy(), weights.table_frequencies.numpy()
        tables = ScaleTables.from_arrays(radii, frequencies)
        cost_bits = torch.from_numpy(tables.step_cost_bits()).float()
        dead_zone = dead_zone_of(cost_bits, rd_slope).to(device)
        return cls(InferenceModel(weights, device, dtype), tables, dead_zone)

    def serving(self, profile: Profile) -> FrameCodec:
        """The same for `profile`; ValueError if the weights do not know it."""
        return replace(self, block=self.model.config.block_of(profile))

    def encode(
        self, pixels: npt.NDArray[np.uint8], lambda_index: int, focus: Focus | None = None
    ) -> Encoded:
        """pixels uint8 [H, W, 3], `lambda_index` in 0..320; with `focus` the payload begins with
        a quality map."""
        height, width = pixels.shape[:2]
        with enough_memory(height, width):
            latents = self.model.latents(shared_tensor(pixels))
            if focus is None:
                return self._attempts(latents, lambda_index)(None).encoded()
            seen = self._unrounded(latents)
            look = focus(seen)
            attempts = self._attempts(latents, lambda_index, look.drops, look.leniency)
            if look.search_of is None:
                return attempts(None).encoded()
            return look.search_of(seen, False)(lambda_index, attempts).encoded()

    def _attempts(
        self,
        latents: Tensor,
        lambda_index: int,
        drops: QualityMap | None = None,
        leniency: Tensor | None = None,
    ) -> Callable[[Tensor | None], Attempt]:
        """To code `latents` as of the model; drops and leniency as a `Look` says them."""
        y, z = self.model.quantisable(latents, lambda_index, self.block, drops)
        size = (y.shape[2], y.shape[3])

        def attempt(shift: Tensor | None) -> Attempt:
            quantise = Quantise(shifted(y, shift), z, self.dead_zone, leniency)
            integers = walk(self.model.entropy, size, lambda_index, quantise, self.block)
            return Attempt(
                self, lambda_index, Latents(integers, drops), coded_by(quantise, self.tables)
            )

        return attempt

    def seen(self, pixels: npt.NDArray[np.uint8]) -> Tensor:
        """pixels uint8 [H, W, 3] -> y_hat [1, M, h, w] as heads see it if nothing is lost."""
        with enough_memory(pixels.shape[0], pixels.shape[1]):
            return self._unrounded(self.model.latents(shared_tensor(pixels)))

    def seen_gradient(self, pixels: npt.NDArray[np.uint8], gradient: Tensor) -> Tensor:
        """Gradient of anything by `seen` of these pixels -> the same by themselves, float32
        [1, 3, H, W] for values in 0..1."""
        with enough_memory(pixels.shape[0], pixels.shape[1]):
            by_latents = self._unrounded(gradient)  # they differ by a factor for each channel
            return self.model.latents_gradient(shared_tensor(pixels), by_latents)

    def _unrounded(self, latents: Tensor) -> Tensor:
        return self.model.unrounded(latents, LAMBDA_INDEX_MAX, self.block)

    def decode_latents(
        self,
        payload: FramePayload,
        height: int,
        width: int,
        lambda_index: int,
        *,
        quality_map: bool = False,
    ) -> Latents:
        """Raises CorruptStream unless they are the encoder's.

        quality_map  the payload begins with one
        """
        decoder = SymbolDecoder(payload.coded, self.tables)
        size = self.model.latent_size(height, width)
        drops, symbols = None, list[np.ndarray]()
        if quality_map:
            cells = (size[0] // DROP_CELL, size[1] // DROP_CELL)
            drops, symbols = decode_quality_map(decoder, cells, self.tables)
        dequantise = Dequantise(decoder, self.model.device, symbols)
        with enough_memory(height, width):
            integers = walk(self.model.entropy, size, lambda_index, dequantise, self.block)
        dequantise.finish(payload.symbols_crc)
        return Latents(integers, drops)

    def dequantise(self, latents: Latents, lambda_index: int) -> Tensor:
        """-> y_hat [1, M, h, w], as synthesis and heads see it."""
        height, width = latents.integers.shape[2:]
        with enough_memory(height, width):
            return self.model.dequantise(latents.integers, lambda_index, self.block, latents.drops)

    def analyse(self, pixels: npt.NDArray[np.uint8], lambda_index: int) -> Tensor:
        """pixels uint8 [H, W, 3] -> y_hat [1, M, h, w] without rounding, for heads.

        For decoded pixels whose own latents say something else, as an inter frame's do.
        """
        with enough_memory(pixels.shape[0], pixels.shape[1]):
            latents = self.model.latents(shared_tensor(pixels))
            return self.model.unrounded(latents, lambda_index, self.block)

    def synthesise(
        self, latents: Latents, lambda_index: int, height: int, width: int
    ) -> npt.NDArray[np.uint8]:
        """-> pixels uint8 [height, width, 3]."""
        model = self.model
        y_hat = self.dequantise(latents, lambda_index)
        with enough_memory(height, width):
            level = model.level(lambda_index, self.block, latents.drops)
            pixels = model.synthesise(y_hat, level, height, width, self.block)
        shown: npt.NDArray[np.uint8] = pixels.numpy()
        return shown


def shifted(y: Tensor, shift: Tensor | None) -> Tensor:
    return y if shift is None else y + shift


def coded_by(quantise: Quantise, tables: ScaleTables) -> list[Step]:
    """Symbols and indexes of z, and of the four steps of y."""
    return [(s.cpu().numpy(), i.cpu().numpy(), tables) for s, i in quantise.coded]


def bits_of(coded: Sequence[Step]) -> float:
    return float(sum(symbol_bits(*step).sum() for step in coded))


class Dequantise:
    """The decoder's side of `latents.walk`: symbols come from the stream.

    `already`: those that came before, which the frame's CRC covers too.
    """

    def __init__(
        self, decoder: SymbolDecoder, device: torch.device, already: Sequence[np.ndarray] = ()
    ) -> None:
        self._decoder, self._device = decoder, device
        self._symbols = list(already)

    def hyper(self, indexes: Tensor) -> Tensor:
        z_hat = self._read(indexes)
        # Beyond it h_s would leave exact arithmetic.
        if int(z_hat.abs().max()) > Z_MAX:
            raise CorruptStream(f"hyper-latent of magnitude {int(z_hat.abs().max())} > {Z_MAX}")
        return z_hat

    def step(self, step: int, means: Tensor, indexes: Tensor) -> Tensor:
        return self._read(indexes)

    def finish(self, expected_crc: int) -> None:
        """Raises CorruptStream unless everything was read and the symbols are the encoder's."""
        self._decoder.finish()
        if (crc := symbols_crc(self._symbols)) != expected_crc:
            raise CorruptStream(
                f"decoded symbols have CRC {crc:#010x}, the stream says {expected_crc:#010x}"
            )

    def _read(self, indexes: Tensor) -> Tensor:
        symbols = self._decoder.decode(indexes.flatten().cpu().numpy())
        self._symbols.append(symbols)
        return torch.from_numpy(symbols).to(self._device).view(indexes.shape)


def shared_tensor(pixels: npt.NDArray[np.uint8]) -> Tensor:
    """uint8 [H, W, 3] as a tensor, without a copy where torch can do without one.

    It warns of arrays that may not be written, as Pillow and memory maps give them.
    """
    return torch.from_numpy(np.require(pixels, requirements=("C", "W")))


@contextmanager
def enough_memory(height: int, width: int) -> Iterator[None]:
    """torch reports a lack of memory as RuntimeError; anything else stays what it is."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise InputError(f"not enough memory for {width}x{height} pixels") from error
        raise
