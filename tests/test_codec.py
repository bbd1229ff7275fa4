"""Pictures to bytes and back with a tiny fixed model: exact symbols, every kind of damage."""

from __future__ import annotations

import io
import pickle
import random
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.vectors.regenerate import VECTORS, sample_pixels
from wavenetmv.bitstream import inspect
from wavenetmv.codec import PictureCodec
from wavenetmv.errors import CheckpointError, CorruptStream, StreamError, UsageFault
from wavenetmv.models.registry import SEARCH_VARIABLE, read_info
from wavenetmv.types import ColourMode, Metadata, MetadataKind, Picture, index_to_lambda

WEIGHTS = next(VECTORS.glob("tiny-*.safetensors"))
GOLDEN = (VECTORS / "codec_picture.wmv").read_bytes()
PIXELS = sample_pixels()


@pytest.fixture(autouse=True)
def _find_tiny_weights(monkeypatch):
    monkeypatch.setenv(SEARCH_VARIABLE, str(VECTORS))


@pytest.fixture(scope="module")
def codec() -> PictureCodec:
    return PictureCodec("cpu", weights=WEIGHTS, precision="float32")


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


# What they decode to floats from: integers of one gain, and of one for each place.
golden_streams = pytest.mark.parametrize("name", ["codec", "codec_mapped"])


def golden(name, kind):
    return (VECTORS / f"{name}_{kind}").read_bytes()


@golden_streams
def test_golden_streams_decode_to_the_stored_integers(codec, name):
    expected = np.frombuffer(golden(name, "sixteenths.bin"), "<i4")
    latents = codec.decode_integers(golden(name, "picture.wmv"))
    assert latents.shape == (16, 8, 8)
    assert np.array_equal(latents.ravel(), expected)


@golden_streams
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_golden_streams_decode_to_the_stored_pixels_within_bounds(name, precision):
    stored = np.frombuffer(golden(name, "pixels.bin"), np.uint8)
    expected = stored.reshape(PIXELS.shape).astype(int)
    codec = PictureCodec("cpu", weights=WEIGHTS, precision=precision)
    data = golden(name, "picture.wmv")
    integers = np.frombuffer(golden(name, "sixteenths.bin"), "<i4")
    assert np.array_equal(codec.decode_integers(data).ravel(), integers)
    decoded = codec.decode(data).pixels
    error = np.abs(decoded - expected)
    assert error.max() <= (1 if precision == "float32" else 12)
    assert np.sqrt(np.mean(error**2)) < (0.05 if precision == "float32" else 2.0)


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (16, 16), (63, 65), (64, 64), (129, 40)])
@pytest.mark.parametrize("lmbda", [64, 300.5, 2048])
def test_any_size_round_trips(codec, size, lmbda):
    rng = np.random.default_rng(size[0])
    pixels = np.broadcast_to(rng.integers(0, 256, 3, np.uint8), (*size, 3)).copy()
    data = codec.encode(Picture(pixels), lmbda)
    decoded = codec.decode(data)
    assert decoded.pixels.shape == pixels.shape
    assert psnr(decoded.pixels, pixels) > 20
    header = inspect(data).header
    assert (header.height, header.width) == size
    assert header.lmbda == pytest.approx(lmbda, rel=0.006)


def test_encoding_is_deterministic_and_decoding_consumes_all(codec):
    first = codec.encode(Picture(PIXELS), 512)
    assert codec.encode(Picture(PIXELS), 512) == first
    source = io.BytesIO(first)
    codec.decode(source)
    assert source.read() == b""


@pytest.mark.filterwarnings("error")
def test_pixels_that_may_not_be_written(codec):
    """As numpy sees a Pillow image, or a file mapped into memory."""
    frozen = PIXELS.copy()
    frozen.flags.writeable = False
    backwards = PIXELS[::-1, ::-1]
    assert codec.encode(Picture(frozen), 512) == codec.encode(Picture(PIXELS), 512)
    assert codec.encode(Picture(backwards), 512) == codec.encode(Picture(backwards.copy()), 512)


def test_larger_lambda_means_more_bytes(codec):
    files = [codec.encode(Picture(PIXELS), lmbda) for lmbda in (64, 256, 1024, 2048)]
    sizes = [len(data) for data in files]
    assert sizes == sorted(set(sizes))
    assert psnr(codec.decode(files[-1]).pixels, PIXELS) > psnr(
        codec.decode(files[0]).pixels, PIXELS
    )


def test_alpha_mode_and_metadata_survive(codec):
    alpha = np.arange(70 * 90, dtype=np.uint8).reshape(70, 90)
    metadata = (Metadata(MetadataKind.EXIF, b"Exif"), Metadata(MetadataKind.TEXT, b"a\0b"))
    picture = Picture(PIXELS, alpha, ColourMode.GREY, metadata)
    decoded = codec.decode(codec.encode(picture, 64))
    assert np.array_equal(decoded.alpha, alpha)
    assert decoded.mode is ColourMode.GREY
    assert decoded.metadata == metadata


def test_header_and_framing_of_a_picture_take_at_most_48_bytes(codec):
    info = inspect(codec.encode(Picture(PIXELS), 2048))
    symbols_crc = 4
    coded = sum(packet.payload_bytes - symbols_crc for packet in info.packets if packet.kind == 1)
    assert info.total_bytes - coded <= 48


