"""Decoded pictures for the eye: a few inputs (of clips one frame), at settings side by side."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from wavenetmv.bench.codecs.base import Codec
from wavenetmv.bench.jobs import shown_part
from wavenetmv.bench.report.pictures import matched_rows
from wavenetmv.bench.results import Row
from wavenetmv.io import open_sink

SHOWN = 4  # pictures


def choose_shown(names: Sequence[str]) -> list[str]:
    """Up to SHOWN of them, spread evenly."""
    places = np.linspace(0, len(names) - 1, min(SHOWN, len(names)))
    return [names[round(place)] for place in places]


def with_decoded(
    rows: Sequence[Row], shown: Sequence[str], codecs: Mapping[str, Codec], folder: Path
) -> list[Row]:
    """`rows`, those that the report shows with a `decoded_file`, which is written if missing."""
    wanted = {
        row for name in shown for row in matched_rows([row for row in rows if row.picture == name])
    }
    return [_decoded(row, codecs[row.codec], folder) if row in wanted else row for row in rows]


def _decoded(row: Row, codec: Codec, folder: Path) -> Row:
    assert row.stream_file is not None
    name = f"{row.stream_file}.png"
    if not (folder / name).exists():
        decoded = codec.decode((folder / row.stream_file).read_bytes(), row.height, row.width)
        sink = io.BytesIO()
        Image.fromarray(shown_part(decoded)).save(sink, "PNG", compress_level=1)
        with open_sink(folder / name, force=True) as file:
            file.write(sink.getvalue())
    return replace(row, decoded_file=name)
