"""Sequences that live on from step to step, each coded from what the codec made of it before.

Errors of a codec add up over the frames of a group, so its networks must meet references
that are many frames old.  Here many sequences are under way at once; a step advances some of
them by one frame, and the next step others: so its samples differ in content and in age,
and gradients need not reach back in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wavenetmv.models.codec_model import CodecModel
from wavenetmv.training.batches import POSITION_MAX, as_input, even_positions
from wavenetmv.training.clips import Frames, SequenceSource
from wavenetmv.training.stage_config import StageConfig

_STREAMS_PER_SAMPLE = 4  # under way for each one that a step advances
# Share of the run -> frames of the longest sequences: young networks spoil old references.
_GROWTH = ((0.0, 4), (0.1, 12), (0.25, 32))
_INTRA_BONUS = 1.0  # octaves of lambda that first frames are better by, at most


@dataclass(frozen=True)
class InterSamples:
    """Frames of several sequences, each with what the codec made of the frame before.

    frames       [B, 3, H, W] in [0, 1]
    references   the decoded frames before, alike, of 8 bits
    latents      their y_hat [B, M, H/16, W/16] in quantiser steps
    after_intra  bool [B]: the frame before is its sequence's first
    block        int [B]: for whom, as in models/gains.py
    keep         takes the decoded frames, x_hat, and their latents, for the step that needs
                 them; a frame is rounded to 8 bits as a decoder keeps it
    """

    frames: Tensor
    references: Tensor
    latents: Tensor
    after_intra: Tensor
    block: Tensor
    keep: Callable[[Tensor, Tensor], None]


@dataclass
class _Stream:
    """One sequence under way: what makes its frames, and what the codec made of the last one.

    seed, length  of the sequence; the same ones make the same frames
    position      on the lambda axis
    block         for whom, as in models/gains.py
    age           frames that are coded
    reference     the last of them, uint8 [3, H, W]
    latents       its y_hat [M, H/16, W/16]
    """

    seed: int
    length: int
    position: float
    age: int = 0
    reference: Tensor | None = None
    latents: Tensor | None = None
    block: int = 0
    frames: Frames | None = field(default=None, repr=False)

    @property
    def has_ended(self) -> bool:
        return self.age == self.length

    def next_frame(self, source: SequenceSource, config: StageConfig) -> Frames:
        if self.frames is None:
            rng = np.random.default_rng(self.seed)
            self.frames = source.sequence(rng, config.crop, self.length, config.min_scale)
        frame: Frames = self.frames[self.age]
        return frame

    def keep(self, x_hat: Tensor, latents: Tensor) -> None:
        self.age += 1
        if not (x_hat.isfinite().all() and latents.isfinite().all()):
            self.age = self.length  # nothing can be coded from this
        self.reference = x_hat.clamp(0, 1).mul(255).round().byte().cpu()
        self.latents = latents.cpu()

    def state(self) -> dict[str, Any]:
        names = ("seed", "length", "position", "age", "reference", "latents", "block")
        return {name: getattr(self, name) for name in names}


class LiveStreams:
    """`Batches` of frames from `source`; `pictures` codes the first of each sequence.

    blocks  whom sequences are coded for, in turns, as in models/gains.py
    """

    def __init__(
        self, source: SequenceSource, pictures: CodecModel, blocks: Sequence[int] = (0,)
    ) -> None:
        self._source, self._pictures, self._whom = source, pictures, tuple(blocks)
        self._streams: list[_Stream] = []

    def draw(
        self, rng: np.random.Generator, config: StageConfig, share: float, device: torch.device
    ) -> tuple[InterSamples, Tensor]:
        """The next frames of `config.batch` sequences, and their positions."""
        positions = even_positions(rng, config.batch * _STREAMS_PER_SAMPLE)
        if not self._streams:
            self._streams = [
                _begin(rng, position, share, self._block_of(number))
                for number, position in enumerate(positions)
            ]
        # One of each few neighbours on the lambda axis: a step's lambdas are evenly spread.
        firsts = range(0, len(self._streams), _STREAMS_PER_SAMPLE)
        chosen = [first + int(rng.integers(_STREAMS_PER_SAMPLE)) for first in firsts]
        for number in chosen:
            if self._streams[number].has_ended:
                self._streams[number] = _begin(
                    rng, positions[number], share, self._block_of(number)
                )
        streams = [self._streams[number] for number in chosen]
        if fresh := [stream for stream in streams if not stream.age]:
            self._code_first(fresh, rng, config, device)
        frames = np.stack([stream.next_frame(self._source, config) for stream in streams])
        return _samples(streams, as_input(frames, device)), _positions(streams, device)

    def _block_of(self, stream: int) -> int:
        """The samples of a step take turns."""
        return self._whom[stream // _STREAMS_PER_SAMPLE % len(self._whom)]

    def _code_first(
        self,
        streams: list[_Stream],
        rng: np.random.Generator,
        config: StageConfig,
        device: torch.device,
    ) -> None:
        frames = np.stack([stream.next_frame(self._source, config) for stream in streams])
        bonus = torch.from_numpy(rng.random(len(streams))).float().to(device) * _INTRA_BONUS
        position = (_positions(streams, device) + bonus).clamp(max=POSITION_MAX)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, config.bfloat16):
            coded = self._pictures(as_input(frames, device), position, _blocks(streams, device))
        _keep(streams, coded.x_hat, coded.y_hat)

    def state_dict(self) -> dict[str, Any]:
        return {"streams": [stream.state() for stream in self._streams]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._streams = [_Stream(**stream) for stream in state.get("streams", ())]


def longest_at(share: float) -> int:
    """Frames of the longest sequences that begin when `share` (0..1) of a run is done."""
    return next(frames for start, frames in reversed(_GROWTH) if share >= start)


def _begin(rng: np.random.Generator, position: float, share: float, block: int) -> _Stream:
    longest = longest_at(share)
    length = int(rng.integers(max(2, longest // 2), longest + 1))
    return _Stream(int(rng.integers(2**62)), length, float(position), block=block)


def _samples(streams: list[_Stream], frames: Tensor) -> InterSamples:
    def together(tensors: Iterable[Tensor | None]) -> Tensor:
        return torch.stack([each for each in tensors if each is not None]).to(frames.device)

    return InterSamples(
        frames,
        together(stream.reference for stream in streams).float().div_(255),
        together(stream.latents for stream in streams),
        torch.tensor([stream.age == 1 for stream in streams], device=frames.device),
        _blocks(streams, frames.device),
        partial(_keep, streams),
    )


def _keep(streams: list[_Stream], decoded: Tensor, latents: Tensor) -> None:
    for stream, x_hat, y_hat in zip(streams, decoded, latents, strict=True):
        stream.keep(x_hat, y_hat)


def _positions(streams: list[_Stream], device: torch.device) -> Tensor:
    return torch.tensor([stream.position for stream in streams], device=device)


def _blocks(streams: list[_Stream], device: torch.device) -> Tensor:
    return torch.tensor([stream.block for stream in streams], device=device)
