"""A progress bar on stderr: only on a terminal, only for work longer than a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, Task, TaskID

DELAY_S = 1.0


class Steps:
    """What the work tells: each item before it is worked on, and its frames if it has some."""

    def __call__(self, name: str) -> None:
        """The next item begins."""

    def frames(self, done: int, total: int | None) -> None:
        """So many frames of the item are done, of `total` where that is known."""


@contextmanager
def progress(total: int, time_left: bool = False) -> Iterator[Steps]:
    """Yield what to call with each item's name before the item is worked on.

    time_left  show an estimate of it, for items that take about the same time each
    """
    if not sys.stderr.isatty():
        yield Steps()
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(
        *_columns(time_left),
        console=Console(stderr=True),
        transient=True,
        # With stdout in a file or a pipe, rich would divert it to the terminal.
        redirect_stdout=sys.stdout.isatty(),
    )
    steps = _Shown(bar, total)
    timer = threading.Timer(DELAY_S, bar.start)
    timer.start()
    try:
        yield steps
    finally:
        timer.cancel()
        timer.join()  # it may be starting the bar right now
        bar.stop()


class _Shown(Steps):
    def __init__(self, bar: Progress, total: int) -> None:
        self._bar = bar
        # One item has no measurable middle, so its bar only shows that work goes on.
        self._items = bar.add_task("", total=total if total > 1 else None)
        self._frames: TaskID | None = None
        self._begun = 0

    def __call__(self, name: str) -> None:
        self._bar.update(self._items, description=name, completed=self._begun)
        self._begun += 1
        if self._frames is not None:
            self._bar.remove_task(self._frames)
            self._frames = None

    def frames(self, done: int, total: int | None) -> None:
        if self._frames is None:
            self._frames = self._bar.add_task("frames", total=total, pace=True)
        # A file may have more frames than it says.
        known = total if total and done <= total else None
        self._bar.update(self._frames, completed=done, total=known)


def _columns(time_left: bool) -> list[ProgressColumn]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    class Pace(ProgressColumn):
        """Frames per second and the time left, of tasks that have frames."""

        def render(self, task: Task) -> str:
            return _pace(task) if task.fields.get("pace") else ""

    return [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        Pace(),
        *([TextColumn("left"), TimeRemainingColumn()] if time_left else []),
    ]


def _pace(task: Task) -> str:
    """ "4.2 fps, 0:01:30 left", as far as it is known."""
    if not task.speed:
        return ""
    left_s = task.time_remaining
    left = "" if left_s is None else f", {timedelta(seconds=int(left_s))} left"
    return f"{task.speed:.1f} fps{left}"
