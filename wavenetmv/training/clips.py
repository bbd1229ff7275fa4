"""Training sequences: crops of real clips, decoded once, and of stills that are moved.

Clips were compressed before, which a codec must not learn to imitate: they are halved in
size first.  Stills move as two layers, the picture and a patch of another one in front of
it, each by a smooth warp of its own: so there is every kind of motion, and what comes out
from behind something.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from wavenetmv.errors import WmvError
from wavenetmv.io.sniff import HEAD_BYTES
from wavenetmv.io.video import VideoReader, is_video
from wavenetmv.training.cache import PictureCache

_INDEX = "clips.json"
_PIXELS = "clips.u8"
_MAX_FRAMES = 240  # of one clip
_MAX_STEP = 3  # frames of a clip from one to the next in a sequence
_STILL_SHARE = 0.25  # of moved stills whose background does not move at all
_MAX_SHIFT = 10.0  # pixels a frame
_MAX_REACH = 0.25  # of the side: how far a layer shifts from its place
_MAX_BEND = 3.0  # pixels a frame, on top, different from place to place

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class SequenceSource:
    """Sequences for training: from `clips`, each [T, H, W, 3], and from moved `stills`."""

    clips: list[Frames]
    stills: PictureCache
    clip_share: float = 0.5
    skipped: int = 0

    @property
    def largest_side(self) -> int:
        """Pixels; there is a still of this size for every crop."""
        return self.stills.largest_side

    def sequence(
        self, rng: np.random.Generator, size: int, frames: int, min_scale: float = 1.0
    ) -> Frames:
        """One sequence [frames, size, size, 3]; half of them are mirrored.

        `min_scale` is for stills only, as in `PictureCache.crops`.
        """
        usable = [clip for clip in self.clips if _fits(clip, size, frames)]
        if usable and rng.random() < self.clip_share:
            found = _clip_window(rng, usable[rng.integers(len(usable))], size, frames)
        else:
            found = moved_still(rng, self.stills, size, frames, min_scale)
        return found[:, :, ::-1] if rng.random() < 0.5 else found


def open_clips(
    folders: Sequence[Path],
    cache_dir: Path,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Frames], int]:
    """All videos below `folders` at half size, memory-mapped, and how many could not be read.

    The cache is made first if it is missing or stale.  `progress(done, total)` is called per
    file meanwhile.
    """
    files = [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and is_video(_head(path))
    ]
    digest = hashlib.sha256()
    for path in files:
        stat = path.stat()
        digest.update(f"{path.name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    target = cache_dir / digest.hexdigest()[:16]
    if not (target / _INDEX).exists():
        _build(files, target, progress)
    index = json.loads((target / _INDEX).read_text())
    clips: list[Frames] = []
    offset = 0
    pixels = np.memmap(target / _PIXELS, np.uint8, mode="r") if index["shapes"] else None
    for frames, height, width in index["shapes"]:
        assert pixels is not None
        size = 3 * frames * height * width
        clips.append(pixels[offset : offset + size].reshape(frames, height, width, 3))
        offset += size
    return clips, index["skipped"]


def moved_still(
    rng: np.random.Generator,
    stills: PictureCache,
    size: int,
    frames: int,
    min_scale: float = 1.0,
) -> npt.NDArray[np.uint8]:
    """One picture behind a patch of another, each moving smoothly: [frames, size, size, 3]."""
    behind, before = stills.crops(rng, 2, size, min_scale)
    back = _layer(rng, behind, frames, still=rng.random() < _STILL_SHARE)
    front = _layer(rng, before, frames, mask=True)
    mask = front[:, 3:]
    pixels = back * (1 - mask) + front[:, :3] * mask
    return pixels.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def _layer(
    rng: np.random.Generator,
    picture: Frames,
    frames: int,
    *,
    still: bool = False,
    mask: bool = False,
) -> Tensor:
    """A picture [size, size, 3] (and the mask of a patch, 0..1) warped further in each frame.

    [frames, 3 or 4, size, size], colours 0..255.
    """
    size = len(picture)
    layer = torch.from_numpy(picture).permute(2, 0, 1).float()
    if mask:
        layer = torch.cat([layer, _patch(rng, size)[None]])
    pixels_a_frame = np.exp(rng.uniform(np.log(0.25), np.log(_MAX_SHIFT)))
    angle = rng.uniform(0, 2 * np.pi)
    shift = pixels_a_frame * torch.tensor([np.cos(angle), np.sin(angle)])
    zoom, turn = rng.normal(0, 0.01), rng.normal(0, 0.01)
    bend = _smooth_field(rng, 2, size, 3) * rng.uniform(0, _MAX_BEND)
    axis = torch.linspace(-1, 1, size)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    # Displacement of one frame, in units of half the side as grid_sample counts.
    step = torch.stack((zoom * x - turn * y, turn * x + zoom * y))
    step = step + (shift[:, None, None] + bend) * 2 / size
    if still:
        step = torch.zeros_like(step)
    start = torch.stack((x, y))
    # There and back: a layer keeps near its place, however long the sequence.
    reach = _MAX_REACH * size / max(pixels_a_frame, 1.0)  # frames
    times = reach * torch.sin((torch.arange(frames).float() - (frames - 1) / 2) / reach)
    grid = start + times[:, None, None, None] * step
    return F.grid_sample(
        layer[None].expand(frames, -1, -1, -1), grid.permute(0, 2, 3, 1).float(),
        mode="bicubic", padding_mode="reflection", align_corners=True,
    )  # fmt: skip


def _patch(rng: np.random.Generator, size: int) -> Tensor:
    """A smooth mask [size, size] in 0..1 of one or a few blobs."""
    field = _smooth_field(rng, 1, size, 4)[0]
    level = float(rng.uniform(0.0, 1.0))
    return ((field - level) * size / 16).clamp(0, 1)


def _smooth_field(rng: np.random.Generator, channels: int, size: int, knots: int) -> Tensor:
    """Random values of unit variance at knots x knots places, smooth in between."""
    values = torch.from_numpy(rng.standard_normal((1, channels, knots, knots))).float()
    return F.interpolate(values, (size, size), mode="bicubic", align_corners=True)[0]


def _fits(clip: Frames, size: int, frames: int) -> bool:
    return len(clip) >= frames and min(clip.shape[1:3]) >= size


def _clip_window(rng: np.random.Generator, clip: Frames, size: int, frames: int) -> Frames:
    step = int(rng.integers(1, 1 + min(_MAX_STEP, (len(clip) - 1) // max(1, frames - 1) or 1)))
    start = rng.integers(len(clip) - (frames - 1) * step)
    top = rng.integers(clip.shape[1] - size + 1)
    left = rng.integers(clip.shape[2] - size + 1)
    stop = start + (frames - 1) * step + 1
    window = clip[start:stop:step, top : top + size, left : left + size]
    return window[::-1] if rng.random() < 0.5 else window


def _build(
    files: Sequence[Path], target: Path, progress: Callable[[int, int], None] | None
) -> None:
    target.mkdir(parents=True, exist_ok=True)
    shapes: list[tuple[int, int, int]] = []
    skipped = 0
    with (target / _PIXELS).open("wb") as sink:
        for done, path in enumerate(files, 1):
            frames = _halved_frames(path)
            skipped += not frames
            for frame in frames:
                sink.write(frame.data)
            if frames:
                shapes.append((len(frames), *frames[0].shape[:2]))
            if progress:
                progress(done, len(files))
    # Written last: a cache without an index counts as missing.
    (target / _INDEX).write_text(json.dumps({"shapes": shapes, "skipped": skipped}))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _halved_frames(path: Path) -> list[Frames]:
    """The first frames at half size; fewer, or none, of a damaged file."""
    halved: list[Frames] = []
    try:
        with VideoReader(path, keep_damaged=True, scan=False) as reader:
            for frame in islice(reader, _MAX_FRAMES):
                height, width = frame.pixels.shape[:2]
                small = Image.fromarray(frame.pixels).resize(
                    (max(1, width // 2), max(1, height // 2)), Image.Resampling.LANCZOS
                )
                halved.append(np.asarray(small))
    except WmvError:
        pass
    return [frame for frame in halved if frame.shape == halved[0].shape]
