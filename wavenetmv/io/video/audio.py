"""A video's audio, copied packet by packet: out of a file, and back beside new frames."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

from wavenetmv.errors import InputError
from wavenetmv.io.files import translated
from wavenetmv.io.video import sequences
from wavenetmv.io.video.ffmpeg import Ffmpeg, how_it_ended
from wavenetmv.io.video.log import Log
from wavenetmv.io.video.sources import Input, open_input
from wavenetmv.types import AudioTrack

AUDIO_LIMIT_BYTES = 256 << 20  # 28 hours at 20 kB a second
_CHUNK_BYTES = 1 << 20
_CLUSTER = b"\x1f\x43\xb6\x75"  # without one, a Matroska file has no packets
# Times are kept as they are, and nothing in the file depends on when it was made.
_COPY = ("-map", "0:a", "-c", "copy", "-fflags", "+bitexact", "-f", "matroska", "pipe:1")


def read_audio(source: str | Path, *, limit_bytes: int = AUDIO_LIMIT_BYTES) -> AudioTrack | None:
    """All audio streams of the video in file `source`, not decoded; None if it has none.

    Raises InputError when the audio cannot be copied, is more than `limit_bytes`, or when
    `source` is a pipe: there it would come after the frames it belongs to.
    """
    if sequences.find(source):
        return None
    with open_input(source) as given:
        if given.inlet is not None:
            raise InputError(f"{given.name}: audio cannot be copied from a pipe")
        return _copied(given, (), (), limit_bytes)


def cut_audio(track: AudioTrack, start_s: Fraction, end_s: Fraction) -> AudioTrack | None:
    """What of `track` is heard from `start_s` to `end_s`, in seconds, moved to begin at 0.

    Packets are whole, some 0.02 s each: the first is the first that begins in there. None
    if nothing is left. Raises ValueError unless 0 <= start_s < end_s.
    """
    if not 0 <= start_s < end_s:
        raise ValueError(f"nothing is between {start_s} and {end_s} s")
    # In both cases times are not moved so that the first packet is heard at 0.
    limits, copying = ["-copyts"], ["-t", _seconds(end_s - start_s)]
    if start_s:
        limits = ["-seek_timestamp", "1", "-ss", _seconds(start_s)]
        copying += ["-copypriorss", "0"]
    with as_file(track) as path, open_input(path) as given:
        return _copied(given, limits, copying, len(track.data) + _CHUNK_BYTES)


@contextmanager
def as_file(track: AudioTrack) -> Iterator[Path]:
    """`track` in a temporary file, for an ffmpeg whose standard input has the frames."""
    with translated("audio in a temporary file"):
        number, name = tempfile.mkstemp(prefix="wmv-", suffix=".mka")
    try:
        with translated(name), open(number, "wb") as sink:
            sink.write(track.data)
        yield Path(name)
    finally:
        with suppress(OSError):
            os.unlink(name)


def fits(path: Path, muxer: str) -> bool:
    """Whether ffmpeg's `muxer` can hold the audio in the file `path` as it is coded there."""
    # Muxers refuse a codec when they write their header, so nothing more is needed.
    arguments = ("-i", f"file:{path}", "-map", "0:a", "-c", "copy", "-t", "0.1", "-f", muxer)
    with Ffmpeg([*arguments, "-y", os.devnull], on_line=Log().feed) as process:
        return process.wait() == 0


def _copied(
    given: Input, limits: Sequence[str], copying: Sequence[str], limit_bytes: int
) -> AudioTrack | None:
    log = Log(about_output=True)
    arguments = [*limits, *given.arguments, *copying, *_COPY]
    data = bytearray()
    with Ffmpeg(
        arguments, on_line=log.feed, stdin=given.stdin(), stdout=subprocess.PIPE
    ) as process:
        while chunk := process.stdout.read(_CHUNK_BYTES):
            data += chunk
            if len(data) > limit_bytes:
                raise InputError(
                    f"{given.name}: more than {limit_bytes} bytes of audio; leave it out"
                )
        status = process.wait()
    codecs = tuple(stream.codec for stream in log.of_kind("Audio"))
    if not codecs and log.streams:
        return None
    if status:
        problem = log.problem() or how_it_ended(status)
        raise InputError(f"{given.name}: its audio cannot be copied ({problem})")
    return AudioTrack(bytes(data), codecs) if _CLUSTER in data else None


def _seconds(time_s: Fraction) -> str:
    return f"{float(time_s):.6f}"
