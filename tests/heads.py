"""A small detection head that sees cats everywhere, and files that teachers come from."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from wavenetmv.labels import COCO_LABELS
from wavenetmv.models.head_checkpoints import save_head
from wavenetmv.models.heads import DetectionHead
from wavenetmv.models.registry import read_info


def cat_head(M: int = 16) -> DetectionHead:
    torch.manual_seed(0)
    head = DetectionHead(M, coarse=8, fine=8, blocks=1)
    with torch.no_grad():
        for level in head.tail.heads:
            level.classes.bias.fill_(-8.0)
            level.classes.bias[COCO_LABELS.index("cat")] = 2.0
            level.classes.bias[COCO_LABELS.index("dog")] = 0.0
            level.objectness.bias.fill_(3.0)
            level.box.bias[2:] = 2.0  # large boxes, of which few survive suppression
    return head.eval()


def save_cat_head(folder: Path, codec_weights: Path) -> Path:
    """For streams of `codec_weights`."""
    codec_hash = read_info(codec_weights).stream_hash
    return save_head(cat_head(), folder, codec_hash=codec_hash, description="for tests")


def write_onnx(path: Path, network: nn.Module) -> Path:
    """A graph that holds the network's convolutions in order; nothing runs it."""
    import onnx

    nodes, values = [], []
    convolutions = [each for each in network.modules() if isinstance(each, nn.Conv2d)]
    for number, conv in enumerate(convolutions):
        names = [f"w{number}", f"b{number}"]
        for name, tensor in zip(names, (conv.weight, conv.bias), strict=True):
            values.append(onnx.numpy_helper.from_array(tensor.detach().numpy(), name))
        nodes.append(onnx.helper.make_node("Conv", [f"x{number}", *names], [f"x{number + 1}"]))
    graph = onnx.helper.make_graph(nodes, "network", [], [], values)
    onnx.save(onnx.helper.make_model(graph), str(path))
    return path
