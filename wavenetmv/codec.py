"""Pictures to stream bytes and back, with whatever weights they need.

Picture -> FrameCodec.encode -> PictureStream -> bytes
bytes -> PictureStream -> FrameCodec.decode_latents -> dequantise -> synthesise -> Picture
"""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from wavenetmv.bitstream import (
    PictureStream,
    StreamHeader,
    decode_plane,
    encode_plane,
    read_picture_stream,
    write_picture_stream,
)
from wavenetmv.errors import CheckpointError, CorruptStream, UsageFault
from wavenetmv.frame_codec import Focus, FrameCodec, Latents, Look
from wavenetmv.inter_codec import InterFrameCodec
from wavenetmv.models.checkpoints import load_inter_weights, load_weights
from wavenetmv.models.dead_zone import RD_SLOPE
from wavenetmv.models.device import choose_device, choose_dtype
from wavenetmv.models.registry import (
    WeightsInfo,
    default_inter_weights,
    default_weights,
    find_inter_weights,
    find_weights,
    read_info,
    read_inter_info,
)
from wavenetmv.types import (
    LAMBDA_DEFAULT,
    LAMBDA_INDEX_MAX,
    MAX_PIXELS_DEFAULT,
    Picture,
    Profile,
    index_to_lambda,
    lambda_to_index,
)


