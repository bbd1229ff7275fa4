"""Which frames of a video are wanted: by number or by time, half-open like Python's slices."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TypeVar

from wavenetmv.bitstream import FrameIndex, LocatedFrame, PacketKind
from wavenetmv.errors import UsageFault

T = TypeVar("T")

_MOST_BASIS = 64  # frames that wait to be of use: groups of pictures may be longer


@dataclass(frozen=True, slots=True)
class Selection:
    """Frames from number `first` and `start_s` seconds on, before `stop` and `end_s`.

    Times are those of the frames themselves. None: to the end. UsageFault if it is empty.
    """

    first: int = 0
    stop: int | None = None
    start_s: Fraction = Fraction(0)
    end_s: Fraction | None = None

    def __post_init__(self) -> None:
        if self.first < 0 or self.start_s < 0:
            raise UsageFault("frames and times are counted from the start: none is below 0")
        if self.stop is not None and self.stop <= self.first:
            raise UsageFault(f"no frame is in {self.first}:{self.stop}")
        if self.end_s is not None and self.end_s <= self.start_s:
            raise UsageFault(f"no time is in {float(self.start_s):g}:{float(self.end_s):g}")

    def after(self, number: int, time_s: Fraction) -> bool:
        """Whether this frame, and so all that follow, come after the selection."""
        late = self.end_s is not None and time_s >= self.end_s
        return late or (self.stop is not None and number >= self.stop)

    def before(self, number: int, time_s: Fraction) -> bool:
        """Whether this frame comes before the selection."""
        return number < self.first or time_s < self.start_s

    def resolve(self, index: FrameIndex, tick: Fraction) -> range:
        """The numbers of its frames in a stream with this index. UsageFault if there are none."""
        first = max(self.first, bisect_left(index.times, ceil(self.start_s / tick)))
        stop = len(index) if self.stop is None else min(self.stop, len(index))
        if self.end_s is not None:
            stop = min(stop, bisect_left(index.times, ceil(self.end_s / tick)))
        if first >= stop:
            end_s = float(index.times[-1] * tick)
            raise UsageFault(
                f"no frame is there: the video has frames 0 to {len(index) - 1}, "
                f"the last at {end_s:.6g} s"
            )
        return range(first, stop)


ALL = Selection()


def parse_frames(text: str) -> Selection:
    """Of "100:200", "100:" or ":200". UsageFault for anything else."""
    first, stop = _two("frames", text, int)
    return Selection(first=first or 0, stop=stop)


def parse_times(text: str) -> Selection:
    """Of seconds as in "1.5:20", "1.5:" or ":20". UsageFault for anything else."""
    start_s, end_s = _two("time", text, Fraction)
    return Selection(start_s=start_s or Fraction(0), end_s=end_s)


def playable(
    located: Iterable[LocatedFrame], selection: Selection, tick: Fraction
) -> Iterator[tuple[LocatedFrame, bool]]:
    """The frames of `selection`, True, and before them those that they build on, False.

    Stops at the first frame after the selection, without asking for more.
    """
    basis: list[LocatedFrame] = []  # from the last intra frame on
    started = False
    for each in located:
        time_s = each.frame.time * tick
        if selection.after(each.number, time_s):
            return
        if not started and selection.before(each.number, time_s):
            if each.frame.kind is PacketKind.INTRA:
                basis.clear()
            basis.append(each)
            continue
        if not started and each.frame.kind is not PacketKind.INTRA:
            yield from ((earlier, False) for earlier in basis)
        started = True
        yield each, True


def thinned(
    located: Iterable[tuple[LocatedFrame, bool]], every: int
) -> Iterator[tuple[LocatedFrame, bool]]:
    """Of what `playable` gives, only frames whose number is a multiple of `every` are wanted.

    Others come, False, only where such a frame builds on them.
    """
    basis: list[LocatedFrame] = []  # not wanted themselves, from the last intra frame on
    for each, wanted in located:
        if each.frame.kind is PacketKind.INTRA:
            basis.clear()
        wanted = wanted and each.number % every == 0
        if not wanted:
            basis.append(each)
        if wanted or len(basis) == _MOST_BASIS:
            yield from ((earlier, False) for earlier in basis)
            basis.clear()
        if wanted:
            yield each, True


def _two(name: str, text: str, parse: Callable[[str], T]) -> tuple[T | None, T | None]:
    parts = text.split(":")
    try:
        if len(parts) != 2:
            raise ValueError
        first, second = (parse(part) if part.strip() else None for part in parts)
    except (ValueError, ZeroDivisionError):
        raise UsageFault(f"{name} must be A:B, A: or :B, got {text!r}") from None
    return first, second
