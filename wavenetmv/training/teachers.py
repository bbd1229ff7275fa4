"""Pretrained networks that heads learn from; read from files, never downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetmv.errors import InputError, UsageFault
from wavenetmv.models.efficientnet import EfficientNetStem, EfficientNetTail, TailFeatures
from wavenetmv.models.resampling import fit_short_side
from wavenetmv.models.yolox import Features, YoloxStem, YoloxTail, corners

BORDER = 114.0  # what YOLOX was trained to see around a picture
PIXEL_SCALE = 255 / 128  # of EfficientNet-Lite0's pixels
CLASSIFIER_SIDE = 256  # pixels of the short side that EfficientNet-Lite0 likes best
_BATCH_NORM_EPSILON = 1e-3  # EfficientNet's

Layer = tuple[Tensor, Tensor]  # weight, bias


class YoloxTeacher(nn.Module):
    """YOLOX-nano on pixels: the features and predictions that a head on latents should have."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = YoloxStem()
        self.tail = YoloxTail()

    def features(self, x: Tensor) -> Features:
        """x [B, 3, H, W], RGB in [0, 1], sides multiples of 32."""
        features: Features = self.tail.features(self.stem(corners(x.flip(1) * 255)))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """x as for `features`, any sides -> raw [B, A, 85] of the padded picture."""
        pad = (0, -x.shape[3] % 32, 0, -x.shape[2] % 32)
        pixels = F.pad(x.flip(1) * 255, pad, value=BORDER)
        raw: Tensor = self.tail(self.stem(corners(pixels)))
        return raw


class EfficientNetTeacher(nn.Module):
    """EfficientNet-Lite0 on pixels, at the size of picture that it was trained for."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = EfficientNetStem()
        self.tail = EfficientNetTail()

    def features(self, x: Tensor) -> TailFeatures:
        """x [B, 3, H, W], RGB in [0, 1], any sides: the whole picture, as `prepare` sizes it."""
        features: TailFeatures = self.tail.features(self.stem(self.prepare(x)))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """x as for `features` -> logits [B, 1000]."""
        logits: Tensor = self.tail(self.stem(self.prepare(x)))
        return logits

    def prepare(self, x: Tensor) -> Tensor:
        """Resized to a short side of 256 pixels (see `fit_short_side`) and normalised."""
        size = fit_short_side((x.shape[2], x.shape[3]), CLASSIFIER_SIDE)
        resized = F.interpolate(x, size, mode="bicubic", antialias=True).clamp(0, 1)
        return self.normalised(resized)

    @staticmethod
    def normalised(x: Tensor) -> Tensor:
        """Of [0, 1], as the network was trained on."""
        return PIXEL_SCALE * x - 127 / 128


def load_yolox(path: Path) -> YoloxTeacher:
    """The teacher from an ONNX export of YOLOX-nano (convolutions with folded batch norms).

    Raises InputError if the file holds another network.
    """
    teacher = YoloxTeacher().eval().requires_grad_(False)
    _take_over(teacher, _onnx_layers(path), f"{path}: not YOLOX-nano")
    return teacher


def load_efficientnet(path: Path) -> EfficientNetTeacher:
    """The teacher from a state dict of EfficientNet-Lite0 in PyTorch: every convolution with
    its batch norm behind it, in the order in which they run, then the linear layer.

    Raises InputError if the file holds another network.
    """
    teacher = EfficientNetTeacher().eval().requires_grad_(False)
    _take_over(teacher, _state_dict_layers(path), f"{path}: not EfficientNet-Lite0")
    return teacher


def _take_over(network: nn.Module, layers: Sequence[Layer], complaint: str) -> None:
    """Give `network` these weights by position."""
    ours = [each for each in network.modules() if isinstance(each, (nn.Conv2d, nn.Linear))]
    if [layer.weight.shape for layer in ours] != [weight.shape for weight, _ in layers]:
        raise InputError(f"{complaint}: its layers have other shapes")
    for layer, (weight, bias) in zip(ours, layers, strict=True):
        assert layer.bias is not None
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)


def _onnx_layers(path: Path) -> list[Layer]:
    """Every convolution in the order in which they run."""
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
            weight, bias = (np.array(values[name]) for name in node.input[1:])
            found.append((torch.from_numpy(weight), torch.from_numpy(bias)))
    return found


def _state_dict_layers(path: Path) -> list[Layer]:
    """Every layer in the file's order, batch norms folded into the convolutions before them."""
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        tensors = [value for key, value in state.items() if "num_batches" not in key]
        starts = [place for place, tensor in enumerate(tensors) if tensor.ndim > 1]
        ends = [*starts[1:], len(tensors)]
        return [_folded(*tensors[start:end]) for start, end in zip(starts, ends, strict=True)]
    except (
        OSError,
        RuntimeError,
        ValueError,
        TypeError,
        AttributeError,
        EOFError,
        UnpicklingError,
    ) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(f"{path}: no state dict of such a network: {reason}") from error


def _folded(weight: Tensor, bias: Tensor, *batch_norm: Tensor) -> Layer:
    """A linear layer as it is; of a convolution, `bias` is its batch norm's weight."""
    if not batch_norm:
        return weight, bias
    shift, mean, variance = batch_norm
    gain = bias / (variance + _BATCH_NORM_EPSILON).sqrt()
    return weight * gain[:, None, None, None], shift - mean * gain
