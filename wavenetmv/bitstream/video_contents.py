"""What the packets of a video say, one after the other, checked against each other."""

from __future__ import annotations

from wavenetmv.bitstream.header import StreamHeader
from wavenetmv.bitstream.index import MAX_FRAMES, FrameIndex, unpack_index
from wavenetmv.bitstream.metadata_checks import check_metadata_total
from wavenetmv.bitstream.order import PacketOrder
from wavenetmv.bitstream.packets import FRAME_KINDS, PacketKind, RawPacket
from wavenetmv.bitstream.payloads import unpack_metadata
from wavenetmv.bitstream.video_payloads import CodedFrame, unpack_audio, unpack_video_frame
from wavenetmv.errors import CorruptStream
from wavenetmv.types import AudioTrack, Metadata


class VideoContents:
    """Takes the packets of one video in order.

    metadata  of the packets so far
    seen      an index of the frames so far
    audio     None until its packet came
    index     the stream's own, None until its packet came
    """

    def __init__(self, header: StreamHeader) -> None:
        self.metadata: list[Metadata] = []
        self.seen = FrameIndex()
        self.audio: AudioTrack | None = None
        self.index: FrameIndex | None = None
        self._order = PacketOrder(header)

    def take(self, raw: RawPacket) -> CodedFrame | None:
        """The frame, if it is one. StreamError if the packet cannot be, or not there.

        The packet's CRC must have been checked.
        """
        kind = self._order.accept(raw)
        if kind in FRAME_KINDS:
            return self._frame(kind, raw)
        if kind is PacketKind.METADATA:
            self.metadata.append(unpack_metadata(raw.payload))
            check_metadata_total(self.metadata)
        elif kind is PacketKind.AUDIO:
            self.audio = unpack_audio(raw.payload)
        elif kind is PacketKind.INDEX:
            self.index = unpack_index(raw.payload)
        return None

    def check_index(self) -> None:
        """CorruptStream unless the index lists the very frames that came."""
        if self.index is not None and self.index != self.seen:
            raise CorruptStream(
                f"the index lists {len(self.index)} frames from byte {self.index.start}, "
                f"which are not the {len(self.seen)} in the stream"
            )

    def _frame(self, kind: PacketKind, raw: RawPacket) -> CodedFrame:
        try:
            frame = unpack_video_frame(kind, raw.payload)
        except CorruptStream as error:
            raise CorruptStream(f"{raw.label}: {error}") from error
        if len(self.seen) and frame.time <= self.seen.times[-1]:
            last = self.seen.times[-1]
            raise CorruptStream(f"{raw.label} is at tick {frame.time}, not after tick {last}")
        if len(self.seen) == MAX_FRAMES:
            raise CorruptStream(f"{raw.label}: more than {MAX_FRAMES} frames")
        if not len(self.seen):
            self.seen.start = raw.offset
        self.seen.append(kind, frame.time, raw.total_bytes)
        return frame
