"""wmv bench"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavenetmv.cli import options, render
from wavenetmv.cli.bench_input import (
    checkpoints_of,
    default_metrics,
    find_inputs,
    names,
    names_videos,
    settings_of,
    weights_file,
)
from wavenetmv.cli.bench_output import show_json, show_tables
from wavenetmv.cli.progress import progress
from wavenetmv.errors import InputError, UsageFault

if TYPE_CHECKING:
    from wavenetmv.bench.preparation import Prepared
    from wavenetmv.bench.results import Results

_RESULTS = "results.json"

Codecs = Annotated[
    str | None,
    typer.Option(
        show_default="all", metavar="A,B,...",
        help="wmv, wmv-no-focus, wmv-human, jpeg, webp, jpeg2000, jpegxl, hevc, av1, avif, vvc,"
        " vtm, bmshj2018, cheng2020; of video wmv, wmv-trials, wmv-intra, wmv-human,"
        " wmv-human-intra, x264, x265, svt-av1, vvc.",
    ),
]  # fmt: skip
Metrics = Annotated[
    str | None,
    typer.Option(
        show_default="psnr, ms-ssim and what the other options allow", metavar="A,B,...",
        help="psnr, ms-ssim, vmaf (of video), map (detection against --annotations), agreement"
        " (against the detector's own result on the original), top1 (the same of the classifier).",
    ),
]  # fmt: skip
Annotations = Annotated[
    Path | None, typer.Option(help="Objects in the pictures, COCO's instances.json.")
]
Detector = Annotated[
    Path | None,
    typer.Option(
        help="A YOLOX-style ONNX file, or NanoDet's .param of ncnn, that looks at decoded pictures."
    ),
]
Classifier = Annotated[
    Path | None,
    typer.Option(help="EfficientNet-Lite0's weights, a PyTorch file, to classify pictures with."),
]
Anchor = Annotated[
    str | None,
    typer.Option(
        show_default="vvc, of video x264,wmv-intra, else the first", metavar="A[,B,...]",
        help="Codec that the others are held against; further ones have tables of their own.",
    ),
]  # fmt: skip
Points = Annotated[
    int | None, typer.Option(min=1, show_default="all", help="Settings per codec, evenly chosen.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=A,B,...",
        help="Measure a codec at these qualities of its settings only; again for other codecs.",
    ),
]  # fmt: skip
Checkpoints = Annotated[
    list[str] | None,
    typer.Option(
        "--checkpoint", metavar="NAME=FILE",
        help="A trained model of bmshj2018 or cheng2020; again for further rates, rising.",
    ),
]  # fmt: skip
Jobs = Annotated[int, typer.Option(min=1, help="Processes side by side, one thread each.")]
Resume = Annotated[
    bool, typer.Option("--resume/--no-resume", help="Use what earlier runs left in OUT/cache.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Points and comparisons as one JSON object on stdout.")
]
Video = Annotated[
    bool,
    typer.Option(
        "--video", help="A folder of pictures is a clip; not needed where a video file is named."
    ),
]
Frames = Annotated[
    int | None, typer.Option(min=1, show_default="all", help="Of each clip, from its beginning.")
]
Gop = Annotated[
    int | None,
    typer.Option(
        min=1,
        show_default="32",
        help="Frames from one intra frame of a video to the next, at most.",
    ),
]
InterWeights = Annotated[
    Path | None,
    typer.Option(help="A weights file for wmv's inter frames; else the shipped weights."),
]
Published = Annotated[
    str | None, typer.Option(metavar="kodak", help="Draw the curves published for these pictures.")
]


def bench(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="Pictures, videos or folders.")
    ],
    codecs: Codecs = None,
    metrics: Metrics = None,
    annotations: Annotations = None,
    detector: Detector = None,
    classifier: Classifier = None,
    anchor: Anchor = None,
    points: Points = None,
    settings: Settings = None,
    checkpoints: Checkpoints = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="A weights file or checkpoint for wmv; else the shipped weights."),
    ] = None,
    video: Video = False,
    frames: Frames = None,
    gop: Gop = None,
    inter_weights: InterWeights = None,
    out: Annotated[Path, typer.Option(help="Results, plots, report and cache.")] = Path(
        "wmv-bench"
    ),
    jobs: Jobs = 1,
    resume: Resume = True,
    published: Published = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare codecs on your own pictures or videos: real files, rates, qualities, objects, times.

    Writes results.csv, results.json, plots and report.html into OUT. Ctrl-C keeps what is
    done; the same command goes on from there.
    """
    if published not in (None, "kodak"):
        raise UsageFault(f"published curves exist for kodak, not for {published}")
    if (out / _RESULTS).exists() and not force:
        raise UsageFault(f"{out / _RESULTS} exists; --force replaces it, its cache is used again")
    from wavenetmv.bench.codecs.base import CodecOptions
    from wavenetmv.bench.codecs.registry import default_names
    from wavenetmv.bench.preparation import prepare
    from wavenetmv.bench.request import Request
    from wavenetmv.types import GOP_DEFAULT

    video = video or names_videos(inputs)
    if gop and not video:
        raise UsageFault("--gop is for video; --video makes a clip of a folder of pictures")
    found = find_inputs(inputs, video)
    with _folder(out):
        trained = CodecOptions(
            weights_file(weights, out), checkpoints_of(checkpoints or []),
            (gop or GOP_DEFAULT) if video else None, inter_weights,
        )  # fmt: skip
        main_anchor, *further = names(anchor) or [""]
        request = Request(
            pictures=found,
            codecs=names(codecs) or default_names(video),
            metrics=names(metrics) or default_metrics(annotations, detector, classifier, video),
            out=out, annotations=annotations, detector=detector, classifier=classifier,
            anchor=main_anchor, further=further, frames=frames, points=points,
            settings=settings_of(settings or []), options=trained, jobs=jobs, resume=resume,
            published=published is not None, command=shlex.join(["wmv", *sys.argv[1:]]),
        )  # fmt: skip
        prepared = prepare(request)
        for line in prepared.left_out:
            render.error_line(line)
        results = _run(prepared, quiet)
        _write(results, prepared)
    for line in results.failures[len(prepared.left_out) :]:
        render.error_line(line)
    if as_json:
        show_json(results)
    elif not quiet:
        show_tables(results, out)
    # Codecs that only the default list names may be missing: few users have them all.
    asked = {"wmv", *names(codecs), *trained.checkpoints}
    missing = asked & set(prepared.unavailable)
    if missing or prepared.unreadable or any(row.error for row in results.rows):
        raise typer.Exit(1)


def _run(prepared: Prepared, quiet: bool) -> Results:
    from wavenetmv.bench.runner import run

    try:
        with progress(len(prepared.jobs), time_left=True) as step:
            return run(prepared, lambda job: step(job.title))
    except KeyboardInterrupt:
        if not quiet:
            where = prepared.plan.out / "cache"
            typer.echo(f"what is done is kept in {where}; the same command goes on", err=True)
        raise


def _write(results: Results, prepared: Prepared) -> None:
    """Numbers first: they are kept if drawing fails."""
    from wavenetmv.bench.plots import draw_all
    from wavenetmv.bench.report import comparison_pictures, write_report
    from wavenetmv.bench.results import save

    out = prepared.request.out
    save(results, out)
    draw_all(results, out)
    sources = {source.name: source for source in prepared.sources}
    write_report(
        results, out, comparison_pictures(results, out, lambda name: sources[name].shown())
    )


@contextmanager
def _folder(out: Path) -> Iterator[None]:
    """Make it; one that this run leaves empty disappears again."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: {error.strerror}") from error
    try:
        yield
    finally:
        with suppress(OSError):
            out.rmdir()
