"""`VideoWriter`: frames with exact times to a video file, a sequence of pictures or a pipe."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from wavenetmv.errors import UsageFault
from wavenetmv.io.video import picture_files
from wavenetmv.io.video.containers import Chroma
from wavenetmv.io.video.encoding import Encoder, Settings, open_encoder
from wavenetmv.types import AudioTrack, VideoFrame, VideoInfo

_TOLERANCE = Fraction(1, 4)  # of the distance of two frames, where times were rounded


class VideoWriter:
    """Writes a video frame by frame.

        with VideoWriter("clip.mp4", reader.info, audio=read_audio("source.mp4")) as writer:
            for frame in reader:
                writer.write(frame)

    `target` is one of
        clip.mp4, .m4v, .mov   H.264 (x264) at `crf`; with an odd side in 4:4:4
        clip.mkv               FFV1, lossless: the very pixels
        clip.webm              VP9 at `crf`
        clip.gif               256 colours a frame, times in hundredths of a second
        clip.y4m               YUV 4:4:4, even times
        frame_%05d.png         numbered pictures from 1, in any picture format
        a folder, or no suffix frame_00001.png, ... in it; made if it does not exist
        "-"                    standard output, y4m unless `format_name` says another

    Of `info` it uses size, pixel aspect, rate, time base, matrix and range: YUV files get
    the source's matrix and range, or BT.709 in limited range, and say so. Time stamps are
    kept, also at variable distances: exactly (to `info.time_base`) in MP4 and MOV, to the
    millisecond in MKV and WebM.

    crf          0 (best) and up, 12 without it; for mp4, mov and webm
    format_name  "mkv", "png", ...: in place of the target's suffix
    audio        copied as it is; coded anew, with a note, where the file cannot hold it
    chroma       "420" or "444", where the default of the format is not wanted
    threads      of the encoder; 0: as many as it likes

    The file appears when the block succeeds; whatever happens else, nothing of it is left.
    With `force` it replaces what is there: of a sequence, all pictures of that pattern.
    Entering raises UsageFault for an unknown format, a setting that the format lacks or an
    existing target; everything here raises InputError when the output cannot be written,
    and BrokenPipeError when nobody reads it.
    """

    def __init__(
        self,
        target: str | Path,
        info: VideoInfo,
        *,
        crf: int | None = None,
        format_name: str | None = None,
        audio: AudioTrack | None = None,
        chroma: Chroma | None = None,
        force: bool = False,
        threads: int = 0,
    ) -> None:
        self._target = target
        self._info = info
        self._audio = audio
        self._settings = Settings(crf, format_name, chroma, force, threads)
        self._stack = ExitStack()
        self._sink: Encoder | picture_files.PictureSink | None = None
        self._notes: tuple[str, ...] = ()
        self._count = 0
        self._first_s = Fraction(0)
        self._last_s = Fraction(-1)
        self._uneven = False  # frames are not where the only rate puts them

    @property
    def notes(self) -> tuple[str, ...]:
        """What the output cannot hold or holds in another form, one line each, for the user."""
        lost = ("one frame rate: the frames' own time stamps are lost",) if self._uneven else ()
        return (*self._notes, *lost)

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            if picture_files.is_sequence(self._target, self._settings.format_name):
                opened = picture_files.open_pictures(
                    self._target, self._info, self._audio, self._settings
                )
                self._sink, self._notes = stack.enter_context(opened)
            else:
                encoder = open_encoder(self._target, self._info, self._audio, self._settings)
                self._sink, self._notes = stack.enter_context(encoder)
            self._stack = stack.pop_all()
        return self

    def write(self, frame: VideoFrame) -> None:
        """Take the next frame: of the size that `info` says, and later than the one before.

        Returns when ffmpeg has it, so the caller is held back to its speed.
        """
        if self._sink is None:
            raise ValueError("VideoWriter is used inside a `with` block")
        height, width = frame.pixels.shape[:2]
        if (width, height) != (self._info.width, self._info.height):
            raise ValueError(
                f"frame is {width}x{height}, the video {self._info.width}x{self._info.height}"
            )
        if frame.time_s <= self._last_s or frame.time_s < 0:
            raise ValueError(f"time stamps must rise from 0: {frame.time_s} s")
        self._sink.write(frame)
        if not self._count:
            self._first_s = frame.time_s
        due_s = self._first_s + self._count / self._info.rate
        if self._sink.even_times and abs(frame.time_s - due_s) * self._info.rate > _TOLERANCE:
            self._uneven = True
        self._last_s = frame.time_s
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sink = None
        if kind is None and not self._count:
            empty = UsageFault(f"{self._target}: no frame to write")
            self._stack.__exit__(UsageFault, empty, None)
            raise empty
        self._stack.__exit__(kind, error, trace)
