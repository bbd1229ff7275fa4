"""Records, tables and errors as lines on the terminal or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import typer

from wavenetmv.errors import WmvError

_TABLE_WIDTH = 500  # characters


def error_line(message: str) -> None:
    """One line on stderr, whatever the message contains."""
    typer.secho(f"wmv: {' '.join(message.split())}", err=True, fg="red")


def item_error(source: str, error: WmvError) -> str:
    """One line on stderr that names the input; returns its text."""
    message = str(error)
    name = "standard input" if source == "-" else source
    if name not in message:
        message = f"{name}: {message}"
    error_line(message)
    return message


@dataclass
class Reporter:
    """Reports on files that became files. `on_stderr`: stdout carries the output itself."""

    as_json: bool
    quiet: bool
    on_stderr: bool
    _done: int = field(default=0, init=False)
    _failed: int = field(default=0, init=False)
    _bytes: list[int] = field(default_factory=lambda: [0, 0], init=False)

    def done(self, record: dict[str, Any]) -> None:
        self._done += 1
        self._bytes[0] += record["input_bytes"] or 0
        self._bytes[1] += record["bytes"] or 0
        if self.as_json:
            self._say(json.dumps(record))
        elif not self.quiet:
            self._say(item_line(record))
            for note in record["notes"]:
                self._say(f"  note: {note}")

    def failed(self, source: str, error: WmvError) -> None:
        self._failed += 1
        message = item_error(source, error)
        if self.as_json:
            record = {"input": source, "error": message, "exit_code": error.exit_code}
            self._say(json.dumps(record))

    def summary(self) -> None:
        total = self._done + self._failed
        if total < 2 or self.quiet or self.as_json:
            return
        failed = f", {self._failed} failed" if self._failed else ""
        before, after = (size_text(count) for count in self._bytes)
        self._say(f"{self._done} of {total} files done{failed}; {before} to {after}")

    def _say(self, line: str) -> None:
        typer.echo(line, err=self.on_stderr)


def item_line(record: dict[str, Any]) -> str:
    """photo.jpg -> photo.wmv: 768x512, 31.2 kB, 0.635 bpp, 13.2:1, lambda 512, 0.21 s"""
    facts = [f"{record['width']}x{record['height']}"]
    if "frames" in record:
        facts.append("1 frame" if record["frames"] == 1 else f"{record['frames']} frames")
    if record["bytes"] is not None:
        facts.append(size_text(record["bytes"]))
    if "bpp" in record:
        facts.append(f"{record['bpp']:.3f} bpp")
    if record.get("ratio"):
        facts.append(f"{record['ratio']:.1f}:1")
    if "lambda" in record:
        facts.append(f"lambda {record['lambda']:.4g}")
    facts.append(f"{record['seconds']:.2f} s")
    if "frames" in record:
        facts.append(f"{record['frames'] / max(record['seconds'], 1e-3):.1f} fps")
    return f"{record['input']} -> {record['output']}: {', '.join(facts)}"


def size_text(count: int) -> str:
    """Decimal units, as file managers and bpp arithmetic use them."""
    if count < 1000:
        return f"{count} bytes"
    value, unit = (count / 1e3, "kB") if count < 1e6 else (count / 1e6, "MB")
    return f"{value:.1f} {unit}"


def facts(rows: Sequence[tuple[str, str]]) -> None:
    """Names and values, one pair a line, aligned."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(f"{name:<{width}}  {value}")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table as wide as it needs to be; numbers belong to the right."""
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for position, name in enumerate(columns):
        numeric = all(row[position].replace(",", "").isdecimal() for row in rows)
        grid.add_column(name, justify="right" if numeric and rows else "left", no_wrap=True)
    for row in rows:
        grid.add_row(*row)
    # Cut columns would hide hashes and paths, so lines may run on past the terminal.
    console = Console(markup=False, highlight=False, width=_TABLE_WIDTH)
    console.print(grid, soft_wrap=True)
