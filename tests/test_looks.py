"""When an encoder looks at a video, and where."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wavenetmv import looks as module
from wavenetmv.frame_codec import Look
from wavenetmv.looks import Looks

HEIGHT, WIDTH = 500, 740  # 8 x 12 cells of 64 x 64


class Frames:
    """Latents that are the mean of 16 x 16 pixels each, sides padded to whole cells."""

    def seen(self, pixels):
        height, width = pixels.shape[:2]
        padded = np.pad(pixels, ((0, -height % 64), (0, -width % 64), (0, 0)), "edge")
        means = padded.reshape(padded.shape[0] // 16, 16, -1, 16, 3).mean((1, 3, 4))
        return torch.from_numpy(means)[None, None]


class Focus:
    """Counts looks; what it says of a cell is how bright it is, and which look it was."""

    def __init__(self):
        self.sizes = []

    def __call__(self, y_hat):
        self.sizes.append(tuple(y_hat.shape[2:]))
        drops = y_hat[0, 0, ::4, ::4].numpy() // 40
        return Look(drops.astype(np.uint8), torch.full(y_hat.shape[2:], float(len(self.sizes))))


@pytest.fixture
def focus():
    return Focus()


@pytest.fixture
def looks(focus):
    return Looks(Frames(), focus)


def grey(value=100):
    return np.full((HEIGHT, WIDTH, 3), value, np.uint8)


def look_at(looks, *frames):
    """What is known at the last of these."""
    for pixels in frames:
        looks.begin(pixels)
        found = looks.at_pixels()
    return found


def test_every_fourth_frame_if_everything_changes(looks, focus):
    frames = [grey(100 + 5 * number) for number in range(9)]
    look_at(looks, *frames)
    assert focus.sizes == [(32, 48)] * 3


def test_noise_is_no_change(looks, focus):
    noise = np.random.default_rng(0).normal(0, 4, (9, HEIGHT, WIDTH, 3))
    look_at(looks, *(100 + noise).astype(np.uint8))
    assert focus.sizes == [(32, 48)]


def test_only_what_changed_is_looked_at(looks, focus):
    first = look_at(looks, grey())
    assert (first.drops == 2).all()
    changed = grey()
    changed[200:250, 70:130] = 240  # in one row of cells, and two columns
    for _ in range(3):
        assert look_at(looks, changed) is first  # it is not time yet
    found = look_at(looks, changed)
    # Two cells more on each side, as far as there are any.
    assert focus.sizes == [(32, 48), (4 * 5, 4 * 5)]
    there = np.zeros((8, 12), bool)
    there[3, 1:3] = True
    assert (found.leniency.numpy()[::4, ::4] == np.where(there, 2, 1)).all()
    assert found.leniency.shape == (32, 48)
    # As much as a look at the whole would have said.
    whole = Focus()(Frames().seen(changed))
    assert np.array_equal(found.drops, whole.drops)
    assert found.drops[3, 1] != first.drops[3, 1]
    # It is known now.
    assert look_at(looks, *[changed] * 4) is found


def test_changes_add_up_where_nobody_looked(looks, focus):
    """Slowly, so that no two looks differ by much."""
    frames = [grey() for _ in range(13)]
    for number, pixels in enumerate(frames):
        pixels[-30:, -30:] += np.uint8(number // 2)
    look_at(looks, *frames)
    assert len(focus.sizes) == 2


def test_frames_coded_alone_are_seen_as_a_whole(looks, focus):
    corner = grey()
    corner[:20, :20] = 0
    for pixels in (grey(), grey(), corner, corner, corner, corner):
        looks.begin(pixels)
        looks.at_latents(torch.zeros(1, 1, 32, 48))
    assert focus.sizes == [(32, 48)] * 2
    looks.begin(corner)
    looks.anew(torch.zeros(1, 1, 32, 48))
    assert len(focus.sizes) == 3
    look_at(looks, corner, corner, corner)
    assert len(focus.sizes) == 3
    look_at(looks, grey())
    assert focus.sizes[3:] == [(12, 12)]


def test_without_leniency_there_is_none(looks, focus):
    known, part = Look(np.ones((8, 12), np.uint8)), Look(np.full((3, 3), 2, np.uint8))
    region = (slice(0, 3), slice(9, 12))
    found = module._pasted(part, region, known, (slice(0, 1), slice(10, 12)))
    assert found.leniency is None
    assert found.drops.sum() == 8 * 12 + 2
