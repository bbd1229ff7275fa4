"""Our own codec, behind the interface of all the others."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from wavenetmv import __version__
from wavenetmv.bench.codecs.base import Codec, Setting
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import WmvError
from wavenetmv.metrics import Pixels
from wavenetmv.models.gains import ANCHOR_LAMBDAS
from wavenetmv.models.registry import WeightsInfo
from wavenetmv.types import Detection, Picture

_WARM_UP = 64  # pixels a side


class WmvCodec(Codec):
    """`wmv encode` at the anchor lambdas, on the processor. Raises CheckpointError."""

    name = "wmv"
    title = "wmv"
    suffix = ".wmv"
    settings = tuple(Setting(f"lambda {lmbda:g}", lmbda) for lmbda in ANCHOR_LAMBDAS)

    def __init__(self, weights: Path | None = None) -> None:
        self._path = weights
        self._codec = PictureCodec("cpu", threads=1, weights=weights)

    @cached_property
    def weights(self) -> WeightsInfo:
        return self._codec.weights

    def command(self, setting: Setting) -> str:
        return (
            f"wavenetmv {__version__}, weights {self.weights.name} {self.weights.sha256[:16]}: "
            f"wmv encode --lambda {setting.value:g}"
        )

    def prepare(self) -> None:
        self.decode(self.encode(_grey(), self.settings[0]), _WARM_UP, _WARM_UP)

    def encode(self, pixels: Pixels, setting: Setting) -> bytes:
        return self._codec.encode(Picture(pixels), setting.value)

    def decode(self, data: bytes, height: int, width: int) -> Pixels:
        return self._codec.decode(data).pixels

    def detects(self) -> str | None:
        if find_spec("wavenetmv.analysis") is None:
            return "this version finds no objects in streams"
        try:
            self.detect(self.encode(_grey(), self.settings[0]), 0.5)
        except WmvError as error:
            return str(error)
        return None

    def detect(self, data: bytes, threshold: float) -> list[Detection]:
        return list(import_module("wavenetmv.analysis").analyze(data, threshold))


def _grey() -> Pixels:
    return np.full((_WARM_UP, _WARM_UP, 3), 128, np.uint8)
