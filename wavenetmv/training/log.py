"""What a run leaves behind besides its checkpoint: a CSV table and TensorBoard events."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

FIELDS = (
    *("step", "minutes", "lr", "loss", "y_bpp", "z_bpp", "psnr", "feature_error"),
    "images_per_s",
)


class RunLog:
    """Appends one row per call to `log.csv`, and scalars to TensorBoard if it is installed.

    NaN means that a stage has no such measure: left empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._events: Any = None

    def add(self, row: dict[str, float]) -> None:
        """`row` has exactly FIELDS."""
        path = self.folder / "log.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as sink:
            writer = csv.DictWriter(sink, FIELDS)
            if fresh:
                writer.writeheader()
            known = {key: value for key, value in row.items() if not math.isnan(value)}
            writer.writerow({key: f"{value:.6g}" for key, value in known.items()})
        if (events := self._writer()) is not None:
            for key, value in known.items():
                events.add_scalar(key, value, int(row["step"]))

    def close(self) -> None:
        if self._events:
            self._events.close()
            self._events = None

    def _writer(self) -> Any:
        if self._events is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:  # extra `train`; the CSV holds the same numbers
                self._events = False
            else:
                self._events = SummaryWriter(str(self.folder))
        return self._events or None
