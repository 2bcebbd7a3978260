"""Cut a traced border into the fewest runs that are straight up to pixel noise, and measure each run.

Refuses to know masks and cubics. Its runs say where corners may be and which way the border heads, nothing
more. Why: the midpoints of the cracks turn staircases into straight lines, and a shortest-path polygon
over them adapts its window to the border: long on straight pieces, short on bends. A parabola fitted to
each run then tells a bend (both runs bow the way the border turns) from a corner (they do not). The idea
of the optimal polygon is Selinger's. Limit: the path starts at one given point, so a closed border may get
one run more than it needs. https://potrace.sourceforge.net/potrace.pdf
"""

from __future__ import annotations

import math

import numpy as np

from layervec.compiled import kernel, shared
from layervec.types import Bool, Float64, Int32, Int64, UInt8

# Price of one more run against the squared distances (px^2) that it saves, in squared slacks.
RUN_PRICE = 4.0
# Columns of the table that `measure` returns.
CX, CY, UX, UY, C0, C1, C2, SA, SB, DEV, LA, LB = range(12)
COLUMNS = 12
# A parabola through fewer points than this follows noise; shorter runs are taken as straight.
PARABOLA_POINTS = 6


def border_points(corners: Int32, sides: UInt8, sure: Bool) -> tuple[Float64, Bool, UInt8]:
    """Return the points to fit for one contour, closed by repeating the first.

    Points are the midpoints of the cracks and, in between, the sure corners. The first is a sure corner, or, where
    there is none, the point farthest from the contour's centre.
    Returns points float64 [n + 1, 2], knots bool [n + 1] (sure corners), follows uint8 [n + 1] (border side of the
    crack that follows).
    """
    count = len(corners) + np.count_nonzero(sure) + 1
    points, knots, follows = np.empty((count, 2)), np.empty(count, np.bool_), np.empty(count, np.uint8)
    _fill_points(corners, sides, sure, points, knots, follows)
    return points, knots, follows


@kernel
def _fill_points(corners, sides, sure, points, knots, follows):  # type: ignore[no-untyped-def]
    """Fill the results of `border_points`."""
    count = len(corners)
    centre_x = centre_y = 0.0
    for k in range(count):
        centre_x += corners[k, 0] / count
        centre_y += corners[k, 1] / count
    start = 0
    farthest = -1.0
    for k in range(count):
        distance = (corners[k, 0] - centre_x) ** 2 + (corners[k, 1] - centre_y) ** 2
        if sure[k]:
            distance += 1e12
        if distance > farthest:
            farthest = distance
            start = k
    n = len(points) - 1
    at = 0
    for offset in range(count):
        k = (start + offset) % count
        following = (k + 1) % count
        if sure[k]:
            points[at, 0] = corners[k, 0]
            points[at, 1] = corners[k, 1]
            knots[at] = True
            follows[at] = sides[k]
            at += 1
        knots[at] = False
        points[at, 0] = 0.5 * (corners[k, 0] + corners[following, 0])
        points[at, 1] = 0.5 * (corners[k, 1] + corners[following, 1])
        follows[at] = sides[k]
        at += 1
    points[n, 0], points[n, 1] = points[0, 0], points[0, 1]
    knots[n] = knots[0]
    follows[n] = follows[0]


@shared
def add_moments(points, sums):  # type: ignore[no-untyped-def]
    """Fill `sums`, float64 [n + 1, 5], with running sums of x, y, xx, xy, yy relative to the first point."""
    sums[0] = 0.0
    for i in range(len(points)):
        x = points[i, 0] - points[0, 0]
        y = points[i, 1] - points[0, 1]
        sums[i + 1, 0] = sums[i, 0] + x
        sums[i + 1, 1] = sums[i, 1] + y
        sums[i + 1, 2] = sums[i, 2] + x * x
        sums[i + 1, 3] = sums[i, 3] + x * y
        sums[i + 1, 4] = sums[i, 4] + y * y


@shared
def scatter(sums, first, last):  # type: ignore[no-untyped-def]
    """Return (mean x, mean y, sxx, sxy, syy) of points first .. last, both included."""
    count = last - first + 1.0
    x = (sums[last + 1, 0] - sums[first, 0]) / count
    y = (sums[last + 1, 1] - sums[first, 1]) / count
    xx = sums[last + 1, 2] - sums[first, 2] - count * x * x
    xy = sums[last + 1, 3] - sums[first, 3] - count * x * y
    yy = sums[last + 1, 4] - sums[first, 4] - count * y * y
    return x, y, xx, xy, yy


def way_back(came: Int64) -> Int64:
    """Return the places on the way to the last one, ascending from 0: int64 [k + 1]. came: the place before each."""
    before = came.tolist()
    places = [len(before) - 1]
    while places[-1] > 0:
        places.append(before[places[-1]])
    places.reverse()
    return np.array(places, dtype=np.int64)


def polygon(points: Float64, knots: Bool, slack: float) -> tuple[Int64, Float64]:
    """Return the cheapest polygon from the first to the last point: int64 [k + 1] indices, and the points' moments.

    A run may go from i to j if all points between stay within `slack` px of the chord, never fall back by more, and
    pass no knot. Its price is RUN_PRICE squared slacks plus its squared distances from its best line.
    """
    sums, price, came = np.empty((len(points) + 1, 5)), np.empty(len(points)), np.empty(len(points), np.int64)
    _find_runs(points, knots, slack, sums, price, came)
    return way_back(came), sums


