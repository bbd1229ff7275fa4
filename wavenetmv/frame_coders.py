"""Frames of a video to coded frames and back, in order; which of them are coded alone.

pixels -> FrameCoder.encode -> CodedFrame -> FrameCoder.decode -> DecodedFrame
DecodedFrame -> pixels for people, y_hat for heads

`IntraCoder` codes every frame alone, `GroupCoder` begins groups of pictures with such a frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from wavenetmv.bitstream import CodedFrame, PacketKind
from wavenetmv.errors import CheckpointError, CorruptStream
from wavenetmv.frame_codec import FrameCodec, Latents
from wavenetmv.inter_codec import InterFrameCodec, Past
from wavenetmv.looks import Looks
from wavenetmv.metrics import psnr
from wavenetmv.quality_hold import QualityHold
from wavenetmv.types import LAMBDA_INDEX_MAX, LAMBDA_STEPS_PER_OCTAVE, Profile

# Octaves of lambda. For people a whole one saves a little more, but inter frames cannot keep its
# quality; what machines saw of an intra frame, they find again in the frames after it.
_MOST_INTRA_BONUS = 0.3
_MOST_INTRA_BONUS_FOR_MACHINES = 1.9

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class DecodedFrame:
    """A frame whose symbols are the encoder's; what it shows is computed when it is asked for.

    size          height and width in pixels
    lambda_index  at which it was coded
    latents       an intra frame's; None of an inter frame, whose latents hold only
                  what motion left over
    known         its pixels, where the next frame needs them anyway; always an inter frame's
    """

    frames: FrameCodec
    size: tuple[int, int]
    lambda_index: int
    latents: Latents | None = None
    known: Pixels | None = None

    @property
    def weights_hash(self) -> bytes:
        """Of the picture weights, which heads are made for."""
        return self.frames.model.info.stream_hash

    def pixels(self) -> Pixels:
        """uint8 [H, W, 3]."""
        if self.known is not None:
            return self.known
        assert self.latents is not None
        return self.frames.synthesise(self.latents, self.lambda_index, *self.size)

    def y_hat(self) -> Tensor:
        """[1, M, h, w], as heads read it: the frame's own latents, or of an inter frame those
        of its pixels, by the picture model's analysis."""
        if self.latents is not None:
            return self.frames.dequantise(self.latents, self.lambda_index)
        return self.frames.analyse(self.pixels(), self.lambda_index)


class FrameCoder(Protocol):
    """Codes the frames of one video in order, in one direction.

    It keeps whatever the next frame is coded from: the last decoded pixels, latents, how many
    frames ago the last intra frame was. Encoder and decoder keep the same.
    """

    def encode(self, pixels: Pixels, time: int) -> CodedFrame:
        """The next frame, pixels uint8 [H, W, 3], shown at `time` in ticks.

        The coder decides the kind; the first frame is INTRA.
        """

    def decode(self, frame: CodedFrame) -> DecodedFrame:
        """The next frame.

        After frames that were left out, the next one given is INTRA. Raises CorruptStream
        unless the symbols are the encoder's; then the same holds.
        """


class IntraCoder:
    """Every frame alone, as pictures are coded, at one lambda.

    quality_map  frames begin with one
    looks        where it comes from when encoding
    """

    def __init__(
        self,
        frames: FrameCodec,
        height: int,
        width: int,
        lambda_index: int,
        *,
        quality_map: bool = False,
        looks: Looks | None = None,
    ) -> None:
        self._frames = frames
        self._size = (height, width)
        self._lambda_index = lambda_index
        self._quality_map, self._looks = quality_map, looks

    def encode(self, pixels: Pixels, time: int) -> CodedFrame:
        if self._looks:
            self._looks.begin(pixels)
        focus = self._looks.at_latents if self._looks else None
        coded = self._frames.encode(pixels, self._lambda_index, focus)
        return CodedFrame(PacketKind.INTRA, time, self._lambda_index, coded.payload)

    def decode(self, frame: CodedFrame) -> DecodedFrame:
        if frame.kind is not PacketKind.INTRA:
            raise CorruptStream("an INTER frame in a stream that has none")
        latents = self._frames.decode_latents(
            frame.payload, *self._size, frame.lambda_index, quality_map=self._quality_map
        )
        return DecodedFrame(self._frames, self._size, frame.lambda_index, latents)


