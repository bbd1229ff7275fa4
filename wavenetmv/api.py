"""The Python interface behind `import wavenetmv`: pictures to bytes, videos to files, and back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from wavenetmv import io, video
from wavenetmv.bitstream import StreamInfo, inspect
from wavenetmv.errors import UsageFault
from wavenetmv.types import (
    LAMBDA_DEFAULT,
    VIDEO_TRIALS_DEFAULT,
    Classification,
    Detection,
    Finding,
    Picture,
    Profile,
)
from wavenetmv.video import VideoSummary

if TYPE_CHECKING:
    import torch

    from wavenetmv.analysis import Analyzer
    from wavenetmv.codec import PictureCodec
    from wavenetmv.frame_codec import Focus
    from wavenetmv.video_analysis import AnalyzedFrame

ProfileName = Literal["machine", "human"]
PictureLike = Image.Image | npt.NDArray[Any] | Picture

_engines: dict[Codec, PictureCodec] = {}
_analyzers: dict[tuple[Codec, str], Analyzer] = {}
_engines_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Codec:
    """Encodes and decodes with one setting; weights load at first use, once per process.

    device    "auto", "cpu" or "cuda"
    threads   of the computation, None for the machine's default
    weights   a weights file, None for the ones in the package
    inter_weights  the same for inter frames of videos
    head      a vision head's file, None for the one in the package that fits the stream

    A Codec is its settings: it pickles, compares and hashes, and threads may share it.
    Every method may raise CheckpointError when the weights are missing or wrong.
    """

    device: str = "auto"
    threads: int | None = None
    weights: Path | None = None
    inter_weights: Path | None = None
    head: Path | None = None

    def encode(
        self,
        picture: PictureLike,
        lmbda: float = LAMBDA_DEFAULT,
        profile: ProfileName | None = None,
        focus: bool | None = None,
        trials: int | None = None,
    ) -> bytes:
        """A .wmv stream of `picture`: a Pillow image or [H, W] or [H, W, 1|3|4] uint8/uint16.

        `lmbda` in 64..2048: larger means more bytes and fewer errors.  `profile`, "machine" or
        "human", is whom the bits serve; None is the default of the weights.  `focus`: spend fewer
        bits where the head that detects objects would not feel it; None does so for machines.
        `trials`: with a focus the picture is coded so often at most, each time so that the head
        answers more as to the original, and what finds most for its bits is kept; None: 16,
        24 below lambda 192, and down to 6 for pictures of more than two megapixels.
        """
        wanted = profile_of(profile)
        looking = self.focus(wanted, focus, trials)
        return self.engine().encode(_to_picture(picture), lmbda, wanted, looking)

    def encode_to_size(
        self,
        picture: PictureLike,
        max_bytes: int,
        profile: ProfileName | None = None,
        focus: bool | None = None,
        trials: int | None = None,
    ) -> bytes:
        """The best stream of at most `max_bytes`. UsageFault if lambda 64 does not fit."""
        wanted = profile_of(profile)
        looking = self.focus(wanted, focus, trials)
        data, _ = self.engine().encode_to_target(_to_picture(picture), max_bytes, wanted, looking)
        return data

    def decode(self, data: bytes) -> npt.NDArray[np.uint8]:
        """Pixels [H, W, 3], RGB. Raises StreamError."""
        return self.engine().decode(bytes(data)).pixels

    def decode_image(self, data: bytes) -> Image.Image:
        """A Pillow image, L, LA, RGB or RGBA, with EXIF, ICC, XMP and text in `info`."""
        return io.to_pil(self.engine().decode(bytes(data)))

    def latents(self, data: bytes) -> torch.Tensor:
        """Dequantised latents [1, M, ceil(H/64)*4, ceil(W/64)*4], no pixels computed."""
        return self.engine().latents(bytes(data))

    @overload
    def analyze(
        self, data: bytes, threshold: float | None = None, task: Literal["detect"] = "detect"
    ) -> list[Detection]: ...

    @overload
    def analyze(
        self, data: bytes, threshold: float | None = None, *, task: Literal["classify"]
    ) -> list[Classification]: ...

    @overload
    def analyze(
        self, data: bytes, threshold: float | None = None, task: str = "detect"
    ) -> list[Finding]: ...

    def analyze(
        self, data: bytes, threshold: float | None = None, task: str = "detect"
    ) -> list[Any]:
        """What is in the picture, best first, from its latents: no pixels are computed.

        task       "detect": objects with their boxes; "classify": at most five classes of
                   ImageNet, of the picture as a whole
        threshold  the least score, 0..1; None for 0.25 of objects, 0.05 of classes

        Raises StreamError, and CheckpointError when there is no head for the weights of this
        stream.
        """
        return self.analyzer(task).analyze(bytes(data), threshold)

    def analyze_video(
        self,
        source: str | Path | bytes | BinaryIO,
        threshold: float | None = None,
        every: int = 1,
        task: str = "detect",
        *,
        tracks: bool = False,
        allow_truncated: bool = False,
        skip_damaged: bool = False,
    ) -> Iterator[AnalyzedFrame]:
        """What the frames of a video show, one after the other: `frame.index`, `frame.time_s`,
        `frame.found` as `analyze` gives it, and `frame.pixels()`.

        source           a stream's file name, "-" for stdin, its bytes, or an open file or pipe
        threshold, task  as for `analyze`
        every            only every N-th frame
        tracks           number the objects, `track` of a detection; with the extra `track`
        allow_truncated  of a stream that was cut: its whole frames
        skip_damaged     leave out what is damaged

        Iterating raises what `analyze` does, InputError for what cannot be read and UsageFault.
        """
        from wavenetmv.video_analysis import VideoAnalyzer, by_latents

        analyzer = self.analyzer(task)
        opened = VideoAnalyzer(
            self.engine(), BytesIO(source) if isinstance(source, bytes) else source,
            by_latents(analyzer), analyzer.checked(threshold), every=every, tracks=tracks,
            allow_truncated=allow_truncated, skip_damaged=skip_damaged,
        )  # fmt: skip
        with opened as frames:
            yield from frames

    def encode_video(
        self,
        source: str | Path | BinaryIO,
        target: str | Path,
        lmbda: float = LAMBDA_DEFAULT,
        profile: ProfileName | None = None,
        *,
        focus: bool | None = None,
        trials: int = VIDEO_TRIALS_DEFAULT,
        gop: int | None = None,
        audio: bool = True,
        rate: Fraction | None = None,
        force: bool = False,
    ) -> VideoSummary:
        """Encode any video that ffmpeg reads into the stream `target`.

        source  a file, a folder of pictures, "frame_%05d.png", or an open file or pipe
        focus   as for `encode`; the head looks at every fourth frame
        trials  as for `encode`, of each frame: several take several times as long
        target  a file, "-" for standard output; `force` replaces what is there
        gop     frames from one intra frame to the next, at most; None: 32, or 1 where there are
                no weights of inter frames, and 1: all are intra frames
        audio   copy it along, where `source` is a file's name
        rate    frames per second of pictures, 25 without it

        Ctrl-C ends the stream with the frame it came after; KeyboardInterrupt is raised then.
        Raises InputError for what cannot be read or written and UsageFault.
        """

        def focus_for(found: Profile) -> Focus | None:
            return self.focus(found, focus, trials)

        return video.encode_video(
            self.engine(), source, target, lmbda=lmbda, profile=profile_of(profile), gop=gop,
            audio=audio, rate=rate, force=force, focus=focus_for,
        )  # fmt: skip

    def decode_video(
        self,
        source: str | Path | BinaryIO,
        target: str | Path,
        *,
        frames: slice | None = None,
        audio: bool = True,
        crf: int | None = None,
        force: bool = False,
        allow_truncated: bool = False,
        skip_damaged: bool = False,
    ) -> VideoSummary:
        """Decode a stream into clip.mp4, clip.mkv (lossless), frame_%05d.png, a folder, ...

        frames           only these, as in `frames=slice(100, 200)`
        crf              of mp4, mov and webm; 12 without it, 0 is best
        allow_truncated  of a stream that was cut: its whole frames, and a note
        skip_damaged     leave out what is damaged, with a note

        Raises StreamError, UsageFault and InputError; then nothing of `target` is left.
        """
        return video.decode_video(
            self.engine(), source, target, selection=_selection(frames), audio=audio, crf=crf,
            force=force, allow_truncated=allow_truncated, skip_damaged=skip_damaged,
        )  # fmt: skip

    def open_video(
        self,
        source: str | Path | BinaryIO,
        *,
        frames: slice | None = None,
        allow_truncated: bool = False,
        skip_damaged: bool = False,
    ) -> video.DecodedVideo:
        """The frames of a stream, one by one, in a `with` block; as in `decode_video`."""
        return video.DecodedVideo(
            self.engine(), source, selection=_selection(frames),
            allow_truncated=allow_truncated, skip_damaged=skip_damaged,
        )  # fmt: skip

    def analyzer(self, task: str = "detect") -> Analyzer:
        """The loaded head behind `analyze`, for many streams."""
        engine = self.engine()
        with _engines_lock:
            if (analyzer := _analyzers.get((self, task))) is None:
                from wavenetmv.analysis import Analyzer

                analyzer = _analyzers[self, task] = Analyzer(engine, task, self.head)
            return analyzer

    def focus(
        self, profile: Profile | None, wanted: bool | None, trials: int | None = None
    ) -> Focus | None:
        """What `engine().encode` takes to spend fewer bits where no objects are; see `encode`."""
        from wavenetmv.focus import focus_of

        return focus_of(self.analyzer(), profile, wanted, trials)

    def engine(self) -> PictureCodec:
        """The loaded codec behind this setting."""
        with _engines_lock:
            if (engine := _engines.get(self)) is None:
                from wavenetmv.codec import PictureCodec  # torch loads here

                engine = PictureCodec(self.device, self.threads, self.weights, self.inter_weights)
                _engines[self] = engine
            return engine


_DEFAULT = Codec()


def profile_of(name: str | None) -> Profile | None:
    """Raises UsageFault for anything but "machine", "human", "neutral" and None."""
    if name is None:
        return None
    try:
        return Profile[name.upper()]
    except KeyError as error:
        raise UsageFault(f"profile must be machine or human, got {name!r}") from error


def encode(
    picture: PictureLike,
    lmbda: float = LAMBDA_DEFAULT,
    profile: ProfileName | None = None,
    focus: bool | None = None,
    trials: int | None = None,
) -> bytes:
    """`Codec.encode` with default settings."""
    return _DEFAULT.encode(picture, lmbda, profile, focus, trials)


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """`Codec.decode` with default settings."""
    return _DEFAULT.decode(data)


def decode_image(data: bytes) -> Image.Image:
    """`Codec.decode_image` with default settings."""
    return _DEFAULT.decode_image(data)


def latents(data: bytes) -> torch.Tensor:
    """`Codec.latents` with default settings."""
    return _DEFAULT.latents(data)


@overload
def analyze(
    data: bytes, threshold: float | None = None, task: Literal["detect"] = "detect"
) -> list[Detection]: ...


@overload
def analyze(
    data: bytes, threshold: float | None = None, *, task: Literal["classify"]
) -> list[Classification]: ...


@overload
def analyze(data: bytes, threshold: float | None = None, task: str = "detect") -> list[Finding]: ...


def analyze(data: bytes, threshold: float | None = None, task: str = "detect") -> list[Any]:
    """`Codec.analyze` with default settings."""
    return _DEFAULT.analyze(data, threshold, task)


analyze_video = _DEFAULT.analyze_video
encode_video = _DEFAULT.encode_video
decode_video = _DEFAULT.decode_video
open_video = _DEFAULT.open_video


def info(data: bytes) -> StreamInfo:
    """Header fields and packets of a stream; needs neither weights nor torch."""
    return inspect(bytes(data))


def _to_picture(picture: PictureLike) -> Picture:
    if isinstance(picture, Picture):
        return picture
    if isinstance(picture, Image.Image):
        return io.from_pil(picture)
    return io.from_array(np.asarray(picture))


def _selection(frames: slice | None) -> video.Selection:
    if frames is None:
        return video.ALL
    if frames.step not in (None, 1):
        raise UsageFault(f"frames are consecutive; there is no step {frames.step}")
    return video.Selection(first=frames.start or 0, stop=frames.stop)
