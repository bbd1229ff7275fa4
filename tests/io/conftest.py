from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture
def noise(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """[40, 30, 4]: every channel, row and column differs from every other."""
    return rng.integers(0, 256, (40, 30, 4), dtype=np.uint8)


@pytest.fixture
def saved() -> Callable[..., bytes]:
    """A Pillow image as a file's bytes."""

    def save(image: Image.Image, name: str, **options: Any) -> bytes:
        sink = io.BytesIO()
        image.save(sink, name, **options)
        return sink.getvalue()

    return save


@pytest.fixture
def png16() -> Callable[..., bytes]:
    """A 16-bit PNG by hand: Pillow writes none with more than one channel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    def make(samples: npt.NDArray[Any], transparent: tuple[int, ...] = ()) -> bytes:
        height, width, channels = samples.shape
        colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
        header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
        key = struct.pack(f">{len(transparent)}H", *transparent)
        return (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + (chunk(b"tRNS", key) if key else b"")
            + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b"")
        )

    return make