class PictureCodec:
    """Encoder and decoder of pictures; loads each set of weights once.

    device     "auto" (a GPU if there is one), "cpu", "cuda", ...
    threads    of torch, for the whole process; None leaves torch's own choice
    weights    a weights file to encode with instead of the default ones
    inter_weights  the same for inter frames of videos
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
        inter_weights: Path | None = None,
        precision: str = "auto",
        rd_slope: float = RD_SLOPE,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._device = choose_device(device)
        self._dtype = choose_dtype(precision, self._device)
        self._rd_slope = rd_slope
        self._lock = threading.Lock()
        self._loaded: dict[str, FrameCodec] = {}
        self._loaded_inter: dict[str, InterFrameCodec] = {}
        self._own_weights = read_info(weights) if weights else None
        self._own_inter = read_inter_info(inter_weights) if inter_weights else None

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
        focus: Focus | None = None,
    ) -> bytes:
        """The bytes of a `.wmv` file; `lmbda` in 64..2048, larger is better and bigger.

        `profile` is whom the bits serve, None for what the weights were made for first of all.
        `focus` says where less than lambda will do, focus.py; None: nowhere.

        Raises UsageFault when lambda is out of range, the picture is too large or the weights
        do not know the profile.
        """
        index = checked_index(lmbda)
        return self._encode(picture, index, self._alpha(picture), profile, focus)

    def encode_to_target(
        self,
        picture: Picture,
        max_bytes: int,
        profile: Profile | None = None,
        focus: Focus | None = None,
    ) -> tuple[bytes, float]:
        """The best file of at most `max_bytes`, and its lambda, by search on real files.

        Raises UsageFault when even lambda 64 makes a larger one.
        """
        # The slow parts that do not depend on lambda.
        alpha, look = self._alpha(picture), None if focus is None else _Once(focus)

        def encoded(index: int, focus: Focus | None) -> bytes:
            return self._encode(picture, index, alpha, profile, focus)

        best, low, high = b"", 0, LAMBDA_INDEX_MAX
        smallest = encoded(0, look)
        if len(smallest) > max_bytes:
            raise UsageFault(
                f"cannot reach {max_bytes} bytes: lambda 64, the smallest, needs {len(smallest)}"
            )
        best, best_index = smallest, 0
        while low < high:
            middle = (low + high + 1) // 2
            data = encoded(middle, look)
            if len(data) <= max_bytes:
                best, best_index, low = data, middle, middle
            else:
                high = middle - 1
        if look is not None and (limited := look.searching(8 * (max_bytes - len(best)))):
            data = encoded(best_index, limited)
            # The search counts what symbols should take; the coder takes a little more.
            best = data if len(data) <= max_bytes else best
        return best, index_to_lambda(best_index)

    def decode(self, data: bytes | BinaryIO, max_pixels: int = MAX_PIXELS_DEFAULT) -> Picture:
        """Back to pixels, alpha and metadata.

        Raises StreamError for any damage and CheckpointError when the weights that made the
        stream are not there.
        """
        stream, frames, latents = self._decode_latents(data, max_pixels)
        header = stream.header
        pixels = frames.synthesise(latents, header.lambda_index, header.height, header.width)
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
        stream, frames, latents = self._decode_latents(data, max_pixels)
        return stream.header, frames.dequantise(latents, stream.header.lambda_index)

    def decode_integers(
        self, data: bytes | BinaryIO, max_pixels: int = MAX_PIXELS_DEFAULT
    ) -> np.ndarray:
        """The decoded latents in sixteenths of a quantiser step, int32 [M, h, w].

        The same on every machine.
        """
        _, _, latents = self._decode_latents(data, max_pixels)
        return latents.integers[0].to(torch.int32).cpu().numpy()

    def frames_for(self, profile: Profile | None) -> tuple[FrameCodec, Profile]:
        """The encoding weights, serving `profile` or their own first choice; and which it is.

        Raises UsageFault when they do not know the profile.
        """
        frames = self._load(self.weights)
        profile = frames.model.config.default_profile if profile is None else profile
        try:
            return frames.serving(profile), profile
        except ValueError as error:
            raise UsageFault(str(error)) from error

    def frames_of(self, header: StreamHeader) -> FrameCodec:
        """The weights that a stream names. Raises CheckpointError and CorruptStream."""
        try:
            return self._load(self._weights_of(header)).serving(header.profile)
        except ValueError as error:
            raise CorruptStream(f"stream header: {error}") from error

    def inter_weights_for(self, profile: Profile) -> WeightsInfo | None:
        """The weights that encode inter frames of videos for `profile`; None if there are none."""
        return self._own_inter or default_inter_weights(profile)

    def inter_frames_for(self, profile: Profile) -> tuple[InterFrameCodec, WeightsInfo]:
        """These weights, loaded. Raises CheckpointError if there are none."""
        info = self.inter_weights_for(profile)
        if info is None:
            raise CheckpointError("no weights of inter frames here; code every frame alone: gop 1")
        return self._load_inter(info).serving(profile), info

    def inter_frames_of(self, header: StreamHeader) -> InterFrameCodec:
        """Those of a video stream that has inter frames. Raises CheckpointError."""
        assert header.video is not None
        own, wanted = self._own_inter, header.video.inter_hash
        info = own if own and own.stream_hash == wanted else find_inter_weights(wanted)
        return self._load_inter(info).serving(header.profile)

    def _load_inter(self, info: WeightsInfo) -> InterFrameCodec:
        with self._lock:
            if info.sha256 not in self._loaded_inter:
                weights = load_inter_weights(info.path)
                self._loaded_inter[info.sha256] = InterFrameCodec.load(
                    weights, self._device, self._dtype, self._rd_slope
                )
            return self._loaded_inter[info.sha256]

    def _encode(
        self,
        picture: Picture,
        lambda_index: int,
        alpha: bytes | None,
        profile: Profile | None,
        focus: Focus | None,
    ) -> bytes:
        frames, profile = self.frames_for(profile)
        header = _header(self.weights, picture, lambda_index, profile)  # first: what cannot be
        encoded = frames.encode(picture.pixels, lambda_index, focus)
        header = replace(header, alpha=alpha is not None, quality_map=focus is not None)
        stream = PictureStream(header, encoded.payload, picture.metadata, alpha)
        sink = io.BytesIO()
        write_picture_stream(sink, stream)
        return sink.getvalue()

    def _decode_latents(
        self, data: bytes | BinaryIO, max_pixels: int
    ) -> tuple[PictureStream, FrameCodec, Latents]:
        source = io.BytesIO(data) if isinstance(data, bytes) else data
        stream = read_picture_stream(source, max_pixels)
        header = stream.header
        frames = self.frames_of(header)
        latents = frames.decode_latents(
            stream.frame, header.height, header.width, header.lambda_index,
            quality_map=header.quality_map,
        )  # fmt: skip
        return stream, frames, latents

    def _weights_of(self, header: StreamHeader) -> WeightsInfo:
        own = self._own_weights
        if own and (own.model_id, own.stream_hash) == (header.model_id, header.weights_hash):
            return own
        return find_weights(header.model_id, header.weights_hash)

    def _load(self, info: WeightsInfo) -> FrameCodec:
        with self._lock:
            if info.sha256 not in self._loaded:
                weights = load_weights(info.path)
                loaded = FrameCodec.load(weights, self._device, self._dtype, self._rd_slope)
                self._loaded[info.sha256] = loaded
            return self._loaded[info.sha256]

    @staticmethod
    def _alpha(picture: Picture) -> bytes | None:
        return None if picture.alpha is None else encode_plane(picture.alpha)


def checked_index(lmbda: float) -> int:
    """The index of `lmbda`, or UsageFault if it is not in 64..2048."""
    try:
        return lambda_to_index(lmbda)
    except ValueError as error:
        raise UsageFault(str(error)) from error


class _Once:
    """A focus on one picture, which is asked several times but looks once, and does not search."""

    def __init__(self, focus: Focus) -> None:
        self._focus = focus
        self._found: Look | None = None

    def __call__(self, y_hat: Tensor) -> Look:
        if self._found is None:
            self._found = self._focus(y_hat)
        return replace(self._found, search_of=None)

    def searching(self, spare_bits: float) -> Focus | None:
        """The same with its search, if it has one, for files that may take so many bits more."""
        found = self._found
        if found is None or found.search_of is None:
            return None
        search_of = found.search_of
        limited = replace(
            found, search_of=lambda *frame: partial(search_of(*frame), spare_bits=spare_bits)
        )
        return lambda y_hat: limited


def _header(
    info: WeightsInfo, picture: Picture, lambda_index: int, profile: Profile
) -> StreamHeader:
    try:
        return StreamHeader(
            width=picture.width,
            height=picture.height,
            model_id=info.model_id,
            weights_hash=info.stream_hash,
            lambda_index=lambda_index,
            colour=picture.mode,
            profile=profile,
        )
    except ValueError as error:
        raise UsageFault(f"picture cannot be encoded: {error}") from error
