"""Video streams, container level: round trips, cuts, damage of every kind, the index."""

from __future__ import annotations

import contextlib
import io
import random
from dataclasses import replace
from fractions import Fraction

import pytest

from tests.vectors.regenerate import AUDIO, VIDEO_HEADER, video_bytes, video_frames
from wavenetmv.bitstream import (
    CodedFrame,
    FrameIndex,
    FramePayload,
    Packet,
    PacketKind,
    StreamReader,
    StreamWriter,
    VideoHeader,
    VideoStreamReader,
    VideoStreamWriter,
    inspect,
    read_audio_packet,
    read_header,
    read_index,
    read_picture_stream,
    write_end,
    write_header,
    write_packet,
)
from wavenetmv.bitstream.deflate import deflate
from wavenetmv.bitstream.framing import LONG_VARINT_BYTES, pack_varint
from wavenetmv.bitstream.index import MAX_FRAMES, pack_index, unpack_index
from wavenetmv.bitstream.video_payloads import pack_audio, unpack_audio, unpack_video_frame
from wavenetmv.errors import CorruptStream, StreamError, UnsupportedStream
from wavenetmv.types import AudioTrack

INTRA, INTER = PacketKind.INTRA, PacketKind.INTER
FRAMES = video_frames()
DATA = video_bytes()
PACKETS = inspect(DATA).packets
LENIENT = {"skip_damaged": True}


def read(data, **options):
    """All frames, and the reader."""
    source = data if hasattr(data, "read") else io.BytesIO(data)
    reader = VideoStreamReader(source, **options)
    return [located.frame for located in reader], reader


def packet(name, which=0):
    """Start and stop of a packet."""
    chosen = [each for each in PACKETS if each.name == name][which]
    return chosen.offset, chosen.offset + chosen.total_bytes


FRAME_SPANS = [(p.offset, p.offset + p.total_bytes) for p in PACKETS if p.kind in (INTRA, INTER)]


def flipped(position, data=DATA):
    return data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :]


class OneByteAtATime:
    """Nothing but `read`, and that as slow as a pipe can be."""

    def __init__(self, data):
        self._source = io.BytesIO(data)

    def read(self, size=-1):
        return self._source.read(min(size, 1))


# --- round trips --------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"allow_truncated": True}, LENIENT])
def test_everything_comes_back(options):
    for source in (DATA, OneByteAtATime(DATA)):
        frames, reader = read(source, **options)
        assert frames == FRAMES
        assert reader.audio == AUDIO
        assert len(reader.index) == 5
        assert reader.notes == ()


def test_frames_come_before_the_next_is_there():
    sink = io.BytesIO()
    writer = VideoStreamWriter(sink, VIDEO_HEADER)
    sizes = []
    for frame in FRAMES:
        writer.write_frame(frame)
        sizes.append(len(sink.getvalue()))
    reader = VideoStreamReader(io.BytesIO(sink.getvalue()), allow_truncated=True)
    places = [located.offset for located in reader]
    assert places == [68, *sizes[:-1]]
    # As much as was written is enough to have the frame.
    for count, size in enumerate(sizes, 1):
        located = iter(VideoStreamReader(io.BytesIO(sink.getvalue()[:size])))
        assert [next(located).frame for _ in range(count)] == FRAMES[:count]


def test_header_fields_are_checked():
    video = VIDEO_HEADER.video
    for wrong in (
        {"frame_count": 1 << 32},
        {"rate": Fraction(0)},
        {"tick": Fraction(1, 1 << 32)},
        {"pixel_aspect": Fraction(-1)},
        {"matrix": "bt1"},
        {"inter_hash": b"short"},
    ):
        with pytest.raises(ValueError, match=r"must|unknown"):
            replace(video, **wrong)
    with pytest.raises(ValueError, match="alpha"):
        replace(VIDEO_HEADER, alpha=True)


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (29, b"\4", "reserved video flags 0x04"),
        (28, b"\4", "reserved colour matrix 4"),
        (12, bytes(4), "tick 0/90000 is not in lowest terms"),
        (20, b"\5", "pixel aspect 5/45 is not in lowest"),
    ],
)
def test_reserved_and_impossible_header_values_are_refused(offset, value, words):
    data = bytearray(DATA[:64])
    data[26 + offset : 26 + offset + len(value)] = value
    sink = io.BytesIO()
    writer = StreamWriter(sink)
    writer.write(bytes(data))
    writer.write(writer.crc.to_bytes(4, "little"))
    with pytest.raises(StreamError, match=words):
        read_header(StreamReader(io.BytesIO(sink.getvalue())))


