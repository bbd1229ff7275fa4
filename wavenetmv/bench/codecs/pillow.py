"""The still-picture codecs that Pillow ships."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL
from PIL import Image, features

from wavenetmv.bench.codecs.base import Codec, Setting
from wavenetmv.errors import InputError
from wavenetmv.metrics import Pixels


@dataclass(frozen=True)
class PillowCodec(Codec):
    """`knob` names the setting in labels; `options` gives the arguments of Image.save."""

    name: str
    title: str
    suffix: str
    format: str
    library: str  # whose version Pillow knows
    knob: str
    values: tuple[float, ...]
    options: Callable[[float], dict[str, Any]]

    @property
    def settings(self) -> tuple[Setting, ...]:  # type: ignore[override]
        return tuple(self.setting(value) for value in self.values)

    def setting(self, value: float) -> Setting:
        return Setting(f"{self.knob}{value:g}", value)

    def command(self, setting: Setting) -> str:
        options = ", ".join(
            f"{key}={value!r}" for key, value in self.options(setting.value).items()
        )
        library = f"{self.library} {features.version(self.library)}"
        return f"Pillow {PIL.__version__} ({library}): save(format={self.format!r}, {options})"

    def encode(self, pixels: Pixels, setting: Setting) -> bytes:
        sink = io.BytesIO()
        try:
            Image.fromarray(pixels).save(sink, self.format, **self.options(setting.value))
        except (OSError, ValueError) as error:
            raise InputError(f"{self.name}: Pillow cannot encode this: {error}") from error
        return sink.getvalue()

    def decode(self, data: bytes, height: int, width: int) -> Pixels:
        try:
            with Image.open(io.BytesIO(data)) as image:
                pixels = np.asarray(image.convert("RGB"))
        except (OSError, ValueError) as error:
            raise InputError(f"{self.name}: Pillow cannot decode this: {error}") from error
        if pixels.shape != (height, width, 3):
            raise InputError(f"{self.name}: {height}x{width} came back as {pixels.shape}")
        return pixels


def available(codec: PillowCodec) -> bool:
    """Whether this Pillow was built with what the codec needs."""
    return features.version(codec.library) is not None


# CompressAI's published curves of Kodak: JPEG's files had the sizes of this setting and lost
# about 0.1 dB more in an older decoder's chroma; WebP's are of Pillow's default method 4, which
# loses 0.1 to 0.2 dB against the greatest effort here.
JPEG = PillowCodec(
    "jpeg", "JPEG", ".jpg", "JPEG", "jpg", "q",
    (5, 10, 20, 30, 45, 60, 75, 85, 92),
    lambda quality: {"quality": int(quality)},
)  # fmt: skip
WEBP = PillowCodec(
    "webp", "WebP", ".webp", "WEBP", "webp", "q",
    (1, 5, 15, 30, 45, 60, 75, 85, 92),
    lambda quality: {"quality": int(quality), "method": 6},
)  # fmt: skip
# The bare codestream of the irreversible 9/7 and colour transforms, at a stated ratio; Pillow
# would leave out the colour transform.
JPEG2000 = PillowCodec(
    "jpeg2000", "JPEG 2000", ".j2k", "JPEG2000", "jpg_2000", "ratio",
    (256, 160, 96, 60, 40, 26, 16, 10),
    lambda ratio: {
        "quality_mode": "rates", "quality_layers": [ratio], "irreversible": True, "mct": 1,
        "no_jp2": True,
    },
)  # fmt: skip
AVIF = PillowCodec(
    "avif", "AVIF", ".avif", "AVIF", "avif", "q",
    (2, 5, 10, 20, 32, 44, 56, 68, 80, 90),
    lambda quality: {
        "quality": int(quality), "speed": 4, "subsampling": "4:4:4", "max_threads": 1,
    },
)  # fmt: skip
