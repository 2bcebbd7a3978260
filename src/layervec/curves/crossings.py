"""Count where chords cross, and measure how far points are from chords.

Refuses to know where its chords come from.
Why a sweep over sorted left ends: chords of flattened outlines are short, so few overlap in x, and a plain
list of arrays compiles to a small, fast loop. A shape of thousands of dots has many chords in each column, so level
strips are swept one by one; what spans several is in each of them. Limit: touching is no crossing, and a crossing that
passes exactly through a vertex is not seen.
https://en.wikipedia.org/wiki/Bentley%E2%80%93Ottmann_algorithm is the method for larger input.
"""

from __future__ import annotations

import math

import numpy as np

from layervec.compiled import kernel, shared
from layervec.types import Float64, Int64

MANY_CHORDS = 512  # from so many on, chords are sorted into strips first; below, the sort takes longer than the sweep
LEAST_STRIP = 2.0  # px, height of a strip


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
    none = np.zeros(len(start), np.int64)
    if len(start) >= MANY_CHORDS:
        return crossings_within(start, end, none)
    marks, order = none.copy(), np.argsort(np.minimum(start[:, 0], end[:, 0]))
    _mark(start, end, order, np.array([0, len(start)]), none, none, marks)
    return marks


def crossings_within(start: Float64, end: Float64, owner: Int64) -> Int64:
    """Return the same of chords that cross only those with the same owner, int64 [n], which does not fall."""
    marks = np.zeros(len(start), np.int64)
    if not len(start):
        return marks
    low, high = np.minimum(start, end), np.maximum(start, end)
    first, last = _strips(low[:, 1], high[:, 1])
    counts = last - first + 1
    chord = np.repeat(np.arange(len(start)), counts)
    strip = first[chord] + np.arange(len(chord)) - np.repeat(np.cumsum(counts) - counts, counts)
    group = owner[chord] * (int(last.max()) + 1) + strip
    order = np.lexsort((low[chord, 0], group))
    begins = np.flatnonzero(np.diff(group[order], prepend=-1))
    _mark(start, end, chord[order], np.append(begins, len(chord)), first, strip[order], marks)
    return marks


def _strips(low: Float64, high: Float64) -> tuple[Int64, Int64]:
    """Return the first and the last level strip that each chord is in, by its least and greatest y: int64 [n] each."""
    if len(low) < MANY_CHORDS:
        return np.zeros(len(low), np.int64), np.zeros(len(low), np.int64)
    height = max(LEAST_STRIP, 2.0 * float((high - low).mean()))
    return tuple(np.floor((side - low.min()) / height).astype(np.int64) for side in (low, high))


@kernel
def _mark(start, end, order, begins, first, strip, marks):  # type: ignore[no-untyped-def]
    """Add to marks, int64 [n], how many others each chord crosses among those that share a group with it.

    Group g has the chords order[begins[g]] .. order[begins[g + 1] - 1], sorted by least x, all in one strip of which
    strip[.] has the number. What two chords share begins in the `first` strip of one of them: there the pair counts.
    """
    for group in range(len(begins) - 1):
        for a in range(begins[group], begins[group + 1]):
            i = order[a]
            px, py, qx, qy = start[i, 0], start[i, 1], end[i, 0], end[i, 1]
            right, top, bottom = max(px, qx), min(py, qy), max(py, qy)
            for b in range(a + 1, begins[group + 1]):
                j = order[b]
                rx, ry, sx, sy = start[j, 0], start[j, 1], end[j, 0], end[j, 1]
                if min(rx, sx) > right:
                    break
                if min(ry, sy) > bottom or max(ry, sy) < top or max(first[i], first[j]) != strip[a]:
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
