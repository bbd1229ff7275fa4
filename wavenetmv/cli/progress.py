"""A progress bar on stderr: only on a terminal, only for work longer than a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DELAY_S = 1.0


@contextmanager
def progress(total: int, time_left: bool = False) -> Iterator[Callable[[str], None]]:
    """Yield a function to call with each item's name before the item is worked on.

    time_left  show an estimate of it, for items that take about the same time each
    """
    if not sys.stderr.isatty():
        yield lambda name: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        *([TextColumn("left"), TimeRemainingColumn()] if time_left else []),
        console=Console(stderr=True),
        transient=True,
        # With stdout in a file or a pipe, rich would divert it to the terminal.
        redirect_stdout=sys.stdout.isatty(),
    )
    # One item has no measurable middle, so its bar only shows that work goes on.
    task = bar.add_task("", total=total if total > 1 else None)
    begun = 0

    def step(name: str) -> None:
        nonlocal begun
        bar.update(task, description=name, completed=begun)
        begun += 1

    timer = threading.Timer(DELAY_S, bar.start)
    timer.start()
    try:
        yield step
    finally:
        timer.cancel()
        timer.join()  # it may be starting the bar right now
        bar.stop()
