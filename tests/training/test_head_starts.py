"""A detection head before training: its teacher, moved from pixels to wavelet coefficients."""

from __future__ import annotations

import pytest
import torch

from tests.heads import lively
from tests.tiny import TINY, tiny_model
from wavenetmv.models.lifting import LiftingLevel
from wavenetmv.models.yolox import corners
from wavenetmv.training.head_starts import coefficients_kernel, start_detection
from wavenetmv.training.teachers import YoloxTeacher


@pytest.fixture(scope="module")
def teacher() -> YoloxTeacher:
    return lively(YoloxTeacher(), 2)


@pytest.mark.parametrize(("base", "size"), [("haar", 3), ("bior4.4", 7)])
def test_the_first_layer_sees_in_coefficients_what_it_saw_in_pixels(teacher, base, size):
    focus, level = teacher.stem.focus[0], LiftingLevel(3, 0, base)
    x = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    wanted = focus(corners(x.flip(1) * 255))
    kernel = coefficients_kernel(focus, level, size)
    found = torch.nn.functional.conv2d(level(x), kernel, focus.bias, padding=size // 2)
    inner = (..., slice(4, -4), slice(4, -4))
    assert (found - wanted)[inner].abs().max() < 1e-4 * wanted.abs().max()


def test_a_new_head_is_the_teacher_on_decoded_pixels(teacher):
    """As far as the head has the blocks of the codec's synthesis; here it has all."""
    model = tiny_model()
    model.g_s.adamix = None
    for level in model.lifting.levels:
        level.predict = level.update = None
    head = start_detection(
        model, teacher, iter(()), coarse=TINY.coarse_width, fine=TINY.fine_width,
        coarse_blocks=1, fine_blocks=1,
    )  # fmt: skip
    head.adapter.fine[0].load_state_dict(model.g_s.fine[0].state_dict())
    generator = torch.Generator().manual_seed(3)
    y_hat = model.analysis(torch.rand(1, 3, 256, 256, generator=generator))
    wanted = teacher.stem(corners(model.synthesis(y_hat).flip(1) * 255))
    found = head.stem(head.adapter(y_hat))
    inner = (..., slice(6, -6), slice(6, -6))  # borders see other extensions
    assert found.shape == wanted.shape
    assert (found - wanted)[inner].abs().max() < 1e-3 * wanted.abs().max()
