"""Curves that others published for the 24 Kodak pictures: references, not our measurements.

`published_kodak.json` holds, per codec, a title, the source and points of bpp, PSNR in dB
(RGB) and, where given, MS-SSIM.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from wavenetmv.metrics import Curve


@dataclass(frozen=True)
class PublishedCurve:
    title: str
    source: str
    psnr: Curve  # (bpp, dB)
    ms_ssim: Curve  # (bpp, 0..1); empty where the source has none


@cache
def published_kodak() -> dict[str, PublishedCurve]:
    """All published curves by short name ("vtm", "hm", "webp", ...)."""
    text = (files("wavenetmv.bench") / "published_kodak.json").read_text(encoding="utf-8")
    return {
        name: PublishedCurve(
            entry["title"],
            entry["source"],
            tuple((p["bpp"], p["psnr"]) for p in entry["points"]),
            tuple((p["bpp"], p["ms_ssim"]) for p in entry["points"] if "ms_ssim" in p),
        )
        for name, entry in json.loads(text).items()
    }
