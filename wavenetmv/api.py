"""The Python interface behind `import wavenetmv`: arrays and Pillow images to bytes and back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from wavenetmv import io
from wavenetmv.bitstream import StreamInfo, inspect
from wavenetmv.errors import UsageFault
from wavenetmv.types import (
    LAMBDA_DEFAULT,
    Classification,
    Detection,
    Finding,
    Picture,
    Profile,
)

if TYPE_CHECKING:
    import torch

    from wavenetmv.analysis import Analyzer
    from wavenetmv.codec import PictureCodec
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

    A Codec is its settings: it pickles, compares and hashes, and threads may share it.
    Every method may raise CheckpointError when the weights are missing or wrong.
    """

    device: str = "auto"
    threads: int | None = None
    weights: Path | None = None

    def encode(
        self,
        picture: PictureLike,
        lmbda: float = LAMBDA_DEFAULT,
        profile: ProfileName | None = None,
    ) -> bytes:
        """A .wmv stream of `picture`: a Pillow image or [H, W] or [H, W, 1|3|4] uint8/uint16.

        `lmbda` in 64..2048: larger means more bytes and fewer errors.  `profile`, "machine" or
        "human", is whom the bits serve; None is the default of the weights.
        """
        return self.engine().encode(_to_picture(picture), lmbda, profile_of(profile))

    def encode_to_size(
        self, picture: PictureLike, max_bytes: int, profile: ProfileName | None = None
    ) -> bytes:
        """The best stream of at most `max_bytes`. UsageFault if lambda 64 does not fit."""
        wanted = profile_of(profile)
        data, _ = self.engine().encode_to_target(_to_picture(picture), max_bytes, wanted)
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

    def analyzer(self, task: str = "detect") -> Analyzer:
        """The loaded head behind `analyze`, for many streams."""
        engine = self.engine()
        with _engines_lock:
            if (analyzer := _analyzers.get((self, task))) is None:
                from wavenetmv.analysis import Analyzer

                analyzer = _analyzers[self, task] = Analyzer(engine, task)
            return analyzer

    def engine(self) -> PictureCodec:
        """The loaded codec behind this setting."""
        with _engines_lock:
            if (engine := _engines.get(self)) is None:
                from wavenetmv.codec import PictureCodec  # torch loads here

                engine = PictureCodec(self.device, self.threads, self.weights)
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
    picture: PictureLike, lmbda: float = LAMBDA_DEFAULT, profile: ProfileName | None = None
) -> bytes:
    """`Codec.encode` with default settings."""
    return _DEFAULT.encode(picture, lmbda, profile)


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


def info(data: bytes) -> StreamInfo:
    """Header fields and packets of a stream; needs neither weights nor torch."""
    return inspect(bytes(data))


def _to_picture(picture: PictureLike) -> Picture:
    if isinstance(picture, Picture):
        return picture
    if isinstance(picture, Image.Image):
        return io.from_pil(picture)
    return io.from_array(np.asarray(picture))