def test_target_size_is_met_and_used(codec):
    largest, smallest = (len(codec.encode(Picture(PIXELS), lmbda)) for lmbda in (2048, 64))
    target = (largest + smallest) // 2
    data, lmbda = codec.encode_to_target(Picture(PIXELS), target)
    assert len(data) <= target
    finer = codec.encode(Picture(PIXELS), min(2048, lmbda * 2 ** (1.5 / 64)))
    assert len(finer) > target or len(finer) == len(data)
    assert codec.encode_to_target(Picture(PIXELS), largest + 10)[1] == index_to_lambda(320)
    with pytest.raises(UsageFault, match=f"needs {smallest}"):
        codec.encode_to_target(Picture(PIXELS), smallest - 1)


@pytest.mark.parametrize("lmbda", [63.9, 2049, float("nan"), -1])
def test_lambda_out_of_range_is_refused(codec, lmbda):
    with pytest.raises(UsageFault, match=r"64\.\.2048"):
        codec.encode(Picture(PIXELS), lmbda)


def test_pixel_limit_is_refused_before_any_work(codec):
    with pytest.raises(StreamError, match="90x70"):
        codec.decode(GOLDEN, max_pixels=70 * 90 - 1)


def test_other_weights_are_named(codec, monkeypatch):
    monkeypatch.delenv(SEARCH_VARIABLE)
    with pytest.raises(CheckpointError, match=read_info(WEIGHTS).sha256[:16]):
        PictureCodec("cpu").decode(GOLDEN)
    # Weights that were named are found without the folder.
    assert PictureCodec("cpu", weights=WEIGHTS).decode_integers(GOLDEN).any()


def test_threads_share_one_codec(codec):
    files = [codec.encode(Picture(PIXELS), lmbda) for lmbda in (64, 512, 2048)] * 4
    alone = [codec.decode(data).pixels for data in files]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda data: codec.decode(data).pixels, files))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


# --- damage ---------------------------------------------------------------------------


@pytest.mark.parametrize("length", range(len(GOLDEN)))
def test_every_truncation_is_reported(codec, length):
    with pytest.raises(StreamError):
        codec.decode(GOLDEN[:length])


@pytest.mark.parametrize("position", range(len(GOLDEN)))
def test_every_changed_byte_is_reported(codec, position):
    for change in (1, 0x80, 0xFF):
        damaged = bytearray(GOLDEN)
        damaged[position] ^= change
        with pytest.raises((StreamError, CheckpointError)):
            codec.decode(bytes(damaged))


def with_valid_crcs(data: bytearray) -> bytes:
    """The same bytes with the packet's and the file's CRC made right again."""
    intra = next(packet for packet in inspect(GOLDEN).packets if packet.kind == 1)
    stop = intra.offset + intra.total_bytes - 4
    data[stop : stop + 4] = zlib.crc32(data[intra.offset : stop]).to_bytes(4, "little")
    data[-4:] = zlib.crc32(data[:-4]).to_bytes(4, "little")
    return bytes(data)


def test_damage_behind_valid_crcs_is_found_by_the_symbols_crc(codec):
    """What an attacker could write: the entropy decoder itself sees the changed bytes."""
    intra = next(packet for packet in inspect(GOLDEN).packets if packet.kind == 1)
    first = intra.offset + intra.total_bytes - 4 - intra.payload_bytes
    assert with_valid_crcs(bytearray(GOLDEN)) == GOLDEN
    rng = random.Random(0)
    for _ in range(300):
        damaged = bytearray(GOLDEN)
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(first, first + intra.payload_bytes)] = rng.randrange(256)
        if damaged != GOLDEN:
            with pytest.raises(CorruptStream):
                codec.decode(with_valid_crcs(damaged))


def test_ten_thousand_random_mutations(codec):
    rng = random.Random(1)
    for _ in range(10_000):
        data = bytearray(GOLDEN)
        for _ in range(rng.randint(1, 6)):
            position = rng.randrange(len(data))
            kind = rng.randrange(4)
            if kind == 0:
                data[position] = rng.randrange(256)
            elif kind == 1:
                del data[position : position + rng.randint(1, 9)]
            elif kind == 2:
                data[position:position] = rng.randbytes(rng.randint(1, 9))
            else:
                data[position:] = data[: len(data) - position]
            if not data:
                break
        if data != GOLDEN:
            with pytest.raises((StreamError, CheckpointError)):
                codec.decode(bytes(data))


def test_codec_of_the_public_api_pickles():
    from wavenetmv import Codec

    clone = pickle.loads(pickle.dumps(Codec(device="cpu")))
    assert isinstance(clone, Codec)


def test_weights_path_is_checked():
    with pytest.raises(CheckpointError, match="nowhere"):
        PictureCodec(weights=Path("nowhere-00000000.safetensors"))
    with pytest.raises(UsageFault, match="device"):
        PictureCodec("nonsense", weights=WEIGHTS)
    with pytest.raises(UsageFault, match="precision"):
        PictureCodec("cpu", weights=WEIGHTS, precision="int4")
