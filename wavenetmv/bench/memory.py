"""Peak memory of `wmv encode` and `wmv decode` on one large picture, in processes of their own.

    python -m wavenetmv.bench.memory [--width 8000] [--height 6000]

The peak resident size is what the operating system says.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from wavenetmv.metrics import Pixels, psnr


def landscape(height: int, width: int) -> Pixels:
    """Smooth hills with fine texture on top: seams would show, and there is much to code."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    hills = np.sin(rows / 310) + np.cos(columns / 470) + np.sin((rows + columns) / 97)
    grain = np.random.default_rng(0).normal(size=(height // 4 + 1, width // 4 + 1))
    texture = grain.repeat(4, 0).repeat(4, 1)[:height, :width]
    planes = [127 + 35 * hills + (6 + 2 * k) * texture for k in range(3)]
    pixels: Pixels = np.clip(np.stack(planes, 2), 0, 255).astype(np.uint8)
    return pixels


def peak_megabytes(*arguments: str) -> tuple[float, float]:
    """Run `python ARGUMENTS`; peak resident megabytes and seconds.

    Raises CalledProcessError if it fails.  A child's peak starts at its parent's, so this
    process must stay small: it never holds the picture itself.
    """
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # or Popen warns of a lost child
    if status:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return usage.ru_maxrss / 1024, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=8000)
    parser.add_argument("--height", type=int, default=6000)
    parser.add_argument("--make", help="only write the picture to this file")
    parser.add_argument("--compare", nargs=2, help="only print the PSNR of two files")
    arguments = parser.parse_args()
    if arguments.make:
        pixels = landscape(arguments.height, arguments.width)
        Image.fromarray(pixels).save(arguments.make, compress_level=1)
        return
    if arguments.compare:
        a, b = (np.asarray(Image.open(path)) for path in arguments.compare)
        print(f"PSNR {psnr(a, b):.2f} dB")
        return
    this, size = ("-m", "wavenetmv.bench.memory"), (arguments.width, arguments.height)
    with tempfile.TemporaryDirectory() as folder:
        source, stream, target = (str(Path(folder) / n) for n in ("a.png", "a.wmv", "b.png"))
        peak_megabytes(*this, "--make", source, "--width", str(size[0]), "--height", str(size[1]))
        for command in (("encode", source, "-o", stream), ("decode", stream, "-o", target)):
            memory, seconds = peak_megabytes("-m", "wavenetmv", *command)
            print(f"{command[0]}: {memory:.0f} MB, {seconds:.1f} s", flush=True)
        peak_megabytes(*this, "--compare", source, target)


if __name__ == "__main__":
    main()
