"""Strips thinner than a pixel that only mix tones are filled or cut off; what the picture has stays."""

from __future__ import annotations

import numpy as np
import pytest

from layervec import raster, slivers
from layervec.curves import fit as traced
from layervec.curves import self_crossings, signed_area
from layervec.curves.untangle import TOLERANCE
from layervec.fine import ZOOM, Fine
from layervec.optimize import Fit
from layervec.types import Float32, Outline, Ramps

SIDE = 32  # px
RED, GREY, LIGHT, BLACK = (0.9, 0.1, 0.1), (0.45, 0.45, 0.45), (0.6, 0.6, 0.6), (0.0, 0.0, 0.0)


def polygon(*nodes: tuple[float, float]) -> Outline:
    corners = np.array(nodes, dtype=float)
    step = np.roll(corners, -1, 0) - corners
    points = np.stack([corners, corners + step / 3, corners + step * 2 / 3], 1).reshape(-1, 2)
    return Outline(points, np.array([0, len(points)]), np.ones(len(nodes), dtype=bool))


def box(left: float, top: float, right: float, bottom: float) -> Outline:
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def painted(*shapes: tuple[Outline, tuple[float, float, float]]) -> Fit:
    return Fit(tuple(outline for outline, _ in shapes), np.array([(*colour, 1.0) for _, colour in shapes]))


def target(fit: Fit) -> Float32:
    return np.ascontiguousarray(np.moveaxis(raster.render(fit.scene(), SIDE, SIDE)[..., :3], 2, 0))


def seams(fit: Fit, wanted: Float32) -> int:
    strange, _ = Fine.of(fit, wanted).look()
    return int((strange >= slivers.SEAM).sum())


GROUND = box(0, 0, SIDE, SIDE)
HALVES = (box(0, 0, 16, SIDE), GREY), (box(16, 0, SIDE, SIDE), LIGHT)
PICTURE = painted(*HALVES)


@pytest.mark.parametrize("gap", [0.3, 0.8])
def test_a_slit_between_neighbours_is_filled(gap):
    pulled = painted((GROUND, RED), (box(0, 0, 16 - gap / 2, SIDE), GREY), (box(16 + gap / 2, 0, SIDE, SIDE), LIGHT))
    wanted = target(PICTURE)
    assert seams(pulled, wanted) > 100
    mended = slivers.without(pulled, wanted, 0.0)
    assert seams(mended, wanted) == 0
    assert mended.outlines[0] is pulled.outlines[0]
    assert np.abs(target(mended) - wanted).max() < 0.1
    assert not self_crossings(mended.outlines, TOLERANCE).any()


def test_a_spike_is_cut_off_and_its_body_stays():
    spiked = painted(*HALVES, (polygon((4, 10), (9, 10), (9, 12), (28, 12.5), (9, 12.9), (9, 16), (4, 16)), RED))
    body = painted(*HALVES, (box(4, 10, 9, 16), RED))
    wanted = target(body)
    mended = slivers.without(spiked, wanted, 0.0)
    assert seams(spiked, wanted) > 20
    assert seams(mended, wanted) == 0
    assert signed_area(mended.outlines[2]) == pytest.approx(30, abs=2)


def test_what_lies_beyond_the_canvas_keeps_bending_what_shows():
    spiked = polygon((-2, 4), (34, 4), (34, 10), (16.4, 10), (16.2, 28), (16, 10), (-2, 10))
    spiked.points[1:3, 1] = -40
    spiked.straight[0] = False
    body = polygon((-2, 4), (34, 4), (34, 10), (-2, 10))
    body.points[1:3, 1] = -40
    body.straight[0] = False
    wanted = target(painted(*HALVES, (body, RED)))
    mended = slivers.without(painted(*HALVES, (spiked, RED)), wanted, 0.0)
    assert signed_area(mended.outlines[2]) < signed_area(spiked) - 1
    assert np.abs(target(mended) - wanted)[:, :9].max() < 0.01


def test_a_thin_line_of_the_picture_stays():
    lined = painted(*HALVES, (box(4, 15.7, 28, 16.4), RED))
    assert slivers.without(lined, target(painted(*HALVES, (box(4, 15, 28, 17), RED))), 0.0) is lined


