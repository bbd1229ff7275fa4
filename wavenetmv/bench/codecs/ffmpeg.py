"""Video codecs on one still frame, and JPEG XL, through the ffmpeg that imageio-ffmpeg ships.

RGB becomes Y'CbCr of BT.709 in full range with ten bits before the encoder and RGB again
after the decoder; both conversions are named, so neither program guesses.  Encoders with a
perceptual mode run without it: their pictures are judged by PSNR and by a detector.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from wavenetmv.bench.codecs.base import Codec, Setting, pad_to_multiple
from wavenetmv.errors import InputError
from wavenetmv.metrics import Pixels

TIMEOUT_S = 3600
_FILTER = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
TO_YUV = f"scale=in_range=full:out_range=full:out_color_matrix=bt709:{_FILTER}"
TO_RGB = f"scale=in_range=full:in_color_matrix=bt709:out_range=full:{_FILTER}"
_COLOUR = (
    "-color_range", "pc", "-colorspace", "bt709", "-color_primaries", "bt709",
    "-color_trc", "iec61966-2-1",
)  # fmt: skip


@dataclass(frozen=True)
class FfmpegCodec(Codec):
    """arguments of the encoder, its quality option and that option's values, low rate first."""

    name: str
    title: str
    suffix: str
    arguments: tuple[str, ...]
    option: str
    values: tuple[float, ...]
    pixel_format: str
    muxer: str
    demuxer: str

    @property
    def settings(self) -> tuple[Setting, ...]:  # type: ignore[override]
        knob = {"-distance": "d"}.get(self.option, self.option[1:])
        return tuple(Setting(f"{knob}{value:g}", value) for value in self.values)

    @property
    def encoder(self) -> str:
        """Its name in ffmpeg."""
        return self.arguments[self.arguments.index("-c:v") + 1]

    @property
    def _multiple(self) -> int:
        return 2 if "420" in self.pixel_format else 1

    def command(self, setting: Setting) -> str:
        padded = "; odd sides are padded by one, cropped after decoding"
        return (
            f"ffmpeg {ffmpeg_version()} {' '.join(self._encoder(setting))}"
            f"{padded if self._multiple > 1 else ''}"
        )

    def encode(self, pixels: Pixels, setting: Setting) -> bytes:
        padded = np.ascontiguousarray(pad_to_multiple(pixels, self._multiple))
        height, width = padded.shape[:2]
        source = raw_input("rgb24", height, width)
        target = ("-frames:v", "1", *self._encoder(setting), "-f", self.muxer)
        return run_ffmpeg(self.name, source, target, padded.tobytes())

    def decode(self, data: bytes, height: int, width: int) -> Pixels:
        rows, columns = (side + -side % self._multiple for side in (height, width))
        filters = [] if self._is_rgb else ["-vf", f"{TO_RGB},format=rgb24"]
        source = ("-threads", "1", "-f", self.demuxer)
        target = ("-frames:v", "1", *filters, "-pix_fmt", "rgb24", "-f", "rawvideo")
        raw = run_ffmpeg(self.name, source, target, data)
        return _pixels(self.name, raw, rows, columns)[:height, :width]

    @property
    def _is_rgb(self) -> bool:
        return self.pixel_format == "rgb24"

    def _encoder(self, setting: Setting) -> list[str]:
        convert = [] if self._is_rgb else ["-vf", f"{TO_YUV},format={self.pixel_format}"]
        tags = [] if self._is_rgb else _COLOUR
        return [
            *convert, *self.arguments, self.option, f"{setting.value:g}",
            "-pix_fmt", self.pixel_format, *tags, "-threads", "1",
        ]  # fmt: skip


def to_yuv(name: str, pixels: Pixels, pixel_format: str) -> bytes:
    """Planes of full-range BT.709, as the encoders here get them. `name` is for errors."""
    source = raw_input("rgb24", *pixels.shape[:2])
    target = ("-vf", f"{TO_YUV},format={pixel_format}", "-f", "rawvideo")
    return run_ffmpeg(name, source, target, np.ascontiguousarray(pixels).tobytes())


