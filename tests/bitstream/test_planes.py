"""Alpha planes: exact round trips, bounded decoding, one error family for any damage."""

from __future__ import annotations

import contextlib
import lzma
import random

import numpy as np
import pytest

from wavenetmv.bitstream import decode_plane, encode_plane, planes
from wavenetmv.bitstream.deflate import deflate
from wavenetmv.bitstream.planes import PlaneCoder, PlaneFilter
from wavenetmv.errors import CorruptStream

CODERS = list(PlaneCoder)[1:]


def disc(height, width):
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - height / 2, x - width / 2)
    return np.clip(255 * (min(height, width) / 3 - distance), 0, 255).astype(np.uint8)


def ramp(height, width):
    return np.broadcast_to((np.arange(width) * 255 // width).astype(np.uint8), (height, width))


def noise(height, width):
    return np.random.default_rng(5).integers(0, 256, (height, width), dtype=np.uint8)


def constant(height, width):
    return np.full((height, width), 255, np.uint8)


def coded_with(coder, chosen, plane):
    residual = planes._apply(plane, chosen).tobytes()
    pack = {PlaneCoder.STORED: bytes, PlaneCoder.DEFLATE: deflate, PlaneCoder.LZMA2: planes._lzma2}
    return bytes([coder << 4 | chosen]) + pack[coder](residual)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2), (37, 53), (200, 301)])
@pytest.mark.parametrize("make", [disc, ramp, noise, constant])
def test_round_trip(make, size):
    plane = make(*size)
    data = encode_plane(plane)
    assert len(data) <= plane.size + 1
    decoded = decode_plane(data, *size)
    np.testing.assert_array_equal(decoded, plane)
    assert decoded.dtype == np.uint8
    assert decoded.flags.writeable


@pytest.mark.parametrize("chosen", PlaneFilter)
@pytest.mark.parametrize("coder", [PlaneCoder.DEFLATE, PlaneCoder.LZMA2])
def test_every_method_round_trips(coder, chosen):
    plane = noise(13, 17)
    np.testing.assert_array_equal(decode_plane(coded_with(coder, chosen, plane), 13, 17), plane)


def test_filters_by_hand():
    plane = np.array([[1, 3], [0, 7]], np.uint8)
    residuals = {
        PlaneFilter.NONE: [[1, 3], [0, 7]],
        PlaneFilter.LEFT: [[1, 2], [0, 7]],
        PlaneFilter.UP: [[1, 3], [255, 4]],
        PlaneFilter.LEFT_UP: [[1, 2], [255, 5]],
    }
    for chosen, expected in residuals.items():
        np.testing.assert_array_equal(planes._apply(plane, chosen), expected)
        np.testing.assert_array_equal(planes._undo(np.array(expected, np.uint8), chosen), plane)


def test_sizes_are_what_the_content_is_worth():
    assert len(encode_plane(constant(5000, 5000))) == 2
    assert len(encode_plane(noise(64, 64))) == 64 * 64 + 1
    assert len(encode_plane(ramp(512, 768))) < 200
    assert len(encode_plane(disc(512, 768))) < 4000


def test_large_planes_are_sampled_and_round_trip():
    plane = disc(2100, 2000)
    assert plane.size > planes._LARGE_PIXELS
    np.testing.assert_array_equal(decode_plane(encode_plane(plane), 2100, 2000), plane)


def test_the_input_is_left_alone():
    plane = ramp(20, 30).copy()
    plane.flags.writeable = False
    encode_plane(plane)


@pytest.mark.parametrize(
    "plane", [np.zeros((2, 2), np.int32), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_other_arrays_are_the_callers_fault(plane):
    with pytest.raises(ValueError, match="plane must be uint8"):
        encode_plane(plane)


@pytest.mark.parametrize("coder", CODERS)
def test_every_truncation_and_appended_bytes_are_reported(coder):
    data = coded_with(coder, PlaneFilter.NONE, disc(24, 24))
    for length in range(len(data)):
        with pytest.raises(CorruptStream):
            decode_plane(data[:length], 24, 24)
    for tail in (b"\0", b"\1\2\3"):
        with pytest.raises(CorruptStream):
            decode_plane(data + tail, 24, 24)


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("size", [(24, 23), (24, 25), (1, 1), (100, 100)])
def test_another_size_is_reported(coder, size):
    with pytest.raises(CorruptStream):
        decode_plane(coded_with(coder, PlaneFilter.NONE, disc(24, 24)), *size)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\0", "expected 1 constant value, got 0"),
        (b"\0\1\2", "expected 1 constant value, got 2"),
        (b"\x01\1", "CONSTANT and a filter"),
        (b"\x11" + bytes(16), "STORED and a filter"),
        (b"\x24" + deflate(bytes(16)), "unknown method 0x24"),
        (b"\x40" + bytes(16), "unknown method 0x40"),
        (b"\x20\xff\xff", "damaged"),
        (b"\x30\x03\xff", "damaged"),
    ],
)
def test_bad_payloads_say_why(data, words):
    with pytest.raises(CorruptStream, match=words):
        decode_plane(data, 4, 4)


@pytest.mark.parametrize("coder", [PlaneCoder.DEFLATE, PlaneCoder.LZMA2])
def test_bombs_stop_at_the_planes_size(coder):
    bomb = coded_with(coder, PlaneFilter.NONE, np.zeros((4000, 4000), np.uint8))
    with pytest.raises(CorruptStream, match="more than 16 bytes"):
        decode_plane(bomb, 4, 4)


def test_the_lzma2_dictionary_is_the_formats_not_the_payloads():
    """A writer whose matches reach further back than 4 MiB is refused, not served."""
    rows = noise(68, 65536)  # 4.25 MiB, then the same again
    plane = np.concatenate([rows, rows])
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 23, "preset": 0}]
    data = lzma.compress(plane.tobytes(), format=lzma.FORMAT_RAW, filters=filters)
    with pytest.raises(CorruptStream, match="LZMA2"):
        decode_plane(b"\x30" + data, *plane.shape)


@pytest.mark.parametrize("seed", range(300))
def test_noise_never_escapes_the_error_family(seed):
    rng = random.Random(seed)
    data = bytearray(coded_with(rng.choice(CODERS), PlaneFilter.NONE, disc(24, 24)))
    for _ in range(rng.randint(1, 6)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    with contextlib.suppress(CorruptStream):
        assert decode_plane(bytes(data), 24, 24).shape == (24, 24)


@pytest.mark.parametrize("seed", range(200))
def test_garbage_never_escapes_the_error_family(seed):
    rng = random.Random(seed)
    method = rng.choice([0x00, 0x10, 0x20, 0x21, 0x23, 0x30, 0x32, rng.randrange(256)])
    with contextlib.suppress(CorruptStream):
        decode_plane(bytes([method]) + rng.randbytes(rng.randint(0, 64)), 6, 7)
