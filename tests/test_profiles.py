"""Two profiles in one set of weights: whom the bits serve."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from tests.tiny import save_tiny, tiny_model
from tests.vectors.regenerate import VECTORS, sample_pixels
from wavenetmv.bitstream import inspect, read_picture_stream
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import CorruptStream, UsageFault
from wavenetmv.inspection import payload_bits
from wavenetmv.models.config import ModelConfig
from wavenetmv.models.gains import ANCHOR_LAMBDAS, interpolate
from wavenetmv.models.registry import SEARCH_VARIABLE
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.types import Picture, Profile

PIXELS = sample_pixels()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights")
    save_tiny(path, with_machine_profile(tiny_model()))
    return path


@pytest.fixture
def codec(folder, monkeypatch):
    monkeypatch.setenv(SEARCH_VARIABLE, str(folder))
    return PictureCodec("cpu", weights=next(folder.iterdir()), precision="float32")


def test_the_machine_profile_starts_two_octaves_lower():
    model = with_machine_profile(tiny_model())
    human, machine = model.gains.log_encoder.chunk(2)
    assert torch.equal(machine[2:], human[:-2])
    assert (machine[0] < machine[1]).all()
    assert (machine[1] < human[0]).all()
    assert with_machine_profile(model) is model


def test_rows_of_another_block():
    table = torch.arange(12.0)[:, None] * torch.tensor([[1.0, 10.0]])
    position, block = torch.tensor([0.0, 2.5, 5.0]), torch.tensor([0, 1, 1])
    assert interpolate(table, position, block)[:, 0].tolist() == [0, 8.5, 11]
    assert interpolate(table, position, 1)[:, 1].tolist() == [60, 85, 110]
    assert len(ANCHOR_LAMBDAS) == 6


def test_streams_say_their_profile_and_come_back(codec):
    human = codec.encode(Picture(PIXELS), 512, Profile.HUMAN)
    machine = codec.encode(Picture(PIXELS), 512, Profile.MACHINE)
    assert codec.encode(Picture(PIXELS), 512) == machine
    assert len(machine) < len(human)
    assert inspect(human).header.profile is Profile.HUMAN
    same = codec.encode(Picture(PIXELS), 128, Profile.HUMAN)
    for data in (human, machine):
        decoded = codec.decode(data).pixels
        assert decoded.shape == PIXELS.shape
    # The same quantiser steps: two octaves lower for people.
    assert np.array_equal(codec.decode(machine).pixels, codec.decode(same).pixels)


def test_bits_are_told_apart_with_the_right_tables(codec):
    for profile in (Profile.HUMAN, Profile.MACHINE):
        stream = read_picture_stream(io.BytesIO(codec.encode(Picture(PIXELS), 512, profile)))
        bits = payload_bits(stream)
        assert bits["z"] > 0
        assert bits["z"] + bits["y"] == 8 * len(stream.frame.coded)


def test_unknown_profiles_are_refused(codec, monkeypatch):
    monkeypatch.setenv(SEARCH_VARIABLE, str(VECTORS))
    neutral = PictureCodec("cpu", weights=next(VECTORS.glob("tiny-*.safetensors")))
    with pytest.raises(UsageFault, match="these weights serve neutral, not machine"):
        neutral.encode(Picture(PIXELS), 512, Profile.MACHINE)
    with pytest.raises(UsageFault, match="human and machine, not neutral"):
        codec.encode(Picture(PIXELS), 512, Profile.NEUTRAL)


def test_configuration():
    assert ModelConfig().block_of(Profile.NEUTRAL) == 0
    two = ModelConfig(profiles=2)
    assert [two.block_of(p) for p in (Profile.HUMAN, Profile.MACHINE)] == [0, 1]
    assert two.default_profile is Profile.MACHINE
    old = {key: value for key, value in ModelConfig().to_dict().items() if key != "profiles"}
    assert ModelConfig.from_dict(old) == ModelConfig()
    with pytest.raises(ValueError, match="profiles must be 1 or 2"):
        ModelConfig.from_dict({**old, "profiles": 3})


def test_a_stream_of_a_profile_that_the_weights_lack_is_corrupt(codec, monkeypatch):
    data = codec.encode(Picture(PIXELS), 512, Profile.HUMAN)
    monkeypatch.setattr(ModelConfig, "block_of", _knows_nothing)
    with pytest.raises(CorruptStream, match="stream header: nothing known"):
        codec.decode(data)


def _knows_nothing(self, profile):
    raise ValueError("nothing known")
