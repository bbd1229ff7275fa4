"""Any video to a stream: frames are read, coded and written at the same time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from wavenetmv.bitstream import MAX_AUDIO_BYTES, MAX_FRAMES, CodedFrame, VideoStreamWriter
from wavenetmv.errors import InputError
from wavenetmv.io import open_sink
from wavenetmv.io.video import VideoReader, cut_audio, read_audio
from wavenetmv.types import (
    LAMBDA_DEFAULT,
    MAX_PIXELS_DEFAULT,
    AudioTrack,
    Profile,
    VideoFrame,
    VideoInfo,
)
from wavenetmv.video.overlap import WriteBehind
from wavenetmv.video.summary import Progress, VideoSummary

if TYPE_CHECKING:
    from wavenetmv.codec import PictureCodec
    from wavenetmv.video_codec import FocusFor, VideoEncoder

_DEPTH = 8  # packets waiting to be written


class EncodingInterrupted(KeyboardInterrupt):
    """Ctrl-C came while frames were coded: the stream is whole, and ends there."""

    def __init__(self, target: str | Path, summary: VideoSummary) -> None:
        frames = "1 frame" if summary.frames == 1 else f"{summary.frames} frames"
        super().__init__(f"interrupted; {target} is whole and ends after {frames}")
        self.summary = summary


def encode_video(
    codec: PictureCodec,
    source: str | Path | BinaryIO,
    target: str | Path,
    *,
    lmbda: float = LAMBDA_DEFAULT,
    profile: Profile | None = None,
    gop: int | None = None,
    audio: bool = True,
    rate: Fraction | None = None,
    force: bool = False,
    max_pixels: int = MAX_PIXELS_DEFAULT,
    on_frame: Progress | None = None,
    focus: FocusFor | None = None,
) -> VideoSummary:
    """Encode whatever `VideoReader` reads into the stream `target`; "-" is standard output.

    lmbda, profile  as for `PictureCodec.encode`
    gop, focus      as for `VideoEncoder`; gop None: its default, or 1, with a note, where there
                    are no weights of inter frames
    audio           copy it along, if `source` is the name of a file
    rate            of the frames, where they are pictures
    on_frame        called after every frame

    Every frame is written when it is coded; memory does not grow with length, but for the
    audio and a few bytes a frame. Ctrl-C keeps the frames so far and raises
    EncodingInterrupted; any other failure leaves nothing of `target`. Raises InputError for
    what cannot be read or written, UsageFault for what cannot be done.
    """
    with open_sink(target, force=force) as sink:
        with VideoReader(source, rate=rate, max_pixels=max_pixels) as reader:
            track = _audio_of(source) if audio and reader.info.has_audio else None
            # Not before the reader is sure that there is a video: the weights take a while.
            from wavenetmv.video_codec import VideoEncoder

            encoder = VideoEncoder(codec, reader.info, lmbda, profile, gop, focus)
            work = _Work(reader.info, encoder, VideoStreamWriter(sink, encoder.header), on_frame)
            work.run(iter(reader))
        notes = [*reader.notes, *work.notes]
        if gop is None and encoder.gop == 1:
            notes.append("every frame is coded alone: no weights of inter frames for this")
        if audio and track is None and reader.info.has_audio and not _told_of_audio(notes):
            notes.append("audio left out: it is copied from files that are named")
        stream_bytes = work.finish(track)
    summary = VideoSummary(
        reader.info, work.count, stream_bytes, time.perf_counter() - work.started, tuple(notes)
    )
    if work.interrupted:
        raise EncodingInterrupted(target, summary)
    return summary


@dataclass
class _Work:
    """The frames of one video on their way into its stream."""

    info: VideoInfo
    encoder: VideoEncoder
    writer: VideoStreamWriter
    on_frame: Progress | None
    started: float = field(default_factory=time.perf_counter)
    count: int = 0
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)

    def run(self, frames: Iterator[VideoFrame]) -> None:
        """Until the last frame or Ctrl-C, which is passed on only if there is no frame yet."""
        # A thread writes, and Ctrl-C comes to this one: no packet is ever left half-written.
        behind = WriteBehind[CodedFrame](self.writer.write_frame, _DEPTH)
        with behind, self._until_interrupted():
            for frame in frames:
                if self.count == MAX_FRAMES:
                    self.notes.append(f"cut after {MAX_FRAMES} frames: a stream has no more")
                    break
                behind.put(self.encoder.encode(frame))
                self.count += 1
                if self.on_frame is not None:
                    self.on_frame(self.count, self.info.frame_count)
        self.count = len(self.writer.index)

    def finish(self, track: AudioTrack | None) -> int:
        """Write what follows the frames; the bytes of the whole stream."""
        if track is not None and self.interrupted:
            track = cut_audio(track, Fraction(0), self._end_s())
        if track is not None:
            self.writer.write_audio(track)
        return self.writer.finish()

    @contextmanager
    def _until_interrupted(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            if not self.count:
                raise
            self.interrupted = True

    def _end_s(self) -> Fraction:
        """Of the last frame, in seconds."""
        return self.writer.index.times[-1] * self.info.tick + 1 / self.info.rate


def _audio_of(source: str | Path | BinaryIO) -> AudioTrack | None:
    if not isinstance(source, (str, Path)) or not os.path.isfile(source):
        return None
    try:
        return read_audio(source, limit_bytes=MAX_AUDIO_BYTES)
    except InputError as error:
        raise InputError(f"{error}; --no-audio leaves it out") from error


def _told_of_audio(notes: list[str]) -> bool:
    return any(note.startswith("audio left out") for note in notes)
