"""Teachers from files, and heads that learn from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.heads import write_onnx
from tests.tiny import tiny_model
from wavenetmv.errors import InputError, UsageFault
from wavenetmv.models.yolox import Features
from wavenetmv.training.distillation import (
    FeatureMatching,
    ShownFeatures,
    TaskRateDistortion,
    feature_error,
    stretched,
)
from wavenetmv.training.head_starts import start_detection
from wavenetmv.training.machine_synthesis import with_machine_synthesis
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.training.stages import choose
from wavenetmv.training.teachers import YoloxTeacher, load_yolox

SCALES = (1.0, 10.0, 0.5, 3.0, 1.0, 100.0)
pytest.importorskip("onnx", reason="teachers are ONNX files: extra train")


@pytest.fixture(scope="module")
def teacher() -> YoloxTeacher:
    torch.manual_seed(0)
    return YoloxTeacher().eval().requires_grad_(False)


def test_weights_come_from_the_file_in_order(teacher, tmp_path):
    loaded = load_yolox(write_onnx(tmp_path / "yolox.onnx", teacher))
    x = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    assert torch.equal(loaded(x), teacher(x))
    assert loaded(x[:, :, :50, :90]).shape == teacher(x).shape  # padded


def test_other_networks_and_files_are_refused(teacher, tmp_path):
    fewer = write_onnx(tmp_path / "a.onnx", teacher.stem)
    with pytest.raises(InputError, match="not YOLOX-nano"):
        load_yolox(fewer)
    (tmp_path / "b.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match=r"b\.onnx: not an ONNX file"):
        load_yolox(tmp_path / "b.onnx")


def test_feature_error_counts_in_units_of_variance():
    generator = torch.Generator().manual_seed(3)
    wanted = Features(*(scale * torch.randn(2, 4, 8, 8, generator=generator) for scale in SCALES))
    assert feature_error(wanted, wanted).tolist() == [0, 0]
    nothing = Features(*(x.mean((0, 2, 3), keepdim=True).expand_as(x) for x in wanted))
    assert float(feature_error(nothing, wanted).mean()) == pytest.approx(1, abs=0.01)


def with_head(teacher):
    model = tiny_model()
    model.heads["detect"] = start_detection(model, teacher, coarse=16, fine=16)
    return model


def test_matching_trains_the_head_and_nothing_else(teacher):
    model = with_head(teacher)
    x, position = torch.rand(2, 3, 64, 64), torch.tensor([0.0, 5.0])
    measures = FeatureMatching(teacher)(model, x, position)
    measures.loss.backward()
    learning = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    assert learning == {"heads"}
    assert measures.feature_error == pytest.approx(measures.loss.item())
    assert np.isnan(measures.psnr)


@pytest.mark.parametrize("for_machines", [False, True])
def test_heads_learn_from_decoded_pixels(teacher, for_machines):
    model = with_machine_profile(with_head(teacher))
    if for_machines:
        model = with_machine_synthesis(model)
    x, position = torch.rand(2, 3, 64, 64), torch.tensor([0.0, 5.0])
    measures = FeatureMatching(teacher, decoded=True)(model, x, position)
    measures.loss.backward()
    learning = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    assert learning == {"heads"}
    assert measures.loss.item() != FeatureMatching(teacher)(model, x, position).loss.item()


def test_joint_training_reaches_everything(teacher):
    model = with_machine_profile(with_head(teacher))
    x, position = torch.rand(2, 3, 64, 64), torch.tensor([1.0, 4.0])
    TaskRateDistortion(teacher)(model, x, position).loss.backward()
    for part in ("g_a.down", "g_s.up", "gains", "entropy.h_a", "heads.detect.adapter.enter"):
        grads = [p.grad for name, p in model.named_parameters() if name.startswith(part)]
        assert all(grad is not None and grad.abs().sum() > 0 for grad in grads), part


def test_what_machines_are_shown_is_learned_by_their_synthesis_alone(teacher):
    model = with_machine_synthesis(with_machine_profile(with_head(teacher)))
    x, position = torch.rand(2, 3, 64, 64), torch.tensor([0.0, 5.0])
    measures = ShownFeatures(teacher)(model, x, position)
    measures.loss.backward()
    learning = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    # The wavelet stands still too, by the stage's `trains`.
    assert learning == {"for_machines", "lifting"}
    assert measures.feature_error > 0
    assert 0 < measures.psnr < 60


def test_joint_training_leaves_what_machines_are_shown_alone(teacher):
    model = with_machine_synthesis(with_machine_profile(with_head(teacher)))
    x, position = torch.rand(2, 3, 64, 64), torch.tensor([1.0, 4.0])
    TaskRateDistortion(teacher)(model, x, position).loss.backward()
    assert all(parameter.grad is None for parameter in model.for_machines.parameters())


def test_lambda_of_machines_is_stretched_around_1024():
    anchors = torch.arange(6.0)
    assert stretched(anchors)[4] == 4
    assert torch.allclose(stretched(anchors).diff(), torch.tensor(1.45))


def test_which_stages_need_a_teacher():
    with pytest.raises(UsageFault, match="--teacher"):
        choose("3a")
    assert [s.name for s in choose("all")] == ["1", "2a", "2b", "2c"]
    all_stages = ["1", "2a", "2b", "2c", "3a", "3b", "3c"]
    assert [s.name for s in choose("all", with_teacher=True)] == all_stages
    assert [s.name for s in choose("3", with_teacher=True)] == ["3a", "3b", "3c"]
    assert [s.name for s in choose("3d", with_teacher=True)] == ["3d"]
