"""Pretrained networks that heads learn from; read from files, never downloaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetmv.errors import InputError, UsageFault
from wavenetmv.models.yolox import Features, YoloxStem, YoloxTail

BORDER = 114.0  # what YOLOX was trained to see around a picture


class YoloxTeacher(nn.Module):
    """YOLOX-nano on pixels: the features and predictions that a head on latents should have."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = YoloxStem()
        self.tail = YoloxTail()

    def features(self, x: Tensor) -> Features:
        """x [B, 3, H, W], RGB in [0, 1], sides multiples of 32."""
        features: Features = self.tail.features(self.stem(x.flip(1) * 255))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """x as for `features`, any sides -> raw [B, A, 85] of the padded picture."""
        pad = (0, -x.shape[3] % 32, 0, -x.shape[2] % 32)
        raw: Tensor = self.tail(self.stem(F.pad(x.flip(1) * 255, pad, value=BORDER)))
        return raw


def load_yolox(path: Path) -> YoloxTeacher:
    """The teacher from an ONNX export of YOLOX-nano (convolutions with folded batch norms).

    Raises InputError if the file holds another network.
    """
    teacher = YoloxTeacher().eval().requires_grad_(False)
    ours = [module for module in teacher.modules() if isinstance(module, nn.Conv2d)]
    theirs = _convolutions(path)
    shapes = [tuple(conv.weight.shape) for conv in ours]
    if shapes != [weight.shape for weight, _ in theirs]:
        raise InputError(f"{path}: not YOLOX-nano: its convolutions have other shapes")
    for conv, (weight, bias) in zip(ours, theirs, strict=True):
        assert conv.bias is not None
        conv.weight.copy_(torch.from_numpy(weight.copy()))
        conv.bias.copy_(torch.from_numpy(bias.copy()))
    return teacher


def _convolutions(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """(weight, bias) of every convolution in the order in which they run."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise UsageFault("reading a teacher needs: pip install onnx") from error
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # protobuf's errors have no common base
        raise InputError(f"{path}: not an ONNX file: {error}") from error
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    found = []
    for node in graph.node:
        if node.op_type == "Conv":
            if len(node.input) != 3 or not all(name in values for name in node.input[1:]):
                raise InputError(f"{path}: a convolution without constant weight and bias")
            found.append((values[node.input[1]], values[node.input[2]]))
    return found
