"""Options that several commands share."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

# Written here too, so that --help need not load numpy; a test keeps the two equal.
MAX_PIXELS_DEFAULT = 178_956_970


class Device(str, Enum):
    """Where the networks run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


Output = Annotated[
    str | None, typer.Option("--output", "-o", help="A file, a folder, or - for stdout.")
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite existing outputs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Report errors only.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line for each input.")]
NoAudio = Annotated[bool, typer.Option("--no-audio", help="Leave the audio of videos out.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads to compute with.", show_default="all cores")
]
OnDevice = Annotated[Device, typer.Option("--device", help="Where the networks run.")]
MaxPixels = Annotated[int, typer.Option(min=1, help="Refuse pictures and frames with more pixels.")]

For = Annotated[
    str | None,
    typer.Option(
        "--for", show_default="what the weights were made for",
        help="Whom the bits serve: machine or human.",
    ),
]  # fmt: skip