def test_pictures_and_videos_are_told_apart():
    with pytest.raises(UnsupportedStream, match="is a video"):
        read_picture_stream(io.BytesIO(DATA))
    sink = io.BytesIO()
    write_header(StreamWriter(sink), replace(VIDEO_HEADER, video=None))
    with pytest.raises(UnsupportedStream, match="is a picture; a video was expected"):
        VideoStreamReader(io.BytesIO(sink.getvalue()))
    with pytest.raises(UnsupportedStream, match="limit is 1535"):
        VideoStreamReader(io.BytesIO(DATA), max_pixels=48 * 32 - 1)


def test_the_writer_refuses_what_the_format_does():
    intra, inter = FRAMES[:2]

    def written(*frames, header=VIDEO_HEADER):
        writer = VideoStreamWriter(io.BytesIO(), header)
        for frame in frames:
            writer.write_frame(frame)
        return writer

    all_intra = replace(VIDEO_HEADER, video=replace(VIDEO_HEADER.video, inter_hash=bytes(8)))
    for words, frames, header in (
        ("needs an INTRA frame", [inter], VIDEO_HEADER),
        ("needs an INTRA frame", [intra, inter], all_intra),
        ("not after tick 0", [intra, intra], VIDEO_HEADER),
        ("the limit is", [replace(intra, payload=FramePayload(0, bytes(80_000)))], VIDEO_HEADER),
    ):
        with pytest.raises(ValueError, match=words):
            written(*frames, header=header)
    with pytest.raises(ValueError, match="at least one frame"):
        written().finish()
    with pytest.raises(ValueError, match="after the frames"):
        written().write_audio(AUDIO)
    writer = written(intra)
    writer.finish()
    with pytest.raises(ValueError, match="no frame may follow"):
        writer.write_frame(inter)
    with pytest.raises(ValueError, match="declare video"):
        VideoStreamWriter(io.BytesIO(), replace(VIDEO_HEADER, video=None))


@pytest.mark.parametrize(
    "fields", [{"kind": PacketKind.END}, {"time": -1}, {"time": 1 << 63}, {"lambda_index": 321}]
)
def test_frames_are_checked(fields):
    with pytest.raises(ValueError, match=r"must|not a kind"):
        replace(FRAMES[0], **fields)


def build(*packets, header=VIDEO_HEADER):
    sink = io.BytesIO()
    writer = StreamWriter(sink)
    write_header(writer, header)
    for each in packets:
        write_packet(writer, each)
    write_end(writer)
    return sink.getvalue()


def as_packet(number, **changes):
    start, stop = FRAME_SPANS[number]
    payload = DATA[start + 2 : stop - 4]
    return replace(Packet(PacketKind(DATA[start]), payload), **changes)


@pytest.mark.parametrize(
    ("packets", "words"),
    [
        ([], "END packet at byte 68 comes before the first INTRA"),
        ([as_packet(1)], "INTER packet at byte 68 comes before the first INTRA"),
        ([Packet(PacketKind.INDEX, b"")], "before the first INTRA"),
        ([as_packet(0)], "END packet at byte .* comes before the INDEX"),
        ([as_packet(0), Packet(PacketKind.ALPHA, b"")], "no such packet"),
        ([as_packet(0), Packet(PacketKind.METADATA, b"")], "comes after INTRA"),
        ([as_packet(0), Packet(PacketKind.AUDIO, b"\0")], "audio payload: it has no streams"),
        ([as_packet(0), Packet(PacketKind.AUDIO, b"\1\1\xff")], "audio payload: .*codec can't"),
        ([as_packet(0), Packet(PacketKind.AUDIO, b"\1\5abc")], "audio payload: a codec's name"),
        ([as_packet(0), Packet(PacketKind.AUDIO, b"\1\1a")] * 2, "comes after AUDIO"),
        ([as_packet(0), *[Packet(PacketKind.AUDIO, b"\1\1a")] * 2], "second AUDIO"),
        ([as_packet(0), as_packet(0)], "is at tick 0, not after tick 0"),
        ([as_packet(0, payload=b"\0\0")], "frame payload: lambda index: expected 2 bytes"),
        ([as_packet(0, payload=b"\0\x41\1" + bytes(4))], "lambda_index must be in"),
    ],
)
def test_what_may_not_stand_there_is_refused(packets, words):
    for options in ({}, {"allow_truncated": True}):
        with pytest.raises(CorruptStream, match=words):
            read(build(*packets), **options)


