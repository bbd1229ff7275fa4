"""Encode and decode times in one run: wmv, WebP (method 6), compressai's hyperprior.

    python -m wavenetmv.bench.speed FOLDER [--rounds 3]

Times are from pixels in memory to bytes in memory and back, after loading, medians over
the rounds of the mean per picture; codecs take turns within a round.  Only the ratios mean
anything.  compressai (extra `bench-neural`) is left out, with a line that says so, if it is
missing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wavenetmv.analysis import Analyzer
from wavenetmv.bench.codecs.pillow import WEBP
from wavenetmv.bench.pictures import load_folder
from wavenetmv.codec import PictureCodec
from wavenetmv.focus import focus_of
from wavenetmv.metrics import Pixels
from wavenetmv.types import Picture

Coder = tuple[str, Callable[[Pixels], Any], Callable[[Any], Any]]


def wmv_coder(lmbda: float, wanted: bool | None = None, trials: int | None = None) -> Coder:
    """What `wmv encode` does with --no-focus, if `wanted` is False, and with --trials."""
    codec = PictureCodec("cpu")
    focus = focus_of(Analyzer(codec), None, wanted, trials)
    options = " --no-focus" if wanted is False else ""
    options += "" if trials is None else f" --trials {trials}"
    return (
        f"wmv lambda {lmbda:g}{options}",
        lambda pixels: codec.encode(Picture(pixels), lmbda, focus=focus),
        lambda data: codec.decode(data),
    )


def webp_coder(quality: int) -> Coder:
    setting = WEBP.setting(quality)
    return (
        f"webp -m 6 -q {quality}",
        lambda pixels: (WEBP.encode(pixels, setting), *pixels.shape[:2]),
        lambda coded: WEBP.decode(*coded),
    )


def hyperprior_coder() -> Coder | None:
    """bmshj2018-hyperprior's network at quality 4, random weights: time does not depend on them."""
    try:
        from compressai.models import ScaleHyperprior
    except ImportError:
        return None
    torch.manual_seed(0)
    model = ScaleHyperprior(128, 192).eval()
    model.update()

    def encode(pixels: Pixels) -> Any:
        with torch.inference_mode():
            x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
            return model.compress(x)

    def decode(coded: Any) -> Any:
        with torch.inference_mode():
            return model.decompress(coded["strings"], coded["shape"])["x_hat"]

    return "compressai bmshj2018-hyperprior q4", encode, decode


def time_round(coder: Coder, pictures: list[Pixels]) -> tuple[float, float]:
    """Mean seconds per picture to encode and to decode."""
    _, encode, decode = coder
    started = time.perf_counter()
    coded = [encode(pixels) for pixels in pictures]
    between = time.perf_counter()
    for data in coded:
        decode(data)
    return (between - started) / len(pictures), (time.perf_counter() - between) / len(pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lambda", dest="lmbda", type=float, default=512)
    arguments = parser.parse_args()
    pictures = list(load_folder(arguments.folder).values())
    coders = [
        wmv_coder(arguments.lmbda),
        wmv_coder(arguments.lmbda, trials=1),
        wmv_coder(arguments.lmbda, wanted=False),
        webp_coder(75),
    ]
    if (hyperprior := hyperprior_coder()) is None:
        print("compressai is not installed: left out")
    else:
        coders.append(hyperprior)
    for coder in coders:
        time_round(coder, pictures[:2])  # warm-up
    times = {coder[0]: [] for coder in coders}  # type: dict[str, list[tuple[float, float]]]
    for _ in range(arguments.rounds):
        for coder in coders:
            times[coder[0]].append(time_round(coder, pictures))
    ours = np.median(times[coders[0][0]], 0)
    for name, rounds in times.items():
        encode, decode = np.median(rounds, 0)
        print(
            f"{name:36} encode {1e3 * encode:6.0f} ms ({encode / ours[0]:.2f}x)"
            f"   decode {1e3 * decode:6.0f} ms ({decode / ours[1]:.2f}x)"
        )


if __name__ == "__main__":
    main()
