"""Pictures to stream bytes and back: the only module that knows models and bitstream.

Picture -> InferenceModel.analyse -> latents.walk(Quantise) -> ANS -> PictureStream -> bytes
bytes -> PictureStream -> latents.walk(_Dequantise) -> InferenceModel.synthesise -> Picture
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from wavenetmv.bitstream import (
    FramePayload,
    PictureStream,
    ScaleTables,
    StreamHeader,
    SymbolDecoder,
    decode_plane,
    encode_plane,
    encode_symbols,
    read_picture_stream,
    symbols_crc,
    write_picture_stream,
)
from wavenetmv.errors import CorruptStream, InputError, UsageFault
from wavenetmv.models.checkpoints import load_weights
from wavenetmv.models.device import choose_device, choose_dtype
from wavenetmv.models.entropy import Z_MAX
from wavenetmv.models.inference import InferenceModel
from wavenetmv.models.latents import RD_SLOPE, Quantise, dead_zone_of, walk
from wavenetmv.models.registry import WeightsInfo, default_weights, find_weights, read_info
from wavenetmv.types import (
    LAMBDA_DEFAULT,
    LAMBDA_INDEX_MAX,
    MAX_PIXELS_DEFAULT,
    Picture,
    Profile,
    index_to_lambda,
    lambda_to_index,
)


class _Loaded(NamedTuple):
    model: InferenceModel
    tables: ScaleTables
    dead_zone: Tensor  # of the encoder's rounding, per scale index


class PictureCodec:
    """Encoder and decoder of pictures; loads each set of weights once.

    device     "auto" (a GPU if there is one), "cpu", "cuda", ...
    threads    of torch, for the whole process; None leaves torch's own choice
    weights    a weights file to encode with instead of the default ones
    precision  of the transforms: "auto" (bfloat16 where the processor has it), "bfloat16" or
               "float32".  It changes pixels in the last bit, never a symbol that is decoded.
    rd_slope   how much the encoder's rounding saves bits, models/latents.py; 0 rounds plainly

    Safe to use from several threads.  Raises CheckpointError when weights are missing or
    damaged and UsageFault when the device does not exist.
    """

    def __init__(
        self,
        device: str = "auto",
        threads: int | None = None,
        weights: Path | None = None,
        precision: str = "auto",
        rd_slope: float = RD_SLOPE,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._device = choose_device(device)
        self._dtype = choose_dtype(precision, self._device)
        self._rd_slope = rd_slope
        self._lock = threading.Lock()
        self._loaded: dict[str, _Loaded] = {}
        self._own_weights = read_info(weights) if weights else None

    @property
    def weights(self) -> WeightsInfo:
        """The weights that encode. Decoding takes those that a stream names."""
        return self._own_weights or default_weights()

    @property
    def device(self) -> torch.device:
        return self._device

    def load(self) -> None:
        """Load the encoding weights now rather than at the first `encode`."""
        self._load(self.weights)

    def encode(
        self,
        picture: Picture,
        lmbda: float = LAMBDA_DEFAULT,
        profile: Profile | None = None,
    ) -> bytes:
        """The bytes of a `.wmv` file; `lmbda` in 64..2048, larger is better and bigger.

        `profile` is whom the bits serve, None for what the weights were made for first of all.
        Raises UsageFault when lambda is out of range, the picture is too large or the weights
        do not know the profile.
        """
        index = _checked_index(lmbda)
        return self._encode(picture, index, self._alpha(picture), profile)

    def encode_to_target(
        self, picture: Picture, max_bytes: int, profile: Profile | None = None
    ) -> tuple[bytes, float]:
        """The best file of at most `max_bytes`, and its lambda, by search on real files.

        Raises UsageFault when even lambda 64 makes a larger one.
        """
        alpha = self._alpha(picture)  # the slow part that does not depend on lambda
        best, low, high = b"", 0, LAMBDA_INDEX_MAX
        smallest = self._encode(picture, 0, alpha, profile)
        if len(smallest) > max_bytes:
            raise UsageFault(
                f"cannot reach {max_bytes} bytes: lambda 64, the smallest, needs {len(smallest)}"
            )
        best, best_index = smallest, 0
        while low < high:
            middle = (low + high + 1) // 2
            data = self._encode(picture, middle, alpha, profile)
            if len(data) <= max_bytes:
                best, best_index, low = data, middle, middle
            else:
                high = middle - 1
        return best, index_to_lambda(best_index)

    def decode(self, data: bytes | BinaryIO, max_pixels: int = MAX_PIXELS_DEFAULT) -> Picture:
        """Back to pixels, alpha and metadata.

        Raises StreamError for any damage and CheckpointError when the weights that made the
        stream are not there.
        """
        stream, y_hat, model = self._decode_latents(data, max_pixels)
        header = stream.header
        with _enough_memory(header):
            pixels = model.synthesise(y_hat, header.height, header.width).numpy()
        alpha = None
        if stream.alpha is not None:
            alpha = decode_plane(stream.alpha, header.height, header.width)
        return Picture(pixels, alpha, header.colour, stream.metadata)

    def latents(self, data: bytes | BinaryIO, max_pixels: int = MAX_PIXELS_DEFAULT) -> Tensor:
        """y_hat [1, M, h, w] as the synthesis and the heads see it; h, w = 4 ceil(side / 64)."""
        return self.read_latents(data, max_pixels)[1]

    def read_latents(
        self, data: bytes | BinaryIO, max_pixels: int = MAX_PIXELS_DEFAULT
    ) -> tuple[StreamHeader, Tensor]:
        """What the stream says of its picture, and `latents`."""
        stream, y_hat, _ = self._decode_latents(data, max_pixels)
        return stream.header, y_hat

    def decode_integers(
        self, data: bytes | BinaryIO, max_pixels: int = MAX_PIXELS_DEFAULT
    ) -> np.ndarray:
        """The decoded latents in sixteenths of a quantiser step, int32 [M, h, w].

        The same on every machine.
        """
        _, y_sixteenths, _ = self._decode_integers(data, max_pixels)
        return y_sixteenths[0].to(torch.int32).cpu().numpy()

    def _encode(
        self, picture: Picture, lambda_index: int, alpha: bytes | None, profile: Profile | None
    ) -> bytes:
        info = self.weights
        model, tables, dead_zone = self._load(info)
        profile = model.config.default_profile if profile is None else profile
        try:
            block = model.config.block_of(profile)
        except ValueError as error:
            raise UsageFault(str(error)) from error
        header = _header(info, picture, lambda_index, alpha is not None, profile)
        pixels = torch.from_numpy(np.ascontiguousarray(picture.pixels))
        with _enough_memory(header):
            y, z = model.analyse(pixels, lambda_index, block)
            quantise = Quantise(y, z, dead_zone)
            walk(model.entropy, (y.shape[2], y.shape[3]), lambda_index, quantise, block)
        steps = [(s.cpu().numpy(), i.cpu().numpy()) for s, i in quantise.coded]
        frame = FramePayload(symbols_crc(s for s, _ in steps), encode_symbols(steps, tables))
        sink = io.BytesIO()
        write_picture_stream(sink, PictureStream(header, frame, picture.metadata, alpha))
        return sink.getvalue()

    def _decode_latents(
        self, data: bytes | BinaryIO, max_pixels: int
    ) -> tuple[PictureStream, Tensor, InferenceModel]:
        stream, y_sixteenths, model = self._decode_integers(data, max_pixels)
        header = stream.header
        with _enough_memory(header):
            block = model.config.block_of(header.profile)
            return stream, model.dequantise(y_sixteenths, header.lambda_index, block), model

    def _decode_integers(
        self, data: bytes | BinaryIO, max_pixels: int
    ) -> tuple[PictureStream, Tensor, InferenceModel]:
        source = io.BytesIO(data) if isinstance(data, bytes) else data
        stream = read_picture_stream(source, max_pixels)
        header = stream.header
        model, tables, _ = self._load(self._weights_of(header))
        try:
            block = model.config.block_of(header.profile)
        except ValueError as error:
            raise CorruptStream(f"stream header: {error}") from error
        dequantise = _Dequantise(stream.frame.coded, tables, model.device)
        size = model.latent_size(header.height, header.width)
        with _enough_memory(header):
            y_sixteenths = walk(model.entropy, size, header.lambda_index, dequantise, block)
        dequantise.finish(stream.frame.symbols_crc)
        return stream, y_sixteenths, model

    def _weights_of(self, header: StreamHeader) -> WeightsInfo:
        own = self._own_weights
        if own and (own.model_id, own.stream_hash) == (header.model_id, header.weights_hash):
            return own
        return find_weights(header.model_id, header.weights_hash)

    def _load(self, info: WeightsInfo) -> _Loaded:
        with self._lock:
            if info.sha256 not in self._loaded:
                loaded = load_weights(info.path)
                tables = ScaleTables.from_arrays(
                    loaded.table_radii.numpy(), loaded.table_frequencies.numpy()
                )
                model = InferenceModel(loaded, self._device, self._dtype)
                cost_bits = torch.from_numpy(tables.step_cost_bits()).float()
                dead_zone = dead_zone_of(cost_bits, self._rd_slope).to(self._device)
                self._loaded[info.sha256] = _Loaded(model, tables, dead_zone)
            return self._loaded[info.sha256]

    @staticmethod
    def _alpha(picture: Picture) -> bytes | None:
        return None if picture.alpha is None else encode_plane(picture.alpha)


class _Dequantise:
    """The decoder's side of `latents.walk`: symbols come from the stream."""

    def __init__(self, coded: bytes, tables: ScaleTables, device: torch.device) -> None:
        self._decoder = SymbolDecoder(coded, tables)
        self._device = device
        self._symbols: list[np.ndarray] = []

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


@contextmanager
def _enough_memory(header: StreamHeader) -> Iterator[None]:
    """torch reports a lack of memory as RuntimeError; anything else stays what it is."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise InputError(
                f"not enough memory for {header.width}x{header.height} pixels"
            ) from error
        raise


def _checked_index(lmbda: float) -> int:
    try:
        return lambda_to_index(lmbda)
    except ValueError as error:
        raise UsageFault(str(error)) from error


def _header(
    info: WeightsInfo, picture: Picture, lambda_index: int, alpha: bool, profile: Profile
) -> StreamHeader:
    try:
        return StreamHeader(
            width=picture.width,
            height=picture.height,
            model_id=info.model_id,
            weights_hash=info.stream_hash,
            lambda_index=lambda_index,
            colour=picture.mode,
            alpha=alpha,
            profile=profile,
        )
    except ValueError as error:
        raise UsageFault(f"picture cannot be encoded: {error}") from error
