"""Trace a mask's border along the cracks between pixels, and mark the corners that pixels alone prove.

Refuses to know what a curve is: it yields lattice points, one a unit step, and flags on them.
Why cracks: they are exact, closed and never cross, for specks and one-pixel lines too, which borders traced
through pixel centres are not. Foreground is 8-connected: a diagonal chain is one ribbon, not many pixels, and
once the cracks' midpoints are joined the ribbon is about 0.7 px wide and touches itself nowhere.
Limit: a mask is traced whole; nothing is shared between the two sides of one border.
https://en.wikipedia.org/wiki/Boundary_tracing
"""

from __future__ import annotations

import numpy as np

from layervec.compiled import kernel, shared
from layervec.types import Bool, Float64, Int32, Int64, UInt8

# A straight piece of a digitised smooth border meets a perpendicular one longer than this only at a true
# corner (on circles and slanted lines one of any two meeting runs is 1 or 2 px long; checked for
# discs of radius 3 to 100).
SURE_RUN = 3  # px
# Rounding off a right angle whose sides are r long leaves its tip about 0.18 r away; longer runs than this
# many tolerances therefore cannot be rounded within the tolerance.
SURE_RUN_PER_TOLERANCE = 5.0
SEEN = 2  # mark on a foreground pixel


def trace(padded: UInt8) -> tuple[Int32, Int64]:
    """Follow every border of a mask with foreground on the right hand.

    padded: uint8 [h + 2, w + 2], 1 is foreground, with a border of zeros. Pixels whose upper border was followed are
    set to SEEN.
    Returns corners int32 [n, 2] (x, y of the unpadded mask), one a unit step, and starts int64 [c + 1].
    """
    inside = padded[1:, 1:]
    tops, sides = inside != padded[:-1, 1:], inside != padded[1:, :-1]
    corners = np.empty((np.count_nonzero(tops) + np.count_nonzero(sides), 2), np.int32)
    starts = np.zeros(np.count_nonzero(tops & (inside != 0)) + 1, np.int64)
    contours = _follow(padded, corners, starts)
    return corners, starts[: contours + 1]


@kernel
def _follow(padded, corners, starts):  # type: ignore[no-untyped-def]
    """Fill `corners` and `starts` of `trace`, and return how many contours there are."""
    rows, columns = padded.shape
    n = 0
    contours = 0
    for top_y in range(1, rows):
        for top_x in range(1, columns):
            if padded[top_y - 1, top_x] != 0 or padded[top_y, top_x] == 0 or padded[top_y, top_x] == SEEN:
                continue
            x, y, dx, dy = top_x, top_y, 1, 0
            while True:
                if dx == 1:
                    if padded[y, x] == SEEN:
                        break
                    padded[y, x] = SEEN
                corners[n, 0] = x - 1
                corners[n, 1] = y - 1
                n += 1
                x += dx
                y += dy
                # The two pixels ahead of the lattice point, on the left hand and on the right hand.
                if padded[y + (dy - dx - 1) // 2, x + (dx + dy - 1) // 2] != 0:
                    dx, dy = dy, -dx
                elif padded[y + (dy + dx - 1) // 2, x + (dx - dy - 1) // 2] == 0:
                    dx, dy = -dy, dx
            contours += 1
            starts[contours] = n
    return contours


def lattice_areas(corners: Int32, starts: Int64) -> Float64:
    """Return the signed area in px of each contour of `trace`: outer positive, holes negative."""
    if len(corners) == 0:
        return np.zeros(0)
    x = corners[:, 0].astype(np.float64)
    y = corners[:, 1].astype(np.float64)
    following = np.arange(1, len(corners) + 1)
    following[starts[1:] - 1] = starts[:-1]
    return np.asarray(np.add.reduceat(x * y[following] - x[following] * y, starts[:-1]) / 2.0)


@shared
def border_side(corners, k, width, height):  # type: ignore[no-untyped-def]
    """Return 1..4 if the step from lattice point k runs along that side of the picture, else 0."""
    following = k + 1 if k + 1 < len(corners) else 0
    if corners[k, 0] == corners[following, 0]:
        if corners[k, 0] == 0:
            return 1
        return 2 if corners[k, 0] == width else 0
    if corners[k, 1] == 0:
        return 3
    return 4 if corners[k, 1] == height else 0


@shared
def turning_points(corners, at, way):  # type: ignore[no-untyped-def]
    """Fill `at` with the places where one contour turns, `way` with 1 (right) or -1 (left); return how
    many.
    """
    n = len(corners)
    m = 0
    for k in range(n):
        following = k + 1 if k + 1 < n else 0
        ux, uy = corners[k, 0] - corners[k - 1, 0], corners[k, 1] - corners[k - 1, 1]
        vx, vy = corners[following, 0] - corners[k, 0], corners[following, 1] - corners[k, 1]
        turn = ux * vy - uy * vx
        if turn != 0:
            at[m] = k
            way[m] = turn
            m += 1
    return m


def sure_corners(corners: Int32, width: int, height: int, need: int) -> tuple[Bool, UInt8, int]:
    """Find the lattice points of one contour that are corners whatever lies around them.

    They are where two straight runs of at least `need` steps meet, both ends of a shorter run that caps a bar
    between two such runs, and where the contour joins or leaves the picture's border.
    Returns sure bool [n], sides uint8 [n] (1..4 where the step that follows runs on the border) and the number of
    turns.
    """
    n = len(corners)
    sure, sides = np.empty(n, np.bool_), np.empty(n, np.uint8)
    turns = _mark_sure(corners, width, height, need, sure, sides, np.empty(n, np.int64), np.empty(n, np.int64))
    return sure, sides, turns


@kernel
def _mark_sure(corners, width, height, need, sure, sides, at, way):  # type: ignore[no-untyped-def]
    """Fill `sure` and `sides` of `sure_corners`, and return the number of turns; `at` and `way` are scratch."""
    n = len(corners)
    for k in range(n):
        sides[k] = border_side(corners, k, width, height)
    for k in range(n):
        sure[k] = sides[k] != sides[k - 1]
    m = turning_points(corners, at, way)
    for i in range(m):
        following = (i + 1) % m
        run = (at[following] - at[i]) % n
        run_before = (at[i] - at[i - 1 if i > 0 else m - 1]) % n
        run_after = (at[(i + 2) % m] - at[following]) % n
        if run >= need and run_before >= need:
            sure[at[i]] = True
        if run < need and way[i] == way[following] and run_before >= need and run_after >= need:
            sure[at[i]] = True
            sure[at[following]] = True
    return m


def lattice_polygon(corners: Int32) -> Float64:
    """Return the turning points of one contour, float64 [m, 2]."""
    before = corners - np.roll(corners, 1, 0)
    after = np.roll(corners, -1, 0) - corners
    return np.asarray(corners[(before != after).any(1)], np.float64)
