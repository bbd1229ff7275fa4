"""What the container promises: exact round trips, and one error family for any damage."""

from __future__ import annotations

import contextlib
import io
import os
import random
import zlib
from dataclasses import replace
from fractions import Fraction

import pytest

from wavenetmv.bitstream import (
    MAGIC,
    FramePayload,
    Packet,
    PacketKind,
    PictureStream,
    Profile,
    StreamHeader,
    StreamReader,
    StreamWriter,
    VideoHeader,
    inspect,
    pack_frame,
    pack_metadata,
    read_header,
    read_picture_stream,
    unpack_frame,
    unpack_metadata,
    write_end,
    write_header,
    write_packet,
    write_picture_stream,
)
from wavenetmv.bitstream.deflate import deflate
from wavenetmv.bitstream.framing import MAX_VARINT, pack_varint
from wavenetmv.bitstream.packets import MAX_METADATA_BYTES, MAX_PAYLOAD
from wavenetmv.errors import CorruptStream, NotAStream, StreamError, UnsupportedStream
from wavenetmv.types import ColourMode, Metadata, MetadataKind

HEADER = StreamHeader(
    width=768,
    height=512,
    model_id=3,
    weights_hash=b"8 bytes!",
    lambda_index=192,
    colour=ColourMode.GREY,
    alpha=True,
    profile=Profile.HUMAN,
)
PLAIN_HEADER = StreamHeader(768, 512, 3, b"8 bytes!", 192)
VIDEO = VideoHeader(Fraction(30000, 1001), Fraction(1, 90000))
VIDEO_HEADER = replace(PLAIN_HEADER, video=VIDEO)
FRAME = FramePayload(0x12345678, b"entropy-coded")
EXIF = Metadata(MetadataKind.EXIF, b"II*\0 and so on")
TEXT = Metadata(MetadataKind.TEXT, b"key\0" + b"value " * 30)
STREAM = PictureStream(HEADER, FRAME, (EXIF, TEXT, TEXT), b"\0\x80")
PLAIN = PictureStream(PLAIN_HEADER, FRAME)

# What version 1 has always looked like. A change here is a format change.
GOLDEN_HEADER = bytes.fromhex(
    "8b574d560d0a1a0a 01 04 03 3820627974657321 c000 ff02 ff01 05 8f194d29"
)
GOLDEN_VIDEO_HEADER = bytes.fromhex(
    "8b574d560d0a1a0a 01 01 03 3820627974657321 c000 ff02 ff01 00"
    "00000000 30750000 e9030000 01000000 905f0100 01000000 01000000 00 00 0000000000000000"
    "a5345ab4"
)
GOLDEN_INTRA = bytes.fromhex("01 11 78563412") + b"entropy-coded" + bytes.fromhex("3df29c37")
GOLDEN_END = bytes.fromhex("ff 59a591c8")


def to_bytes(stream=STREAM):
    sink = io.BytesIO()
    size = write_picture_stream(sink, stream)
    assert size == len(sink.getvalue())
    return sink.getvalue()


def parse(data, **kwargs):
    return read_picture_stream(io.BytesIO(data), **kwargs)


def with_crc(body):
    return body + zlib.crc32(body).to_bytes(4, "little")


def build(header, *packets):
    """A stream with right CRCs and whatever else is asked for."""
    sink = io.BytesIO()
    writer = StreamWriter(sink)
    write_header(writer, header)
    for packet in packets:
        if isinstance(packet, bytes):
            writer.write(with_crc(packet))
        else:
            write_packet(writer, packet)
    write_end(writer)
    return sink.getvalue()


def changed_header(offset, value):
    """The plain stream's header with one byte changed and the CRC made right again."""
    data = bytearray(to_bytes(PLAIN))
    data[offset] = value
    return with_crc(bytes(data[:26]))


INTRA = Packet(PacketKind.INTRA, pack_frame(FRAME))
ALPHA = Packet(PacketKind.ALPHA, b"\0\x80")
METADATA = Packet(PacketKind.METADATA, pack_metadata(TEXT))
SMALL = to_bytes(replace(STREAM, metadata=(EXIF,)))


