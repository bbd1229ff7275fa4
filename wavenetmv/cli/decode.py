"""wmv decode"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wavenetmv.cli import batch, options
from wavenetmv.cli.items import STDIO, Item, plan, size_of
from wavenetmv.cli.render import Reporter

if TYPE_CHECKING:
    from wavenetmv.api import Codec
    from wavenetmv.io.formats import Format

FormatName = Annotated[
    str | None,
    typer.Option(
        "--format", show_default="from -o, else png", help="png, jpg, webp, avif, tif or bmp."
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


def decode(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help=".wmv files, folders, or - for stdin.")
    ],
    output: options.Output = None,
    format_name: FormatName = None,
    quality: Quality = None,
    drop_alpha: DropAlpha = False,
    max_pixels: options.MaxPixels = options.MAX_PIXELS_DEFAULT,
    threads: options.Threads = None,
    device: options.OnDevice = options.Device.AUTO,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Turn .wmv files back into pictures: NAME.png beside NAME.wmv unless -o says otherwise."""
    from wavenetmv.api import Codec
    from wavenetmv.io.formats import SUFFIXES, format_of

    named = format_of(format_name) if format_name else None
    suffix = f".{format_name.lower().lstrip('.')}" if format_name else ".png"
    items = plan(inputs, output, suffix=suffix, wanted={".wmv"}, file_suffixes=SUFFIXES)
    job = _Job(Codec(device.value, threads), named, quality, drop_alpha, max_pixels, force)
    to_stdout = any(item.target == STDIO for item in items)
    batch.run(items, job, Reporter(as_json, quiet, on_stderr=to_stdout))


@dataclass(frozen=True)
class _Job:
    codec: Codec
    named: Format | None
    quality: int | None
    drop_alpha: bool
    max_pixels: int
    force: bool

    def __call__(self, item: Item) -> dict[str, Any]:
        from wavenetmv.io.files import open_sink, open_source, translated
        from wavenetmv.io.formats import format_of
        from wavenetmv.io.writing import check_quality, picture_bytes

        chosen = self.named or format_of("png" if item.target == STDIO else item.target)
        check_quality(chosen, self.quality)
        batch.check_output(item, self.force)
        with open_source(item.source) as source:
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
