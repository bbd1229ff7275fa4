"""Whole videos, frame by frame: what the header says, and the frame coder that this asks for.

VideoFrame -> VideoEncoder.encode -> CodedFrame -> VideoDecoder.decode -> VideoFrame
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from wavenetmv.bitstream import NO_INTER, CodedFrame, StreamHeader, VideoHeader
from wavenetmv.codec import PictureCodec, checked_index
from wavenetmv.errors import UsageFault
from wavenetmv.frame_codec import Focus
from wavenetmv.frame_coders import (
    DecodedFrame,
    FrameCoder,
    GroupCoder,
    IntraCoder,
    intra_bonus,
)
from wavenetmv.looks import Looks
from wavenetmv.models.registry import WeightsInfo
from wavenetmv.types import GOP_DEFAULT, LAMBDA_DEFAULT, Profile, VideoFrame, VideoInfo

# What `PictureCodec.encode` takes as focus, for the profile that a video is coded for.
FocusFor = Callable[[Profile], Focus | None]


class VideoEncoder:
    """Encodes a video frame by frame; frame n is out before frame n + 1 is in.

    Of `info` the header keeps size, rates, time base, pixel aspect, matrix and range. `lmbda`
    and `profile` are as for `PictureCodec.encode`. At least every `gop`-th frame is an intra
    frame, from which decoding can start; 1: all are; None: as `choose_group` says. `focus` gives
    for the profile that is chosen what `PictureCodec.encode` takes. Raises UsageFault for what
    cannot be coded, CheckpointError when there are no weights of inter frames.
    """

    def __init__(
        self,
        codec: PictureCodec,
        info: VideoInfo,
        lmbda: float = LAMBDA_DEFAULT,
        profile: Profile | None = None,
        gop: int | None = None,
        focus: FocusFor | None = None,
    ) -> None:
        if gop is not None and gop < 1:
            raise UsageFault(f"gop must be at least 1, got {gop}")
        index = checked_index(lmbda)
        profile, gop = choose_group(codec, profile, gop)
        frames, profile = codec.frames_for(profile)
        size = (info.height, info.width)
        inter_hash = NO_INTER
        focus_here = focus(profile) if focus else None
        looks = Looks(frames, focus_here) if focus_here else None
        self._coder: FrameCoder = IntraCoder(frames, *size, index, looks=looks)
        if gop > 1:
            inter, inter_info = codec.inter_frames_for(profile)
            inter_hash = inter_info.stream_hash
            bonus = intra_bonus(gop, profile)
            self._coder = GroupCoder(frames, inter, *size, index, gop, bonus, looks=looks)
        self.gop = gop
        self.header = replace(
            _header(codec.weights, info, index, profile, inter_hash), quality_map=looks is not None
        )
        self._tick = info.tick

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
        size, index = (header.height, header.width), header.lambda_index
        self._tick = video.tick
        mapped = header.quality_map
        self._coder: FrameCoder = IntraCoder(frames, *size, index, quality_map=mapped)
        if video.has_inter:
            inter = codec.inter_frames_of(header)
            self._coder = GroupCoder(frames, inter, *size, index, quality_map=mapped)

    def decode(self, frame: CodedFrame) -> VideoFrame:
        """The next frame, as `read` gives it, in pixels."""
        return VideoFrame(self.read(frame).pixels(), frame.time * self._tick)

    def read(self, frame: CodedFrame) -> DecodedFrame:
        """The next frame. Raises CorruptStream unless its symbols are the encoder's.

        After a frame that failed or was left out, the next one must be INTRA.
        """
        return self._coder.decode(frame)


def choose_group(
    codec: PictureCodec, profile: Profile | None, gop: int | None
) -> tuple[Profile | None, int]:
    """Profile and group length, where the caller leaves them open (None).

    Frames are coded in groups where there are weights of inter frames that fit the pictures'.
    Those of one profile are made for people, so beside pictures of two profiles they code for
    people alone.  Raises UsageFault where groups are asked for machines then.
    """
    if gop == 1:
        return profile, 1
    frames, wanted = codec.frames_for(profile)
    if codec.inter_weights_for(wanted) is None:
        return profile, 1 if gop is None else gop
    pictures = frames.model.config
    inter, _ = codec.inter_frames_for(wanted)
    config = inter.model.config
    if gop is None and config.M != pictures.M:
        return profile, 1
    if pictures.profiles > config.profiles:
        if profile is None:
            profile = Profile.HUMAN
        elif profile is Profile.MACHINE and gop is None:
            return profile, 1
        elif profile is Profile.MACHINE:
            raise UsageFault("these weights of inter frames serve human, not machine; choose gop 1")
    return profile, gop or GOP_DEFAULT


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


def _header(
    weights: WeightsInfo,
    info: VideoInfo,
    lambda_index: int,
    profile: Profile,
    inter_hash: bytes,
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
                inter_hash=inter_hash,
            ),
        )
    except ValueError as error:
        raise UsageFault(f"video cannot be encoded: {error}") from error
