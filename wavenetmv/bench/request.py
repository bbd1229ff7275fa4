"""What the user asked for, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wavenetmv.bench.codecs.base import CodecOptions
from wavenetmv.bench.codecs.registry import check_names
from wavenetmv.errors import UsageFault

# By the name on the command line: the measure that codecs are compared by.
METRICS = {
    "psnr": "psnr", "ms-ssim": "ms_ssim_db", "vmaf": "vmaf", "map": "map",
    "agreement": "agreement", "top1": "top1",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """Raises UsageFault when the parts do not fit together.

    pictures     files by their name in the results; clips if `options.gop` says so
    metrics      keys of METRICS; map and agreement need a detector, map annotations too,
                 top1 a classifier
    anchor       a codec of `codecs`; "": vvc if it runs, for clips x264, else the first but
                 wmv that does
    further      more codecs to hold the others against
    frames       of each clip, at most; None for all
    points       settings per codec, evenly chosen; None for all
    settings     of some codecs the values of those to measure, whatever `points` says
    resume       use what the cache in `out` holds
    published    add the curves published for Kodak
    """

    pictures: Mapping[str, Path]
    codecs: Sequence[str]
    metrics: Sequence[str]
    out: Path
    annotations: Path | None = None
    detector: Path | None = None
    classifier: Path | None = None
    anchor: str = ""
    further: Sequence[str] = ()
    frames: int | None = None
    points: int | None = None
    settings: Mapping[str, Sequence[float]] = field(default_factory=dict)
    options: CodecOptions = field(default_factory=CodecOptions)
    jobs: int = 1
    resume: bool = True
    published: bool = False
    command: str = ""

    def __post_init__(self) -> None:
        check_names(self.codecs, self.video)
        if unknown := [name for name in self.metrics if name not in METRICS]:
            raise UsageFault(f"unknown metric {unknown[0]!r}; there are {', '.join(METRICS)}")
        if self.detects and self.detector is None:
            raise UsageFault("map and agreement need --detector, an ONNX file")
        if "map" in self.metrics and self.annotations is None:
            raise UsageFault("map needs --annotations, COCO's instances.json")
        if self.classifies and self.classifier is None:
            raise UsageFault("top1 needs --classifier, EfficientNet-Lite0's weights")
        for anchor in (self.anchor, *self.further):
            if anchor and anchor not in self.codecs:
                raise UsageFault(f"the anchor {anchor} is not among the codecs")
        if other := [name for name in self.settings if name not in self.codecs]:
            raise UsageFault(f"settings of {other[0]}, which is not among the codecs")
        if self.video and (self.classifies or "map" in self.metrics or self.published):
            raise UsageFault("labels, classes and published curves are for pictures, not for video")
        if not self.video and "vmaf" in self.metrics:
            raise UsageFault("vmaf is for video")
        if not self.video and (self.frames or self.options.inter_weights):
            raise UsageFault("--frames and --inter-weights are for video")

    @property
    def video(self) -> bool:
        """Whether clips are coded."""
        return self.options.gop is not None

    @property
    def detects(self) -> bool:
        """Whether a detector has to look at pictures."""
        return bool({"map", "agreement"} & set(self.metrics))

    @property
    def classifies(self) -> bool:
        """Whether a classifier has to look at pictures."""
        return "top1" in self.metrics
