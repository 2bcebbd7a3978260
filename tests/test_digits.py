"""Coordinates are written in as few digits as the picture allows, and no fewer."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import canvas, circle, polygon, star_nodes

from layervec import raster
from layervec.curves import self_crossings
from layervec.digits import MOST_TILT, Grid, shortened
from layervec.optimize import Fit, optimize
from layervec.types import Outline

WIDTH, HEIGHT = 72, 60
TENTHS = Grid((1.0, 1.0), 1)
WHITE, GREY, RED, DARK = (1.0, 1.0, 1.0, 1.0), (0.97, 0.97, 0.97, 1.0), (0.8, 0.1, 0.1, 1.0), (0.1, 0.1, 0.3, 1.0)


def on_ground(*shapes):
    """Shapes, as outlines and paints, on a white canvas."""
    outlines, paints = zip((canvas(WIDTH, HEIGHT), WHITE), *shapes, strict=True)
    return Fit(outlines, np.array(paints))


def points_of(fit):
    return np.concatenate([outline.points for outline in fit.outlines])


def share_of_last(fit, short):
    """Share of coordinates of the last shape, as far as they are written, that are short."""
    outline = fit.outlines[-1]
    written = np.stack([np.ones_like(outline.straight), ~outline.straight, ~outline.straight], axis=1).ravel()
    return short[-len(written) :][written].mean()


def loss(fit, like):
    target = np.ascontiguousarray(np.moveaxis(raster.render(like.scene(), WIDTH, HEIGHT)[..., :3], 2, 0))
    return raster.fit_pass(fit.scene(), target).loss


def test_what_is_hidden_is_written_on_whole_numbers():
    star = polygon(star_nodes(35.37, 30.24, 14))
    cover = polygon([(12, 12), (60, 12), (60, 50), (12, 50)])
    covered = Fit((canvas(WIDTH, HEIGHT), star, cover), np.array([WHITE, RED, DARK]))
    short = shortened(covered, TENTHS, WIDTH, HEIGHT, 0.01)[1][len(covered.outlines[0].points) :][: len(star.points)]
    assert short[0::3].all()
    seen, short = shortened(on_ground((star, RED)), TENTHS, WIDTH, HEIGHT, 0.01)
    assert share_of_last(seen, short) < 0.5


def test_the_weaker_a_contrast_the_fewer_the_digits():
    shares = [
        share_of_last(*shortened(on_ground((circle(35.37, 30.24, 15.7), paint)), TENTHS, WIDTH, HEIGHT, 0.005))
        for paint in (DARK, RED, GREY)
    ]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


@pytest.mark.parametrize("scale", [(1.0, 1.0), (4.0, 4.0), (0.5, 0.5)])
@pytest.mark.parametrize("decimals", [1, 2])
def test_short_coordinates_are_on_a_coarser_grid_and_others_where_they_were(scale, decimals):
    fit = on_ground((circle(35.37, 30.24, 15.7), RED), (polygon(star_nodes(30.123, 28.456, 8)), GREY))
    found, short = shortened(fit, Grid(scale, decimals), WIDTH, HEIGHT, 0.02)
    written, handles = points_of(found) * scale, np.repeat(np.concatenate([o.straight for o in fit.outlines]), 3)
    assert short.any()
    np.testing.assert_allclose(written[short], written[short].round(decimals - 1), atol=1e-9)
    long = ~short & ~handles[:, None]
    np.testing.assert_array_equal(points_of(found)[long], points_of(fit)[long])


def test_the_error_grows_by_about_what_was_allowed():
    fit = on_ground((circle(35.37, 30.24, 15.7), RED), (circle(30.21, 27.93, 6.3), DARK))
    for price in (0.002, 0.02):
        found, short = shortened(fit, TENTHS, WIDTH, HEIGHT, price)
        assert loss(found, fit) <= 2 * price * 2 * short.sum()  # two characters each; twice: neighbours add up


def test_nothing_is_free_where_nothing_may_be_lost():
    fit = on_ground((circle(35.37, 30.24, 15.7), RED))
    found, short = shortened(fit, TENTHS, WIDTH, HEIGHT, 0.0)
    np.testing.assert_array_equal(points_of(found)[short], points_of(fit)[short].round(1))


def test_directions_of_handles_stay():
    fit = on_ground((circle(35.37, 30.24, 2.6), GREY))
    found, _ = shortened(fit, TENTHS, WIDTH, HEIGHT, 10.0)
    before, after = fit.outlines[-1].points, found.outlines[-1].points
    turned = []
    for a in (before, after):
        handle = a[1::3] - a[0::3]
        turned.append(np.arctan2(handle[:, 1], handle[:, 0]))
    away = np.abs(np.angle(np.exp(1j * (turned[0] - turned[1]))))
    assert away.max() <= 2 * np.sqrt(2) * MOST_TILT * 1.2


def test_an_outline_that_would_cross_itself_stays():
    thin = polygon([(20.4, 20.4), (50.4, 20.45), (50.4, 20.7), (20.4, 20.6), (20.0, 40.0)])
    folded = Outline(thin.points, thin.starts, thin.straight)
    assert not self_crossings([folded], 0.002).any()
    found, _ = shortened(on_ground((folded, GREY)), TENTHS, WIDTH, HEIGHT, 100.0)
    assert not self_crossings(found.outlines, 0.002).any()


def test_pinned_coordinates_stay_and_the_others_make_up_for_it():
    true = on_ground((polygon(star_nodes(36.37, 31.24, 24)), RED))
    target = np.ascontiguousarray(np.moveaxis(raster.render(true.scene(), WIDTH, HEIGHT)[..., :3], 2, 0))
    rough, short = shortened(true, TENTHS, WIDTH, HEIGHT, 0.05)
    fitted = optimize(rough, target, 40, pinned=short, first_step=0.15)
    assert short[4:].any()
    np.testing.assert_array_equal(points_of(fitted)[short], points_of(rough)[short])
    assert loss(fitted, true) < 0.9 * loss(rough, true)
