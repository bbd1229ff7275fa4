"""What a file is by its first bytes: whether it is a video, and whether all of it is there."""

from __future__ import annotations

import re

from wavenetmv.errors import InputError, UsageFault, WmvError
from wavenetmv.io import sniff

_SIGNATURES: tuple[tuple[int, bytes], ...] = (
    (0, b"YUV4MPEG2 "),
    (0, b"\x1aE\xdf\xa3"),  # Matroska, WebM
    (8, b"AVI "),
    (0, b"FLV\x01"),
    (0, b"OggS"),
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x00\x00\x01\xb3"),  # MPEG video
    (0, bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")),  # Windows Media
)
_PICTURE_BRANDS = (b"hei", b"hev", b"mif1", b"msf1", b"avi")
_TS_PACKET_BYTES = 188
_RIFF_UNKNOWN = 0xFFFFFFFF

# Samples in a frame of W x H pixels: chroma planes of a half, rounded up, and so on.
_Y4M = re.compile(rb"YUV4MPEG2((?: [^ \n]+)*)\n(FRAME\n)?")
_Y4M_CHROMA = {b"420": (2, 2), b"422": (2, 1), b"444": (1, 1), b"411": (4, 1), b"410": (4, 4)}


def is_video(head: bytes) -> bool:
    """Whether a file that begins with `head` is a video in a common container.

    GIF is not among them: it may be a still picture. Needs 400 bytes for MPEG transport
    streams and 16 for the others.
    """
    if head[4:8] == b"ftyp":
        return not head[8:].startswith(_PICTURE_BRANDS)
    if head[4:8] in (b"moov", b"mdat", b"wide"):  # QuickTime before it had brands
        return True
    if head[:1] == b"G" and len(head) > 2 * _TS_PACKET_BYTES:
        return head[_TS_PACKET_BYTES : 2 * _TS_PACKET_BYTES + 1 : _TS_PACKET_BYTES] == b"GG"
    return any(head[offset:].startswith(signature) for offset, signature in _SIGNATURES)


def refuse(name: str, head: bytes) -> WmvError | None:
    """The error for a file that no ffmpeg needs to look at; None for all others."""
    if not head:
        return InputError(f"{name}: empty file")
    if sniff.is_our_stream(head):
        return UsageFault(f"{name} is a .wmv stream already; `wmv decode` turns it into a video")
    # A playlist, which ffmpeg might follow anywhere and wait upon for ever, is text too.
    if not is_video(head) and sniff.looks_like_text(head):
        return InputError(f"{name}: expected a video, found text")
    return None


def needs_seeking(head: bytes) -> bool:
    """Whether `head` begins an MP4 or MOV whose index follows its frames."""
    if not is_video(head):
        return False
    offset = 0
    while offset + 8 <= len(head) and (size := int.from_bytes(head[offset : offset + 4], "big")):
        kind = head[offset + 4 : offset + 8]
        if kind in (b"moov", b"mdat"):
            return kind == b"mdat"
        if not kind.isalnum():  # not this family
            return False
        offset += size
    return False


def missing_bytes(head: bytes, total_bytes: int) -> int:
    """How many bytes a file of `total_bytes` lacks, where ffmpeg would not notice: AVI, y4m."""
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        declared = int.from_bytes(head[4:8], "little")
        return 0 if declared == _RIFF_UNKNOWN else max(0, declared + 8 - total_bytes)
    if (found := _Y4M.match(head)) and found[2] and (frame_bytes := _y4m_frame_bytes(found[1])):
        return -(total_bytes - found.end(1) - 1) % (len(found[2]) + frame_bytes)
    return 0


def _y4m_frame_bytes(parameters: bytes) -> int:
    """Bytes of a frame's samples by a y4m header; 0 where its kind is not a common one."""
    tags = {tag[:1]: tag[1:] for tag in parameters.split()}
    chroma, _, depth = tags.get(b"C", b"420").partition(b"p")
    if not depth.isdigit():  # 420jpeg, 420paldv, ...: eight bits
        chroma, depth = chroma[:3], b"8"
    sides = tags.get(b"W", b""), tags.get(b"H", b"")
    if (
        chroma not in _Y4M_CHROMA
        or b"alpha" in tags.get(b"C", b"")
        or not all(side.isdigit() for side in sides)
    ):
        return 0
    width, height = map(int, sides)
    across, down = _Y4M_CHROMA[chroma]
    samples = width * height + 2 * -(-width // across) * -(-height // down)
    return samples * (1 if int(depth) == 8 else 2)
