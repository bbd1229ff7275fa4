"""What every codec of a benchmark offers, and the list of their names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wavenetmv.errors import UsageFault
from wavenetmv.metrics import Pixels
from wavenetmv.types import Detection

# In the order of tables and plots.
CODEC_NAMES = (
    "wmv", "wmv-no-focus", "wmv-human", "jpeg", "webp", "jpeg2000", "jpegxl", "hevc", "av1", "avif",
    "vvc", "vtm", "bmshj2018", "cheng2020",
)  # fmt: skip
VIDEO_CODEC_NAMES = (
    "wmv", "wmv-trials", "wmv-intra", "wmv-human", "wmv-human-intra", "x264", "x265", "svt-av1",
    "vvc",
)  # fmt: skip


class Setting(NamedTuple):
    """One point of a codec's curve: `label` for people ("q30"), `value` for the encoder."""

    label: str
    value: float


@dataclass(frozen=True)
class CodecOptions:
    """What the user says about codecs.

    weights        a weights file for wmv, None for the shipped ones
    checkpoints    trained models by codec name, from low to high rate
    gop            of clips: frames from one intra frame to the next, at most; None: pictures
    inter_weights  of wmv's inter frames, None for the shipped ones
    """

    weights: Path | None = None
    checkpoints: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    gop: int | None = None
    inter_weights: Path | None = None


class Codec(ABC):
    """Pixels uint8 [H, W, 3] to the bytes of a file and back, on one thread.

    Codecs for video do the same with clips, uint8 [T, H, W, 3].

    name      one of CODEC_NAMES or VIDEO_CODEC_NAMES; `title` is for people
    suffix    of its files, ".webp"
    settings  from low to high rate, over the range that the codec is used in
    """

    name: str
    title: str
    suffix: str
    settings: tuple[Setting, ...]

    @abstractmethod
    def command(self, setting: Setting) -> str:
        """What the encoder is called with, versions included: equal text, equal bytes."""

    @abstractmethod
    def encode(self, pixels: Pixels, setting: Setting) -> bytes:
        """Raises InputError when the encoder refuses the picture."""

    @abstractmethod
    def decode(self, data: bytes, height: int, width: int) -> Pixels:
        """uint8 [height, width, 3], or [T, height, width, 3] of a clip, as it was encoded.

        Raises InputError when the decoder gives no such pixels.
        """

    def describe(self) -> str:
        """`command` of the whole range, for the report."""
        labels = ", ".join(setting.label for setting in self.settings)
        return f"{self.command(self.settings[0])}; settings: {labels}"

    def prepare(self) -> None:  # noqa: B027 - most codecs have nothing to load
        """Load what is loaded once, so that it is no part of the first picture's time."""

    def detect(self, data: bytes, threshold: float) -> list[Detection]:
        """Objects found in the stream itself, without pixels; see `detects`."""
        raise NotImplementedError(f"{self.name} streams are no input for a detector")

    def detect_frames(self, data: bytes, threshold: float) -> list[list[Detection]]:
        """As `detect`, of each frame of a clip's stream."""
        raise NotImplementedError(f"{self.name} streams are no input for a detector")

    @property
    def head_name(self) -> str:
        """Tells heads apart whose detections are kept."""
        raise NotImplementedError(f"{self.name} has no head")

    def detects(self) -> str | None:
        """None if `detect` works, else why not; "" for codecs that never could."""
        return ""

    def classify(self, data: bytes) -> int:
        """The likeliest class, found in the stream itself; see `classifies`."""
        raise NotImplementedError(f"{self.name} streams are no input for a classifier")

    @property
    def classification_head_name(self) -> str:
        """Tells heads apart whose classes are kept."""
        raise NotImplementedError(f"{self.name} has no head")

    def classifies(self) -> str | None:
        """As `detects`, of `classify`."""
        return ""


def chosen(codec: Codec, values: Sequence[float] | None, points: int | None) -> list[Setting]:
    """The settings to measure: those with these `values`, else `points` of all.

    Raises UsageFault for a value that the codec is not measured at.
    """
    if values is None:
        return even_choice(codec.settings, points)
    known = [setting.value for setting in codec.settings]
    if strange := [value for value in values if value not in known]:
        raise UsageFault(
            f"{codec.name} has no setting {strange[0]:g}; "
            f"there are {', '.join(f'{value:g}' for value in known)}"
        )
    return [setting for setting in codec.settings if setting.value in values]


def even_choice(settings: Sequence[Setting], count: int | None) -> list[Setting]:
    """`count` settings spread evenly over all, both ends included; all of them for None."""
    if count is None or count >= len(settings):
        return list(settings)
    places = np.linspace(0, len(settings) - 1, count) if count > 1 else [(len(settings) - 1) / 2]
    return [settings[round(place)] for place in places]


def pad_to_multiple(pixels: Pixels, multiple: int) -> Pixels:
    """Repeat the last row and column until both sides are multiples of `multiple`.

    pixels [..., H, W, 3]
    """
    bottom, right = (-side % multiple for side in pixels.shape[-3:-1])
    whole = ((0, 0),) * (pixels.ndim - 3)
    return np.pad(pixels, (*whole, (0, bottom), (0, right), (0, 0)), mode="edge")