def test_what_would_cost_too_much_stays():
    """Black on white does for a line that is fainter, but a line: without it there would be none."""
    white = GROUND, (1.0, 1.0, 1.0)
    thin = painted(white, (box(4, 15.5, 28, 16), BLACK))
    wanted = target(painted(white, (box(4, 15, 28, 16), (0.5, 0.5, 0.5))))
    assert seams(thin, wanted) > 50
    assert slivers.without(thin, wanted, 0.0).outlines[1].points.tolist() == thin.outlines[1].points.tolist()


def test_no_more_is_mended_than_has_to_be():
    slit = (box(0, 0, 15.8, SIDE), GREY), (box(16.2, 0, SIDE, SIDE), LIGHT)
    spike = polygon((4, 10), (9, 10), (9, 12), (14, 12.5), (9, 12.9), (9, 16), (4, 16)), RED
    both, wanted = painted((GROUND, RED), *slit, spike), target(painted(*HALVES, (box(4, 10, 9, 16), RED)))
    assert slivers.without(both, wanted, 1.0) is both
    _, beside = Fine.of(both, wanted).look()
    mended = slivers.without(both, wanted, (seams(both, wanted) - 1) / beside)
    changed = [a is not b for a, b in zip(mended.outlines, both.outlines, strict=True)]
    assert sum(changed) == 1


def test_a_slit_beside_a_gradient_is_filled():
    pulled = painted((GROUND, RED), (box(0, 0, 15.7, SIDE), GREY), (box(16.3, 0, SIDE, SIDE), LIGHT))
    stops = np.tile(np.array([0.4, 0.5, 0.5, 0.5], np.float32)[:, None], (3, 1, 3))
    axis = np.tile(np.array([0, 0, 0, SIDE], np.float32), (3, 1))
    offsets = np.tile(np.array([0, 1, 1, 1], np.float32), (3, 1))
    pulled = Fit(pulled.outlines, pulled.paints, Ramps(np.array([0, 1, 0], np.int8), axis, offsets, stops))
    whole = Fit((GROUND, HALVES[0][0], HALVES[1][0]), pulled.paints, pulled.ramps)
    mended = slivers.without(pulled, target(whole), 0.0)
    assert seams(pulled, target(whole)) > 100
    assert seams(mended, target(whole)) == 0


def test_translucent_drawings_stay():
    pulled = painted((GROUND, RED), (box(0, 0, 15.7, SIDE), GREY), (box(16.3, 0, SIDE, SIDE), LIGHT))
    pulled.paints[1, 3] = 0.5
    assert slivers.without(pulled, target(PICTURE), 0.0) is pulled


@pytest.mark.parametrize("seed", range(4))
def test_fine_pixels_show_what_the_rasteriser_draws(seed):
    random = np.random.default_rng(seed)
    masks = [random.random((SIDE // 4, SIDE // 4)).repeat(4, 0).repeat(4, 1) > 0.6 for _ in range(3)]
    fit = Fit(tuple(traced(mask, 1.0) for mask in masks), np.array([(*RED, 1.0), (*GREY, 1.0), (*BLACK, 1.0)]))
    fine = Fine.of(fit, np.ones((3, SIDE, SIDE), np.float32))
    large = Fit(tuple(outline.scaled(ZOOM, ZOOM) for outline in fit.outlines), fit.paints)
    drawn = raster.render(large.scene(), ZOOM * SIDE, ZOOM * SIDE)
    shown = drawn[..., :3] + (1 - drawn[..., 3:])
    wrong = (np.abs(shown * 255 - fine.shown[..., :3]).max(axis=2) > 2).mean()
    assert wrong < 0.1  # antialiased borders
    alone = raster.render(large.only(np.array([2])).scene(), ZOOM * SIDE, ZOOM * SIDE)[..., 3]
    assert ((fine.owner == 2) == (alone > 0.5)).mean() > 0.998
    hidden = fine.below[fine.owner == 2]
    assert set(np.unique(hidden)) <= {-1, 0, 1}
