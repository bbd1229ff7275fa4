"""Where a video's bytes come from: a path, a file that can seek, or a pipe."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from wavenetmv.errors import InputError
from wavenetmv.io import sniff
from wavenetmv.io.files import STDIO, open_source, translated
from wavenetmv.io.video import recognise
from wavenetmv.io.video.pipes import Inlet

# A stranger's playlist must not make ffmpeg open network addresses.
_PROTOCOLS = ("-protocol_whitelist", "file,pipe,fd")


@dataclass(frozen=True, slots=True)
class Input:
    """What ffmpeg is to read.

    name       for messages
    arguments  of ffmpeg, up to and with -i
    head       the first bytes
    handle     an open file that ffmpeg inherits as its standard input
    inlet      a pipe whose bytes go through us
    """

    name: str
    arguments: tuple[str, ...]
    head: bytes
    handle: IO[bytes] | None = None
    inlet: Inlet | None = None

    def stdin(self) -> int | IO[bytes]:
        """For a new process, which reads from the beginning; of a pipe only one can."""
        if self.inlet is not None:
            return subprocess.PIPE
        if self.handle is None:
            return subprocess.DEVNULL
        os.lseek(self.handle.fileno(), 0, os.SEEK_SET)
        return self.handle

    def shortage(self) -> str | None:
        """At the end: why there was less than there should be, where ffmpeg cannot tell."""
        if self.inlet is not None and self.inlet.error is not None:
            return self.inlet.error.strerror or str(self.inlet.error)
        missing = recognise.missing_bytes(self.head, self._total_bytes())
        return f"it ends {missing} bytes early" if missing else None

    def _total_bytes(self) -> int:
        if self.inlet is not None:
            return self.inlet.read_bytes
        if self.handle is not None:
            return os.fstat(self.handle.fileno()).st_size
        return os.path.getsize(self.arguments[-1].removeprefix("file:"))


@contextmanager
def open_input(source: str | Path | BinaryIO) -> Iterator[Input]:
    """Look at `source` and say how ffmpeg gets it.

    Raises InputError when it cannot be read, is empty or would have to seek and cannot,
    UsageFault when it is a stream of ours.
    """
    if isinstance(source, (str, Path)) and os.path.isfile(source):
        # "file:" keeps ffmpeg from reading protocols, options or patterns into a name.
        where = (*_PROTOCOLS, "-i", f"file:{os.path.abspath(source)}")
        with open_source(source) as handle, translated(source):
            head = handle.read(sniff.HEAD_BYTES)
        yield _accepted(Input(str(source), where, head))
    elif isinstance(source, (str, Path)):  # standard input, a named pipe, or an error
        name = "standard input" if str(source) == STDIO else str(source)
        with open_source(source) as handle:
            yield _accepted(_from_handle(name, handle))
    else:
        yield _accepted(_from_handle(str(getattr(source, "name", "video")), source))


def _from_handle(name: str, handle: BinaryIO) -> Input:
    with translated(name):
        if _can_seek(handle):
            where = (*_PROTOCOLS, "-i", "fd:")
            handle.seek(0)
            head = handle.read(sniff.HEAD_BYTES)
            return Input(name, where, head, handle=handle)
        inlet = Inlet(handle)
    return Input(name, (*_PROTOCOLS, "-i", "pipe:0"), inlet.head, inlet=inlet)


def _can_seek(handle: BinaryIO) -> bool:
    """Whether it is a file of the system's, in which ffmpeg can seek."""
    try:
        return handle.seekable() and handle.fileno() >= 0
    except (io.UnsupportedOperation, AttributeError):
        return False


def _accepted(given: Input) -> Input:
    if error := recognise.refuse(given.name, given.head):
        raise error
    if given.inlet is not None and recognise.needs_seeking(given.head):
        raise InputError(
            f"{given.name}: the index of this MP4 comes last, where a pipe cannot reach it; "
            "name the file itself, or have it written with -movflags +faststart"
        )
    return given
