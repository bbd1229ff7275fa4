"""Pipes between programs, interrupts, memory, and ffmpeg gone whatever happened."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest

from tests import clips
from wavenetmv.errors import InputError
from wavenetmv.io.video import VideoReader, VideoWriter, ffmpeg
from wavenetmv.types import VideoFrame, VideoInfo

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are looked at in /proc")

COPY = """
import sys
from wavenetmv.io.video import VideoReader, VideoWriter
with VideoReader("-") as reader, VideoWriter("-", reader.info, format_name=sys.argv[1]) as writer:
    for frame in reader:
        writer.write(frame)
"""
WAIT = """
import sys
from wavenetmv.io.video import VideoReader, VideoWriter
with VideoReader(sys.argv[1]) as reader, VideoWriter(sys.argv[2], reader.info) as writer:
    for count, frame in enumerate(reader):
        writer.write(frame)
        print(count, flush=True)
        if count == 3:
            sys.stdin.read()
"""
COUNT = """
import sys
from wavenetmv.io.video import VideoReader
with VideoReader("-") as reader:
    for frame in reader:
        print(float(frame.time_s), flush=True)
"""
MEMORY = """
import resource, sys
from wavenetmv.io.video import VideoReader, VideoWriter
peaks = []
with VideoReader(sys.argv[1]) as reader, VideoWriter(sys.argv[2], reader.info) as writer:
    for count, frame in enumerate(reader):
        writer.write(frame)
        if count in (60, 399):
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(*peaks)
"""


@pytest.fixture
def y4m(tmp_path) -> Path:
    path = tmp_path / "a.y4m"
    clips.ffmpeg(*clips.pattern(seconds=1), "-pix_fmt", "yuv420p", path)
    return path


def children(pid: int | str = "self") -> set[int]:
    """Processes that a process has started and that have not been waited for."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(child) for task in tasks for child in task.read_text().split()}


