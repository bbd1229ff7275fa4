"""Vision heads: from latents to what is in the picture, without pixels.

    y_hat [B, M, H/16, W/16] -> Adapter -> what a pretrained network's stages from some
    point on expect -> those stages -> raw -> `read` -> results in the picture's coordinates

A head is a class with a `task`, a network and a `read`; `HEADS` lists them.  A new one is
this file's business alone: `wmv analyze --task NAME` finds it here, and shows whatever
results it gives; how it is taught is a `Course` in `training.courses`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from wavenetmv.errors import UsageFault
from wavenetmv.labels import COCO_LABELS, IMAGENET_LABELS
from wavenetmv.models.adapters import Adapter, OctaveAdapter, PacketAdapter
from wavenetmv.models.boxes import find_objects
from wavenetmv.models.efficientnet import EfficientNetStem, EfficientNetTail, TailFeatures
from wavenetmv.models.layout import channels_last
from wavenetmv.models.resampling import fit_short_side
from wavenetmv.models.yolox import Features, YoloxStem, YoloxTail
from wavenetmv.types import Classification, Detection, Finding

LATENT_STRIDE = 16  # pixels per latent along a side
# The codec's pixels are -0.5..0.5. What half a unit is in LL of one level makes black zero,
# as it was for YOLOX: so the zeros that convolutions see around a picture are black.
_GREY = 1.0


class Head(nn.Module, ABC):
    """What every head has; constructors take M and sizes with defaults.

    task       its name on the command line and in files
    labels     of its classes
    threshold  the least score of a result where the caller names none
    results    what a list of its results is called, in JSON
    noun       what one of them is, in a table
    adapter    from latents to what follows
    tail       of a pretrained network, its last part
    """

    task: ClassVar[str]
    labels: ClassVar[tuple[str, ...]]
    threshold: ClassVar[float]
    results: ClassVar[str]
    noun: ClassVar[str]
    adapter: Adapter
    tail: nn.Module

    @abstractmethod
    def config(self) -> dict[str, int | str]:
        """Arguments that build this network again."""

    @abstractmethod
    def forward(self, y_hat: Tensor, size: tuple[int, int]) -> Tensor:
        """y_hat [B, M, h, w], h and w even, gain undone, of pictures (H, W) -> raw [B, ...]."""

    @abstractmethod
    def read(
        self, raw: Tensor, latent_size: tuple[int, int], size: tuple[int, int], threshold: float
    ) -> Sequence[Finding]:
        """Results, best first, from raw [1, ...] of latents (h, w) of a picture (H, W)."""


class PacketHead(Head):
    """Heads that see wavelet coefficients: the sizes of their adapters, and how files name them."""

    # Of `PacketAdapter`, but for M.
    sizes: ClassVar[Mapping[str, int | str]] = {
        "base": "bior4.4", "coarse": 192, "fine": 96, "coarse_blocks": 1, "fine_blocks": 1,
    }  # fmt: skip

    def __init__(self, M: int, adapter: type[PacketAdapter], **sizes: int | str) -> None:
        """`sizes` in place of those of the class."""
        super().__init__()
        self._config: dict[str, Any] = {"M": M, **self.sizes, **sizes}
        self.adapter = adapter(**self._config)

    def config(self) -> dict[str, int | str]:
        return dict(self._config)


class DetectionHead(PacketHead):
    """The 80 object classes of COCO: adapter, then YOLOX-nano on its wavelet coefficients."""

    task: ClassVar[str] = "detect"
    labels: ClassVar[tuple[str, ...]] = COCO_LABELS
    threshold: ClassVar[float] = 0.25
    results: ClassVar[str] = "detections"
    noun: ClassVar[str] = "object"

    adapter: PacketAdapter

    def __init__(self, M: int, **sizes: int | str) -> None:
        super().__init__(M, PacketAdapter, **sizes)
        self.stem: YoloxStem = YoloxStem(kernel=7)
        self.tail: YoloxTail = YoloxTail()

    def features(self, y_hat: Tensor) -> Features:
        """y_hat as for `forward` -> what the teacher computes."""
        features: Features = self.tail.features(self.c3(y_hat))
        return features

    def c3(self, y_hat: Tensor) -> Tensor:
        """y_hat as for `forward` -> the first of its features, [B, 64, 2h, 2w]."""
        coefficients = self.adapter(y_hat)
        # Of LL only; slices would cost their gradients three passes through memory.
        grey = coefficients.new_zeros(1, coefficients.shape[1], 1, 1)
        grey[:, :3] = _GREY
        c3: Tensor = self.stem(channels_last(coefficients + grey, y_hat.dtype))
        return c3

    def predicted(self, y_hat: Tensor) -> Tensor:
        """y_hat as for `forward` -> [B, A, 85], which `yolox.as_scores` makes raw."""
        predicted: Tensor = self.tail.predict(self.features(y_hat))
        return predicted

    def answers(self, c3: Tensor) -> Tensor:
        """-> raw [B, A, 85], as `forward`."""
        raw: Tensor = self.tail(c3)
        return raw

    def forward(self, y_hat: Tensor, size: tuple[int, int]) -> Tensor:
        """-> raw [B, A, 85] of the whole latents, see `boxes.decode_boxes`."""
        return self.answers(self.c3(y_hat))

    def read(
        self, raw: Tensor, latent_size: tuple[int, int], size: tuple[int, int], threshold: float
    ) -> list[Detection]:
        h, w = latent_size
        return find_objects(raw[0], (LATENT_STRIDE * h, LATENT_STRIDE * w), size, threshold)


class ClassificationHead(PacketHead):
    """The 1000 classes of ImageNet: adapter, then EfficientNet-Lite0 on its coefficients.

    That network knows pictures with a short side of about 256 pixels, latents have the
    picture's own scale: so the adapter gives coefficients of such a picture.
    """

    task: ClassVar[str] = "classify"
    labels: ClassVar[tuple[str, ...]] = IMAGENET_LABELS
    threshold: ClassVar[float] = 0.05  # a picture has one class, and often no sure one
    results: ClassVar[str] = "classes"
    noun: ClassVar[str] = "class"
    positions: ClassVar[int] = 128  # along the short side, 256 / 2
    limit: ClassVar[int] = 5  # results, as in top-5

    sizes: ClassVar[Mapping[str, int | str]] = {**PacketHead.sizes, "fine_blocks": 0}
    adapter: OctaveAdapter

    def __init__(self, M: int, **sizes: int | str) -> None:
        super().__init__(M, OctaveAdapter, **sizes)
        self.stem: EfficientNetStem = EfficientNetStem.of_coefficients()
        self.tail: EfficientNetTail = EfficientNetTail()

    def features(self, y_hat: Tensor, size: tuple[int, int]) -> TailFeatures:
        """y_hat and size as for `forward` -> what the teacher computes of the whole picture."""
        extent = (size[0] / LATENT_STRIDE, size[1] / LATENT_STRIDE)
        positions = fit_short_side(size, self.positions)
        coefficients = self.adapter.scaled_coefficients(y_hat, extent, positions)
        seen = channels_last(coefficients, y_hat.dtype)
        features: TailFeatures = self.tail.features(self.stem(seen))
        return features

    def forward(self, y_hat: Tensor, size: tuple[int, int]) -> Tensor:
        """-> logits [B, 1000]."""
        logits: Tensor = self.tail.predict(self.features(y_hat, size))
        return logits

    def read(
        self, raw: Tensor, latent_size: tuple[int, int], size: tuple[int, int], threshold: float
    ) -> list[Classification]:
        scores, classes = raw[0].float().softmax(0).topk(self.limit)
        return [
            Classification(class_id, self.labels[class_id], score)
            for score, class_id in zip(scores.tolist(), classes.tolist(), strict=True)
            if score >= threshold
        ]


HEADS: dict[str, type[Head]] = {head.task: head for head in (DetectionHead, ClassificationHead)}


def head_class(task: str) -> type[Head]:
    """The head that a user asked for. Raises UsageFault for an unknown task."""
    if task not in HEADS:
        raise UsageFault(f"no task {task!r}; there are {', '.join(HEADS)}")
    return HEADS[task]


def build_head(task: str, **config: Any) -> Head:
    """A head with what `Head.config` says of it.

    Raises ValueError for an unknown task, TypeError for arguments that it does not have.
    """
    if task not in HEADS:
        raise ValueError(f"no head for task {task!r}; there are {', '.join(HEADS)}")
    return HEADS[task](**config)
