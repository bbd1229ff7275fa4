"""The pictures of a measurement."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wavenetmv.errors import InputError
from wavenetmv.io import READABLE_SUFFIXES, read_picture
from wavenetmv.metrics import Pixels


def load_folder(folder: Path) -> dict[str, Pixels]:
    """All pictures of a folder by file name. Raises InputError if there is none."""
    try:
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in READABLE_SUFFIXES)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from error
    if not paths:
        raise InputError(f"{folder}: no pictures")
    return {path.name: np.ascontiguousarray(read_picture(path).pixels) for path in paths}
