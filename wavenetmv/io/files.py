"""Reading and writing bytes: pipes, errors in one line, outputs that are whole or absent."""

from __future__ import annotations

import io
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wavenetmv.errors import InputError, UsageFault

STDIO = "-"


@contextmanager
def open_source(source: str | Path) -> Iterator[BinaryIO]:
    """Open `source` for reading; "-" is standard input. Raises InputError."""
    if str(source) == STDIO:
        yield sys.stdin.buffer
        return
    with translated(source):
        handle = open(source, "rb")  # noqa: SIM115 - the next line closes it
    with handle:
        yield handle


@contextmanager
def open_sink(target: str | Path, *, force: bool = False) -> Iterator[BinaryIO]:
    """Yield a file to write into; `target` appears only when the block succeeds.

    The bytes go to a temporary name in the same directory, which takes the target's
    place at the end and is removed on any failure, an interrupt included. A device or
    a pipe is written directly, and "-" is standard output.

    Raises UsageFault when the target exists and `force` is false, InputError when it
    cannot be written.
    """
    if str(target) == STDIO:
        yield _standard_output()
        with translated("standard output"):
            sys.stdout.buffer.flush()
        return
    check_target(target, force=force)
    with translated(target):
        if os.path.exists(target) and not os.path.isfile(target):
            with open(target, "wb") as sink:
                yield sink
        else:
            with replacing(target, force=force) as temporary, open(temporary, "xb") as sink:
                yield sink


def check_target(target: str | Path, *, force: bool = False) -> None:
    """Refuse early what writing `target` would refuse after the work is done."""
    if str(target) == STDIO:
        return
    if os.path.isdir(target):
        raise InputError(f"{target} is a directory")
    if os.path.isfile(target) and not force:
        raise UsageFault(f"{target} exists; --force overwrites it")
    folder = os.path.dirname(os.path.realpath(target))
    if not os.path.isdir(folder):
        raise InputError(f"{target}: there is no folder {folder}")


@contextmanager
def replacing(target: str | Path, *, force: bool) -> Iterator[Path]:
    """Yield the name of a file to be made beside `target`, whose place it takes at the end.

    On any failure, an interrupt included, that file is removed and `target` is as it was.
    """
    # A link keeps pointing where it pointed; what it points at is replaced.
    final = Path(os.path.realpath(target))
    temporary = temporary_beside(final)
    try:
        yield temporary
        if not force and final.exists():  # came into being while we worked
            raise UsageFault(f"{target} exists; --force overwrites it")
        with translated(target):
            os.replace(temporary, final)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def temporary_beside(target: Path) -> Path:
    """A name nothing has, in the same folder, for what is going to take `target`'s place."""
    # The name is short and ours, so a target with the longest legal name still works.
    return target.with_name(f".wmv-{secrets.token_hex(8)}.tmp")


def seekable(source: BinaryIO, limit_bytes: int) -> BinaryIO:
    """`source` itself if it can seek, else its bytes in memory, at most `limit_bytes`."""
    if source.seekable():
        return source
    data = source.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise InputError(f"more than {limit_bytes} bytes came through the pipe")
    return io.BytesIO(data)


@contextmanager
def translated(name: str | Path) -> Iterator[None]:
    """Turn the system's errors into ours, one line that names the file."""
    try:
        yield
    except BrokenPipeError:  # nobody reads any more: the command line ends quietly
        raise
    except OSError as error:
        raise InputError(f"{name}: {error.strerror or error}") from error


def _standard_output() -> BinaryIO:
    if sys.stdout.isatty():
        raise UsageFault("a terminal cannot show these bytes; redirect them or name a file with -o")
    return sys.stdout.buffer
