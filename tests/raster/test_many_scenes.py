"""Five hundred generated scenes, degenerate ones above all: kernels against the oracle in value and gradient.

Coordinates too large for the oracle are left to `test_against_reference.py`.
"""

from dataclasses import replace
from itertools import pairwise
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from raster_scenes import polygon, scene

from layervec import raster
from layervec.raster import reference

WIDTH, HEIGHT = 12, 9
TOLERANCE = 0.3  # px; the oracle is slow, and chords that are fewer are no easier

INSIDE = st.floats(-4, 15, width=32)
ALIGNED = st.integers(-3, 14).map(float)
AWAY = st.sampled_from([-200.0, -40.0, 35.0, 60.5, 300.0])
TINY = st.sampled_from([7.0, 7.0 + 1e-6, 7.000005, 7.001, 6.999999])
UNIT = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])


def pairs(coordinate, low, high):
    """Return a strategy for between `low` and `high` points."""
    return st.lists(st.tuples(coordinate, coordinate), min_size=low, max_size=high).map(np.array)


def cubic(points):
    """Return a contour of as many segments as there are thirds of points."""
    return points[: len(points) // 3 * 3]


def seeded(low, high):
    """Return a strategy for `low` to `high` points all over the canvas and beside it: quicker than drawing each."""
    return st.tuples(st.integers(0, 2**32), st.integers(low, high)).map(
        lambda drawn: np.random.default_rng(drawn[0]).uniform(-4, 15, (drawn[1], 2))
    )


CONTOUR = st.one_of(
    seeded(3, 9).map(cubic),  # crosses itself more often than not
    seeded(3, 6).map(cubic),
    seeded(3, 5).map(polygon),
    pairs(ALIGNED, 2, 4).map(polygon),  # on the pixel grid; there and back if it has two corners
    pairs(ALIGNED, 1, 1).map(lambda points: np.repeat(points, 6, axis=0)),  # one point
    seeded(2, 2).map(lambda ends: polygon(ends[[0, 1, 1, 0]])),  # no area
    seeded(1, 3).map(lambda points: np.repeat(points, 3, axis=0)),  # coincident nodes and handles
    pairs(TINY, 3, 6).map(cubic),
    pairs(AWAY, 3, 6).map(cubic),
    st.tuples(INSIDE, INSIDE, st.floats(1e-4, 3)).map(lambda box: polygon(UNIT * box[2] + box[:2])),
)
ALPHA = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1, width=32))


def path(contour):
    return st.tuples(st.lists(contour, min_size=1, max_size=2), ALPHA, st.booleans())


def build(paths):
    """Return the scene of drawn paths; colours are the same for all scenes, as they have no special values."""
    colours = np.random.default_rng(7).random((len(paths), 3))
    paints = [(*colour, alpha) for colour, (_, alpha, _) in zip(colours, paths, strict=True)]
    return scene([contours for contours, _, _ in paths], paints, [even_odd for _, _, even_odd in paths])


def off_the_top(drawn):
    """Return the scene with nothing level on the top border of the canvas, which a test of its own looks at."""
    points = drawn.points.copy()
    points[points[:, 1] == 0, 1] = 0.25
    return replace(drawn, points=points)


SENSE = reference.sense
UPSTREAM = np.random.default_rng(3).normal(size=(HEIGHT, WIDTH, 4))


def unclear(drawn):
    """Return the points of paths whose gradient is left to rounding, and of those whose sense is.

    Gradient: a cell lies nearly, but not exactly, at a kink of the fill rule. Sense: there is no area to speak of.
    """
    kinks, senses = np.zeros(len(drawn.points), bool), np.zeros(len(drawn.points), bool)
    for path in range(len(drawn)):
        own = slice(*drawn.contours[drawn.paths[path : path + 2]])
        chords = reference.flatten(drawn, path, TOLERANCE)
        area = reference.signed_area(chords, WIDTH, HEIGHT)
        off = np.abs(area - np.round(area))
        kinks[own] = ((off > 1e-12) & (off < 1e-4)).any()
        x, y = np.array([chord.ends - chords[0].ends[0] for chord in chords]).transpose(2, 0, 1)
        whole, most = (x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0]).sum(), max(np.abs(x).max(), np.abs(y).max()) ** 2
        senses[own] = np.abs(whole) <= 1e-6 * most
    return kinks, senses


def matches(found, wanted):
    return np.abs(found - wanted).max(initial=0) <= 1e-4 * max(np.abs(wanted).max(initial=0), 1)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(path(CONTOUR), min_size=1, max_size=3).map(build).map(off_the_top))
def test_value_and_gradient_match_the_oracle(drawn):
    image, pull_back = raster.render_with_grad(drawn, WIDTH, HEIGHT, threads=1, tolerance=TOLERANCE)
    found = pull_back(UPSTREAM)
    wanted = reference.gradients(drawn, WIDTH, HEIGHT, UPSTREAM, tolerance=TOLERANCE)
    assert np.abs(image - wanted.image).max() <= 1e-5
    assert matches(found.paints, wanted.paints)
    assert np.isfinite(found.points).all()
    kinks, flat = unclear(drawn)
    assert matches(found.points[~kinks & ~flat], wanted.points[~kinks & ~flat])
    if not matches(found.points[flat & ~kinks], wanted.points[flat & ~kinks]):
        with patch.object(reference, "sense", lambda *some: -SENSE(*some)):
            other = reference.gradients(drawn, WIDTH, HEIGHT, UPSTREAM, tolerance=TOLERANCE)
        for start, end in pairwise(drawn.contours[drawn.paths]):
            either = kinks[start] or matches(found.points[start:end], wanted.points[start:end])
            assert either or matches(found.points[start:end], other.points[start:end])


def test_a_side_on_the_top_border_has_a_gradient():
    drawn = scene([[polygon([(2.3, 0), (9.1, 0), (9.1, 5.2), (2.3, 5.2)])]], [(0, 0, 0, 1)])
    found = raster.render_with_grad(drawn, WIDTH, HEIGHT)[1](UPSTREAM).points
    wanted = reference.gradients(drawn, WIDTH, HEIGHT, UPSTREAM).points
    assert np.abs(found - wanted).max() <= 1e-4


def test_a_side_on_the_left_border_has_a_gradient():
    drawn = scene([[polygon([(0, 2.3), (5.2, 2.3), (5.2, 9.1), (0, 9.1)])]], [(0, 0, 0, 1)])
    found = raster.render_with_grad(drawn, WIDTH, HEIGHT)[1](UPSTREAM).points
    wanted = reference.gradients(drawn, WIDTH, HEIGHT, UPSTREAM).points
    assert np.abs(wanted[:, 0]).max() > 0.1
    assert np.abs(found - wanted).max() <= 1e-4


def test_both_ends_of_a_loop_of_one_segment_count():
    drawn = scene([[np.array([(2.3, 8.1), (13.2, 1.4), (1.1, 0.7)])]], [(0, 0, 0, 1)])
    found = raster.render_with_grad(drawn, WIDTH, HEIGHT)[1](np.ones((HEIGHT, WIDTH, 4))).points
    assert np.abs(found.sum(axis=0)).max() <= 1e-3  # moving the whole loop does not change its area
    assert np.abs(found[0]).max() > 0.1
