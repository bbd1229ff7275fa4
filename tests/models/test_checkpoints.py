"""Weights files: named by content, verified, and refused when anything is amiss."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file, save_file

from tests.tiny import TINY, save_tiny, tiny_model
from wavenetmv.errors import CheckpointError
from wavenetmv.models.checkpoints import load_weights
from wavenetmv.models.registry import (
    SEARCH_VARIABLE,
    default_weights,
    find_weights,
    list_weights,
    read_info,
)


@pytest.fixture
def tiny(tmp_path):
    return save_tiny(tmp_path)


def renamed(path, tensors, metadata):
    """Write other content under a name that fits it."""
    from hashlib import sha256

    draft = path.with_name("draft.bin")
    save_file(tensors, draft, metadata)
    data = draft.read_bytes()
    target = path.with_name(f"tiny-{sha256(data).hexdigest()[:8]}.safetensors")
    target.write_bytes(data)
    return target


def card(**changes):
    fields = {
        "name": "tiny",
        "model_id": 1,
        "licence": "Apache-2.0",
        "parameters": 1,
        "description": "",
        "config": TINY.to_dict(),
    }
    return {"format": "wavenetmv-weights-1", "card": json.dumps(fields | changes)}


def test_saving_is_reproducible_and_named_by_content(tiny, tmp_path):
    (tmp_path / "again").mkdir()
    model = tiny_model()
    first, second = save_tiny(tmp_path, model), save_tiny(tmp_path / "again", model)
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    info = read_info(tiny)
    assert info.sha256.startswith(tiny.stem.rpartition("-")[2])
    assert info.name == "tiny"
    assert info.licence == "Apache-2.0"
    assert info.file_bytes == tiny.stat().st_size


def test_loading_restores_config_and_half_precision_weights(tiny):
    loaded, model = load_weights(tiny), tiny_model()
    assert loaded.config == TINY
    expected = model.g_a.down.weight.half().float()
    assert (loaded.g_a.down.weight == expected).all()
    assert (loaded.gains.log_encoder == model.gains.log_encoder).all()


def test_changed_content_is_refused(tiny):
    data = bytearray(tiny.read_bytes())
    data[-1] ^= 1
    tiny.write_bytes(data)
    with pytest.raises(CheckpointError, match="name says hash"):
        load_weights(tiny)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone-12345678\.safetensors"):
        load_weights(tmp_path / "gone-12345678.safetensors")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "expected format"),
        ({"format": "wavenetmv-weights-1"}, "incomplete card"),
        ({"format": "wavenetmv-weights-1", "card": "{"}, "incomplete card"),
        (card(model_id="one"), "model_id"),
        (card(model_id=9), "unknown model id 9"),
        (card(config={"M": 3}), "amiss"),
        (card(config=TINY.to_dict() | {"M": 32}), "shape"),
    ],
)
def test_foreign_headers_are_refused(tiny, metadata, message):
    path = renamed(tiny, load_file(tiny), metadata)
    with pytest.raises(CheckpointError, match=message):
        load_weights(path)


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_foreign_tensors_are_refused(tiny, change):
    tensors = load_file(tiny)
    if change == "missing":
        del tensors["entropy.h_s.features.weight"]
    elif change == "unknown":
        tensors["surprise"] = tensors["tables.radii"].clone()
    else:
        tensors["g_a.down.weight"] = tensors["g_a.down.weight"][:3].contiguous()
    with pytest.raises(CheckpointError):
        load_weights(renamed(tiny, tensors, card()))


def test_weights_are_found_by_hash_and_only_by_hash(tiny, monkeypatch):
    info = read_info(tiny)
    with pytest.raises(CheckpointError, match=info.stream_hash.hex()):
        find_weights(info.model_id, info.stream_hash)
    monkeypatch.setenv(SEARCH_VARIABLE, str(tiny.parent))
    assert find_weights(info.model_id, info.stream_hash) == info
    assert info in list_weights()
    assert default_weights("tiny") == info
    with pytest.raises(CheckpointError, match="no weights named 'none'"):
        default_weights("none")
