"""The machine and the versions of what ran on it."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Collection
from functools import cache
from importlib import metadata
from pathlib import Path

from wavenetmv import __version__

_PACKAGES = (
    "torch", "numpy", "pillow", "pytorch-msssim", "onnxruntime", "pycocotools", "bjontegaard",
    "imageio-ffmpeg",
)  # fmt: skip
_BY_FFMPEG = {"jpegxl", "hevc", "av1", "vvc", "vtm", "x264", "x265", "svt-av1"}
_CODEC_PACKAGES = {"bmshj2018": "compressai", "cheng2020": "compressai"}
_PACKAGE = Path(__file__).parents[1]
# Parts of the package that no stream and no decoded pixel depends on.
_BESIDE_THE_CODEC = {"bench", "cli", "training"}


def machine() -> dict[str, str]:
    return {
        "processor": _processor(),
        "cores": str(available_cores()),
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
    }


def versions(codecs: Collection[str]) -> dict[str, str]:
    """Of the packages that are installed, and of ffmpeg if one of `codecs` needs it."""
    found = {"wavenetmv": __version__, "Python": platform.python_version()}
    used = {_CODEC_PACKAGES[codec] for codec in codecs if codec in _CODEC_PACKAGES}
    for package in (*_PACKAGES, *used):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    if _BY_FFMPEG & set(codecs):
        from wavenetmv.bench.codecs.ffmpeg import ffmpeg_version

        found["ffmpeg"] = ffmpeg_version()
    return found


@cache
def codec_version() -> str:
    """Of wavenetmv, with digits that change with any line of the codec's code."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        part = path.relative_to(_PACKAGE)
        if part.parts[0] not in _BESIDE_THE_CODEC:
            digest.update(f"{part.as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return f"{__version__} (code {digest.hexdigest()[:8]})"


def available_cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
