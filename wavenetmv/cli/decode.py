"""wmv decode"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from wavenetmv.cli import batch, options
from wavenetmv.cli.by_header import EitherKind
from wavenetmv.cli.decode_video import Form, Part, VideoJob, select
from wavenetmv.cli.items import STDIO, Item, plan, size_of
from wavenetmv.cli.own_weights import Weights, codec_of
from wavenetmv.cli.render import Reporter

if TYPE_CHECKING:
    from wavenetmv.api import Codec

FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        show_default="from -o, else png, and mp4 for videos",
        help="png, jpg, webp, avif, tif, bmp; for videos also mp4, mov, mkv, webm, gif, y4m.",
    ),
]
Quality = Annotated[
    int | None,
    typer.Option(
        min=1, max=100, show_default="jpg and avif 95, webp lossless",
        help="Quality of jpg, webp and avif outputs.",
    ),
]  # fmt: skip
DropAlpha = Annotated[bool, typer.Option("--drop-alpha", help="Write no alpha.")]
Crf = Annotated[
    int | None,
    typer.Option(show_default="12", help="Quality of mp4, mov and webm outputs; 0 is best."),
]
Frames = Annotated[
    str | None, typer.Option(metavar="A:B", help="Only frames A to B - 1 of a video, from 0.")
]
Time = Annotated[
    str | None,
    typer.Option("--time", metavar="S:E", help="Only frames from S to before E seconds."),
]
AllowTruncated = Annotated[
    bool, typer.Option("--allow-truncated", help="Of a video that was cut: its whole frames.")
]
SkipDamaged = Annotated[
    bool, typer.Option("--skip-damaged", help="Leave out what is damaged of a video, and go on.")
]


def decode(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help=".wmv files, folders, or - for stdin.")
    ],
    output: options.Output = None,
    format_name: FormatName = None,
    quality: Quality = None,
    drop_alpha: DropAlpha = False,
    crf: Crf = None,
    frames: Frames = None,
    time_range: Time = None,
    no_audio: options.NoAudio = False,
    allow_truncated: AllowTruncated = False,
    skip_damaged: SkipDamaged = False,
    weights: Weights = None,
    max_pixels: options.MaxPixels = options.MAX_PIXELS_DEFAULT,
    threads: options.Threads = None,
    device: options.OnDevice = options.Device.AUTO,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Turn .wmv files back into pictures and videos: NAME.png or NAME.mp4 beside NAME.wmv
    unless -o says otherwise. Into a folder, pattern or name without suffix, one video becomes
    numbered pictures."""
    from wavenetmv.io.formats import SUFFIXES
    from wavenetmv.io.video import CONTAINERS

    form = Form(format_name)
    items = plan(
        inputs, output, suffix=form.suffix, wanted={".wmv"}, file_suffixes={*SUFFIXES, *CONTAINERS}
    )
    codec = codec_of(device.value, threads, weights)
    pictures = _Job(codec, form, quality, drop_alpha, max_pixels, force)
    part = Part(select(frames, time_range), not no_audio, allow_truncated, skip_damaged)
    videos = VideoJob(codec, form, crf, part, max_pixels, force)
    given = {"--crf": crf, "--frames": frames, "--time": time_range}
    no_video = None if quality is None else "--quality is for pictures; videos have --crf"
    for_videos = tuple(name for name, value in given.items() if value)
    job = EitherKind(pictures, videos, no_video, for_videos)
    if len(inputs) == 1 and output is not None:
        items = [form.numbered(item, output) for item in items]
    to_stdout = any(item.target == STDIO for item in items)
    batch.run(items, job, Reporter(as_json, quiet, on_stderr=to_stdout))


@dataclass(frozen=True)
class _Job:
    codec: Codec
    form: Form
    quality: int | None
    drop_alpha: bool
    max_pixels: int
    force: bool

    def __call__(self, item: Item, source: BinaryIO) -> dict[str, Any]:
        from wavenetmv.io.files import open_sink, translated
        from wavenetmv.io.formats import format_of
        from wavenetmv.io.writing import check_quality, picture_bytes

        named = "png" if item.target == STDIO else item.target
        chosen = self.form.of_pictures() or format_of(named)
        check_quality(chosen, self.quality)
        batch.check_output(item, self.force)
        self.codec.engine()  # loading the weights is not part of the time reported
        started = time.perf_counter()
        with translated(item.source):
            picture = self.codec.engine().decode(source, self.max_pixels)
        seconds = time.perf_counter() - started
        if self.drop_alpha:
            picture = replace(picture, alpha=None)
        data, notes = picture_bytes(picture, chosen, self.quality)
        batch.make_folder(item)
        with open_sink(item.target, force=self.force) as sink:
            sink.write(data)
        return {
            "input": item.source,
            "output": item.target,
            "width": picture.width,
            "height": picture.height,
            "input_bytes": size_of(item.source),
            "bytes": len(data),
            "seconds": round(seconds, 4),
            "notes": [*picture.notes, *notes],
        }
