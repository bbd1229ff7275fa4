"""Try every item, report each, and end with the first failure's exit code."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import typer

from wavenetmv.cli.items import STDIO, Item
from wavenetmv.cli.progress import progress
from wavenetmv.cli.render import Reporter
from wavenetmv.errors import InputError, UsageFault, WmvError


def run(
    items: Sequence[Item],
    work: Callable[[Item], dict[str, Any]],
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Call `work` for each item; it returns the record to report, or raises WmvError."""
    to_stdout = any(item.target == STDIO for item in items)
    reporter = Reporter(as_json, quiet, on_stderr=to_stdout)
    exit_code = 0
    with progress(len(items)) as step:
        for item in items:
            step(item.source)
            try:
                reporter.done(_attempt(item, work))
            except WmvError as error:
                exit_code = exit_code or error.exit_code
                reporter.failed(item.source, error)
    reporter.summary()
    if exit_code:
        raise typer.Exit(exit_code)


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


def _attempt(item: Item, work: Callable[[Item], dict[str, Any]]) -> dict[str, Any]:
    if item.error is not None:
        raise item.error
    try:
        return work(item)
    except MemoryError as error:
        raise InputError("not enough memory for this picture") from error
