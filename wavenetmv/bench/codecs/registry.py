"""From a codec's name to the codec."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from wavenetmv.bench.codecs.base import (
    CODEC_NAMES,
    VIDEO_CODEC_NAMES,
    Codec,
    CodecOptions,
)
from wavenetmv.errors import InputError, UsageFault

_PILLOW = ("jpeg", "webp", "jpeg2000", "avif")
_FFMPEG = ("jpegxl", "hevc", "av1", "vvc")


def default_names(video: bool = False) -> list[str]:
    """Every codec that may be had; VTM only where its encoder is installed."""
    if video:
        return list(VIDEO_CODEC_NAMES)
    vtm = shutil.which("EncoderApp") or shutil.which("EncoderAppStatic")
    return [name for name in CODEC_NAMES if name != "vtm" or vtm]


def check_names(names: Sequence[str], video: bool = False) -> None:
    """Raises UsageFault for a name that no codec of pictures, or of video, has."""
    known = VIDEO_CODEC_NAMES if video else CODEC_NAMES
    kind = " for video" if video else ""
    for name in names:
        if name not in known:
            raise UsageFault(f"unknown codec {name!r}{kind}; there are {', '.join(known)}")


def make_codec(name: str, options: CodecOptions) -> Codec:
    """Loads what the codec needs and no other.

    Raises InputError or CheckpointError with the reason if this codec cannot run here.
    """
    check_names([name], options.gop is not None)
    if options.gop is not None:
        return _video(name, options, options.gop)
    if name in _PILLOW:
        return _pillow(name)
    if name in _FFMPEG:
        return _ffmpeg(name)
    if name.startswith("wmv"):
        from wavenetmv.bench.codecs.wmv import EvenWmvCodec, HumanWmvCodec, WmvCodec

        kinds = {kind.name: kind for kind in (WmvCodec, EvenWmvCodec, HumanWmvCodec)}
        return kinds[name](options.weights)
    if name == "vtm":
        from wavenetmv.bench.codecs.vtm import VtmCodec

        return VtmCodec()
    from wavenetmv.bench.codecs.compressai_zoo import ZooCodec

    return ZooCodec(name, options.checkpoints.get(name, ()))


def _pillow(name: str) -> Codec:
    from wavenetmv.bench.codecs.pillow import AVIF, JPEG, JPEG2000, WEBP, available

    codec = {"jpeg": JPEG, "webp": WEBP, "jpeg2000": JPEG2000, "avif": AVIF}[name]
    if not available(codec):
        raise InputError(f"this Pillow was built without {codec.library}")
    return codec


def _ffmpeg(name: str) -> Codec:
    from wavenetmv.bench.codecs.ffmpeg import AV1, HEVC, JPEGXL, VVC, ffmpeg_encoders

    codec = {"jpegxl": JPEGXL, "hevc": HEVC, "av1": AV1, "vvc": VVC}[name]
    if codec.encoder not in ffmpeg_encoders():
        raise InputError(f"this ffmpeg was built without {codec.encoder}")
    return codec


def _video(name: str, options: CodecOptions, gop: int) -> Codec:
    from wavenetmv.bench.codecs.ffmpeg import ffmpeg_encoders
    from wavenetmv.bench.codecs.ffmpeg_video import VIDEO_CODECS

    if name.startswith("wmv"):
        from wavenetmv.bench.codecs.wmv_video import WmvVideoCodec

        return WmvVideoCodec(name, gop, options.weights, options.inter_weights)
    codec = VIDEO_CODECS[name](gop)
    if codec.encoder not in ffmpeg_encoders():
        raise InputError(f"this ffmpeg was built without {codec.encoder}")
    return codec
