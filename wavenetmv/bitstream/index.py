"""Where the frames of a video lie, for seeking. Normative text: docs/FORMAT.md section 5.6."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from wavenetmv.bitstream.deflate import deflate, inflate
from wavenetmv.bitstream.framing import (
    CRC,
    LONG_VARINT_BYTES,
    MAX_VARINT_BYTES,
    pack_varint,
)
from wavenetmv.bitstream.packets import FRAME_KINDS, MAX_INDEX_BYTES, PacketKind
from wavenetmv.errors import CorruptStream

# With the longest varints that many entries stay below MAX_INDEX_BYTES.
MAX_FRAMES = 1 << 22
PACKET_SIZE = struct.Struct("<I")
_CELL_BITS = 7


@dataclass(slots=True)
class FrameIndex:
    """The packets of all frames, in order; they follow each other without a gap.

    start  bytes from the start of the stream to the first frame's packet
    sizes  bytes of each packet, framing included
    kinds  PacketKind of each
    times  of each, in ticks, rising
    """

    start: int = 0
    sizes: array[int] = field(default_factory=lambda: array("q"))
    kinds: bytearray = field(default_factory=bytearray)
    times: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.sizes)

    def append(self, kind: PacketKind, time: int, size: int) -> None:
        """Add the next frame."""
        self.kinds.append(kind)
        self.times.append(time)
        self.sizes.append(size)

    def offsets(self) -> array[int]:
        """Of every frame's packet, and last of what follows the frames; computed anew."""
        return array("q", accumulate(self.sizes, initial=self.start))

    def intra_before(self, number: int) -> int:
        """The last intra frame that is not after frame `number`."""
        return self.kinds.rfind(PacketKind.INTRA, 0, number + 1)


def pack_index(index: FrameIndex) -> bytes:
    """Bytes of an INDEX payload; its last four tell where the packet begins."""
    steps = [after - before for before, after in pairwise([0, *index.times])]
    columns = [
        pack_varint(len(index)),
        pack_varint(index.start, LONG_VARINT_BYTES),
        b"".join(map(pack_varint, index.sizes)),
        bytes(index.kinds),
        b"".join(pack_varint(step, LONG_VARINT_BYTES) for step in steps),
    ]
    packed = deflate(b"".join(columns))
    return packed + PACKET_SIZE.pack(_packet_bytes(len(packed) + PACKET_SIZE.size))


def unpack_index(payload: bytes) -> FrameIndex:
    """Inverse of `pack_index`. Raises CorruptStream."""
    if len(payload) < PACKET_SIZE.size:
        raise CorruptStream(f"index payload: expected at least 4 bytes, got {len(payload)}")
    (declared,) = PACKET_SIZE.unpack_from(payload, len(payload) - PACKET_SIZE.size)
    if declared != (expected := _packet_bytes(len(payload))):
        raise CorruptStream(f"index payload: it says {declared} bytes, its packet has {expected}")
    packed = payload[: -PACKET_SIZE.size]
    columns = _Columns(inflate(packed, MAX_INDEX_BYTES, "index payload"))
    count = int(columns.varints(1, MAX_VARINT_BYTES)[0])
    if not 1 <= count <= MAX_FRAMES:
        raise CorruptStream(f"index payload: {count} frames; 1..{MAX_FRAMES} are allowed")
    start = int(columns.varints(1, LONG_VARINT_BYTES)[0])
    sizes = columns.varints(count, MAX_VARINT_BYTES)
    kinds = columns.cells(count)
    steps = columns.varints(count, LONG_VARINT_BYTES)
    columns.finish()
    if kinds[0] != PacketKind.INTRA or not set(kinds) <= FRAME_KINDS:
        raise CorruptStream("index payload: kinds must be 1 or 2, the first 1")
    times = np.cumsum(steps)
    if (np.diff(times) <= 0).any() or (times < 0).any():
        raise CorruptStream("index payload: times do not rise")
    return FrameIndex(start, _array(sizes), bytearray(kinds), _array(times))


def _packet_bytes(payload_bytes: int) -> int:
    return 1 + len(pack_varint(payload_bytes)) + payload_bytes + CRC.size


def _array(values: npt.NDArray[np.int64]) -> array[int]:
    made = array("q")
    made.frombytes(values.astype(np.int64).tobytes())
    return made


class _Columns:
    """Takes columns of numbers off the front of `data`."""

    def __init__(self, data: bytes) -> None:
        self._data = np.frombuffer(data, np.uint8)

    def cells(self, count: int) -> bytes:
        return self._take(count).tobytes()

    def varints(self, count: int, max_bytes: int) -> npt.NDArray[np.int64]:
        """int64 [count]; each varint of at most `max_bytes` bytes, in its shortest form."""
        window = self._data[: count * max_bytes]
        ends = np.flatnonzero(window < 0x80)[:count]
        lengths = np.diff(ends, prepend=-1)
        if len(ends) < count or (lengths > max_bytes).any():
            raise CorruptStream("index payload: it ends too early, or a number is too long")
        if ((lengths > 1) & (window[ends] == 0)).any():
            raise CorruptStream("index payload: a number is not in its shortest form")
        self._take(int(ends[-1]) + 1)
        values = np.zeros(count, np.int64)
        for position in range(int(lengths.max())):  # of a byte within its number
            has = lengths > position
            cells = window[(ends - lengths + 1 + position)[has]].astype(np.int64)
            values[has] |= (cells & 0x7F) << _CELL_BITS * position
        return values

    def finish(self) -> None:
        if len(self._data):
            raise CorruptStream(f"index payload: {len(self._data)} bytes too many")

    def _take(self, count: int) -> npt.NDArray[np.uint8]:
        if len(self._data) < count:
            raise CorruptStream("index payload: it ends too early")
        taken, self._data = self._data[:count], self._data[count:]
        return taken
