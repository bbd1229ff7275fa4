"""The installed `wmv` in a process of its own: what only shows there."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from array import array
from pathlib import Path
from typing import IO

import pytest

_SCRIPT = Path(sys.executable).with_name("wmv")
# An uninstalled working copy has no script yet.
WMV = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "wavenetmv"]


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [*WMV, *(str(each) for each in arguments)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, **options)


def test_version_help_and_usage():
    assert run("--version").stdout == b"wmv 0.1.0\n"
    assert b"encode" in run("--help").stdout
    assert run("--no-such-option").returncode == 2
    assert run("no-such-command").returncode == 2


def test_errors_are_one_line_without_traceback(tmp_path):
    bad = tmp_path / "a b.png"
    bad.write_bytes(b"text")
    result = run("encode", bad)
    assert result.returncode == 1
    assert result.stdout == b""
    (line,) = result.stderr.splitlines()
    assert line.startswith(b"wmv: ")


def test_names_that_are_not_utf8(tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    Path(os.fsdecode(name)).write_bytes(b"text")
    result = run("encode", os.fsdecode(name), env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 1
    assert b"Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_reader_that_stops_early(tmp_path):
    source = Path(__file__).parent.parent / "vectors" / "picture_full.wmv"
    many = [str(source)] * 400
    with subprocess.Popen(
        [*WMV, "info", *many], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(30) == 1
    assert errors == b""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(number, code, tmp_path):
    with subprocess.Popen(
        [*WMV, "encode", "-", "-o", str(tmp_path / "a.wmv")],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        # More than a pipe holds: once all is written, the command is reading.
        process.stdin.write(b"\x89PNG" + bytes(1 << 20))
        process.stdin.flush()
        _wait_until_empty(process.stdin)
        process.send_signal(number)
        assert process.wait(30) == code
        assert b"Traceback" not in process.stderr.read()
    assert os.listdir(tmp_path) == []


def _wait_until_empty(pipe: IO[bytes]) -> None:
    """Until the other side has read all of it, and waits for more."""
    left = array("i", [1])
    while left[0]:
        time.sleep(0.2)
        fcntl.ioctl(pipe, termios.FIONREAD, left)


PROGRESS = """
import sys, time
from wavenetmv.cli import progress
progress.DELAY_S = {delay}
with progress.progress(3) as step:
    for name in ("first", "second", "third"):
        step(name)
        time.sleep(0.15)
        print("said", name)
"""


def on_a_terminal(delay: float, program: str = PROGRESS) -> tuple[bytes, bytes]:
    """What the bar's process writes to stdout, a pipe, and to stderr, a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program.format(delay=delay)], stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    out, _ = process.communicate(timeout=30)
    return out, shown


def test_progress_shows_on_a_terminal_after_a_while():
    out, shown = on_a_terminal(delay=0.05)
    assert out.split() == b"said first said second said third".split()
    assert b"second" in shown
    assert b"/3" in shown
    out, shown = on_a_terminal(delay=30)
    assert out.split() == b"said first said second said third".split()
    assert shown == b""


def test_no_progress_without_a_terminal():
    result = subprocess.run(
        [sys.executable, "-c", PROGRESS.format(delay=0)],
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert result.stderr == b""


FRAMES_PROGRESS = """
import time
from wavenetmv.cli import progress
progress.DELAY_S = 0.05
with progress.progress(2) as step:
    step("first.mp4")
    for done in range(1, 9):
        step.frames(done, {total})
        time.sleep(0.1)
    time.sleep(1)  # drawn ten times a second, when the machine has time
    step("second.png")
"""


@pytest.mark.parametrize("total", [8, None])
def test_progress_of_frames(total):
    _, shown = on_a_terminal(delay=0, program=FRAMES_PROGRESS.format(total=total))
    assert b"first.mp4" in shown
    assert b"fps" in shown
    assert (b"8/8" in shown) == (total == 8)
    assert (b" left" in shown) == (total == 8)
