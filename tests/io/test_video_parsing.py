"""What is read from text and from first bytes, without any process."""

from __future__ import annotations

from fractions import Fraction

import pytest

from wavenetmv.io.video import is_video
from wavenetmv.io.video.log import Log
from wavenetmv.io.video.recognise import missing_bytes, needs_seeking

# As ffmpeg 7.0.2 and 9.0 log them.
LINES = """\
[info] Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'a.mp4':
[info]   Metadata:
[info]     title           : Stream #0:7: Video: h264, yuv420p, 9x9 [error] marker 5 1/25
[info]   Duration: 01:02:03.45, start: 0.000000, bitrate: 149 kb/s
[info]   Stream #0:0[0x1](und): Video: h264 (High), 1 reference frame (avc1 / 0x31637661), \
yuv420p(tv, bt709/bt709/smpte2084, top coded first (swapped), left), 160x120 [SAR 64:45 DAR 4:3], \
145 kb/s, 25 fps, 25 tbr, 12800 tbn (default)
[info]   Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, mono, fltp, 69 kb/s
[info]   Stream #0:2: Video: mjpeg (Baseline), yuvj420p(pc, bt470bg/unknown/unknown), 64x48, \
90k tbr, 90k tbn (attached pic)
[info]   Stream #0:3(eng): Subtitle: mov_text (tx3g / 0x67337874)
[info] Stream mapping:
[info]   Stream #0:0 -> #0:0 (h264 (native) -> ppm (native))
[graph -1 input from stream 0:0 @ 0x7f81] [verbose] w:160 h:120 pixfmt:yuv420p tb:1/12800 \
fr:30000/1001 sar:64/45 csp:bt709 range:tv alpha:unspecified
[transpose @ 0x7f81] [verbose] w:160 h:120 dir:2 -> w:120 h:160 rotation:counterclockwise vflip:0
[info] Output #0, image2pipe, to 'pipe:1':
[info]   Stream #0:0(und): Video: ppm, rgb24(pc, gbr/unknown/unknown, progressive), 120x160
"""


def fed(*lines: str, **options: bool) -> Log:
    log = Log(**options)
    for line in lines:
        log.feed(line.replace("MARKER", log.marker))
    return log


def test_a_whole_log():
    log = fed(*LINES.splitlines(), "MARKER 512 1/12800", "MARKER -9223372036854775808 1/12800")
    (video,) = log.of_kind("Video")
    assert (video.codec, "smpte2084" in video.labels, " first" in video.labels) == (
        *("h264", True, True),
    )
    assert [stream.codec for stream in log.of_kind("Audio")] == ["aac"]
    assert len(log.of_kind("Subtitle")) == 1
    assert log.duration_s == Fraction(372345, 100)
    assert log.transposed
    assert log.format is not None
    assert (log.format.pixel_format, log.format.rate) == ("yuv420p", Fraction(30000, 1001))
    assert (log.format.matrix, log.format.colour_range) == ("bt709", "tv")
    assert log.format.pixel_aspect == Fraction(64, 45)
    assert log.next_time(0) == (512, Fraction(1, 12800))
    assert log.next_time(0) == (None, Fraction(1, 12800))
    assert log.next_time(0) is None
    assert log.problem() is None


def test_formats_that_state_little():
    log = fed("[info] Stream mapping:", "[graph 0 input from stream 0:0 @ 0x1] [verbose] "
              "w:2 h:2 pixfmt:gray tb:1/25 fr:0/1 sar:0/1")  # fmt: skip
    assert log.format is not None
    assert (log.format.rate, log.format.pixel_aspect) == (None, 1)
    assert (log.format.matrix, log.format.colour_range) == ("unknown", "unknown")


def test_a_time_may_stand_behind_a_piece_of_another_line():
    log = fed("[h264 @ 0x1] MARKER 7 1/25", "[error] bytes were lost")
    assert log.next_time(0) == (7, Fraction(1, 25))
    assert log.problem() == "bytes were lost"


