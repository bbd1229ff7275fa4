"""What ffmpeg says on its log, line by line, at `-loglevel level+verbose`.

There is no ffprobe beside the ffmpeg we use. Sizes come with the frames; all else is in

    [info]   Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661),
        yuv420p(tv, bt709, progressive), 160x120 [SAR 1:1 DAR 4:3], ...
    [graph 0 input from stream 0:0 @ 0x7f] [verbose] w:160 h:120 pixfmt:yuv420p tb:1/12800
        fr:25/1 sar:1/1 csp:bt709 range:tv
    [transpose @ 0x7f] [verbose] w:160 h:120 dir:2 -> w:120 h:160 ...
    marker 512 1/12800

of which the last is written once a frame, before it, by `-stats_enc_pre`. Each of them is
one write of ffmpeg's or comes before its threads start, so those cannot mix them up.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from fractions import Fraction
from queue import Empty, SimpleQueue

_GRAPH = re.compile(
    r"^\[graph -?\d+ input from stream .* pixfmt:(\S+) tb:\S+ fr:(\d+/\d+) sar:(\d+/\d+)"
    r"(?: csp:(\S+) range:(\S+))?"
)
_STREAM = re.compile(r"^\[info\] +Stream #\d+:\d+.*?: (Video|Audio|Subtitle|Data): (\w+)(.*)")
_FORMAT = re.compile(r", \w+\((.*?)\)+, \d+x\d+")
_RATE = re.compile(r", (\d+(?:\.\d+)?) fps")
_DURATION = re.compile(r"^\[info\] +Duration: (\d+):(\d\d):(\d\d)\.(\d\d)")
_PROBLEM = re.compile(r"^(?:\[[^\]]* @ [^\]]*\] )*\[(?:error|fatal|panic)\] (.*)")
# Lines about what comes out, which is ours.
_OUTPUT_SIDE = re.compile(r"^\[(?:image2pipe|out#|vost#|aost#|vf#|enc:)")
# What ffmpeg adds when something has gone wrong already.
_EMPTY_WORDS = (
    *("Error opening input", "Error opening output", "Error parsing options", "Failed to set"),
    *("Task finished", "Terminating thread", "Error processing packet", "Conversion failed"),
    *("Cannot determine format", "Could not open encoder", "Error submitting", "Error while"),
    *("Error muxing", "Nothing was written", "Error sending", "Error during demuxing"),
)
_MAX_PROBLEMS = 50
_UNKNOWN_TIME = -(1 << 63)  # AV_NOPTS_VALUE


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of the input.

    labels  what is said of its pixels, such as "tv, bt709, progressive"
    rate    frames per second, an average and rounded
    """

    kind: str  # Video, Audio, Subtitle or Data
    codec: str
    labels: str
    rate: Fraction | None
    picture_only: bool  # the cover of a song


@dataclass(frozen=True, slots=True)
class Format:
    """Of the first frame, before any rotation; names are ffmpeg's."""

    pixel_format: str
    rate: Fraction | None
    pixel_aspect: Fraction
    matrix: str
    colour_range: str


class Log:
    """Collects what matters of a log; `feed` is called from ffmpeg's listening thread.

    `about_output`: problems with what ffmpeg writes matter too.
    """

    def __init__(self, *, about_output: bool = False) -> None:
        self.marker = secrets.token_hex(8)  # no text inside a file can imitate it
        self.streams: list[Stream] = []
        self.duration_s: Fraction | None = None
        self.format: Format | None = None
        self.transposed = False
        self.alpha_beside = False  # WebM keeps alpha in a stream of its own
        self._about_output = about_output
        self._problems: list[str] = []
        self._times: SimpleQueue[tuple[int | None, Fraction]] = SimpleQueue()
        self._time = re.compile(rf"{self.marker} (-?\d+) (\d+/\d+)$")
        self._in_input = True

    def feed(self, line: str) -> None:
        if found := self._time.search(line):
            ticks = int(found[1])
            time = None if ticks == _UNKNOWN_TIME else ticks
            self._times.put((time, Fraction(found[2])))
        elif found := _PROBLEM.match(line):
            ours = _OUTPUT_SIDE.match(line) and not self._about_output
            if not ours and len(self._problems) < _MAX_PROBLEMS:
                self._problems.append(found[1])
        elif self._in_input:
            self._input(line)
        elif line.startswith("[transpose @"):
            self.transposed = True
        elif self.format is None and (found := _GRAPH.match(line)):
            self.format = Format(
                found[1],
                _ratio(found[2]),
                _ratio(found[3]) or Fraction(1),
                found[4] or "unknown",
                found[5] or "unknown",
            )

    def next_time(self, timeout_s: float) -> tuple[int | None, Fraction] | None:
        """The next frame's time in units of a time base, and that in seconds; in order.

        Once the first is there, everything else is. None if none comes.
        """
        try:
            return self._times.get(timeout=timeout_s)
        except Empty:
            return None

    def problem(self) -> str | None:
        """ffmpeg's own words on what is wrong, those that say most; None if all is well."""
        for words in self._problems:
            if not words.startswith(_EMPTY_WORDS):
                return words
        return self._problems[0] if self._problems else None

    def of_kind(self, kind: str) -> list[Stream]:
        return [each for each in self.streams if each.kind == kind and not each.picture_only]

    def _input(self, line: str) -> None:
        if line.startswith("[info] Stream mapping"):
            self._in_input = False
        elif found := _STREAM.match(line):
            self.streams.append(_stream(*found.groups()))
        elif found := _DURATION.match(line):
            hours, minutes, seconds, hundredths = map(int, found.groups())
            whole = (hours * 60 + minutes) * 60 + seconds
            self.duration_s = Fraction(whole * 100 + hundredths, 100)
        elif "alpha_mode " in line and line.endswith(": 1"):
            self.alpha_beside = True


def _stream(kind: str, codec: str, rest: str) -> Stream:
    labels, rate = _FORMAT.search(rest), _RATE.search(rest)
    return Stream(
        kind,
        codec,
        labels[1] if labels else "",
        Fraction(rate[1]) or None if rate else None,
        "(attached pic)" in rest,
    )


def _ratio(text: str) -> Fraction | None:
    """Of "30000/1001"; None if either number is zero, which means unknown."""
    above, below = map(int, text.split("/"))
    return Fraction(above, below) if above and below else None
