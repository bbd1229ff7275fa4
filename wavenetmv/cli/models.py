"""wmv models"""

from __future__ import annotations

import dataclasses
import json

import typer

from wavenetmv.cli import options, render


def models(as_json: options.Json = False) -> None:
    """List the trained weights in this package, with their hash and licence."""
    from wavenetmv.models.registry import list_weights

    found = list_weights()
    if as_json:
        for weights in found:
            typer.echo(json.dumps(dataclasses.asdict(weights), default=str))
        return
    if not found:
        typer.echo("no weights are installed")
        return
    rows = [
        (
            weights.name,
            str(weights.model_id),
            f"{weights.parameters:,}",
            render.size_text(weights.file_bytes),
            weights.licence,
            weights.sha256,
        )
        for weights in found
    ]
    render.table(("name", "id", "parameters", "size", "licence", "sha256"), rows)
