"""Learned codecs of CompressAI with its real entropy coder (extra `bench-neural`).

bmshj2018   Balle et al., ICLR 2018, scale hyperprior
cheng2020   Cheng et al., CVPR 2020, the anchor model without attention

A file is height and width (u32 each), the setting (u8), then per string its length (u32) and
bytes, little endian: all that the decoder needs besides the model.  CompressAI's coder does
not check bounds, so decode only what was encoded here.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wavenetmv.bench.codecs.base import Codec, Setting, pad_to_multiple
from wavenetmv.errors import InputError
from wavenetmv.metrics import Pixels

_HEAD = "<IIB"
_PADDING = 64  # the models' downsampling factor
_ARCHITECTURES = {
    "bmshj2018": ("Balle 2018 (hyperprior)", "bmshj2018-hyperprior", 8),
    "cheng2020": ("Cheng 2020 (anchor)", "cheng2020-anchor", 6),
}


class ZooCodec(Codec):
    """One network per setting: `checkpoints` in rising rate, or else CompressAI's own.

    Raises InputError when there is no CompressAI or no weights.
    """

    suffix = ".bin"

    def __init__(self, name: str, checkpoints: Sequence[Path] = ()) -> None:
        self.name = name
        self.title, self._architecture, qualities = _ARCHITECTURES[name]
        self._checkpoints = tuple(checkpoints)
        labels = [path.name for path in checkpoints] or [f"q{q + 1}" for q in range(qualities)]
        if len(set(labels)) < len(labels):
            labels = [str(path) for path in checkpoints]
        self.settings = tuple(Setting(label, place) for place, label in enumerate(labels))
        self._version = _compressai_version()
        self._network(0)

    def command(self, setting: Setting) -> str:
        source = "pretrained, mse"
        if self._checkpoints:
            source = f"checkpoint {_content_hash(self._checkpoints[int(setting.value)])}"
        return f"compressai {self._version}: {self._architecture} {setting.label} ({source})"

    def prepare(self) -> None:
        torch.set_num_threads(1)

    @torch.inference_mode()
    def encode(self, pixels: Pixels, setting: Setting) -> bytes:
        height, width = pixels.shape[:2]
        padded = np.ascontiguousarray(pad_to_multiple(pixels, _PADDING))
        x = torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 255
        coded = self._network(int(setting.value)).compress(x)
        head = struct.pack(_HEAD, height, width, int(setting.value))
        strings = [each[0] for each in coded["strings"]]
        return head + b"".join(struct.pack("<I", len(each)) + each for each in strings)

    @torch.inference_mode()
    def decode(self, data: bytes, height: int, width: int) -> Pixels:
        rows, columns, place = struct.unpack_from(_HEAD, data)
        strings, position = [], struct.calcsize(_HEAD)
        while position < len(data):
            (length,) = struct.unpack_from("<I", data, position)
            strings.append([data[position + 4 : position + 4 + length]])
            position += 4 + length
        shape = [-(-side // _PADDING) for side in (rows, columns)]
        x_hat: Tensor = self._network(place).decompress(strings, shape)["x_hat"]
        pixels = (x_hat[0, :, :rows, :columns].clamp(0, 1) * 255).round().byte()
        return pixels.permute(1, 2, 0).contiguous().numpy()

    def _network(self, place: int) -> Any:
        if self._checkpoints:
            return _local(self._architecture, self._checkpoints[place])
        return _pretrained(self._architecture, place + 1)


def _compressai_version() -> str:
    try:
        import compressai
    except ImportError as error:
        raise InputError(
            f"CompressAI cannot be loaded ({error}); it pins numpy<2, so give it an environment "
            "of its own: pip install 'wavenetmv[bench,bench-neural]'"
        ) from error
    return str(compressai.__version__)


@cache
def _content_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


# A network has some 50 MB: one or two at a time are enough for settings in turn.
@lru_cache(maxsize=2)
def _pretrained(architecture: str, quality: int) -> Any:
    from compressai.zoo import models

    try:
        network = models[architecture](quality, metric="mse", pretrained=True, progress=False)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"no pretrained weights of {architecture} could be loaded ({error}); "
            "name trained files with --checkpoint"
        ) from error
    network.update()
    return network.eval()


@lru_cache(maxsize=2)
def _local(architecture: str, path: Path) -> Any:
    from compressai.zoo.image import model_architectures
    from compressai.zoo.pretrained import load_pretrained

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = load_pretrained(state.get("state_dict", state))
        network = model_architectures[architecture].from_state_dict(state)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # torch and compressai raise many kinds for a foreign file
        raise InputError(f"{path}: no checkpoint of {architecture}: {error}") from error
    network.update(force=True)
    return network.eval()
