"""Detectors on pixels, for comparison: what a codec's pictures are worth to a network."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

from wavenetmv.bench.cache import file_hash
from wavenetmv.metrics import Pixels
from wavenetmv.types import Detection


class Detector(Protocol):
    def detect(self, pixels: Pixels, threshold: float = 0.25) -> list[Detection]:
        """Objects of COCO's classes in pixels uint8 RGB [H, W, 3], best first."""
        ...


def is_nanodet(path: Path) -> bool:
    """Whether the file names a NanoDet of ncnn, else a YOLOX of ONNX."""
    return path.suffix == ".param"


def load_detector(path: Path, threads: int | None = None) -> Detector:
    """By the file's name: .param is a NanoDet-Plus of ncnn, anything else a YOLOX of ONNX.

    Raises InputError when the file is no such network, UsageFault where a library is missing.
    """
    if is_nanodet(path):
        from wavenetmv.bench.detectors.nanodet import NanodetDetector

        return NanodetDetector(path, threads)
    from wavenetmv.bench.detectors.yolox import OnnxDetector

    return OnnxDetector(path, threads)


def libraries_of(path: Path) -> list[str]:
    """The modules that `load_detector` needs."""
    return ["ncnn"] if is_nanodet(path) else ["onnx", "onnxruntime"]


def detector_hash(path: Path) -> str:
    """Of all that decides what it finds, hexadecimal. Raises InputError."""
    if not is_nanodet(path):
        return file_hash(path)
    parts = file_hash(path) + file_hash(path.with_suffix(".bin"))
    return hashlib.sha256(parts.encode()).hexdigest()
