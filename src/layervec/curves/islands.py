"""Take an outline apart into its islands: each outer contour with the holes that lie in it.

Refuses to know masks and drawings; looks at contours alone, each against those around it.
Limit: contours that cross count as lying where most of their points do.
"""

from __future__ import annotations

import math

import numpy as np

from layervec.curves import flatten
from layervec.types import Bool, Float64, Outline

FLATNESS = 0.1  # px, how far the polygons that stand for contours may leave them


def islands(outline: Outline, even_odd: bool) -> list[Outline]:
    """Return the islands in the order of their outer contours. One that is all of the outline stays as it is.

    even_odd: the fill rule; False for nonzero.
    """
    if outline.contours < 2:
        return [outline]
    polygons = flatten(outline, FLATNESS)
    around = _around(polygons)
    windings = np.array([math.copysign(1.0, _area(polygon)) for polygon in polygons])
    outside = around @ (np.ones(len(polygons)) if even_odd else windings)
    inside = outside + (1.0 if even_odd else windings)
    filled_out, filled_in = (_filled(count, even_odd) for count in (outside, inside))
    outer = np.flatnonzero(filled_in & ~filled_out)
    if len(outer) < 2:
        return [outline]
    depth = around.sum(axis=1)
    members: dict[int, list[int]] = {int(i): [] for i in outer}
    for i in range(len(polygons)):
        homes = [j for j in members if j == i or around[i, j]]
        members[max(homes, key=lambda j: int(depth[j]), default=int(outer[0]))].append(i)
    return [_only(outline, contours) for contours in members.values()]


def _around(polygons: list[Float64]) -> Bool:
    """Tell for each contour which others it lies in: bool [c, c]."""
    low = np.array([polygon.min(axis=0) for polygon in polygons])
    high = np.array([polygon.max(axis=0) for polygon in polygons])
    found = np.zeros((len(polygons), len(polygons)), dtype=bool)
    sizes = [abs(_area(polygon)) for polygon in polygons]
    for i, polygon in enumerate(polygons):
        for j in np.flatnonzero((low < high[i]).all(axis=1) & (high > low[i]).all(axis=1)):
            found[i, j] = j != i and sizes[j] > sizes[i] and _inside(polygon, polygons[j]).mean() > 0.5
    return found


def _inside(points: Float64, polygon: Float64) -> Bool:
    """Tell which points [n, 2] lie in a polygon [m, 2], by the crossings to their right."""
    x, y = points[:, :1], points[:, 1:]
    (x0, y0), (x1, y1) = polygon.T, np.roll(polygon, -1, axis=0).T
    spans = (y0 <= y) != (y1 <= y)
    rise = np.where(y1 == y0, 1.0, y1 - y0)
    return np.asarray((spans & (x0 + (y - y0) / rise * (x1 - x0) > x)).sum(axis=1) % 2 == 1)


def _area(polygon: Float64) -> float:
    after = np.roll(polygon, -1, axis=0)
    return float((polygon[:, 0] * after[:, 1] - polygon[:, 1] * after[:, 0]).sum() / 2)


def _filled(count: Float64, even_odd: bool) -> Bool:
    return np.asarray(count % 2 == 1 if even_odd else count != 0)


def _only(outline: Outline, contours: list[int]) -> Outline:
    """Return some contours of an outline."""
    spans = [slice(int(outline.starts[i]), int(outline.starts[i + 1])) for i in contours]
    straight = [outline.straight[span.start // 3 : span.stop // 3] for span in spans]
    starts = np.cumsum([0] + [span.stop - span.start for span in spans])
    return Outline(np.concatenate([outline.points[span] for span in spans]), starts, np.concatenate(straight))
