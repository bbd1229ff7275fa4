"""What `wmv encode` does with a video."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

from wavenetmv.cli import batch
from wavenetmv.cli.items import STDIO, Item, size_of
from wavenetmv.errors import UsageFault

if TYPE_CHECKING:
    from wavenetmv.api import Codec
    from wavenetmv.types import Profile

_HEAD_BYTES = 16
_TRANSPORT_STREAM_BYTES = 400  # what it takes to tell one, which begins with a G


@dataclass(frozen=True)
class VideoJob:
    """Encodes a video. `lmbda` is None where a size was asked for, which videos cannot meet."""

    codec: Codec
    lmbda: float | None
    profile: Profile | None
    focus: bool | None
    trials: int | None
    gop: int | None
    audio: bool
    rate: Fraction | None
    max_pixels: int
    force: bool

    def __call__(self, item: Item, source: str | BinaryIO, frames: batch.Frames) -> dict[str, Any]:
        from wavenetmv.types import VIDEO_TRIALS_DEFAULT
        from wavenetmv.video import encode_video

        if self.lmbda is None:
            raise UsageFault("--target-bpp and --target-size are for pictures, this is a video")
        trials = VIDEO_TRIALS_DEFAULT if self.trials is None else self.trials
        batch.check_output(item, self.force)
        with batch.new_folder(item):
            summary = encode_video(
                self.codec.engine(),
                source,
                item.target,
                lmbda=self.lmbda,
                profile=self.profile,
                gop=self.gop,
                audio=self.audio,
                rate=self.rate,
                force=self.force,
                max_pixels=self.max_pixels,
                on_frame=frames,
                focus=lambda profile: self.codec.focus(profile, self.focus, trials),
            )
        width, height = summary.info.width, summary.info.height
        input_bytes, stream_bytes = size_of(item.source), summary.stream_bytes
        return {
            "input": item.source,
            "output": item.target,
            "width": width,
            "height": height,
            "frames": summary.frames,
            "fps": float(summary.info.rate),
            "lambda": self.lmbda,
            "input_bytes": input_bytes,
            "bytes": stream_bytes,
            "bpp": 8 * stream_bytes / (width * height * summary.frames),
            "ratio": input_bytes / stream_bytes if input_bytes else None,
            "seconds": round(summary.seconds, 4),
            "notes": list(summary.notes),
        }


def look(source: str) -> tuple[str | BinaryIO, bool]:
    """What to read in place of `source`, and whether it is a video.

    Files and standard input tell by their first bytes; so do names like frame_%05d.png.
    """
    from wavenetmv.io.files import open_source, translated
    from wavenetmv.io.heads import with_head
    from wavenetmv.io.video import is_video
    from wavenetmv.io.video.sequences import NUMBER

    if source == STDIO:
        with translated("standard input"):
            head, piped = with_head(sys.stdin.buffer, _HEAD_BYTES)
            if head[:1] == b"G":
                head, piped = with_head(piped, _TRANSPORT_STREAM_BYTES)
        return piped, is_video(head)
    if os.path.isfile(source):
        with open_source(source) as file, translated(source):
            return source, is_video(file.read(_TRANSPORT_STREAM_BYTES))
    return source, bool(NUMBER.search(os.path.basename(source))) and not os.path.exists(source)


def parse_rate(text: str) -> Fraction:
    """Frames per second from "25", "29.97" or "30000/1001". Raises UsageFault."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise UsageFault(f"--fps takes a number above 0 such as 25 or 30000/1001, got {text!r}")
    return rate
