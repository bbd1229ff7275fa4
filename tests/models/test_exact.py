"""The integer path: exact in float32, equal to what training simulates, bounded."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.tiny import tiny_model
from wavenetmv.models import exact as exact_module
from wavenetmv.models.dead_zone import dead_zone_of
from wavenetmv.models.entropy import MEAN_BITS
from wavenetmv.models.exact import ExactEntropyModel, export_entropy
from wavenetmv.models.exact_conv import ByteConv2d, ExactConv2d
from wavenetmv.models.latents import Quantise, walk
from wavenetmv.models.quantised import EXACT_LIMIT, FakeQuantConv2d, export_integers


def exact_of(layer: FakeQuantConv2d) -> ExactConv2d:
    return ExactConv2d(**export_integers(layer), hidden=layer.hidden, bytes_in=layer.bytes_in)


@pytest.mark.parametrize("channels", [8, 128, 448])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_exact_convolution_equals_float64(channels, kernel, hidden, layout):
    torch.manual_seed(channels + kernel)
    layer = FakeQuantConv2d(channels, 24, kernel, hidden=hidden)
    torch.nn.init.normal_(layer.weight, std=3.0)  # far larger than training makes them
    exact = exact_of(layer)
    x = torch.randint(0, 256, (1, channels, 9, 11)).float().to(memory_format=layout)
    reference = F.conv2d(
        x.double(), exact.weight.double(), exact.bias.double(), padding=exact.padding
    )
    assert reference.abs().max() < EXACT_LIMIT
    expected = torch.floor(reference * exact.rescale.double())
    expected = expected.clamp(0, 255) if hidden else expected.clamp(-(1 << 20), 1 << 20)
    assert torch.equal(exact(x).double(), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (33, 20)])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_products_of_bytes_give_the_same_sums(size, kernel, monkeypatch):
    if not ByteConv2d.is_exact():
        pytest.skip("this build of torch has no exact product of bytes")
    generator = torch.Generator().manual_seed(kernel)
    # The largest operands there are, at random signs.
    weight = torch.randint(0, 2, (24, 40, kernel, kernel), generator=generator) * 254 - 127
    bias = torch.randint(-1000, 1000, (24,), generator=generator, dtype=torch.int32)
    x = torch.randint(0, 2, (2, 40, *size), generator=generator).float() * 255
    expected = F.conv2d(x.double(), weight.double(), bias.double(), padding=kernel // 2)
    conv = ByteConv2d(weight.to(torch.int8), bias)
    assert torch.equal(conv(x).double(), expected)
    monkeypatch.setattr(ByteConv2d, "_STRIP_BYTES", 3 * size[1] * kernel**2 * 40)
    assert torch.equal(conv(x).double(), expected)


def test_a_product_of_bytes_that_saturates_is_not_used(monkeypatch):
    exact = torch._int_mm
    monkeypatch.setattr(torch, "_int_mm", lambda a, b: exact(a, b).clamp(-(1 << 20), 1 << 20))
    assert not ByteConv2d.is_exact.__wrapped__()
    monkeypatch.delattr(torch, "_int_mm")
    assert not ByteConv2d.is_exact.__wrapped__()


def test_a_product_of_bytes_that_takes_longer_is_not_used(monkeypatch):
    product = torch._int_mm

    def one_by_one(a, b):
        time.sleep(0.05)
        return product(a, b)

    monkeypatch.setattr(torch, "_int_mm", one_by_one)
    assert not ByteConv2d.is_faster.__wrapped__()
    monkeypatch.setattr(torch, "_int_mm", lambda a, b: None)
    assert ByteConv2d.is_faster.__wrapped__()
    monkeypatch.delattr(torch, "_int_mm")
    assert not ByteConv2d.is_faster.__wrapped__()


@pytest.mark.parametrize("hidden", [True, False])
def test_simulated_quantisation_equals_the_exact_layer(hidden):
    torch.manual_seed(1)
    layer = FakeQuantConv2d(32, 16, 3, hidden=hidden)
    layer.fake_quant = True
    integers = torch.randint(0, 256, (2, 32, 8, 8)).float()
    simulated = layer(integers * layer.input_step[:, None, None])
    steps = 32 if hidden else 64
    assert torch.equal(simulated * steps, exact_of(layer)(integers))


def test_export_refuses_sums_that_float32_cannot_hold():
    layer = FakeQuantConv2d(8, 4, 1, hidden=True)
    torch.nn.init.constant_(layer.bias, 3e7)
    with pytest.raises(ValueError, match="out of range"):
        export_integers(layer)


@pytest.mark.parametrize("lambda_index", [0, 100, 320])
def test_walk_equals_the_simulated_training_model(lambda_index):
    """Same latents, sixteenth for sixteenth: training sees what the stream will hold."""
    model = tiny_model()
    model.entropy.set_fake_quant(True)
    rng = np.random.default_rng(3)
    y = torch.from_numpy(rng.normal(scale=3, size=(1, 16, 12, 8))).float()
    position = torch.tensor([lambda_index / 64])
    with torch.no_grad():
        coded = model.entropy(y, position)
        z = model.entropy.h_a(y)
    exact = ExactEntropyModel(model.config, export_entropy(model.entropy))
    quantise = Quantise(y, z, model.entropy.dead_zone)
    sixteenths = walk(exact, (12, 8), lambda_index, quantise)
    assert torch.equal(sixteenths * 2.0**-MEAN_BITS, coded.y_hat)
    assert len(quantise.coded) == 5
    assert sum(symbols.numel() for symbols, _ in quantise.coded) == y.numel() + z.numel()


def test_strips_of_a_large_picture_change_nothing(monkeypatch):
    model = tiny_model()
    exact = ExactEntropyModel(model.config, export_entropy(model.entropy))
    rng = np.random.default_rng(4)
    y = torch.from_numpy(rng.normal(scale=3, size=(1, 16, 20, 8))).float()
    z = torch.from_numpy(rng.normal(scale=2, size=(1, 8, 5, 2))).float()
    whole = walk(exact, (20, 8), 64, Quantise(y, z))
    monkeypatch.setattr(exact_module, "_STRIP", 6)
    assert torch.equal(walk(exact, (20, 8), 64, Quantise(y, z)), whole)


def test_z_indexes_interpolate_in_integers():
    model = tiny_model()
    tensors = export_entropy(model.entropy)
    tensors["entropy.z_index"][0], tensors["entropy.z_index"][1] = 10, 20
    exact = ExactEntropyModel(model.config, tensors)
    found = [int(exact.z_indexes(i)[0]) for i in (0, 3, 4, 32, 61, 64)]
    assert found == [10, 10, 11, 15, 20, 20]
    with pytest.raises(ValueError, match="321"):
        exact.z_indexes(321)


def test_dead_zone_grows_with_what_a_symbol_costs():
    thresholds = dead_zone_of(torch.tensor([0.0, 1.0, 5.0, 16.0]), slope=0.1)
    assert thresholds.tolist() == pytest.approx([0.5, 0.55, 0.75, 0.95])


def test_dead_zone_only_turns_ones_into_zeros():
    model = tiny_model()
    exact = ExactEntropyModel(model.config, export_entropy(model.entropy))
    rng = np.random.default_rng(6)
    y = torch.from_numpy(rng.normal(scale=1, size=(1, 16, 8, 8))).float()
    z = torch.zeros(1, 8, 2, 2)
    plain, rounded = Quantise(y, z), Quantise(y, z, torch.full((64,), 0.7))
    for quantise in (plain, rounded):
        walk(exact, (8, 8), 64, quantise)
    # The first step does not depend on earlier symbols: there both can be compared.
    before, after = plain.coded[1][0], rounded.coded[1][0]
    assert (before != after).any()
    assert (before[before != after].abs() == 1).all()
    assert not after[before != after].any()


def test_rounding_is_lenient_where_it_may_be():
    model = tiny_model()
    exact = ExactEntropyModel(model.config, export_entropy(model.entropy))
    y = torch.from_numpy(np.random.default_rng(6).normal(size=(1, 16, 8, 8))).float()
    z, dead_zone = torch.zeros(1, 8, 2, 2), torch.full((64,), 0.7)
    leniency = torch.zeros(8, 8)  # plain rounding
    leniency[:, 2:4], leniency[:, 4:] = 1, 5
    found = []
    for quantise in (
        Quantise(y, z),
        Quantise(y, z, dead_zone),
        Quantise(y, z, dead_zone, leniency),
    ):
        walk(exact, (8, 8), 64, quantise)
        found.append(quantise.coded[1][0].view(16, 4, 4))  # the first step: one row in two
    plain, everywhere, lenient = found
    assert torch.equal(lenient[:, :, :1], plain[:, :, :1])
    assert torch.equal(lenient[:, :, 1:2], everywhere[:, :, 1:2])
    changed = plain[:, :, 2:] != lenient[:, :, 2:]
    assert changed.sum() > (plain != everywhere)[:, :, 2:].sum() > 0
    # All ones are gone there, and nothing else.
    assert torch.equal(changed, plain[:, :, 2:].abs() == 1)
    assert not lenient[:, :, 2:][changed].any()
