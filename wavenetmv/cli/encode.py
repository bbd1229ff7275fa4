"""wmv encode"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from wavenetmv.cli import batch, options
from wavenetmv.cli.encode_video import VideoJob, look, parse_rate
from wavenetmv.cli.items import STDIO, Item, means_folder, plan, size_of
from wavenetmv.cli.own_weights import Weights, codec_of
from wavenetmv.cli.render import Reporter
from wavenetmv.errors import UsageFault

if TYPE_CHECKING:
    from wavenetmv.api import Codec
    from wavenetmv.frame_codec import Focus as FocusOf
    from wavenetmv.types import Picture, Profile

_LAMBDA_DEFAULT = 512.0

Lambda = Annotated[
    float | None,
    typer.Option(
        "--lambda", "-l", min=64, max=2048, show_default="512",
        help="Quality: larger means more bytes and fewer errors.",
    ),
]  # fmt: skip
TargetBpp = Annotated[
    float | None, typer.Option(min=0, help="Best quality within so many bits per pixel.")
]
TargetSize = Annotated[int | None, typer.Option(min=1, help="Best quality within so many bytes.")]
DropAlpha = Annotated[bool, typer.Option("--drop-alpha", help="Leave alpha out.")]
DropMetadata = Annotated[
    bool, typer.Option("--drop-metadata", help="Leave EXIF, ICC, XMP and text out.")
]
Focus = Annotated[
    bool | None,
    typer.Option(
        "--focus/--no-focus", show_default="focus for machines",
        help="Spend fewer bits where detection would not feel it.",
    ),
]  # fmt: skip
Trials = Annotated[
    int | None,
    typer.Option(
        min=1,
        show_default="16 with a focus, 24 below lambda 192, fewer above 2 megapixels; videos 1",
        help="Code each picture or frame so often at most, and keep what finds most for its bits.",
    ),
]  # fmt: skip
Gop = Annotated[
    int | None,
    typer.Option(
        min=1, show_default="32",
        help="Frames of a video from one intra frame to the next, at most; 1: all are.",
    ),
]  # fmt: skip
AsVideo = Annotated[
    bool, typer.Option("--video", help="Each input is a video, also a folder of pictures or a GIF.")
]
Fps = Annotated[
    str | None,
    typer.Option(show_default="25", help="Frames per second where pictures make a video."),
]


def encode(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Pictures, videos, frame_%05d.png, folders of pictures, or - for stdin.",
        ),
    ],
    output: options.Output = None,
    lmbda: Lambda = None,
    target_bpp: TargetBpp = None,
    target_size: TargetSize = None,
    profile: options.For = None,
    focus: Focus = None,
    trials: Trials = None,
    drop_alpha: DropAlpha = False,
    drop_metadata: DropMetadata = False,
    gop: Gop = None,
    no_audio: options.NoAudio = False,
    video: AsVideo = False,
    fps: Fps = None,
    weights: Weights = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS_DEFAULT,
    threads: options.Threads = None,
    device: options.OnDevice = options.Device.AUTO,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Compress pictures and videos into .wmv files, beside them unless -o says otherwise."""
    if sum(option is not None for option in (lmbda, target_bpp, target_size)) > 1:
        raise UsageFault("--lambda, --target-bpp and --target-size exclude each other")
    from wavenetmv.api import profile_of
    from wavenetmv.io import READABLE_SUFFIXES
    from wavenetmv.io.video import CONTAINERS

    wanted = profile_of(profile)
    foreign = READABLE_SUFFIXES | CONTAINERS.keys()
    items = plan(
        inputs,
        output,
        suffix=".wmv",
        wanted=READABLE_SUFFIXES,
        file_suffixes={".wmv", *foreign},
        expand=not video,
    )
    if output is not None and not means_folder(output):
        _check_suffix(output, foreign)
    codec = codec_of(device.value, threads, weights)
    rate = _Rate(lmbda or _LAMBDA_DEFAULT, target_bpp, target_size, wanted, focus, trials)
    pictures = _Job(codec, rate, drop_alpha, drop_metadata, max_pixels, force)
    frame_rate = parse_rate(fps) if fps else None
    videos = VideoJob(
        codec,
        None if rate.has_target else rate.lmbda,
        wanted,
        focus,
        trials,
        gop,
        not no_audio,
        frame_rate,
        max_pixels,
        force,
    )
    job = _Either(pictures, videos, video)
    to_stdout = any(item.target == STDIO for item in items)
    batch.run(items, job, Reporter(as_json, quiet, on_stderr=to_stdout))


