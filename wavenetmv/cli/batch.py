"""Try every item, report each, and end with the first failure's exit code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Protocol

import typer

from wavenetmv.cli.items import Item
from wavenetmv.cli.progress import progress
from wavenetmv.errors import InputError, UsageFault, WmvError


class ItemReporter(Protocol):
    """Tells the user of items as they finish."""

    def done(self, record: dict[str, Any]) -> None: ...

    def failed(self, source: str, error: WmvError) -> None: ...

    def summary(self) -> None: ...


# Takes how many frames of an item are done, and of how many, None where that is not known.
Frames = Callable[[int, "int | None"], None]
Work = Callable[[Item, Frames], dict[str, Any]]


def run(items: Sequence[Item], work: Work, reporter: ItemReporter) -> None:
    """Call `work` for each item; it returns the record to report, or raises WmvError."""
    exit_code = 0
    with progress(len(items)) as step:
        for item in items:
            step(item.source)
            try:
                reporter.done(_attempt(item, work, step.frames))
            except WmvError as error:
                exit_code = exit_code or error.exit_code
                reporter.failed(item.source, error)
    reporter.summary()
    if exit_code:
        raise typer.Exit(exit_code)


def nothing() -> AbstractContextManager[None]:
    """In place of a context that an option asks for, when it was not given."""
    return nullcontext()


def check_output(item: Item, force: bool) -> None:
    """Refuse before the work what would be refused after it."""
    from wavenetmv.io.files import check_target

    if not item.make_folder:
        check_target(item.target, force=force)
    elif os.path.isfile(item.target) and not force:
        raise UsageFault(f"{item.target} exists; --force overwrites it")


def make_folder(item: Item) -> None:
    """Create the output's folder, last, so that a failure leaves none behind."""
    if not item.make_folder:
        return
    folder = os.path.dirname(item.target)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from error


@contextmanager
def new_folder(item: Item) -> Iterator[None]:
    """Create the output's folder for a block that writes there; a failure leaves none behind."""
    made = []
    folder = os.path.dirname(os.path.abspath(item.target))
    while item.make_folder and not os.path.isdir(folder):
        made.append(folder)
        folder = os.path.dirname(folder)
    make_folder(item)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # what is not empty stays
            for each in made:
                os.rmdir(each)
        raise


def _attempt(item: Item, work: Work, frames: Frames) -> dict[str, Any]:
    if item.error is not None:
        raise item.error
    try:
        return work(item, frames)
    except MemoryError as error:
        raise InputError("not enough memory for this picture") from error
