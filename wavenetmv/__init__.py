"""A learned picture and video codec for machine vision.

    data = wavenetmv.encode(picture, lmbda=512)   # a Pillow image or an array
    pixels = wavenetmv.decode(data)               # uint8 [H, W, 3]
    objects = wavenetmv.analyze(data)             # labels, scores and boxes, without pixels
    for frame in wavenetmv.analyze_video("clip.wmv"): ...  # frame.time_s, frame.found

    wavenetmv.encode_video("clip.mp4", "clip.wmv", lmbda=256)
    with wavenetmv.open_video("clip.wmv") as video:
        for frame in video: ...                   # frame.pixels, frame.time_s

Importing the package loads neither torch nor numpy; the first call does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wavenetmv.errors import (
    CheckpointError,
    CorruptStream,
    InputError,
    NotAStream,
    StreamError,
    UnsupportedStream,
    UsageFault,
    WmvError,
)

if TYPE_CHECKING:
    from wavenetmv.api import (
        Codec,
        analyze,
        analyze_video,
        decode,
        decode_image,
        decode_video,
        encode,
        encode_video,
        info,
        latents,
        open_video,
    )
    from wavenetmv.types import Classification, Detection, Picture
    from wavenetmv.video_analysis import AnalyzedFrame

__version__ = "0.1.0"

__all__ = [
    "AnalyzedFrame",
    "CheckpointError",
    "Classification",
    "Codec",
    "CorruptStream",
    "Detection",
    "InputError",
    "NotAStream",
    "Picture",
    "StreamError",
    "UnsupportedStream",
    "UsageFault",
    "WmvError",
    "__version__",
    "analyze",
    "analyze_video",
    "decode",
    "decode_image",
    "decode_video",
    "encode",
    "encode_video",
    "info",
    "latents",
    "open_video",
]

_API = (
    *("Codec", "analyze", "analyze_video", "decode", "decode_image", "decode_video", "encode"),
    *("encode_video", "info", "latents", "open_video"),
)
_LAZY = (
    dict.fromkeys(_API, "wavenetmv.api")
    | dict.fromkeys(("Classification", "Detection", "Picture"), "wavenetmv.types")
    | {"AnalyzedFrame": "wavenetmv.video_analysis"}
)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
