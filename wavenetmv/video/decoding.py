"""A stream to frames, and to any video file: read, decoded and written at the same time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from wavenetmv.bitstream import LocatedFrame, Notes, PacketKind
from wavenetmv.errors import CorruptStream, UsageFault
from wavenetmv.io import open_source
from wavenetmv.io.files import translated
from wavenetmv.io.heads import with_head
from wavenetmv.io.video import VideoWriter, cut_audio
from wavenetmv.io.video.pipes import ReadAhead
from wavenetmv.types import MAX_PIXELS_DEFAULT, AudioTrack, VideoFrame, VideoInfo
from wavenetmv.video.opening import OpenedStream, Tolerance, open_stream
from wavenetmv.video.overlap import WriteBehind
from wavenetmv.video.selection import ALL, Selection, thinned
from wavenetmv.video.summary import Progress, VideoSummary

if TYPE_CHECKING:
    from wavenetmv.codec import PictureCodec
    from wavenetmv.frame_coders import DecodedFrame
    from wavenetmv.video_codec import VideoDecoder

_DEPTH = 4  # frames waiting, coded ones before the decoder and pixels behind it
_PATIENCE_S = 1.0  # for a pipe that gives nothing any more


@dataclass(frozen=True, slots=True, eq=False)
class ReadFrame:
    """A frame of a stream, of number `number` from 0 and shown at `time_s` seconds."""

    number: int
    time_s: Fraction
    content: DecodedFrame


class DecodedVideo:
    """The frames of a stream, decoded one after the other; a context manager.

        with DecodedVideo(codec, "clip.wmv") as video:
            for frame in video:
                ...

    source           a file name, "-" for standard input, or an open binary file or pipe
    selection        which frames; where the source can seek, no others are read but those
                     from the intra frame before
    allow_truncated  of a stream that was cut: its whole frames, and a note
    skip_damaged     leave out what is damaged, with a note, and go on at the next intra frame
    max_pixels       larger frames are refused
    every            only frames whose number is a multiple are wanted; others are decoded
                     only where these build on them

    Frames keep their own times. Opening and iterating raise StreamError for damage that is
    not allowed, InputError when the source cannot be read, UsageFault for a selection without
    frames and CheckpointError when the weights that made the stream are not here.
    """

    def __init__(
        self,
        codec: PictureCodec,
        source: str | Path | BinaryIO,
        *,
        selection: Selection = ALL,
        allow_truncated: bool = False,
        skip_damaged: bool = False,
        max_pixels: int = MAX_PIXELS_DEFAULT,
        every: int = 1,
    ) -> None:
        if every < 1:
            raise UsageFault(f"every must be at least 1, got {every}")
        self._codec = codec
        self._every = every
        self._source = source
        self._name = str(source if isinstance(source, (str, Path)) else "stream")
        self._selection = selection
        self._tolerance = Tolerance(allow_truncated, skip_damaged, max_pixels)
        self._damage = Notes()
        self._stack = ExitStack()
        self._opened: OpenedStream | None = None
        self._frames: Iterator[ReadFrame] = iter(())

    def __enter__(self) -> DecodedVideo:
        from wavenetmv.video_codec import VideoDecoder, describe

        with ExitStack() as stack:
            source = self._source
            if isinstance(source, (str, Path)):
                source = stack.enter_context(open_source(source))
            _, source = with_head(source, 0)
            with translated(self._name):
                opened = open_stream(source, self._selection, self._tolerance, self._damage)
            decoder = VideoDecoder(self._codec, opened.header, opened.video)
            ahead = ReadAhead(thinned(opened.frames, self._every), _DEPTH)
            stack.callback(ahead.close, _PATIENCE_S)
            self._info = describe(opened.header, opened.video, opened.count)
            self._opened = opened
            self._frames = self._decoded(ahead, decoder)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        return (VideoFrame(each.content.pixels(), each.time_s) for each in self._frames)

    def read(self) -> Iterator[ReadFrame]:
        """The same frames, in place of iterating, before they are pixels."""
        return self._frames

    @property
    def info(self) -> VideoInfo:
        """`frame_count` is that of the selection, and as the header declares it in a pipe."""
        self._stream()
        return self._info

    @property
    def audio(self) -> AudioTrack | None:
        """Of the whole video; None as well where it cannot be found before the frames."""
        return self._stream().audio

    @property
    def span_s(self) -> tuple[Fraction, Fraction] | None:
        """Seconds from the first selected frame to the end of the last, from the index."""
        return self._stream().span_s

    @property
    def notes(self) -> tuple[str, ...]:
        """What was cut, damaged or left out so far, one line each."""
        reader = self._stream().reader
        return (*(reader.notes if reader else ()), *self._damage.lines)

    @property
    def lost_audio(self) -> bool:
        """When all frames have come: there was audio, but only behind them."""
        opened = self._stream()
        return opened.audio is None and bool(opened.reader and opened.reader.audio)

    def _stream(self) -> OpenedStream:
        if self._opened is None:
            raise ValueError("DecodedVideo is used inside a `with` block")
        return self._opened

    def _decoded(
        self, located: Iterator[tuple[LocatedFrame, bool]], decoder: VideoDecoder
    ) -> Iterator[ReadFrame]:
        waiting = False  # for an intra frame, as one was lost
        came = shown = 0
        for each, wanted in self._arriving(located):
            came += wanted
            waiting = each.frame.kind is not PacketKind.INTRA and (waiting or each.after_gap)
            if waiting:
                self._damage.add(f"{each.label}: it builds on a lost frame: left out")
                continue
            frame = self._attempt(each, decoder)
            waiting = frame is None
            if frame is not None and wanted:
                shown += 1
                yield frame
        if came and not shown:
            raise CorruptStream("no frame could be decoded")
        if not came:
            raise UsageFault("no frame is there: the video ends before what was selected")

    def _arriving(
        self, located: Iterator[tuple[LocatedFrame, bool]]
    ) -> Iterator[tuple[LocatedFrame, bool]]:
        """The same, with errors in our words."""
        try:
            with translated(self._name):
                yield from located
        except CorruptStream as error:
            raise self._tolerance.hinted(error) from error

    def _attempt(self, located: LocatedFrame, decoder: VideoDecoder) -> ReadFrame | None:
        """The frame, or None where it is damaged and that is allowed."""
        try:
            time_s = located.frame.time * self._stream().video.tick
            return ReadFrame(located.number, time_s, decoder.read(located.frame))
        except CorruptStream as error:
            if not self._tolerance.skip_damaged:
                raise self._tolerance.hinted(CorruptStream(f"{located.label}: {error}")) from error
            self._damage.add(f"{located.label}: {error}: left out")
            return None


def decode_video(
    codec: PictureCodec,
    source: str | Path | BinaryIO,
    target: str | Path,
    *,
    selection: Selection = ALL,
    audio: bool = True,
    crf: int | None = None,
    format_name: str | None = None,
    force: bool = False,
    allow_truncated: bool = False,
    skip_damaged: bool = False,
    max_pixels: int = MAX_PIXELS_DEFAULT,
    on_frame: Progress | None = None,
) -> VideoSummary:
    """Decode a stream into whatever `VideoWriter` writes; "-" is standard output.

    crf, format_name, force  as for `VideoWriter`
    audio                    copy it along, where the target can hold it
    on_frame                 called after every frame
    others                   as for `DecodedVideo`; a selection is moved to begin at 0 s

    Any failure leaves nothing of `target`. Raises what `DecodedVideo` and `VideoWriter` raise.
    """
    opened = DecodedVideo(
        codec,
        source,
        selection=selection,
        allow_truncated=allow_truncated,
        skip_damaged=skip_damaged,
        max_pixels=max_pixels,
    )
    with opened as video:
        started = time.perf_counter()
        track = _audio_of(video) if audio else None
        writer = VideoWriter(
            target, video.info, crf=crf, format_name=format_name, audio=track, force=force
        )
        with writer, WriteBehind(writer.write, _DEPTH) as behind:
            count = 0
            for frame in _moved(video, selection):
                behind.put(frame)
                count += 1
                if on_frame is not None:
                    on_frame(count, video.info.frame_count)
        notes = [*video.notes, *writer.notes]
        if audio and video.lost_audio:
            notes.append("audio left out: it follows the frames, and no index led to it before")
        seconds = time.perf_counter() - started
        return VideoSummary(video.info, count, 0, seconds, tuple(notes))


def _moved(video: DecodedVideo, selection: Selection) -> Iterator[VideoFrame]:
    """The frames, those of a selection with times from 0 on."""
    start_s = video.span_s[0] if video.span_s else None
    for frame in video:
        if selection == ALL:
            yield frame
        else:
            start_s = frame.time_s if start_s is None else start_s
            yield replace(frame, time_s=frame.time_s - start_s)


def _audio_of(video: DecodedVideo) -> AudioTrack | None:
    if video.audio is None or video.span_s is None:
        return video.audio
    return cut_audio(video.audio, *video.span_s)
