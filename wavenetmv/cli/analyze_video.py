"""What `wmv analyze` does with a video."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from wavenetmv.cli import batch
from wavenetmv.cli.detections import AnalysisReporter, frame_record, summary_record
from wavenetmv.cli.items import STDIO, Item
from wavenetmv.cli.search import Search
from wavenetmv.errors import UsageFault

if TYPE_CHECKING:
    from wavenetmv.video_analysis import Overlay, VideoAnalyzer


@dataclass(frozen=True)
class VideoJob:
    """Analyzes a video.

    every   only frames whose number is a multiple of it
    tracks  number the objects; None: where that is possible
    """

    search: Search
    reporter: AnalysisReporter
    overlay: bool
    force: bool
    every: int
    tracks: bool | None
    allow_truncated: bool
    skip_damaged: bool

    def __call__(self, item: Item, source: BinaryIO, frames: batch.Frames) -> dict[str, Any]:
        from wavenetmv.video_analysis import VideoAnalyzer

        if self.overlay:
            self._check_target(item)
        tracks, notes = self._whether_tracks()
        video = VideoAnalyzer(
            self.search.codec.engine(),
            source,
            self.search.in_frame,
            self.search.least,
            every=self.every,
            tracks=tracks,
            allow_truncated=self.allow_truncated,
            skip_damaged=self.skip_damaged,
            max_pixels=self.search.max_pixels,
        )
        with video:
            record = self._run(item, video, frames, tracks)
        record["notes"] += [*notes, *video.notes]
        return record

    def _run(
        self, item: Item, video: VideoAnalyzer, frames: batch.Frames, tracks: bool
    ) -> dict[str, Any]:
        """Through all frames, each of them told as the reporter wants it."""
        from wavenetmv.video_analysis import Summary

        summary, kept, count = Summary(), [], 0
        started = time.perf_counter()
        with self._drawing(item, video) as overlay:
            for frame in video:
                record = frame_record(self.search.head, frame, tracks)
                if self.reporter.in_lines(item.source):
                    self.reporter.frame(item.source, record)
                elif self.reporter.as_json:
                    kept.append(record)
                if overlay is not None:
                    overlay.add(frame)
                summary.add(frame)
                count += 1
                frames(frame.index + 1, video.info.frame_count)
        return {
            "file": item.source,
            "frames": kept,
            "frame_count": count,
            "summary": summary_record(summary.classes(), self.search.has_boxes, tracks),
            "notes": list(overlay.notes) if overlay is not None else [],
            "seconds": round(time.perf_counter() - started, 4),
        }

    def _whether_tracks(self) -> tuple[bool, list[str]]:
        """And a note where objects could have numbers, but the library is not here."""
        from wavenetmv.video_analysis import check_library

        if self.tracks is not None or not self.search.has_boxes:
            return bool(self.tracks), []
        try:
            check_library()
        except UsageFault as error:
            return False, [f"objects are not numbered: {error}"]
        return True, []

    @contextmanager
    def _drawing(self, item: Item, video: VideoAnalyzer) -> Iterator[Overlay | None]:
        """What draws the frames; None where nothing is to be drawn."""
        from wavenetmv.video_analysis import Overlay

        if not self.overlay:
            yield None
            return
        overlay = Overlay(item.target, video.info, every=self.every, force=self.force)
        with batch.new_folder(item), overlay:
            yield overlay

    def _check_target(self, item: Item) -> None:
        if item.target == STDIO:
            raise UsageFault("standard output carries the results; name a file for -o")
        batch.check_output(item, self.force)
