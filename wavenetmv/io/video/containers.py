"""The video files that can be written, and how ffmpeg is to write each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Literal

from wavenetmv.errors import UsageFault
from wavenetmv.io.video.decoding import SCALE_FLAGS
from wavenetmv.types import VideoInfo

Chroma = Literal["420", "444"]

CRF_DEFAULT = 12
# ffmpeg's names of matrix, primaries and transfer curve. A source says the matrix only; the
# primaries and curve that come with it are labelled where there is no other choice in practice.
_COLOURS = {
    "bt601": ("bt601", "smpte170m", "smpte170m"),
    "bt709": ("bt709", "bt709", "bt709"),
    "bt2020": ("bt2020", "bt2020", "unknown"),
}


@dataclass(frozen=True, slots=True)
class Container:
    """One kind of output file.

    name           for people
    muxer          ffmpeg's name
    encoder        its options, with {crf} in them if there is such a choice
    max_crf        0: it has none, being lossless or not made to choose
    pixel_format   where it is always the same
    chroma         where it is YUV: what is written of a picture with even sides
    odd_chroma     and with odd ones
    audio          the encoder for audio it cannot hold as it is; None: it holds no audio
    even_times     it has a frame rate and no time stamps
    when_piped     options for an output that cannot seek
    """

    name: str
    muxer: str
    encoder: tuple[str, ...]
    max_crf: int = 0
    pixel_format: str | None = None
    chroma: Chroma = "420"
    odd_chroma: Chroma = "420"
    audio: str | None = None
    even_times: bool = False
    when_piped: tuple[str, ...] = ()


_X264 = ("-c:v", "libx264", "-preset", "medium", "-crf", "{crf}")
# Sides of 4:2:0 are even in H.264; a border to be cropped would be shown by many players.
_MP4 = Container(
    "MP4",
    "mp4",
    (*_X264, "-movflags", "+faststart"),
    max_crf=51,
    odd_chroma="444",
    audio="aac",
    when_piped=("-movflags", "frag_keyframe+empty_moov+default_base_moof"),
)
_MOV = replace(_MP4, name="MOV", muxer="mov")
CONTAINERS: dict[str, Container] = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": _MOV,
    ".mkv": Container(
        "MKV",
        "matroska",
        ("-c:v", "ffv1", "-level", "3", "-slicecrc", "1", "-g", "1"),
        pixel_format="bgr0",
        audio="flac",
    ),
    ".webm": Container(
        "WebM",
        "webm",
        ("-c:v", "libvpx-vp9", "-crf", "{crf}", "-b:v", "0", "-row-mt", "1", "-cpu-used", "4"),
        max_crf=63,
        audio="libopus",
    ),
    ".gif": Container("GIF", "gif", ("-c:v", "gif"), pixel_format="pal8"),
    ".y4m": Container(
        "y4m",
        "yuv4mpegpipe",
        ("-strict", "-1"),  # 4:4:4 is an extension of ffmpeg's that everyone reads
        chroma="444",
        odd_chroma="444",
        even_times=True,
    ),
}


def container_of(name: str) -> Container:
    """The container a file name or a bare suffix stands for. Raises UsageFault."""
    suffix = PurePath(name).suffix.lower() or "." + name.lower().lstrip(".")
    if (found := CONTAINERS.get(suffix)) is None:
        raise UsageFault(f"{name}: unknown video suffix; known are {' '.join(CONTAINERS)}")
    return found


def checked_crf(container: Container, crf: int | None) -> int:
    """`crf` or the default. Raises UsageFault if it is out of range or means nothing there."""
    if crf is not None and not container.max_crf:
        raise UsageFault(f"{container.name} has no quality setting; --crf is for mp4, mov and webm")
    if crf is not None and not 0 <= crf <= container.max_crf:
        raise UsageFault(f"crf must be in 0..{container.max_crf}, got {crf}")
    return CRF_DEFAULT if crf is None else crf


def chroma_of(container: Container, info: VideoInfo, wished: Chroma | None) -> Chroma:
    """The chroma that is written. Raises UsageFault if `wished` cannot be."""
    odd = info.width % 2 or info.height % 2
    if wished == "420" and odd and container.odd_chroma == "444":
        raise UsageFault(
            f"{container.name} in 4:2:0 needs even sides, this is {info.width}x{info.height}"
        )
    return wished or (container.odd_chroma if odd else container.chroma)


def filters(container: Container, info: VideoInfo, chroma: Chroma) -> str:
    """ffmpeg's filters from full-range RGB to what the container's encoder takes.

    The source's matrix and range, or BT.709 in limited range where it stated none; y4m
    cannot say which, so without a stated one it gets BT.601, as its readers assume.
    """
    aspect = info.pixel_aspect
    square = f"setsar={aspect.numerator}/{aspect.denominator}:max={1 << 30}"
    if container.muxer == "gif":
        # One palette a frame: one for all would keep every frame in memory.
        return f"split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1,{square}"
    if container.pixel_format is not None:
        return f"format={container.pixel_format},{square}"
    unstated = "bt601" if container.even_times else "bt709"
    stated = info.matrix != "unspecified"
    matrix, primaries, curve = _COLOURS[info.matrix if stated else unstated]
    full = "pc" if stated and info.full_range else "tv"
    return (
        f"scale=in_range=pc:out_color_matrix={matrix}:out_range={full}:{SCALE_FLAGS},"
        f"format=yuv{chroma}p,setparams=color_primaries={primaries}:color_trc={curve},{square}"
    )
