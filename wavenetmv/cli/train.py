"""wmv train"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavenetmv.cli import options
from wavenetmv.cli.training_progress import TrainingProgress
from wavenetmv.errors import UsageFault

_DEFAULT_MINUTES = 120.0


def train(
    data: Annotated[
        list[Path], typer.Option("--data", help="A folder of pictures; may be given again.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Checkpoints, logs and weights go here.")],
    stage: Annotated[
        str, typer.Option(help="1, 2a, 2b, 2c, 3 (3a, 3b, 3c), 3d, all, or video.")
    ] = "all",
    task: Annotated[str, typer.Option(help="Which vision head learns in stage 3.")] = "detect",
    teacher: Annotated[
        Path | None,
        typer.Option(
            help="The network that it learns from: YOLOX-nano as ONNX file to detect, "
            "EfficientNet-Lite0 as PyTorch state dict to classify."
        ),
    ] = None,
    head: Annotated[
        Path | None,
        typer.Option(
            help="Stage 3: start from this head file, whatever weights it is for. "
            "Stage video: the head that the machine profile is for."
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help=f"How long, {_DEFAULT_MINUTES:g} if not given.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="How many steps instead.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in OUT.")] = False,
    start: Annotated[
        Path | None, typer.Option("--from", help="Start from a weights file or checkpoint.")
    ] = None,
    inter: Annotated[
        Path | None, typer.Option(help="Stage video: start from this .inter file or checkpoint.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--for",
            show_default="all that the model can serve",
            help="Stage video: whom inter frames serve, machine or human.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of crops, lambdas and noise.")] = 0,
    cache: Annotated[
        Path | None, typer.Option(help="Where decoded pictures are kept; OUT/cache if not given.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="JSON with changes to the model and the stages.")
    ] = None,
    model: Annotated[str, typer.Option(help="Which sizes: base or small.")] = "base",
    name: Annotated[
        str | None,
        typer.Option(help="Name of the exported weights.", show_default="that of the model"),
    ] = None,
    threads: options.Threads = None,
    device: options.OnDevice = options.Device.AUTO,
    quiet: options.Quiet = False,
) -> None:
    """Train a codec on your own pictures and write its weights file into OUT.

    Prints the path of the weights file, and of a vision head after stage 3. Ctrl-C saves;
    --resume goes on from there.
    """
    if minutes is not None and steps is not None:
        raise UsageFault("--minutes and --steps exclude each other")
    if minutes is None and steps is None:
        minutes = _DEFAULT_MINUTES
    from wavenetmv.api import profile_of
    from wavenetmv.training.options import RunOptions
    from wavenetmv.training.run import run

    with TrainingProgress(minutes, steps, quiet) as progress:
        weights = run(
            RunOptions(
                data=data, out=out, cache=cache, stage=stage, task=task, teacher=teacher, head=head,
                minutes=minutes, steps=steps, resume=resume, start=start, inter=inter,
                profile=profile_of(profile), seed=seed, model=model, config=config, name=name,
                threads=threads, device=device.value,
            ),
            progress.decoded, progress.trained,
        )  # fmt: skip
    for path in weights:
        typer.echo(path)
