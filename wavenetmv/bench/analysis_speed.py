"""What detection costs: from latents, and from decoded pixels, in one run.

    python -m wavenetmv.bench.analysis_speed FOLDER --detector yolox_nano.onnx [--rounds 3]

`wmv analyze` (parse, entropy decoding, head) against decoding to pixels and YOLOX-nano on them,
as torch modules both, each in the faster of float32 and bfloat16; from bytes in memory to boxes,
after loading, medians over the rounds of the mean per picture.  Only the ratio means anything.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from wavenetmv.analysis import Analyzer
from wavenetmv.bench.pictures import load_folder
from wavenetmv.codec import PictureCodec
from wavenetmv.focus import focus_of
from wavenetmv.metrics import Pixels
from wavenetmv.models.boxes import STRIDES, find_objects
from wavenetmv.models.yolox import corners
from wavenetmv.training.teachers import BORDER, YoloxTeacher, load_yolox
from wavenetmv.types import Detection, Picture

_THRESHOLD = 0.25

Task = Callable[[bytes], object]


def detect_on_pixels(network: YoloxTeacher, pixels: Pixels, dtype: torch.dtype) -> list[Detection]:
    """Objects in a decoded picture uint8 [H, W, 3], by the network in `dtype`."""
    height, width = pixels.shape[:2]
    bottom, right = -height % STRIDES[-1], -width % STRIDES[-1]
    with torch.inference_mode():
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None].flip(1).to(dtype)
        x = F.pad(x, (0, right, 0, bottom), value=BORDER)
        seen = corners(x).contiguous(memory_format=torch.channels_last)
        raw = network.tail(network.stem(seen))
    return find_objects(raw[0], (height + bottom, width + right), (height, width), _THRESHOLD)


def time_round(task: Task, streams: list[bytes]) -> float:
    """Mean seconds for one stream."""
    started = time.perf_counter()
    for data in streams:
        task(data)
    return (time.perf_counter() - started) / len(streams)


def tasks_of(codec: PictureCodec, detector: Path) -> dict[str, Task]:
    """By name: through the latents, decoding alone, and through pixels in two precisions."""
    analyzer = Analyzer(codec)
    tasks: dict[str, Task] = {
        "analyze, by latents": lambda data: analyzer.analyze(data, _THRESHOLD),
        "decode to pixels": codec.decode,
    }
    for dtype in (torch.float32, torch.bfloat16):
        network = load_yolox(detector).to(dtype).to(memory_format=torch.channels_last)

        def by_pixels(
            data: bytes, network: YoloxTeacher = network, dtype: torch.dtype = dtype
        ) -> object:
            return detect_on_pixels(network, codec.decode(data).pixels, dtype)

        tasks[f"decode and YOLOX-nano, {str(dtype).removeprefix('torch.')}"] = by_pixels
    return tasks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lambda", dest="lmbda", type=float, default=512)
    parser.add_argument("--weights", type=Path, help="of the codec, if not the shipped ones")
    arguments = parser.parse_args()
    codec = PictureCodec("cpu", weights=arguments.weights)
    pictures = load_folder(arguments.folder).values()
    focus = focus_of(Analyzer(codec), None)
    streams = [codec.encode(Picture(pixels), arguments.lmbda, focus=focus) for pixels in pictures]
    tasks = tasks_of(codec, arguments.detector)
    for task in tasks.values():
        time_round(task, streams[:2])  # warm-up
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(arguments.rounds):
        for name, task in tasks.items():
            times[name].append(time_round(task, streams))
    medians = {name: float(np.median(seconds)) for name, seconds in times.items()}
    for name, seconds in medians.items():
        print(f"{name:36} {1e3 * seconds:6.0f} ms")
    latents, _, *by_pixels = medians.values()
    print(f"by latents takes {latents / min(by_pixels):.2f} of the time by pixels")


if __name__ == "__main__":
    main()
