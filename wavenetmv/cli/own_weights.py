"""`--weights`: from files that the user names to the codec that uses them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wavenetmv.errors import UsageFault

if TYPE_CHECKING:
    from wavenetmv.api import Codec

Weights = Annotated[
    list[Path] | None,
    typer.Option(
        "--weights", metavar="FILE", show_default="those of the package",
        help="Weights of your own: of pictures, of inter frames (.inter.safetensors) or of a "
        "vision head (.head.safetensors); once for each kind.",
    ),
]  # fmt: skip


def codec_of(device: str, threads: int | None, weights: list[Path] | None) -> Codec:
    """The codec with these files in place of the package's. Raises UsageFault and CheckpointError.

    At most one file of each kind, which its name tells.
    """
    from wavenetmv.api import Codec
    from wavenetmv.models import registry

    kinds: dict[str, tuple[str, Callable[[Path], Any]]] = {
        registry.INTER_SUFFIX: ("inter frames", registry.read_inter_info),
        registry.HEAD_SUFFIX: ("a vision head", registry.read_head_info),
        "": ("pictures", registry.read_info),  # every other name
    }
    chosen: dict[str, Path] = {}
    for path in weights or ():
        suffix = next(suffix for suffix in kinds if path.name.endswith(suffix))
        content, read = kinds[suffix]
        if suffix in chosen:
            raise UsageFault(f"--weights names two files of {content}; one is used")
        read(path)  # a wrong file is one error, before any input is looked at
        chosen[suffix] = path
    return Codec(
        device,
        threads,
        weights=chosen.get(""),
        inter_weights=chosen.get(registry.INTER_SUFFIX),
        head=chosen.get(registry.HEAD_SUFFIX),
    )
