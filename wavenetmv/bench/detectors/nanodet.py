"""NanoDet-Plus (RangiLyu, 2021) as ncnn has it: a detector of another family than YOLOX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from wavenetmv.errors import InputError, UsageFault
from wavenetmv.labels import COCO_LABELS
from wavenetmv.metrics import Pixels
from wavenetmv.models.boxes import keep_best
from wavenetmv.types import Detection

_LONG_SIDE = 416  # what the network was trained for
_STRIDES = (8, 16, 32, 64)
# Of blue, green, red.
_MEAN = (103.53, 116.28, 123.675)
_DEVIATION = (57.375, 57.12, 58.395)
_OVERLAP = 0.6  # the author's setting of suppression

Array = npt.NDArray[np.float32]


class NanodetDetector:
    """A pair of ncnn files, NAME.param and NAME.bin, with outputs cls8..cls64 and dis8..dis64.

    cls [80, h, w] are class probabilities, dis [h, w, 4 * bins] the distributions of the
    distances from a position to the four sides of its box, in strides (Li et al., Generalized
    Focal Loss, 2020).  Pictures are scaled to a long side of 416 pixels, as the network was
    trained, and padded at the bottom and right.  Raises InputError when the files are no such
    network.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        try:
            import ncnn
        except ImportError as error:
            raise UsageFault("detectors of ncnn need: pip install ncnn") from error
        self._ncnn: Any = ncnn
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        if threads:
            self._net.opt.num_threads = threads
        binary = path.with_suffix(".bin")
        for file in (path, binary):
            if not file.is_file():
                raise InputError(
                    f"{file}: No such file; a detector of ncnn is two, .param and .bin"
                )
        if self._net.load_param(str(path)) or self._net.load_model(str(binary)):
            raise InputError(f"{path}: not a usable network of ncnn")
        wanted = {f"{kind}{stride}" for kind in ("cls", "dis") for stride in _STRIDES}
        if missing := sorted(wanted - set(self._net.output_names())):
            raise InputError(f"{path}: a NanoDet has outputs {', '.join(missing)}")
        self._input = self._net.input_names()[0]

    def detect(self, pixels: Pixels, threshold: float = 0.25) -> list[Detection]:
        """pixels uint8 RGB [H, W, 3]."""
        height, width = pixels.shape[:2]
        scale = _LONG_SIDE / max(height, width)
        rows, columns = (max(1, round(side * scale)) for side in (height, width))
        outputs = self._run(pixels, rows, columns)
        boxes, scores = [], []
        for stride in _STRIDES:
            boxes.append(_boxes(outputs[f"dis{stride}"], stride))
            scores.append(outputs[f"cls{stride}"].reshape(len(COCO_LABELS), -1).T)
        # Each axis by its own ratio: sizes are whole pixels.
        ratio = np.array([width / columns, height / rows] * 2, np.float32)
        return keep_best(
            torch.from_numpy(np.concatenate(boxes) * ratio),
            torch.from_numpy(np.ascontiguousarray(np.concatenate(scores))),
            (height, width),
            threshold,
            _OVERLAP,
        )

    def _run(self, pixels: Pixels, rows: int, columns: int) -> dict[str, Array]:
        """The network's outputs for the picture at this size."""
        height, width = pixels.shape[:2]
        kind = self._ncnn.Mat.PixelType.PIXEL_RGB2BGR
        contiguous = np.ascontiguousarray(pixels)
        x = self._ncnn.Mat.from_pixels_resize(contiguous, kind, width, height, columns, rows)
        bottom, right = -rows % _STRIDES[-1], -columns % _STRIDES[-1]
        border = self._ncnn.BorderType.BORDER_CONSTANT
        x = self._ncnn.copy_make_border(x, 0, bottom, 0, right, border, 0.0)
        x.substract_mean_normalize(_MEAN, [1 / each for each in _DEVIATION])
        extractor = self._net.create_extractor()
        extractor.input(self._input, x)
        outputs = {}
        for name in self._net.output_names():
            failed, output = extractor.extract(name)
            if failed:
                raise InputError(f"the detector cannot run on {width}x{height}")
            outputs[name] = np.array(output)
        return outputs


def _boxes(distributions: Array, stride: int) -> Array:
    """dis [h, w, 4 * bins] -> boxes [h * w, 4], x1, y1, x2, y2 in pixels of the input."""
    rows, columns, _ = distributions.shape
    bins = torch.from_numpy(distributions).reshape(rows * columns, 4, -1).softmax(-1)
    distance = (bins * torch.arange(bins.shape[-1])).sum(-1).numpy() * stride
    y, x = np.mgrid[:rows, :columns].reshape(2, -1) * stride
    left, top, right, bottom = distance.T
    return np.stack([x - left, y - top, x + right, y + bottom], 1).astype(np.float32)
