"""Our own codec, behind the interface of all the others."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from wavenetmv.analysis import Analyzer
from wavenetmv.bench.codecs.base import Codec, Setting
from wavenetmv.bench.environment import codec_version
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import WmvError
from wavenetmv.focus import focus_of
from wavenetmv.frame_codec import Focus
from wavenetmv.metrics import Pixels
from wavenetmv.models.gains import ANCHOR_LAMBDAS
from wavenetmv.models.heads import ClassificationHead, DetectionHead
from wavenetmv.models.registry import WeightsInfo, find_head
from wavenetmv.types import Detection, Picture, Profile

WARM_UP = 64  # pixels a side


class WmvCodec(Codec):
    """`wmv encode` at the anchor lambdas, on the processor. Raises CheckpointError."""

    name = "wmv"
    title = "wmv"
    suffix = ".wmv"
    settings = tuple(Setting(f"lambda {lmbda:g}", lmbda) for lmbda in ANCHOR_LAMBDAS)

    profile: Profile | None = None  # the weights' own default
    focus: bool | None = None  # what `wmv encode` does by itself
    trials: int | None = None  # likewise

    def __init__(self, weights: Path | None = None, inter_weights: Path | None = None) -> None:
        self._codec = PictureCodec("cpu", threads=1, weights=weights, inter_weights=inter_weights)
        self._detection, self._classification = (
            Analyzer(self._codec, head.task) for head in (DetectionHead, ClassificationHead)
        )

    @cached_property
    def _focus(self) -> Focus | None:
        return focus_of(self._detection, self.profile, self.focus, self.trials)

    @cached_property
    def weights(self) -> WeightsInfo:
        return self._codec.weights

    def command(self, setting: Setting) -> str:
        text = (
            f"wavenetmv {codec_version()}, weights {self.weights.name} {self.weights.sha256[:16]}: "
            f"wmv encode --lambda {setting.value:g}"
        )
        text += f" --for {self.profile.name.lower()}" if self.profile else ""
        if self._focus is None:
            return text
        trials = "" if self.trials is None else f" --trials {self.trials}"
        return f"{text} --focus{trials}, head {self.head_name}"

    def prepare(self) -> None:
        grey = np.full((WARM_UP, WARM_UP, 3), 128, np.uint8)
        self.decode(self.encode(grey, self.settings[0]), WARM_UP, WARM_UP)

    def encode(self, pixels: Pixels, setting: Setting) -> bytes:
        return self._codec.encode(Picture(pixels), setting.value, self.profile, self._focus)

    def decode(self, data: bytes, height: int, width: int) -> Pixels:
        return self._codec.decode(data).pixels

    def detects(self) -> str | None:
        return self._lacks(self._detection)

    @property
    def head_name(self) -> str:
        return self._name_of(self._detection)

    def detect(self, data: bytes, threshold: float) -> list[Detection]:
        # What a head for objects gives.
        return cast("list[Detection]", self._detection.analyze(data, threshold))

    def classifies(self) -> str | None:
        return self._lacks(self._classification)

    @property
    def classification_head_name(self) -> str:
        return self._name_of(self._classification)

    def classify(self, data: bytes) -> int:
        return self._classification.analyze(data, threshold=0)[0].class_id

    def _lacks(self, analyzer: Analyzer) -> str | None:
        try:
            find_head(analyzer.task, self.weights.stream_hash)
        except WmvError as error:
            return str(error)
        return None

    def _name_of(self, analyzer: Analyzer) -> str:
        for_streams, for_decoded = (
            find_head(analyzer.task, self.weights.stream_hash, decoded).sha256[:8]
            for decoded in (False, True)
        )
        more = "" if for_decoded == for_streams else f"-{for_decoded}"
        return f"latents-{for_streams}{more}"


class EvenWmvCodec(WmvCodec):
    """`wmv encode --no-focus`."""

    name = "wmv-no-focus"
    title = "wmv --no-focus"
    focus = False


class HumanWmvCodec(WmvCodec):
    """`wmv encode --for human`. Raises UsageFault for weights of one profile only."""

    name = "wmv-human"
    title = "wmv --for human"
    profile = Profile.HUMAN

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__(weights)
        self._codec.frames_for(self.profile)
