"""Frames out of one run of ffmpeg: pixels from its output, times and formats from its log."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from wavenetmv.errors import InputError
from wavenetmv.io.video.ffmpeg import Ffmpeg, executable, how_it_ended, read_exactly
from wavenetmv.io.video.log import Log
from wavenetmv.io.video.sources import Input
from wavenetmv.types import MAX_PIXELS_DEFAULT, ColourMatrix, VideoFrame

# swscale's defaults trade accuracy for speed. With these flags YUV to RGB is rounded
# correctly (within 0.51 of the exact value), and the same on every machine.
SCALE_FLAGS = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"

RATE_FALLBACK = Fraction(25)  # ffmpeg's own, for streams that state none
_REFUSED_SIZE = re.compile(r"Picture size (\d+)x(\d+) ")
_LOG_PATIENCE_S = 30.0  # the log of a frame precedes its pixels, so this is never waited for


@dataclass(frozen=True, slots=True)
class Options:
    """How to decode; the names mean what they do for `VideoReader`."""

    matrix: ColourMatrix | None = None
    keep_damaged: bool = False
    threads: int = 0
    max_pixels: int = MAX_PIXELS_DEFAULT


class Decoder:
    """Decodes the first video stream of `source`, in `process`, which the caller stops."""

    def __init__(self, source: Input, options: Options) -> None:
        self.log = Log()
        self.count = 0  # frames handed out
        self._source = source
        self._options = options
        self.time_base = Fraction(1)  # in seconds; known with the first frame
        self._last_s = Fraction(0)
        self._out_of_order = False
        self._damage: str | None = None
        self._stopped = False
        matrix = f"in_color_matrix={options.matrix}:" if options.matrix else ""
        self.process = Ffmpeg(
            [
                *(() if options.keep_damaged else ("-xerror",)),
                # What a container knows to be damaged or cut is not worth showing.
                *("-fflags", "+discardcorrupt", "-err_detect", "+crccheck"),
                *("-max_pixels", str(_roomy(options.max_pixels)), "-threads", str(options.threads)),
                *source.arguments,
                *("-map", "0:V:0", "-fps_mode", "passthrough"),
                *("-vf", f"scale={matrix}{SCALE_FLAGS},format=rgb24"),
                *("-c:v", "ppm", "-enc_time_base", "demux"),
                *("-stats_enc_pre", "pipe:2"),
                *("-stats_enc_pre_fmt", f"{self.log.marker} {{pts}} {{tb}}"),
                *("-f", "image2pipe", "-flush_packets", "1", "pipe:1"),
            ],
            on_line=self.log.feed,
            stdin=source.stdin(),
            stdout=subprocess.PIPE,
        )

    def frames(self) -> Iterator[VideoFrame]:
        """All frames; then an InputError if not all was well and damage is not to be kept."""
        while (pixels := self._pixels(self.process.stdout)) is not None:
            time_s = self._time_s()
            self.count += 1
            yield VideoFrame(pixels, time_s)
        if self._stopped:
            return
        status = self.process.wait()
        self._damage = (
            self.log.problem()
            or (how_it_ended(status) if status else None)
            or self._source.shortage()
        )
        if self._damage and not (self._options.keep_damaged and self.count):
            raise self._failure(self._damage)
        if not self.count:
            raise InputError(f"{self._source.name}: no frame in its video stream")

    def stop(self) -> None:
        """Make `frames` end soon, wherever it is waiting."""
        self._stopped = True
        self.process.stop()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was wrong with the frames so far, one line each."""
        notes = []
        if self._damage:
            notes.append(f"damaged, and read as far as possible: {self._damage}")
        if self._out_of_order:
            notes.append("time stamps out of order were moved behind the frame before")
        return tuple(notes)

    def _pixels(self, stdout: BinaryIO) -> npt.NDArray[np.uint8] | None:
        """One picture in the PPM format; None at the end. ffmpeg's own death cuts one short."""
        if stdout.readline() != b"P6\n":
            return None
        sides = stdout.readline().split()
        if len(sides) != 2 or stdout.readline() != b"255\n":
            return None
        width, height = map(int, sides)
        if width * height > self._options.max_pixels:
            raise self._too_large(width, height)
        pixels = np.empty((height, width, 3), np.uint8)
        whole = read_exactly(stdout, pixels.data.cast("B")) == pixels.size
        return pixels if whole else None

    def _time_s(self) -> Fraction:
        """Of the frame whose pixels have come; times always increase."""
        told = self.log.next_time(_LOG_PATIENCE_S)
        if told is None:
            raise InputError(f"{executable()} does not log times as expected")
        ticks, time_base = told
        self.time_base = time_base
        rate = (self.log.format and self.log.format.rate) or RATE_FALLBACK
        time_s = self._last_s + 1 / rate if ticks is None else ticks * time_base
        earliest_s = self._last_s + time_base if self.count else Fraction(0)
        self._out_of_order |= time_s < earliest_s
        self._last_s = max(time_s, earliest_s)
        return self._last_s

    def _failure(self, problem: str) -> InputError:
        if self.count:
            frames = "frame" if self.count == 1 else "frames"
            return InputError(
                f"{self._source.name}: damaged after {self.count} {frames} ({problem})"
            )
        if self.log.streams and not self.log.of_kind("Video"):
            kinds = " and ".join(sorted({stream.kind.lower() for stream in self.log.streams}))
            return InputError(f"{self._source.name}: no video in it, only {kinds}")
        if problem.startswith("Unrecognized option"):
            return InputError(f"{executable()} is too old: 6.1 is the least ({problem})")
        if found := _REFUSED_SIZE.match(problem):
            return self._too_large(int(found[1]), int(found[2]))
        return InputError(f"{self._source.name}: not a video that ffmpeg can read ({problem})")

    def _too_large(self, width: int, height: int) -> InputError:
        return InputError(
            f"{self._source.name}: frames of {width}x{height} are {width * height} pixels; "
            f"the limit is {self._options.max_pixels}"
        )


def _roomy(max_pixels: int) -> int:
    """A limit for decoders, which count their padding too; the exact one is kept afterwards."""
    return 2 * max_pixels + (1 << 16)
