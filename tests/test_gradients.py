"""Colour ramps fitted to sums over regions, and drawings that use them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layervec import Settings, ramps, raster, slopes, stops, vectorize
from layervec.optimize import Fit, optimize, solve_colours
from layervec.types import LINEAR, SOLID, LinearGradient, Outline, RadialGradient, Ramps, Solid, Stop


def sums(pixels):
    h, w, _ = pixels.shape
    places = slopes.place_columns(pixels.astype(np.float32)).reshape(h * w, -1)
    return np.array([float(h * w)]), pixels.reshape(h * w, 3).sum(0)[None], places.sum(0)[None]


def ramped(h, w, angle, low, high, noise=0.0):
    """A picture that changes from colour low to high along one direction."""
    y, x = np.mgrid[0.5:h, 0.5:w]
    t = np.cos(angle) * x + np.sin(angle) * y
    t = (t - t.min()) / np.ptp(t)
    pixels = np.asarray(low) + t[..., None] * (np.asarray(high) - np.asarray(low))
    return pixels + np.random.default_rng(0).normal(0, noise, pixels.shape)


def test_rows_of_paints_are_those_paints():
    stops = (Stop(0.25, 0.5, 0.25, 1), Stop(0.5, 0, 1, 0.75), Stop(1, 1, 1, 0))
    paints = [
        Solid(0.25, 0.5, 1, 0.5),
        LinearGradient((1, 2), (3, 5), stops, 0.5),
        RadialGradient((4, 5), 6, stops[:2]),
    ]
    flat, found = ramps.rows(paints)
    assert [ramps.paint(flat, found, i) for i in range(3)] == paints
    assert ramps.rows(paints[:1])[1] is None


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 2 * np.pi), st.integers(12, 60), st.integers(12, 60))
def test_finds_direction_and_colours(angle, h, w):
    pixels = ramped(h, w, angle, [0.2, 0.8, 0.3], [0.7, 0.1, 0.5], noise=0.01)
    area, colours, places = sums(pixels)
    found = slopes.fit(area, colours, places)
    assert abs(found.direction[0] @ [np.cos(angle), np.sin(angle)]) > 0.99
    square = np.array([(pixels**2).sum()])
    left = slopes.error(square, area, colours, places, found)[0]
    assert left == pytest.approx(h * w * 3 * 0.01**2, rel=0.4)
    flat = ((pixels - pixels.mean((0, 1))) ** 2).sum()
    assert slopes.saved(area, colours, places)[0] == pytest.approx(flat - left, rel=0.02)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_ramp_is_better_than_the_one_that_is_fitted(seed):
    random = np.random.default_rng(seed)
    pixels = random.random((9, 7, 3))
    area, colours, places = sums(pixels)
    square = np.array([(pixels**2).sum()])
    best = slopes.fit(area, colours, places)
    error = slopes.error(square, area, colours, places, best)[0]
    for _ in range(10):
        turned = best.direction[0] + random.normal(0, 0.3, 2)
        turned /= np.linalg.norm(turned)
        slope = best.slope * (1 + random.normal(0, 0.2))
        other = slopes.Slopes(best.centre, best.colour, slope, turned[None], best.deviation)
        # Regularised by the extent of a pixel, hence the margin.
        assert error <= slopes.error(square, area, colours, places, other)[0] * 1.02


def test_plain_regions_have_nothing_to_save():
    area, colours, places = sums(np.full((8, 9, 3), 0.4))
    assert slopes.saved(area, colours, places)[0] == pytest.approx(0.0, abs=1e-6)


def test_linear_gradients_run_downwards_and_cover_the_region():
    found = slopes.linear(slopes.fit(*sums(ramped(40, 20, np.pi / 2, [0, 0, 0], [1, 1, 1]))))
    x0, y0, x1, y1 = found.axis[0]
    assert x0 == pytest.approx(10, abs=0.1)
    assert x1 == pytest.approx(10, abs=0.1)
    assert y0 == pytest.approx(0.4, abs=1)
    assert y1 == pytest.approx(39.6, abs=1)
    assert (found.colours[0, 0] < 0.05).all()
    assert (found.colours[0, -1] > 0.95).all()


def row(kind, colours):
    offsets = np.array([[0, 0.5, 1, 1]], np.float32)
    return Ramps(np.array([kind], np.int8), np.array([[1, 2, 3, 8]], np.float32), offsets, np.float32([colours]))


def test_stops_that_do_not_show_go():
    straight = row(LINEAR, [[0, 0, 0], [0.5, 0.5, 0.505], [1, 1, 1], [1, 1, 1]])
    bent = row(LINEAR, [[0, 0, 0], [0.9, 0.5, 0.5], [1, 1, 1], [1, 1, 1]])
    plain = row(LINEAR, [[0.5, 0.5, 0.5], [0.505, 0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]])
    paints = np.array([[0.5, 0.5, 0.5, 1.0]])
    two, three, none = (ramps.paint(paints, ramps.simplified(each), 0) for each in (straight, bent, plain))
    assert isinstance(two, LinearGradient)
    assert isinstance(three, LinearGradient)
    assert [stop.offset for stop in two.stops] == [0, 1]
    assert [stop.offset for stop in three.stops] == [0, 0.5, 1]
    assert none == Solid(0.5, 0.5, 0.5)


def sheet(ramp, h=40, w=60, paints=((0.5, 0.5, 0.5, 1.0),)):
    """One shape that is all of the canvas, filled with a gradient."""
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float64)
    ends = np.roll(corners, -1, axis=0)
    points = np.stack([corners, corners + (ends - corners) / 3, ends - (ends - corners) / 3], axis=1)
    outline = Outline(points.reshape(-1, 2), np.array([0, 12]), np.ones(4, bool))
    return Fit((outline,), np.array(paints), ramp)


def across(w, colours, offsets=(0, 1 / 3, 2 / 3, 1)):
    axis = np.array([[0, 0, w, 0]], np.float32)
    return Ramps(np.array([LINEAR], np.int8), axis, np.float32([offsets]), np.float32([colours]))


def planar(pixels):
    return np.ascontiguousarray(np.moveaxis(pixels, 2, 0), dtype=np.float32)


def test_stops_that_are_not_worth_their_bytes_go():
    light, middle, dark = [0.8, 0.8, 0.8], [0.55, 0.5, 0.5], [0.2, 0.2, 0.2]
    bent = sheet(across(60, [light, [0.68, 0.65, 0.65], middle, dark]))
    found = stops.thinned(bent, 60, 40, gradient_price=4.0)
    kept = ramps.paint(found.paints, found.ramps, 0)
    assert [stop.offset for stop in kept.stops] == pytest.approx([0, 2 / 3, 1])
    before, after = (raster.render(fit.scene(), 60, 40)[..., :3] for fit in (bent, found))
    assert 0 < ((before - after) ** 2).sum() < stops.STOP_PRICE


def test_a_stop_far_from_all_that_shows_goes():
    """The bend lies beyond the canvas."""
    fit = sheet(across(180, [[0.2] * 3, [0.4] * 3, [0.9, 0.1, 0.1], [0.8] * 3]))
    found = stops.thinned(fit, 60, 40, gradient_price=1.0)
    assert len(ramps.paint(found.paints, found.ramps, 0).stops) == 2
    before, after = (raster.render(each.scene(), 60, 40)[..., :3] for each in (fit, found))
    np.testing.assert_allclose(before, after, atol=0.02)


def test_gradients_that_do_not_pay_become_the_mean_of_what_shows():
    faint = sheet(across(60, [[0.5] * 3, [0.51] * 3, [0.52] * 3, [0.53] * 3]))
    spread = ((np.linspace(0.5, 0.53, 60) - 0.515) ** 2).sum() * 40 * 3
    assert stops.thinned(faint, 60, 40, gradient_price=0.9 * spread).ramps.kind[0] == LINEAR
    found = stops.thinned(faint, 60, 40, gradient_price=1.1 * spread)
    assert found.ramps.kind[0] == SOLID
    np.testing.assert_allclose(found.paints[0], [0.515, 0.515, 0.515, 1], atol=2e-3)


def test_stops_move_to_where_the_picture_bends():
    light, dark = [0.9, 0.8, 0.7], [0.2, 0.1, 0.3]
    target = raster.render(sheet(across(60, [dark, light, dark, dark], (0, 0.55, 0.8, 1))).scene(), 60, 40)[..., :3]
    start = sheet(across(60, [dark, dark, light, dark]))
    found = optimize(start, planar(target), 40, threads=1)
    first, last = (
        ((raster.render(fit.scene(), 60, 40)[..., :3] - target) ** 2).sum()
        for fit in (solve_colours(start, planar(target), threads=1), found)
    )
    assert last < first / 3
    assert (np.diff(found.ramps.offsets) > 0).all()
    assert np.abs(found.ramps.offsets - start.ramps.offsets).max() > 0.05


def test_gradients_stay_within_the_colours_that_they_may_have():
    """The last stop lies beyond the sheet, where no pixel says what it should be."""
    target = planar(np.full((40, 60, 3), 0.5, np.float32))
    start = sheet(across(60, [[0.5] * 3, [0.5] * 3, [0.5] * 3, [0.9, 0.0, 0.0]], (0, 0.3, 0.6, 1)))
    within = np.array([[[0.4] * 3, [0.6] * 3]], np.float32)
    start = replace(start, ramps=replace(start.ramps, axis=np.array([[0, 20, 400, 20]], np.float32)))
    assert np.abs(solve_colours(start, target, threads=1).ramps.colours - 0.5).max() > 0.3
    for found in (solve_colours(start, target, threads=1, within=within), optimize(start, target, 5, within=within)):
        assert (found.ramps.colours >= np.float32(0.4)).all()
        assert (found.ramps.colours <= np.float32(0.6)).all()


def shaded():
    """A sky, and a ball before it, both shaded softly."""
    picture = ramped(96, 120, np.pi / 2, [0.2, 0.3, 0.8], [0.95, 0.8, 0.6])
    y, x = np.mgrid[0.5:96, 0.5:120]
    ball = (x - 60) ** 2 + (y - 50) ** 2 < 28**2
    picture[ball] = ramped(96, 120, 0.3, [0.1, 0.4, 0.1], [0.6, 1.0, 0.5])[ball]
    return picture.astype(np.float32)


def test_gradients_need_fewer_shapes():
    def psnr(gradients):
        result = vectorize(shaded(), Settings(paths=4, quality="draft", gradients=gradients))
        from layervec.score import score

        return result, score(result.svg, shaded()).psnr

    (flat, flat_psnr), (graded, graded_psnr) = psnr("off"), psnr("auto")
    assert "Gradient" not in flat.svg
    assert "linearGradient" in graded.svg
    assert graded_psnr > flat_psnr + 6


def test_plain_colours_get_no_gradients():
    picture = np.zeros((60, 80, 3), np.float32)
    picture[10:40, 10:50] = [0.9, 0.2, 0.2]
    assert "Gradient" not in vectorize(picture, Settings(paths=8, quality="draft", gradients="on")).svg


def test_dropping_weak_shapes_in_the_end_does_no_harm():
    """Without some of its shapes this picture's others were stacked anew, and 11 dB were lost."""
    from layervec.score import score

    picture = Path(__file__).parent.parent / "examples" / "stilllife.png"
    seen = []
    result = vectorize(
        picture,
        Settings(quality="draft", gradients="auto"),
        on_event=lambda event: seen.append(event.psnr) if event.stage == "refine" and event.psnr else None,
    )
    assert score(result.svg, picture).psnr > seen[-1] - 1.0
