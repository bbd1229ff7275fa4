"""Small heads with random weights, one sees cats everywhere, one coffee; files of teachers."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from wavenetmv.labels import COCO_LABELS, IMAGENET_LABELS
from wavenetmv.models.head_checkpoints import save_head
from wavenetmv.models.heads import ClassificationHead, DetectionHead, Head
from wavenetmv.models.registry import read_info


def cat_head(M: int = 16) -> DetectionHead:
    torch.manual_seed(0)
    head = DetectionHead(M, coarse=8, fine=8)
    with torch.no_grad():
        for level in head.tail.heads:
            level.classes.bias.fill_(-8.0)
            level.classes.bias[COCO_LABELS.index("cat")] = 2.0
            level.classes.bias[COCO_LABELS.index("dog")] = 0.0
            level.objectness.bias.fill_(3.0)
            level.box.bias[2:] = 2.0  # large boxes, of which few survive suppression
    return head.eval()


def coffee_head(M: int = 16) -> ClassificationHead:
    """Its best classes are espresso, then Egyptian cat; the others share what is left."""
    torch.manual_seed(0)
    head = ClassificationHead(M, coarse=8, fine=8)
    with torch.no_grad():
        head.tail.classes.weight.mul_(0.01)
        head.tail.classes.bias.zero_()
        head.tail.classes.bias[IMAGENET_LABELS.index("espresso")] = 8.0
        head.tail.classes.bias[IMAGENET_LABELS.index("Egyptian cat")] = 7.0
    return head.eval()


def lively(network: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights whose layers pass on what varies in a picture, as trained ones do."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network.eval().requires_grad_(False)


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


def write_state_dict(path: Path, network: nn.Module) -> list[nn.BatchNorm2d]:
    """`network` as a file whose convolutions have batch norms; returns these, in order."""
    generator = torch.Generator().manual_seed(4)
    state, norms = {}, []
    for number, layer in enumerate(network.modules()):
        if isinstance(layer, nn.Conv2d):
            norm = nn.BatchNorm2d(layer.out_channels, eps=1e-3).eval()
            for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                tensor.data.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            state[f"conv{number}.weight"] = layer.weight
            state |= {f"norm{number}.{key}": value for key, value in norm.state_dict().items()}
            norms.append(norm)
        elif isinstance(layer, nn.Linear):
            state |= {"fc.weight": layer.weight, "fc.bias": layer.bias}
    torch.save(state, path)
    return norms


def save_for(codec_weights: Path, head: Head, folder: Path, *, decoded: bool = False) -> Path:
    """The file of a head that reads streams of `codec_weights`."""
    codec_hash = read_info(codec_weights).stream_hash
    return save_head(head, folder, codec_hash=codec_hash, description="for tests", decoded=decoded)


def save_cat_head(folder: Path, codec_weights: Path) -> Path:
    return save_for(codec_weights, cat_head(), folder)


def save_dog_head(folder: Path, codec_weights: Path) -> Path:
    """For decoded pixels; sees dogs where the other sees cats."""
    head = cat_head()
    cat, dog = (COCO_LABELS.index(label) for label in ("cat", "dog"))
    with torch.no_grad():
        for level in head.tail.heads:
            level.classes.bias[[cat, dog]] = level.classes.bias[[dog, cat]]
    return save_for(codec_weights, head, folder, decoded=True)


def save_coffee_head(folder: Path, codec_weights: Path) -> Path:
    return save_for(codec_weights, coffee_head(), folder)
