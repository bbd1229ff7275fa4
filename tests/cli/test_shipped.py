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
from wavenetmv.types import Profile

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


def has_head(task: str) -> bool:
    """Whether there is a head for streams of the default weights."""
    default = (w for w in registry.list_weights() if w.name == registry.DEFAULT_NAME)
    hashes = {weights.stream_hash.hex() for weights in default}
    return any(each.task == task and each.codec_hash in hashes for each in registry.list_heads())


# Where the score is near 0.25 another processor may round it above.
taken_for_a_dog = pytest.mark.xfail(strict=False, reason="a surer dog, and a cat below 0.25")


@pytest.mark.skipif(not has_head("detect"), reason="no head for the weights in this copy")
@pytest.mark.parametrize(
    ("name", "labels", "share"),
    # A cup on a table, and a picture without anything that the head knows.
    [("coffee.png", ["cup"], 0.8), ("rocket.jpg", [], 0.5)],
)
def test_focus_saves_bits_and_objects_stay(name, labels, share, photographs, tmp_path):
    sizes = {}
    for option in ("--focus", "--no-focus"):
        stream = tmp_path / f"{option}.wmv"
        alone = ("--drop-alpha", "--drop-metadata")
        source = photographs / name
        (encoded,) = run("encode", source, "--lambda", 1024, option, *alone, "-o", stream)
        (analyzed,) = run("analyze", stream)
        (record,) = run("info", stream, "--verify")
        found = analyzed["frames"][0]["detections"]
        # The cup comes first but for what it stands on: both are about as sure, and which is
        # more so depends on the precision.
        things = [each["label"] for each in found if each["label"] != "dining table"]
        assert things[:1] == labels
        assert bool(found) is bool(labels)
        assert record["quality_map"] is (option == "--focus")
        sizes[option] = encoded["bytes"]
    assert sizes["--focus"] < share * sizes["--no-focus"]


@pytest.mark.skipif(not has_head("detect"), reason="no head for the weights in this copy")
@pytest.mark.parametrize(
    ("name", "label", "lmbda"),
    [
        pytest.param(*("chelsea", "cat", 128), marks=taken_for_a_dog),
        pytest.param(*("chelsea", "cat", 512), marks=taken_for_a_dog),
        ("chelsea", "cat", 1024),
        ("astronaut", "person", 128),
        ("astronaut", "person", 512),
        ("coffee", "cup", 128),
        ("coffee", "cup", 512),
    ],
)
def test_objects_are_found_in_latents(name, label, lmbda, photographs, tmp_path):
    with Image.open(photographs / f"{name}.png") as image:
        image.convert("RGB").save(tmp_path / "a.png")
    run("encode", tmp_path / "a.png", "--lambda", lmbda)
    (record,) = run("analyze", tmp_path / "a.wmv")
    (frame,) = record["frames"]
    assert label in {each["label"] for each in frame["detections"]}


@pytest.mark.skipif(not has_head("detect"), reason="no head for the weights in this copy")
def test_nothing_is_found_in_a_blank_picture(tmp_path):
    Image.new("RGB", (400, 300), (120, 130, 140)).save(tmp_path / "a.png")
    run("encode", tmp_path / "a.png")
    (record,) = run("analyze", tmp_path / "a.wmv")
    assert record["frames"][0]["detections"] == []
