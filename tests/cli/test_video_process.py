"""`wmv` with videos in a process of its own: pipes as they fill, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest

from tests import clips
from tests.vectors.regenerate import VECTORS
from wavenetmv import bitstream

# The weights in the package are larger than the frames here deserve.
ENCODE = """
import sys
from pathlib import Path
from wavenetmv import codec
from wavenetmv.cli.app import main
from wavenetmv.models.registry import read_info
weights = read_info(Path(sys.argv.pop(1)))
codec.default_weights = lambda: weights
main()
"""
FRAMES = 30
SIZE = (64, 48)


@pytest.fixture(scope="module")
def y4m():
    source = clips.pattern(f"{SIZE[0]}x{SIZE[1]}", 25, FRAMES / 25)
    return clips.ffmpeg(*source, "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-")


@contextmanager
def started(*arguments, **options):
    tiny = next(VECTORS.glob("tiny-*.safetensors"))
    command = [sys.executable, "-c", ENCODE, str(tiny), *map(str, arguments)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError):
                pipe.close()


def feed(process, data, frames):
    """The header and the first frames of a y4m."""
    frame_bytes = len(b"FRAME\n") + SIZE[0] * SIZE[1] * 3 // 2
    stop = data.index(b"FRAME") + frames * frame_bytes
    process.stdin.write(data[:stop])
    process.stdin.flush()
    return data[stop:]


class Reading:
    """The frames that have come out of a pipe so far, waiting for each."""

    def __init__(self, pipe):
        self.frames = iter(bitstream.VideoStreamReader(pipe))

    def take(self, count):
        return [next(self.frames).number for _ in range(count)]


def test_packets_come_out_while_frames_still_go_in(y4m):
    with started("encode", "-") as process:
        rest = feed(process, y4m, 8)
        # ffmpeg holds a frame or two back, we hold none.
        assert Reading(process.stdout).take(5) == [0, 1, 2, 3, 4]
        process.stdout.close()  # nobody reads any more
        with suppress(BrokenPipeError):
            process.stdin.write(rest)
            process.stdin.close()
        assert process.wait(30) == 1
        assert process.stderr.read() == b""


def test_frames_come_out_of_decode_while_packets_still_go_in(y4m, wmv):
    stream = wmv("encode", "-", stdin=y4m).raw
    packets = bitstream.inspect(stream).packets
    with started("decode", "-", "-o", "-") as process:
        process.stdin.write(stream[: packets[12].offset])
        process.stdin.flush()
        header = process.stdout.readline()
        assert header.startswith(b"YUV4MPEG2 W64 H48 F25:1")
        frame_bytes = len(b"FRAME\n") + SIZE[0] * SIZE[1] * 3
        first = process.stdout.read(4 * frame_bytes)
        assert first.startswith(b"FRAME\n")
        process.stdin.write(stream[packets[12].offset :])
        process.stdin.close()
        rest = process.stdout.read()
        assert len(first) + len(rest) == FRAMES * frame_bytes
        assert process.wait(30) == 0


def test_ctrl_c_leaves_a_whole_stream(y4m, tmp_path):
    target = tmp_path / "a.wmv"
    with started("encode", "-", "-o", target) as process:
        feed(process, y4m, 12)
        wait_for_bytes(tmp_path)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        error = process.stderr.read().decode()
    info = bitstream.inspect(target.read_bytes())
    assert info.ok
    frames = info.video.frames
    assert 1 < frames <= 12
    assert error == f"wmv: interrupted; {target} is whole and ends after {frames} frames\n"
    assert os.listdir(tmp_path) == ["a.wmv"]


def wait_for_bytes(folder):
    """Until some frames are in the temporary file."""
    for _ in range(600):
        sizes = [path.stat().st_size for path in folder.iterdir()]
        if sum(sizes) > 1000:
            return
        time.sleep(0.05)
    raise AssertionError("no frame was written within 30 s")
