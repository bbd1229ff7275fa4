"""Heads that were made for other weights."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.heads import cat_head, coffee_head
from tests.tiny import save_tiny, tiny_model
from wavenetmv.errors import CheckpointError, UsageFault
from wavenetmv.models.codec_model import CodecModel
from wavenetmv.models.config import PRESETS
from wavenetmv.models.head_checkpoints import save_head
from wavenetmv.models.registry import SEARCH_VARIABLE, read_info
from wavenetmv.training.prior_heads import PriorHead, load_prior_head


def pictures(count=6):
    generator = torch.Generator().manual_seed(5)
    return [torch.rand(4, 3, 64, 64, generator=generator) for _ in range(count)]


def turned(model: CodecModel) -> CodecModel:
    """The same codec with its latent channels in another order, some of them negated."""
    other = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(6)
    order = torch.randperm(16, generator=generator)
    sign = torch.where(torch.rand(16, generator=generator) < 0.5, -1.0, 1.0)
    with torch.no_grad():
        for each in (model, other):  # residual blocks would see the channels they are used to
            torch.nn.init.zeros_(each.g_a.coarse[0].last.weight)
            torch.nn.init.zeros_(each.g_a.coarse[0].last.bias)
        down = other.g_a.down
        down.weight.copy_(down.weight[order] * sign[:, None, None, None])
        down.bias.copy_(down.bias[order] * sign)
    return other


@pytest.mark.parametrize("make", [cat_head, coffee_head])
def test_turned_latents_are_turned_back(make):
    model = tiny_model().requires_grad_(False)
    other = turned(model)
    head = make()
    (x, *_) = pictures(1)
    fitted = PriorHead(head, model).fitted(other, pictures())

    def entered(each, y):
        return each.adapter.entered(y).detach()

    wanted, found = entered(head, model.analysis(x)), entered(fitted, other.analysis(x))
    unfitted = entered(head, other.analysis(x))
    assert torch.allclose(found, wanted, atol=1e-3)
    assert (unfitted - wanted).abs().max() > 0.1
    assert head(model.analysis(x), (64, 64)).shape == fitted(other.analysis(x), (64, 64)).shape
    assert all(parameter.requires_grad for parameter in fitted.parameters())


def test_files_find_their_codec(tmp_path, monkeypatch):
    weights = save_tiny(tmp_path)
    path = save_head(
        cat_head(), tmp_path, codec_hash=read_info(weights).stream_hash, description=""
    )
    monkeypatch.setattr("wavenetmv.models.registry._SHIPPED", tmp_path)
    prior = load_prior_head(path, "detect")
    assert torch.equal(prior.codec.g_a.down.weight, tiny_model().g_a.down.weight.half().float())
    with pytest.raises(UsageFault, match="task detect, not classify"):
        load_prior_head(path, "classify")
    weights.unlink()
    with pytest.raises(CheckpointError, match=f"made for other weights.*{SEARCH_VARIABLE}"):
        load_prior_head(path, "detect")


def test_other_numbers_of_channels_are_refused():
    with pytest.raises(CheckpointError, match="16 latent channels, the codec has 256"):
        PriorHead(cat_head(), tiny_model()).fitted(CodecModel(PRESETS["base"]), [])
