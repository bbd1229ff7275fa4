"""A video stream written frame by frame; nothing but the index is kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from wavenetmv.bitstream.framing import StreamWriter
from wavenetmv.bitstream.header import StreamHeader, write_header
from wavenetmv.bitstream.index import MAX_FRAMES, FrameIndex, pack_index
from wavenetmv.bitstream.metadata_checks import check_metadata
from wavenetmv.bitstream.packets import (
    Packet,
    PacketKind,
    frame_limit,
    write_end,
    write_packet,
)
from wavenetmv.bitstream.payloads import pack_metadata
from wavenetmv.bitstream.video_payloads import CodedFrame, pack_audio, pack_video_frame
from wavenetmv.types import AudioTrack, Metadata


class VideoStreamWriter:
    """Writes header and metadata, then what its methods are given, in the order they stand.

        writer = VideoStreamWriter(sink, header)
        writer.write_frame(frame)  # one or more times; the first is an INTRA frame
        writer.write_audio(track)  # or never
        writer.finish()

    Every frame is flushed, so whoever reads the other end of a pipe has it at once.
    ValueError for what the format does not allow; `sink` is buffered, its errors pass.
    """

    def __init__(
        self, sink: BinaryIO, header: StreamHeader, metadata: Sequence[Metadata] = ()
    ) -> None:
        if header.video is None:
            raise ValueError("a video's header must declare video")
        check_metadata(metadata)
        self.index = FrameIndex()
        self._has_inter = header.video.has_inter
        self._limit = frame_limit(header)
        self._after_frames = False
        self._writer = StreamWriter(sink)
        write_header(self._writer, header)
        for chunk in metadata:
            write_packet(self._writer, Packet(PacketKind.METADATA, pack_metadata(chunk)))
        self._writer.flush()
        self.index.start = self._writer.offset

    @property
    def total_bytes(self) -> int:
        """Bytes written so far."""
        return self._writer.offset

    def write_frame(self, frame: CodedFrame) -> int:
        """Write the next frame; return the bytes of its packet."""
        self._check(frame)
        payload = pack_video_frame(frame)
        if len(payload) > self._limit:
            raise ValueError(f"frame has {len(payload)} bytes; the limit is {self._limit}")
        size = write_packet(self._writer, Packet(frame.kind, payload))
        self.index.append(frame.kind, frame.time, size)
        self._writer.flush()
        return size

    def write_audio(self, track: AudioTrack) -> None:
        """Write all audio of the video, after its frames."""
        if self._after_frames or not len(self.index):
            raise ValueError("audio is written once, after the frames")
        self._after_frames = True
        write_packet(self._writer, Packet(PacketKind.AUDIO, pack_audio(track)))

    def finish(self) -> int:
        """Write index and end; return the size of the whole stream in bytes."""
        if not len(self.index):
            raise ValueError("a video has at least one frame")
        self._after_frames = True
        write_packet(self._writer, Packet(PacketKind.INDEX, pack_index(self.index)))
        write_end(self._writer)
        self._writer.flush()
        return self._writer.offset

    def _check(self, frame: CodedFrame) -> None:
        if self._after_frames:
            raise ValueError("no frame may follow audio or index")
        if frame.kind is PacketKind.INTER and not (self._has_inter and len(self.index)):
            raise ValueError("an INTER frame needs an INTRA frame before it and a header for it")
        if len(self.index) == MAX_FRAMES:
            raise ValueError(f"a stream has at most {MAX_FRAMES} frames")
        if len(self.index) and frame.time <= self.index.times[-1]:
            raise ValueError(f"tick {frame.time} is not after tick {self.index.times[-1]}")
