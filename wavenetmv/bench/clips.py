"""Clips as arrays, uint8 [T, H, W, 3]: files that ffmpeg reads, or folders of numbered pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from wavenetmv.bench.memory import landscape
from wavenetmv.errors import InputError
from wavenetmv.io import READABLE_SUFFIXES
from wavenetmv.io.video import VideoReader, is_video
from wavenetmv.metrics import Pixels

RATE = Fraction(25)  # frames per second, for every encoder
_PICTURES = READABLE_SUFFIXES - {".gif"}  # which is more often a video
_HEAD_BYTES = 400  # what `is_video` looks at


def read_clip(path: Path, limit: int | None = None) -> Pixels:
    """The first `limit` frames, or all, in memory. Raises InputError."""
    with VideoReader(path, scan=False, threads=1) as reader:
        frames = [frame.pixels for frame in islice(reader, limit)]
    return np.stack(frames)


def is_video_file(path: Path) -> bool:
    """Whether it is a file that begins as videos do."""
    try:
        with path.open("rb") as source:
            return is_video(source.read(_HEAD_BYTES))
    except OSError:
        return False


def find_clips(inputs: Iterable[str]) -> dict[str, Path]:
    """Every clip by a name of its own: that of its file or folder, or its path if taken.

    A folder of pictures is one clip; any other stands for the video files and the folders of
    pictures right inside it.  Raises InputError for a folder without any.
    """
    named: dict[str, Path] = {}
    for path in (found for each in inputs for found in _clips_at(Path(each))):
        if path not in named.values():
            named[str(path) if path.name in named else path.name] = path
    return named


def _clips_at(path: Path) -> Sequence[Path]:
    if path.suffix.lower() in _PICTURES and path.is_file():
        raise InputError(f"{path}: a picture among videos; a folder of pictures is a clip")
    if not path.is_dir() or _holds_pictures(path):
        return [path]
    inside = sorted(each for each in path.iterdir() if not each.name.startswith("."))
    found = [each for each in inside if _holds_pictures(each) or is_video_file(each)]
    if not found:
        raise InputError(f"{path}: no video files and no folders of pictures in this folder")
    return found


def _holds_pictures(path: Path) -> bool:
    return path.is_dir() and any(each.suffix.lower() in _PICTURES for each in path.iterdir())


def fixed_camera(height: int, width: int, count: int) -> Iterator[Pixels]:
    """Frames uint8 [H, W, 3] of a scene that stands still but for one object and sensor noise."""
    rng = np.random.default_rng(0)
    scene = landscape(height, width)
    side = max(2, height // 6)
    block = landscape(side, side)[:, ::-1] // 2
    for number in range(count):
        frame = scene.astype(np.int16)
        left = (number * max(1, width // 200)) % (width - side + 1)
        frame[height // 3 : height // 3 + side, left : left + side] = block
        frame += rng.normal(scale=1.5, size=frame.shape).round().astype(np.int16)
        yield np.clip(frame, 0, 255).astype(np.uint8)


def first_frames(clip: Path | None, count: int, height: int, width: int) -> Iterator[Pixels]:
    """Up to `count` frames of `clip` at this size, or of `fixed_camera` without one."""
    if clip is None:
        yield from fixed_camera(height, width, count)
        return
    with VideoReader(clip, scan=False) as reader:
        for frame in islice(reader, count):
            image = Image.fromarray(frame.pixels)
            yield np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
