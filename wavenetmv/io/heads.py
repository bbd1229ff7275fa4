"""A look at the first bytes of a source that cannot go back."""

from __future__ import annotations

import io
from typing import BinaryIO


def with_head(source: BinaryIO, size: int, name: str = "standard input") -> tuple[bytes, BinaryIO]:
    """The first `size` bytes, fewer only at the end, and a source that still has all bytes.

    A file that can seek is left where it was. Of a pipe take only what is returned here: it
    gives bytes as soon as they come, and a thread may wait in it when the program ends;
    `name` is for messages about it.
    """
    if source.seekable():
        place = source.tell()
        head = source.read(size)
        source.seek(place)
        return head, source
    raw: BinaryIO | io.RawIOBase = source
    head = b""
    if isinstance(source, io.BufferedReader):
        # Python cannot end while a thread waits inside the buffer of standard input, so the
        # buffer is emptied and then left alone.
        head = source.peek() if size else b""
        source.read(len(head))
        raw = source.raw
    while len(head) < size and (chunk := raw.read(size - len(head))):
        head += chunk
    return head[:size], io.BufferedReader(_Replayed(head, raw, name))


class _Replayed(io.RawIOBase):
    """`head` once more, then the rest of `source`."""

    def __init__(self, head: bytes, source: BinaryIO | io.RawIOBase, name: str) -> None:
        self.name = name
        self._head = head
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, into: memoryview) -> int:  # type: ignore[override]
        chunk = self._head[: len(into)] or self._source.read(len(into)) or b""
        self._head = self._head[len(chunk) :]
        into[: len(chunk)] = chunk
        return len(chunk)
