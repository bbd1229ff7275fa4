"""Our own codec on clips, behind the interface of all the others."""

from __future__ import annotations

import io
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from wavenetmv.bench.clips import RATE
from wavenetmv.bench.codecs.base import Setting
from wavenetmv.bench.codecs.wmv import WARM_UP, WmvCodec
from wavenetmv.bitstream import VideoStreamWriter
from wavenetmv.focus import focus_of
from wavenetmv.metrics import Pixels
from wavenetmv.models.registry import WeightsInfo
from wavenetmv.types import (
    VIDEO_TRIALS_DEFAULT,
    Detection,
    Profile,
    VideoFrame,
    VideoInfo,
)
from wavenetmv.video import DecodedVideo
from wavenetmv.video_analysis import VideoAnalyzer, by_latents
from wavenetmv.video_codec import VideoEncoder, choose_group

_TRIALS = 4  # of each frame, where there are several
_TITLES = {
    "wmv": "wmv",
    "wmv-trials": f"wmv --trials {_TRIALS}",
    "wmv-intra": "wmv, all intra",
    "wmv-human": "wmv --for human",
    "wmv-human-intra": "wmv --for human, all intra",
}


class WmvVideoCodec(WmvCodec):
    """`wmv encode --gop` at the anchor lambdas, on the processor.

    name  one of those above: for whom, how often frames are coded, and whether every frame is
          alone; gop 1 has all alone.
    Raises CheckpointError, and UsageFault for people and weights of pictures with one profile, and
    for trials and weights without a head.
    """

    def __init__(
        self, name: str, gop: int, weights: Path | None = None, inter_weights: Path | None = None
    ) -> None:
        super().__init__(weights, inter_weights)
        self.name = name
        self.title = _TITLES[name]
        self._gop = 1 if name.endswith("-intra") else gop
        self.trials = _TRIALS if name == "wmv-trials" else VIDEO_TRIALS_DEFAULT
        if name.startswith("wmv-human"):
            self._codec.frames_for(Profile.HUMAN)
            self.profile = Profile.HUMAN
        else:
            # Every frame alone for whom groups are made, else they would be no match.
            self.profile, _ = choose_group(self._codec, None, None)
        if self.trials > 1:
            # Raises, where there is no head, before the first clip.
            focus_of(self._detection, self.profile, trials=self.trials)

    @cached_property
    def inter_weights(self) -> WeightsInfo | None:
        """None where every frame is coded alone."""
        if self._gop == 1:
            return None
        _, profile = self._codec.frames_for(self.profile)
        return self._codec.inter_frames_for(profile)[1]

    def command(self, setting: Setting) -> str:
        inter = self.inter_weights
        networks = f", inter weights {inter.name} {inter.sha256[:16]}" if inter else ""
        return f"{super().command(setting)} --gop {self._gop}{networks}"

    def prepare(self) -> None:
        grey = np.full((2, WARM_UP, WARM_UP, 3), 128, np.uint8)
        self.decode(self.encode(grey, self.settings[0]), WARM_UP, WARM_UP)

    def encode(self, pixels: Pixels, setting: Setting) -> bytes:
        count, height, width = pixels.shape[:3]
        info = VideoInfo(width, height, RATE, frame_count=count, variable_rate=False)
        encoder = VideoEncoder(
            self._codec, info, setting.value, self.profile, self._gop, lambda _: self._focus
        )
        sink = io.BytesIO()
        writer = VideoStreamWriter(sink, encoder.header)
        for number, frame in enumerate(pixels):
            writer.write_frame(encoder.encode(VideoFrame(frame, number / RATE)))
        writer.finish()
        return sink.getvalue()

    def decode(self, data: bytes, height: int, width: int) -> Pixels:
        with DecodedVideo(self._codec, io.BytesIO(data)) as video:
            return np.stack([frame.pixels for frame in video])

    def detect_frames(self, data: bytes, threshold: float) -> list[list[Detection]]:
        find = by_latents(self._detection)
        with VideoAnalyzer(self._codec, io.BytesIO(data), find, threshold) as video:
            # What a head for objects gives.
            return [cast("list[Detection]", list(frame.found)) for frame in video]
