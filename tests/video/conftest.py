from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from tests import clips
from tests.vectors.regenerate import VECTORS
from wavenetmv.codec import PictureCodec
from wavenetmv.models.registry import SEARCH_VARIABLE
from wavenetmv.video import encode_video

RATE = Fraction(30000, 1001)


@pytest.fixture(scope="session")
def codec() -> PictureCodec:
    weights = next(VECTORS.glob("tiny-*.safetensors"))
    return PictureCodec("cpu", weights=weights, precision="float32")


@pytest.fixture(autouse=True)
def _find_tiny_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SEARCH_VARIABLE, str(VECTORS))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of 33x18, odd on purpose, lossless, with audio."""
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    clips.ffmpeg(
        *clips.pattern("34x18", RATE, 0.4), *clips.tone(0.4),
        *("-vf", "crop=33:18:0:0:exact=1,format=bgr0", "-c:v", "ffv1", "-c:a", "aac"), path,
    )  # fmt: skip
    return path


@pytest.fixture(scope="session")
def stream(clip: Path, codec: PictureCodec) -> Path:
    """`clip`, encoded at lambda 256."""
    path = clip.with_suffix(".wmv")
    assert encode_video(codec, clip, path, lmbda=256).frames == 12
    return path


@pytest.fixture
def changed(tmp_path: Path, stream: Path) -> Callable[[bytes], Path]:
    """A file with other bytes."""

    def write(data: bytes) -> Path:
        path = tmp_path / "changed.wmv"
        path.write_bytes(data)
        return path

    return write
