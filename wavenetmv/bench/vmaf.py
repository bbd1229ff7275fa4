"""VMAF of a decoded clip, by the filter libvmaf of the ffmpeg that imageio-ffmpeg ships.

Netflix's model vmaf_v0.6.1 looks at luma alone, of BT.709 in video range here; 100 is best.
"""

from __future__ import annotations

import re
import subprocess
from functools import cache

import numpy as np

from wavenetmv.bench.codecs.ffmpeg import TIMEOUT_S, ffmpeg_program, raw_input
from wavenetmv.errors import InputError
from wavenetmv.metrics import Pixels

LEAST_SIDE = 16  # pixels: the coarsest scale has no window below
_SCORE = re.compile(r"VMAF score: ([\d.]+)")
_TO_LUMA = "scale=in_range=full:out_range=tv:out_color_matrix=bt709:flags=accurate_rnd+bitexact"


def vmaf(original: Pixels, decoded: Pixels) -> float | None:
    """Mean over the frames of two clips uint8 [T, H, W, 3]; None if a side is below 16 pixels.

    Raises InputError when ffmpeg cannot say.
    """
    height, width = original.shape[1:3]
    if min(height, width) < LEAST_SIDE:
        return None
    # One pipe for both: every frame has the original above the decoded picture.
    both = np.concatenate([original, decoded], axis=1)
    cut = f"crop={width}:{height}:0"
    graph = (
        f"split[a][b];[a]{cut}:0,{_TO_LUMA},format=yuv444p[original];"
        f"[b]{cut}:{height},{_TO_LUMA},format=yuv444p[decoded];"
        "[decoded][original]libvmaf=n_threads=1"
    )
    command = [
        *(ffmpeg_program(), "-hide_banner", "-nostats", "-loglevel", "info"),
        *(*raw_input("rgb24", 2 * height, width), "-i", "pipe:0"),
        *("-filter_complex_threads", "1", "-lavfi", graph, "-f", "null", "-"),
    ]
    done = subprocess.run(command, input=both.tobytes(), capture_output=True, timeout=TIMEOUT_S)
    log = done.stderr.decode(errors="replace")
    if not (score := _SCORE.search(log)):
        last = (log.strip().splitlines() or ["no output"])[-1]
        raise InputError(f"ffmpeg gives no VMAF: {last}")
    return float(score[1])


@cache
def has_vmaf() -> bool:
    """Whether this ffmpeg was built with libvmaf."""
    listing = subprocess.run(
        [ffmpeg_program(), "-hide_banner", "-filters"], capture_output=True, text=True
    ).stdout
    return " libvmaf " in listing
