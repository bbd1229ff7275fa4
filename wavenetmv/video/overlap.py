"""Writing in a thread of its own, so that coding need not wait for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL_S = 0.1  # how long a full queue may hide that the thread has failed
_PATIENCE_S = 2.0  # for a write that a failure elsewhere made pointless


class WriteBehind(Generic[T]):
    """Hands items to `write` in order, in a thread, at most `depth` of them waiting.

        with WriteBehind(sink.write, depth=4) as behind:
            behind.put(item)

    Leaving the block waits until all are written. What `write` raises comes out of `put` or
    of the block's end. If the block itself fails, what waits is dropped.
    """

    def __init__(self, write: Callable[[T], object], depth: int) -> None:
        self._write = write
        self._queue: queue.Queue[tuple[T] | None] = queue.Queue(depth)
        self._dropping = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="writing behind")

    def __enter__(self) -> WriteBehind[T]:
        self._thread.start()
        return self

    def put(self, item: T) -> None:
        """Take the next item; waits while the queue is full."""
        self._put((item,))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._put(None)
            self._thread.join()
            if self._error is not None:
                raise self._error
        else:
            self._dropping.set()
            with suppress(queue.Full):
                self._queue.put_nowait(None)
            self._thread.join(_PATIENCE_S)

    def _put(self, item: tuple[T] | None) -> None:
        while True:
            if self._error is not None:
                raise self._error
            with suppress(queue.Full):
                self._queue.put(item, timeout=_POLL_S)
                return

    def _run(self) -> None:
        try:
            while (item := self._queue.get()) is not None and not self._dropping.is_set():
                self._write(item[0])
        except BaseException as error:
            self._error = error
