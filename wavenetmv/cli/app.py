"""The `wmv` command; the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from wavenetmv import __version__
from wavenetmv.cli import render
from wavenetmv.cli.analyze import analyze
from wavenetmv.cli.bench import bench
from wavenetmv.cli.decode import decode
from wavenetmv.cli.encode import encode
from wavenetmv.cli.eval_rd import eval_rd
from wavenetmv.cli.info import info
from wavenetmv.cli.models import models
from wavenetmv.cli.train import train
from wavenetmv.errors import WmvError

_INTERRUPTED = 128 + signal.SIGINT


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except WmvError as error:
            render.error_line(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt as error:
            render.error_line(str(error) or "interrupted")
            raise typer.Exit(_INTERRUPTED) from None
        except BrokenPipeError:
            # The reader has what it wanted. Python would complain once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="Exit codes: 0 fine, 2 wrong usage, 3 a damaged or foreign stream, 4 weights missing"
    " or wrong, 130 interrupted, 1 anything else. With several inputs every one is tried and"
    " the code is that of the first failure.",
)
app.command()(encode)
app.command()(decode)
app.command()(analyze)
app.command()(info)
app.command()(models)
app.command()(train)
app.command("eval-rd")(eval_rd)
app.command()(bench)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wmv {__version__}")
        raise typer.Exit


@app.callback()
def wmv(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """A codec for pictures and videos that machines look at."""


def main() -> None:
    """Console entry point."""
    # File names need not be valid in the terminal's encoding; showing one must not fail.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # Ended politely, half-written files are removed as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    app()