class OneByteAtATime:
    """Nothing but `read`, and that as slow as a pipe can be."""

    def __init__(self, data):
        self._source = io.BytesIO(data)

    def read(self, size=-1):
        return self._source.read(min(size, 1))


# --- bytes and round trips ----------------------------------------------------------------


def test_header_bytes_are_golden():
    assert to_bytes()[:30] == GOLDEN_HEADER
    sink = io.BytesIO()
    assert write_header(StreamWriter(sink), VIDEO_HEADER) == 68
    assert sink.getvalue() == GOLDEN_VIDEO_HEADER


def test_packet_bytes_are_golden():
    assert to_bytes(PLAIN)[30:] == GOLDEN_INTRA + GOLDEN_END


@pytest.mark.parametrize("stream", [STREAM, PLAIN], ids=["full", "plain"])
def test_round_trip(stream):
    assert parse(to_bytes(stream)) == stream


def test_video_header_round_trip():
    read = read_header(StreamReader(io.BytesIO(GOLDEN_VIDEO_HEADER)))
    assert read == VIDEO_HEADER


def test_corner_sizes_round_trip():
    for width, height in ((1, 65536), (65536, 1)):
        stream = replace(PLAIN, header=replace(PLAIN_HEADER, width=width, height=height))
        assert parse(to_bytes(stream)) == stream


@pytest.mark.parametrize("coded_bytes", [0, 100, 123, 124, 16379, 16380, (1 << 21) - 5])
def test_framing_of_a_picture_fits_48_bytes(coded_bytes):
    stream = replace(PLAIN, frame=FramePayload(1, b"\1" * coded_bytes))
    assert len(to_bytes(stream)) - coded_bytes <= 47


def test_one_byte_reads_change_nothing():
    assert read_picture_stream(OneByteAtATime(to_bytes())) == STREAM


def test_pipes_work():
    read_end, write_end_ = os.pipe()
    with os.fdopen(read_end, "rb") as source:
        with os.fdopen(write_end_, "wb") as sink:
            write_picture_stream(sink, STREAM)
        assert read_picture_stream(source) == STREAM


def test_header_properties():
    assert (HEADER.pixels, HEADER.lmbda, HEADER.bit_depth) == (768 * 512, 512.0, 8)


@pytest.mark.parametrize("value", [0, 127, 128, 16383, 16384, (1 << 21) - 1, 1 << 21, MAX_VARINT])
def test_varint_round_trip(value):
    data = pack_varint(value)
    assert StreamReader(io.BytesIO(data)).read_varint("n") == (value, data)


@pytest.mark.parametrize("data", [b"\x80\x00", b"\xff\x80\x00", b"\xff\xff\xff\xff\x00", b"\x80"])
def test_varint_has_one_form(data):
    with pytest.raises(CorruptStream):
        StreamReader(io.BytesIO(data)).read_varint("n")


def test_varint_refuses_to_write_more():
    with pytest.raises(ValueError, match="varint must be"):
        pack_varint(MAX_VARINT + 1)


# --- damage -------------------------------------------------------------------------------


@pytest.mark.parametrize("length", range(len(SMALL)))
def test_every_truncation_is_reported(length):
    with pytest.raises(StreamError):
        parse(SMALL[:length])


@pytest.mark.parametrize("bit", range(8 * len(SMALL)))
def test_every_flipped_bit_is_reported(bit):
    damaged = bytearray(SMALL)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(StreamError):
        parse(bytes(damaged))


@pytest.mark.parametrize("position", range(len(SMALL) + 1))
def test_every_inserted_byte_is_reported(position):
    with pytest.raises(StreamError):
        parse(SMALL[:position] + b"\0" + SMALL[position:])


def test_appended_bytes_are_reported():
    for tail in (b"\0", b"\n", to_bytes()):
        with pytest.raises(CorruptStream, match="follow the END"):
            parse(to_bytes() + tail)