@kernel
def _find_runs(points, knots, slack, sums, price, came):  # type: ignore[no-untyped-def]
    """Fill `price` with the least price of a way to each point, and `came` with the point before it on that way."""
    n = len(points) - 1
    add_moments(points, sums)
    price[:] = math.inf
    price[0] = 0.0
    base = RUN_PRICE * slack * slack
    for i in range(n):
        # The cone of directions from point i that pass within the slack of every point so far.
        left_x = left_y = right_x = right_y = 0.0
        open_cone = True
        reach = 0.0
        for j in range(i + 1, n + 1):
            x = points[j, 0] - points[i, 0]
            y = points[j, 1] - points[i, 1]
            distance = math.sqrt(x * x + y * y)
            if distance < reach - slack:
                break
            reach = max(reach, distance)
            inside = open_cone or (right_x * y - right_y * x >= 0.0 and x * left_y - y * left_x >= 0.0)
            if inside:
                _, _, xx, xy, yy = scatter(sums, i, j)
                spread = 0.5 * (xx + yy - math.sqrt((xx - yy) ** 2 + 4.0 * xy * xy))
                total = price[i] + base + max(spread, 0.0)
                if total < price[j]:
                    price[j] = total
                    came[j] = i
            if knots[j]:
                break
            if distance > slack:
                sine = slack / distance
                cosine = math.sqrt(1.0 - sine * sine)
                new_left_x, new_left_y = x * cosine - y * sine, y * cosine + x * sine
                new_right_x, new_right_y = x * cosine + y * sine, y * cosine - x * sine
                if open_cone or left_x * new_left_y - left_y * new_left_x < 0.0:
                    left_x, left_y = new_left_x, new_left_y
                if open_cone or right_x * new_right_y - right_y * new_right_x > 0.0:
                    right_x, right_y = new_right_x, new_right_y
                open_cone = False
                if right_x * left_y - right_y * left_x < 0.0:
                    break


@shared
def fit_parabola(points, first, last, row):  # type: ignore[no-untyped-def]
    """Fill C0, C1, C2 and DEV of a run's row: d = C0 + C1 s + C2 s^2 over points first .. last.

    DEV is the largest distance (px) of those points from the run's straight line.
    """
    m2 = m3 = m4 = r0 = r1 = r2 = worst = 0.0
    count = last - first + 1
    for k in range(first, last + 1):
        x = points[k, 0] - row[CX]
        y = points[k, 1] - row[CY]
        s = x * row[UX] + y * row[UY]
        d = y * row[UX] - x * row[UY]
        worst = max(worst, abs(d))
        m2 += s * s
        m3 += s * s * s
        m4 += s * s * s * s
        r0 += d
        r1 += d * s
        r2 += d * s * s
    row[DEV] = worst
    if count < PARABOLA_POINTS or m2 <= 1e-9:
        return
    # The mean of s is 0, which leaves a small system to solve by hand.
    variance = m2 / count
    third = m3 / m2
    spread = m4 - variance * m2 - third * m3
    if spread <= 1e-9:
        return
    c2 = (r2 - variance * r0 - third * r1) / spread
    row[C2] = c2
    row[C1] = r1 / m2 - third * c2
    row[C0] = r0 / count - variance * c2


@shared
def fit_run(points, sums, a, b, first, last, row):  # type: ignore[no-untyped-def]
    """Fill the row of the run from vertex a to vertex b with the line and parabola through points first ..
    last.
    """
    x, y, xx, xy, yy = scatter(sums, first, last)
    row[CX], row[CY] = x + points[0, 0], y + points[0, 1]
    chord_x = points[b, 0] - points[a, 0]
    chord_y = points[b, 1] - points[a, 1]
    angle = 0.5 * math.atan2(2.0 * xy, xx - yy)
    if first == last:
        angle = math.atan2(chord_y, chord_x)
    row[UX], row[UY] = math.cos(angle), math.sin(angle)
    if row[UX] * chord_x + row[UY] * chord_y < 0.0:
        row[UX], row[UY] = -row[UX], -row[UY]
    fit_parabola(points, first, last, row)
    row[SA] = row[LA] = (points[a, 0] - row[CX]) * row[UX] + (points[a, 1] - row[CY]) * row[UY]
    row[SB] = row[LB] = (points[b, 0] - row[CX]) * row[UX] + (points[b, 1] - row[CY]) * row[UY]


def measure(points: Float64, knots: Bool, follows: UInt8, sums: Float64, vertices: Int64) -> Float64:
    """Return float64 [k, 12], a row of CX .. LB for each run of a polygon.

    Centre C and unit direction U of the best line, parabola d = C0 + C1 s + C2 s^2 in the frame of that
    line (d to the right of U on screen), s of both end vertices, the largest distance from the line in px,
    and s of both ends of the line that `nodes` may find in the run. Runs on the
    picture's border are their border, exactly. The end points of a run are left out of its fit where
    enough others remain: near a corner they belong to both sides.
    """
    table = np.zeros((len(vertices) - 1, COLUMNS))
    _fill_table(points, knots, follows, sums, vertices, table)
    return table


@kernel
def _fill_table(points, knots, follows, sums, vertices, table):  # type: ignore[no-untyped-def]
    """Fill the result of `measure`."""
    for e in range(len(table)):
        a, b = vertices[e], vertices[e + 1]
        row = table[e]
        chord_x = points[b, 0] - points[a, 0]
        chord_y = points[b, 1] - points[a, 1]
        first, last = a, b
        if b - a >= 3 or (b - a == 2 and (knots[a] or knots[b])):
            first, last = a + 1, b - 1
        if last - first >= 8:
            first += int(not knots[a])
            last -= int(not knots[b])
        if follows[a] != 0:
            row[CX], row[CY] = points[a, 0], points[a, 1]
            length = abs(chord_x) + abs(chord_y)
            row[UX], row[UY] = chord_x / length, chord_y / length
            row[SB] = row[LB] = length
        else:
            fit_run(points, sums, a, b, first, last, row)
