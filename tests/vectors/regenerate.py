"""Golden vectors: what streams of format version 1 look like for ever.

    python -m tests.vectors.regenerate            says which vectors are missing or would change
    python -m tests.vectors.regenerate --write    writes those

A changed vector is a changed format: bump the version in docs/FORMAT.md first. A vector that
may not change because only decoding it is normative is named in DECODE_ONLY.

To add vectors, add a function to BUILDERS that returns {file name: bytes}.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np

from wavenetmv import bitstream
from wavenetmv.bitstream import planes
from wavenetmv.models.registry import SEARCH_VARIABLE
from wavenetmv.types import DROP_MAX, AudioTrack, ColourMode, Metadata, MetadataKind

VECTORS = Path(__file__).parent

WEIGHTS_HASH = bytes.fromhex("0123456789abcdef")


# --- container ------------------------------------------------------------------------


def minimal_picture() -> bitstream.PictureStream:
    """Nothing optional, and an entropy-coded part of zero bytes."""
    header = bitstream.StreamHeader(1, 1, 0, WEIGHTS_HASH, 0)
    return bitstream.PictureStream(header, bitstream.FramePayload(0, b""))


def full_picture() -> bitstream.PictureStream:
    """Every optional part; chunks short enough to be stored rather than deflated."""
    header = bitstream.StreamHeader(
        width=768,
        height=512,
        model_id=7,
        weights_hash=WEIGHTS_HASH,
        lambda_index=192,
        colour=ColourMode.GREY,
        alpha=True,
        profile=bitstream.Profile.MACHINE,
    )
    metadata = (
        Metadata(MetadataKind.EXIF, b"II*\0"),
        Metadata(MetadataKind.TEXT, b"Author\0me"),
        Metadata(MetadataKind.TEXT, b"Empty\0"),
    )
    alpha = bitstream.encode_plane(np.full((512, 768), 200, np.uint8))
    frame = bitstream.FramePayload(0xCAFEF00D, bytes(range(1, 33)))
    return bitstream.PictureStream(header, frame, metadata, alpha)


def deflated_picture() -> bitstream.PictureStream:
    """A metadata chunk that is worth deflating."""
    header = bitstream.StreamHeader(3, 2, 0, WEIGHTS_HASH, 320)
    metadata = (Metadata(MetadataKind.XMP, b"<x:xmpmeta/>" * 20),)
    return bitstream.PictureStream(header, bitstream.FramePayload(1, b"\1"), metadata)


def to_bytes(stream: bitstream.PictureStream) -> bytes:
    sink = io.BytesIO()
    bitstream.write_picture_stream(sink, stream)
    return sink.getvalue()


def container_vectors() -> dict[str, bytes]:
    return {
        "picture_minimal.wmv": to_bytes(minimal_picture()),
        "picture_full.wmv": to_bytes(full_picture()),
        "picture_deflated.wmv": to_bytes(deflated_picture()),
    }


def invalid_vectors() -> dict[str, bytes]:
    """Whole files that must be refused; tests/bitstream/test_vectors.py says with which words."""
    good = to_bytes(full_picture())
    video = io.BytesIO()
    writer = bitstream.StreamWriter(video)
    header = bitstream.VideoHeader(Fraction(30000, 1001), Fraction(1, 30000))
    bitstream.write_header(writer, bitstream.StreamHeader(1, 1, 0, WEIGHTS_HASH, 0, video=header))
    bitstream.write_end(writer)
    return {
        "invalid/empty.wmv": b"",
        "invalid/windows_media.wmv": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + b"\0" * 14,
        "invalid/crlf_to_lf.wmv": good.replace(b"\r\n", b"\n"),
        "invalid/lf_to_crlf.wmv": good.replace(b"\n", b"\r\n"),
        "invalid/version_2.wmv": good[:8] + b"\2" + good[9:],
        "invalid/cut_in_intra.wmv": good[:-30],
        "invalid/no_end.wmv": good[:-5],
        "invalid/appended.wmv": good + b"\0",
        "invalid/header_bit.wmv": good[:21] + bytes([good[21] ^ 1]) + good[22:],
        "invalid/video.wmv": video.getvalue(),
    }


# --- video ----------------------------------------------------------------------------

INTRA, INTER = bitstream.PacketKind.INTRA, bitstream.PacketKind.INTER
VIDEO_HEADER = bitstream.StreamHeader(
    width=48,
    height=32,
    model_id=7,
    weights_hash=WEIGHTS_HASH,
    lambda_index=192,
    video=bitstream.VideoHeader(
        rate=Fraction(30000, 1001),
        tick=Fraction(1, 90000),
        frame_count=5,
        pixel_aspect=Fraction(64, 45),
        matrix="bt709",
        full_range=True,
        variable_rate=True,
        inter_hash=bytes.fromhex("fedcba9876543210"),
    ),
)
AUDIO = AudioTrack(b"not really Matroska", ("aac", "opus"))
TITLE = Metadata(MetadataKind.TEXT, b"Title\0five frames")


def video_frames() -> list[bitstream.CodedFrame]:
    """Five frames, the fourth intra again, the last nine hours later; one has no data."""
    times = (0, 3003, 6006, 9000, 1 << 32)
    kinds = (INTRA, INTER, INTER, INTRA, INTER)
    return [
        bitstream.CodedFrame(
            kind, time, 100 + number, bitstream.FramePayload(number, bytes([number] * 3 * number))
        )
        for number, (kind, time) in enumerate(zip(kinds, times, strict=True))
    ]


def video_bytes() -> bytes:
    sink = io.BytesIO()
    writer = bitstream.VideoStreamWriter(sink, VIDEO_HEADER, [TITLE])
    for frame in video_frames():
        writer.write_frame(frame)
    writer.write_audio(AUDIO)
    writer.finish()
    return sink.getvalue()


def video_vectors() -> dict[str, bytes]:
    return {"video_full.wmv": video_bytes()}


# --- alpha planes ---------------------------------------------------------------------


def sample_plane() -> np.ndarray:
    """uint8 [40, 64]: a soft-edged disc on a ramp, in integers alone."""
    y, x = np.mgrid[:40, :64]
    return np.clip(900 - (x - 32) ** 2 - (y - 20) ** 2 + x, 0, 255).astype(np.uint8)


def plane_vectors() -> dict[str, bytes]:
    plane = sample_plane()
    vectors = {
        "plane_constant.bin": bitstream.encode_plane(np.full((40, 64), 7, np.uint8)),
        "plane_stored.bin": bytes([planes.PlaneCoder.STORED << 4]) + plane.tobytes(),
    }
    for chosen in planes.PlaneFilter:
        residual = planes._apply(plane, chosen).tobytes()
        name = chosen.name.lower()
        deflated, lzma2 = planes.deflate(residual), planes._lzma2(residual)
        vectors[f"plane_deflate_{name}.bin"] = bytes([2 << 4 | chosen]) + deflated
        vectors[f"plane_lzma2_{name}.bin"] = bytes([3 << 4 | chosen]) + lzma2
    return vectors


# --- entropy coding -------------------------------------------------------------------


def sample_steps() -> list[tuple[np.ndarray, np.ndarray]]:
    """Five steps of symbols and indexes from integer arithmetic: escapes, an empty step."""
    steps = []
    state = 1
    for size in (24, 0, 150, 150, 150):
        values = []
        for _ in range(2 * size):
            state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            values.append(state >> 40)
        indexes = np.array(values[:size], np.int64) % 64
        spread = 1 + indexes**2 // 32
        symbols = np.array(values[size:], np.int64) % (2 * spread + 1) - spread
        steps.append((symbols.astype(np.int32), indexes.astype(np.uint8)))
    steps[2][0][:4] = [bitstream.MAX_SYMBOL, -bitstream.MAX_SYMBOL, 3000, -600]
    return steps


def sample_maps() -> tuple[np.ndarray, np.ndarray]:
    """Quality maps [5, 7] of an intra frame and of the frame after it: a ramp, then moved."""
    rows, columns = np.mgrid[:5, :7]
    ramp = (rows * columns * 3 + columns) % (DROP_MAX + 1)
    moved = np.where(columns < 4, ramp, np.minimum(ramp + rows, DROP_MAX))
    return ramp.astype(np.uint8), moved.astype(np.uint8)


def entropy_vectors() -> dict[str, bytes]:
    """entropy_tables.npz is input as well: once stored, it is not made anew."""
    tables_file = VECTORS / "entropy_tables.npz"
    if tables_file.exists():
        packed = tables_file.read_bytes()
    else:
        radii, frequencies = bitstream.gaussian_tables(bitstream.default_scales())
        sink = io.BytesIO()
        np.savez_compressed(sink, radii=radii, frequencies=frequencies)
        packed = sink.getvalue()
    stored = np.load(io.BytesIO(packed))
    tables = bitstream.ScaleTables.from_arrays(stored["radii"], stored["frequencies"])
    steps = [(symbols, indexes, tables) for symbols, indexes in sample_steps()]
    first, second = sample_maps()
    maps = bitstream.encode_quality_map(first, tables)
    maps += bitstream.encode_quality_map(second, tables, first)
    return {
        "entropy_tables.npz": packed,
        "entropy_steps.bin": bitstream.encode_steps(steps),
        "quality_maps.bin": bitstream.encode_steps(maps),
    }


# --- the whole codec ------------------------------------------------------------------


def sample_pixels() -> np.ndarray:
    """uint8 [70, 90, 3]: smooth waves and one sharp edge, in integers alone."""
    y, x = np.mgrid[:70, :90]
    planes_of = [(x * x // 7 + (3 + k) * y) % 256 for k in range(3)]
    pixels = np.abs(np.stack(planes_of, 2) - 128) + 64
    pixels[20:50, 30:60] = (250, 20, 90)
    return pixels.astype(np.uint8)


def codec_vectors() -> dict[str, bytes]:
    """Weights and stream are input once stored: floating point made them."""
    from tests.tiny import save_tiny
    from wavenetmv.codec import PictureCodec
    from wavenetmv.types import Picture

    weights = next(VECTORS.glob("tiny-*.safetensors"), None) or save_tiny(VECTORS)
    codec = PictureCodec("cpu", weights=weights, precision="float32")
    drops = np.array([[0, 3], [DROP_MAX, 1]], np.uint8)
    vectors = {}
    for name, focus in (("codec", None), ("codec_mapped", lambda y_hat: drops)):
        stored = VECTORS / f"{name}_picture.wmv"
        if stored.exists():
            data = stored.read_bytes()
        else:
            data = codec.encode(Picture(sample_pixels()), 1024, focus=focus)
        with weights_folder(VECTORS):
            latents, picture = codec.decode_integers(data), codec.decode(data)
        vectors |= {
            stored.name: data,
            f"{name}_sixteenths.bin": latents.astype("<i4").tobytes(),
            f"{name}_pixels.bin": picture.pixels.tobytes(),
        }
    return vectors


@contextmanager
def weights_folder(folder: Path) -> Iterator[None]:
    """Streams find their weights in `folder` too."""
    before = os.environ.get(SEARCH_VARIABLE)
    os.environ[SEARCH_VARIABLE] = str(folder)
    try:
        yield
    finally:
        del os.environ[SEARCH_VARIABLE]
        if before is not None:
            os.environ[SEARCH_VARIABLE] = before


BUILDERS: list[Callable[[], dict[str, bytes]]] = [
    container_vectors,
    invalid_vectors,
    video_vectors,
    plane_vectors,
    entropy_vectors,
    codec_vectors,
]

# Deflate and LZMA2 encoders may find other bytes for the same data in another release.
# Pixels may differ in the last bit from machine to machine.
DECODE_ONLY = {
    "picture_deflated.wmv",
    "video_full.wmv",
    "codec_pixels.bin",
    "codec_mapped_pixels.bin",
} | {
    f"plane_{coder}_{chosen.name.lower()}.bin"
    for coder in ("deflate", "lzma2")
    for chosen in planes.PlaneFilter
}


def build_all() -> dict[str, bytes]:
    """Every vector as this build writes it, by file name relative to this folder."""
    return {name: data for builder in BUILDERS for name, data in builder().items()}


def main() -> None:
    write = sys.argv[1:] == ["--write"]
    for name, data in build_all().items():
        path = VECTORS / name
        if path.exists() and (path.read_bytes() == data or name in DECODE_ONLY):
            continue
        print("changed" if path.exists() else "missing", name, "(written)" if write else "")
        if write:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)


if __name__ == "__main__":
    main()
