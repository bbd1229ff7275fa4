"""Our own codec, behind the interface of all the others."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from wavenetmv import __version__
from wavenetmv.analysis import Analyzer
from wavenetmv.bench.codecs.base import Codec, Setting
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import WmvError
from wavenetmv.metrics import Pixels
from wavenetmv.models.gains import ANCHOR_LAMBDAS
from wavenetmv.models.registry import WeightsInfo, find_head
from wavenetmv.types import Detection, Picture

WARM_UP = 64  # pixels a side


class WmvCodec(Codec):
    """`wmv encode` at the anchor lambdas, on the processor. Raises CheckpointError."""

    name = "wmv"
    title = "wmv"
    suffix = ".wmv"
    settings = tuple(Setting(f"lambda {lmbda:g}", lmbda) for lmbda in ANCHOR_LAMBDAS)

    def __init__(self, weights: Path | None = None, inter_weights: Path | None = None) -> None:
        self._codec = PictureCodec("cpu", threads=1, weights=weights, inter_weights=inter_weights)
        self._analyzer = Analyzer(self._codec)

    @cached_property
    def weights(self) -> WeightsInfo:
        return self._codec.weights

    def command(self, setting: Setting) -> str:
        return (
            f"wavenetmv {__version__}, weights {self.weights.name} {self.weights.sha256[:16]}: "
            f"wmv encode --lambda {setting.value:g}"
        )

    def prepare(self) -> None:
        grey = np.full((WARM_UP, WARM_UP, 3), 128, np.uint8)
        self.decode(self.encode(grey, self.settings[0]), WARM_UP, WARM_UP)

    def encode(self, pixels: Pixels, setting: Setting) -> bytes:
        return self._codec.encode(Picture(pixels), setting.value)

    def decode(self, data: bytes, height: int, width: int) -> Pixels:
        return self._codec.decode(data).pixels

    def detects(self) -> str | None:
        try:
            find_head(self._analyzer.task, self.weights.stream_hash)
        except WmvError as error:
            return str(error)
        return None

    @property
    def head_name(self) -> str:
        head = find_head(self._analyzer.task, self.weights.stream_hash)
        return f"latents-{head.sha256[:8]}"

    def detect(self, data: bytes, threshold: float) -> list[Detection]:
        # What a head for objects gives.
        return cast("list[Detection]", self._analyzer.analyze(data, threshold))
