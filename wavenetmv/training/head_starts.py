"""What a new head starts with: parts of its teacher, and of the codec whose latents it reads.

A head is, before it learns anything, nearly what its teacher is on decoded pixels: the codec's
synthesis, as far as the lighter one of the head goes, then the teacher with its first layer
moved from pixels to wavelet coefficients.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetmv.models.adapters import PacketAdapter
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.heads import ClassificationHead, DetectionHead
from wavenetmv.models.lifting import LiftingLevel
from wavenetmv.models.yolox import corners
from wavenetmv.training.teachers import PIXEL_SCALE, EfficientNetTeacher, YoloxTeacher


def start_detection(model: CodecModel, teacher: YoloxTeacher, **sizes: int) -> DetectionHead:
    """`sizes` as for the head; blocks of other sizes than the codec's start at zero."""
    head = DetectionHead(model.config.M, base=model.config.base, **sizes)
    _take_synthesis(head.adapter, model)
    for part in ("dark2", "dark3"):
        head.stem.get_submodule(part).load_state_dict(teacher.stem.get_submodule(part).state_dict())
    head.tail.load_state_dict(teacher.tail.state_dict())
    focus = _conv(teacher.stem.focus[0])

    def first_layer(pixels: Tensor) -> Tensor:
        return F.conv2d(corners(pixels.flip(1) * 255), focus.weight, padding=focus.padding)

    _take_first_layer(_conv(head.stem.focus[0]), head.adapter, first_layer, focus.bias)
    return head


def start_classification(
    model: CodecModel, teacher: EfficientNetTeacher, **sizes: int
) -> ClassificationHead:
    """`sizes` as for `start_detection`."""
    head = ClassificationHead(model.config.M, base=model.config.base, **sizes)
    _take_synthesis(head.adapter, model)
    head.stem.blocks.load_state_dict(teacher.stem.blocks.state_dict())
    head.tail.load_state_dict(teacher.tail.state_dict())
    first = teacher.stem.first
    bias = first.bias
    assert bias is not None

    def first_layer(pixels: Tensor) -> Tensor:
        answer: Tensor = first(PIXEL_SCALE * pixels) - bias[:, None, None]
        return answer

    # What the codec's zero, middle grey, is to the teacher.
    grey = teacher.normalised(torch.full((1, 3, 2, 2), 0.5))[0, :, 0, 0]
    at_zero = bias + torch.einsum("oihw,i->o", first.weight, grey)
    _take_first_layer(head.stem.first, head.adapter, first_layer, at_zero)
    return head


def _take_synthesis(adapter: PacketAdapter, model: CodecModel) -> None:
    """The codec's, as far as the lighter one goes."""
    adapter.up.load_state_dict(model.g_s.up.state_dict())
    _take_over(adapter.coarse, list(model.g_s.coarse))
    _take_over(adapter.fine, [model.g_s.adamix, *model.g_s.fine])


def _take_over(blocks: nn.Sequential, originals: list[nn.Module | None]) -> None:
    """Give blocks the weights of those in their place that have the same shapes."""
    for block, original in zip(blocks, originals, strict=False):
        theirs = {} if original is None else original.state_dict()
        shapes = {name: value.shape for name, value in theirs.items()}
        if shapes == {name: value.shape for name, value in block.state_dict().items()}:
            block.load_state_dict(theirs)


@torch.no_grad()
def _take_first_layer(
    layer: nn.Conv2d,
    adapter: PacketAdapter,
    first_layer: Callable[[Tensor], Tensor],
    bias: Tensor | None,
) -> None:
    """Make `layer` do with the adapter's coefficients what `first_layer` does with pixels."""
    level = adapter.lifting.levels[0]
    assert isinstance(level, LiftingLevel)
    layer.weight.copy_(coefficients_kernel(first_layer, level, layer.kernel_size[0]))
    assert layer.bias is not None
    assert bias is not None
    layer.bias.copy_(bias)


@torch.no_grad()
def coefficients_kernel(
    first_layer: Callable[[Tensor], Tensor], level: LiftingLevel, size: int
) -> Tensor:
    """Kernel [C, 12, size, size] that does with coefficients of one level what `first_layer`,
    linear and of stride 2, does with the pixels [B, 3, H, W] that they stand for.

    Read off the answers to single coefficients: inverse lifting is linear as well.  Exact if
    `size` covers them.
    """
    side, reach = 4 * size, size // 2
    impulses = torch.zeros(4 * level.channels, 4 * level.channels, side, side)
    middle = side // 2
    every = range(4 * level.channels)
    impulses[every, every, middle, middle] = 1.0
    near = slice(middle - reach, middle + reach + 1)
    answers = first_layer(level.inverse(impulses))[:, :, near, near]
    # A convolution's kernel is the mirror image of its answer to an impulse.
    return answers.flip(2, 3).transpose(0, 1)


def _conv(module: nn.Module) -> nn.Conv2d:
    assert isinstance(module, nn.Conv2d)
    return module