def to_rgb(name: str, raw: bytes, pixel_format: str, height: int, width: int) -> Pixels:
    """The inverse of `to_yuv`."""
    source = raw_input(pixel_format, height, width)
    target = ("-vf", f"{TO_RGB},format=rgb24", "-f", "rawvideo")
    return _pixels(name, run_ffmpeg(name, source, target, raw), height, width)


def raw_input(pixel_format: str, height: int, width: int) -> tuple[str, ...]:
    return ("-f", "rawvideo", "-pix_fmt", pixel_format, "-video_size", f"{width}x{height}")


def _pixels(name: str, raw: bytes, height: int, width: int) -> Pixels:
    if len(raw) != 3 * height * width:
        raise InputError(f"{name}: {3 * height * width} bytes of pixels expected, got {len(raw)}")
    return np.frombuffer(raw, np.uint8).reshape(height, width, 3)


def run_ffmpeg(name: str, source: Sequence[str], target: Sequence[str], data: bytes) -> bytes:
    """ffmpeg's standard output for `data` on its standard input. Raises InputError."""
    command = [
        *(ffmpeg_program(), "-hide_banner", "-nostdin", "-loglevel", "error"),
        *(*source, "-i", "pipe:0", *target, "pipe:1"),
    ]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=TIMEOUT_S,
            # Otherwise SVT-AV1 tells its whole configuration before any error.
            env={**os.environ, "SVT_LOG": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{name}: ffmpeg took longer than {TIMEOUT_S} s") from error
    if done.returncode or not done.stdout:
        raise InputError(f"{name}: ffmpeg failed: {_reason(done.stderr)}")
    return done.stdout


def _reason(log: bytes) -> str:
    """The first line that is not a mere warning; addresses would differ from run to run."""
    lines = [line.strip() for line in log.decode(errors="replace").splitlines()]
    errors = [line for line in lines if line and not line.startswith("Configuration warning")]
    return re.sub(r" @ 0x[0-9a-f]+", "", errors[0]) if errors else "no output"


@cache
def ffmpeg_program() -> str:
    """Path of the program. Raises InputError where imageio-ffmpeg has none."""
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise InputError(f"no ffmpeg program: {error}") from error


@cache
def ffmpeg_version() -> str:
    done = subprocess.run([ffmpeg_program(), "-version"], capture_output=True, text=True)
    return done.stdout.split()[2]


@cache
def ffmpeg_encoders() -> frozenset[str]:
    """Names of the encoders inside this ffmpeg."""
    listing = subprocess.run(
        [ffmpeg_program(), "-hide_banner", "-encoders"], capture_output=True, text=True
    ).stdout
    return frozenset(line.split()[1] for line in listing.splitlines() if len(line.split()) > 1)


HEVC = FfmpegCodec(
    "hevc", "HEVC (x265)", ".hevc",
    ("-c:v", "libx265", "-preset", "veryslow", "-tune", "psnr",
     "-x265-params", "log-level=error:pools=none:frame-threads=1:info=0"),
    "-crf", (44, 40, 36, 32, 28, 24, 20, 16), "yuv444p10le", "hevc", "hevc",
)  # fmt: skip
AV1 = FfmpegCodec(
    "av1", "AV1 (libaom)", ".obu",
    ("-c:v", "libaom-av1", "-usage", "good", "-cpu-used", "4", "-still-picture", "1",
     "-tune", "psnr", "-b:v", "0"),
    "-crf", (61, 54, 47, 40, 33, 26, 19, 12), "yuv444p10le", "obu", "obu",
)  # fmt: skip
# libvvenc knows 4:2:0 only.
VVC = FfmpegCodec(
    "vvc", "VVC (libvvenc)", ".vvc",
    ("-c:v", "libvvenc", "-preset", "medium", "-qpa", "0"),
    "-qp", (56, 51, 46, 41, 36, 32, 28, 24, 20), "yuv420p10le", "vvc", "vvc",
)  # fmt: skip
# Distance 15 is the coarsest that ffmpeg passes on.
JPEGXL = FfmpegCodec(
    "jpegxl", "JPEG XL (libjxl)", ".jxl", ("-c:v", "libjxl", "-effort", "7"),
    "-distance", (15, 10, 6.5, 4.2, 2.8, 1.8, 1.1, 0.6), "rgb24", "image2pipe", "jpegxl_pipe",
)  # fmt: skip
