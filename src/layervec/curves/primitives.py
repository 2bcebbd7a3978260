"""Recognise what is nearly regular in an outline: ellipses and circles, and lines that are nearly level or upright.

Refuses to know pictures: contours in, contours out; whoever asks decides whether the picture agrees. An ellipse is told
by its area's moments, which are exact for one and do not mind where nodes lie. Limit: arcs, rounded corners and
equal sides are not looked for.
https://en.wikipedia.org/wiki/Image_moment, https://spencermortensen.com/articles/bezier-circle/ for the handles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from layervec.curves.edit import SAMPLES, bernstein, controls, thirds
from layervec.types import Bool, Float64, Int64, Outline

KAPPA = 0.5523  # handles of a quarter of a circle, in radii: off by 0.02 % of the radius
OFF = 0.5  # px, most distance of a contour from the ellipse that it is taken for
LEAST_AXIS = 2.0  # px, half; in less, such as the eye of a small letter, nobody sees what it is
OFF_SHARE = 0.1  # of the shorter half axis, likewise; else every speck is an ellipse
UPRIGHT = math.radians(3.0)  # most tilt of an ellipse that is set upright, if it stays as near
LEVEL = math.radians(0.5)  # most tilt of a line that is made level or upright
MOST_LIFT = 0.25  # px that a node may move
MOST_TILTS = 4096  # that are kept worked out, 2 MB


@dataclass(frozen=True, slots=True)
class Ellipse:
    """centre: x, y. axes: half axes, px, the longer first. tilt: of that one, radians, a quarter turn at most."""

    centre: tuple[float, float]
    axes: tuple[float, float]
    tilt: float

    def distances(self, points: Float64) -> Float64:
        """Return about how far points [n, 2] near the border are from it, px: [n]."""
        local = (points - self.centre) @ _turn(self.tilt)
        inverse = 1.0 / np.square(self.axes)
        slope = 2.0 * np.hypot(*(local * inverse).T)
        return np.asarray(np.abs((local**2) @ inverse - 1.0) / np.maximum(slope, 1e-9))

    def points(self) -> Float64:
        """Return it as a contour of four cubics, nodes at the ends of its axes, clockwise on screen: [12, 2]."""
        return np.asarray(np.tensordot(self.axes, self.along(), 1) + self.centre)

    def along(self) -> Float64:
        """Return how its points move as each half axis grows: [2, 12, 2]."""
        return _along(self.tilt)


@lru_cache(maxsize=MOST_TILTS)  # ellipses settle in many steps, and most of many are circles
def _along(tilt: float) -> Float64:
    """Return how the points of an ellipse of this tilt move as each half axis grows: [2, 12, 2], read only."""
    quarter = np.array([[1.0, 0.0], [1.0, KAPPA], [KAPPA, 1.0]])
    unit = np.concatenate([quarter @ _turn(k * math.pi / 2).T for k in range(4)])
    found = np.stack([np.outer(unit[:, axis], _turn(tilt)[:, axis]) for axis in range(2)])
    found.flags.writeable = False
    return found


def _turn(angle: float) -> Float64:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def ellipse(points: Float64) -> Ellipse | None:
    """Return the ellipse that a contour, [3k, 2], is, a circle or upright where it can be; None where it is none."""
    border = (bernstein(SAMPLES) @ controls(points)).reshape(-1, 2)
    found = _by_moments(border)
    if found is None or found.axes[1] < LEAST_AXIS:
        return None
    most = min(OFF, OFF_SHARE * found.axes[1])
    likely = [one for one in (*_simpler(found), found) if one.distances(border).max() <= most]
    return likely[0] if likely else None


def _simpler(found: Ellipse) -> list[Ellipse]:
    """A circle of the same area, and the ellipse upright, if that is near."""
    radius = math.sqrt(found.axes[0] * found.axes[1])
    simpler = [Ellipse(found.centre, (radius, radius), 0.0)]
    upright = round(found.tilt / (math.pi / 2)) * math.pi / 2
    if abs(found.tilt - upright) <= UPRIGHT:
        simpler.append(Ellipse(found.centre, found.axes, upright))
    return simpler


def _by_moments(polygon: Float64) -> Ellipse | None:
    """The ellipse with the area's centre and second moments; None where there is no area."""
    middle = polygon.mean(axis=0)
    a, b = polygon - middle, np.roll(polygon, -1, axis=0) - middle
    cross = a[:, 0] * b[:, 1] - b[:, 0] * a[:, 1]
    area = cross.sum() / 2
    if abs(area) < 1.0:
        return None
    centre = (cross[:, None] * (a + b)).sum(axis=0) / (6 * area)
    second = np.einsum("n,nij->ij", cross, _outer(a, a) + _outer(b, b) + (_outer(a, b) + _outer(b, a)) / 2) / 12
    spread, axes = np.linalg.eigh(second / area - np.outer(centre, centre))
    if spread[0] <= 0:
        return None
    x, y = centre + middle
    return Ellipse(
        (float(x), float(y)),
        (2 * math.sqrt(spread[1]), 2 * math.sqrt(spread[0])),
        (math.atan2(axes[1, 1], axes[0, 1]) + math.pi / 2) % math.pi - math.pi / 2,
    )


