"""What a new head starts with: parts of its teacher, and of the codec whose latents it reads.

A detection head is, before it learns anything, nearly what its teacher is on decoded pixels:
the codec's synthesis, as far as the lighter one of the head goes, then the teacher with its
first layer moved from pixels to wavelet coefficients.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.heads import ClassificationHead, DetectionHead
from wavenetmv.models.lifting import LiftingLevel
from wavenetmv.models.yolox import corners
from wavenetmv.training.teachers import EfficientNetTeacher, YoloxTeacher


def start_detection(
    model: CodecModel, teacher: YoloxTeacher, samples: Iterator[Tensor], **sizes: int
) -> DetectionHead:
    """`sizes` as for the head; blocks of other sizes than the codec's start at zero."""
    head = DetectionHead(model.config.M, model.config.base, **sizes)
    adapter = head.adapter
    adapter.up.load_state_dict(model.g_s.up.state_dict())
    _take_over(adapter.coarse, list(model.g_s.coarse))
    _take_over(adapter.fine, [model.g_s.adamix, *model.g_s.fine])
    _take_stem(head, teacher)
    return head


def start_classification(
    model: CodecModel, teacher: EfficientNetTeacher, samples: Iterator[Tensor], **sizes: int
) -> ClassificationHead:
    """`sizes` as for the head; samples [B, 3, H, W] in [0, 1] say how large latents are."""
    head = ClassificationHead(model.config.M, **sizes)
    head.tail.load_state_dict(teacher.tail.state_dict())
    with torch.no_grad():
        head.adapter.calibrate(model.analysis(x) for x in samples)
    return head


def _take_over(blocks: nn.Sequential, originals: list[nn.Module | None]) -> None:
    """Give blocks the weights of those in their place that have the same shapes."""
    for block, original in zip(blocks, originals, strict=False):
        theirs = {} if original is None else original.state_dict()
        shapes = {name: value.shape for name, value in theirs.items()}
        if shapes == {name: value.shape for name, value in block.state_dict().items()}:
            block.load_state_dict(theirs)


@torch.no_grad()
def _take_stem(head: DetectionHead, teacher: YoloxTeacher) -> None:
    """The teacher's stem, its first layer for coefficients in the place of pixels."""
    for part in ("dark2", "dark3"):
        head.stem.get_submodule(part).load_state_dict(teacher.stem.get_submodule(part).state_dict())
    head.tail.load_state_dict(teacher.tail.state_dict())
    ours, theirs = (stem.focus[0] for stem in (head.stem, teacher.stem))
    level = head.adapter.lifting.levels[0]
    assert isinstance(ours, nn.Conv2d)
    assert isinstance(theirs, nn.Conv2d)
    assert isinstance(level, LiftingLevel)
    ours.weight.copy_(coefficients_kernel(theirs, level, ours.kernel_size[0]))
    assert ours.bias is not None
    assert theirs.bias is not None
    ours.bias.copy_(theirs.bias)


@torch.no_grad()
def coefficients_kernel(focus: nn.Conv2d, level: LiftingLevel, size: int) -> Tensor:
    """Kernel [16, 12, size, size] on coefficients of one level that does what `focus` does on
    `corners` of the pixels, BGR 0..255, that these coefficients stand for.

    Read off the answers to single coefficients: inverse lifting and convolution are linear.
    Exact if `size` covers them.
    """
    side, reach = 4 * size, size // 2
    impulses = torch.zeros(level.channels * 4, level.channels * 4, side, side)
    middle = side // 2
    impulses[range(12), range(12), middle, middle] = 1.0
    pixels = level.inverse(impulses).flip(1) * 255
    answers = nn.functional.conv2d(corners(pixels), focus.weight, padding=focus.padding)
    near = slice(middle - reach, middle + reach + 1)
    # A convolution's kernel is the mirror image of its answer to an impulse.
    return answers[:, :, near, near].flip(2, 3).transpose(0, 1)
