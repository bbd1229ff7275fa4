"""Streams to objects through latents, with a tiny codec and a head of random weights."""

from __future__ import annotations

import pytest
import torch

from tests.heads import cat_head, save_cat_head, save_coffee_head, save_dog_head
from tests.vectors.regenerate import VECTORS
from wavenetmv.analysis import Analyzer
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import CheckpointError, CorruptStream, UsageFault
from wavenetmv.labels import IMAGENET_LABELS
from wavenetmv.models.head_checkpoints import load_head
from wavenetmv.models.heads import build_head
from wavenetmv.models.registry import (
    SEARCH_VARIABLE,
    list_heads,
    list_weights,
    read_head_info,
    read_info,
)
from wavenetmv.types import Detection

WEIGHTS = next(VECTORS.glob("tiny-*.safetensors"))
WEIGHTS_HASH = read_info(WEIGHTS).stream_hash.hex()
STREAM = (VECTORS / "codec_picture.wmv").read_bytes()


@pytest.fixture
def heads(tmp_path, monkeypatch):
    """A folder with the head of the tiny codec, on the search path."""
    monkeypatch.setenv(SEARCH_VARIABLE, f"{VECTORS}:{tmp_path}")
    save_cat_head(tmp_path, WEIGHTS)
    return tmp_path


@pytest.fixture
def codec(heads):
    return PictureCodec("cpu")


def test_finds_objects_inside_the_picture(codec):
    header, y_hat = codec.read_latents(STREAM)
    found = Analyzer(codec).analyze(STREAM, threshold=0.3)
    assert found
    assert {each.label for each in found} <= {"cat", "dog"}
    assert found == sorted(found, key=lambda each: -each.score)
    for each in found:
        x1, y1, x2, y2 = each.box
        assert 0 <= x1 <= x2 <= header.width
        assert 0 <= y1 <= y2 <= header.height
    assert y_hat.shape[0] == 1


def test_threshold_is_the_least_score(codec):
    analyzer = Analyzer(codec)
    everything = analyzer.analyze(STREAM, threshold=0.3)
    least = everything[len(everything) // 2].score
    assert analyzer.analyze(STREAM, least) == [e for e in everything if e.score > least]
    assert analyzer.analyze(STREAM, 1.0) == []
    with pytest.raises(UsageFault, match=r"0\.\.1"):
        analyzer.analyze(STREAM, 1.5)


def test_a_bad_stream_among_many_gives_its_error_and_no_more(codec):
    broken = STREAM[:60] + bytes([STREAM[60] ^ 1]) + STREAM[61:]
    first, second, third = Analyzer(codec).analyze_many([STREAM, broken, STREAM])
    assert first == third
    assert first
    assert isinstance(second, CorruptStream)


def test_heads_are_files_of_their_own(heads):
    (info,) = (each for each in list_heads() if each.path.parent == heads)
    assert info.task == "detect"
    assert info.codec_hash == WEIGHTS_HASH
    assert all(each.path != info.path for each in list_weights())
    y_hat = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    saved, loaded = cat_head().half().float(), load_head(info)
    assert torch.equal(saved(y_hat, (128, 128)), loaded(y_hat, (128, 128)))
    assert not loaded.training


def test_what_is_found_in_decoded_pixels_has_a_head_of_its_own(heads, codec):
    header, y_hat = codec.read_latents(STREAM)
    rest = ((header.height, header.width), header.weights_hash, 0.3)
    analyzer = Analyzer(codec)
    own = analyzer.find(y_hat, *rest)
    assert analyzer.find(y_hat, *rest, decoded=True) == own  # as long as there is none
    path = save_dog_head(heads, WEIGHTS)
    assert path.name.startswith("detect-decoded-")
    assert read_head_info(path).decoded
    assert analyzer.analyze(STREAM, 0.3) == analyzer.find(y_hat, *rest) == own
    again = analyzer.find(y_hat, *rest, decoded=True)
    assert (own[0].label, again[0].label) == ("cat", "dog")
    named = Analyzer(codec, head=path)  # what the user names serves everything
    assert named.find(y_hat, *rest) == again


def test_classes_beside_objects(heads, codec):
    save_coffee_head(heads, WEIGHTS)
    found = Analyzer(codec, "classify").analyze(STREAM, threshold=0)
    assert [each.label for each in found[:2]] == ["espresso", "Egyptian cat"]
    assert len(found) == 5
    assert [IMAGENET_LABELS[each.class_id] for each in found] == [each.label for each in found]
    assert found == sorted(found, key=lambda each: -each.score)
    assert 0.5 < found[0].score < sum(each.score for each in found) < 1
    assert {type(each) for each in Analyzer(codec).analyze(STREAM)} == {Detection}


def test_every_task_has_a_threshold_of_its_own(heads, codec):
    save_coffee_head(heads, WEIGHTS)
    for task, least in (("detect", 0.25), ("classify", 0.05)):
        analyzer = Analyzer(codec, task)
        found = analyzer.analyze(STREAM)
        assert found == analyzer.analyze(STREAM, least)
        assert found != analyzer.analyze(STREAM, 0)


def test_missing_head_says_what_is_there(monkeypatch):
    monkeypatch.setenv(SEARCH_VARIABLE, str(VECTORS))
    with pytest.raises(CheckpointError, match=f"no head 'detect' for streams of .*{WEIGHTS_HASH}"):
        Analyzer(PictureCodec("cpu")).analyze(STREAM)
    with pytest.raises(UsageFault, match="there are detect"):
        Analyzer(PictureCodec("cpu"), "smell")
    with pytest.raises(ValueError, match="smell"):
        build_head("smell", M=16)


def test_damaged_head_file_is_refused(heads):
    (path,) = heads.glob("*.head.safetensors")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="name says hash"):
        read_head_info(path)
