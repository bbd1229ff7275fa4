"""The whole way of a real photograph with the weights in the package, as a user goes it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests import shipped
from tests.shipped import run
from wavenetmv import api, bitstream
from wavenetmv.models import registry
from wavenetmv.types import Profile

pytestmark = [pytest.mark.weights, shipped.needs_weights]


def test_a_photograph(photographs, tmp_path, psnr):
    with Image.open(photographs / "astronaut.png") as image:
        source = Image.fromarray(np.asarray(image.convert("RGB")))  # without metadata
    source.save(tmp_path / "a.png")
    for lmbda, least in ((128, 27), (1024, 33)):
        (encoded,) = run(
            "encode", tmp_path / "a.png", "--lambda", lmbda, "--for", "human", "--force"
        )
        (decoded,) = run("decode", tmp_path / "a.wmv", "-o", tmp_path / "b.png", "--force")
        assert encoded["bytes"] == (tmp_path / "a.wmv").stat().st_size
        with Image.open(tmp_path / "b.png") as image:
            assert image.size == (decoded["width"], decoded["height"]) == source.size
            assert psnr(image, source) > least
    (for_machines,) = run("encode", tmp_path / "a.png", "--lambda", 1024, "--force")
    assert for_machines["bytes"] < encoded["bytes"] / 2
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


needs_inter = pytest.mark.skipif(
    registry.default_inter_weights(Profile.HUMAN) is None,
    reason="no weights of inter frames in this copy",
)


@needs_inter
def test_a_video(photographs, tmp_path, psnr):
    """A window that moves over a photograph: groups of pictures take far fewer bytes."""
    (tmp_path / "frames").mkdir()
    with Image.open(photographs / "astronaut.png") as image:
        windows = [
            image.convert("RGB").crop((3 * n, 2 * n, 3 * n + 320, 2 * n + 240)) for n in range(6)
        ]
    for number, window in enumerate(windows):
        window.save(tmp_path / "frames" / f"{number}.png")
    sizes = {}
    for gop in (1, 32):
        stream, folder = tmp_path / f"{gop}.wmv", tmp_path / f"decoded-{gop}"
        folder.mkdir()
        (encoded,) = run(
            "encode", tmp_path / "frames", "--video", "--gop", gop, "--for", "human", "-o", stream
        )
        run("decode", stream, "-o", f"{folder}/%d.png")
        sizes[gop] = encoded["bytes"]
        for number, window in enumerate(windows, 1):
            with Image.open(folder / f"{number}.png") as image:
                assert psnr(image, window) > 31
    assert sizes[32] < 0.55 * sizes[1]
