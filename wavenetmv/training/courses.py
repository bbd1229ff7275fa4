"""How the head of each task is taught: by whom, what is minimised, which parts learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from wavenetmv.models.heads import ClassificationHead, DetectionHead, Head
from wavenetmv.training.distillation import (
    FeatureMatching,
    LogitMatching,
    ShownFeatures,
    TaskRateDistortion,
)
from wavenetmv.training.head_starts import start_classification, start_detection
from wavenetmv.training.objectives import Objective
from wavenetmv.training.teachers import load_efficientnet, load_yolox

Lesson = Callable[[Any], Objective]  # a teacher to what is minimised


@dataclass(frozen=True)
class Course:
    """How the head of one task is taught.

    load      its teacher from a file
    start     a new head, from the codec whose latents it reads and the teacher
    alone     stage 3a: the codec is frozen
    together  stage 3b: codec and head; None where there is no such lesson
    shown     stage 3c: the synthesis for machines; likewise
    decoded   stage 3d: a head for latents of decoded pixels, as alone; likewise
    parts     of the head that learn in stage 3a
    settings  changes to stage 3a's StageConfig
    """

    load: Callable[[Path], nn.Module]
    start: Callable[..., Head]
    alone: Lesson
    together: Lesson | None = None
    shown: Lesson | None = None
    decoded: Lesson | None = None
    parts: tuple[str, ...] = ("adapter",)
    settings: Mapping[str, Any] = field(default_factory=dict)


# By task, as `models.heads.HEADS`.
COURSES: dict[str, Course] = {
    DetectionHead.task: Course(
        load_yolox,
        start_detection,
        FeatureMatching,
        TaskRateDistortion,
        ShownFeatures,
        partial(FeatureMatching, decoded=True),
        parts=("adapter", "stem"),
        settings={"batch": 12, "lr": 4e-4},
    ),
    ClassificationHead.task: Course(
        load_efficientnet,
        start_classification,
        LogitMatching,
        parts=("adapter", "stem"),
        # Crops of several sizes, all of which the teacher sees at one: so scales are learned.
        settings={"batch": 12, "lr": 4e-4, "larger_crops": (320, 384, 512)},
    ),
}
