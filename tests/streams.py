"""Small video streams of tiny weights: a window that moves over a photograph."""

from __future__ import annotations

import io
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.vectors.regenerate import VECTORS
from wavenetmv.bitstream import VideoStreamWriter
from wavenetmv.codec import PictureCodec
from wavenetmv.models import inter_inference
from wavenetmv.types import VideoFrame, VideoInfo
from wavenetmv.video_codec import VideoEncoder

TINY = next(VECTORS.glob("tiny-*.safetensors"))
RATE = Fraction(25)


def window(photographs: Path, count: int) -> list[npt.NDArray[np.uint8]]:
    """`count` frames of 96x80."""
    with Image.open(photographs / "chelsea.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    return [
        pixels[80 + 2 * n : 160 + 2 * n, 120 + 3 * n : 216 + 3 * n].copy() for n in range(count)
    ]


def stream_of(
    codec: PictureCodec, frames: list[npt.NDArray[np.uint8]], gop: int
) -> tuple[bytes, list[int]]:
    """A stream of groups of exactly `gop` frames, and where each frame's packet begins."""
    height, width = frames[0].shape[:2]
    encoder = VideoEncoder(codec, VideoInfo(width, height, RATE, len(frames)), gop=gop)
    sink = io.BytesIO()
    writer = VideoStreamWriter(sink, encoder.header)
    offsets = []
    with pytest.MonkeyPatch.context() as patch:
        # Random weights predict badly; inter frames are to be coded all the same.
        patch.setattr(inter_inference, "_WORTHWHILE", math.inf)
        for number, pixels in enumerate(frames):
            coded = encoder.encode(VideoFrame(pixels, number / RATE))
            offsets.append(sink.tell())
            writer.write_frame(coded)
    writer.finish()
    return sink.getvalue(), offsets
