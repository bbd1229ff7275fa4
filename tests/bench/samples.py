"""A small benchmark for the tests of what is drawn and written: real JPEG and WebP files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from wavenetmv.bench.detection_files import write_detections
from wavenetmv.bench.published import published_kodak
from wavenetmv.bench.results import DETECTION, Comparison, PictureInfo, Point, Results, Row, Weights
from wavenetmv.metrics import Pixels, bits_per_pixel, psnr
from wavenetmv.types import Detection

HOSTILE = '"><script>alert(1)</script>&amp;.png'
QUALITIES = (5, 30, 80)
# Not results of any codec: what the tests of drawing and writing look for.
ACCURACY = {"wmv": (0.21, 0.25, 0.27), "jpeg": (0.05, 0.2, 0.28), "webp": (0.15, 0.22, 0.29)}
LATENTS = (0.11, 0.14, 0.13)
BASELINE = 0.3


def sample_pictures(photographs: Path) -> dict[str, Pixels]:
    """Two crops of photographs; the first has a name that is not meant well."""
    pictures = {}
    for name, source in ((HOSTILE, "chelsea.png"), ("coffee.png", "coffee.png")):
        with Image.open(photographs / source) as image:
            crop = image.convert("RGB").crop((100, 60, 292, 188))
        pictures[name] = np.asarray(crop)
    return pictures


def sample_results(photographs: Path, folder: Path) -> Results:
    """Rows of JPEG, WebP and, standing in for wmv, WebP again; files in `folder`."""
    pictures = sample_pictures(photographs)
    rows = [
        _row(codec, quality, name, place, pixels, folder)
        for codec in ("wmv", "jpeg", "webp")
        for quality in QUALITIES
        for place, (name, pixels) in enumerate(pictures.items())
    ]
    failed = Row("webp", "q30", HOSTILE, 192, 128, error="cannot <b>encode</b>")
    infos = []
    for place, (name, pixels) in enumerate(pictures.items()):
        found = f"original-{place}.json"
        write_detections(folder / found, [_detection(0.9)])
        infos.append(PictureInfo(name, pixels.shape[1], pixels.shape[0], True, found))
    return Results(
        date="2026-03-01T12:00:00+00:00",
        command="wmv bench /home/user/photos --out=/tmp/run",
        jobs=2,
        anchor="jpeg",
        machine={"processor": "a <b>bold</b> one", "cores": "2"},
        versions={"wavenetmv": "1.2.3"},
        titles={"wmv": "wmv", "jpeg": "JPEG | <i>baseline</i>", "webp": "WebP for $5"},
        settings={"wmv": "--lambda", "jpeg": "quality=<script>", "webp": "method=6"},
        weights=Weights("base", "0123abcd"),
        detector="detector.onnx 99aa",
        annotations="instances.json",
        baseline={"map": BASELINE},
        pictures=tuple(infos),
        rows=(*rows, failed),
        points=tuple(_points(rows)),
        comparisons=COMPARISONS,
        published={"vtm": published_kodak()["vtm"], "jpeg": published_kodak()["jpeg"]},
        failures=(f"webp q30 {HOSTILE}: cannot <b>encode</b>",),
        notes=("vvc: this <ffmpeg> has no libvvenc", "left out: /home/user/a/b.png, x/y.png 1/2 s"),
    )


COMPARISONS = (
    Comparison("jpeg", "wmv", "psnr", "pixels", -31.25, -36.0, -26.0, 1.5),
    Comparison("jpeg", "webp", "psnr", "pixels", -40.5, -47.0, -38.0, 2.25),
    Comparison("jpeg", "wmv", "map", "pixels", -12.0, note="on 2 pictures"),
    Comparison("jpeg", "wmv", "map", "latents", None, note="no common range"),
    Comparison("jpeg", "webp", "map", "pixels", 400.0, 300.0, 500.0, -0.02),
)


def _row(codec: str, quality: int, name: str, place: int, pixels: Pixels, folder: Path) -> Row:
    coded = io.BytesIO()
    name_of_format = "JPEG" if codec == "jpeg" else "WEBP"
    Image.fromarray(pixels).save(coded, name_of_format, quality=quality + (codec == "wmv"))
    data = coded.getvalue()
    with Image.open(coded) as image:
        decoded = np.asarray(image.convert("RGB"))
    height, width = pixels.shape[:2]
    stem = f"{codec}-{quality}-{place}"
    Image.fromarray(decoded).save(folder / f"{stem}.png")
    write_detections(folder / f"{stem}.json", [_detection(0.5 + quality / 200)])
    if codec == "wmv":
        write_detections(folder / f"{stem}-latents.json", [_detection(0.45), _detection(0.1)])
    return Row(
        codec, f"q{quality}", name, width, height, len(data),
        bits_per_pixel(len(data), width, height), psnr(pixels, decoded),
        encode_s=0.001 * quality, decode_s=0.0005 * quality,
        detections_file=f"{stem}.json",
        latents_file=f"{stem}-latents.json" if codec == "wmv" else None,
        decoded_file=f"{stem}.png",
    )  # fmt: skip


def _detection(score: float) -> Detection:
    return Detection(15, "<cat>", score, (19.2, 12.8, 96.0, 64.0))


def _points(rows: list[Row]) -> list[Point]:
    points = []
    for codec, accuracy in ACCURACY.items():
        for quality, value in zip(QUALITIES, accuracy, strict=True):
            chosen = [r for r in rows if (r.codec, r.setting) == (codec, f"q{quality}")]
            bpp, dB = (float(np.mean([getattr(r, n) for r in chosen])) for n in ("bpp", "psnr"))
            points.append(
                Point(
                    codec, f"q{quality}", bpp, dB, 1 - 10 ** (-dB / 20), dB / 2,
                    0.001 * quality, 0.0005 * quality, pictures=len(chosen), tasks=_tasks(value),
                )
            )  # fmt: skip
    own = [p for p in points if p.codec == "wmv"]
    for point, value in zip(own, LATENTS, strict=True):
        points.append(
            Point("wmv", point.setting, point.bpp, path="latents", pictures=2, tasks=_tasks(value))
        )
    return points


def _tasks(accuracy: float) -> dict[str, dict[str, float | None]]:
    return {DETECTION: {"map": accuracy, "relative_map": accuracy / BASELINE, "top1": None}}
