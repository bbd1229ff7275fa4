"""What was coded and measured already, on disk, by content and settings.

One entry per picture's pixels and encoder's call: the stream, a JSON record of its measures
and, per detector, the detections.  Each file appears complete or not at all, so a run may be
ended at any moment and several processes may share a folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavenetmv.bench.detection_files import (
    detections_json,
    frame_detections_json,
    read_detections,
    read_frame_detections,
)
from wavenetmv.errors import InputError
from wavenetmv.io import open_sink
from wavenetmv.metrics import Pixels
from wavenetmv.types import Detection

_KEY_LENGTH = 20  # hexadecimal digits


def content_hash(pixels: Pixels) -> str:
    """Of size and pixels, whatever file they came from."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """Raises InputError if the file cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


@dataclass(frozen=True)
class Entry:
    """Files of one picture under one key; `name` is relative to the cache's parent `root`.

    Reading gives None where there is nothing, or nothing readable.
    """

    root: Path
    name: str
    suffix: str

    @property
    def stream_file(self) -> str:
        return f"{self.name}{self.suffix}"

    @property
    def decoded_file(self) -> str:
        return f"{self.name}.png"

    def detections_file(self, kind: str) -> str:
        """`kind` tells detectors apart."""
        return f"{self.name}.{kind}.json"

    def stream(self) -> bytes | None:
        try:
            return (self.root / self.stream_file).read_bytes()
        except FileNotFoundError:
            return None

    def record(self) -> dict[str, Any] | None:
        try:
            record = json.loads((self.root / f"{self.name}.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def detections(self, kind: str) -> list[Detection] | None:
        try:
            return read_detections(self.root / self.detections_file(kind))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def frame_detections(self, kind: str) -> list[list[Detection]] | None:
        """As `detections`, of a clip."""
        try:
            return read_frame_detections(self.root / self.detections_file(kind))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def keep_stream(self, data: bytes) -> None:
        _write(self.root / self.stream_file, data)

    def keep_record(self, record: dict[str, Any]) -> None:
        text = json.dumps(record, allow_nan=False)
        _write(self.root / f"{self.name}.json", text.encode())

    def keep_detections(self, kind: str, detections: Sequence[Detection]) -> None:
        text = detections_json(detections)
        _write(self.root / self.detections_file(kind), text.encode())

    def keep_frame_detections(self, kind: str, frames: Sequence[Sequence[Detection]]) -> None:
        text = frame_detections_json(frames)
        _write(self.root / self.detections_file(kind), text.encode())


def entry_of(root: Path, folder: str, picture: str, command: str, suffix: str) -> Entry:
    """The entry of a picture (its `content_hash`) under an encoder's `command`.

    root    the folder that names are relative to; `folder` is below root / "cache"
    """
    digest = hashlib.sha256(f"{picture}\0{command}".encode()).hexdigest()
    return Entry(root, f"cache/{folder}/{digest[:_KEY_LENGTH]}", suffix)


def _write(path: Path, content: bytes) -> None:
    """Complete or not at all. Raises InputError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: {error.strerror}") from error
    with open_sink(path, force=True) as sink:
        sink.write(content)
