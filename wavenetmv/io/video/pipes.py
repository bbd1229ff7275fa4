"""Feeding ffmpeg from a pipe, and taking frames from it ahead of the caller: two threads."""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import BinaryIO, Generic, TypeVar

from wavenetmv.io import sniff

T = TypeVar("T")

_CHUNK_BYTES = 1 << 16
_POLL_S = 0.1  # how long closing may wait for a thread whose queue is full


class Inlet:
    """The bytes of a pipe: `head` was looked at already, the rest is still to come."""

    def __init__(self, source: BinaryIO) -> None:
        """Raises OSError. What `source` still holds belongs to this object from now on."""
        self.read_bytes = 0
        self.error: OSError | None = None  # what reading the source came to
        self._source: BinaryIO | io.RawIOBase = source
        if isinstance(source, io.BufferedReader):
            # A thread that waits inside the buffer of standard input when Python exits
            # brings the interpreter down, so the buffer is emptied and then left alone.
            self.head = source.peek()
            source.read(len(self.head))
            self._source = source.raw
        else:
            self.head = source.read(sniff.HEAD_BYTES)

    def pour(self, sink: BinaryIO) -> None:
        """Copy everything to `sink` in a thread, then close it; ends when nobody reads."""
        threading.Thread(target=self._pour, args=(sink,), daemon=True, name="ffmpeg feed").start()

    def _pour(self, sink: BinaryIO) -> None:
        chunk: bytes | None = self.head
        # OSError: ffmpeg has ended. ValueError: its pipe, or the source, was closed.
        with suppress(OSError, ValueError):
            while chunk:
                self.read_bytes += len(chunk)
                sink.write(chunk)
                sink.flush()
                chunk = self._next_chunk()
        with suppress(OSError, ValueError):
            sink.close()

    def _next_chunk(self) -> bytes | None:
        try:
            return self._source.read(_CHUNK_BYTES)
        except OSError as error:
            self.error = error
            return None


class ReadAhead(Generic[T]):
    """Iterates `items` in a thread, at most `depth` of them ahead. An exception comes in turn."""

    def __init__(self, items: Iterable[T], depth: int) -> None:
        self._queue: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(depth)
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(items,), daemon=True, name="frames ahead"
        )
        self._thread.start()

    def __iter__(self) -> ReadAhead[T]:
        return self

    def __next__(self) -> T:
        got = None if self._closed.is_set() else self._queue.get()
        if isinstance(got, tuple):
            return got[0]
        self._closed.set()
        if got is None:
            raise StopIteration
        raise got

    def close(self, patience_s: float | None = None) -> None:
        """Stop; a thread that waits for `items` is waited for, at most `patience_s` seconds."""
        self._closed.set()
        self._thread.join(patience_s)
        with suppress(queue.Full):
            self._queue.put_nowait(None)  # for a caller that waits in another thread

    def _run(self, items: Iterable[T]) -> None:
        try:
            for item in items:
                if not self._put((item,)):
                    return
            self._put(None)
        except BaseException as error:
            self._put(error)

    def _put(self, item: tuple[T] | BaseException | None) -> bool:
        while not self._closed.is_set():
            with suppress(queue.Full):
                self._queue.put(item, timeout=_POLL_S)
                return True
        return False