@pytest.mark.parametrize("seed", range(300))
def test_noise_never_escapes_the_error_family(seed):
    rng = random.Random(seed)
    data = bytearray(to_bytes())
    for _ in range(rng.randint(1, 12)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    with contextlib.suppress(StreamError):
        assert parse(bytes(data)) == STREAM  # the same bytes may have been drawn


@pytest.mark.parametrize("seed", range(300))
def test_noise_behind_a_good_header_never_escapes(seed):
    rng = random.Random(seed)
    with pytest.raises(StreamError):
        parse(GOLDEN_HEADER + rng.randbytes(rng.randint(0, 80)))


@pytest.mark.parametrize("seed", range(200))
def test_packets_with_right_crcs_and_wrong_content_never_escape(seed):
    rng = random.Random(seed)
    kinds = [*PacketKind, 99]
    packets = []
    for _ in range(rng.randint(1, 5)):
        payload = rng.randbytes(rng.randint(0, 12))
        packets.append(bytes([rng.choice(kinds), len(payload)]) + payload)
    with contextlib.suppress(StreamError):
        parse(build(rng.choice([HEADER, PLAIN_HEADER]), *packets))


def test_a_doubled_packet_is_found_by_the_end():
    data = to_bytes(replace(PLAIN, metadata=(TEXT,)))
    packet = data[30 : 30 + len(data) - len(to_bytes(PLAIN))]
    with pytest.raises(CorruptStream, match=r"END packet at byte .*: CRC"):
        parse(data[:30] + packet + data[30:])


# --- what a file is, before it is believed -------------------------------------------------


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", NotAStream, "empty"),
        (MAGIC[:5], CorruptStream, "5 of 8 magic bytes"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), NotAStream, "Windows Media"),
        (b"\x89PNG\r\n\x1a\n", NotAStream, "not a wavenetmv stream"),
        (b"abc", NotAStream, "not a wavenetmv stream"),
        (SMALL.replace(b"\r\n", b"\n"), CorruptStream, "text mode"),
        (SMALL.replace(b"\n", b"\r\n"), CorruptStream, "text mode"),
        (SMALL.replace(b"\r", b"\n"), CorruptStream, "text mode"),
        (SMALL.decode("latin-1").encode(), CorruptStream, "text mode"),
        (SMALL.decode("utf-8", "replace").encode(), CorruptStream, "text mode"),
    ],
    ids=["empty", "cut", "asf", "png", "short", "crlf", "lf", "cr", "latin1", "utf8"],
)
def test_other_files_are_named(data, error, words):
    with pytest.raises(error, match=words):
        parse(data)


def test_newer_version_is_refused_before_its_crc():
    newer = SMALL[:8] + b"\2" + b"anything"
    with pytest.raises(UnsupportedStream, match="format version 2; this build reads version 1"):
        parse(newer)


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (9, 0b0000_0110, "profile"),
        (9, 0b0000_1000, "its own entropy tables"),
        (9, 0b0010_0000, "flags 0x20"),
        (9, 0b1000_0000, "flags 0x80"),
        (25, 0b0000_0010, "colour mode"),
        (25, 0b0000_1000, "bit depth code 1"),
        (25, 0b0010_0000, "colour bits 0x20"),
    ],
)
def test_reserved_values_are_refused(offset, value, words):
    with pytest.raises(UnsupportedStream, match=words):
        parse(changed_header(offset, value))


def test_lambda_out_of_range_is_the_streams_fault():
    with pytest.raises(CorruptStream, match=r"lambda_index must be in 0\.\.320"):
        parse(changed_header(20, 2))


def test_video_is_not_a_picture():
    with pytest.raises(UnsupportedStream, match="is a video"):
        parse(build(VIDEO_HEADER, INTRA))


def test_too_many_pixels_are_refused_after_the_header():
    big = replace(PLAIN_HEADER, width=65536, height=65536)
    sink = io.BytesIO()
    write_header(StreamWriter(sink), big)
    with pytest.raises(UnsupportedStream, match="65536x65536 = 4294967296 pixels; the limit is 17"):
        parse(sink.getvalue())
    with pytest.raises(UnsupportedStream, match="limit is 393215"):
        parse(to_bytes(), max_pixels=768 * 512 - 1)
    assert parse(to_bytes(), max_pixels=768 * 512) == STREAM


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 0},
        {"height": 65537},
        {"model_id": 256},
        {"lambda_index": 321},
        {"weights_hash": b"short"},
    ],
)
def test_header_fields_are_checked_when_writing(fields):
    with pytest.raises(ValueError, match="must"):
        replace(HEADER, **fields)


