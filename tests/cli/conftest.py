from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from wavenetmv import api
from wavenetmv.cli.app import app
from wavenetmv.models.registry import SEARCH_VARIABLE, read_info

VECTORS = Path(__file__).parent.parent / "vectors"
TINY = next(VECTORS.glob("tiny-*.safetensors"))
# Loaded once for all tests here, and never mixed with what a test of the real weights loads.
_ENGINES: dict[object, object] = {}


@dataclass
class Result:
    code: int
    out: str
    raw: bytes
    err: str

    def failed_with(self, code: int, text: str) -> None:
        """Exit code, exactly one line on stderr, and what it says."""
        assert self.code == code, self.err
        (line,) = self.err.splitlines()
        assert line.startswith("wmv: ")
        assert text in line


@pytest.fixture(autouse=True)
def codec(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    """`wavenetmv.codec`; without the mark `weights`, the test vectors' tiny ones encode."""
    from wavenetmv import codec as module

    if request.node.get_closest_marker("weights"):
        return module
    monkeypatch.setenv(SEARCH_VARIABLE, str(VECTORS))
    monkeypatch.setattr(module, "default_weights", lambda: read_info(TINY))
    monkeypatch.setattr(api, "_engines", _ENGINES)
    return module


@pytest.fixture
def wmv(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command in this process, as `wmv *arguments < stdin`."""

    def run(*arguments: object, stdin: bytes = b"") -> Result:
        words = [str(each) for each in arguments]
        monkeypatch.setattr("sys.argv", ["wmv", *words])
        result = CliRunner().invoke(app, words, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Result(result.exit_code, result.stdout, result.stdout_bytes, result.stderr)

    return run


@pytest.fixture
def picture(photographs: Path) -> Image.Image:
    """96x80 of a real cat, without its metadata."""
    with Image.open(photographs / "chelsea.png") as image:
        return Image.fromarray(np.asarray(image)[80:160, 120:216])


@pytest.fixture
def photo(tmp_path: Path, picture: Image.Image) -> Path:
    path = tmp_path / "photo.png"
    picture.save(path)
    return path


@pytest.fixture
def stream(photo: Path, wmv: Callable[..., Result]) -> Path:
    """photo.wmv, with photo.png gone."""
    assert wmv("encode", photo).code == 0
    photo.unlink()
    return photo.with_suffix(".wmv")


@pytest.fixture
def psnr() -> Callable[[object, object], float]:
    def measure(a: object, b: object) -> float:
        error = np.asarray(a, float) - np.asarray(b, float)
        return float(10 * np.log10(255**2 / np.mean(error**2)))

    return measure