@pytest.mark.parametrize(
    ("lines", "said", "said_of_output"),
    [
        (["[in#0/matroska @ 0x1] [error] File ended prematurely"], "File ended prematurely", True),
        (["[vist#0:0/h264 @ 0x1] [dec:h264 @ 0x2] [fatal] corrupt decoded frame"],
         "corrupt decoded frame", True),
        (["[in#0 @ 0x1] [error] Error opening input: Invalid data", "[error] Task finished"],
         "Error opening input: Invalid data", True),
        (["[error] Task finished with 3", "[mov @ 0x1] [error] moov atom not found"],
         "moov atom not found", True),
        (["[out#0/mp4 @ 0x1] [error] No space left on device"], None, True),
        (["[image2pipe @ 0x1] [error] non monotonically increasing dts"], None, True),
        (["[h264 @ 0x1] [warning] missing picture", "[info] title: [error] x"], None, False),
    ],
)  # fmt: skip
def test_the_words_that_say_most(lines, said, said_of_output):
    assert fed(*lines).problem() == said
    assert (fed(*lines, about_output=True).problem() is not None) == said_of_output


@pytest.mark.parametrize(
    ("head", "video", "seeks"),
    [
        (b"\0\0\0\x1cftypisom" + bytes(16) + b"\0\0\1\0moov", True, False),
        (b"\0\0\0\x1cftypisom" + bytes(16) + b"\0\0\0\x08free\0\0\1\0mdat", True, True),
        (b"\0\0\0\x08wide\0\0\1\0mdat", True, True),
        (b"\0\0\0\x1cftypavif" + bytes(16), False, False),
        (b"\0\0\0\x1cftypheic" + bytes(16), False, False),
        (b"\x1aE\xdf\xa3" + bytes(16), True, False),
        (b"RIFF\0\0\0\0AVI LIST", True, False),
        (b"RIFF\0\0\0\0WEBPVP8 ", False, False),
        (b"YUV4MPEG2 W64 H48\n", True, False),
        (b"G" + b"\xff" * 187 + b"G" + b"\xff" * 187 + b"G", True, False),
        (b"GIF89a" + bytes(400), False, False),
        (b"\x89PNG\r\n\x1a\n" + bytes(16), False, False),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), True, False),
        (b"", False, False),
    ],
)
def test_first_bytes(head, video, seeks):
    assert (is_video(head), needs_seeking(head)) == (video, seeks)


@pytest.mark.parametrize(
    ("parameters", "frame_bytes"),
    [
        (b" W64 H48 F25:1", 4608),
        (b" W63 H47 F25:1 C420jpeg", 63 * 47 + 2 * 32 * 24),
        (b" W64 H48 C420paldv XYSCSS=420PALDV", 4608),
        (b" W64 H48 C422", 6144),
        (b" W64 H48 C444p10", 18432),
    ],
)
def test_a_y4m_file_that_ends_inside_a_frame(parameters, frame_bytes):
    head = b"YUV4MPEG2" + parameters + b"\nFRAME\n"
    whole = len(head) + frame_bytes + 3 * (6 + frame_bytes)
    assert missing_bytes(head, whole) == 0
    assert missing_bytes(head, whole - 1) == 1
    assert missing_bytes(head, whole - frame_bytes) == frame_bytes
    assert missing_bytes(head, whole + 10) == frame_bytes - 4


@pytest.mark.parametrize(
    "head",
    [
        b"YUV4MPEG2 W64 H48 Cmono\nFRAME\n",
        b"YUV4MPEG2 W64 H48 C444alpha\nFRAME\n",
        b"YUV4MPEG2 W64 H48\nFRAME Ip\n",
        b"YUV4MPEG2 Wx H48\nFRAME\n",
        b"YUV4MPEG2 H48\nFRAME\n",
        b"RIFF\xff\xff\xff\xffAVI ",
        b"RIFF\xff\0\0\0WAVE",
        b"\x1aE\xdf\xa3",
    ],
)
def test_lengths_that_are_not_known(head):
    assert missing_bytes(head, 77) == 0


def test_an_avi_file_that_ends_early():
    head = b"RIFF" + (1000).to_bytes(4, "little") + b"AVI "
    assert [missing_bytes(head, size) for size in (1008, 1000, 2000)] == [0, 8, 0]
