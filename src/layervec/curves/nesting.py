"""Tell which of many polygons lie in which, as pairs, without asking every pair of them.

Refuses to know cubics and fill rules: polygons in, pairs out. Why this way: a halftone has thousands of dots in one
shape, and hardly any pair of them is nested. Boxes sorted along their longer spread leave the few pairs that may be;
for each outer polygon, the points of all inner ones are then sorted by height, so that each of its edges meets only
the points that it passes beside. Limits: polygons must not cross; dots in an even spread cost the power 1.5
of their number, with a constant so small that a shape of 10 000 takes tens of milliseconds.
https://en.wikipedia.org/wiki/Point_in_polygon#Ray_casting_algorithm
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layervec.compiled import kernel
from layervec.types import Bool, Float64, Int64

SPAN = 1.0  # px that the box of a polygon may stand out of that of the one it lies in, as both are chords of curves
LOOKED_AT = 9  # points of a polygon that are looked at, at least, if it has as many


@dataclass(frozen=True, slots=True, eq=False)
class Nesting:
    """Pairs of polygons of which one lies in the other, ordered by the outer one, then by the inner one.

    count: of all polygons. outer, inner: int64 [p].
    """

    count: int
    outer: Int64
    inner: Int64

    def only(self, kept: Bool) -> Nesting:
        """Return some of the pairs."""
        return Nesting(self.count, self.outer[kept], self.inner[kept])

    def by_size(self, areas: Float64) -> Nesting:
        """Return the pairs of which the outer polygon is the larger one. areas: px^2, [count], of any sign."""
        sizes = np.abs(areas)
        return self.only(sizes[self.outer] > sizes[self.inner])

    @property
    def depth(self) -> Int64:
        """In how many others each polygon lies: int64 [count]."""
        return np.bincount(self.inner, minlength=self.count)

    @property
    def direct(self) -> Nesting:
        """The pairs with nothing between the two."""
        depth = self.depth
        return self.only(depth[self.inner] == depth[self.outer] + 1)

    def inside(self) -> list[Int64]:
        """Return for each polygon those that lie in it."""
        return np.split(self.inner, np.searchsorted(self.outer, np.arange(1, self.count)))


def nested(polygons: Sequence[Float64]) -> Nesting:
    """Return which polygons, float64 [n, 2] each, hold most of the points of which others, that they do not cross."""
    outer, inner = _candidates(polygons)
    if not len(outer):
        return Nesting(len(polygons), outer, inner)
    looked = [polygon[:: max(1, len(polygon) // LOOKED_AT)] for polygon in polygons]
    sizes = np.array([len(points) for points in looked])
    first = np.cumsum(sizes) - sizes
    pair = np.repeat(np.arange(len(outer)), sizes[inner])  # a row for each point of each inner polygon
    ends = np.cumsum(sizes[inner])
    point = np.concatenate(looked)[first[inner][pair] + np.arange(len(pair)) - (ends - sizes[inner])[pair]]
    order = np.lexsort((point[:, 1], outer[pair]))
    odd = np.zeros(len(pair), np.bool_)
    corners, starts = np.concatenate(polygons), np.cumsum([0, *(len(polygon) for polygon in polygons)])
    rows = np.searchsorted(outer[pair][order], np.arange(len(polygons) + 1))
    _cast(corners, starts, point[order], rows, odd)
    most = np.bincount(pair[order], odd, len(outer)) > 0.5 * sizes[inner]
    return Nesting(len(polygons), outer[most], inner[most])


def _candidates(polygons: Sequence[Float64]) -> tuple[Int64, Int64]:
    """Return the pairs of which one's box lies in that of the other, or nearly so, by the outer one, then the inner."""
    none = np.empty(0, np.int64)
    if len(polygons) < 2:
        return none, none
    corners, starts = np.concatenate(polygons), np.cumsum([0, *(len(polygon) for polygon in polygons)])
    low, high = np.minimum.reduceat(corners, starts[:-1]), np.maximum.reduceat(corners, starts[:-1])
    along = int(np.argmax(low.max(axis=0) - low.min(axis=0)))
    order = np.argsort(low[:, along], kind="stable")
    first = np.searchsorted(low[order, along], low[:, along] - SPAN)
    last = np.searchsorted(low[order, along], high[:, along] + SPAN, side="right")
    counts = np.zeros(len(polygons), np.int64)
    _pair_boxes(low, high, order, first, last, counts, none)
    inner = np.empty(counts.sum(), np.int64)
    _pair_boxes(low, high, order, first, last, counts, inner)
    outer = np.repeat(np.arange(len(polygons)), counts)
    return outer, inner[np.lexsort((inner, outer))]


@kernel
def _pair_boxes(low, high, order, first, last, counts, inner):  # type: ignore[no-untyped-def]
    """Count for each box those that lie in it, of those that begin at places first .. last - 1 of the order.

    inner: receives them, unless it is empty.
    """
    n = 0
    for i in range(len(counts)):
        found = 0
        for place in range(first[i], last[i]):
            j = order[place]
            beyond = high[j, 0] > high[i, 0] + SPAN or high[j, 1] > high[i, 1] + SPAN
            before = low[j, 0] < low[i, 0] - SPAN or low[j, 1] < low[i, 1] - SPAN
            if i == j or beyond or before:
                continue
            if len(inner):
                inner[n] = j
            n += 1
            found += 1
        counts[i] = found


@kernel
def _cast(corners, starts, points, rows, odd):  # type: ignore[no-untyped-def]
    """Turn over `odd` of each point for every edge on its right.

    Polygon i has corners starts[i] .. starts[i + 1] - 1; points rows[i] .. rows[i + 1] - 1, by rising y, are its own.
    """
    for i in range(len(starts) - 1):
        if rows[i] == rows[i + 1]:
            continue
        before = starts[i + 1] - 1
        for corner in range(starts[i], starts[i + 1]):
            ax, ay, bx, by = corners[before, 0], corners[before, 1], corners[corner, 0], corners[corner, 1]
            before = corner
            if ay == by:
                continue
            bottom, top = min(ay, by), max(ay, by)
            slope = (bx - ax) / (by - ay)
            # The first of the points that is not above the edge.
            row, stop = rows[i], rows[i + 1]
            while row < stop:
                middle = (row + stop) // 2
                if points[middle, 1] < bottom:
                    row = middle + 1
                else:
                    stop = middle
            while row < rows[i + 1] and points[row, 1] < top:
                if points[row, 0] < ax + (points[row, 1] - ay) * slope:
                    odd[row] = not odd[row]
                row += 1
