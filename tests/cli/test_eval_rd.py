from __future__ import annotations

import json

import pytest


@pytest.fixture
def folder(tmp_path, picture):
    path = tmp_path / "two pictures"
    path.mkdir()
    picture.save(path / "a.png")
    picture.rotate(180).save(path / "b.png")
    return path


def test_table_and_json_agree(wmv, folder):
    record = json.loads(wmv("eval-rd", folder, "--json").out)
    assert [point["lambda"] for point in record["points"]] == [64, 128, 256, 512, 1024, 2048]
    rates = [point["bpp"] for point in record["points"]]
    assert rates == sorted(rates)
    table = wmv("eval-rd", folder)
    assert table.code == 0
    assert all(f"{rate:.4f}" in table.out for rate in rates)


def test_bad_inputs_are_one_line(wmv, folder, tmp_path):
    wmv("eval-rd", tmp_path / "nowhere").failed_with(1, "nowhere")
    (tmp_path / "empty").mkdir()
    wmv("eval-rd", tmp_path / "empty").failed_with(1, "no pictures")
    (folder / "x.pt").write_bytes(b"nonsense")
    wmv("eval-rd", folder, "--weights", folder / "x.pt").failed_with(4, "x.pt")
