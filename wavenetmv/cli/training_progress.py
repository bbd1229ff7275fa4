"""What `wmv train` shows on stderr while it runs."""

from __future__ import annotations

import math
import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_EVERY = 500  # steps between lines where there is no terminal


class TrainingProgress:
    """A bar with the latest figures on a terminal, an occasional line elsewhere."""

    def __init__(self, minutes: float | None, steps: int | None, quiet: bool) -> None:
        self._total = minutes or float(steps or 1)
        self._by_minutes = minutes is not None
        self._quiet = quiet
        self._done = 0.0
        self._stage = ""
        self._stage_done = 0.0
        console = Console(stderr=True)
        self._live = console.is_terminal and not quiet
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"), console=console, disable=not self._live,
        )  # fmt: skip
        self._task = self._progress.add_task("decoding pictures", total=None, figures="")

    def __enter__(self) -> TrainingProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def decoded(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)

    def trained(self, stage: str, row: dict[str, float]) -> None:
        """One report of the trainer: figures of a stage, or a roll-back."""
        if "rollback" in row:
            self._say(
                f"stage {stage}, step {row['step']:.0f}: a loss was not a number; "
                f"back to the last good state ({row['rollback']:.0f} times so far)"
            )
            return
        if stage != self._stage:
            self._stage, self._done = stage, self._done + self._stage_done
        self._stage_done = row["minutes"] if self._by_minutes else row["step"]
        measures = [f"loss {row['loss']:.4f}", f"{row['y_bpp'] + row['z_bpp']:.3f} bpp"]
        for key, text in (("psnr", "{:.2f} dB"), ("feature_error", "feature error {:.3f}")):
            if not math.isnan(row[key]):
                measures.append(text.format(row[key]))
        figures = "  ".join([*measures, f"{row['images_per_s']:.1f} images/s"])
        self._progress.update(
            self._task, description=f"stage {stage}", total=self._total,
            completed=self._done + self._stage_done, figures=figures,
        )  # fmt: skip
        if not self._live and row["step"] % _LINE_EVERY == 0:
            self._say(f"stage {stage}, step {row['step']:.0f}, {row['minutes']:.1f} min: {figures}")

    def _say(self, line: str) -> None:
        if self._quiet:
            return
        if self._live:
            self._progress.console.print(line)
        else:
            print(line, file=sys.stderr, flush=True)
