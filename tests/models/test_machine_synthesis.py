"""The synthesis for machines: a copy at first, for the machine profile alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.tiny import TINY, save_tiny, tiny_model
from wavenetmv.errors import CheckpointError
from wavenetmv.models.checkpoints import load_weights
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.inference import InferenceModel
from wavenetmv.models.inter import InterModel
from wavenetmv.training.export import model_from_weights
from wavenetmv.training.machine_synthesis import with_machine_synthesis
from wavenetmv.training.post_filter import with_post_filter
from wavenetmv.training.profiles import with_machine_profile

PEOPLE, MACHINES = 0, 1


@pytest.fixture
def two_profiles():
    return with_machine_profile(with_post_filter(tiny_model()))


@pytest.fixture
def model(two_profiles):
    """One whose synthesis for machines has learned something."""
    model = with_machine_synthesis(two_profiles)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.for_machines.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    return model.eval().requires_grad_(False)


def test_it_starts_as_the_one_for_people(two_profiles):
    model = with_machine_synthesis(two_profiles)
    assert with_machine_synthesis(model) is model
    y_hat, level = torch.randn(2, TINY.M, 4, 4), torch.zeros(2, 1, 1, 1)
    assert torch.equal(model.synthesis(y_hat, level, 1), two_profiles.synthesis(y_hat, level))


def test_without_the_machine_profile_there_is_none():
    with pytest.raises(CheckpointError, match="stage 3b"):
        with_machine_synthesis(tiny_model())
    with pytest.raises(ValueError, match="profiles must be 2"):
        ModelConfig.from_dict(TINY.to_dict() | {"machine_synthesis": True})


def test_each_picture_of_a_batch_is_drawn_for_whom_it_is(model):
    y_hat, level = torch.randn(3, TINY.M, 4, 4), torch.rand(3, 1, 1, 1)
    block = torch.tensor([MACHINES, PEOPLE, MACHINES])
    together = model.synthesis(y_hat, level, block)
    for place, whom in enumerate(block.tolist()):
        alone = model.synthesis(y_hat[place : place + 1], level[place : place + 1], whom)
        assert torch.allclose(together[place], alone[0], atol=1e-5)
    people = model.synthesis(y_hat, level)
    assert torch.allclose(people[1], together[1], atol=1e-5)
    assert (people[0] - together[0]).abs().max() > 1e-3


def test_files_without_one_keep_their_hash():
    assert "machine_synthesis" not in TINY.to_dict()
    config = replace(TINY, profiles=2, machine_synthesis=True)
    assert ModelConfig.from_dict(config.to_dict()) == config


def test_it_survives_a_weights_file(model, tmp_path):
    path = save_tiny(tmp_path, model)
    loaded, again = load_weights(path), model_from_weights(path)
    for name, value in model.for_machines.state_dict().items():
        assert torch.equal(loaded.for_machines.state_dict()[name], value.half().float())
        assert torch.equal(again.for_machines.state_dict()[name], value.half().float())


def test_decoders_draw_machines_theirs(model, tmp_path):
    """And people what they would see without it."""
    model = model_from_weights(save_tiny(tmp_path, model))
    inference = InferenceModel(
        load_weights(save_tiny(tmp_path, model)), torch.device("cpu"), torch.float32
    )
    pixels = torch.randint(0, 256, (48, 80, 3), dtype=torch.uint8)
    for whom in (PEOPLE, MACHINES):
        y, _ = inference.analyse(pixels, 192, whom)
        y_hat = inference.dequantise(torch.round(16 * y), 192, whom)
        level = inference.level(192, whom)
        shown = inference.synthesise(y_hat, level, 48, 80, whom)
        wanted = model.synthesis(y_hat, level, whom)[0, :, :48, :80].detach()
        wanted = wanted.clamp(0, 1).mul(255).round().permute(1, 2, 0)
        assert (shown - wanted).abs().max() <= 1
        other = inference.synthesise(y_hat, level, 48, 80, 1 - whom)
        assert (shown.int() - other.int()).abs().max() > 1


def test_inter_frames_have_none(model):
    assert not InterModel.from_pictures(model).config.machine_synthesis
