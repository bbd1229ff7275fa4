"""What a decoded first frame, the log and the packets say about a video."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from functools import lru_cache

from wavenetmv.errors import InputError
from wavenetmv.io.video.decoding import RATE_FALLBACK
from wavenetmv.io.video.ffmpeg import executable
from wavenetmv.io.video.log import Format, Log
from wavenetmv.io.video.scanning import Scan
from wavenetmv.types import ColourMatrix, VideoFrame, VideoInfo

_MATRICES: dict[str, ColourMatrix] = {
    "bt470bg": "bt601",
    "smpte170m": "bt601",
    "bt709": "bt709",
    "bt2020nc": "bt2020",
}
_GREY = ("gray", "ya", "mono")
_HDR = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
_ROUNDING = Fraction(1, 100)
_SD_LINES = 576  # above this, YUV without a label is more likely BT.709


def video_info(
    first: VideoFrame,
    time_base: Fraction,
    log: Log,
    scan: Scan | None,
    matrix: ColourMatrix | None,
) -> VideoInfo:
    """`scan` of the packets where there was one; `matrix` is what the user says it is."""
    shown = _format(log)
    rate = shown.rate or RATE_FALLBACK
    timing = scan.timing(rate) if scan else None
    average = log.of_kind("Video")[0].rate
    if average and abs(rate / average - 1) > _ROUNDING:  # then `rate` is one of many
        rate = average
    height, width = first.pixels.shape[:2]
    return VideoInfo(
        width,
        height,
        timing.rate if timing else rate,
        frame_count=timing.frame_count if timing else None,
        time_base=time_base,
        pixel_aspect=1 / shown.pixel_aspect if log.transposed else shown.pixel_aspect,
        matrix=matrix or _MATRICES.get(shown.matrix, "unspecified"),
        full_range=shown.colour_range == "pc" or _is_rgb(shown),
        variable_rate=timing.variable if timing else None,
        duration_s=timing.duration_s if timing else None,  # what a pipe declares is often wrong
        has_audio=bool(log.of_kind("Audio")),
    )


def video_notes(info: VideoInfo, log: Log, *, piped: bool) -> tuple[str, ...]:
    """What reading changes or leaves out, one line each."""
    shown = _format(log)
    first, *others = log.of_kind("Video")
    alpha, bits = _pixel_formats().get(shown.pixel_format, (False, 8))
    hdr = next((name for curve, name in _HDR.items() if curve in first.labels), None)
    yuv = not _is_rgb(shown) and not shown.pixel_format.startswith(_GREY)
    guessed = yuv and shown.matrix == "unknown" and info.matrix == "unspecified"
    said = {
        f"{bits} bits reduced to 8": bits > 8,
        # ffmpeg's GIF decoder gives every picture alpha.
        "alpha left out": (alpha or log.alpha_beside) and first.codec != "gif",
        "transparency left out, if there is any": first.codec == "gif",
        f"HDR ({hdr}) taken as it is, without tone mapping": hdr is not None,
        "interlaced: both fields are in one frame": " first" in first.labels,
        "colour matrix not stated, BT.601 assumed": guessed
        and min(info.width, info.height) > _SD_LINES,
        "the first of several video streams": bool(others),
        "subtitles left out": bool(log.of_kind("Subtitle")),
        "audio left out: it cannot be copied from a pipe": piped and info.has_audio,
    }
    return tuple(note for note, applies in said.items() if applies)


def _format(log: Log) -> Format:
    if log.format is None:
        raise InputError(f"{executable()} does not log formats as expected")
    return log.format


def _is_rgb(shown: Format) -> bool:
    return any(order in shown.pixel_format for order in ("rgb", "bgr", "gbr", "pal8"))


@lru_cache(maxsize=1)
def _pixel_formats() -> dict[str, tuple[bool, int]]:
    """Of each of ffmpeg's pixel formats: whether it has alpha, bits of its deepest sample."""
    listing = subprocess.run(
        [executable(), "-hide_banner", "-loglevel", "error", "-pix_fmts"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    formats = {}
    for line in listing.splitlines():
        columns = line.split()  # flags, name, components, bits per pixel, 8-8-8
        if len(columns) == 5 and columns[2].isdigit():
            bits = max(int(bit) for bit in columns[4].split("-"))
            formats[columns[1]] = (columns[2] in "24", bits)
    return formats
