"""Detections drawn on a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from wavenetmv.types import Detection

# Distinct for people who see few colours too (Okabe and Ito, 2008).
_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")


def draw_detections(
    pixels: npt.NDArray[np.uint8], detections: Sequence[Detection]
) -> npt.NDArray[np.uint8]:
    """pixels uint8 [H, W, 3] -> a copy with boxes, labels, tracks and scores; best ones on top.

    Colours tell classes apart or, where there are tracks, objects.
    """
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    height, width = pixels.shape[:2]
    line = max(1, round(min(height, width) / 200))
    font = ImageFont.load_default(max(8, round(min(height, width) / 32)))
    for detection in sorted(detections, key=lambda each: each.score):
        track = detection.track
        colour = _COLOURS[(detection.class_id if track is None else track) % len(_COLOURS)]
        left, top, right, bottom = detection.box
        draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), None, colour, line)
        number = "" if track is None else f" #{track}"
        text = f"{detection.label}{number} {detection.score:.2f}"
        # Inside the box where there is no room above it.
        anchor = "lb" if top > font.getbbox(text)[3] + line else "lt"
        where = draw.textbbox((left, top), text, font, anchor)
        draw.rectangle(where, colour)
        draw.text((left, top), text, "black", font, anchor)
    return np.asarray(image)
