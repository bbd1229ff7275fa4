"""What `wmv bench` makes of its options: inputs, names, measures, weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wavenetmv.cli import items
from wavenetmv.errors import UsageFault


def names(text: str | None) -> list[str]:
    """ "a, b" as a list; empty for None."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def names_videos(inputs: Sequence[str]) -> bool:
    """Whether one of them is a video file."""
    from wavenetmv.bench.clips import is_video_file

    return any(is_video_file(Path(each)) for each in inputs)


def find_inputs(inputs: Sequence[str], video: bool) -> dict[str, Path]:
    """Pictures or clips by their names in the results."""
    from wavenetmv.bench.clips import find_clips
    from wavenetmv.io import READABLE_SUFFIXES

    if video:
        return find_clips(inputs)
    return {name: Path(path) for name, path in items.find(inputs, READABLE_SUFFIXES).items()}


def default_metrics(
    annotations: Path | None, detector: Path | None, classifier: Path | None, video: bool
) -> list[str]:
    """Everything that the other options allow."""
    similar = ["psnr", "ms-ssim", *(["vmaf"] if video else [])]
    labelled = ["map"] if annotations else []
    seen = [*(["agreement"] if detector else []), *(["top1"] if classifier else [])]
    return [*similar, *labelled, *seen]


def checkpoints_of(given: Sequence[str]) -> dict[str, list[Path]]:
    """NAME=FILE, given several times, by name. Raises UsageFault."""
    found: dict[str, list[Path]] = {}
    for text in given:
        name, _, path = text.partition("=")
        if name not in ("bmshj2018", "cheng2020") or not path:
            raise UsageFault(f"--checkpoint {text}: expected bmshj2018=FILE or cheng2020=FILE")
        found.setdefault(name, []).append(Path(path))
    return found


def settings_of(given: Sequence[str]) -> dict[str, list[float]]:
    """NAME=A,B,..., given several times, by name. Raises UsageFault."""
    found: dict[str, list[float]] = {}
    for text in given:
        name, _, listed = text.partition("=")
        try:
            found[name] = [float(value) for value in names(listed)]
        except ValueError:
            found[name] = []
        if not found[name]:
            raise UsageFault(f"--settings {text}: expected a codec's name and numbers, vvc=46,36")
    return found


def weights_file(given: Path | None, out: Path) -> Path | None:
    """Made from a checkpoint of training if it is one; beside the cache, for later runs."""
    if given is None or given.suffix == ".safetensors":
        return given
    from wavenetmv.training.export import export

    return export(given, out)[0]
