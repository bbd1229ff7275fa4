"""Experiments of equal minutes: same data, same seed, one change each, real files at the end.

    python -m wavenetmv.bench.ablation --data DIR --kodak DIR --out DIR [--minutes 30]
        [--variants default,haar,...] [--jobs 2]

Every variant trains all stages in a process of its own with one thread, bound to one core,
for minutes of processor time: neither variants that run side by side nor other work on the
machine change what a variant gets.  Afterwards it codes the
Kodak pictures; `results.csv` gets one row per variant.  What is there already is kept.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from wavenetmv.bench.published import published_kodak
from wavenetmv.errors import UsageFault
from wavenetmv.metrics import Curve, bd_rate
from wavenetmv.training.cache import open_cache
from wavenetmv.training.stages import STAGES

_CROP = 192  # pixels, of every stage by default

# Changes to the defaults of models.config and training.stages.
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "haar": {"model": {"base": "haar"}},
    "bior2.2": {"model": {"base": "bior2.2"}},
    "learned-lifting": {"model": {"lifting_hidden": [0, 32, 64]}},
    "adamix": {"model": {"adamix_filters": 4}},  # of the same width and cost as the plain block
    "lambda-512-only": {
        "stages": {"2a": {"fixed_position": 3.0}, "2b": {"fixed_position": 3.0}},
    },
    "heavy-analysis": {"model": {"fine_blocks_analysis": 1, "coarse_blocks_analysis": 3}},
    "coarse-heavy": {
        "model": {
            "coarse_blocks_analysis": 3, "fine_blocks_synthesis": 0, "coarse_blocks_synthesis": 6,
        },
    },
    "fine-heavy": {
        "model": {
            "fine_blocks_analysis": 1, "coarse_blocks_analysis": 0,
            "fine_blocks_synthesis": 3, "coarse_blocks_synthesis": 1,
        },
    },
    "narrow": {"model": {"fine_width": 64, "coarse_width": 96, "context_width": 128}},
    "adam": {"stages": {"2a": {"muon": False}, "2b": {"muon": False, "lr": 2.5e-4}}},
    "shrunk-crops": {"stages": {"2a": {"min_scale": 0.5}, "2b": {"min_scale": 0.5}}},
    "batch-8": {"stages": {"2b": {"batch": 8, "lr": 4.5e-4}}},
    # What the first weights had.
    "first": {
        "model": {
            "lifting_hidden": [0, 32, 64], "fine_blocks_analysis": 1, "coarse_blocks_analysis": 3,
            "adamix_filters": 4,
        },
    },
}  # fmt: skip


@dataclass(frozen=True)
class Setup:
    data: list[Path]
    kodak: Path
    out: Path
    minutes: float
    seed: int

    @property
    def cache(self) -> Path:
        """Decoded pictures, shared by all variants."""
        return self.out / "cache"


def run_variant(name: str, setup: Setup, core: int) -> dict[str, Any]:
    """Train, code, compare: one row of the results. CalledProcessError if a step fails."""
    folder = setup.out / name
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "settings.json"
    settings.write_text(json.dumps(_settings(VARIANTS[name]), indent=1))
    common = [sys.executable, "-m", "wavenetmv"]
    sources = [part for path in setup.data for part in ("--data", str(path))]
    train = [
        *common, "train", *sources, "--out", str(folder), "--config", str(settings),
        "--minutes", str(setup.minutes), "--seed", str(setup.seed), "--threads", "1",
        "--resume", "--device", "cpu", "--cache", str(setup.cache),
    ]  # fmt: skip
    weights = _output_of(train, core, folder / "train.log").strip().splitlines()[-1]
    evaluate = [
        *common, "eval-rd", str(setup.kodak), "--weights", weights, "--threads", "1", "--json",
    ]  # fmt: skip
    points = json.loads(_output_of(evaluate, core, folder / "eval.log"))["points"]
    return summary(name, setup.minutes, [(p["lambda"], p["bpp"], p["psnr"]) for p in points])


def _settings(variant: dict[str, Any]) -> dict[str, Any]:
    """`variant` with all stages on the processor's clock."""
    stages = {stage.name: {"processor_minutes": True} for stage in STAGES}
    for name, changes in variant.get("stages", {}).items():
        stages[name] |= changes
    return {"model": variant.get("model", {}), "stages": stages}


def summary(name: str, minutes: float, points: list[tuple[float, float, float]]) -> dict[str, Any]:
    """`points` are (lambda, bpp, PSNR); BD-rate is against the published VTM curve."""
    ours: Curve = [(bpp, quality) for _, bpp, quality in points]
    try:
        change = round(bd_rate(published_kodak()["vtm"].psnr, ours), 2)
    except ValueError:  # one lambda alone has no curve
        change = None
    row: dict[str, Any] = {"variant": name, "minutes": minutes, "bd_rate_vtm": change}
    for lmbda, bpp, quality in points:
        row |= {f"bpp_{lmbda:g}": round(bpp, 5), f"psnr_{lmbda:g}": round(quality, 3)}
    return row


def _output_of(command: list[str], core: int, log: Path) -> str:
    with log.open("a") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, {core})
        output, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return output


def run_all(names: list[str], setup: Setup, jobs: int) -> None:
    """Run what `results.csv` does not hold yet, `jobs` at a time."""
    setup.out.mkdir(parents=True, exist_ok=True)
    open_cache(setup.data, setup.cache, _CROP)  # before two processes make it at once
    results = setup.out / "results.csv"
    rows = _read(results)
    cores: SimpleQueue[int] = SimpleQueue()
    for core in range(jobs):
        cores.put(core)

    def work(name: str) -> None:
        core = cores.get()
        try:
            rows[name] = run_variant(name, setup, core)
            _write(results, rows)
            print(name, rows[name]["bd_rate_vtm"], flush=True)
        finally:
            cores.put(core)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, [name for name in names if name not in rows]))


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    with path.open(newline="") as source:
        return {row["variant"]: row for row in csv.DictReader(source)}


def _write(path: Path, rows: dict[str, dict[str, Any]]) -> None:
    fields = list(dict.fromkeys(field for row in rows.values() for field in row))
    with path.open("w", newline="") as sink:
        writer = csv.DictWriter(sink, fields, restval="")
        writer.writeheader()
        writer.writerows(rows.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--kodak", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    arguments = parser.parse_args()
    names = arguments.variants.split(",")
    if unknown := [name for name in names if name not in VARIANTS]:
        raise UsageFault(f"unknown variants {unknown}; there are {sorted(VARIANTS)}")
    setup = Setup(arguments.data, arguments.kodak, arguments.out, arguments.minutes, arguments.seed)
    run_all(names, setup, arguments.jobs)


if __name__ == "__main__":
    main()
