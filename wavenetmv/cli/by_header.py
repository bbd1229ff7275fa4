"""A stream is a picture or a video: its header decides, not its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from wavenetmv.cli import batch
from wavenetmv.cli.decode_video import look
from wavenetmv.cli.items import Item
from wavenetmv.errors import UsageFault


@dataclass(frozen=True)
class EitherKind:
    """The work on one input, for `batch.run`.

    no_video    why the options given do not fit a video; None if they do
    for_videos  options given that pictures lack
    """

    pictures: Callable[[Item, BinaryIO], dict[str, Any]]
    videos: Callable[[Item, BinaryIO, batch.Frames], dict[str, Any]]
    no_video: str | None
    for_videos: tuple[str, ...]

    def __call__(self, item: Item, frames: batch.Frames) -> dict[str, Any]:
        from wavenetmv.io.files import open_source

        with open_source(item.source) as file:
            source, is_video = look(item.source, file)
            if is_video:
                if self.no_video is not None:
                    raise UsageFault(self.no_video)
                return self.videos(item, source, frames)
            if self.for_videos:
                raise UsageFault(f"{', '.join(self.for_videos)}: only for videos, not for pictures")
            return self.pictures(item, source)
