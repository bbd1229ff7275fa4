"""`--weights`: from files that the user names to the codec that uses them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavenetmv.errors import UsageFault

if TYPE_CHECKING:
    from wavenetmv.api import Codec

Weights = Annotated[
    list[Path] | None,
    typer.Option(
        "--weights", metavar="FILE", show_default="those of the package",
        help="Weights of your own, of pictures or of inter frames (.inter.safetensors).",
    ),
]  # fmt: skip


def codec_of(device: str, threads: int | None, weights: list[Path] | None) -> Codec:
    """The codec with these files in place of the package's. Raises UsageFault and CheckpointError.

    At most one file of each kind, which its name tells.
    """
    from wavenetmv.api import Codec
    from wavenetmv.models.registry import INTER_SUFFIX, read_info, read_inter_info

    inter = [path for path in weights or () if path.name.endswith(INTER_SUFFIX)]
    pictures = [path for path in weights or () if path not in inter]
    for files, kind in ((pictures, "pictures"), (inter, "inter frames")):
        if len(files) > 1:
            raise UsageFault(f"--weights names {len(files)} files of {kind}; one is used")
    # Wrong files are one error, before any input is looked at.
    for path in pictures:
        read_info(path)
    for path in inter:
        read_inter_info(path)
    return Codec(device, threads, next(iter(pictures), None), next(iter(inter), None))