def _check_suffix(output: str, foreign: Collection[str]) -> None:
    """Raises UsageFault where -o names a picture or video: nobody could open it as one."""
    path = PurePath(output)
    if path.suffix.lower() in foreign:
        raise UsageFault(
            f"{output}: encode writes .wmv, not {path.suffix}; try -o {path.with_suffix('.wmv')}"
        )


@dataclass(frozen=True)
class _Rate:
    """How large a stream may get: a lambda, or the best lambda within a size."""

    lmbda: float
    target_bpp: float | None
    target_size: int | None
    profile: Profile | None
    focus: bool | None
    trials: int | None

    @property
    def has_target(self) -> bool:
        return self.target_bpp is not None or self.target_size is not None

    def focus_with(self, codec: Codec) -> FocusOf | None:
        return codec.focus(self.profile, self.focus, self.trials)

    def encode(self, codec: Codec, picture: Picture) -> tuple[bytes, float]:
        """The stream and the lambda that was asked for or found."""
        focus = self.focus_with(codec)
        if self.target_bpp is not None:
            limit = int(self.target_bpp * picture.width * picture.height / 8)
        elif self.target_size is not None:
            limit = self.target_size
        else:
            return codec.engine().encode(picture, self.lmbda, self.profile, focus), self.lmbda
        return codec.engine().encode_to_target(picture, limit, self.profile, focus)


@dataclass(frozen=True)
class _Either:
    """Decides for each input what it is."""

    pictures: _Job
    videos: VideoJob
    all_videos: bool

    def __call__(self, item: Item, frames: batch.Frames) -> dict[str, Any]:
        source, is_video = look(item.source)
        if is_video or self.all_videos:
            return self.videos(item, source, frames)
        if self.videos.rate is not None:
            raise UsageFault("--fps is for pictures that make a video; --video says that they do")
        return self.pictures(item, source)


@dataclass(frozen=True)
class _Job:
    codec: Codec
    rate: _Rate
    drop_alpha: bool
    drop_metadata: bool
    max_pixels: int
    force: bool

    def __call__(self, item: Item, source: str | BinaryIO) -> dict[str, Any]:
        from wavenetmv.io import open_sink, read_picture

        batch.check_output(item, self.force)
        picture = read_picture(source, keep_alpha=not self.drop_alpha, max_pixels=self.max_pixels)
        if self.drop_metadata:
            picture = replace(picture, metadata=())
        # Loading the weights is not part of the time reported.
        self.codec.engine().load()
        self.rate.focus_with(self.codec)
        started = time.perf_counter()
        data, lmbda = self.rate.encode(self.codec, picture)
        seconds = time.perf_counter() - started
        batch.make_folder(item)
        with open_sink(item.target, force=self.force) as sink:
            sink.write(data)
        input_bytes = size_of(item.source)
        return {
            "input": item.source,
            "output": item.target,
            "width": picture.width,
            "height": picture.height,
            "lambda": lmbda,
            "input_bytes": input_bytes,
            "bytes": len(data),
            "bpp": 8 * len(data) / (picture.width * picture.height),
            "ratio": input_bytes / len(data) if input_bytes else None,
            "seconds": round(seconds, 4),
            "notes": [*picture.notes, *_notes_on_extras(data)],
        }


# What small files may be made of for the most part, without anybody having thought of it.
_EXTRAS = ("metadata", "alpha")  # packets have these names, and so have options
_NOTABLE_SHARE, _NOTABLE_BYTES = 0.25, 500


def _notes_on_extras(data: bytes) -> list[str]:
    """What takes much of a stream beside the picture itself, and how to do without."""
    from wavenetmv.bitstream import inspect

    packets = inspect(data).packets
    notes = []
    for extra in _EXTRAS:
        size = sum(packet.total_bytes for packet in packets if packet.name == extra.upper())
        if size >= max(_NOTABLE_BYTES, _NOTABLE_SHARE * len(data)):
            notes.append(f"{size} of {len(data)} bytes are {extra}; --drop-{extra} leaves it out")
    return notes
