"""Frames into one run of ffmpeg that writes a video file."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from wavenetmv.errors import InputError
from wavenetmv.io.files import STDIO, check_target, open_sink, replacing
from wavenetmv.io.video import audio, matroska
from wavenetmv.io.video.containers import (
    Chroma,
    Container,
    checked_crf,
    chroma_of,
    container_of,
    filters,
)
from wavenetmv.io.video.ffmpeg import Ffmpeg, how_it_ended
from wavenetmv.io.video.log import Log
from wavenetmv.types import AudioTrack, VideoFrame, VideoInfo

_SIGPIPE = -signal.SIGPIPE if hasattr(signal, "SIGPIPE") else None  # as an exit status


@dataclass(frozen=True, slots=True)
class Settings:
    """How to write; the names mean what they do for `VideoWriter`."""

    crf: int | None = None
    format_name: str | None = None
    chroma: Chroma | None = None
    force: bool = False
    threads: int = 0


class Encoder:
    """Takes frames for one file; made by `open_encoder`."""

    def __init__(
        self, process: Ffmpeg, log: Log, name: str, info: VideoInfo, *, even_times: bool
    ) -> None:
        self.even_times = even_times
        self._process = process
        self._log = log
        self._name = name
        self._distance_s = 1 / info.rate
        self._tick = info.tick
        self._last: int | None = None  # time of the frame before, in ticks
        self._send(matroska.start(info.width, info.height, info.rate))

    def write(self, frame: VideoFrame) -> None:
        ticks = round(frame.time_s / self._tick)
        if self._last is not None and ticks <= self._last and not self.even_times:
            raise ValueError(f"two frames within {self._tick} s, the time base of the video")
        self._last = ticks
        pixels = np.ascontiguousarray(frame.pixels)
        self._send(matroska.before_frame(pixels.nbytes, frame.time_s, self._distance_s))
        self._send(pixels.data.cast("B"))

    def finish(self) -> None:
        """Wait until the file is whole. Raises InputError if it is not going to be."""
        try:
            self._process.stdin.close()
        except OSError as error:
            raise self._failure() from error
        if self._process.wait():
            raise self._failure()

    def _send(self, data: bytes | memoryview) -> None:
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except OSError as error:  # ffmpeg has ended, and says why
            raise self._failure() from error

    def _failure(self) -> Exception:
        status = self._process.wait()
        problem = self._log.problem() or how_it_ended(status)
        if status == _SIGPIPE or "Broken pipe" in problem:
            return BrokenPipeError(f"{self._name}: nobody reads any more")
        return InputError(f"{self._name}: cannot be written ({problem})")


@contextmanager
def open_encoder(
    target: str | Path, info: VideoInfo, track: AudioTrack | None, settings: Settings
) -> Iterator[tuple[Encoder, tuple[str, ...]]]:
    """An encoder and notes; the file takes its place when the block succeeds."""
    piped = str(target) == STDIO
    container = container_of(settings.format_name or ("y4m" if piped else Path(target).name))
    options = _video_options(container, info, settings)
    notes = _notes(container, info, settings)
    log = Log(about_output=True)
    with ExitStack() as stack:
        where, stdout = stack.enter_context(_destination(target, container, settings.force))
        sound, sound_notes = stack.enter_context(_audio_options(container, track))
        rate = ("-r", str(info.rate)) if container.even_times else ()
        process = stack.enter_context(
            Ffmpeg(
                [
                    # Times are those given, and not moved so that the first is 0.
                    *("-copyts", "-f", "matroska", "-analyzeduration", "0", "-probesize", "32"),
                    *(*rate, "-i", "pipe:0", *sound, "-map", "0:v", *options, *where),
                ],
                on_line=log.feed,
                stdin=subprocess.PIPE,
                stdout=stdout,
            )
        )
        name = "standard output" if piped else str(target)
        encoder = Encoder(process, log, name, info, even_times=container.even_times)
        yield encoder, (*notes, *sound_notes)
        encoder.finish()


def _video_options(container: Container, info: VideoInfo, settings: Settings) -> list[str]:
    crf = checked_crf(container, settings.crf)
    chroma = chroma_of(container, info, settings.chroma)
    tick = info.tick
    even = container.even_times
    return [
        *("-vf", filters(container, info, chroma), "-fps_mode", "passthrough"),
        *(() if even else ("-enc_time_base", f"{tick.numerator}/{tick.denominator}")),
        *(option.format(crf=crf) for option in container.encoder),
        *("-threads", str(settings.threads), "-flush_packets", "1"),
    ]


def _notes(container: Container, info: VideoInfo, settings: Settings) -> tuple[str, ...]:
    chroma = chroma_of(container, info, settings.chroma)
    yuv = container.pixel_format is None
    said = {
        f"{info.width}x{info.height} has an odd side: written in 4:4:4, which not every player "
        "shows": container.odd_chroma != container.chroma and chroma == "444",
        "256 colours a frame, times in hundredths of a second": container.muxer == "gif",
        f"{container.name} cannot say that its colours are {info.matrix}": container.even_times
        and yuv
        and info.matrix not in ("bt601", "unspecified"),
    }
    return tuple(note for note, applies in said.items() if applies)


@contextmanager
def _audio_options(
    container: Container, track: AudioTrack | None
) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    """Options for ffmpeg's second input, and notes on what could not be kept."""
    if track is None:
        yield [], ()
    elif container.audio is None:
        yield [], (f"audio left out: {container.name} has none",)
    else:
        with audio.as_file(track) as path:
            source = ["-i", f"file:{path}", "-map", "1:a"]
            if audio.fits(path, container.muxer):
                yield [*source, "-c:a", "copy"], ()
            else:
                codecs = " and ".join(dict.fromkeys(track.codecs))
                why = f"{container.name} cannot hold {codecs}"
                yield (
                    [*source, "-c:a", container.audio],
                    (f"audio coded anew as {container.audio}: {why}",),
                )


@contextmanager
def _destination(
    target: str | Path, container: Container, force: bool
) -> Iterator[tuple[list[str], int | IO[bytes]]]:
    """ffmpeg's options for its output, and its standard output."""
    muxer = ["-f", container.muxer]
    if str(target) == STDIO or (os.path.exists(target) and not os.path.isfile(target)):
        with open_sink(target, force=force) as handle:
            yield [*container.when_piped, *muxer, "pipe:1"], handle
    else:
        check_target(target, force=force)
        with replacing(target, force=force) as temporary:
            yield [*muxer, "-y", f"file:{temporary}"], subprocess.DEVNULL
