"""The measuring programs on two small real pictures, with the shipped weights."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.heads import coffee_head, lively, save_for, write_state_dict
from wavenetmv.bench import classification, memory, rate_distortion, speed
from wavenetmv.bench.pictures import load_folder
from wavenetmv.bench.published import published_kodak
from wavenetmv.errors import InputError
from wavenetmv.metrics import decibels
from wavenetmv.models.registry import default_weights
from wavenetmv.training.teachers import EfficientNetTeacher


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photographs):
    path = tmp_path_factory.mktemp("pictures")
    for name in ("chelsea.png", "coffee.png"):
        with Image.open(photographs / name) as image:
            image.convert("RGB").crop((100, 60, 292, 188)).save(path / name)
    return path


def test_folders_without_pictures_are_refused(tmp_path):
    with pytest.raises(InputError, match="no pictures"):
        load_folder(tmp_path)


def test_rate_distortion_program(folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "rows.json"
    monkeypatch.setattr(sys, "argv", ["rate_distortion", str(folder), "--json", str(out)])
    rate_distortion.main()
    printed = capsys.readouterr().out
    rows = json.loads(out.read_text())
    assert {row["codec"] for row in rows} == {"wmv", "jpeg", "webp"}
    ours = [row for row in rows if row["codec"] == "wmv"]
    assert len(ours) == 12
    top = np.mean([row["bpp"] for row in ours if row["setting"] == 2048])
    assert f"lambda  2048  {top:.4f} bpp" in printed
    assert "BD-rate against jpeg" in printed
    assert "BD-rate against webp" in printed


def test_published_curves_are_compared_in_both_measures():
    """A codec that is a published curve itself needs no more bits than that."""
    curve = published_kodak()["av1"]
    points = [
        rate_distortion.Point("x", number, bpp, quality, decibels(likeness))
        for number, ((bpp, quality), (_, likeness)) in enumerate(
            zip(curve.psnr, curve.ms_ssim, strict=True)
        )
    ]
    by_error = rate_distortion.compare_published(points)
    by_likeness = rate_distortion.compare_published_ms_ssim(points)
    assert by_error["AV1"] == pytest.approx(0)
    assert by_likeness["AV1"] == pytest.approx(0)
    assert by_error["VTM (VVC intra)"] > 5
    assert set(by_likeness) <= set(by_error)


def test_ms_ssim_is_of_the_mean_of_all_pictures():
    rows = [
        rate_distortion.Coded(name, "wmv", 64, 100, 0.1, 30.0, likeness)
        for name, likeness in (("a.png", 0.9), ("b.png", 0.96))
    ]
    (point,) = rate_distortion.curve(rows)
    assert point.ms_ssim_db == pytest.approx(decibels(0.93))
    (without,) = rate_distortion.curve([*rows, replace(rows[0], name="c.png", ms_ssim=None)])
    assert without.ms_ssim_db is None


def test_rows_that_do_not_rise_are_named():
    row = rate_distortion.Coded("a.png", "wmv", 64, 100, 0.1, 30.0)
    other = rate_distortion.Coded("a.png", "wmv", 128, 120, 0.2, 29.0)
    assert rate_distortion.not_monotone([row, other]) == ["a.png"]
    assert rate_distortion.not_monotone([row]) == []


def test_speed_program_prints_ratios(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["speed", str(folder), "--rounds", "1"])
    speed.main()
    printed = capsys.readouterr().out
    assert "wmv lambda 512" in printed
    assert "(1.00x)" in printed
    assert "webp -m 6" in printed


def test_memory_program_reports_both_commands(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["memory", "--width", "200", "--height", "120"])
    memory.main()
    printed = capfd.readouterr().out
    assert "encode: " in printed
    assert "decode: " in printed
    assert "PSNR " in printed


def test_classification_program(folder, tmp_path, monkeypatch, capsys):
    teacher, out = tmp_path / "lite0.pth", tmp_path / "rows.json"
    torch.manual_seed(0)  # to some networks a picture and its centre look the same
    write_state_dict(teacher, lively(EfficientNetTeacher()))
    head = save_for(default_weights().path, coffee_head(256), tmp_path)
    options = ["--teacher", teacher, "--head", head, "--lambda", 64, "--limit", 1, "--json", out]
    arguments = ["classification", folder, *options]
    monkeypatch.setattr(sys, "argv", [str(each) for each in arguments])
    classification.main()
    printed = capsys.readouterr().out
    ((row,),) = json.loads(out.read_text()).values()
    assert row["by_latents"][:2] == [967, 285]  # as that head sees everything
    assert row["original_whole"] != row["original_centre"]
    assert f"1 pictures, {row['bpp']:.4f} bpp" in printed
    assert printed.count("top-1") == 4


def test_agreement_counts_the_best_class():
    wanted = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    found = [[1, 9, 8], [5, 4, 6], [1, 2, 3]]
    assert classification.agreement(found, wanted) == pytest.approx((1 / 3, 2 / 3))
