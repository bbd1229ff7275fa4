"""Quality maps in streams, and where a head's sensitivity puts them."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tests.heads import save_cat_head
from tests.tiny import save_tiny, tiny_model
from tests.vectors.regenerate import sample_pixels
from wavenetmv import answer_descent
from wavenetmv import focus as focus_module
from wavenetmv.analysis import Analyzer
from wavenetmv.bitstream import inspect, read_picture_stream
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import CorruptStream, UsageFault
from wavenetmv.focus import ObjectFocus, focus_of
from wavenetmv.frame_codec import Look
from wavenetmv.inspection import payload_bits
from wavenetmv.models import sensitivity as module
from wavenetmv.models.registry import SEARCH_VARIABLE
from wavenetmv.models.sensitivity import sensitivity
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.types import DROP_MAX, LAMBDA_INDEX_MAX, Picture, Profile

PIXELS = sample_pixels()  # 70 x 90: 8 x 8 latents, 2 x 2 drops


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("weights"), with_machine_profile(tiny_model()))


@pytest.fixture
def codec(weights):
    return PictureCodec("cpu", weights=weights, precision="float32")


def always(drops):
    return lambda y_hat: Look(np.asarray(drops, np.uint8))


def encode(codec, drops, lmbda=512.0):
    return codec.encode(Picture(PIXELS), lmbda, focus=always(drops))


def test_no_drops_are_the_same_latents(codec):
    plain, mapped = codec.encode(Picture(PIXELS), 512.0), encode(codec, np.zeros((2, 2)))
    assert np.array_equal(codec.decode_integers(plain), codec.decode_integers(mapped))
    assert torch.equal(codec.latents(plain), codec.latents(mapped))
    assert np.array_equal(codec.decode(plain).pixels, codec.decode(mapped).pixels)
    assert len(plain) <= len(mapped) <= len(plain) + 4
    assert not inspect(plain).header.quality_map
    assert inspect(mapped).header.quality_map


def test_what_a_map_takes_is_told_apart(weights, monkeypatch):
    monkeypatch.setenv(SEARCH_VARIABLE, str(weights.parent))
    codec = PictureCodec("cpu", weights=weights)
    stream = read_picture_stream(io.BytesIO(encode(codec, [[0, 3], [1, 5]])))
    plain = read_picture_stream(io.BytesIO(encode(codec, np.zeros((2, 2)))))
    assert list(payload_bits(stream)) == ["map", "z", "y"]
    assert payload_bits(stream)["map"] > payload_bits(plain)["map"] > 0
    assert sum(payload_bits(stream).values()) == 8 * len(stream.frame.coded)


def test_the_same_drop_everywhere_is_a_lower_lambda(codec):
    # The priors of z are those of the stream's lambda, so the files may differ by a little.
    mapped, lower = encode(codec, np.full((2, 2), 2), 512.0), codec.encode(Picture(PIXELS), 256.0)
    assert torch.allclose(codec.latents(mapped), codec.latents(lower), atol=1e-6)


def test_quality_falls_where_it_drops(codec):
    drops = np.zeros((2, 2), np.uint8)
    drops[:, 1:] = 6
    plain, mapped = codec.encode(Picture(PIXELS), 2048.0), encode(codec, drops, 2048.0)
    assert len(mapped) < len(plain)
    frames, _ = codec.frames_for(Profile.MACHINE)
    wanted = frames.analyse(PIXELS, LAMBDA_INDEX_MAX)

    def errors(data):
        difference = (codec.latents(data) - wanted).square()
        return float(difference[..., :4].mean()), float(difference[..., 4:].mean())

    assert errors(mapped)[0] == pytest.approx(errors(plain)[0], rel=0.1)
    assert errors(mapped)[1] > 4 * errors(plain)[1]


@pytest.mark.parametrize("lmbda", [64.0, 2048.0])
def test_the_deepest_drops_decode(codec, lmbda):
    data = encode(codec, np.full((2, 2), DROP_MAX), lmbda)
    assert codec.latents(data).isfinite().all()
    assert codec.decode(data).pixels.shape == PIXELS.shape


def test_a_map_that_is_not_there_is_found_out(codec):
    """The flag is set, but the data begin with z."""
    data = bytearray(codec.encode(Picture(PIXELS), 512.0))
    data[9] |= 0b0001_0000
    for end in (26, len(data) - 4):
        data[end : end + 4] = zlib.crc32(data[:end]).to_bytes(4, "little")
    with pytest.raises(CorruptStream):
        codec.decode(bytes(data))


def test_to_a_size_the_head_looks_once(codec):
    asked = []

    def focus(y_hat):
        asked.append(1)
        return Look(np.full((2, 2), 2, np.uint8))

    data, _ = codec.encode_to_target(Picture(PIXELS), 560, focus=focus)
    assert len(data) <= 560
    assert len(asked) == 1


class Sums(nn.Module):
    """Features are latents, twice as dense; answers at each a score, and a box that nothing
    moves."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def c3(self, y):
        return y.repeat_interleave(2, 2).repeat_interleave(2, 3)

    def answers(self, c3):
        places = c3.flatten(2).transpose(1, 2)
        nothing = 0 * places[..., :1]
        return torch.cat([*[nothing] * 4, nothing + 1, places[..., 1:2]], 2)


