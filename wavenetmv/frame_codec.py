"""One frame, pixels to payload and back, with loaded weights: what pictures and videos share.

pixels -> InferenceModel.analyse -> latents.walk(Quantise) -> ANS -> FramePayload
FramePayload -> latents.walk(Dequantise) -> InferenceModel.synthesise -> pixels
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wavenetmv.bitstream import (
    FramePayload,
    ScaleTables,
    SymbolDecoder,
    encode_symbols,
    symbols_crc,
)
from wavenetmv.errors import CorruptStream, InputError
from wavenetmv.models.checkpoints import LoadedModel
from wavenetmv.models.dead_zone import dead_zone_of
from wavenetmv.models.entropy import Z_MAX
from wavenetmv.models.inference import InferenceModel
from wavenetmv.models.latents import Quantise, walk
from wavenetmv.types import Profile


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
        self, pixels: npt.NDArray[np.uint8], lambda_index: int
    ) -> tuple[FramePayload, Tensor]:
        """pixels uint8 [H, W, 3], `lambda_index` in 0..320 -> payload, and the latents that
        `decode_integers` will find in it."""
        source = shared_tensor(pixels)
        with enough_memory(pixels.shape[0], pixels.shape[1]):
            y, z = self.model.analyse(source, lambda_index, self.block)
            quantise = Quantise(y, z, self.dead_zone)
            size = (y.shape[2], y.shape[3])
            y_sixteenths = walk(self.model.entropy, size, lambda_index, quantise, self.block)
        steps = [(s.cpu().numpy(), i.cpu().numpy()) for s, i in quantise.coded]
        coded = encode_symbols(steps, self.tables)
        return FramePayload(symbols_crc(s for s, _ in steps), coded), y_sixteenths

    def decode(
        self, payload: FramePayload, height: int, width: int, lambda_index: int
    ) -> npt.NDArray[np.uint8]:
        """pixels uint8 [height, width, 3]. Raises CorruptStream."""
        integers = self.decode_integers(payload, height, width, lambda_index)
        return self.synthesise(self.dequantise(integers, lambda_index), height, width)

    def decode_integers(
        self, payload: FramePayload, height: int, width: int, lambda_index: int
    ) -> Tensor:
        """The latents in sixteenths of a quantiser step, float32 integers [1, M, h, w].

        The same on every machine. Raises CorruptStream unless they are the encoder's.
        """
        dequantise = Dequantise(SymbolDecoder(payload.coded, self.tables), self.model.device)
        size = self.model.latent_size(height, width)
        with enough_memory(height, width):
            y_sixteenths = walk(self.model.entropy, size, lambda_index, dequantise, self.block)
        dequantise.finish(payload.symbols_crc)
        return y_sixteenths

    def dequantise(self, y_sixteenths: Tensor, lambda_index: int) -> Tensor:
        """Of `decode_integers` -> y_hat [1, M, h, w], as synthesis and heads see it."""
        height, width = y_sixteenths.shape[2:]
        with enough_memory(height, width):
            return self.model.dequantise(y_sixteenths, lambda_index, self.block)

    def analyse(self, pixels: npt.NDArray[np.uint8], lambda_index: int) -> Tensor:
        """pixels uint8 [H, W, 3] -> y_hat [1, M, h, w] without rounding, for heads.

        For decoded pixels whose own latents say something else, as an inter frame's do.
        """
        with enough_memory(pixels.shape[0], pixels.shape[1]):
            return self.model.unrounded(shared_tensor(pixels), lambda_index, self.block)

    def synthesise(self, y_hat: Tensor, height: int, width: int) -> npt.NDArray[np.uint8]:
        """y_hat [1, M, h, w] -> pixels uint8 [height, width, 3]."""
        with enough_memory(height, width):
            pixels: npt.NDArray[np.uint8] = self.model.synthesise(y_hat, height, width).numpy()
        return pixels


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
