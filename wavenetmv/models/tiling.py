"""Large pictures in overlapping tiles: what each tile yields, and what it sees for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """One tile along one side: it yields start..stop and sees seen_start..seen_stop."""

    start: int
    stop: int
    seen_start: int
    seen_stop: int

    @property
    def seen(self) -> slice:
        return slice(self.seen_start, self.seen_stop)

    @property
    def yielded(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def inner(self) -> slice:
        """What it yields, in what it sees."""
        return slice(self.start - self.seen_start, self.stop - self.seen_start)


def tiles(height: int, width: int, side: int, halo: int) -> Iterator[tuple[Span, Span]]:
    """Rows and columns of tiles that yield `side` x `side` and see `halo` more all round, within
    height x width."""
    for rows in _spans(height, side, halo):
        for columns in _spans(width, side, halo):
            yield rows, columns


def _spans(size: int, side: int, halo: int) -> Iterator[Span]:
    for start in range(0, size, side):
        stop = min(start + side, size)
        yield Span(start, stop, max(0, start - halo), min(size, stop + halo))
