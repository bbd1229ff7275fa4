"""Where Pillow's errors, warnings and complaints end and ours begin."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from wavenetmv.errors import InputError, WmvError
from wavenetmv.io import sniff

# Pillow's pixel limit and Python's warning filters are global, so one reader at a time.
_LOCK = threading.Lock()
_TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


@contextmanager
def guarded(name: str, head: bytes, max_pixels: int) -> Iterator[list[str]]:
    """Read one picture inside this block; yields a list that gets Pillow's warnings.

    `name` is for messages, `head` the beginning of the file. Raises what `pillow_errors`
    does, for pictures above `max_pixels` too.
    """
    with (
        _LOCK,
        _pixel_limit(max_pixels),
        _warnings_as_notes() as notes,
        pillow_errors(name, head),
        _muted(head),
    ):
        yield notes


@contextmanager
def pillow_errors(name: str, head: bytes) -> Iterator[None]:
    """Pillow's plugins raise nearly anything on damaged input; all of it means InputError."""
    try:
        yield
    except WmvError:
        raise
    except UnidentifiedImageError as error:
        raise sniff.not_a_picture(name, head) from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{name}: more pixels than the limit allows") from error
    except MemoryError as error:
        raise InputError(f"{name}: not enough memory for this picture") from error
    except Exception as error:
        raise InputError(f"{name}: damaged or unsupported picture ({_one_line(error)})") from error


@contextmanager
def _pixel_limit(max_pixels: int) -> Iterator[None]:
    before = Image.MAX_IMAGE_PIXELS
    # Pillow warns above its limit and refuses above twice that; only the latter is wanted.
    Image.MAX_IMAGE_PIXELS = (max_pixels + 1) // 2
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@contextmanager
def _muted(head: bytes) -> Iterator[None]:
    """Keep libtiff, which writes to file descriptor 2 past Python, from doing so."""
    if head[:4] not in _TIFF_STARTS:
        yield
        return
    try:
        before = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


@contextmanager
def _warnings_as_notes() -> Iterator[list[str]]:
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield notes
    notes += [_one_line(w.message) for w in caught if issubclass(w.category, UserWarning)]


def _one_line(message: object) -> str:
    return " ".join(str(message).split()) or type(message).__name__
