"""The filter on decoded pixels: nothing at first, local, and the same in strips."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import torch

from tests.tiny import TINY, save_tiny, tiny_model
from wavenetmv.models import post_filter as module
from wavenetmv.models.checkpoints import load_weights
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.post_filter import REACH, PostFilter, in_strips, post_filter
from wavenetmv.training.export import model_from_weights
from wavenetmv.training.post_filter import with_post_filter


@pytest.fixture
def post():
    """One that has learned something."""
    torch.manual_seed(0)
    post = PostFilter(8)
    torch.nn.init.normal_(post.last.weight, std=0.1)
    return post.requires_grad_(False)


def test_it_starts_as_nothing():
    x = torch.rand(2, 3, 20, 30) - 0.5
    assert torch.equal(PostFilter(8)(x, torch.zeros(2, 1, 1, 1)), x)


def test_it_sees_as_far_as_it_says(post):
    """What a pixel changes, for the four places that it can have in its 2x2."""
    x, level = torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 1, 1)
    furthest = 0
    for row, column in product((14, 15), repeat=2):
        changed = x.clone()
        changed[0, 1, row, column] = 1
        rows, columns = (post(changed, level) - post(x, level))[0].abs().sum(0).nonzero().T
        reached = max((rows - row).abs().max(), (columns - column).abs().max())
        furthest = max(furthest, int(reached))
    assert furthest == REACH


def test_it_knows_how_coarsely_latents_were_rounded(post):
    x = torch.rand(1, 3, 32, 32) - 0.5
    levels = torch.tensor([1.0, 3.0])[None, None, :, None]  # upper and lower half
    both = post(x, levels)
    apart = [post(x, level.view(1, 1, 1, 1)) for level in levels.flatten()]
    assert torch.allclose(both[:, :, : 16 - REACH], apart[0][:, :, : 16 - REACH], atol=1e-6)
    assert torch.allclose(both[:, :, 16 + REACH :], apart[1][:, :, 16 + REACH :], atol=1e-6)
    assert (apart[0] - apart[1]).abs().max() > 1e-3


@pytest.mark.parametrize("rows", [2, 14, 16, 18, 50])
def test_strips_change_nothing(post, monkeypatch, rows):
    monkeypatch.setattr(module, "_STRIP", 16)
    x = torch.rand(1, 3, rows, 24) - 0.5
    level = torch.rand(1, 1, 2, 2)
    assert torch.allclose(in_strips(post, x, level), post(x, level), atol=1e-6)


def test_files_without_one_keep_their_hash():
    assert post_filter(TINY) is None
    assert "post_width" not in TINY.to_dict()
    filtered = replace(TINY, post_width=8)
    assert ModelConfig.from_dict(filtered.to_dict()) == filtered
    assert ModelConfig.from_dict(TINY.to_dict()) == TINY


def test_a_filter_is_added_once_and_survives_a_weights_file(tmp_path):
    plain = tiny_model()
    model = with_post_filter(plain)
    assert with_post_filter(model) is model
    for name, value in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)
    torch.nn.init.normal_(model.post.last.weight, std=0.1)
    path = save_tiny(tmp_path, model)
    loaded, again = load_weights(path), model_from_weights(path)
    for name, value in model.post.state_dict().items():
        assert torch.equal(loaded.post.state_dict()[name], value.half().float())
        assert torch.equal(again.post.state_dict()[name], value.half().float())
