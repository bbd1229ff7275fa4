"""Video codecs at low-delay settings, through the ffmpeg that imageio-ffmpeg ships.

Every frame is coded in the order in which it is shown, from frames before it: what a codec
for cameras that are watched live can do.  Eight bits and 4:2:0, as users have their videos
(libvvenc has ten bits only), full-range BT.709 as for pictures.  Clips are said to have 25
frames per second; none of these encoders aims at a bit rate, so it decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wavenetmv.bench.codecs.base import Setting, pad_to_multiple
from wavenetmv.bench.codecs.ffmpeg import TO_RGB, FfmpegCodec, raw_input, run_ffmpeg
from wavenetmv.errors import InputError
from wavenetmv.metrics import Pixels

_VVC_MINI_GOP = 8  # the only low-delay structure that libvvenc has ready


@dataclass(frozen=True)
class FfmpegVideoCodec(FfmpegCodec):
    """A clip uint8 [T, H, W, 3] to a bare stream and back.

    gop    frames from one intra frame to the next, at most
    apart  the encoder has no intra frames but the first: it is run for each group, and the
           streams are joined
    """

    gop: int = 1
    apart: bool = False

    def command(self, setting: Setting) -> str:
        groups = f"; run for every {self.gop} frames, streams joined" if self.apart else ""
        return f"{super().command(setting)}{groups}"

    def encode(self, pixels: Pixels, setting: Setting) -> bytes:
        step = self.gop if self.apart else len(pixels)
        parts = (pixels[start : start + step] for start in range(0, len(pixels), step))
        return b"".join(self._encode_run(part, setting) for part in parts)

    def decode(self, data: bytes, height: int, width: int) -> Pixels:
        rows, columns = (side + -side % self._multiple for side in (height, width))
        source = ("-threads", "1", "-f", self.demuxer)
        target = (
            "-fps_mode", "passthrough", "-vf", f"{TO_RGB},format=rgb24",
            "-pix_fmt", "rgb24", "-f", "rawvideo",
        )  # fmt: skip
        raw = run_ffmpeg(self.name, source, target, data)
        if len(raw) % (3 * rows * columns):
            raise InputError(f"{self.name}: {len(raw)} bytes are no frames of {columns}x{rows}")
        return np.frombuffer(raw, np.uint8).reshape(-1, rows, columns, 3)[:, :height, :width]

    def _encode_run(self, pixels: Pixels, setting: Setting) -> bytes:
        padded = np.ascontiguousarray(pad_to_multiple(pixels, self._multiple))
        source = raw_input("rgb24", *padded.shape[1:3])
        target = (*self._encoder(setting), "-f", self.muxer)
        return run_ffmpeg(self.name, source, target, padded.tobytes())


def _x264(gop: int) -> FfmpegVideoCodec:
    return FfmpegVideoCodec(
        "x264", "AVC (x264)", ".h264",
        ("-c:v", "libx264", "-preset", "medium", "-tune", "zerolatency", "-g", str(gop),
         # Without the message in which x264 tells its settings.
         "-bsf:v", "filter_units=remove_types=6"),
        "-crf", (42, 37, 32, 28, 24, 20), "yuv420p", "h264", "h264", gop,
    )  # fmt: skip


def _x265(gop: int) -> FfmpegVideoCodec:
    return FfmpegVideoCodec(
        "x265", "HEVC (x265)", ".hevc",
        ("-c:v", "libx265", "-preset", "medium", "-tune", "zerolatency", "-g", str(gop),
         "-x265-params", "log-level=error:pools=none:frame-threads=1:info=0"),
        "-crf", (44, 39, 34, 30, 26, 22), "yuv420p", "hevc", "hevc", gop,
    )  # fmt: skip


def _svt_av1(gop: int) -> FfmpegVideoCodec:
    return FfmpegVideoCodec(
        "svt-av1", "AV1 (SVT-AV1)", ".obu",
        ("-c:v", "libsvtav1", "-preset", "8", "-g", str(gop),
         "-svtav1-params", "pred-struct=1:tune=1:lp=1"),
        "-crf", (61, 53, 45, 37, 29, 21), "yuv420p", "obu", "obu", gop,
    )  # fmt: skip


def _vvc(gop: int) -> FfmpegVideoCodec:
    # Low delay allows no intra frame but the first; its period must not end within a run.
    period = gop + -gop % _VVC_MINI_GOP
    return FfmpegVideoCodec(
        "vvc", "VVC (libvvenc)", ".vvc",
        ("-c:v", "libvvenc", "-preset", "fast", "-qpa", "0", "-g", str(period),
         "-vvenc-params", f"picreordering=0:refreshtype=none:gopsize={_VVC_MINI_GOP}"),
        "-qp", (44, 39, 34, 30, 26, 22), "yuv420p10le", "vvc", "vvc", gop, True,
    )  # fmt: skip


# By name, made for a length of groups.
VIDEO_CODECS: dict[str, Callable[[int], FfmpegVideoCodec]] = {
    "x264": _x264,
    "x265": _x265,
    "svt-av1": _svt_av1,
    "vvc": _vvc,
}
