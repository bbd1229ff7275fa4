"""wmv eval-rd"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from wavenetmv.cli import options, render
from wavenetmv.cli.progress import progress


def eval_rd(
    folder: Annotated[Path, typer.Argument(help="A folder of pictures, say Kodak's.")],
    weights: Annotated[
        Path | None, typer.Option(help="A weights file or checkpoint; else the shipped weights.")
    ] = None,
    kodak: Annotated[
        bool, typer.Option("--kodak", help="Compare with curves published for Kodak.")
    ] = False,
    profile: options.For = None,
    threads: options.Threads = None,
    device: options.OnDevice = options.Device.AUTO,
    as_json: options.Json = False,
) -> None:
    """Rate and PSNR of real files at six lambdas, means over the pictures of FOLDER."""
    from wavenetmv.api import profile_of
    from wavenetmv.bench.pictures import load_folder
    from wavenetmv.bench.rate_distortion import compare_published, curve, measure_wmv
    from wavenetmv.codec import PictureCodec
    from wavenetmv.training.export import export

    pictures = load_folder(folder)
    with tempfile.TemporaryDirectory() as exported, progress(6) as step:
        if weights is not None and weights.suffix != ".safetensors":
            weights = export(weights, Path(exported))[0]
        codec = PictureCodec(device.value, threads, weights)
        rows = measure_wmv(
            codec, pictures, profile_of(profile), lambda lmbda: step(f"lambda {lmbda:g}")
        )
        points = curve(rows)
    changes = compare_published(points) if kodak else {}
    if as_json:
        found = [{"lambda": p.setting, "bpp": p.bpp, "psnr": p.psnr} for p in points]
        typer.echo(json.dumps({"points": found, "bd_rate_percent": changes}))
        return
    rows_text = [(f"{p.setting:g}", f"{p.bpp:.4f}", f"{p.psnr:.2f}") for p in points]
    render.table(("lambda", "bpp", "PSNR dB"), rows_text)
    if changes:
        render.table(
            ("published for Kodak", "BD-rate"),
            [(title, f"{change:+.1f}%") for title, change in changes.items()],
        )
