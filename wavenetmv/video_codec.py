"""Frames of a video to packets and back, one at a time.

VideoFrame -> FrameCoder.encode -> CodedFrame -> FrameCoder.decode -> VideoFrame

Which frames are coded alone and which from earlier ones is a frame coder's own business:
`IntraCoder` codes every frame alone. A coder of inter frames takes its place where
`VideoEncoder` and `VideoDecoder` make theirs.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wavenetmv.bitstream import CodedFrame, PacketKind, StreamHeader, VideoHeader
from wavenetmv.codec import PictureCodec, checked_index
from wavenetmv.errors import CheckpointError, CorruptStream, UsageFault
from wavenetmv.frame_codec import FrameCodec
from wavenetmv.models.registry import WeightsInfo
from wavenetmv.types import LAMBDA_DEFAULT, Profile, VideoFrame, VideoInfo

Pixels = npt.NDArray[np.uint8]


class FrameCoder(Protocol):
    """Codes the frames of one video in order, in one direction.

    It keeps whatever the next frame is coded from: the last decoded pixels, latents, how many
    frames ago the last intra frame was. Encoder and decoder keep the same.
    """

    def encode(self, pixels: Pixels, time: int) -> CodedFrame:
        """The next frame, pixels uint8 [H, W, 3], shown at `time` in ticks.

        The coder decides the kind; the first frame is INTRA.
        """

    def decode(self, frame: CodedFrame) -> Pixels:
        """Pixels uint8 [H, W, 3] of the next frame.

        After frames that were left out, the next one given is INTRA. Raises CorruptStream
        unless the symbols are the encoder's; then the same holds.
        """


class IntraCoder:
    """Every frame alone, as pictures are coded, at one lambda."""

    def __init__(self, frames: FrameCodec, height: int, width: int, lambda_index: int) -> None:
        self._frames = frames
        self._size = (height, width)
        self._lambda_index = lambda_index

    def encode(self, pixels: Pixels, time: int) -> CodedFrame:
        payload, _ = self._frames.encode(pixels, self._lambda_index)
        return CodedFrame(PacketKind.INTRA, time, self._lambda_index, payload)

    def decode(self, frame: CodedFrame) -> Pixels:
        if frame.kind is not PacketKind.INTRA:
            raise CorruptStream("an INTER frame in a stream that has none")
        return self._frames.decode(frame.payload, *self._size, frame.lambda_index)


class VideoEncoder:
    """Encodes a video frame by frame; frame n is out before frame n + 1 is in.

    Of `info` the header keeps size, rates, time base, pixel aspect, matrix and range. `lmbda`
    and `profile` are as for `PictureCodec.encode`. Raises UsageFault for what cannot be coded.
    """

    def __init__(
        self,
        codec: PictureCodec,
        info: VideoInfo,
        lmbda: float = LAMBDA_DEFAULT,
        profile: Profile | None = None,
    ) -> None:
        index = checked_index(lmbda)
        frames, profile = codec.frames_for(profile)
        self.header = _header(codec.weights, info, index, profile)
        self._tick = info.tick
        self._coder: FrameCoder = IntraCoder(frames, info.height, info.width, index)

    def encode(self, frame: VideoFrame) -> CodedFrame:
        """The next frame, of the size that `info` said. Times are rounded to its ticks."""
        size = (self.header.height, self.header.width, 3)
        if frame.pixels.shape != size:
            raise ValueError(f"frame is {frame.pixels.shape}, the video {size}")
        return self._coder.encode(frame.pixels, round(frame.time_s / self._tick))


class VideoDecoder:
    """Decodes a video frame by frame.

    Raises StreamError when the header contradicts itself or asks for what this build does not
    have, CheckpointError when the weights that made the stream are not here.
    """

    def __init__(self, codec: PictureCodec, header: StreamHeader, video: VideoHeader) -> None:
        frames = codec.frames_of(header)
        self._tick = video.tick
        self._coder: FrameCoder = _decoding_coder(frames, header, video)

    def decode(self, frame: CodedFrame) -> VideoFrame:
        """The next frame. Raises CorruptStream unless its symbols are the encoder's.

        After a frame that failed or was left out, the next one must be INTRA.
        """
        return VideoFrame(self._coder.decode(frame), frame.time * self._tick)


def describe(header: StreamHeader, video: VideoHeader, frame_count: int | None) -> VideoInfo:
    """What a stream says of its video; `frame_count` where it is known better."""
    count = frame_count or video.frame_count or None
    return VideoInfo(
        header.width,
        header.height,
        video.rate,
        frame_count=count,
        time_base=video.tick,
        pixel_aspect=video.pixel_aspect,
        matrix=video.matrix,
        full_range=video.full_range,
        variable_rate=video.variable_rate,
        duration_s=Fraction(count) / video.rate if count else None,
    )


def _decoding_coder(frames: FrameCodec, header: StreamHeader, video: VideoHeader) -> FrameCoder:
    if video.has_inter:
        raise CheckpointError(
            f"this stream needs weights {video.inter_hash.hex()} for its inter frames, "
            "which are not here"
        )
    return IntraCoder(frames, header.height, header.width, header.lambda_index)


def _header(
    weights: WeightsInfo, info: VideoInfo, lambda_index: int, profile: Profile
) -> StreamHeader:
    try:
        return StreamHeader(
            width=info.width,
            height=info.height,
            model_id=weights.model_id,
            weights_hash=weights.stream_hash,
            lambda_index=lambda_index,
            profile=profile,
            video=VideoHeader(
                rate=info.rate,
                tick=info.tick,
                frame_count=info.frame_count or 0,
                pixel_aspect=info.pixel_aspect,
                matrix=info.matrix,
                full_range=info.full_range,
                variable_rate=info.variable_rate is not False,
            ),
        )
    except ValueError as error:
        raise UsageFault(f"video cannot be encoded: {error}") from error
