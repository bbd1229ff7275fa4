"""Detectors on pixels: a NanoDet made by hand, whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from wavenetmv.bench.detectors import detector_hash, load_detector
from wavenetmv.errors import InputError

STRIDES = (8, 16, 32, 64)
CAR = 2
BINS = 8


def write_nanodet(folder, name="hand"):
    """Sees a car of 64 x 64 pixels wherever a 64 x 64 block of the input is white."""
    layers, blobs, weights = [], [], []

    def layer(kind, label, inputs, outputs, *options):
        counts = f"{len(inputs)} {len(outputs)}"
        blobs.extend(outputs)
        layers.append(" ".join([kind, label, counts, *inputs, *outputs, *options]))

    def convolution(label, source, target, weight, bias):
        size = f"0={len(bias)} 1=1 5=1 6={weight.size}".split()
        layer("Convolution", label, [source], [target], *size)
        weights.extend([np.zeros(1, np.uint32), weight, bias])  # 0: float32 as it is

    layer("Input", "data", [], ["data"])
    layer("Split", "four", ["data"], [f"x{stride}" for stride in STRIDES])
    for stride in STRIDES:
        mean = ("0=1", f"1={stride}", f"2={stride}")
        layer("Pooling", f"pool{stride}", [f"x{stride}"], [f"p{stride}"], *mean)
        layer("Split", f"two{stride}", [f"p{stride}"], [f"a{stride}", f"b{stride}"])
        weight, bias = np.zeros((80, 3), np.float32), np.full(80, -20, np.float32)
        if stride == 64:
            weight[CAR], bias[CAR] = 1, 0
        convolution(f"c{stride}", f"a{stride}", f"logits{stride}", weight, bias)
        layer("Sigmoid", f"s{stride}", [f"logits{stride}"], [f"cls{stride}"])
        sides = np.zeros((4, BINS), np.float32)
        # Left and top at the position, right and bottom a stride off.
        sides[:2, 0] = sides[2:, 1] = 50
        nothing = np.zeros((sides.size, 3), np.float32)
        convolution(f"d{stride}", f"b{stride}", f"t{stride}", nothing, sides.ravel())
        layer("Permute", f"q{stride}", [f"t{stride}"], [f"dis{stride}"], "0=3")
    param = folder / f"{name}.param"
    param.write_text("\n".join(["7767517", f"{len(layers)} {len(blobs)}", *layers]) + "\n")
    param.with_suffix(".bin").write_bytes(b"".join(each.tobytes() for each in weights))
    return param


@pytest.fixture
def nanodet(tmp_path):
    pytest.importorskip("ncnn")
    return write_nanodet(tmp_path)


@pytest.mark.parametrize("scale", [1, 2])
def test_boxes_of_a_nanodet_are_in_pixels_of_the_picture(nanodet, scale):
    pixels = np.zeros((300 * scale, 416 * scale, 3), np.uint8)
    pixels[64 * scale : 128 * scale, 192 * scale : 256 * scale] = 255
    (found,) = load_detector(nanodet, threads=1).detect(pixels)
    assert (found.label, found.class_id) == ("car", CAR)
    assert found.score > 0.99
    assert found.box == pytest.approx([scale * each for each in (192, 64, 256, 128)], abs=scale)


def test_a_nanodet_finds_nothing_in_the_dark(nanodet):
    assert load_detector(nanodet).detect(np.zeros((50, 70, 3), np.uint8)) == []


def test_the_hash_of_a_nanodet_is_that_of_both_files(nanodet):
    before = detector_hash(nanodet)
    binary = nanodet.with_suffix(".bin")
    binary.write_bytes(binary.read_bytes()[:-1] + b"\x01")
    assert detector_hash(nanodet) != before


def test_files_that_are_no_nanodet(nanodet, tmp_path):
    nanodet.with_suffix(".bin").unlink()
    with pytest.raises(InputError, match=r"hand\.bin: No such file"):
        load_detector(nanodet)
    other = tmp_path / "other.param"
    other.write_text("7767517\n1 1\nInput data 0 1 data\n")
    other.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(InputError, match="cls16, cls32"):
        load_detector(other)
    other.write_text("no network")
    with pytest.raises(InputError, match="not a usable network"):
        load_detector(other)
