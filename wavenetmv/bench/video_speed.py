"""Frames per second to encode and to decode at 320p, 480p and 720p, in one run.

    python -m wavenetmv.bench.video_speed [CLIP] [--frames 24] [--threads 2] [--json OUT]

CLIP is scaled to each size; without one a scene is made up.  wmv with inter frames, with every
frame alone, and x264 as yardstick (medium, zerolatency, one thread, its start and the conversion
of colours included), from pixels in memory to bytes in memory and back, after loading.  Codecs
take turns within a round, and the medians over the rounds are printed: ratios to every frame
alone mean more than the numbers.  A codec that cannot run is named and left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from wavenetmv.bench.clips import first_frames
from wavenetmv.bench.codecs.base import Codec, CodecOptions, Setting
from wavenetmv.bench.codecs.registry import make_codec
from wavenetmv.errors import WmvError
from wavenetmv.metrics import Pixels
from wavenetmv.types import GOP_DEFAULT

SIZES = {"320p": (320, 568), "480p": (480, 854), "720p": (720, 1280)}
_CODECS = ("wmv-intra", "wmv", "x264")  # the first is what ratios are to
_X264_CRF = 28


@dataclass(frozen=True)
class Speed:
    """Medians over the rounds; fps are frames per second."""

    size: str
    codec: str
    encode_fps: float
    decode_fps: float


def load_codecs(options: CodecOptions) -> tuple[dict[str, Codec], list[str]]:
    """Those that run here by name, and a line on each other."""
    codecs, missing = dict[str, Codec](), []
    for name in _CODECS:
        try:
            codec = make_codec(name, options)
            codec.prepare()
            codecs[name] = codec
        except WmvError as error:
            missing.append(f"{name} is left out: {error}")
    return codecs, missing


def measure_size(
    size: str, frames: Pixels, codecs: Mapping[str, Codec], lmbda: float, rounds: int
) -> list[Speed]:
    """Every codec on `frames` uint8 [T, H, W, 3], in turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in codecs}
    for _ in range(rounds):
        for name, codec in codecs.items():
            times[name].append(_seconds(codec, frames, lmbda))
    medians = {name: np.median(each, 0) for name, each in times.items()}
    return [
        Speed(size, name, len(frames) / encode, len(frames) / decode)
        for name, (encode, decode) in medians.items()
    ]


def _seconds(codec: Codec, frames: Pixels, lmbda: float) -> tuple[float, float]:
    own = codec.name.startswith("wmv")
    setting = Setting("", lmbda if own else _X264_CRF)
    started = time.perf_counter()
    data = codec.encode(frames, setting)
    between = time.perf_counter()
    codec.decode(data, *frames.shape[1:3])
    return between - started, time.perf_counter() - between


def _print(speeds: list[Speed]) -> None:
    base = speeds[0]
    for s in speeds:
        print(
            f"{s.size} {s.codec:10} encode {s.encode_fps:6.2f} fps "
            f"({s.encode_fps / base.encode_fps:.2f}x)   decode {s.decode_fps:6.2f} fps "
            f"({s.decode_fps / base.decode_fps:.2f}x)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path, nargs="?")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gop", type=int, default=GOP_DEFAULT)
    parser.add_argument("--lambda", dest="lmbda", type=float, default=512)
    parser.add_argument("--sizes", default=",".join(SIZES), help="of 320p, 480p, 720p")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--inter-weights", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    options = CodecOptions(
        arguments.weights, gop=arguments.gop, inter_weights=arguments.inter_weights
    )
    codecs, missing = load_codecs(options)
    if missing:
        print(*missing, sep="\n")
    torch.set_num_threads(arguments.threads)  # loading has set one
    found: list[Speed] = []
    try:
        for size in arguments.sizes.split(","):
            frames = np.stack(list(first_frames(arguments.clip, arguments.frames, *SIZES[size])))
            speeds = measure_size(size, frames, codecs, arguments.lmbda, arguments.rounds)
            _print(speeds)
            found += speeds
    except (WmvError, KeyError) as error:
        sys.exit(f"error: {error}")
    if arguments.json:
        record = {"threads": arguments.threads, "speeds": [asdict(each) for each in found]}
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
