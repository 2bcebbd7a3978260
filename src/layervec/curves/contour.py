"""One traced contour to one ring of segments, with a ladder of ever more cautious settings.

Refuses to know masks; it only knows one contour's lattice points and the picture's size.
Why a ladder: a free fit of a one-pixel-wide or heavily ragged contour may cross itself or lose its area;
the same fit with less slack follows the pixels more closely, and the lattice polygon, the last rung,
cannot fail. Limit: crossings between two contours are not looked for.
"""

from __future__ import annotations

import numpy as np

from layervec.curves.crossings import crossings
from layervec.curves.cubics import (
    FEW_SAMPLES,
    FINAL_ROUNDS,
    FLAT,
    MANY_SAMPLES,
    TRIAL_ROUNDS,
    choose,
    segments,
)
from layervec.curves.edit import area, bernstein, controls
from layervec.curves.nodes import HARD, candidates
from layervec.curves.polygon import border_points, measure, polygon
from layervec.curves.trace import SURE_RUN, SURE_RUN_PER_TOLERANCE, lattice_polygon, sure_corners
from layervec.types import Bool, Float64, Int32

# Share of the settings on each rung of the ladder.
RUNGS = (1.0, 0.55, 0.3)
# Slack of the polygon (px): a digitised straight line is up to 1 px off the chord of two of its own
# midpoints.
SLACK = 1.0
# A fit may change a contour's area by this share, or by this many px for each px of its length.
AREA_SHARE = 0.25
AREA_PER_LENGTH = 0.25
WEIGHTS = bernstein(8)  # 8 chords a segment when looking for crossings


def sound(points: Float64, lattice_area: float, length: int) -> bool:
    """Tell whether fitted segments are a simple contour of about the right area (px) for its length (px)."""
    cubics = controls(points)
    allowed = min(AREA_SHARE * abs(lattice_area), AREA_PER_LENGTH * length)
    if abs(area(cubics) - lattice_area) > allowed:
        return False
    ring = np.matmul(WEIGHTS, cubics).reshape(-1, 2)
    following = np.concatenate((ring[1:], ring[:1]))
    return not crossings(ring, following).any()


def lined(nodes: Float64) -> Float64:
    """Return the closed polygon with these nodes [k, 2] as segments [3k, 2]."""
    step = (np.concatenate((nodes[1:], nodes[:1])) - nodes) / 3.0
    return np.stack((nodes, nodes + step, nodes + 2.0 * step), 1).reshape(-1, 2)


def around(points: Float64, nodes: Float64, tolerance: float) -> tuple[Float64, Bool]:
    """Choose nodes on a ring of candidates and fit the segments between."""
    twice = np.concatenate((points[:-1], points[:-1]))
    start = int(nodes[:, HARD].argmax())
    steps, price = choose(twice, nodes, start, tolerance, FEW_SAMPLES, TRIAL_ROUNDS)
    if nodes[start, HARD] == 0.0:
        # Nowhere has to be a node; a second start, at a node that the first choice liked, often saves one.
        again = int(steps[len(steps) // 2]) % len(nodes)
        other_steps, other_price = choose(twice, nodes, again, tolerance, FEW_SAMPLES, TRIAL_ROUNDS)
        if other_price < price:
            start, steps = again, other_steps
    flat = FLAT * max(1.0, tolerance)
    fitted, straight = segments(twice, nodes, start, steps, flat, MANY_SAMPLES, FINAL_ROUNDS)
    return fitted, straight


def fit_contour(corners: Int32, width: int, height: int, lattice_area: float, tolerance: float) -> tuple[Float64, Bool]:
    """Fit one contour of a picture of width x height px within `tolerance` px.

    corners: int32 [n, 2], lattice points one step apart. Returns points float64 [3k, 2] and straight bool
    [k].
    """
    for rung in RUNGS:
        within = rung * tolerance
        slack = rung * max(SLACK, tolerance)
        need = max(SURE_RUN, round(SURE_RUN_PER_TOLERANCE * within))
        sure, sides, turns = sure_corners(corners, width, height, need)
        if turns == 4:
            break
        points, knots, follows = border_points(corners, sides, sure)
        vertices, sums = polygon(points, knots, slack)
        if not knots[0] and len(vertices) > 2:
            # The start was a guess. A vertex that the first polygon chose freely is a better one.
            middle = vertices[len(vertices) // 2]
            points = np.concatenate((points[middle:-1], points[: middle + 1]))
            vertices, sums = polygon(points, knots, slack)
        if len(vertices) < 3:
            continue
        table = measure(points, knots, follows, sums, vertices)
        nodes = candidates(points, knots, follows, sums, vertices, table, slack, max(1.0, within))
        if len(nodes) < 2:
            continue
        fitted, straight = around(points, nodes, within)
        if len(straight) > 1 and sound(fitted, lattice_area, len(corners)):
            return fitted, straight
    exact = lattice_polygon(corners)
    return lined(exact), np.ones(len(exact), np.bool_)
