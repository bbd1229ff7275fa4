"""Stands in for `wavenetmv.codec` where the trained weights are not installed.

Real containers, but the pixels inside are only divided by a step and deflated.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wavenetmv.bitstream import (
    FramePayload,
    PictureStream,
    StreamHeader,
    decode_plane,
    encode_plane,
    read_picture_stream,
    write_picture_stream,
)
from wavenetmv.errors import UsageFault
from wavenetmv.types import MAX_PIXELS_DEFAULT, Picture, index_to_lambda, lambda_to_index


class PictureCodec:
    def __init__(
        self, device: str = "auto", threads: int | None = None, weights: Path | None = None
    ) -> None:
        self.threads = threads

    def encode(self, picture: Picture, lmbda: float = 512.0) -> bytes:
        index = lambda_to_index(lmbda)
        coded = zlib.compress((picture.pixels // _step(index)).tobytes())
        alpha = None if picture.alpha is None else encode_plane(picture.alpha)
        header = StreamHeader(
            picture.width,
            picture.height,
            model_id=1,
            weights_hash=b"no such!",
            lambda_index=index,
            colour=picture.mode,
            alpha=alpha is not None,
        )
        sink = io.BytesIO()
        frame = FramePayload(0, coded)
        write_picture_stream(sink, PictureStream(header, frame, picture.metadata, alpha))
        return sink.getvalue()

    def encode_to_target(self, picture: Picture, max_bytes: int) -> tuple[bytes, float]:
        for index in range(320, -1, -32):
            data = self.encode(picture, index_to_lambda(index))
            if len(data) <= max_bytes:
                return data, index_to_lambda(index)
        raise UsageFault(f"cannot reach {max_bytes} bytes: lambda 64 needs {len(data)}")

    def decode(self, data: bytes | BinaryIO, max_pixels: int = MAX_PIXELS_DEFAULT) -> Picture:
        source = io.BytesIO(data) if isinstance(data, bytes) else data
        stream = read_picture_stream(source, max_pixels)
        header = stream.header
        size = (header.height, header.width)
        coded = np.frombuffer(zlib.decompress(stream.frame.coded), np.uint8)
        pixels = coded.reshape(*size, 3) * _step(header.lambda_index)
        alpha = None if stream.alpha is None else decode_plane(stream.alpha, *size)
        return Picture(pixels.astype(np.uint8), alpha, header.colour, stream.metadata)


def _step(lambda_index: int) -> int:
    return 1 + (320 - lambda_index) // 10