def test_inter_frames_need_a_header_that_declares_them():
    header = replace(VIDEO_HEADER, video=replace(VIDEO_HEADER.video, inter_hash=bytes(8)))
    with pytest.raises(CorruptStream, match="declares no inter frames"):
        read(build(as_packet(0), as_packet(1), header=header))


# --- cut short ----------------------------------------------------------------------------


@pytest.mark.parametrize("length", range(len(DATA)))
def test_cut_anywhere(length):
    cut = DATA[:length]
    with pytest.raises(StreamError):
        read(cut)
    whole = sum(stop <= length for _, stop in FRAME_SPANS)
    for options in ({"allow_truncated": True}, LENIENT):
        if not whole:
            with pytest.raises(StreamError):
                read(cut, **options)
            continue
        frames, reader = read(cut, **options)
        assert frames == FRAMES[:whole]
        assert reader.notes
        assert (reader.audio == AUDIO) == (length >= packet("AUDIO")[1])


def test_a_cut_is_told_in_one_line():
    _, reader = read(DATA[: FRAME_SPANS[3][1] - 2], allow_truncated=True)
    (note,) = reader.notes
    assert note.startswith("cut short, 3 whole frames: INTRA packet at byte")


# --- damage -------------------------------------------------------------------------------


@pytest.mark.parametrize("position", range(len(DATA)))
def test_a_changed_byte_is_reported(position):
    data = flipped(position)
    with pytest.raises(StreamError):
        read(data)
    try:
        frames, reader = read(data, allow_truncated=True)
    except StreamError:
        return
    # A longer length looks like a cut; what came before is right all the same.
    assert frames == FRAMES[: len(frames)]
    assert reader.notes[0].startswith("cut short")


@pytest.mark.parametrize("position", range(68, len(DATA)))
def test_damage_is_left_out(position):
    """All frames before the damage, all from the next intra frame on; the rest if it is sound."""
    frames, reader = read(flipped(position), **LENIENT)
    assert reader.notes
    hit = [start <= position < stop for start, stop in FRAME_SPANS]
    lost = hit.index(True) if any(hit) else None
    if lost is None:
        assert frames == FRAMES
    else:
        assert frames[:lost] == FRAMES[:lost]
        assert FRAMES[lost] not in frames
        if lost < 3:
            assert frames[-2:] == FRAMES[3:]
        assert all(frame in FRAMES for frame in frames)
    spoilt_audio = packet("AUDIO")[0] <= position < packet("AUDIO")[1]
    if not spoilt_audio and lost is None:
        assert reader.audio == AUDIO


def test_the_frame_after_a_gap_is_marked():
    inside = FRAME_SPANS[1][0] + 8
    reader = VideoStreamReader(io.BytesIO(flipped(inside)), skip_damaged=True)
    located = list(reader)
    assert [(each.number, each.after_gap) for each in located] == [
        (0, False),
        (2, True),
        (3, False),
        (4, False),
    ]
    (note,) = reader.notes
    assert f"INTER packet at byte {FRAME_SPANS[1][0]}: CRC" in note
    assert note.endswith("(frame 1): left out")


def test_an_index_known_beforehand_numbers_frames_behind_a_damaged_length():
    data = DATA[: FRAME_SPANS[1][0] + 1] + b"\x7f" + DATA[FRAME_SPANS[1][0] + 2 :]
    index = read_index(io.BytesIO(DATA), VIDEO_HEADER)
    for known, numbers in ((None, [0, 1, 2]), (index, [0, 3, 4])):
        reader = VideoStreamReader(io.BytesIO(data), skip_damaged=True, index=known)
        assert [each.number for each in reader] == numbers
        assert any(f"intra frame at byte {FRAME_SPANS[3][0]}" in note for note in reader.notes)


