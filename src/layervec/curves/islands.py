"""Take an outline apart into its islands: each outer contour with the holes that lie in it.

Refuses to know masks and drawings; looks at contours alone, each against those around it.
Limit: contours that cross count as lying where most of their points do.
"""

from __future__ import annotations

import numpy as np

from layervec.curves import flatten
from layervec.curves.nesting import Nesting, nested
from layervec.types import Bool, Float64, Int64, Outline

FLATNESS = 0.1  # px, how far the polygons that stand for contours may leave them


def islands(outline: Outline, even_odd: bool) -> list[Outline]:
    """Return the islands in the order of their outer contours. One that is all of the outline stays as it is.

    even_odd: the fill rule; False for nonzero.
    """
    if outline.contours < 2:
        return [outline]
    polygons = flatten(outline, FLATNESS)
    areas = np.array([_area(polygon) for polygon in polygons])
    around = nested(polygons).by_size(areas)
    windings = np.ones(len(polygons)) if even_odd else np.where(areas < 0, -1.0, 1.0)
    outside: Float64 = np.bincount(around.inner, windings[around.outer], len(polygons)).astype(np.float64)
    filled_out, filled_in = (_filled(count, even_odd) for count in (outside, outside + windings))
    outer = np.flatnonzero(filled_in & ~filled_out)
    if len(outer) < 2:
        return [outline]
    members = _homes(around, outer)
    order = np.argsort(members, kind="stable")
    return [_only(outline, part) for part in np.split(order, np.flatnonzero(np.diff(members[order])) + 1)]


def _homes(around: Nesting, outer: Int64) -> Int64:
    """Return for each contour the deepest of the outer ones that it is or lies in; else the first: int64 [count]."""
    depth, homes = around.depth, np.full(around.count, outer[0])
    found = around.only(np.isin(around.outer, outer))
    by_depth = np.argsort(depth[found.outer], kind="stable")  # the last one written stays
    homes[found.inner[by_depth]] = found.outer[by_depth]
    homes[outer] = outer
    return homes


def _area(polygon: Float64) -> float:
    after = np.roll(polygon, -1, axis=0)
    return float((polygon[:, 0] * after[:, 1] - polygon[:, 1] * after[:, 0]).sum() / 2)


def _filled(count: Float64, even_odd: bool) -> Bool:
    return np.asarray(count % 2 == 1 if even_odd else count != 0)


def _only(outline: Outline, contours: Int64) -> Outline:
    """Return some contours of an outline."""
    spans = [slice(int(outline.starts[i]), int(outline.starts[i + 1])) for i in contours]
    straight = [outline.straight[span.start // 3 : span.stop // 3] for span in spans]
    starts = np.cumsum([0] + [span.stop - span.start for span in spans])
    return Outline(np.concatenate([outline.points[span] for span in spans]), starts, np.concatenate(straight))
