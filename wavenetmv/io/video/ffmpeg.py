"""The ffmpeg program that imageio-ffmpeg ships: started, listened to and always ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import IO, BinaryIO

import imageio_ffmpeg

from wavenetmv.errors import InputError

_QUIET = ("-hide_banner", "-nostats", "-nostdin", "-loglevel", "level+verbose")


@lru_cache(maxsize=1)
def executable() -> str:
    """The path of ffmpeg: $IMAGEIO_FFMPEG_EXE, else the one imageio-ffmpeg ships."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise InputError(
            "no ffmpeg found; install the package imageio-ffmpeg for this platform, "
            "or let IMAGEIO_FFMPEG_EXE name one"
        ) from error


class Ffmpeg:
    """One run of ffmpeg. A context manager: whatever happens inside, the process ends.

    `on_line` gets every line of its log, in a thread of its own. `stdin` and `stdout` are
    as in `subprocess`. Raises InputError when the program cannot be started.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        on_line: Callable[[str], None],
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
    ) -> None:
        self._on_line = on_line
        try:
            self._process = subprocess.Popen(
                [executable(), *_QUIET, *arguments],
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                # Ctrl-C is ours to handle: ffmpeg would end its file as though it were whole.
                start_new_session=True,
                creationflags=_windows_flags(),
            )
        except OSError as error:
            raise InputError(
                f"{executable()} cannot be started: {error.strerror or error}"
            ) from error
        self._listener = threading.Thread(target=self._listen, daemon=True, name="ffmpeg log")
        self._listener.start()

    @property
    def stdin(self) -> BinaryIO:
        assert self._process.stdin is not None
        return self._process.stdin  # type: ignore[return-value]

    @property
    def stdout(self) -> BinaryIO:
        assert self._process.stdout is not None
        return self._process.stdout  # type: ignore[return-value]

    def wait(self) -> int:
        """Wait for the end of the process and of its log; its exit status."""
        status = self._process.wait()
        self._listener.join()
        return status

    def stop(self) -> None:
        """End the process now if it still runs, and close its pipes."""
        self._process.kill()
        self.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with suppress(OSError):  # what is buffered has nowhere to go
                    stream.close()

    def __enter__(self) -> Ffmpeg:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._on_line(line.decode("utf-8", "replace").rstrip())


def read_exactly(stream: BinaryIO, into: memoryview) -> int:
    """Fill `into` from `stream`; fewer bytes than it holds come only at the end."""
    done = 0
    while done < len(into):
        count = stream.readinto(into[done:])  # type: ignore[attr-defined]
        if not count:
            break
        done += count
    return done


def how_it_ended(status: int) -> str:
    """An exit status in words, for when the log says nothing."""
    if status < 0:
        with suppress(ValueError):
            return f"ffmpeg was ended by {signal.Signals(-status).name}"
    return f"ffmpeg ended with status {status}"


def _windows_flags() -> int:
    if sys.platform != "win32":
        return 0
    return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
