"""Ellipses and level lines: told by form, and drawn as such where the picture agrees."""

import math

import numpy as np
import pytest
from pictures import RED, WHITE, as_bytes, averaged, canvas, circle, disc, grid, painted, polygon, star, star_nodes

from layervec import Settings, vectorize
from layervec.curves import primitives
from layervec.curves.primitives import KAPPA, Ellipse
from layervec.optimize import Fit
from layervec.raster import render
from layervec.regular import regular


def turned(angle):
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def drawn(picture, **choices):
    return vectorize(as_bytes(picture), Settings(**{"paths": "auto"} | choices)).drawing.shapes()


def ellipse_cover(height, width, cx, cy, a, b, tilt):
    y, x = grid(height, width)
    local = np.stack([x - cx, y - cy], axis=-1) @ turned(tilt)
    return averaged((local**2 @ [1 / a**2, 1 / b**2]) <= 1)


def rounded_box(height, width, left, top, right, bottom, radius):
    y, x = grid(height, width)
    dx = np.maximum(np.maximum(left + radius - x, x - (right - radius)), 0)
    dy = np.maximum(np.maximum(top + radius - y, y - (bottom - radius)), 0)
    return averaged((np.hypot(dx, dy) <= radius) & (x >= left) & (x <= right) & (y >= top) & (y <= bottom))


def is_regular(outline, contour=0):
    """Tell whether a contour is four cubics with nodes at the ends of two axes and handles of a quarter circle."""
    points = outline.points[outline.starts[contour] : outline.starts[contour + 1]]
    if len(points) != 12:
        return False
    nodes, centre = points[0::3], points[0::3].mean(axis=0)
    across = nodes - centre
    handles = nodes + KAPPA * np.roll(across, -1, axis=0)
    return np.abs(across[0] @ across[1]) < 0.02 * (across[0] ** 2).sum() and np.abs(points[1::3] - handles).max() < 0.25


@pytest.mark.parametrize("segments", [3, 4, 7])
def test_a_circle_is_told_wherever_its_nodes_are(segments):
    found = primitives.ellipse(circle(40.3, 31.2, 20.0, segments).points)
    assert found.axes[0] == found.axes[1]
    np.testing.assert_allclose((*found.centre, found.axes[0]), (40.3, 31.2, 20.0), atol=0.1)


@pytest.mark.parametrize("tilt", [0.0, 0.5, 1.4])
def test_an_ellipse_is_told_with_its_tilt(tilt):
    given = Ellipse((50.0, 40.0), (30.0, 12.0), tilt)
    found = primitives.ellipse(given.points())
    np.testing.assert_allclose((*found.centre, *found.axes), (50, 40, 30, 12), atol=0.1)
    assert abs(math.sin(found.tilt - tilt)) < 0.01


def test_what_is_nearly_upright_is_upright():
    assert primitives.ellipse(Ellipse((50.0, 40.0), (20.0, 12.0), 0.02).points()).tilt == 0.0


def test_a_box_and_a_star_are_no_ellipses():
    assert primitives.ellipse(polygon([(0, 0), (20, 0), (20, 20), (0, 20)]).points) is None
    assert primitives.ellipse(polygon(star_nodes(30, 30, 20)).points) is None


def test_nearly_level_lines_share_what_they_have_in_common():
    outline = polygon([(10, 10.1), (90, 10.3), (90.2, 50), (40, 80)])
    found = primitives.runs(outline)
    assert [(run.axis, run.nodes.tolist()) for run in found] == [(0, [1, 2]), (1, [0, 1])]
    for run in found:
        outline = primitives.levelled(outline, run)
    np.testing.assert_allclose(outline.points[0::3], [(10, 10.1), (90, 10.1), (90, 50), (40, 80)])
    np.testing.assert_allclose(outline.points[1], (10 + 80 / 3, 10.1))


def test_ellipses_settle_on_the_picture_and_what_is_none_stays():
    size = 96
    wanted = np.ascontiguousarray(
        np.moveaxis(painted(WHITE, (disc(size, size, 50, 48, 30), RED)), 2, 0), dtype=np.float32
    )
    fit = Fit((canvas(size, size), circle(49.8, 48.1, 29.8, 5)), np.array([(*WHITE, 1.0), (*RED, 1.0)]))
    made = regular(fit, wanted, 0.65)
    assert made.outlines[0] is fit.outlines[0]
    assert is_regular(made.outlines[1])
    found = primitives.ellipse(made.outlines[1].points)
    np.testing.assert_allclose((*found.centre, found.axes[0]), (50, 48, 30), atol=0.06)
    errors = [((render(f.scene(), size, size)[..., :3].transpose(2, 0, 1) - wanted) ** 2).sum() for f in (fit, made)]
    assert errors[1] < errors[0]


def test_drawn_circles_and_ellipses_come_back_as_such():
    size = 160
    picture = painted(
        WHITE,
        (disc(size, size, 40, 40, 25), RED),
        (ellipse_cover(size, size, 100, 100, 45, 20, 0.5), (0.1, 0.3, 0.7)),
    )
    _, *shapes = drawn(picture)
    assert len(shapes) == 2
    assert all(is_regular(shape.outline) for shape in shapes)


def test_a_rounded_box_has_level_sides():
    _, shape = drawn(painted(WHITE, (rounded_box(120, 160, 20, 30, 140, 90, 15), RED)))
    outline = shape.outline
    ends = outline.points[0::3]
    sides = (np.roll(ends, -1, axis=0) - ends)[outline.straight]
    assert len(sides) >= 4
    long = sides[np.abs(sides).max(axis=1) > 20]
    assert len(long) == 4
    assert (np.abs(long).min(axis=1) == 0).all()


def test_a_star_keeps_its_corners():
    _, shape = drawn(painted(WHITE, (star(160, 160, 80, 80, 60), RED)))
    assert shape.outline.segments == 10
    assert shape.outline.straight.all()
