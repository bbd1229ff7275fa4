"""A detection head before training: its teacher, moved from pixels to wavelet coefficients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.heads import lively
from tests.tiny import TINY, tiny_model
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.heads import ClassificationHead
from wavenetmv.models.lifting import LiftingLevel
from wavenetmv.models.yolox import corners
from wavenetmv.training.head_starts import (
    coefficients_kernel,
    start_classification,
    start_detection,
)
from wavenetmv.training.teachers import EfficientNetTeacher, YoloxTeacher

SIZES = {
    "coarse": TINY.coarse_width, "fine": TINY.fine_width, "coarse_blocks": 1, "fine_blocks": 1,
}  # fmt: skip


def plain_model() -> CodecModel:
    """A codec whose synthesis has no parts that heads lack."""
    model = tiny_model()
    model.g_s.adamix = None
    for level in model.lifting.levels:
        level.predict = level.update = None
    return model


def smooth_picture(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(1, 3, height // 16, width // 16, generator=generator)
    return F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


@pytest.fixture(scope="module")
def teacher() -> YoloxTeacher:
    return lively(YoloxTeacher(), 2)


@pytest.mark.parametrize(("base", "size"), [("haar", 3), ("bior4.4", 7)])
def test_the_first_layer_sees_in_coefficients_what_it_saw_in_pixels(teacher, base, size):
    focus, level = teacher.stem.focus[0], LiftingLevel(3, 0, base)

    def first_layer(pixels):
        return F.conv2d(corners(pixels), focus.weight, padding=1)

    x = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    wanted, kernel = first_layer(x), coefficients_kernel(first_layer, level, size)
    found = F.conv2d(level(x), kernel, padding=size // 2)
    inner = (..., slice(4, -4), slice(4, -4))
    assert (found - wanted)[inner].abs().max() < 1e-4 * wanted.abs().max()


def test_a_new_head_is_the_teacher_on_decoded_pixels(teacher):
    """As far as the head has the blocks of the codec's synthesis; here it has all."""
    model = plain_model()
    head = start_detection(model, teacher, **SIZES)
    head.adapter.fine[0].load_state_dict(model.g_s.fine[0].state_dict())
    y_hat = model.analysis(smooth_picture(256, 256))
    wanted = teacher.stem(corners((model.unfiltered(y_hat) + 0.5).flip(1) * 255))
    found = head.features(y_hat).c3
    inner = (..., slice(6, -6), slice(6, -6))  # borders see other extensions
    assert found.shape == wanted.shape
    assert (found - wanted)[inner].abs().max() < 1e-3 * wanted.abs().max()


def test_a_new_classifier_is_its_teacher_where_scales_agree():
    """Pictures with a short side of 256 pixels."""
    teacher = lively(EfficientNetTeacher(), 3)
    model = plain_model()
    head = start_classification(model, teacher, **SIZES)
    head.adapter.fine[0].load_state_dict(model.g_s.fine[0].state_dict())
    y_hat = model.analysis(smooth_picture(256, 320))
    wanted = teacher.stem(teacher.normalised(model.unfiltered(y_hat) + 0.5))
    found = head.features(y_hat, (256, 320)).c16
    inner = (..., slice(6, -6), slice(6, -6))
    assert found.shape == wanted.shape
    assert (found - wanted)[inner].abs().max() < 1e-3 * wanted.abs().max()


@pytest.mark.parametrize("octave", [1, 2])
def test_coefficients_of_octaves_are_those_of_smaller_pictures(octave):
    head = ClassificationHead(16, coarse=8, coarse_blocks=0)
    y_hat = torch.randn(1, 16, 8, 12, generator=torch.Generator().manual_seed(4))
    full = head.adapter.coefficients(y_hat, 0)
    x = head.adapter.lifting.levels[0].inverse(full)
    for level in head.adapter.lifting.levels[:octave]:
        x = level(x)[:, :3] / 2  # LL, and its gain
    wanted = head.adapter.lifting.levels[0](x)
    assert torch.allclose(head.adapter.coefficients(y_hat, octave), wanted, atol=1e-4)
