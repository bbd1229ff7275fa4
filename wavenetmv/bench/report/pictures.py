"""Pictures to look at side by side: which settings come nearest to the same rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wavenetmv.bench.detection_files import read_detections, read_frame_detections
from wavenetmv.bench.jobs import shown_frame
from wavenetmv.bench.results import PictureInfo, Results, Row
from wavenetmv.errors import InputError
from wavenetmv.metrics import Pixels
from wavenetmv.types import Detection

# Where in the common range of rates (0 lowest, 1 highest, logarithmic) pictures are compared:
# differences show at low rates.
_POSITIONS = (0.08, 0.4, 0.75)


@dataclass(frozen=True, eq=False)
class Version:
    """One picture as one codec gives it back at one setting.

    pixels      uint8 [H, W, 3], as large as the original
    detections  of the detector on `pixels`, None if it did not run
    latents     from the stream without pixels, None if there are none
    """

    codec: str
    setting: str
    bpp: float
    psnr: float | None
    pixels: Pixels
    detections: tuple[Detection, ...] | None = None
    latents: tuple[Detection, ...] | None = None


@dataclass(frozen=True, eq=False)
class ComparisonPicture:
    """An original and what codecs made of it; the report shows them behind sliders.

    original    uint8 [H, W, 3]; detections: the detector's result on it, None without
    targets     rates in bpp to compare at; per codec the version nearest to it is shown
    versions    at least those nearest to each target (`matched_rows` picks them)

    Fill it with `comparison_pictures`, or by hand from any cache.
    """

    name: str
    original: Pixels
    targets: tuple[float, ...]
    versions: tuple[Version, ...]
    detections: tuple[Detection, ...] | None = None


def rate_targets(rows: Iterable[Row]) -> tuple[float, ...]:
    """Rates in bpp, rising, to compare one picture at; empty without `rows`.

    They are rates of the first codec, so that it is met exactly, within the range that all
    codecs reach, or nearest to it if there is none.
    """
    by_codec: dict[str, list[float]] = {}
    for row in rows:
        if row.bpp is not None:
            by_codec.setdefault(row.codec, []).append(row.bpp)
    if not by_codec:
        return ()
    low = max(min(rates) for rates in by_codec.values())
    high = min(max(rates) for rates in by_codec.values())
    wanted = [low * (high / low) ** position for position in _POSITIONS]
    if low >= high:
        wanted = [math.sqrt(low * high)]
    first = next(iter(by_codec.values()))
    nearest = (min(first, key=lambda bpp: abs(math.log(bpp / rate))) for rate in wanted)
    return tuple(sorted(set(nearest)))


def matched_rows(rows: Sequence[Row]) -> list[Row]:
    """Of one picture's `rows`, those whose rate is nearest to a target, for every codec.

    A picture is shown by these only, so no other row's decoded pixels are needed.
    """
    fine = [row for row in rows if row.bpp is not None]
    chosen = []
    for target in rate_targets(fine):
        for codec in dict.fromkeys(row.codec for row in fine):
            own = (row for row in fine if row.codec == codec)
            chosen.append(min(own, key=lambda row: _distance(row, target)))
    return list(dict.fromkeys(chosen))


def _distance(row: Row, target: float) -> float:
    return abs(math.log((row.bpp or math.inf) / target))


def comparison_pictures(
    results: Results, folder: Path, original: Callable[[str], Pixels]
) -> list[ComparisonPicture]:
    """The `shown` pictures of `results`, from the files that its rows name.

    folder    of results.json, to which file names are relative
    original  gives a picture's uint8 [H, W, 3] pixels by its name

    A picture of which no row has a decoded_file is left out.  Raises InputError if a file
    cannot be read.
    """
    found = [_picture(info, results, folder, original) for info in results.pictures if info.shown]
    return [picture for picture in found if picture.versions]


def _picture(
    info: PictureInfo, results: Results, folder: Path, original: Callable[[str], Pixels]
) -> ComparisonPicture:
    rows = [row for row in results.rows if row.picture == info.name]
    versions = tuple(_version(row, folder) for row in matched_rows(rows) if row.decoded_file)
    found = _detections(folder, info.detections_file, info.frames)
    return ComparisonPicture(info.name, original(info.name), rate_targets(rows), versions, found)


def _version(row: Row, folder: Path) -> Version:
    assert row.bpp is not None
    assert row.decoded_file is not None
    return Version(
        row.codec, row.setting, row.bpp, row.psnr,
        _pixels(folder / row.decoded_file),
        _detections(folder, row.detections_file, row.frames),
        _detections(folder, row.latents_file, row.frames),
    )  # fmt: skip


def _pixels(path: Path) -> Pixels:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _detections(folder: Path, name: str | None, frames: int | None) -> tuple[Detection, ...] | None:
    """Of a picture, or of that of a clip's `frames` which is shown."""
    if name is None:
        return None
    try:
        if frames:
            return tuple(read_frame_detections(folder / name)[shown_frame(frames)])
        return tuple(read_detections(folder / name))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / name}: cannot be read: {error}") from error
