from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.heads import coffee_head
from wavenetmv.models.resampling import fit_short_side, resample, resampling_matrix


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((256, 256), (16, 16)), ((480, 640), (16, 21)), ((768, 512), (24, 16)), ((90, 60), (24, 16))],
)
def test_the_short_side_fits(size, wanted):
    assert fit_short_side(size, 16) == wanted


def test_very_long_pictures_stay_small():
    assert fit_short_side((1, 100_000), 16) == (1, 64)
    assert fit_short_side((3000, 500), 16) == (64, 11)


@pytest.mark.parametrize("size", [(16, 16), (9, 30), (30, 9), (24, 24)])
def test_whole_extents_are_antialiased_bilinear(size):
    x = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(x, size, mode="bilinear", antialias=True)
    assert torch.allclose(resample(x, (24, 24), size), expected, atol=1e-5)


def test_same_scale_changes_nothing():
    x = torch.randn(1, 2, 20, 12, generator=torch.Generator().manual_seed(1))
    assert torch.equal(resample(x, (16, 11), (16, 11)), x[:, :, :16, :11])


@pytest.mark.parametrize("extent", [0.1, 3.4, 7.9, 8.0])
def test_padding_beyond_the_extent_counts_for_nothing(extent):
    weights = resampling_matrix(8, extent, 5)
    assert torch.allclose(weights.sum(1), torch.ones(5))
    assert (weights >= 0).all()
    assert (weights[:, torch.arange(8) >= extent] == 0).all()


def test_a_straight_line_stays_straight():
    line = torch.arange(12.0)[None, None, :, None].expand(1, 1, 12, 4)
    out = resample(line, (9.0, 4.0), (3, 4))[0, 0, :, 0]
    assert out[1] == pytest.approx(4.0, abs=1e-5)  # the middle of nine
    assert torch.all(out.diff() > 2)


@pytest.mark.parametrize("size", [(1, 1), (40, 90), (500, 130), (64, 1200)])
def test_classes_of_any_shape_of_picture(size):
    head = coffee_head()
    h, w = (4 * -(-side // 64) for side in size)
    y_hat = torch.randn(1, 16, h, w, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        logits = head(y_hat, size)
        positions = head.features(y_hat, size).c16.shape[2:]
    assert logits.shape == (1, 1000)
    assert torch.isfinite(logits).all()
    assert tuple(positions) == tuple(-(-side // 8) for side in fit_short_side(size, 128))
