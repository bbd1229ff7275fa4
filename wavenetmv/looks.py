"""Looks at the frames of a video: at every so many, and there only where something has changed.

pixels -> small picture -> cells that differ from when they were looked at -> the part of the frame
round them -> FrameCodec.seen -> Focus -> pasted into what is known

A look takes as long as half a frame, and where nothing changes it finds what it found before.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from torch import Tensor

from wavenetmv.frame_codec import Focus, FrameCodec, Look, shared_tensor
from wavenetmv.models.heads import LATENT_STRIDE
from wavenetmv.types import DROP_CELL

_EVERY = 4  # frames; half as many looks cost bits (docs/decisions/0028)
_REDUCTION = 8  # pixels a side that one of the small picture stands for: noise is gone there
_CHANGE = 4.0  # of one of its values, 0..255, that makes a look worthwhile
_CELL = LATENT_STRIDE * DROP_CELL  # pixels a side
_SMALL_CELL = _CELL // _REDUCTION
_HALO = 2  # cells round those that are looked at, as tiles have them
_MOST = 0.6  # of all cells; rather than at more of them, a look goes at the whole

Pixels = npt.NDArray[np.uint8]
Region = tuple[slice, slice]  # rows and columns of cells


class Looks:
    """At the frames of one video, in order."""

    def __init__(self, frames: FrameCodec, focus: Focus) -> None:
        self._frames, self._focus = frames, focus
        self._age = 0  # frames since the last look
        self._known: Look | None = None

    def begin(self, pixels: Pixels) -> None:
        """Every frame begins with it: uint8 [H, W, 3]."""
        self._pixels = pixels
        self._age += 1

    def at_latents(self, y_hat: Tensor) -> Look:
        """As `frame_codec.Focus`; between looks, what is known."""
        if self._known is None or self._age >= _EVERY:
            return self.anew(y_hat)
        return self._known

    def anew(self, y_hat: Tensor) -> Look:
        """As `frame_codec.Focus`, whatever is known: a scene may have begun."""
        self._known, self._seen = self._focus(y_hat), _small(self._pixels)
        self._age = 0
        return self._known

    def at_pixels(self) -> Look:
        """For frames without latents that a head could see."""
        if self._known is None:
            return self.anew(self._frames.seen(self._pixels))
        if self._age >= _EVERY:
            self._known, self._age = self._with_changes(self._known), 0
        return self._known

    def _with_changes(self, known: Look) -> Look:
        """`known`, looked at anew where the frame differs from what was seen then."""
        now = _small(self._pixels)
        change = (now - self._seen).abs().amax(0)[None]
        cells = F.max_pool2d(change, _SMALL_CELL, ceil_mode=True)[0].numpy() >= _CHANGE
        if not cells.any():
            return known
        changed, region = _around(cells, 0), _around(cells, _HALO)
        if cells[region].size > _MOST * cells.size:
            return self.anew(self._frames.seen(self._pixels))
        look = self._focus(self._frames.seen(self._pixels[_scaled(region, _CELL)]))
        rows, columns = _scaled(changed, _SMALL_CELL)
        self._seen[:, rows, columns] = now[:, rows, columns]
        return _pasted(look, region, known, changed)


def _small(pixels: Pixels) -> Tensor:
    """Means of squares, [3, ceil(H / 8), ceil(W / 8)], 0..255."""
    planes = shared_tensor(pixels).permute(2, 0, 1).float()
    return F.avg_pool2d(planes, _REDUCTION, ceil_mode=True)


def _around(cells: npt.NDArray[np.bool_], halo: int) -> Region:
    """The rectangle of all that are true, and `halo` more on each side."""
    sides = []
    for axis, size in enumerate(cells.shape):
        places = np.flatnonzero(cells.any(1 - axis))
        sides.append(slice(max(0, places[0] - halo), min(size, places[-1] + 1 + halo)))
    return sides[0], sides[1]


def _scaled(region: Region, by: int) -> Region:
    rows, columns = (slice(each.start * by, each.stop * by) for each in region)
    return rows, columns


def _pasted(look: Look, region: Region, known: Look, changed: Region) -> Look:
    """`known`, with what `look` at a `region` of the frame says of the cells that `changed`."""
    rows, columns = (
        slice(inner.start - outer.start, inner.stop - outer.start)
        for inner, outer in zip(changed, region, strict=True)
    )
    drops = known.drops.copy()
    drops[changed] = look.drops[rows, columns]
    if known.leniency is None or look.leniency is None:
        return replace(known, drops=drops, leniency=None)
    leniency = known.leniency.clone()
    of_cells = _scaled((rows, columns), DROP_CELL)
    leniency[_scaled(changed, DROP_CELL)] = look.leniency[of_cells]
    return replace(known, drops=drops, leniency=leniency)
