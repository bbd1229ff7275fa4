"""The program that times detection from latents against detection on pixels."""

from __future__ import annotations

import sys

import pytest
import torch
from PIL import Image

from tests.heads import save_cat_head, write_onnx
from tests.vectors.regenerate import VECTORS
from wavenetmv.bench import analysis_speed
from wavenetmv.models.registry import SEARCH_VARIABLE
from wavenetmv.training.teachers import YoloxTeacher

pytest.importorskip("onnx", reason="detectors are ONNX files: extra bench")


def test_prints_the_ratio(photographs, tmp_path, monkeypatch, capsys):
    weights = next(VECTORS.glob("tiny-*.safetensors"))
    save_cat_head(tmp_path, weights)
    monkeypatch.setenv(SEARCH_VARIABLE, f"{VECTORS}:{tmp_path}")
    (tmp_path / "pictures").mkdir()
    with Image.open(photographs / "coffee.png") as image:
        image.convert("RGB").crop((100, 60, 180, 130)).save(tmp_path / "pictures" / "a.png")
    torch.manual_seed(0)
    detector = write_onnx(tmp_path / "yolox.onnx", YoloxTeacher())
    arguments = [str(tmp_path / "pictures"), "--detector", str(detector), "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["analysis_speed", *arguments, "--weights", str(weights)])
    analysis_speed.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    by_latents, decoding, *by_pixels = (float(line.split()[-2]) for line in lines[:4])
    assert all(milliseconds > 0 for milliseconds in (by_latents, *by_pixels))
    assert decoding < max(by_pixels)
    assert lines[-1].startswith("by latents takes ")
