"""What there is to do: one picture or clip by one codec at one setting."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from wavenetmv.bench.cache import content_hash
from wavenetmv.bench.clips import read_clip
from wavenetmv.bench.codecs.base import CodecOptions, Setting
from wavenetmv.io import read_picture
from wavenetmv.metrics import Pixels


@dataclass(frozen=True)
class Source:
    """An input: its name in results, its file and its pixels' `content_hash`.

    frames  of a clip, None for a picture
    """

    name: str
    path: Path
    width: int
    height: int
    content: str
    frames: int | None = None

    def pixels(self) -> Pixels:
        """uint8 [H, W, 3], of a clip [T, H, W, 3]."""
        return pixels_of(self.path) if self.frames is None else clip_of(self.path, self.frames)

    def shown(self) -> Pixels:
        """What a report shows: the picture, or the clip's middle frame, uint8 [H, W, 3]."""
        return shown_part(self.pixels())


@dataclass(frozen=True)
class Job:
    """codec "" stands for the original picture: only detector and classifier look at it."""

    codec: str
    setting: Setting
    source: Source

    @property
    def title(self) -> str:
        return f"{self.codec or 'original'} {self.setting.label} {self.source.name}"


@dataclass(frozen=True)
class Plan:
    """What every job shares.

    out       the folder of results.json; the cache is below it
    resume    use what the cache holds; otherwise everything is done and kept anew
    ms_ssim, vmaf  measure it; PSNR always is
    detector  an ONNX file, None for none
    latents   codecs that find objects in their own streams
    classifier  a file with its weights, None for none
    latent_classes  codecs that find classes in their own streams
    """

    out: Path
    codecs: CodecOptions = field(default_factory=CodecOptions)
    resume: bool = True
    ms_ssim: bool = True
    vmaf: bool = False
    detector: Path | None = None
    latents: frozenset[str] = frozenset()
    classifier: Path | None = None
    latent_classes: frozenset[str] = frozenset()


@lru_cache(maxsize=2)
def pixels_of(path: Path) -> Pixels:
    """uint8 [H, W, 3]; the latest stay in memory, as jobs of a picture follow each other."""
    return np.ascontiguousarray(read_picture(path, keep_alpha=False).pixels)


@lru_cache(maxsize=1)
def clip_of(path: Path, limit: int | None) -> Pixels:
    """The first frames of a clip, uint8 [T, H, W, 3]; the latest clip stays in memory."""
    return read_clip(path, limit)


def source_of(name: str, path: Path) -> Source:
    """Read a picture once to know its size and content. Raises InputError."""
    pixels = pixels_of(path)
    return Source(name, path, pixels.shape[1], pixels.shape[0], content_hash(pixels))


def clip_source_of(name: str, path: Path, limit: int | None) -> Source:
    """The same for the first `limit` frames of a clip, or all. Raises InputError."""
    frames = clip_of(path, limit)
    count, height, width = frames.shape[:3]
    return Source(name, path, width, height, content_hash(frames), count)


def shown_frame(frames: int) -> int:
    """The number of the frame that stands for a clip where one must."""
    return frames // 2


def shown_part(pixels: Pixels) -> Pixels:
    """A picture itself, a clip's frame that stands for it: uint8 [H, W, 3]."""
    return pixels if pixels.ndim == 3 else pixels[shown_frame(len(pixels))]
