"""The time stamps of all frames of a file, from its packets: nothing is decoded."""

from __future__ import annotations

import subprocess
from array import array
from dataclasses import dataclass
from fractions import Fraction

from wavenetmv.io.video.ffmpeg import Ffmpeg
from wavenetmv.io.video.sources import Input

_DISCARDED = 0x4  # AV_PKT_FLAG_DISCARD: an edit list hides the frame
_UNKNOWN = -(1 << 63)  # AV_NOPTS_VALUE
_MAX_DENOMINATOR = 100_000  # of a rate that had to be computed


@dataclass(frozen=True, slots=True)
class Timing:
    """rate is in frames per second, the average if `variable`."""

    frame_count: int
    rate: Fraction
    variable: bool
    duration_s: Fraction


class Scan:
    """The times of the packets of the first video stream, to its end or its damage.

    Reads the whole file once; 16 bytes of memory a frame.
    """

    def __init__(self, source: Input) -> None:
        self._shown, self._decoded = array("q"), array("q")
        self._last, self._last_duration = _UNKNOWN, 0
        self._time_base = Fraction(1)
        arguments = (*source.arguments, "-map", "0:V:0", "-c", "copy", "-f", "framecrc", "pipe:1")
        with Ffmpeg(
            arguments, on_line=_ignore, stdin=source.stdin(), stdout=subprocess.PIPE
        ) as process:
            for line in process.stdout:
                self._read(line)
        unstated = _UNKNOWN in self._shown
        # Packets come in coding order. Some containers leave out most presentation times;
        # decoding times have the same distances where frames have even ones.
        self._times = array("q", sorted(self._decoded if unstated else self._shown))

    def timing(self, declared_rate: Fraction) -> Timing | None:
        """None if there are no times; `declared_rate` is taken where they agree with it."""
        times, tick = self._times, self._time_base
        if not times or times[0] == _UNKNOWN:
            return None
        span = (times[-1] - times[0]) * tick
        measured = _nearby((len(times) - 1) / span) if span else declared_rate
        for rate in (declared_rate, measured):
            if _even(times, tick, rate):
                return Timing(len(times), rate, False, len(times) / rate)
        duration_s = span + self._last_duration * tick or len(times) / declared_rate
        return Timing(len(times), _nearby(len(times) / duration_s), True, duration_s)

    def _read(self, line: bytes) -> None:
        fields = line.split(b",")
        if line.startswith(b"#tb 0:"):
            self._time_base = Fraction(line.split()[-1].decode())
        elif len(fields) >= 6 and not _hidden(fields):
            decoding_time, time, duration = map(int, fields[1:4])
            if time >= self._last:
                self._last, self._last_duration = time, duration
            self._shown.append(time)
            self._decoded.append(decoding_time)


def _nearby(rate: Fraction) -> Fraction:
    return rate.limit_denominator(_MAX_DENOMINATOR) or rate


def _ignore(_: str) -> None:
    """The log of a scan: decoding says the same, and says when."""


def _hidden(fields: list[bytes]) -> bool:
    flags = [field.strip()[2:] for field in fields[6:] if field.strip().startswith(b"F=")]
    return bool(flags) and bool(int(flags[0], 16) & _DISCARDED)


def _even(times: array[int], time_base: Fraction, rate: Fraction) -> bool:
    """Whether all frames are where `rate` puts them, to within one tick of the time base."""
    ticks = 1 / (rate * time_base)  # per frame
    above, below = ticks.numerator, ticks.denominator
    first = times[0]
    return all(
        abs((time - first) * below - index * above) <= below for index, time in enumerate(times)
    )
