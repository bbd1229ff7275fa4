"""Golden vectors, both ways; damaged files, each with the words it must be refused with."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest

from wavenetmv.bitstream import (
    ScaleTables,
    SymbolDecoder,
    VideoStreamReader,
    decode_plane,
    decode_quality_map,
    inspect,
    read_picture_stream,
)
from wavenetmv.errors import CorruptStream, NotAStream, UnsupportedStream

VECTORS = Path(__file__).parents[1] / "vectors"
_spec = importlib.util.spec_from_file_location("regenerate", VECTORS / "regenerate.py")
regenerate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(regenerate)

BUILT = {}
for _builder in (
    regenerate.container_vectors,
    regenerate.invalid_vectors,
    regenerate.video_vectors,
    regenerate.plane_vectors,
    regenerate.entropy_vectors,
):
    BUILT |= _builder()

INVALID = {
    "empty": (NotAStream, "empty"),
    "windows_media": (NotAStream, "Windows Media"),
    "crlf_to_lf": (CorruptStream, "text mode"),
    "lf_to_crlf": (CorruptStream, "text mode"),
    "version_2": (UnsupportedStream, "version 2; this build reads version 1"),
    "cut_in_intra": (CorruptStream, "INTRA packet at byte .*: expected .* bytes, got"),
    "no_end": (CorruptStream, "no END packet"),
    "appended": (CorruptStream, "follow the END"),
    "header_bit": (CorruptStream, "stream header: CRC"),
    "video": (UnsupportedStream, "is a video"),
}


def stored(name):
    return (VECTORS / name).read_bytes()


@pytest.mark.parametrize("name", sorted(BUILT.keys() - regenerate.DECODE_ONLY))
def test_this_build_writes_the_stored_bytes(name):
    assert BUILT[name] == stored(name)


@pytest.mark.parametrize("kind", ["minimal", "full", "deflated"])
def test_pictures_read_back(kind):
    expected = getattr(regenerate, f"{kind}_picture")()
    assert read_picture_stream(io.BytesIO(stored(f"picture_{kind}.wmv"))) == expected


def test_a_video_reads_back():
    data = stored("video_full.wmv")
    reader = VideoStreamReader(io.BytesIO(data))
    assert [located.frame for located in reader] == regenerate.video_frames()
    assert reader.header == regenerate.VIDEO_HEADER
    assert reader.metadata == (regenerate.TITLE,)
    assert reader.audio == regenerate.AUDIO
    # Only the index is deflated; all before it is the same for ever.
    index = next(packet for packet in inspect(data).packets if packet.name == "INDEX")
    assert regenerate.video_bytes()[: index.offset] == data[: index.offset]


@pytest.mark.parametrize("name", sorted(name for name in BUILT if name.startswith("plane_")))
def test_planes_decode(name):
    plane = regenerate.sample_plane()
    expected = np.full_like(plane, 7) if name == "plane_constant.bin" else plane
    np.testing.assert_array_equal(decode_plane(stored(name), 40, 64), expected)


def test_symbols_decode():
    arrays = np.load(VECTORS / "entropy_tables.npz")
    tables = ScaleTables.from_arrays(arrays["radii"], arrays["frequencies"])
    decoder = SymbolDecoder(stored("entropy_steps.bin"), tables)
    for symbols, indexes in regenerate.sample_steps():
        np.testing.assert_array_equal(decoder.decode(indexes), symbols)
    decoder.finish()


def test_quality_maps_decode():
    arrays = np.load(VECTORS / "entropy_tables.npz")
    tables = ScaleTables.from_arrays(arrays["radii"], arrays["frequencies"])
    decoder = SymbolDecoder(stored("quality_maps.bin"), tables)
    previous = None
    for drops in regenerate.sample_maps():
        previous, _ = decode_quality_map(decoder, drops.shape, tables, previous)
        np.testing.assert_array_equal(previous, drops)
    decoder.finish()


def test_every_invalid_file_has_its_words():
    assert {path.stem for path in (VECTORS / "invalid").glob("*.wmv")} >= INVALID.keys()


@pytest.mark.parametrize("name", sorted(INVALID))
def test_invalid_files_are_refused(name):
    error, words = INVALID[name]
    with pytest.raises(error, match=words):
        read_picture_stream(io.BytesIO(stored(f"invalid/{name}.wmv")))
