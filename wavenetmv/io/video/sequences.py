"""Pictures as the frames of a video: a folder of them, or a pattern of their names."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from wavenetmv.errors import InputError
from wavenetmv.io.formats import READABLE_SUFFIXES
from wavenetmv.io.images import read_picture
from wavenetmv.types import Picture, VideoFrame, VideoInfo

DEFAULT_RATE = Fraction(25)  # ffmpeg's own
NUMBER = re.compile(r"%(?:0(\d+))?d")  # in a pattern's last part


def find(source: str | Path | BinaryIO) -> list[Path]:
    """The pictures that `source` names, in order; none if it is not a sequence.

    Raises InputError for a folder, a pattern or a numbering that leads to nothing or has gaps.
    """
    if not isinstance(source, (str, Path)) or os.path.isfile(source):
        return []
    path = Path(source)
    if path.is_dir():
        paths = [item for item in path.iterdir() if item.suffix.lower() in READABLE_SUFFIXES]
        return _some(sorted(paths, key=_natural), path)
    if NUMBER.search(path.name):
        return _numbered(path)
    if glob.has_magic(str(path)) and not path.exists():
        return _some(sorted(map(Path, glob.glob(str(path))), key=_natural), path)
    return []


class PictureFrames:
    """Frames at an even `rate`, all of the first one's size; iterates once per call."""

    def __init__(self, paths: Sequence[Path], rate: Fraction, max_pixels: int) -> None:
        """Raises InputError when the first picture cannot be read."""
        self._paths = paths
        self._max_pixels = max_pixels
        self._stopped = False
        self._notes: dict[str, None] = {}
        first = self._read(paths[0])
        self.info = VideoInfo(
            first.width,
            first.height,
            rate,
            frame_count=len(paths),
            time_base=1 / rate,
            full_range=True,
            variable_rate=False,
            duration_s=len(paths) / rate,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)

    def stop(self) -> None:
        self._stopped = True

    def __iter__(self) -> Iterator[VideoFrame]:
        distance_s = 1 / self.info.rate
        for index, path in enumerate(self._paths):
            if self._stopped:
                return
            picture = self._read(path)
            if (picture.width, picture.height) != (self.info.width, self.info.height):
                raise InputError(
                    f"{path}: frames must have one size; this is {picture.width}x{picture.height}, "
                    f"the first {self.info.width}x{self.info.height}"
                )
            yield VideoFrame(picture.pixels, index * distance_s)

    def _read(self, path: Path) -> Picture:
        picture = read_picture(path, keep_alpha=False, max_pixels=self._max_pixels)
        self._notes.update(dict.fromkeys(picture.notes))
        return picture


def numbered_name(pattern: str) -> re.Pattern[str]:
    """What the names look like that "frame_%05d.png" stands for; group 1 is the number."""
    before, width, after = NUMBER.split(pattern, maxsplit=1)
    # %05d writes five digits or more, and then no zero in front.
    digits = rf"\d{{{width}}}|[1-9]\d{{{width},}}" if width else r"0|[1-9]\d*"
    return re.compile(re.escape(before) + f"({digits})" + re.escape(after))


def _numbered(pattern: Path) -> list[Path]:
    name = numbered_name(pattern.name)
    folder = pattern.parent
    if not folder.is_dir():
        raise InputError(f"{pattern}: there is no folder {folder}")
    names = os.listdir(folder)
    numbers = {int(found[1]): each for each in names if (found := name.fullmatch(each))}
    ordered = sorted(numbers)
    for before, after in pairwise(ordered):
        if after != before + 1:
            raise InputError(
                f"{pattern}: number {before + 1} is missing; name the folder to take all there are"
            )
    return _some([folder / numbers[number] for number in ordered], pattern)


def _some(paths: list[Path], source: Path) -> list[Path]:
    if not paths:
        raise InputError(f"{source}: no pictures there")
    return paths


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts frame 2 before frame 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), part) if part.isdigit() else (-1, part) for part in parts]
