"""Tiles: the transforms reach less far than the overlap, and no seam shows."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from tests import shipped
from tests.tiny import save_tiny, tiny_model
from wavenetmv.models import inference
from wavenetmv.models.checkpoints import load_weights
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.inference import HALO, InferenceModel
from wavenetmv.models.lifting import LiftingPacket
from wavenetmv.models.post_filter import REACH
from wavenetmv.models.registry import default_weights
from wavenetmv.models.transforms import AnalysisTransform, SynthesisTransform
from wavenetmv.training.post_filter import with_post_filter

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["plain", "filtered"])
def model(request, tmp_path_factory) -> InferenceModel:
    model = tiny_model()
    if request.param == "filtered":
        model = with_post_filter(model)
        torch.nn.init.normal_(model.post.last.weight, std=0.02)
    path = save_tiny(tmp_path_factory.mktemp("weights"), model)
    return InferenceModel(load_weights(path), CPU, torch.float32)


def waves(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    planes = [np.sin(rows / 9 + k) + np.cos(columns / (7 + k)) for k in range(3)]
    return np.uint8(127.5 + 60 * np.stack(planes, 2))


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 200), (300, 130)])
def test_tiles_equal_one_pass(model, monkeypatch, size):
    pixels = torch.from_numpy(waves(*size))
    y, z = model.analyse(pixels, 192)
    y_hat = model.dequantise(torch.round(16 * y), 192)
    level = model.level(192)
    whole = model.synthesise(y_hat, level, *size)
    assert whole.shape == (*size, 3)
    monkeypatch.setattr(inference, "TILE_THRESHOLD", 0)
    monkeypatch.setattr(inference, "TILE", 4)
    tiled_y, tiled_z = model.analyse(pixels, 192)
    assert (tiled_y - y).abs().max() < 1e-3
    assert (tiled_z - z).abs().max() < 1e-3
    tiled = model.synthesise(y_hat, level, *size)
    assert (tiled.int() - whole.int()).abs().max() <= 1


@pytest.mark.parametrize("size", [(64, 64), (70, 200)])
def test_gradient_by_pixels(model, monkeypatch, size):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.from_numpy(waves(*size))
    weight = torch.randn(model.latents(pixels).shape, generator=generator)
    gradient = model.latents_gradient(pixels, weight)
    assert gradient.shape == (1, 3, *size)
    change = torch.randint(-1, 2, pixels.shape, generator=generator)
    # Edges are repeated outside, where nobody looks.
    change[size[0] - 1 :], change[:, size[1] - 1 :] = 0, 0

    def seen(sign):
        return float((model.latents((pixels + sign * change).to(torch.uint8)) * weight).sum())

    expected = 2 * float((gradient[0].permute(1, 2, 0) * change / 255).sum())
    assert seen(1) - seen(-1) == pytest.approx(expected, rel=0.02)
    monkeypatch.setattr(inference, "TILE_THRESHOLD", 0)
    monkeypatch.setattr(inference, "TILE", 4)
    tiled = model.latents_gradient(pixels, weight)
    assert (tiled - gradient).abs().max() < 0.02 * gradient.abs().max()


def reach(function, size: int, factor: float) -> float:
    """How far, in latents, an output sees an input: from the gradient's support."""
    x = torch.randn(1, *size, requires_grad=True)
    out = function(x)
    middle = [n // 2 for n in out.shape[2:]]
    out[:, :, middle[0], middle[1]].sum().backward()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    centre = x.shape[2] / 2
    return float(max(centre - rows[0], rows[-1] + 1 - centre) * factor)


def test_overlap_covers_the_reach_of_the_shipped_shape():
    """With the default depth, but narrow, and with every weight in use."""
    config = ModelConfig(
        M=8, fine_width=4, coarse_width=4, adamix_width=4, lifting_hidden=(0, 4, 4)
    )
    lifting = LiftingPacket(config.lifting_hidden, config.base)
    g_a, g_s = AnalysisTransform(config), SynthesisTransform(config)
    for parameter in [*lifting.parameters(), *g_a.parameters(), *g_s.parameters()]:
        torch.nn.init.normal_(parameter, std=0.1)
    mixture = torch.full((1, config.adamix_filters), 1 / config.adamix_filters)
    side = 16 * 48
    analysis = reach(lambda x: g_a(lifting(x), mixture), (3, side, side), 1 / 16)
    synthesis = reach(lambda y: lifting.inverse(g_s(y, mixture)), (8, 48, 48), 1)
    assert 8 < analysis <= HALO
    assert 8 < synthesis + REACH / config.latent_factor <= HALO


@pytest.mark.weights
@shipped.needs_weights
@pytest.mark.parametrize("size", [(300, 40), (640, 16), (200, 64), (40, 300), (200, 100)])
def test_hyper_latents_of_narrow_pictures_are_not_made_up(size):
    """With AMX they were, up to NaN: a convolution read beyond its input."""
    pixels = torch.from_numpy(waves(*size))
    weights = load_weights(default_weights().path)
    exact = InferenceModel(deepcopy(weights), CPU, torch.float32).analyse(pixels, 192)[1]
    half = InferenceModel(weights, CPU, torch.bfloat16)
    for _ in range(10):
        found = half.analyse(pixels, 192)[1]
        assert (found - exact).abs().max() < 0.25 + 0.02 * exact.abs().max()
