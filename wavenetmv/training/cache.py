"""Training pictures, decoded once into one memory-mapped file.

Decoding takes longer than a training step, and the trainer wants every core: so each
folder is decoded once, and later runs read crops straight from the page cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from wavenetmv.errors import InputError, UsageFault, WmvError
from wavenetmv.io.images import read_picture

_INDEX = "index.json"
_PIXELS = "pixels.u8"


@dataclass(frozen=True)
class PictureCache:
    """Pictures of at least `min_side` pixels a side; `skipped` counts files left out."""

    pictures: list[npt.NDArray[np.uint8]]  # views [H, W, 3] into the memory map
    skipped: int

    @property
    def smallest_side(self) -> int:
        """Pixels; larger crops are of some of the pictures only."""
        return int(min(min(picture.shape[:2]) for picture in self.pictures))

    @property
    def largest_side(self) -> int:
        """Pixels of the short side of the largest picture; crops can be no larger."""
        return int(max(min(picture.shape[:2]) for picture in self.pictures))

    def crops(
        self, rng: np.random.Generator, count: int, size: int, min_scale: float = 1.0
    ) -> npt.NDArray[np.uint8]:
        """`count` random crops [count, size, size, 3], half of them mirrored.

        min_scale   below 1: crops are made smaller by a random factor down to this one, as far
                    as their picture is large enough; shrinking hides what an earlier codec did

        They are of the pictures that are large enough. Raises UsageFault if none is.
        """
        pictures = [each for each in self.pictures if min(each.shape[:2]) >= size]
        if not pictures:
            raise UsageFault(f"no picture of at least {size} pixels a side for a crop")
        out = np.empty((count, size, size, 3), np.uint8)
        for crop in out:
            picture = pictures[rng.integers(len(pictures))]
            window = _window(rng, picture, size, min_scale)
            crop[:] = window[:, ::-1] if rng.random() < 0.5 else window
        return out


def _window(
    rng: np.random.Generator, picture: npt.NDArray[np.uint8], size: int, min_scale: float
) -> npt.NDArray[np.uint8]:
    """A random part of `picture`, shrunk to size x size."""
    seen = size
    if min_scale < 1:
        largest = min(size / min_scale, *picture.shape[:2])
        seen = round(np.exp(rng.uniform(np.log(size), np.log(largest))))
    top = rng.integers(picture.shape[0] - seen + 1)
    left = rng.integers(picture.shape[1] - seen + 1)
    window = picture[top : top + seen, left : left + seen]
    if seen == size:
        return window
    shrunk = Image.fromarray(window).resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(shrunk)


def open_cache(
    folders: Sequence[Path],
    cache_dir: Path,
    min_side: int,
    progress: Callable[[int, int], None] | None = None,
) -> PictureCache:
    """The cache of all pictures below `folders`, made first if it is missing or stale.

    `progress(done, total)` is called per file while decoding.  Raises UsageFault if no
    picture is usable.
    """
    files = _files(folders)
    key = _key(files, min_side)
    target = cache_dir / key
    if not (target / _INDEX).exists():
        _build(files, target, min_side, progress)
    index = json.loads((target / _INDEX).read_text())
    if not index["shapes"]:
        raise UsageFault(f"no picture of at least {min_side} pixels a side below {folders}")
    pixels = np.memmap(target / _PIXELS, np.uint8, mode="r")
    pictures, offset = [], 0
    for height, width in index["shapes"]:
        size = 3 * height * width
        pictures.append(pixels[offset : offset + size].reshape(height, width, 3))
        offset += size
    return PictureCache(pictures, index["skipped"])


def _files(folders: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: not a folder")
        files += sorted(
            path
            for path in folder.rglob("*")
            if path.is_file() and path.suffix.lower() not in {".json", ".txt", ".md", ".csv"}
        )
    return files


def _key(files: list[Path], min_side: int) -> str:
    digest = hashlib.sha256(str(min_side).encode())
    for path in files:
        stat = path.stat()
        digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _build(
    files: list[Path],
    target: Path,
    min_side: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    target.mkdir(parents=True, exist_ok=True)
    shapes: list[tuple[int, int]] = []
    skipped = 0
    with (target / _PIXELS).open("wb") as sink:
        for done, path in enumerate(files, 1):
            try:
                pixels = read_picture(path).pixels
            except WmvError:
                skipped += 1
            else:
                if min(pixels.shape[:2]) < min_side:
                    skipped += 1
                else:
                    sink.write(np.ascontiguousarray(pixels).data)
                    shapes.append((pixels.shape[0], pixels.shape[1]))
            if progress:
                progress(done, len(files))
    # Written last: a cache without an index counts as missing.
    (target / _INDEX).write_text(json.dumps({"shapes": shapes, "skipped": skipped}))
