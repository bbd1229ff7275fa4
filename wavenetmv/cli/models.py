"""wmv models"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from wavenetmv.cli import options, render

if TYPE_CHECKING:
    from wavenetmv.models.registry import HeadInfo, WeightsInfo

_COLUMNS = ("kind", "name", "reads", "parameters", "size", "licence", "sha256")


def models(as_json: options.Json = False) -> None:
    """List the trained weights in this package and in the folders of $WAVENETMV_WEIGHTS.

    Those of pictures, of inter frames of videos, and vision heads; of these also the hash of the
    weights whose streams they read.
    """
    from wavenetmv.models.registry import list_heads, list_inter_weights, list_weights

    codecs = {"pictures": list_weights(), "inter frames": list_inter_weights()}
    heads = list_heads()
    if as_json:
        for kind, found in codecs.items():
            _echo(kind, found)
        _echo("head", heads)
        return
    rows = [_row(kind, each.name, "", each) for kind, found in codecs.items() for each in found]
    rows += [
        _row("head, of decoded" if head.decoded else "head", head.task, head.codec_hash, head)
        for head in heads
    ]
    if rows:
        render.table(_COLUMNS, rows)
    else:
        typer.echo("no weights are installed")


def _echo(kind: str, found: Iterable[WeightsInfo | HeadInfo]) -> None:
    for weights in found:
        typer.echo(json.dumps({"kind": kind, **dataclasses.asdict(weights)}, default=str))


def _row(kind: str, name: str, reads: str, weights: WeightsInfo | HeadInfo) -> tuple[str, ...]:
    size = render.size_text(weights.file_bytes)
    parameters = f"{weights.parameters:,}"
    return kind, name, reads, parameters, size, weights.licence, weights.sha256
