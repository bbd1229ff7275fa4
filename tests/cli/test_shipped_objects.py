"""Objects found by latents with the weights and the head in the package, as a user does it."""

from __future__ import annotations

import pytest
from PIL import Image

from tests import shipped
from tests.shipped import run

pytestmark = [
    pytest.mark.weights,
    shipped.needs_weights,
    pytest.mark.skipif(
        not shipped.has_head("detect"), reason="no head for the weights in this copy"
    ),
]


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


@pytest.mark.parametrize(
    ("name", "label", "lmbda"),
    [
        *(("chelsea", "cat", lmbda) for lmbda in (128, 256, 512, 1024, 2048)),
        *(("astronaut", "person", lmbda) for lmbda in (128, 512)),
        *(("coffee", "cup", lmbda) for lmbda in (128, 512)),
    ],
)
def test_objects_are_found_in_latents(name, label, lmbda, photographs, tmp_path):
    with Image.open(photographs / f"{name}.png") as image:
        image.convert("RGB").save(tmp_path / "a.png")
    run("encode", tmp_path / "a.png", "--lambda", lmbda)
    (record,) = run("analyze", tmp_path / "a.wmv")
    (frame,) = record["frames"]
    assert label in {each["label"] for each in frame["detections"]}


def test_nothing_is_found_in_a_blank_picture(tmp_path):
    Image.new("RGB", (400, 300), (120, 130, 140)).save(tmp_path / "a.png")
    run("encode", tmp_path / "a.png")
    (record,) = run("analyze", tmp_path / "a.wmv")
    assert record["frames"][0]["detections"] == []


def test_trials_find_more_in_as_much(photographs, tmp_path):
    """A cat of whom one trial shows too little."""
    sizes, labels = {}, {}
    for trials in (1, 8):
        stream = tmp_path / f"{trials}.wmv"
        options = ("--lambda", 512, "--trials", trials, "-o", stream)
        (encoded,) = run("encode", photographs / "chelsea.png", *options)
        (analyzed,) = run("analyze", stream)
        (record,) = run("info", stream, "--verify")
        assert record["lambda"] == encoded["lambda"] == 512
        found = analyzed["frames"][0]["detections"]
        sizes[trials], labels[trials] = encoded["bytes"], {each["label"] for each in found}
    assert "cat" not in labels[1]
    assert "cat" in labels[8]
    assert sizes[8] < 1.1 * sizes[1]
    limited = tmp_path / "limited.wmv"
    size = sizes[1] + 40
    (encoded,) = run("encode", photographs / "chelsea.png", "--target-size", size, "-o", limited)
    assert limited.stat().st_size == encoded["bytes"] <= size


def test_frames_of_a_video_can_be_coded_several_times(photographs, tmp_path):
    """What is kept is another stream, in which as much is found."""
    folder = tmp_path / "frames"
    folder.mkdir()
    with Image.open(photographs / "astronaut.png") as image:
        for number in range(2):
            window = (2 * number, number, 2 * number + 448, number + 448)
            image.convert("RGB").crop(window).save(folder / f"{number}.png")
    streams = []
    for trials in ([], ["--trials", 2]):
        stream = tmp_path / f"{len(streams)}.wmv"
        run("encode", folder, "--video", "--lambda", 256, *trials, "-o", stream)
        (analyzed,) = run("analyze", stream)
        assert len(analyzed["frames"]) == 2
        for frame in analyzed["frames"]:
            assert "person" in {each["label"] for each in frame["detections"]}
        streams.append(stream.read_bytes())
    assert streams[0] != streams[1]


def test_a_narrow_picture_with_a_quality_map(photographs, tmp_path):
    """One column of cells: such streams could not be read."""
    with Image.open(photographs / "astronaut.png") as image:
        image.convert("RGB").crop((200, 0, 240, 300)).save(tmp_path / "a.png")
    run("encode", tmp_path / "a.png")
    (record,) = run("info", tmp_path / "a.wmv", "--verify")
    assert record["quality_map"]
    run("decode", tmp_path / "a.wmv", "-o", tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        assert image.size == (40, 300)
