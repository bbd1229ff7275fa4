"""Memory of `wmv encode` and `wmv decode` on a long video, over the time they take.

    python -m wavenetmv.bench.video_memory [CLIP] [--seconds 600] [--rate 25] [--size 1280x720]
        [--json OUT] [-- OPTIONS OF wmv encode]

A short clip, scaled CLIP or a made-up scene, is repeated to the wanted length; the rate says how
many frames that are a second.  Both commands run
in processes of their own; the resident memory of each, with the ffmpeg that it starts, is read
five times a second.  Flat means that the last quarter of the time needs no more than the second.
Reads /proc, so it runs on Linux alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

from wavenetmv.bench.clips import RATE, first_frames
from wavenetmv.bench.codecs.ffmpeg import ffmpeg_program
from wavenetmv.errors import InputError, WmvError
from wavenetmv.io.video import VideoWriter
from wavenetmv.types import VideoFrame, VideoInfo

_INTERVAL_S = 0.2
_SHORT = 50  # frames that are repeated


@dataclass(frozen=True)
class Usage:
    """Of one command: peak megabytes in all and in each quarter of its `seconds`."""

    command: str
    seconds: float
    peak_mb: float
    quarters_mb: tuple[float, ...]

    @property
    def growth(self) -> float:
        """The last quarter's peak over the second's: 1 is flat. The first holds the start."""
        return self.quarters_mb[3] / self.quarters_mb[1]


def make_video(
    target: Path, clip: Path | None, width: int, height: int, seconds: float, rate: Fraction = RATE
) -> None:
    """Write an MP4 of this size, length and frames per second. Raises InputError."""
    short = target.with_name(f"short-{target.name}")
    with VideoWriter(short, VideoInfo(width, height, rate), crf=23) as writer:
        for number, pixels in enumerate(first_frames(clip, _SHORT, height, width)):
            writer.write(VideoFrame(pixels, Fraction(number) / rate))
    done = subprocess.run(
        [ffmpeg_program(), "-v", "error", "-stream_loop", "-1", "-i", short,
         "-frames:v", str(round(seconds * rate)), "-c", "copy", "-y", target],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise InputError(f"{target}: cannot be written: {done.stderr.strip()}")


def watch(name: str, arguments: Sequence[str]) -> Usage:
    """Run `python -m wavenetmv ARGUMENTS` and read its memory until it ends.

    Raises InputError where there is no /proc and when the command fails.
    """
    if not Path("/proc/self/statm").exists():
        raise InputError("no /proc here to read memory from")
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "wavenetmv", *arguments])
    samples = []
    while process.poll() is None:
        samples.append(sum(map(_resident_mb, _family(process.pid))))
        time.sleep(_INTERVAL_S)
    if process.returncode:
        raise InputError(f"wmv {name} failed with status {process.returncode}")
    step = -(-len(samples) // 4)
    # A command that ends at once has fewer samples than quarters; the last then stands for them.
    quarters = tuple(max(samples[k * step : (k + 1) * step] or samples[-1:]) for k in range(4))
    return Usage(name, time.perf_counter() - started, max(samples), quarters)


def _family(pid: int) -> Iterable[int]:
    """The process and its children of now."""
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))
    except OSError:  # it has ended
        return


def _resident_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=Fraction, default=RATE)
    parser.add_argument("--size", default="1280x720", metavar="WxH")
    parser.add_argument("--json", type=Path)
    given = sys.argv[1:]
    cut = given.index("--") if "--" in given else len(given)
    arguments, options = parser.parse_args(given[:cut]), given[cut + 1 :]
    width, height = map(int, arguments.size.split("x"))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        source, stream, target = (str(Path(folder, n)) for n in ("a.mp4", "a.wmv", "b.mp4"))
        try:
            make_video(
                Path(source), arguments.clip, width, height, arguments.seconds, arguments.rate
            )
            for name, more in (
                ("encode", [source, "-o", stream, *options]),
                ("decode", [stream, "-o", target]),
            ):
                usage = watch(name, [name, "--quiet", *more])
                quarters = ", ".join(f"{each:.0f}" for each in usage.quarters_mb)
                print(
                    f"{name}: peak {usage.peak_mb:.0f} MB, by quarters {quarters} MB, "
                    f"growth {usage.growth:.3f}, {usage.seconds:.1f} s",
                    flush=True,
                )
                found.append({**asdict(usage), "growth": usage.growth})
        except WmvError as error:
            sys.exit(f"error: {error}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