@pytest.mark.parametrize("name", ["lost", "doubled", "swapped", "appended", "twice"])
def test_packets_that_are_sound_and_in_the_wrong_place(name):
    (a, b), (c, d) = FRAME_SPANS[2:4]
    damaged = {
        "lost": DATA[:a] + DATA[b:],
        "doubled": DATA[:b] + DATA[a:],
        "swapped": DATA[:a] + DATA[c:d] + DATA[a:b] + DATA[d:],
        "appended": DATA + b"tail",
        "twice": DATA + DATA,
    }[name]
    for options in ({}, {"allow_truncated": True}):
        with pytest.raises(CorruptStream):
            read(damaged, **options)
    frames, reader = read(damaged, **LENIENT)
    assert reader.notes
    expected = [frame for frame in FRAMES if name not in ("lost", "swapped") or frame != FRAMES[2]]
    assert frames == expected


@pytest.mark.parametrize("seed", range(300))
def test_noise_never_escapes_the_error_family(seed):
    rng = random.Random(seed)
    data = bytearray(DATA)
    for _ in range(rng.randint(1, 8)):
        position = rng.randrange(68, len(data))
        kind = rng.randrange(3)
        if kind == 0:
            data[position] = rng.randrange(256)
        elif kind == 1:
            del data[position : position + rng.randint(1, 9)]
        else:
            data[position:position] = rng.randbytes(rng.randint(1, 9))
    if data != DATA:
        with pytest.raises(StreamError):
            read(bytes(data))
    with contextlib.suppress(CorruptStream):  # not one frame may be left
        frames, _ = read(bytes(data), **LENIENT)
        assert all(frame in FRAMES for frame in frames)


def test_a_long_damaged_stretch_is_passed_with_bounded_memory():
    class Watched(io.BytesIO):
        largest = 0

        def read(self, size=-1):
            Watched.largest = max(Watched.largest, size)
            return super().read(size)

    junk = random.Random(3).randbytes(300_000)
    start = FRAME_SPANS[1][0]
    frames, reader = read(Watched(DATA[:start] + junk + DATA[start:]), skip_damaged=True)
    assert frames == [FRAMES[0], *FRAMES[3:]]
    assert Watched.largest <= 4 * 48 * 32 + (1 << 16) + 64
    assert len(reader.notes) < 10


def test_notes_do_not_grow_for_ever():
    first, stop = FRAME_SPANS[0]
    frames, reader = read(DATA[:stop] + DATA[first:stop] * 500 + DATA[stop:], **LENIENT)
    assert frames == FRAMES
    assert len(reader.notes) == 101
    assert reader.notes[-1] == "and 400 more of the kind"


# --- the index ----------------------------------------------------------------------------


def test_the_index_finds_frames_and_audio():
    source = io.BytesIO(DATA)
    index = read_index(source, VIDEO_HEADER)
    assert list(index.offsets())[:-1] == [start for start, _ in FRAME_SPANS]
    assert list(index.times) == [frame.time for frame in FRAMES]
    assert [index.intra_before(number) for number in range(5)] == [0, 0, 0, 3, 3]
    assert read_audio_packet(source, VIDEO_HEADER, index) == AUDIO
    assert VideoStreamReader(io.BytesIO(DATA)).index is None


def test_the_index_of_a_cut_or_damaged_stream():
    for length in range(68, len(DATA)):
        with pytest.raises(CorruptStream):
            read_index(io.BytesIO(DATA[:length]), VIDEO_HEADER)
    first, stop = packet("INDEX")
    for position in range(first, stop):
        with pytest.raises(StreamError):
            read_index(io.BytesIO(flipped(position)), VIDEO_HEADER)


def index_of(count, spread=1):
    rng = random.Random(count)
    index = FrameIndex(start=1 << 40)
    time = 0
    for number in range(count):
        time += rng.randint(1, spread)
        index.append(INTER if number % 3 else INTRA, time, rng.randint(12, 1 << 22))
    return index


@pytest.mark.parametrize(("count", "spread"), [(1, 1), (2, 1 << 61), (1000, 1 << 30)])
def test_index_round_trip(count, spread):
    index = index_of(count, spread)
    assert unpack_index(pack_index(index)) == index


def payload_of(*columns):
    packed = deflate(b"".join(columns))
    size = 1 + len(pack_varint(len(packed) + 4)) + len(packed) + 4 + 4
    return packed + size.to_bytes(4, "little")


