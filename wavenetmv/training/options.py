"""What `wmv train` was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wavenetmv.types import Profile


@dataclass(frozen=True)
class RunOptions:
    """What a run is asked for, as `wmv train` takes them; one of `minutes` and `steps` is None."""

    data: Sequence[Path]
    out: Path
    cache: Path | None = None  # decoded pictures; None is a folder in `out`
    stage: str = "all"
    task: str = "detect"  # whose head learns in stage 3
    teacher: Path | None = None  # file of the network that it learns from
    minutes: float | None = None
    steps: int | None = None
    resume: bool = False
    start: Path | None = None
    head: Path | None = None  # a head file of the task, made for other weights, to start from
    inter: Path | None = None  # weights of inter frames that stage "video" starts from
    profile: Profile | None = None  # whom that stage is for; None: all whom it can serve
    seed: int = 0
    model: str = "base"  # models.config.PRESETS
    config: Path | None = None
    name: str | None = None  # of the weights; None: that of the model
    threads: int | None = None
    device: str = "auto"
