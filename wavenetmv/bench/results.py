"""What a benchmark found: rows per picture, points per setting, comparisons, and their files.

`results.json` holds everything and is read back by `load`; `results.csv` has one line per
point (the numbers of the report), `pictures.csv` one line per row.  Paths inside are
relative to the folder of `results.json`.  A measure that was not taken is None (an empty
cell), never a number.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from wavenetmv.bench.published import PublishedCurve
from wavenetmv.errors import InputError

# A picture that comes back without any error would have infinite PSNR and spoil every mean.
PSNR_MAX = 100.0

DecodingPath = Literal["pixels", "latents"]
# Keys of Point.tasks, and of what each holds.
DETECTION, CLASSIFICATION = "detection", "classification"
DETECTION_MEASURES = ("map", "map50", "relative_map", "agreement", "agreement50")
CLASSIFICATION_MEASURES = ("top1",)
TASK_MEASURES = (*DETECTION_MEASURES, *CLASSIFICATION_MEASURES)
_MEASURES_OF = {DETECTION: DETECTION_MEASURES, CLASSIFICATION: CLASSIFICATION_MEASURES}
# Quality measures by the name that `Point.measure` takes, with their axis title.
MEASURES = {
    "psnr": "PSNR (dB)",
    "ms_ssim": "MS-SSIM",
    "ms_ssim_db": "MS-SSIM (dB)",
    "vmaf": "VMAF",
    "map": "mAP@[.5:.95]",
    "map50": "mAP50",
    "relative_map": "mAP / mAP(original)",
    "agreement": "agreement, mAP@[.5:.95]",
    "agreement50": "agreement, mAP50",
    "top1": "top-1 agreement",
}


@dataclass(frozen=True)
class Row:
    """One picture or clip by one codec at one setting.

    setting           as text: "q30", "crf28", "lambda 512"; settings of a codec rise in rate
    bpp               8 * file_bytes / (width * height), of a clip also by its frames
    psnr              dB on RGB, at most PSNR_MAX; of a clip the mean of `frame_psnr`
    ms_ssim           0..1; None below 161 pixels a side; of a clip the mean over its frames
    encode_s, decode_s, latents_s   seconds to bytes, to pixels, to detections without pixels;
                      of a clip for each frame
    detections_file   the detector's result on the decoded pixels (`read_detections`)
    latents_file      detections from the stream itself, without pixels
    stream_file       the coded bytes
    decoded_file      decoded pixels as PNG; of the pictures to show only, of clips one frame
    label, latents_label  the class that is likeliest to the classifier in the decoded pixels, and
                      to the head in the stream itself
    top1, latents_top1  it is the one that the classifier sees in the original
    error             what went wrong, in one line; "" if fine, else all measures are None
    frames            of a clip, None for a picture
    frame_psnr        dB of each frame in order: a drift from frame to frame shows here
    vmaf              0..100, of clips only
    """

    codec: str
    setting: str
    picture: str
    width: int
    height: int
    file_bytes: int | None = None
    bpp: float | None = None
    psnr: float | None = None
    ms_ssim: float | None = None
    encode_s: float | None = None
    decode_s: float | None = None
    latents_s: float | None = None
    detections_file: str | None = None
    latents_file: str | None = None
    stream_file: str | None = None
    decoded_file: str | None = None
    label: int | None = None
    latents_label: int | None = None
    top1: bool | None = None
    latents_top1: bool | None = None
    error: str = ""
    frames: int | None = None
    frame_psnr: tuple[float, ...] | None = None
    vmaf: float | None = None


@dataclass(frozen=True)
class Point:
    """Means over the pictures at one setting of a codec; the curve's points, rate rising.

    ms_ssim_db  decibels of the mean, as published curves have it
    path      "latents" for what heads find in the stream itself: no pixels, so no PSNR; decode_s
              is then the time from bytes to detections
    pictures  how many pictures or clips the means are of
    encode_fps, decode_fps  frames per second, of clips
    tasks     per task its measures, None where not taken
    """

    codec: str
    setting: str
    bpp: float
    psnr: float | None = None
    ms_ssim: float | None = None
    ms_ssim_db: float | None = None
    encode_s: float | None = None
    decode_s: float | None = None
    path: DecodingPath = "pixels"
    pictures: int = 0
    tasks: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    vmaf: float | None = None
    encode_fps: float | None = None
    decode_fps: float | None = None

    def measure(self, name: str) -> float | None:
        """A quality by its name in MEASURES; None where it was not taken."""
        for task, measures in _MEASURES_OF.items():
            if name in measures:
                return self.tasks.get(task, {}).get(name)
        value: float | None = getattr(self, name)
        return value


@dataclass(frozen=True)
class Comparison:
    """One codec against the anchor on one measure.

    metric         a key of MEASURES
    bd_rate        percent of rate at equal quality, negative is better; None: see `note`
    low, high      95% interval of bd_rate by bootstrap over pictures, None where not computed
    bd_quality     mean gain at equal rate, in the metric's unit, positive is better
    note           why a number is missing or needs care
    """

    anchor: str
    codec: str
    metric: str
    path: DecodingPath = "pixels"
    bd_rate: float | None = None
    low: float | None = None
    high: float | None = None
    bd_quality: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Weights:
    """The weights that wmv ran with: model name and content hash in hexadecimal."""

    name: str
    hash: str


@dataclass(frozen=True)
class PictureInfo:
    """An input; `shown` pictures have decoded_file in their rows, for viewing side by side.

    frames  of a clip, None for a picture
    """

    name: str
    width: int
    height: int
    shown: bool = False
    detections_file: str | None = None  # the detector's result on the original
    frames: int | None = None


@dataclass(frozen=True)
class Results:
    """A whole benchmark.

    titles      by codec, for people ("VVC (libvvenc)"); codecs in the order asked for
    settings    by codec, what its encoder was called with
    machine     processor, cores, system, ...; versions: of every program and library used
    date        ISO 8601, UTC; command: what was typed; jobs: processes that ran side by side
    detector, classifier  file name and hash of the network on pixels, "" without
    further     comparisons with codecs other than `anchor`
    baseline    detection measures of the original pictures (map, map50), empty without labels
    failures    one line per codec or row that failed; notes: one line each, for the reader
    """

    date: str = ""
    command: str = ""
    jobs: int = 1
    anchor: str = ""
    machine: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    weights: Weights | None = None
    detector: str = ""
    annotations: str = ""
    classifier: str = ""
    baseline: Mapping[str, float] = field(default_factory=dict)
    pictures: tuple[PictureInfo, ...] = ()
    rows: tuple[Row, ...] = ()
    points: tuple[Point, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    further: tuple[Comparison, ...] = ()
    published: Mapping[str, PublishedCurve] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def noun(self) -> str:
        """What was coded: "picture" or "clip"."""
        return "clip" if any(picture.frames for picture in self.pictures) else "picture"

    def curve(self, codec: str, metric: str, path: DecodingPath = "pixels") -> list[Point]:
        """The codec's points that have this measure, in order of rate."""
        chosen = [p for p in self.points if (p.codec, p.path) == (codec, path)]
        return sorted((p for p in chosen if p.measure(metric) is not None), key=lambda p: p.bpp)