ONE, START, SIZE = pack_varint(1), pack_varint(68), pack_varint(20)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"abc", "at least 4 bytes"),
        (pack_index(index_of(3))[:-1] + b"\7", "says .* bytes, its packet has"),
        (payload_of(), "too early"),
        (payload_of(pack_varint(0), START), "0 frames; 1.."),
        (payload_of(pack_varint(MAX_FRAMES + 1), START), f"{MAX_FRAMES + 1} frames"),
        (payload_of(ONE, START, SIZE, b"\2", ONE), "the first 1"),
        (payload_of(pack_varint(2), START, SIZE, SIZE, b"\1\3", ONE, ONE), "1 or 2"),
        (payload_of(pack_varint(2), START, SIZE, SIZE, b"\1\1", ONE, b"\0"), "do not rise"),
        (payload_of(ONE, START, SIZE, b"\1", ONE, b"?"), "1 bytes too many"),
        (payload_of(ONE, START, b"\x80\0", b"\1", ONE), "shortest form"),
        (payload_of(ONE, START, b"\xff\xff\xff\xff\1", b"\1", ONE), "too long"),
        (payload_of(ONE, START, SIZE, b"\1"), "too early"),
        (payload_of(ONE, b"\xff" * 9 + b"\1", SIZE, b"\1", ONE), "too long"),
        (b"\xff\xff" + (12).to_bytes(4, "little"), "damaged"),
    ],
)
def test_bad_indexes_are_refused(payload, words):
    with pytest.raises(CorruptStream, match=words):
        unpack_index(payload)


def test_times_that_overflow_are_refused():
    huge = pack_varint((1 << 63) - 1, LONG_VARINT_BYTES)
    with pytest.raises(CorruptStream, match="do not rise"):
        unpack_index(payload_of(pack_varint(2), START, SIZE, SIZE, b"\1\1", huge, huge))


def test_an_index_that_lists_other_frames_is_found():
    wrong = index_of(3)
    data = build(
        *(as_packet(number) for number in range(3)), Packet(PacketKind.INDEX, pack_index(wrong))
    )
    with pytest.raises(CorruptStream, match="the index lists 3 frames from byte"):
        read(data)
    frames, reader = read(data, **LENIENT)
    assert frames == FRAMES[:3]
    assert reader.notes


# --- payloads and inspection --------------------------------------------------------------


def test_audio_limits():
    for codecs in ((), ("x" * 256,), ("a",) * 256):
        with pytest.raises(ValueError, match="short codec names"):
            pack_audio(AudioTrack(b"", codecs))
    track = AudioTrack(b"\0\1", ("aac", "näme"))
    assert unpack_audio(pack_audio(track)) == track


def test_a_frame_may_have_no_data():
    frame = CodedFrame(INTRA, 5, 0, FramePayload(7, b""))
    assert unpack_video_frame(INTRA, b"\5\0\0\7\0\0\0") == frame


def test_inspect_lists_a_video():
    info = inspect(OneByteAtATime(DATA))
    assert info.total_bytes == len(DATA)
    assert info.video.frames == 5
    assert (info.video.intra_frames, info.video.inter_frames) == (2, 3)
    assert (info.video.first_time, info.video.last_time) == (0, 1 << 32)
    assert info.video.audio_codecs == ("aac", "opus")
    assert info.ok


def test_inspect_goes_on_behind_damage():
    info = inspect(flipped(FRAME_SPANS[1][0] + 8), keep_going=True)
    assert [each.crc_ok for each in info.packets].count(False) == 2  # the frame and END
    assert info.video.frames == 4
    assert len(info.problems) == 2
    cut = inspect(DATA[: FRAME_SPANS[1][1] + 3], keep_going=True)
    assert cut.video.frames == 2
    assert cut.problems[-1] == "the last 3 bytes could not be read"
    lost = inspect(DATA[: FRAME_SPANS[1][0]] + DATA[FRAME_SPANS[1][1] :], keep_going=True)
    assert "CRC" in lost.problems[0]


def test_a_header_without_frames():
    header = replace(VIDEO_HEADER, video=VideoHeader(Fraction(25), Fraction(1, 25)))
    info = inspect(build(header=header), keep_going=True)
    assert info.video.first_time is None
    assert "before the first INTRA" in info.problems[0]
