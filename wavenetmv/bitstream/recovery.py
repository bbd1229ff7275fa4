"""Finding the way back into a damaged video stream, on a pipe as well as in a file."""

from __future__ import annotations

import io
import zlib
from contextlib import suppress
from typing import BinaryIO

from wavenetmv.bitstream.framing import LONG_VARINT_BYTES, StreamReader
from wavenetmv.bitstream.header import StreamHeader
from wavenetmv.bitstream.packets import PacketKind, frame_limit, read_raw_packet
from wavenetmv.bitstream.video_payloads import unpack_video_frame
from wavenetmv.errors import StreamError

_CHUNK_BYTES = 1 << 20
_SCAN_BYTES = 1 << 12  # what a live pipe is waited for at most
# kind, length, time, lambda index, symbols CRC: as much as tells most chance bytes from a frame
_PEEK_BYTES = 1 + 4 + LONG_VARINT_BYTES + 2 + 4


class RewindableReader(StreamReader):
    """A StreamReader that can go back to its last mark; it keeps what was read since.

    After the first `rewind`, `crc` no longer covers the stream: see `rewound`.
    """

    def __init__(self, source: BinaryIO) -> None:
        super().__init__(source)
        self.rewound = False
        self._kept = bytearray()  # from the mark on
        self._position = 0  # in it

    @property
    def place(self) -> int:
        """Bytes since the mark."""
        return self._position

    def mark(self) -> None:
        """`rewind` comes back to here from now on."""
        del self._kept[: self._position]
        self._position = 0

    def rewind(self, skip: int) -> None:
        """Go to `skip` bytes after the mark; they must have been read or peeked at."""
        self.offset += skip - self._position
        self._position = skip
        self.rewound = True

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or fewer where the source ends, without moving on."""
        while (missing := self._position + size - len(self._kept)) > 0:
            chunk = self._source.read(min(missing, _CHUNK_BYTES))
            if not chunk:
                break
            self._kept += chunk
        return bytes(self._kept[self._position : self._position + size])

    def read_up_to(self, size: int) -> bytes:
        data = self.peek(size)
        self._position += len(data)
        self.offset += len(data)
        self.crc = zlib.crc32(data, self.crc)
        return data

    def find(self, value: int) -> bool:
        """Go to the next byte `value` and mark it; False where the source ends without one."""
        while True:
            at = self._kept.find(value, self._position)
            skipped = (len(self._kept) if at < 0 else at) - self._position
            self.offset += skipped
            self._position += skipped
            self.mark()
            if at >= 0:
                return True
            if not self.peek(_SCAN_BYTES):
                return False


def follows(reader: RewindableReader, header: StreamHeader) -> bool:
    """Whether a sound packet, or nothing, comes next; the mark and the place stay."""
    place = reader.place
    if not reader.peek(1):
        return True
    sound = False
    with suppress(StreamError):
        raw = read_raw_packet(reader, header)
        # END's CRC covers all bytes before it, so it says nothing after damage.
        sound = raw.crc_ok or (raw.kind == PacketKind.END and not reader.peek(1))
    reader.rewind(place)
    return sound


def find_intra(reader: RewindableReader, header: StreamHeader) -> bool:
    """Go to the next place where an INTRA packet with a right CRC is; False at the end."""
    while reader.find(PacketKind.INTRA):
        if _plausible(reader.peek(_PEEK_BYTES), header) and follows(reader, header):
            return True
        reader.rewind(1)
    return False


def _plausible(head: bytes, header: StreamHeader) -> bool:
    """Whether a frame's packet may begin with `head`: cheap, for it is asked very often."""
    reader = StreamReader(io.BytesIO(head[1:]))
    try:
        size, _ = reader.read_varint("length")
        unpack_video_frame(PacketKind.INTRA, head[1 + reader.offset :])
    except StreamError:
        return False
    return size <= frame_limit(header)