def _outer(a: Float64, b: Float64) -> Float64:
    return np.asarray(a[:, :, None] * b[:, None, :])


@dataclass(frozen=True, slots=True)
class Run:
    """Lines of an outline, one after another, nearly level (axis 1) or upright (axis 0), whose nodes may share `at`."""

    axis: int
    nodes: Int64
    at: float


def runs(outline: Outline) -> list[Run]:
    """Return the runs of nearly level and of nearly upright lines that are not quite so."""
    found = []
    for axis in (0, 1):
        for begin, end in pairwise(outline.starts // 3):
            nodes = outline.points[0::3][begin:end]
            flat = outline.straight[begin:end] & _near(np.roll(nodes, -1, axis=0) - nodes, axis)
            for members in _chains(flat):
                values = nodes[members, axis]
                # One that is there already: it may be short to write.
                at = float(values[np.argmin(np.abs(values - (values.min() + values.max()) / 2))])
                if 0 < np.abs(values - at).max() <= MOST_LIFT:
                    found.append(Run(axis, begin + members, at))
    return found


def _near(steps: Float64, axis: int) -> Bool:
    """Tell which lines, as steps [n, 2], hardly change along an axis."""
    return np.asarray(np.abs(steps[:, axis]) <= math.tan(LEVEL) * np.abs(steps[:, 1 - axis]))


def _chains(linked: Bool) -> list[Int64]:
    """Group the nodes of a closed contour that segments link, each to the next: two or more nodes a group."""
    count = len(linked)
    if linked.all():
        return []
    first = int(np.flatnonzero(~linked)[-1]) + 1  # a segment that links nothing ends before it
    order = (first + np.arange(count)) % count
    cuts = np.flatnonzero(~linked[order]) + 1
    return [group for group in np.split(order, cuts) if len(group) > 1]


def levelled(outline: Outline, run: Run) -> Outline:
    """Return the outline with a run made exact; handles of curves there move along with their nodes."""
    points = outline.points.copy()
    before, following = _around(outline)
    shift = run.at - points[3 * run.nodes, run.axis]
    points[3 * run.nodes, run.axis] = run.at
    points[3 * run.nodes + 1, run.axis] += shift
    points[3 * before[run.nodes] + 2, run.axis] += shift
    lines = thirds(points[0::3], points[0::3][following]).reshape(-1, 2)
    points = np.where(np.repeat(outline.straight, 3)[:, None], lines, points)
    return Outline(points, outline.starts, outline.straight)


def _around(outline: Outline) -> tuple[Int64, Int64]:
    """The node before each and the one after it."""
    following = np.arange(1, outline.segments + 1)
    following[outline.starts[1:] // 3 - 1] = outline.starts[:-1] // 3
    before = np.empty_like(following)
    before[following] = np.arange(outline.segments)
    return before, following
