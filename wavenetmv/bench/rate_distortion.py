"""Rate, PSNR and MS-SSIM of the shipped weights on real files, against JPEG and WebP run here.

    python -m wavenetmv.bench.rate_distortion FOLDER [--json OUT] [--checkpoint PT] [--kodak]
        [--for human]

With --checkpoint (of training, which still has the floating-point entropy model) the real
bytes are compared with that model's estimate too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from wavenetmv.api import profile_of
from wavenetmv.bench.codecs.pillow import JPEG, WEBP, PillowCodec
from wavenetmv.bench.pictures import load_folder
from wavenetmv.bench.published import published_kodak
from wavenetmv.bitstream import inspect
from wavenetmv.codec import PictureCodec
from wavenetmv.metrics import Pixels, bd_rate, bits_per_pixel, decibels, ms_ssim, psnr
from wavenetmv.models.gains import ANCHOR_LAMBDAS
from wavenetmv.training.export import load_checkpoint
from wavenetmv.types import Picture, Profile


@dataclass(frozen=True)
class Point:
    """Means over all pictures at one setting."""

    codec: str
    setting: float
    bpp: float
    psnr: float
    ms_ssim_db: float | None  # decibels of the mean; None where a picture is too small for it


@dataclass(frozen=True)
class Coded:
    """One picture at one setting. ms_ssim: 0..1; None if it is too small, or was not wanted."""

    name: str
    codec: str
    setting: float
    file_bytes: int
    bpp: float
    psnr: float
    ms_ssim: float | None = None


def measure(
    codec: str,
    settings: Iterable[float],
    pictures: dict[str, Pixels],
    encode: Callable[[Pixels, float], bytes],
    decode: Callable[[bytes, int, int], Pixels],
    begins: Callable[[float], None] = lambda setting: None,
    with_ms_ssim: bool = False,
) -> list[Coded]:
    """Real bytes at every setting; `begins` is called before each."""
    rows = []
    for setting in settings:
        begins(setting)
        for name, pixels in pictures.items():
            data = encode(pixels, setting)
            height, width = pixels.shape[:2]
            bpp = bits_per_pixel(len(data), width, height)
            decoded = decode(data, height, width)
            likeness = ms_ssim(pixels, decoded) if with_ms_ssim else None
            quality = psnr(pixels, decoded)
            rows.append(Coded(name, codec, setting, len(data), bpp, quality, likeness))
    return rows


def measure_wmv(
    codec: PictureCodec,
    pictures: dict[str, Pixels],
    profile: Profile | None = None,
    begins: Callable[[float], None] = lambda setting: None,
    with_ms_ssim: bool = False,
) -> list[Coded]:
    return measure(
        "wmv", ANCHOR_LAMBDAS, pictures,
        lambda pixels, lmbda: codec.encode(Picture(pixels), lmbda, profile),
        lambda data, height, width: codec.decode(data).pixels, begins, with_ms_ssim,
    )  # fmt: skip


def measure_pillow(codec: PillowCodec, pictures: dict[str, Pixels]) -> list[Coded]:
    return measure(
        codec.name, codec.values, pictures,
        lambda pixels, quality: codec.encode(pixels, codec.setting(quality)),
        codec.decode,
    )  # fmt: skip


def curve(rows: list[Coded]) -> list[Point]:
    settings = dict.fromkeys((row.codec, row.setting) for row in rows)
    points = []
    for name, setting in settings:
        chosen = [row for row in rows if (row.codec, row.setting) == (name, setting)]
        points.append(
            Point(
                name, setting,
                float(np.mean([row.bpp for row in chosen])),
                float(np.mean([row.psnr for row in chosen])),
                _mean_decibels([row.ms_ssim for row in chosen]),
            )
        )  # fmt: skip
    return points


def _mean_decibels(likenesses: list[float | None]) -> float | None:
    """As published curves have it."""
    known = [each for each in likenesses if each is not None]
    return decibels(float(np.mean(known))) if len(known) == len(likenesses) else None


def compare_published(points: list[Point]) -> dict[str, float]:
    """BD-rate in percent against each curve published for Kodak, by title."""
    ours = [(point.bpp, point.psnr) for point in points]
    return {entry.title: bd_rate(entry.psnr, ours) for entry in published_kodak().values()}


def compare_published_ms_ssim(points: list[Point]) -> dict[str, float]:
    """The same for MS-SSIM in decibels, against the curves that have it; empty where pictures
    are too small for it."""
    ours = [(point.bpp, point.ms_ssim_db) for point in points if point.ms_ssim_db is not None]
    if not ours:
        return {}
    return {
        entry.title: bd_rate([(bpp, decibels(value)) for bpp, value in entry.ms_ssim], ours)
        for entry in published_kodak().values()
        if entry.ms_ssim
    }


def not_monotone(rows: list[Coded]) -> list[str]:
    """Pictures for which a higher lambda did not mean more bytes and higher PSNR."""
    return [
        name
        for name in dict.fromkeys(row.name for row in rows)
        for chosen in [[(r.file_bytes, r.psnr) for r in rows if r.name == name]]
        if any(a[0] >= b[0] or a[1] >= b[1] for a, b in pairwise(chosen))
    ]


def framing_bytes(data: bytes) -> int:
    """Everything of a picture without metadata that is not entropy-coded payload."""
    symbols_crc = 4
    info = inspect(data)
    return info.total_bytes - sum(
        p.payload_bytes - symbols_crc for p in info.packets if p.kind == 1
    )


@torch.inference_mode()
def estimated_bpp(
    checkpoint: Path, pictures: dict[str, Pixels], profile: Profile | None = None
) -> list[float]:
    """Mean estimated rate of the floating-point entropy model at each anchor lambda."""
    model = load_checkpoint(checkpoint)
    block = model.config.block_of(profile or model.config.default_profile)
    rates = []
    for position in range(len(ANCHOR_LAMBDAS)):
        bits = []
        for pixels in pictures.values():
            x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
            pad_h, pad_w = -x.shape[2] % 64, -x.shape[3] % 64
            x = torch.nn.functional.pad(x, (0, pad_w, 0, pad_h), mode="replicate")
            at = torch.tensor([float(position)])
            y = model.analysis(x) * model.gains.encoder(at, block)
            coded = model.entropy(y, at, block)
            bits.append(float(coded.y_bits + coded.z_bits) / (pixels.shape[0] * pixels.shape[1]))
        rates.append(float(np.mean(bits)))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--for", dest="profile", help="machine or human")
    parser.add_argument(
        "--kodak", action="store_true", help="compare with published curves, in MS-SSIM too"
    )
    arguments = parser.parse_args()
    pictures = load_folder(arguments.folder)
    codec = PictureCodec(weights=arguments.weights)
    profile = profile_of(arguments.profile)
    rows = measure_wmv(codec, pictures, profile, with_ms_ssim=arguments.kodak)
    report(rows)
    ours = curve(rows)
    for baseline in (JPEG, WEBP):
        theirs = measure_pillow(baseline, pictures)
        rows += theirs
        change = bd_rate(*([(p.bpp, p.psnr) for p in points] for points in (curve(theirs), ours)))
        print(f"BD-rate against {baseline.name:5} {change:+.1f}%")
    sample = codec.encode(Picture(next(iter(pictures.values()))), profile=profile)
    print(f"header and framing: {framing_bytes(sample)} bytes")
    if arguments.kodak:
        for title, change in compare_published(ours).items():
            print(f"BD-rate against {title} as published {change:+.1f}%")
        for title, change in compare_published_ms_ssim(ours).items():
            print(f"BD-rate (MS-SSIM) against {title} as published {change:+.1f}%")
    if arguments.checkpoint:
        # The estimate is of plainly rounded symbols.
        rounding = PictureCodec(weights=arguments.weights, rd_slope=0)
        plain = curve(measure_wmv(rounding, pictures, profile))
        estimates = estimated_bpp(arguments.checkpoint, pictures, profile)
        for point, estimate in zip(plain, estimates, strict=True):
            excess = point.bpp / estimate - 1
            print(f"lambda {point.setting:5g}: real rate {excess:+.2%} of the estimate")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def report(rows: list[Coded]) -> None:
    for point in curve(rows):
        likeness = "" if point.ms_ssim_db is None else f"  MS-SSIM {point.ms_ssim_db:.2f} dB"
        print(f"lambda {point.setting:5g}  {point.bpp:.4f} bpp  {point.psnr:.2f} dB{likeness}")
    wrong = not_monotone(rows)
    verdict = "not for " + ", ".join(wrong) if wrong else "yes"
    print(f"more bytes and higher PSNR with lambda, every picture: {verdict}")


if __name__ == "__main__":
    main()
