"""YOLOX (Ge et al., 2021) as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from wavenetmv.errors import InputError, UsageFault
from wavenetmv.metrics import Pixels
from wavenetmv.models.boxes import STRIDES, find_objects
from wavenetmv.types import Detection

_BORDER = 114  # the grey that YOLOX was trained to see around a picture


class OnnxDetector:
    """A YOLOX-style ONNX file: BGR 0..255 [1, 3, H, W] in, raw [1, A, 85] out.

    Objectness and class probabilities must have gone through their sigmoid already.
    Pictures keep their size and are padded at the bottom and right to multiples of 32.
    Raises InputError when the file is no such network.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        try:
            import onnx  # noqa: F401
            import onnxruntime
        except ImportError as error:
            raise UsageFault("detectors on pixels need: pip install onnx onnxruntime") from error
        options = onnxruntime.SessionOptions()
        if threads:
            options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                _any_size(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no common base
            raise InputError(f"{path}: not a usable ONNX network: {error}") from error
        self._input = self._session.get_inputs()[0].name

    def detect(self, pixels: Pixels, threshold: float = 0.25) -> list[Detection]:
        """pixels uint8 RGB [H, W, 3]."""
        height, width = pixels.shape[:2]
        bottom, right = -height % STRIDES[-1], -width % STRIDES[-1]
        padded = np.pad(
            pixels[:, :, ::-1], ((0, bottom), (0, right), (0, 0)), constant_values=_BORDER
        )
        x = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32)
        try:
            raw = self._session.run(None, {self._input: x})[0]
        except Exception as error:
            raise InputError(f"the detector cannot run on {width}x{height}: {error}") from error
        if raw.ndim != 3 or raw.shape[2] != 85:
            raise InputError(f"the detector gives {raw.shape}, a YOLOX one gives [1, A, 85]")
        return find_objects(torch.from_numpy(raw[0]), padded.shape[:2], (height, width), threshold)


def _any_size(path: Path) -> bytes:
    """The network with height and width of its input free: exports often fix them at 416.

    Detectors of this kind are fully convolutional, so any multiple of 32 works.
    """
    import onnx

    model = onnx.load(str(path))
    for value in (*model.graph.input, *model.graph.output):
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            if axis:
                size.dim_param = f"{value.name}_{axis}"
    channels = model.graph.input[0].type.tensor_type.shape.dim[1]
    channels.dim_value = 3
    del model.graph.value_info[:]  # shapes inferred for the fixed size
    return bytes(model.SerializeToString())
