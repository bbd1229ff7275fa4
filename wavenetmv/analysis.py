"""A compressed stream to what is in the picture, through the latents: no pixels are computed.

bytes -> PictureCodec.read_latents -> y_hat -> head -> raw -> Head.read -> results
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from wavenetmv.codec import PictureCodec
from wavenetmv.errors import CheckpointError, UsageFault, WmvError
from wavenetmv.models.device import choose_dtype
from wavenetmv.models.head_checkpoints import load_head
from wavenetmv.models.heads import Head, head_class
from wavenetmv.models.layout import channels_last
from wavenetmv.models.registry import HeadInfo, find_head, fitting_head, list_heads, read_head_info
from wavenetmv.types import MAX_PIXELS_DEFAULT, Finding


class Analyzer:
    """Runs one vision head on streams; loads each head once. Safe to use from several threads.

    codec   decodes the latents; its device and threads serve the head too
    task    one of `models.heads.HEADS`
    head    a head file to use instead of those that the streams' weights call for

    Raises UsageFault for an unknown task and CheckpointError for a damaged head file.
    """

    def __init__(
        self, codec: PictureCodec, task: str = "detect", head: HeadInfo | Path | None = None
    ) -> None:
        head = read_head_info(head) if isinstance(head, Path) else head
        self._kind, self._codec, self._own = head_class(task), codec, head
        if head is not None and head.task != task:
            raise UsageFault(f"{head.path}: a head for task {head.task}, not {task}")
        self._dtype = choose_dtype("auto", codec.device)
        self._lock = threading.Lock()
        self._loaded: dict[str, Head] = {}

    @property
    def codec(self) -> PictureCodec:
        return self._codec

    @property
    def task(self) -> str:
        return self._kind.task

    def analyze(
        self,
        data: bytes | BinaryIO,
        threshold: float | None = None,
        max_pixels: int = MAX_PIXELS_DEFAULT,
    ) -> list[Finding]:
        """Results of at least `threshold` (0..1, None for the task's own), best first.

        Boxes are in the picture's coordinates.  Raises StreamError for any damage and
        CheckpointError when the weights or the head of the stream are not there.
        """
        threshold = self.checked(threshold)
        header, y_hat = self._codec.read_latents(data, max_pixels)
        return self.find(y_hat, (header.height, header.width), header.weights_hash, threshold)

    def checked(self, threshold: float | None) -> float:
        """The least score, the task's own in place of None. Raises UsageFault outside 0..1."""
        if threshold is None:
            threshold = self._kind.threshold
        if not 0 <= threshold <= 1:
            raise UsageFault(f"threshold must be in 0..1, got {threshold:g}")
        return threshold

    def find(
        self,
        y_hat: Tensor,
        size: tuple[int, int],
        weights_hash: bytes,
        threshold: float,
        decoded: bool = False,
    ) -> list[Finding]:
        """Results, as of `analyze`, from latents y_hat [1, M, h, w] of (H, W) pixels.

        weights_hash  of the picture weights whose latents these are, as streams name them
        threshold     as `checked` gives it
        decoded       they were found in decoded pixels; see `registry.fitting_head`
        """
        head = self._load(self._fitting(weights_hash, decoded))
        with torch.inference_mode():
            raw = head(channels_last(y_hat, self._dtype), size)
            return list(head.read(raw, (y_hat.shape[2], y_hat.shape[3]), size, threshold))

    def analyze_many(
        self, streams: Iterable[bytes], threshold: float | None = None
    ) -> Iterator[list[Finding] | WmvError]:
        """Results in the order of `streams`; a stream at fault gives its error and no more."""
        for data in streams:
            try:
                yield self.analyze(data, threshold)
            except WmvError as error:
                yield error

    def encoding_head(self, of_pixels: bool = False) -> Head | None:
        """Of the streams that the codec writes; None if there is none.

        of_pixels  the one for frames that are seen by their decoded pixels, or if there is no
                   other, the same

        Raises CheckpointError if the weights are missing or its file is damaged.
        """
        among = [self._own] if self._own else list_heads()
        info = fitting_head(among, self.task, self._codec.weights.stream_hash, of_pixels)
        return self._load(info) if info else None

    def _fitting(self, weights_hash: bytes, decoded: bool) -> HeadInfo:
        """The head for streams of these weights: another would read noise."""
        if self._own is None:
            return find_head(self._kind.task, weights_hash, decoded)
        if self._own.codec_hash != weights_hash.hex():
            raise CheckpointError(
                f"{self._own.path}: this head reads streams of weights {self._own.codec_hash}, "
                f"the stream has {weights_hash.hex()}"
            )
        return self._own

    def _load(self, info: HeadInfo) -> Head:
        with self._lock:
            if info.sha256 not in self._loaded:
                head = load_head(info).to(self._codec.device, self._dtype)
                self._loaded[info.sha256] = head.to(memory_format=torch.channels_last)
            return self._loaded[info.sha256]
