"""What `wmv decode` does with a video."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from wavenetmv.cli import batch
from wavenetmv.cli.items import Item, means_folder, size_of
from wavenetmv.errors import UsageFault, WmvError

if TYPE_CHECKING:
    from wavenetmv.api import Codec
    from wavenetmv.io.formats import Format
    from wavenetmv.video import Selection

_HEAD_BYTES = 16


@dataclass(frozen=True)
class Form:
    """The form of the outputs: --format, or None. Raises UsageFault for an unknown one."""

    name: str | None

    def __post_init__(self) -> None:
        if not self.is_container:
            self.of_pictures()

    @property
    def is_container(self) -> bool:
        """It is that of video files."""
        from wavenetmv.io.video import CONTAINERS

        return self._suffix in CONTAINERS

    def of_pictures(self) -> Format | None:
        """Raises UsageFault for one that is not of pictures."""
        from wavenetmv.io.formats import format_of

        return format_of(self.name) if self.name else None

    def suffix(self, source: str) -> str:
        """Of the output for the stream in file `source`; of a folder for frames none."""
        if not self._is_video(source):
            return self._suffix or ".png"
        return ".mp4" if self.name is None else self._suffix if self.is_container else ""

    def numbered(self, item: Item, output: str) -> Item:
        """`item`, its frames as pictures in the folder -o where it is one video for a folder."""
        if self.is_container:
            return item
        if not means_folder(output) or not self._is_video(item.source):
            return item
        return replace(item, target=output, make_folder=False)

    @property
    def _suffix(self) -> str:
        return f".{self.name.lower().lstrip('.')}" if self.name else ""

    @staticmethod
    def _is_video(source: str) -> bool:
        from wavenetmv.io.files import open_source

        if not os.path.isfile(source):  # a pipe must not be read before its turn
            return False
        try:
            with open_source(source) as file:
                return look(source, file)[1]
        except WmvError:  # it is told when the file's turn comes
            return False


@dataclass(frozen=True)
class Part:
    """What of a video is wanted, and what of it may be missing."""

    selection: Selection
    audio: bool
    allow_truncated: bool
    skip_damaged: bool


@dataclass(frozen=True)
class VideoJob:
    """Decodes a video."""

    codec: Codec
    form: Form
    crf: int | None
    part: Part
    max_pixels: int
    force: bool

    def __call__(self, item: Item, source: BinaryIO, frames: batch.Frames) -> dict[str, Any]:
        from wavenetmv.video import decode_video

        with batch.new_folder(item):
            summary = decode_video(
                self.codec.engine(),
                source,
                item.target,
                selection=self.part.selection,
                audio=self.part.audio,
                crf=self.crf,
                format_name=self.form.name,
                force=self.force,
                allow_truncated=self.part.allow_truncated,
                skip_damaged=self.part.skip_damaged,
                max_pixels=self.max_pixels,
                on_frame=frames,
            )
        return {
            "input": item.source,
            "output": item.target,
            "width": summary.info.width,
            "height": summary.info.height,
            "frames": summary.frames,
            "fps": float(summary.info.rate),
            "input_bytes": size_of(item.source),
            "bytes": size_of(item.target),
            "seconds": round(summary.seconds, 4),
            "notes": list(summary.notes),
        }


def look(name: str, source: BinaryIO) -> tuple[BinaryIO, bool]:
    """`source` as it can still be read from its first byte, and whether it is a video stream."""
    from wavenetmv.bitstream import declares_video
    from wavenetmv.io.files import translated
    from wavenetmv.io.heads import with_head

    with translated(name):
        head, whole = with_head(source, _HEAD_BYTES)
    return whole, declares_video(head)


def select(frames: str | None, times: str | None) -> Selection:
    """Of --frames and --time. Raises UsageFault."""
    from wavenetmv.video import ALL, parse_frames, parse_times

    if frames is not None and times is not None:
        raise UsageFault("--frames and --time exclude each other")
    if frames is not None:
        return parse_frames(frames)
    return parse_times(times) if times is not None else ALL
