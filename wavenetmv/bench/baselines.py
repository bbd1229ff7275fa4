"""Other codecs behind one interface: pixels to bytes and back at a quality setting."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from wavenetmv.metrics import Pixels


@dataclass(frozen=True)
class PillowCodec:
    """A still-picture codec that Pillow ships; `options` go to Image.save."""

    name: str
    format: str
    qualities: tuple[int, ...]  # from low to high rate
    options: tuple[tuple[str, Any], ...] = ()

    def encode(self, pixels: Pixels, quality: int) -> bytes:
        sink = io.BytesIO()
        Image.fromarray(pixels).save(sink, self.format, quality=quality, **dict(self.options))
        return sink.getvalue()

    def decode(self, data: bytes) -> Pixels:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))


# The settings of CompressAI's published curves: plain JPEG, WebP at its greatest effort.
JPEG = PillowCodec("jpeg", "JPEG", (5, 10, 20, 30, 45, 60, 75, 85, 92))
WEBP = PillowCodec("webp", "WEBP", (1, 5, 15, 30, 45, 60, 75, 85, 92), (("method", 6),))