def save(results: Results, folder: Path) -> None:
    """Write results.json, results.csv and pictures.csv into an existing folder."""
    text = json.dumps(asdict(results), indent=1, allow_nan=False, ensure_ascii=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    _write_csv(folder / "results.csv", [_flat(point) for point in results.points])
    # A list in a cell would be of no use; it is in results.json.
    rows = [{k: v for k, v in asdict(row).items() if k != "frame_psnr"} for row in results.rows]
    _write_csv(folder / "pictures.csv", rows)


def load(path: Path) -> Results:
    """Read results.json back. Raises InputError if it cannot be read or is another file."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return _from_record(record)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not a results.json of wmv bench: {error}") from error


def _from_record(record: dict[str, Any]) -> Results:
    weights = record.pop("weights")
    return Results(
        weights=Weights(**weights) if weights else None,
        pictures=tuple(PictureInfo(**entry) for entry in record.pop("pictures")),
        rows=tuple(_row(entry) for entry in record.pop("rows")),
        points=tuple(Point(**entry) for entry in record.pop("points")),
        comparisons=tuple(Comparison(**entry) for entry in record.pop("comparisons")),
        # Not in files of before there were several anchors.
        further=tuple(Comparison(**entry) for entry in record.pop("further", ())),
        published={k: _published(entry) for k, entry in record.pop("published").items()},
        failures=tuple(record.pop("failures")),
        notes=tuple(record.pop("notes")),
        **record,
    )


def _row(entry: dict[str, Any]) -> Row:
    frames = entry.pop("frame_psnr", None)
    return Row(**entry, frame_psnr=None if frames is None else tuple(frames))


def _published(entry: dict[str, Any]) -> PublishedCurve:
    curves = {key: tuple((r, q) for r, q in entry[key]) for key in ("psnr", "ms_ssim")}
    return PublishedCurve(entry["title"], entry["source"], curves["psnr"], curves["ms_ssim"])


def _flat(point: Point) -> dict[str, Any]:
    record = {f.name: getattr(point, f.name) for f in fields(point) if f.name != "tasks"}
    return record | {name: point.measure(name) for name in TASK_MEASURES}


def _write_csv(path: Path, records: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.DictWriter(sink, list(records[0]) if records else ["codec"])
        writer.writeheader()
        writer.writerows(records)