def gone(processes: set[int], within_s: float = 5) -> bool:
    end = time.monotonic() + within_s
    while any(Path(f"/proc/{each}").exists() for each in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def start(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize("format_name", ["y4m", "mkv", "mp4"])
def test_from_pipe_to_pipe(format_name, y4m, tmp_path):
    process = start(COPY, format_name)
    out, complaints = process.communicate(y4m.read_bytes(), timeout=30)
    assert (process.returncode, complaints) == (0, b"")
    (tmp_path / "out").write_bytes(out)
    _, before, _ = clips.read(y4m)
    info, after, _ = clips.read(tmp_path / "out")
    assert [frame.time_s for frame in after] == [frame.time_s for frame in before]
    # Saturated edges suffer from 4:2:0 in MP4; the others have every pixel's chroma.
    allowed = {"y4m": 2, "mkv": 0, "mp4": 255}[format_name]
    assert clips.errors(after, [frame.pixels for frame in before]) <= allowed
    assert info.rate == 25


def test_standard_input_that_is_a_file(tmp_path):
    """Redirected from a file it can seek, so even an index at the end is found."""
    path = tmp_path / "a.mp4"
    clips.ffmpeg(*clips.pattern(seconds=0.2), *clips.H264, path)
    with path.open("rb") as handle:
        command = [sys.executable, "-c", COUNT]
        out = subprocess.run(command, stdin=handle, capture_output=True, check=True, timeout=30)
    assert out.stdout.split() == [b"0.0", b"0.04", b"0.08", b"0.12", b"0.16"]


def test_frames_come_as_they_are_sent(y4m):
    data = y4m.read_bytes()
    step = 6 + 64 * 48 * 3 // 2
    first = len(data) % step + step
    process = start(COUNT)
    assert process.stdin is not None
    assert process.stdout is not None
    for index in range(5):  # no frame is sent before the one before it has come out
        begin = first + (index - 1) * step if index else 0
        process.stdin.write(data[begin : first + index * step])
        process.stdin.flush()
        assert float(process.stdout.readline()) == pytest.approx(index / 25)
    process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize("piped", [False, True])
def test_leaving_early_ends_everything(piped, y4m):
    before = children()
    started = threading.active_count()
    with VideoReader(io.BytesIO(y4m.read_bytes()) if piped else y4m) as reader:
        running = children() - before
        assert running
        for _ in reader:
            break
    assert gone(running)
    assert list(reader) == []
    assert reader.notes == ()
    assert threading.active_count() <= started + piped  # a fed pipe may end a little later


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_exceptions_end_everything(error, y4m, tmp_path):
    before = children()
    running: set[int] = set()

    def fail() -> None:
        with VideoReader(y4m) as reader, VideoWriter(tmp_path / "b.mp4", reader.info) as writer:
            running.update(children() - before)
            for frame in reader:
                writer.write(frame)
                raise error

    with pytest.raises(error):
        fail()
    assert len(running) == 2
    assert gone(running)
    assert sorted(os.listdir(tmp_path)) == ["a.y4m"]


def test_a_failed_start_ends_everything(tmp_path):
    before = children()
    (tmp_path / "a.mp4").write_bytes(bytes(9999))
    with pytest.raises(InputError), VideoReader(tmp_path / "a.mp4"):
        pass
    assert children() == before


def test_interrupt(y4m, tmp_path):
    process = start(WAIT, y4m, tmp_path / "b.mp4")
    assert process.stdout is not None
    for expected in range(4):
        assert int(process.stdout.readline()) == expected
    running = children(process.pid)
    assert len(running) == 2
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert complaints.endswith(b"KeyboardInterrupt\n")
    assert gone(running)
    assert sorted(os.listdir(tmp_path)) == ["a.y4m"]


def test_interrupt_while_waiting_for_a_pipe(y4m):
    process = start(COUNT)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(y4m.read_bytes()[:20_000])
    process.stdin.flush()
    process.stdout.readline()
    running = children(process.pid)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)  # although nobody closes its standard input
    assert process.returncode == -signal.SIGINT
    assert gone(running)
    process.communicate()


def test_nobody_reads_any_more(y4m):
    process = start(COPY, "mkv")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, complaints = process.communicate(y4m.read_bytes(), timeout=30)
    assert process.returncode == 1
    assert b"BrokenPipeError: standard output: nobody reads any more" in complaints


def test_one_frame_after_another(y4m):
    """The reader stays a few frames ahead of its caller and no more."""
    data = io.BytesIO(y4m.read_bytes() + b"".join([y4m.read_bytes()[-4614:]] * 5000))
    size = len(data.getvalue())
    with VideoReader(data, read_ahead=2) as reader:
        next(iter(reader))
        time.sleep(0.3)
        assert data.tell() < size / 2  # the rest waits in the source


def test_memory_does_not_grow(tmp_path):
    path = tmp_path / "a.mp4"
    clips.ffmpeg(*clips.pattern("320x240", seconds=16), *clips.H264, path)
    process = start(MEMORY, path, tmp_path / "b.mkv")
    out, complaints = process.communicate(timeout=60)
    assert process.returncode == 0, complaints
    early, late = map(int, out.split())
    assert late - early < 4000  # kB; 340 frames are 78 MB


def test_no_ffmpeg(monkeypatch, tmp_path):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))
    ffmpeg.executable.cache_clear()
    try:
        with pytest.raises(InputError, match="none cannot be started: No such file"):
            clips.write(
                tmp_path / "a.mkv", [VideoFrame(clips.moving(1)[0], Fraction(0))], rate=Fraction(25)
            )
    finally:
        ffmpeg.executable.cache_clear()


def test_closing_twice(y4m):
    reader = VideoReader(y4m)
    with reader:
        reader.close()
    reader.close()
    info = VideoInfo(2, 2, Fraction(25))
    with pytest.raises(ValueError, match="inside a `with` block"):
        VideoWriter("x.mkv", info).write(VideoFrame(clips.moving(1, 2, 2)[0], Fraction(0)))
