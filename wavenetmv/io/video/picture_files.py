"""Frames as pictures in a folder, which are all there in the end or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from wavenetmv.errors import InputError, UsageFault
from wavenetmv.io.files import STDIO, temporary_beside, translated
from wavenetmv.io.formats import SUFFIXES, Format, format_of
from wavenetmv.io.video.encoding import Settings
from wavenetmv.io.video.sequences import NUMBER, numbered_name
from wavenetmv.io.writing import picture_bytes
from wavenetmv.types import AudioTrack, Picture, VideoFrame, VideoInfo

_DEFAULT_PATTERN = "frame_%05d.png"


def is_sequence(target: str | Path, format_name: str | None) -> bool:
    """Whether `target` names pictures: a pattern, a folder, or a name without suffix."""
    path = Path(target)
    if str(target) == STDIO or (path.exists() and not path.is_dir()):
        return False
    suffix = f".{format_name.lower()}" if format_name else path.suffix.lower()
    return bool(NUMBER.search(path.name)) or path.is_dir() or suffix in SUFFIXES or not suffix


@dataclass
class PictureSink:
    """Writes into `folder`, which is a temporary one."""

    folder: Path
    pattern: str
    format: Format
    names: list[str] = field(default_factory=list)
    even_times: bool = True

    def write(self, frame: VideoFrame) -> None:
        data, _ = picture_bytes(Picture(frame.pixels), self.format)
        name = NUMBER.sub(lambda found: found[0] % (len(self.names) + 1), self.pattern, count=1)
        with translated(name):
            (self.folder / name).write_bytes(data)
        self.names.append(name)


@contextmanager
def open_pictures(
    target: str | Path, info: VideoInfo, track: AudioTrack | None, settings: Settings
) -> Iterator[tuple[PictureSink, tuple[str, ...]]]:
    """A sink and notes; the pictures take their places when the block succeeds."""
    folder, pattern = _folder_and_pattern(Path(target), settings.format_name)
    chosen = format_of(pattern)
    _refuse_settings(chosen, settings)
    before = _already_there(folder, pattern)
    if before and not settings.force:
        raise UsageFault(f"{folder / before[0]} exists; --force overwrites it")
    # Inside the folder it is on the same disk; a new folder is made at its final place.
    with translated(folder):
        made = not folder.is_dir()
        if made:
            folder.mkdir()
    temporary = temporary_beside(folder / pattern)
    try:
        with translated(folder):
            temporary.mkdir()
        sink = PictureSink(temporary, pattern, chosen)
        yield sink, _notes(info, track)
        with translated(folder):
            for name in sink.names:
                os.replace(temporary / name, folder / name)
            for name in set(before) - set(sink.names):  # of a longer sequence
                (folder / name).unlink()
        made = False
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if made:
            shutil.rmtree(folder, ignore_errors=True)


def _folder_and_pattern(path: Path, format_name: str | None) -> tuple[Path, str]:
    if NUMBER.search(path.name) and not path.is_dir():
        folder, pattern = path.parent, path.name
        if not folder.is_dir():
            raise InputError(f"{path}: there is no folder {folder}")
        if format_name:
            raise UsageFault(f"{path}: the suffix says the format already")
        return folder, pattern
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        raise UsageFault(f"{path}: one file for many frames; number them, as in frame_%05d.png")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    return path, str(Path(_DEFAULT_PATTERN).with_suffix(f".{format_name or 'png'}"))


def _refuse_settings(chosen: Format, settings: Settings) -> None:
    if settings.crf is not None or settings.chroma is not None:
        raise UsageFault(f"crf and chroma are for video files, not for {chosen.name} pictures")


def _already_there(folder: Path, pattern: str) -> list[str]:
    if not folder.is_dir():
        return []
    name = numbered_name(pattern)
    with translated(folder):
        return sorted(each for each in os.listdir(folder) if name.fullmatch(each))


def _notes(info: VideoInfo, track: AudioTrack | None) -> tuple[str, ...]:
    said = {
        "pictures have no pixel aspect": info.pixel_aspect != 1,
        "audio left out: pictures have none": track is not None,
    }
    return tuple(note for note, applies in said.items() if applies)