# --- packets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "packets", "words"),
    [
        (PLAIN_HEADER, [], "END packet at byte 30 comes before the picture's INTRA"),
        (PLAIN_HEADER, [INTRA, INTRA], "second INTRA"),
        (PLAIN_HEADER, [INTRA, METADATA], "comes after INTRA"),
        (PLAIN_HEADER, [ALPHA, INTRA], "declares no alpha"),
        (HEADER, [INTRA], "before the ALPHA packet"),
        (HEADER, [], "before the ALPHA packet"),
        (HEADER, [INTRA, ALPHA], "before the ALPHA packet"),
        (HEADER, [ALPHA, METADATA, INTRA], "comes after ALPHA"),
        (HEADER, [ALPHA, ALPHA, INTRA], "second ALPHA"),
        (PLAIN_HEADER, [Packet(PacketKind.INTER, b""), INTRA], "no such packet"),
        (PLAIN_HEADER, [Packet(PacketKind.INDEX, b""), INTRA], "no such packet"),
        (PLAIN_HEADER, [Packet(PacketKind.AUDIO, b""), INTRA], "no such packet"),
        (PLAIN_HEADER, [METADATA] * 65 + [INTRA], "more than 64 METADATA"),
    ],
)
def test_packet_order_is_enforced(header, packets, words):
    with pytest.raises(CorruptStream, match=words):
        parse(build(header, *packets))


def test_unknown_packets_are_refused():
    with pytest.raises(UnsupportedStream, match="unknown kind-99 packet at byte 30"):
        parse(build(PLAIN_HEADER, b"\x63\x00"))


@pytest.mark.parametrize(
    ("kind", "size", "limit"),
    [
        (PacketKind.METADATA, MAX_METADATA_BYTES + 3, MAX_METADATA_BYTES + 2),
        (PacketKind.ALPHA, 768 * 512 + 2, 768 * 512 + 1),
    ],
)
def test_declared_sizes_are_refused_before_anything_is_read(kind, size, limit):
    data = GOLDEN_HEADER + bytes([kind]) + pack_varint(size)
    with pytest.raises(CorruptStream, match=f"declares {size} bytes; the limit is {limit}"):
        parse(data)


def test_a_declared_size_alone_reserves_no_memory():
    class Watched(io.BytesIO):
        largest = 0

        def read(self, size=-1):
            Watched.largest = max(Watched.largest, size)
            return super().read(size)

    with pytest.raises(CorruptStream, match=f"expected {MAX_PAYLOAD} bytes, got 3"):
        read_picture_stream(Watched(GOLDEN_HEADER + b"\1" + pack_varint(MAX_PAYLOAD) + b"abc"))
    assert Watched.largest <= 1 << 20


def test_end_is_not_written_as_a_packet():
    with pytest.raises(ValueError, match="write_end"):
        write_packet(StreamWriter(io.BytesIO()), Packet(PacketKind.END, b""))


# --- payloads -----------------------------------------------------------------------------


def test_frame_payload_needs_its_crc():
    assert unpack_frame(b"\1\0\0\0") == FramePayload(1, b"")
    with pytest.raises(CorruptStream, match="at least 4 bytes, got 3"):
        unpack_frame(b"\1\0\0")


@pytest.mark.parametrize("data", [b"", b"x", b"abc" * 1000, bytes(range(256))])
def test_metadata_round_trip(data):
    metadata = Metadata(MetadataKind.ICC, data)
    payload = pack_metadata(metadata)
    assert unpack_metadata(payload) == metadata
    assert len(payload) <= len(data) + 2


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"", CorruptStream),
        (b"\1", CorruptStream),
        (b"\0\0data", UnsupportedStream),
        (b"\5\0data", UnsupportedStream),
        (b"\1\2data", UnsupportedStream),
        (b"\1\1\xff\xff", CorruptStream),
        (b"\1\1" + deflate(b"data" * 9)[:-1], CorruptStream),
        (b"\1\1" + deflate(b"data" * 9) + b"\0", CorruptStream),
    ],
)
def test_bad_metadata_is_refused(payload, error):
    with pytest.raises(error):
        unpack_metadata(payload)


