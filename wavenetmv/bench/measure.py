"""One picture or clip by one codec at one setting: coded, decoded, judged. In worker processes."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from wavenetmv.bench.cache import Entry, entry_of, file_hash
from wavenetmv.bench.codecs.base import Codec
from wavenetmv.bench.codecs.registry import make_codec
from wavenetmv.bench.jobs import Job, Plan, Source
from wavenetmv.bench.results import PSNR_MAX, Row
from wavenetmv.bench.vmaf import vmaf
from wavenetmv.errors import InputError, WmvError
from wavenetmv.metrics import Pixels, bits_per_pixel, ms_ssim, psnr

if TYPE_CHECKING:
    from wavenetmv.bench.classifiers import Classifier
    from wavenetmv.bench.detectors import Detector

# COCO's measure wants the whole curve of precision over recall, so nearly every score.
LEAST_SCORE = 0.01


class Worker:
    """Does jobs one after the other; loads codecs and networks at first use."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._codecs: dict[str, Codec] = {}
        self._detector: tuple[str, Detector] | None = None
        self._classifier: tuple[str, Classifier] | None = None

    def __call__(self, job: Job) -> Row:
        """What goes wrong with this picture, codec and setting is in the row's `error`."""
        source = job.source
        row = Row(
            job.codec, job.setting.label, source.name, source.width, source.height,
            frames=source.frames,
        )  # fmt: skip
        try:
            return self._original(row, source) if not job.codec else self._coded(row, job)
        except (WmvError, MemoryError) as error:
            return replace(row, error=_line(error))
        except Exception as error:  # whatever a foreign codec raises costs this row alone
            return replace(row, error=f"{type(error).__name__}: {_line(error)}")

    def _original(self, row: Row, source: Source) -> Row:
        entry = entry_of(self._plan.out, "original", source.content, "", "")
        if self._plan.detector:
            kind, _ = self._detection()
            if not self._plan.resume or not _looked(entry, kind, source):
                self._look(entry, source.pixels())
            row = replace(row, detections_file=entry.detections_file(kind))
        if self._plan.classifier:
            kind, classifier = self._classification()
            record = (entry.record() or {}) if self._plan.resume else {}
            if kind not in record:
                record[kind] = classifier.best(source.pixels())[0]
                entry.keep_record(record)
            row = replace(row, label=record[kind])
        return row

    def _coded(self, row: Row, job: Job) -> Row:
        codec = self._codec(job.codec)
        command = codec.command(job.setting)
        entry = entry_of(self._plan.out, codec.name, job.source.content, command, codec.suffix)
        record, data = self._known(entry) or self._encoded(codec, job, entry)
        before = dict(record)
        self._judge(codec, job.source, entry, data, record)
        if codec.name in self._plan.latents:
            self._find_in_stream(codec, job.source, entry, data, record)
        if codec.name in self._plan.latent_classes:
            kind = f"label-{codec.classification_head_name}"
            if kind not in record:
                record[kind] = codec.classify(data)
        if record != before:
            entry.keep_record(record)
        return self._filled(row, entry, record)

    def _known(self, entry: Entry) -> tuple[dict[str, Any], bytes] | None:
        if not self._plan.resume:
            return None
        record, data = entry.record(), entry.stream()
        return None if record is None or data is None else (record, data)

    def _encoded(self, codec: Codec, job: Job, entry: Entry) -> tuple[dict[str, Any], bytes]:
        pixels = job.source.pixels()
        started = time.perf_counter()
        data = codec.encode(pixels, job.setting)
        seconds = (time.perf_counter() - started) / (job.source.frames or 1)
        entry.keep_stream(data)
        command = codec.command(job.setting)
        return {"command": command, "file_bytes": len(data), "encode_s": seconds}, data

    def _judge(
        self, codec: Codec, source: Source, entry: Entry, data: bytes, record: dict[str, Any]
    ) -> None:
        """Decode if a measure of the decoded pixels is missing in `record`, and add it."""
        kind = self._detection()[0] if self._plan.detector else None
        look = kind is not None and ("psnr" not in record or not _looked(entry, kind, source))
        wanted = {"ms_ssim": self._plan.ms_ssim, "vmaf": self._plan.vmaf}
        missing = {name for name, wish in wanted.items() if wish and name not in record}
        label = self._classification()[0] if self._plan.classifier else None
        classify = label is not None and label not in record
        if "psnr" in record and not (look or classify or missing):
            return
        original = source.pixels()
        started = time.perf_counter()
        decoded = codec.decode(data, source.height, source.width)
        seconds = (time.perf_counter() - started) / (source.frames or 1)
        if decoded.shape != original.shape:
            raise InputError(f"pixels of {original.shape} expected, decoded {decoded.shape}")
        record.setdefault("decode_s", seconds)
        _compare(original, decoded, record, missing)
        if look:
            self._look(entry, decoded)
        if classify:
            kind, classifier = self._classification()
            record[kind] = classifier.best(decoded)[0]

    def _look(self, entry: Entry, pixels: Pixels) -> None:
        """Keep what the detector finds in a picture, or in every frame of a clip."""
        kind, detector = self._detection()
        if pixels.ndim == 3:
            entry.keep_detections(kind, detector.detect(pixels, LEAST_SCORE))
        else:
            found = [detector.detect(frame, LEAST_SCORE) for frame in pixels]
            entry.keep_frame_detections(kind, found)

    def _find_in_stream(
        self, codec: Codec, source: Source, entry: Entry, data: bytes, record: dict[str, Any]
    ) -> None:
        if "latents_s" in record and _looked(entry, codec.head_name, source):
            return
        started = time.perf_counter()
        if source.frames:
            entry.keep_frame_detections(codec.head_name, codec.detect_frames(data, LEAST_SCORE))
        else:
            entry.keep_detections(codec.head_name, codec.detect(data, LEAST_SCORE))
        record["latents_s"] = (time.perf_counter() - started) / (source.frames or 1)

    def _filled(self, row: Row, entry: Entry, record: dict[str, Any]) -> Row:
        detections = entry.detections_file(self._detection()[0]) if self._plan.detector else None
        latents = None
        if row.codec in self._plan.latents:
            latents = entry.detections_file(self._codec(row.codec).head_name)
        label = latents_label = None
        if self._plan.classifier:
            label = record[self._classification()[0]]
        if row.codec in self._plan.latent_classes:
            latents_label = record[f"label-{self._codec(row.codec).classification_head_name}"]
        return replace(
            row,
            file_bytes=record["file_bytes"],
            bpp=bits_per_pixel(record["file_bytes"], row.width, row.height, row.frames or 1),
            psnr=record["psnr"],
            frame_psnr=tuple(record["frame_psnr"]) if row.frames else None,
            ms_ssim=record["ms_ssim"] if self._plan.ms_ssim else None,
            vmaf=record["vmaf"] if self._plan.vmaf else None,
            encode_s=record["encode_s"],
            decode_s=record["decode_s"],
            latents_s=record["latents_s"] if latents else None,
            stream_file=entry.stream_file,
            detections_file=detections,
            latents_file=latents,
            label=label,
            latents_label=latents_label,
        )

    def _codec(self, name: str) -> Codec:
        if name not in self._codecs:
            codec = make_codec(name, self._plan.codecs)
            codec.prepare()
            self._codecs[name] = codec
        return self._codecs[name]

    def _detection(self) -> tuple[str, Detector]:
        """The detector, and the name of its results in the cache."""
        if self._detector is None:
            assert self._plan.detector is not None
            from wavenetmv.bench.detectors import detector_hash, load_detector

            _one_thread()
            kind = f"detections-{detector_hash(self._plan.detector)[:12]}"
            self._detector = kind, load_detector(self._plan.detector, threads=1)
        return self._detector

    def _classification(self) -> tuple[str, Classifier]:
        """The same of the classifier."""
        if self._classifier is None:
            assert self._plan.classifier is not None
            from wavenetmv.bench.classifiers import Classifier

            _one_thread()
            kind = f"label-{file_hash(self._plan.classifier)[:12]}"
            self._classifier = kind, Classifier(self._plan.classifier)
        return self._classifier


def _looked(entry: Entry, kind: str, source: Source) -> bool:
    """Whether the cache holds what the detector found."""
    found = entry.detections(kind) if source.frames is None else entry.frame_detections(kind)
    return found is not None


def _compare(
    original: Pixels, decoded: Pixels, record: dict[str, Any], missing: Collection[str]
) -> None:
    """Put PSNR and what is `missing` into `record`; of clips the means over their frames."""
    clip = original.ndim == 4
    pairs = list(zip(original, decoded, strict=True)) if clip else [(original, decoded)]
    if "psnr" not in record:
        each = [min(psnr(*pair), PSNR_MAX) for pair in pairs]
        record["psnr"] = fmean(each)
        if clip:
            record["frame_psnr"] = each
    if "ms_ssim" in missing:
        _one_thread()
        similar = [ms_ssim(*pair) for pair in pairs]
        known = [value for value in similar if value is not None]
        record["ms_ssim"] = fmean(known) if known else None
    if "vmaf" in missing:
        record["vmaf"] = vmaf(original, decoded)


def _one_thread() -> None:
    """Several processes of several threads each would wait for each other."""
    import torch

    torch.set_num_threads(1)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
