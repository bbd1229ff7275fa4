"""Frozen dataclasses that travel between layers. Imports numpy only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

LAMBDA_MIN = 64.0
LAMBDA_MAX = 2048.0
LAMBDA_DEFAULT = 512.0
# The stream keeps lambda as an integer so that every machine interpolates the
# same integer priors: 64 steps per octave, five octaves from 64 to 2048.
LAMBDA_STEPS_PER_OCTAVE = 64
LAMBDA_INDEX_MAX = 5 * LAMBDA_STEPS_PER_OCTAVE

# Of quality maps (docs/FORMAT.md 6.9): a drop counts so many steps of lambda, and so many
# latents a side have one in common.
DROP_STEPS = 32
DROP_MAX = 15
DROP_CELL = 4

VIDEO_TRIALS_DEFAULT = 1  # how often each frame of a video is coded, which has to be fast
GOP_DEFAULT = 32  # frames from one intra frame to the next, at most

# The largest magnitude of a coded integer: 16 times it is exact in float32 (docs/FORMAT.md 8).
MAX_SYMBOL = (1 << 20) - 1

# Pillow's own decompression-bomb threshold, doubled as Pillow does before it refuses.
MAX_PIXELS_DEFAULT = 178_956_970


def lambda_to_index(lmbda: float) -> int:
    """Nearest index on the logarithmic lambda scale; `lmbda` in 64..2048."""
    if not LAMBDA_MIN <= lmbda <= LAMBDA_MAX:
        raise ValueError(f"lambda must be in {LAMBDA_MIN:g}..{LAMBDA_MAX:g}, got {lmbda:g}")
    return round(LAMBDA_STEPS_PER_OCTAVE * math.log2(lmbda / LAMBDA_MIN))


def index_to_lambda(index: int) -> float:
    """Inverse of `lambda_to_index`; `index` in 0..320."""
    if not 0 <= index <= LAMBDA_INDEX_MAX:
        raise ValueError(f"lambda index must be in 0..{LAMBDA_INDEX_MAX}, got {index}")
    return float(LAMBDA_MIN * 2.0 ** (index / LAMBDA_STEPS_PER_OCTAVE))


class ColourMode(IntEnum):
    """What the picture was before it became RGB. Wire values: never renumber."""

    RGB = 0
    GREY = 1


class Profile(IntEnum):
    """Whom the bits serve. Wire values: never renumber."""

    NEUTRAL = 0
    MACHINE = 1
    HUMAN = 2


class MetadataKind(IntEnum):
    """Metadata that travels unchanged through a stream. Wire values: never renumber."""

    EXIF = 1
    ICC = 2
    XMP = 3
    TEXT = 4  # UTF-8 "key\0value", may occur several times


@dataclass(frozen=True, slots=True)
class Metadata:
    kind: MetadataKind
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture in memory, as `io` reads and writes it and as the codec sees it.

    pixels    uint8 [H, W, 3], RGB, EXIF orientation already applied
    alpha     uint8 [H, W] or None
    mode      GREY when all three channels are one plane of the source
    notes     what reading changed, one line each, for the user ("16 bits reduced to 8")
    """

    pixels: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8] | None = None
    mode: ColourMode = ColourMode.RGB
    metadata: tuple[Metadata, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(
                f"pixels must be uint8 [H, W, 3], got {self.pixels.dtype} {self.pixels.shape}"
            )
        if min(self.pixels.shape[:2]) < 1:
            raise ValueError(f"picture is empty: {self.width}x{self.height}")
        if self.alpha is not None and (
            self.alpha.dtype != np.uint8 or self.alpha.shape != self.pixels.shape[:2]
        ):
            raise ValueError(
                f"alpha must be uint8 {self.pixels.shape[:2]}, "
                f"got {self.alpha.dtype} {self.alpha.shape}"
            )

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True)
class Detection:
    """An object found in a picture.

    class_id  0..79, index into `labels.COCO_LABELS`; `label` is that entry
    score     0..1
    box       x1, y1, x2, y2 in pixels of the original picture
    track     in videos: the object's number, from 1, which it keeps; None where it has none
    """

    class_id: int
    label: str
    score: float
    box: tuple[float, float, float, float]
    track: int | None = None


@dataclass(frozen=True, slots=True)
class Classification:
    """What a picture as a whole shows.

    class_id  0..999, index into `labels.IMAGENET_LABELS`; `label` is that entry
    score     0..1, all classes together make 1
    """

    class_id: int
    label: str
    score: float


Finding = Detection | Classification

_MAX_TERM = (1 << 31) - 1  # of the fractions in video files
_FINEST = Fraction(1, 1_000_000_000)  # the unit in which frames are handed to ffmpeg
_FINE = 10_000  # ticks per second, at least, where nothing is known of the time stamps

ColourMatrix = Literal["bt601", "bt709", "bt2020", "unspecified"]


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a video before its frames, as `io` reads and writes it.

    width, height  pixels as displayed: rotation applied, pixel aspect not
    rate           average frames per second
    frame_count    frames the file declares; None on a pipe
    time_base      seconds; every time stamp is a multiple. None: choose a fine one
    pixel_aspect   width of a pixel over its height
    matrix         of the source's YUV; "unspecified" for RGB sources too
    full_range     the source's samples use 0..255; always so for RGB
    variable_rate  frames have different distances; None when that cannot be known yet
    duration_s     seconds from the first frame to the end of the last; None on a pipe
    has_audio      the file has audio streams
    """

    width: int
    height: int
    rate: Fraction
    frame_count: int | None = None
    time_base: Fraction | None = None
    pixel_aspect: Fraction = Fraction(1)
    matrix: ColourMatrix = "unspecified"
    full_range: bool = False
    variable_rate: bool | None = None
    duration_s: Fraction | None = None
    has_audio: bool = False

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise ValueError(f"video is empty: {self.width}x{self.height}")
        if min(self.rate, self.pixel_aspect, self.time_base or 1) <= 0:
            raise ValueError(
                "rate, pixel aspect and time base must be above 0, "
                f"got {self.rate}, {self.pixel_aspect}, {self.time_base}"
            )
        if self.matrix not in get_args(ColourMatrix):
            raise ValueError(f"unknown colour matrix {self.matrix}")

    @property
    def tick(self) -> Fraction:
        """The unit of the time stamps that are written, in seconds: `time_base` where it can be.

        Its terms are below 2^31.
        """
        given = self.time_base
        if given and given >= _FINEST and max(given.numerator, given.denominator) <= _MAX_TERM:
            return given
        # Frames at the average rate are exact, all others to a ten thousandth of a second.
        ticks = self.rate.limit_denominator(_MAX_TERM // _FINE).numerator
        return Fraction(1, ticks * -(-_FINE // ticks))


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One frame of a video.

    pixels  uint8 [H, W, 3], RGB
    time_s  seconds from the start of the file to when the frame is shown, exact
    """

    pixels: npt.NDArray[np.uint8]
    time_s: Fraction

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(
                f"pixels must be uint8 [H, W, 3], got {self.pixels.dtype} {self.pixels.shape}"
            )


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """All audio of a video, as it was coded there: nothing is decoded.

    data    a whole Matroska file of audio streams; times count from the start of the video
    codecs  FFmpeg's name of each stream's codec, such as "aac"
    """

    data: bytes = field(repr=False)
    codecs: tuple[str, ...]
