"""The head for classes learns from a network on pixels, beside other heads."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from tests.heads import lively, write_state_dict
from tests.tiny import save_tiny, tiny_model
from wavenetmv.errors import InputError, UsageFault
from wavenetmv.models.heads import build_head
from wavenetmv.models.registry import SEARCH_VARIABLE, read_head_info, read_info
from wavenetmv.training.batches import PictureBatches
from wavenetmv.training.cache import open_cache
from wavenetmv.training.distillation import LogitMatching, answer_error
from wavenetmv.training.export import export, load_checkpoint
from wavenetmv.training.head_starts import start_classification
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.training.run import RunOptions, run
from wavenetmv.training.stage_config import StageConfig
from wavenetmv.training.stages import choose
from wavenetmv.training.teachers import EfficientNetTeacher, load_efficientnet
from wavenetmv.training.trainer import CHECKPOINT, Trainer


@pytest.fixture(scope="module")
def teacher() -> EfficientNetTeacher:
    network = lively(EfficientNetTeacher())
    assert isinstance(network, EfficientNetTeacher)
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photographs):
    path = tmp_path_factory.mktemp("pictures")
    for name, width in (("astronaut.png", 200), ("coffee.png", 120), ("chelsea.png", 120)):
        with Image.open(photographs / name) as image:
            image.convert("RGB").crop((100, 80, 100 + width, 230)).save(path / name)
    return path


@pytest.fixture(scope="module")
def data(folder, tmp_path_factory):
    return open_cache([folder], tmp_path_factory.mktemp("cache"), 64)


def with_head(teacher):
    model = tiny_model()
    torch.manual_seed(1)
    model.heads["classify"] = start_classification(model, teacher, coarse=16)
    return model


def test_batch_norms_are_folded_into_the_convolutions_before_them(teacher, tmp_path):
    norms = write_state_dict(tmp_path / "lite0.pth", teacher)
    loaded = load_efficientnet(tmp_path / "lite0.pth")
    pairs = [
        (found, original)
        for found, original in zip(loaded.modules(), teacher.modules(), strict=True)
        if isinstance(found, nn.Conv2d)
    ]
    for (found, original), norm in zip(pairs, norms, strict=True):
        x = torch.randn(1, found.in_channels, 6, 6, generator=torch.Generator().manual_seed(5))
        plain = F.conv2d(x, original.weight, groups=original.groups)
        expected = norm(plain)
        result = F.conv2d(x, found.weight, found.bias, groups=found.groups)
        assert torch.allclose(result, expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(loaded.tail.classes.weight, teacher.tail.classes.weight)


def test_other_networks_and_files_are_refused(teacher, tmp_path):
    torch.save(teacher.stem.state_dict(), tmp_path / "a.pth")
    with pytest.raises(InputError, match="not EfficientNet-Lite0"):
        load_efficientnet(tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(b"no network")
    with pytest.raises(InputError, match=r"b\.pth: no state dict"):
        load_efficientnet(tmp_path / "b.pth")
    torch.save([1, 2], tmp_path / "c.pth")
    with pytest.raises(InputError, match=r"c\.pth: no state dict"):
        load_efficientnet(tmp_path / "c.pth")


def test_the_teacher_sees_every_picture_at_one_size(teacher):
    x = torch.rand(1, 3, 100, 150, generator=torch.Generator().manual_seed(6))
    prepared = teacher.prepare(x)
    assert prepared.shape == (1, 3, 256, 384)
    assert prepared.mean() == pytest.approx(float((x * 255 - 127).mean() / 128), abs=0.01)
    assert teacher.features(x).c16.shape == (1, 80, 16, 24)


def test_answer_error_is_a_divergence():
    wanted = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    assert float(answer_error(wanted, wanted, 2.0)) == pytest.approx(0, abs=1e-7)
    assert float(answer_error(wanted + 5, wanted, 2.0)) == pytest.approx(0, abs=1e-6)
    p, q = (wanted / 2).softmax(1), torch.full((2, 3), 1 / 3)
    by_hand = 4 * float((p * (p / q).log()).sum()) / 2
    assert float(answer_error(torch.zeros(2, 3), wanted, 2.0)) == pytest.approx(by_hand)


def test_matching_trains_the_head_and_nothing_else(teacher):
    model = with_head(teacher)
    x, position = torch.rand(2, 3, 128, 128), torch.tensor([0.0, 5.0])
    measures = LogitMatching(teacher)(model, x, position)
    measures.loss.backward()
    learning = {name for name, p in model.named_parameters() if p.grad is not None}
    assert {name.split(".")[0] for name in learning} == {"heads"}
    assert {"heads.classify.adapter.up.weight", "heads.classify.stem.first.weight"} <= learning
    assert 0 < measures.feature_error < measures.loss.item()


def test_a_head_sees_the_streams_of_all_profiles(teacher):
    model = with_head(teacher)
    x, position = torch.rand(4, 3, 128, 128), torch.full((4,), 5.0)

    def bpp(model, position):
        torch.manual_seed(8)
        return LogitMatching(teacher)(model, x, position).y_bpp

    one, lower = bpp(model, position), bpp(model, position - 2)
    # The machine profile starts two octaves lower, and codes every other picture.
    both = bpp(with_machine_profile(model), position)
    assert lower < 0.95 * both < 0.95 * 0.95 * one
    assert both == pytest.approx((one + lower) / 2, rel=0.02)


def loss_on_fixed_crops(model, objective, data) -> float:
    torch.manual_seed(7)
    x = torch.from_numpy(data.crops(np.random.default_rng(7), 6, 64)).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        return float(objective(model, x, torch.linspace(0, 5, 6)).loss)


def test_a_few_steps_lower_the_loss_and_the_tail_learns_late(teacher, data, tmp_path):
    model, objective = with_head(teacher), LogitMatching(teacher)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("heads.classify."))
    config = StageConfig(
        steps=12, batch=2, crop=64, larger_crops=[128, 512], lr=2e-3, warmup_steps=2,
        late=("heads.classify.tail.",), late_from=0.5, log_every=4,
    )  # fmt: skip
    sizes, learns_late = [], []

    def watching(model, x, position):
        sizes.append(x.shape[2])
        learns_late.append(model.heads["classify"].tail.last.weight.requires_grad)
        return objective(model, x, position)

    with torch.no_grad():  # it would start with what it is to learn
        model.heads["classify"].stem.first.weight.mul_(0.3)
    before = loss_on_fixed_crops(model, objective, data)
    tail = model.heads["classify"].tail.classes.weight.clone()
    Trainer(model, watching, config, PictureBatches(data), tmp_path).run()
    assert loss_on_fixed_crops(model, objective, data) < 0.9 * before
    assert learns_late == [False] * 6 + [True] * 6
    assert not torch.equal(model.heads["classify"].tail.classes.weight, tail)
    assert set(sizes) == {64, 128}  # no picture is large enough for 512
    with (tmp_path / "log.csv").open() as source:
        errors = [float(row["feature_error"]) for row in csv.DictReader(source)]
    assert errors[-1] < errors[0]


def test_crops_larger_than_some_pictures_are_of_the_others(data):
    assert (data.smallest_side, data.largest_side) == (120, 150)
    crops = data.crops(np.random.default_rng(0), 4, 128)
    (astronaut,) = [each for each in data.pictures if min(each.shape[:2]) == 150]
    windows = np.lib.stride_tricks.sliding_window_view(astronaut, (128, 128, 3)).squeeze(2)
    for crop in crops:
        assert any((windows == side).all((2, 3, 4)).any() for side in (crop, crop[:, ::-1]))
    with pytest.raises(UsageFault, match="no picture of at least 192"):
        data.crops(np.random.default_rng(0), 1, 192)


def test_which_tasks_have_which_stages():
    (stage,) = choose("3a", "classify", with_teacher=True)
    assert stage.trains == ("heads.classify.adapter.", "heads.classify.stem.")
    assert stage.config.larger_crops == (320, 384, 512)
    assert stage.folder == "3a-classify"
    for name in ("3b", "3", "all"):
        with pytest.raises(UsageFault, match=r"3b is for --task detect only.*--stage 3a"):
            choose(name, "classify", with_teacher=True)
    with pytest.raises(UsageFault, match="there are detect, classify"):
        choose("3a", "smell", with_teacher=True)
    with pytest.raises(UsageFault, match="--task classify is for stage 3a"):
        choose("2b", "classify")


def test_one_run_from_files_to_a_head_file(teacher, folder, tmp_path, monkeypatch):
    write_state_dict(tmp_path / "lite0.pth", teacher)
    weights = save_tiny(tmp_path)
    config = tmp_path / "settings.json"
    stage = '{"batch": 2, "crop": 64, "larger_crops": [128], "log_every": 1}'
    config.write_text(f'{{"stages": {{"3a": {stage}}}}}')
    options = RunOptions(
        data=[folder], out=tmp_path / "out", stage="3a", task="classify", steps=2, start=weights,
        teacher=tmp_path / "lite0.pth", config=config, device="cpu",
    )  # fmt: skip
    (path,) = run(options, lambda done, total: None, lambda name, row: None)
    info = read_head_info(path)
    assert (info.task, info.codec_hash) == ("classify", read_info(weights).stream_hash.hex())
    model = load_checkpoint(tmp_path / "out" / "3a-classify" / CHECKPOINT)
    assert list(model.heads) == ["classify"]
    again = replace(options, out=tmp_path / "again", steps=1, head=path)
    monkeypatch.setenv(SEARCH_VARIABLE, str(tmp_path))
    (refitted,) = run(again, lambda done, total: None, lambda name, row: None)
    assert refitted != path


def test_one_checkpoint_holds_several_heads(data, tmp_path):
    model = tiny_model()
    for task in ("detect", "classify"):
        model.heads[task] = build_head(task, M=16)
    objective = LogitMatching(lively(EfficientNetTeacher()))
    Trainer(model, objective, StageConfig(steps=1), PictureBatches(data), tmp_path).save()
    restored = load_checkpoint(tmp_path / CHECKPOINT)
    assert list(restored.heads) == ["detect", "classify"]
    for ours, theirs in zip(restored.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    codec, *heads = export(tmp_path / CHECKPOINT, tmp_path)
    infos = [read_head_info(path) for path in heads]
    assert [info.task for info in infos] == ["detect", "classify"]
    assert {info.codec_hash for info in infos} == {read_info(codec).stream_hash.hex()}
