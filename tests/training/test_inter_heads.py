"""Stage 3d with --inter: a head that learns from decoded inter frames, on a tiny model."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.heads import lively, save_cat_head, write_onnx
from tests.tiny import save_tiny, tiny_model
from wavenetmv.errors import UsageFault
from wavenetmv.models.inter import InterModel
from wavenetmv.models.registry import SEARCH_VARIABLE, read_head_info, read_info
from wavenetmv.training.options import RunOptions
from wavenetmv.training.profiles import with_machine_profile
from wavenetmv.training.run import run
from wavenetmv.training.teachers import YoloxTeacher

QUICK = '{"stages": {"3d": {"batch": 2, "crop": 64, "warmup_steps": 1, "log_every": 3}}}'


@pytest.fixture
def options(tmp_path, photographs, monkeypatch):
    """What a run is given: two stills, codec and head of two profiles, a teacher, settings."""
    pytest.importorskip("onnx", reason="teachers are ONNX files: extra train")
    monkeypatch.setenv(SEARCH_VARIABLE, str(tmp_path))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("astronaut.png", "coffee.png"):
        with Image.open(photographs / name) as image:
            image.convert("RGB").crop((100, 80, 230, 210)).save(pictures / name)
    start = save_tiny(tmp_path, with_machine_profile(tiny_model()))
    config = tmp_path / "config.json"
    config.write_text(QUICK)
    return {
        "data": [pictures], "out": tmp_path / "out", "stage": "3d", "steps": 6, "config": config,
        "start": start, "head": save_cat_head(tmp_path, start),
        "teacher": write_onnx(tmp_path / "yolox.onnx", lively(YoloxTeacher())),
    }  # fmt: skip


def inter_checkpoint(path, model):
    torch.save({**model.describe(), "ema": model.state_dict()}, path)
    return path


def go(options, **changes):
    rows = []
    written = run(
        RunOptions(**options | changes),
        lambda done, total: None,
        lambda stage, row: rows.append((stage, row)),
    )
    return written, rows


def test_a_head_learns_from_inter_frames(options, tmp_path):
    model = with_machine_profile(InterModel.from_pictures(tiny_model()))
    inter = inter_checkpoint(tmp_path / "inter.pt", model)
    (head,), rows = go(options, inter=inter)
    info = read_head_info(head)
    assert info.decoded
    assert info.codec_hash == read_info(options["start"]).stream_hash.hex()
    assert rows[-1][0] == "3d"
    assert rows[-1][1]["feature_error"] > 0
    before, after = load_file(options["head"]), load_file(head)
    changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed == {"adapter", "stem"}


def test_what_it_needs(options, tmp_path):
    alone = inter_checkpoint(tmp_path / "alone.pt", InterModel.from_pictures(tiny_model()))
    with pytest.raises(UsageFault, match="people only"):
        go(options, inter=alone)
    with pytest.raises(UsageFault, match="--from"):
        go(options, inter=alone, start=None)
    with pytest.raises(UsageFault, match="--teacher"):
        go(options, inter=alone, teacher=None)
    with pytest.raises(UsageFault, match="--head"):
        go(options, inter=alone, head=None)