class GroupCoder:
    """Groups of pictures: an intra frame, then inter frames, each coded from the one before.

    gop    frames of a group, at most; a frame that the one before does not help, as after a
           scene cut, begins a new group too. None when decoding: the stream decides.
    bonus  steps of lambda that intra frames get more, `intra_bonus`
    quality_map, looks  as for `IntraCoder`
    """

    def __init__(
        self,
        frames: FrameCodec,
        inter: InterFrameCodec,
        height: int,
        width: int,
        lambda_index: int,
        gop: int | None = None,
        bonus: int = 0,
        *,
        quality_map: bool = False,
        looks: Looks | None = None,
    ) -> None:
        if frames.model.config.M != inter.model.config.M:
            raise CheckpointError("the weights of inter frames are for other picture weights")
        self._frames, self._inter = frames, inter
        self._size = (height, width)
        self._lambda_index = lambda_index
        self._intra_index = min(lambda_index + bonus, LAMBDA_INDEX_MAX)
        self._gop = gop
        self._past: Past | None = None
        self._since_intra = 0
        self._quality_map, self._looks = quality_map, looks
        self._hold = self._new_hold()

    def encode(self, pixels: Pixels, time: int) -> CodedFrame:
        if self._looks:
            self._looks.begin(pixels)
        if self._past is not None and self._since_intra != self._gop:
            index = self._hold.index
            look = self._looks.at_pixels() if self._looks else None
            found = self._inter.encode(
                pixels, self._past, index, look, self._hold.finer, self._frames
            )
            if found is not None:
                self._past = found.past
                self._since_intra += 1
                self._hold.saw(psnr(pixels, self._past.pixels))
                return CodedFrame(PacketKind.INTER, time, index, found.payload)
        focus = self._looks.anew if self._looks else None
        coded = self._frames.encode(pixels, self._intra_index, focus)
        self._past = self._past_of(coded.latents, self._intra_index)
        self._since_intra, self._hold = 1, self._new_hold()
        return CodedFrame(PacketKind.INTRA, time, self._intra_index, coded.payload)

    def decode(self, frame: CodedFrame) -> DecodedFrame:
        past, self._past = self._past, None  # of no use to the next frame if this one fails
        latents = None
        if frame.kind is PacketKind.INTRA:
            latents = self._frames.decode_latents(
                frame.payload, *self._size, frame.lambda_index, quality_map=self._quality_map
            )
            past = self._past_of(latents, frame.lambda_index)
        elif past is None:
            raise CorruptStream("an INTER frame without the frame before it")
        else:
            past = self._inter.decode(frame.payload, past, *self._size, frame.lambda_index)
        self._past = past
        return DecodedFrame(self._frames, self._size, frame.lambda_index, latents, past.pixels)

    def _new_hold(self) -> QualityHold:
        # With a focus, rounding follows what the head feels.
        return QualityHold(self._lambda_index, rounds_finer=self._looks is None)

    def _past_of(self, latents: Latents, lambda_index: int) -> Past:
        pixels = self._frames.synthesise(latents, lambda_index, *self._size)
        return Past.of_intra(pixels, latents)


def intra_bonus(gop: int, profile: Profile) -> int:
    """Steps of lambda that an intra frame is better by.

    All frames of its group inherit its quality, so its bits are well spent: the longer the
    group, the more.
    """
    for_machines = profile is Profile.MACHINE
    most = _MOST_INTRA_BONUS_FOR_MACHINES if for_machines else _MOST_INTRA_BONUS
    return round(most * LAMBDA_STEPS_PER_OCTAVE * min(1.0, math.log2(gop) / 5))
