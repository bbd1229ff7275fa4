from __future__ import annotations

import json
from pathlib import Path

import pytest

from wavenetmv.cli import info, options
from wavenetmv.models.registry import read_info
from wavenetmv.types import MAX_PIXELS_DEFAULT

VECTORS = Path(__file__).parent.parent / "vectors"
FULL = VECTORS / "picture_full.wmv"
TINY_HASHES = [weights.stream_hash.hex() for weights in map(read_info, VECTORS.glob("tiny-*"))]
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(100)


def test_text(wmv):
    result = wmv("info", FULL)
    assert result.code == 0
    assert result.err == ""
    lines = dict(line.split(None, 1) for line in result.out.splitlines()[1:])
    assert lines["format"] == "version 1, picture"
    assert lines["bytes"].startswith(f"{FULL.stat().st_size}, ")
    assert lines["weights"].endswith("(missing)")
    assert "right" in lines["INTRA"]
    assert "bits" not in lines  # the tables that count them are in the weights


def test_json(wmv, stream):
    record = json.loads(wmv("info", "--json", stream).out)
    size = stream.stat().st_size
    assert record["bytes"] == size
    assert record["bpp"] == 8 * size / (96 * 80)
    assert record["header_bytes"] + sum(p["bytes"] for p in record["packets"]) == size
    assert [packet["kind"] for packet in record["packets"]] == ["INTRA", "END"]
    assert (record["width"], record["height"], record["lambda"]) == (96, 80, 512)
    assert (record["colour"], record["alpha"], record["format_version"]) == ("rgb", False, 1)
    assert (record["model"], record["weights_present"]) == ("tiny", True)
    assert record["weights_hash"] in TINY_HASHES
    assert record["problems"] == []
    (intra,) = (packet for packet in record["packets"] if packet["kind"] == "INTRA")
    assert set(record["bits"]) == {"z", "y"}
    assert 0 <= 8 * intra["payload_bytes"] - sum(record["bits"].values()) <= 64


def test_several_and_stdin(wmv, stream):
    result = wmv("info", "--json", FULL, "-", stdin=stream.read_bytes())
    names = [json.loads(line)["input"] for line in result.out.splitlines()]
    assert names == [str(FULL), "-"]


def test_verify(wmv, stream):
    assert "CRCs are right" in wmv("info", "--verify", stream).out
    data = bytearray(stream.read_bytes())
    data[50] ^= 4
    stream.write_bytes(data)
    result = wmv("info", stream)
    assert result.code == 0
    assert "damage" in result.out
    assert "WRONG" in result.out
    wmv("info", "--verify", stream).failed_with(3, "CRC")
    wmv("info", "--verify", "--json", stream).failed_with(3, "CRC")


@pytest.mark.parametrize(
    ("data", "text"),
    [(ASF, "Windows Media"), (b"", ""), (b"\x8bWMV\r\n\x1a\n\x63" + bytes(50), "version 99")],
)
def test_foreign_files(data, text, wmv, tmp_path):
    (tmp_path / "a.wmv").write_bytes(data)
    wmv("info", tmp_path / "a.wmv").failed_with(3, text)


def test_missing_and_folder(wmv, tmp_path):
    wmv("info", tmp_path / "none.wmv").failed_with(1, "No such file")
    wmv("info", tmp_path).failed_with(1, "Is a directory")


def test_more_than_memory_should_hold(wmv, stream, monkeypatch):
    monkeypatch.setattr(info, "_LIMIT_BYTES", 64)
    wmv("info", stream).failed_with(1, "more than 64 bytes")


def test_models(wmv):
    result = wmv("models")
    assert result.code == 0
    records = [json.loads(line) for line in wmv("models", "--json").out.splitlines()]
    assert "tiny" in [each["name"] for each in records if each["kind"] == "pictures"]
    for record in records:
        assert record["kind"] in ("pictures", "inter frames", "head")
        assert record.get("task", record.get("name")) in result.out
        assert record.get("codec_hash", "") in result.out
        assert record["sha256"] in result.out
        assert record["licence"] == "Apache-2.0"
        assert Path(record["path"]).stat().st_size == record["file_bytes"]


def test_version_and_help(wmv):
    assert wmv("--version").out == "wmv 0.1.0\n"
    for command in ("", "encode", "decode", "info", "models"):
        assert wmv(*command.split(), "--help").code == 0


def test_one_pixel_limit():
    assert options.MAX_PIXELS_DEFAULT == MAX_PIXELS_DEFAULT
