"""What there is to do: one picture by one codec at one setting."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from wavenetmv.bench.cache import content_hash
from wavenetmv.bench.codecs.base import CodecOptions, Setting
from wavenetmv.io import read_picture
from wavenetmv.metrics import Pixels


@dataclass(frozen=True)
class Source:
    """An input picture: its name in results, its file and its pixels' `content_hash`."""

    name: str
    path: Path
    width: int
    height: int
    content: str


@dataclass(frozen=True)
class Job:
    """codec "" stands for the original picture: only the detector looks at it."""

    codec: str
    setting: Setting
    source: Source

    @property
    def title(self) -> str:
        return f"{self.codec or 'detector'} {self.setting.label} {self.source.name}"


@dataclass(frozen=True)
class Plan:
    """What every job shares.

    out       the folder of results.json; the cache is below it
    resume    use what the cache holds; otherwise everything is done and kept anew
    ms_ssim   measure it; PSNR always is
    detector  an ONNX file, None for none
    latents   codecs that find objects in their own streams
    """

    out: Path
    codecs: CodecOptions = field(default_factory=CodecOptions)
    resume: bool = True
    ms_ssim: bool = True
    detector: Path | None = None
    latents: frozenset[str] = frozenset()


@lru_cache(maxsize=2)
def pixels_of(path: Path) -> Pixels:
    """uint8 [H, W, 3]; the latest stay in memory, as jobs of a picture follow each other."""
    return np.ascontiguousarray(read_picture(path, keep_alpha=False).pixels)


def source_of(name: str, path: Path) -> Source:
    """Read a picture once to know its size and content. Raises InputError."""
    pixels = pixels_of(path)
    return Source(name, path, pixels.shape[1], pixels.shape[0], content_hash(pixels))
