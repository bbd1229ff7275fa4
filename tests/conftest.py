"""What every test may use: real photographs, found inside scikit-image's wheel."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is loaded: workers of several threads each would wait for each other.
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def photographs() -> Path:
    """The folder with astronaut.png, chelsea.png, camera.png, rocket.jpg, retina.jpg, ..."""
    spec = find_spec("skimage")  # located, not imported: its import is slow and may warn
    assert spec is not None
    assert spec.origin is not None, "scikit-image belongs to the dev extra"
    return Path(spec.origin).parent / "data"
