"""Names and numbers of a benchmark as text: plots, report and documents say the same."""

from __future__ import annotations

import math

from wavenetmv.bench.results import MEASURES, DecodingPath, Results

# The codec that this project makes.
OWN = "wmv"
MISSING = "\N{EN DASH}"  # a number that was not taken
_MINUS = "\N{MINUS SIGN}"
_QUALITY = {"map": "mAP", "agreement": "agreement", "top1": "top-1 agreement"}
# Digits after the point by measure.
_DIGITS = {
    "psnr": 2, "ms_ssim": 4, "ms_ssim_db": 2, "vmaf": 2, "bpp": 4, "encode_fps": 1, "decode_fps": 1
}  # fmt: skip


def title_of(codec: str, results: Results, path: DecodingPath = "pixels") -> str:
    """The codec's title for people, saying so if its detections come from the latents."""
    title = results.titles.get(codec, codec)
    return f"{title} by latents" if path == "latents" else title


def quality_name(metric: str) -> str:
    """The measure without its unit: "PSNR" for "psnr"."""
    return _QUALITY.get(metric, MEASURES[metric].removesuffix(" (dB)"))


def number(value: float | None, measure: str = "") -> str:
    """Rounded as is usual for `measure`, a key of MEASURES or "bpp"; MISSING for None."""
    if value is None:
        return MISSING
    return f"{value:.{_DIGITS.get(measure, 3)}f}".replace("-", _MINUS)


def percent(value: float | None, digits: int = 1) -> str:
    """With sign: "+12.3%"; MISSING for None."""
    return MISSING if value is None else f"{value:+.{digits}f}%".replace("-", _MINUS)


def interval(low: float | None, high: float | None) -> str:
    """ "+10.2% to +14.8%"; MISSING if one end is."""
    if low is None or high is None:
        return MISSING
    return f"{percent(low)} to {percent(high)}"


def duration(seconds: float | None) -> str:
    """ "2.31 s", "96.2 ms"; MISSING for None."""
    if seconds is None:
        return MISSING
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def count(number: int, noun: str) -> str:
    """ "1 picture", "2 pictures"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def joined(parts: list[str]) -> str:
    """ "a, b and c"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def mean_seconds(results: Results) -> dict[str, tuple[float, float]]:
    """(encode, decode) by codec: means over its settings, of those that were timed."""
    times = {}
    for codec in dict.fromkeys(point.codec for point in results.points):
        points = [
            (p.encode_s, p.decode_s)
            for p in results.points
            if p.codec == codec and p.encode_s is not None and p.decode_s is not None
        ]
        if points:
            encode, decode = (
                math.fsum(column) / len(points) for column in zip(*points, strict=True)
            )
            times[codec] = (encode, decode)
    return times