@pytest.fixture
def no_smoothing(monkeypatch):
    def pooled(x, side, *rest, **options):
        return x if side == 3 else torch.nn.functional.avg_pool2d(x, side, *rest, **options)

    monkeypatch.setattr(module, "F", SimpleNamespace(avg_pool2d=pooled))


def test_sensitivity_is_the_squared_gradient(no_smoothing):
    y_hat = torch.rand(1, 2, 8, 12) + 0.5
    # d(sqrt(s) * s) with the weight held is sqrt(s), times a sign.
    assert torch.allclose(sensitivity(Sums(), y_hat), y_hat[0, 1], rtol=1e-5)


def test_sensitivity_in_tiles(monkeypatch, no_smoothing):
    """Far from the seams, tiles see what the whole sees; signs differ, so only the mean does."""
    monkeypatch.setattr(module, "_TILE", 32)
    y_hat = torch.rand(1, 2, 72, 40) + 0.5
    assert torch.allclose(sensitivity(Sums(), y_hat), y_hat[0, 1], rtol=1e-5)


def test_drops_and_rounding_follow_sensitivity(monkeypatch):
    octaves = torch.full((8, 8), -20.0)
    octaves[0, 0], octaves[:4, 4:], octaves[7, 7] = -7.0, -12.0, -50.0
    monkeypatch.setattr(focus_module, "sensitivity", lambda *_: torch.exp2(octaves))
    look = ObjectFocus(None, trials=1)(torch.zeros(1, 16, 8, 8))
    # A cell has the quality that its most sensitive latent needs; 0.3 octaves for each below -9.5.
    assert look.drops.tolist() == [[0, 2], [5, 5]]
    assert look.leniency.isfinite().all()
    leniency = look.leniency.log2()
    assert leniency[1, 1] - leniency[0, 0] == pytest.approx(1.5 * 13)
    # Of the same sensitivity, in a cell with 2.5 octaves less.
    assert leniency[1, 1] - leniency[4, 0] == pytest.approx(2.5 * 2.5)


def test_a_head_gives_the_same_map_twice_and_the_machine_profile_uses_it(weights, codec, tmp_path):
    head = save_cat_head(tmp_path, weights)
    analyzer = Analyzer(codec, head=head)
    focus = focus_of(analyzer, None)
    first, second = (codec.encode(Picture(PIXELS), focus=focus) for _ in range(2))
    assert first == second
    assert inspect(first).header.quality_map
    assert codec.decode(first).pixels.shape == PIXELS.shape
    assert analyzer.analyze(first) is not None
    assert focus_of(analyzer, Profile.HUMAN) is None
    assert focus_of(analyzer, Profile.MACHINE, wanted=False) is None
    assert focus_of(analyzer, Profile.HUMAN, wanted=True) is not None


def test_several_trials_keep_what_the_head_answers(weights, codec, tmp_path, monkeypatch):
    monkeypatch.setattr(answer_descent, "_DONE", 0.0)
    analyzer = Analyzer(codec, head=save_cat_head(tmp_path, weights))
    asked = []

    def focus(y_hat):
        look = focus_of(analyzer, None, trials=5)(y_hat)

        def search_of(*frame):
            search = look.search_of(*frame)

            def counted(index, attempts, **options):
                def attempt(shift):
                    asked.append(shift)
                    return attempts(shift)

                return search(index, attempt, **options)

            return counted

        return replace(look, search_of=search_of)

    data = codec.encode(Picture(PIXELS), 512.0, focus=focus)
    assert len(asked) == 5
    assert asked[0] is None
    assert all(shift.abs().max() > 0 for shift in asked[1:])
    assert inspect(data).header.lmbda == 512.0
    assert codec.decode(data).pixels.shape == PIXELS.shape
    # No file that was asked for by its size is larger for the search.
    size = len(data) + 40
    for each in (focus, focus_of(analyzer, None, trials=1)):
        found, _ = codec.encode_to_target(Picture(PIXELS), size, focus=each)
        assert len(found) <= size


@pytest.mark.parametrize(("trials", "message"), [(0, "at least 1"), (2, "for a focus")])
def test_trials_that_make_no_sense(weights, codec, tmp_path, trials, message):
    analyzer = Analyzer(codec, head=save_cat_head(tmp_path, weights))
    with pytest.raises(UsageFault, match=message):
        focus_of(analyzer, Profile.HUMAN, trials=trials)
    assert focus_of(analyzer, Profile.HUMAN, trials=1) is None


def test_without_a_head_only_an_explicit_wish_is_refused(codec):
    analyzer = Analyzer(codec)
    assert focus_of(analyzer, Profile.MACHINE) is None
    with pytest.raises(UsageFault, match="no head to focus"):
        focus_of(analyzer, Profile.MACHINE, wanted=True)
