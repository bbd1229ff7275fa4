"""The whole way of a real photograph with the weights in the package, as a user goes it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from wavenetmv import api, bitstream
from wavenetmv.models import registry

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(
        not any(info.name == registry.DEFAULT_NAME for info in registry.list_weights()),
        reason="no trained weights in this copy",
    ),
]


def run(*arguments: object) -> list[dict[str, object]]:
    """`wmv ARGUMENTS --json` in a fresh process; its records."""
    command = [sys.executable, "-m", "wavenetmv", *(str(each) for each in arguments), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_photograph(photographs, tmp_path, psnr):
    with Image.open(photographs / "astronaut.png") as image:
        source = Image.fromarray(np.asarray(image.convert("RGB")))  # without metadata
    source.save(tmp_path / "a.png")
    for lmbda, least in ((128, 27), (1024, 33)):
        (encoded,) = run("encode", tmp_path / "a.png", "--lambda", lmbda, "--force")
        (decoded,) = run("decode", tmp_path / "a.wmv", "-o", tmp_path / "b.png", "--force")
        assert encoded["bytes"] == (tmp_path / "a.wmv").stat().st_size
        with Image.open(tmp_path / "b.png") as image:
            assert image.size == (decoded["width"], decoded["height"]) == source.size
            assert psnr(image, source) > least
    (record,) = run("info", tmp_path / "a.wmv", "--verify")
    assert record["weights_present"]
    assert record["model"] == registry.DEFAULT_NAME
    framing = bitstream.inspect((tmp_path / "a.wmv").read_bytes())
    payload = next(packet.payload_bytes for packet in framing.packets if packet.name == "INTRA")
    assert framing.total_bytes - payload <= 48


def test_the_command_and_python_agree(photographs, tmp_path):
    with Image.open(photographs / "chelsea.png") as image:
        pixels = np.asarray(image.convert("RGB"))[:100, :130]
    Image.fromarray(pixels).save(tmp_path / "a.png")
    run("encode", tmp_path / "a.png")
    assert api.encode(pixels) == (tmp_path / "a.wmv").read_bytes()
