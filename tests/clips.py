"""Small videos for tests: made by ffmpeg's own sources, or from frames that numpy makes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wavenetmv.io.video import VideoReader, VideoWriter
from wavenetmv.io.video.ffmpeg import executable
from wavenetmv.types import VideoFrame, VideoInfo

Pixels = npt.NDArray[np.uint8]
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-threads", "1")


def ffmpeg(*arguments: object, stdin: bytes = b"") -> bytes:
    """Run ffmpeg; its standard output."""
    command = [executable(), "-v", "error", "-nostats", "-y", *map(str, arguments)]
    result = subprocess.run(command, input=stdin, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout


def pattern(size: str = "64x48", rate: object = 25, seconds: float = 1) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}")


def tone(seconds: float = 1, pitch: int = 440) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"sine=f={pitch}:d={seconds}")


def moving(count: int, width: int = 64, height: int = 48) -> list[Pixels]:
    """Frames that all differ, smooth enough to survive lossy coding nearly unchanged."""
    down, across = np.mgrid[0:height, 0:width] / max(height, width)
    planes = np.stack([across, down, (across + down) / 2], axis=2)
    return [(20 + 3 * index + 150 * planes).astype(np.uint8) for index in range(count)]


def patches() -> Pixels:
    """[128, 128, 3]: sixteen flat patches of saturated colours."""
    levels = [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    levels += [(0, 255, 255), (255, 0, 255), (128, 128, 128), (255, 128, 0), (0, 128, 255)]
    levels += [(128, 0, 255), (64, 192, 32), (200, 30, 90), (16, 16, 235), (90, 60, 10)]
    colours = np.array(levels, np.uint8).reshape(4, 4, 3)
    return colours.repeat(32, axis=0).repeat(32, axis=1)


def middles(pixels: Pixels) -> npt.NDArray[np.int64]:
    """The patches of `patches` without their borders, where chroma of two colours mixes."""
    blocks = pixels.reshape(4, 32, 4, 32, 3)[:, 12:20, :, 12:20]
    return blocks.astype(np.int64)


def timed(pixels: Sequence[Pixels], times: Iterable[Fraction]) -> list[VideoFrame]:
    return [VideoFrame(each, time) for each, time in zip(pixels, times, strict=True)]


def write(path: Path | str, frames: Sequence[VideoFrame], **known: object) -> tuple[str, ...]:
    """Write `frames`; `known` are fields of VideoInfo. Notes."""
    options = {key: known.pop(key) for key in list(known) if key in _WRITER_OPTIONS}
    height, width = frames[0].pixels.shape[:2]
    info = VideoInfo(width, height, **({"rate": Fraction(25)} | known))  # type: ignore[arg-type]
    with VideoWriter(path, info, **options) as writer:  # type: ignore[arg-type]
        for frame in frames:
            writer.write(frame)
    return writer.notes


_WRITER_OPTIONS = ("crf", "format_name", "audio", "chroma", "force", "threads")


def read(path: object, **options: object) -> tuple[VideoInfo, list[VideoFrame], tuple[str, ...]]:
    with VideoReader(path, **options) as reader:  # type: ignore[arg-type]
        frames = list(reader)
        return reader.info, frames, reader.notes


def raw_frames(path: Path, count: int) -> list[bytes]:
    """The planes of a video as ffmpeg decodes them, without any conversion."""
    data = ffmpeg("-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1")
    size = len(data) // count
    return [data[index * size : (index + 1) * size] for index in range(count)]


def errors(made: Sequence[VideoFrame], given: Sequence[Pixels]) -> int:
    """The largest difference of any sample."""
    assert len(made) == len(given)
    return max(
        int(np.abs(frame.pixels.astype(np.int16) - pixels).max())
        for frame, pixels in zip(made, given, strict=True)
    )
