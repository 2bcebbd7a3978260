"""Count where chords cross, and measure how far points are from chords.

Refuses to know where its chords come from.
Why a sweep over sorted left ends: chords of flattened outlines are short, so few overlap in x, and a plain
list of arrays compiles to a small, fast loop; a balanced-tree sweep would pay only from about 1e5 chords on.
Limit: touching is no crossing, and a crossing that passes exactly through a vertex is not seen.
https://en.wikipedia.org/wiki/Bentley%E2%80%93Ottmann_algorithm is the method for larger input.
"""

from __future__ import annotations

import math

import numpy as np

from layervec.compiled import kernel, shared
from layervec.types import Float64, Int64


@shared
def side(ax, ay, bx, by, x, y):  # type: ignore[no-untyped-def]
    """Return the sign of the side of a -> b on which (x, y) lies; 0 within rounding of the line."""
    cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    size = abs(bx - ax) + abs(by - ay)
    if abs(cross) <= 1e-9 * size:
        return 0
    return 1 if cross > 0.0 else -1


def crossings(start: Float64, end: Float64) -> Int64:
    """Return how many others each of the chords start[i] -> end[i], float64 [n, 2], properly crosses: int64 [n]."""
    marks = np.zeros(len(start), np.int64)
    mark_crossings(start, end, np.argsort(np.minimum(start[:, 0], end[:, 0])), marks)
    return marks


@kernel
def mark_crossings(start, end, order, marks):  # type: ignore[no-untyped-def]
    """Add to marks, int64 [n], how many others each chord crosses among those in order, which sorts by least x."""
    n = len(order)
    for a in range(n):
        i = order[a]
        px, py, qx, qy = start[i, 0], start[i, 1], end[i, 0], end[i, 1]
        right, top, bottom = max(px, qx), min(py, qy), max(py, qy)
        for b in range(a + 1, n):
            j = order[b]
            rx, ry, sx, sy = start[j, 0], start[j, 1], end[j, 0], end[j, 1]
            if min(rx, sx) > right:
                break
            if min(ry, sy) > bottom or max(ry, sy) < top:
                continue
            if side(px, py, qx, qy, rx, ry) * side(px, py, qx, qy, sx, sy) >= 0:
                continue
            if side(rx, ry, sx, sy, px, py) * side(rx, ry, sx, sy, qx, qy) < 0:
                marks[i] += 1
                marks[j] += 1


def distances(points: Float64, start: Float64, end: Float64) -> Float64:
    """Return float64 [n]: the distance (px) of each point from the nearest of the chords start[i] -> end[i]."""
    result = np.empty(len(points))
    _measure(points, start, end, result)
    return result


@kernel
def _measure(points, start, end, result):  # type: ignore[no-untyped-def]
    """Fill the result of `distances`."""
    for i in range(len(points)):
        x, y = points[i, 0], points[i, 1]
        best = math.inf
        for j in range(len(start)):
            dx, dy = end[j, 0] - start[j, 0], end[j, 1] - start[j, 1]
            ex, ey = x - start[j, 0], y - start[j, 1]
            size = dx * dx + dy * dy
            t = 0.0 if size == 0.0 else min(max((ex * dx + ey * dy) / size, 0.0), 1.0)
            best = min(best, (ex - t * dx) ** 2 + (ey - t * dy) ** 2)
        result[i] = math.sqrt(best)