def test_metadata_bombs_stop_at_the_limit():
    exact = deflate(bytes(MAX_METADATA_BYTES))
    assert len(unpack_metadata(b"\4\1" + exact).data) == MAX_METADATA_BYTES
    with pytest.raises(CorruptStream, match=f"more than {MAX_METADATA_BYTES} bytes"):
        unpack_metadata(b"\4\1" + deflate(bytes(MAX_METADATA_BYTES + 1)))
    many = [Packet(PacketKind.METADATA, b"\4\1" + exact)] * 5
    with pytest.raises(CorruptStream, match="limit 67108864"):
        parse(build(PLAIN_HEADER, *many, INTRA))


def test_metadata_that_may_occur_once_occurs_once():
    twice = [Packet(PacketKind.METADATA, pack_metadata(EXIF))] * 2
    with pytest.raises(CorruptStream, match="EXIF metadata occurs 2 times"):
        parse(build(PLAIN_HEADER, *twice, INTRA))


@pytest.mark.parametrize(
    "fields",
    [
        {"header": PLAIN_HEADER},
        {"alpha": None},
        {"header": VIDEO_HEADER},
        {"metadata": (EXIF, EXIF)},
        {"metadata": (TEXT,) * 65},
        {"metadata": (replace(TEXT, data=bytes(MAX_METADATA_BYTES)),) * 5},
    ],
)
def test_contradictions_are_refused_when_writing(fields):
    with pytest.raises(ValueError, match=r"header|metadata"):
        replace(STREAM, **fields)


def test_too_long_metadata_is_refused_when_writing():
    with pytest.raises(ValueError, match="the limit is"):
        pack_metadata(replace(TEXT, data=bytes(MAX_METADATA_BYTES + 1)))


# --- inspection ---------------------------------------------------------------------------


def test_inspect_lists_everything():
    data = to_bytes()
    info = inspect(data)
    assert info.header == HEADER
    assert [p.name for p in info.packets] == ["METADATA"] * 3 + ["ALPHA", "INTRA", "END"]
    assert info.packets[0].offset == info.header_bytes == 30
    assert sum(p.total_bytes for p in info.packets) + 30 == info.total_bytes == len(data)
    assert info.packets[4].payload_bytes == 4 + len(FRAME.coded)
    assert info.ok
    assert info.header_crc_ok


def test_inspect_goes_on_behind_damage():
    data = bytearray(to_bytes())
    data[40] ^= 1  # in the first METADATA payload
    data[-10] ^= 1  # in INTRA's CRC
    with pytest.raises(CorruptStream, match="METADATA packet at byte 30: CRC"):
        inspect(bytes(data))
    info = inspect(bytes(data), keep_going=True)
    assert [p.crc_ok for p in info.packets] == [False, True, True, True, False, False]
    assert len(info.problems) == 3
    assert not info.ok


def test_inspect_reports_a_damaged_header_and_what_follows():
    data = bytearray(to_bytes())
    data[13] ^= 1  # in the weights' hash
    info = inspect(bytes(data), keep_going=True)
    assert not info.header_crc_ok
    assert [p.crc_ok for p in info.packets] == [True] * 5 + [False]


def test_inspect_reports_tails_cuts_and_order():
    appended = inspect(to_bytes() + b"??", keep_going=True)
    assert appended.problems == ("2 bytes follow the END packet",)
    cut = inspect(to_bytes()[:-7], keep_going=True)
    assert [p.name for p in cut.packets] == ["METADATA"] * 3 + ["ALPHA"]
    assert "expected 4 bytes, got 2" in cut.problems[0]
    unordered = inspect(build(PLAIN_HEADER, INTRA, b"\x63\x00", METADATA), keep_going=True)
    assert [p.kind for p in unordered.packets] == [1, 99, 16, 255]
    assert [line.split()[0] for line in unordered.problems] == ["unknown", "METADATA"]


@pytest.mark.parametrize("seed", range(300))
def test_inspect_survives_noise(seed):
    rng = random.Random(seed)
    data = bytearray(to_bytes())
    for _ in range(rng.randint(1, 12)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    with contextlib.suppress(StreamError):
        inspect(bytes(data[: rng.randint(0, len(data))]), keep_going=True)
