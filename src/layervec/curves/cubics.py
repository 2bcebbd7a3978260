"""Least-squares cubics through a border, and the cheapest choice of nodes between corners.

Refuses to know where its points and candidate nodes come from.
Why: with end points and tangents fixed, only two handle lengths are unknown, a 2 x 2 system (Schneider,
Graphics Gems, 1990, pages 612-626), so that a shortest path over all pairs of candidate nodes is
affordable: it finds the fewest segments within the tolerance and among those the closest fit, which a
greedy walk does not. Limit: long pieces are judged by FEW_SAMPLES points, and a piece is not explored
beyond FAILS misfits in a row. https://github.com/erich666/GraphicsGems/blob/master/gems/FitCurves.c
"""

from __future__ import annotations

import math

import numpy as np

from layervec.compiled import kernel, shared
from layervec.curves.nodes import AT, HARD, IN_X, IN_Y, LINE, OUT_X, OUT_Y, X, Y
from layervec.curves.polygon import way_back
from layervec.types import Bool, Float64, Int64

FEW_SAMPLES = 32  # points a trial fit looks at
MANY_SAMPLES = 320  # ... the fit that is kept
TRIAL_ROUNDS = 2  # reparametrisations of a trial fit
FINAL_ROUNDS = 5  # ... of the fit that is kept
FAILS = 3  # misfits in a row after which no longer piece is tried
MOST_TURN = 1.95  # rad; a cubic that turns more (112 degrees) is a poor arc and hard to edit
# A piece fits if the root mean square of its distances takes no more than the first of these shares of the
# tolerance (pixel noise alone takes 0.3 px) and the worst no more than the second: a ragged border's
# spikes are not followed.
ROOT_MEAN_SHARE = 0.55
WORST_SHARE = 1.35
ERROR_PRICE = 0.2  # price of a full mean square error against one segment
POOR_PRICE = 1.0  # price of keeping a piece between neighbouring candidates that does not fit
ARC_SHARE = 0.6  # a handle is no longer than this share of its arc; a half circle needs 0.42
CHORD_SHARE = 0.05  # ... and no shorter than this share of its chord
CLEAR = 1.0  # px; points this near to a hard node belong to both its sides and are left out
FLAT = 0.2  # px; a cubic whose handles stand no farther off its chord, at a tolerance of 1 px, is a line


@shared
def handle_limits(start, end, arc):  # type: ignore[no-untyped-def]
    """Return the greatest lengths of the two handles that leave a piece without loops and cusps."""
    x, y = end[X] - start[X], end[Y] - start[Y]
    cross = start[OUT_X] * end[IN_Y] - start[OUT_Y] * end[IN_X]
    most = ARC_SHARE * arc
    if abs(cross) < 1e-3:
        return most, most
    # Distances to where the tangents meet; if ahead of both ends the piece is convex while handles stay
    # below.
    first = (x * end[IN_Y] - y * end[IN_X]) / cross
    second = (start[OUT_X] * y - start[OUT_Y] * x) / cross
    if first > 0.0 and second > 0.0:
        return min(most, first), min(most, second)
    return most, most


@shared
def solve_handles(c00, c01, c11, r0, r1, least, most0, most1):  # type: ignore[no-untyped-def]
    """Return the handle lengths that minimise a quadratic form within least .. most."""
    det = c00 * c11 - c01 * c01
    if det <= 1e-9 * (c00 * c11 + 1e-12):
        return min(max(most0 * 0.55, least), most0), min(max(most1 * 0.55, least), most1)
    a = (r0 * c11 - r1 * c01) / det
    b = (r1 * c00 - r0 * c01) / det
    clipped_a = min(max(a, least), most0)
    if clipped_a != a:
        b = (r1 - c01 * clipped_a) / c11
    clipped_b = min(max(b, least), most1)
    if clipped_b != b:
        clipped_a = min(max((r0 - c01 * clipped_b) / c00, least), most0)
    return clipped_a, clipped_b


@shared
def is_near(points, i, node):  # type: ignore[no-untyped-def]
    """Tell whether point i is within CLEAR of a node."""
    return (points[i, 0] - node[X]) ** 2 + (points[i, 1] - node[Y]) ** 2 < CLEAR * CLEAR


@shared
def fit_cubic(points, start, end, first, last, samples, rounds, parameter):  # type: ignore[no-untyped-def]
    """Fit the cubic between two nodes to points first .. last.

    Looks at no more than about `samples` points. parameter: float64 [points], scratch. Returns both handle lengths,
    the largest distance and the mean squared distance of the points (px, px^2).
    """
    while first <= last and start[HARD] > 0.0 and is_near(points, first, start):
        first += 1
    while first <= last and end[HARD] > 0.0 and is_near(points, last, end):
        last -= 1
    step = max(1, (last - first + 1) // samples)
    count = (last - first) // step + 1 if last >= first else 0
    px, py, qx, qy = start[X], start[Y], end[X], end[Y]
    tx, ty, vx, vy = start[OUT_X], start[OUT_Y], -end[IN_X], -end[IN_Y]
    arc = 0.0
    x, y = px, py
    for k in range(count):
        i = first + k * step
        arc += math.sqrt((points[i, 0] - x) ** 2 + (points[i, 1] - y) ** 2)
        parameter[k] = arc
        x, y = points[i, 0], points[i, 1]
    arc += math.sqrt((qx - x) ** 2 + (qy - y) ** 2)
    for k in range(count):
        parameter[k] /= arc
    most0, most1 = handle_limits(start, end, arc)
    least = CHORD_SHARE * math.sqrt((qx - px) ** 2 + (qy - py) ** 2)
    most0, most1 = max(most0, least), max(most1, least)
    dot = tx * vx + ty * vy
    a = b = 0.0
    worst = total = 0.0
    for _ in range(rounds + 1):
        c00 = c01 = c11 = r0 = r1 = 0.0
        for k in range(count):
            i = first + k * step
            u = parameter[k]
            w = 1.0 - u
            b1, b2 = 3.0 * u * w * w, 3.0 * u * u * w
            near = w * w * w + b1
            dx = points[i, 0] - near * px - (1.0 - near) * qx
            dy = points[i, 1] - near * py - (1.0 - near) * qy
            c00 += b1 * b1
            c01 += b1 * b2 * dot
            c11 += b2 * b2
            r0 += b1 * (dx * tx + dy * ty)
            r1 += b2 * (dx * vx + dy * vy)
        a, b = solve_handles(c00, c01, c11, r0, r1, least, most0, most1)
        worst = total = 0.0
        x1, y1, x2, y2 = px + a * tx, py + a * ty, qx + b * vx, qy + b * vy
        for k in range(count):
            i = first + k * step
            u = parameter[k]
            w = 1.0 - u
            b0, b1, b2, b3 = w * w * w, 3.0 * u * w * w, 3.0 * u * u * w, u * u * u
            dx = b0 * px + b1 * x1 + b2 * x2 + b3 * qx - points[i, 0]
            dy = b0 * py + b1 * y1 + b2 * y2 + b3 * qy - points[i, 1]
            square = dx * dx + dy * dy
            total += square
            worst = max(worst, square)
            # One Gauss-Newton step towards the foot of the perpendicular.
            ex = 3.0 * (w * w * (x1 - px) + 2.0 * u * w * (x2 - x1) + u * u * (qx - x2))
            ey = 3.0 * (w * w * (y1 - py) + 2.0 * u * w * (y2 - y1) + u * u * (qy - y2))
            speed = ex * ex + ey * ey
            if speed > 1e-9:
                parameter[k] = min(max(u - (dx * ex + dy * ey) / speed, 0.0), 1.0)
    return a, b, math.sqrt(worst), total / max(count, 1)


def choose(
    points: Float64, nodes: Float64, start: int, tolerance: float, samples: int, rounds: int
) -> tuple[Int64, float]:
    """Choose nodes along a ring of candidates, from node `start` once around.

    points: float64 [2n, 2], one contour's points twice, so that no piece has to wrap. nodes: float64 [m, 9].
    Every hard node is kept. Returns steps int64 [k + 1], ascending from 0 to m (step s is node (start + s)
    % m), and the price: segments plus ERROR_PRICE of mean squared errors in squared tolerances, summed.
    """
    price, came = np.empty(len(nodes) + 1), np.empty(len(nodes) + 1, np.int64)
    _find_pieces(points, nodes, start, tolerance, samples, rounds, price, came, np.empty(len(points)))
    return way_back(came), float(price[-1])


@kernel
def _find_pieces(  # type: ignore[no-untyped-def]
    points, nodes, start, tolerance, samples, rounds, price, came, parameter
):
    """Fill `price` with the least price of a way to each node, and `came` with the node before it on that way."""
    m = len(nodes)
    period = len(points) // 2
    price[:] = math.inf
    price[0] = 0.0
    square = tolerance * tolerance
    for i in range(m):
        from_node = nodes[(start + i) % m]
        first = int(from_node[AT]) + (period if start + i >= m else 0) + 1
        if from_node[LINE] > 0.0:
            if price[i] + 1.0 < price[i + 1]:
                price[i + 1] = price[i] + 1.0
                came[i + 1] = i
            if from_node[HARD] > 0.0 and nodes[(start + i + 1) % m, HARD] > 0.0:
                continue
        fails = 0
        angle = lowest = highest = 0.0
        ux, uy = from_node[OUT_X], from_node[OUT_Y]
        for j in range(i + 1, m + 1):
            node = nodes[(start + j) % m]
            last = int(node[AT]) + (period if start + j >= m else 0) - 1
            angle += math.atan2(ux * node[IN_Y] - uy * node[IN_X], ux * node[IN_X] + uy * node[IN_Y])
            ux, uy = node[OUT_X], node[OUT_Y]
            lowest, highest = min(lowest, angle), max(highest, angle)
            if j > i + 1 and highest - lowest > MOST_TURN:
                break
            _, _, worst, mean = fit_cubic(points, from_node, node, first, last, samples, rounds, parameter)
            fits = worst <= WORST_SHARE * tolerance and mean <= ROOT_MEAN_SHARE * ROOT_MEAN_SHARE * square
            if fits or (j == i + 1 and from_node[LINE] == 0.0):
                total = price[i] + 1.0 + ERROR_PRICE * mean / square + (0.0 if fits else POOR_PRICE)
                if total < price[j]:
                    price[j] = total
                    came[j] = i
            fails = 0 if fits else fails + 1
            if fails >= FAILS or node[HARD] > 0.0:
                break


def segments(
    points: Float64, nodes: Float64, start: int, steps: Int64, flat: float, samples: int, rounds: int
) -> tuple[Float64, Bool]:
    """Fit the final cubics between the nodes that `choose` chose.

    flat: px; cubics whose handles stand no farther off the chord become lines.
    Returns points float64 [3k, 2] and straight bool [k] as in `Outline`.
    """
    count = len(steps) - 1
    result, straight = np.empty((3 * count, 2)), np.empty(count, np.bool_)
    _fit_pieces(points, nodes, start, steps, flat, samples, rounds, result, straight, np.empty(len(points)))
    return result, straight


@kernel
def _fit_pieces(  # type: ignore[no-untyped-def]
    points, nodes, start, steps, flat, samples, rounds, result, straight, parameter
):
    """Fill the results of `segments`; `parameter` is scratch."""
    m = len(nodes)
    k = len(steps) - 1
    period = len(points) // 2
    for i in range(k):
        a, b = start + steps[i], start + steps[i + 1]
        node, following = nodes[a % m], nodes[b % m]
        first = int(node[AT]) + (period if a >= m else 0) + 1
        last = int(following[AT]) + (period if b >= m else 0) - 1
        x, y = following[X] - node[X], following[Y] - node[Y]
        chord = max(math.sqrt(x * x + y * y), 1e-9)
        near = far = chord / 3.0
        straight[i] = node[LINE] > 0.0 and b == a + 1
        if not straight[i]:
            near, far, _, _ = fit_cubic(points, node, following, first, last, samples, rounds, parameter)
            off_near = abs(near * (node[OUT_X] * y - node[OUT_Y] * x))
            off_far = abs(far * (following[IN_X] * y - following[IN_Y] * x))
            straight[i] = max(off_near, off_far) <= flat * chord
        result[3 * i, 0], result[3 * i, 1] = node[X], node[Y]
        if straight[i]:
            result[3 * i + 1, 0], result[3 * i + 1, 1] = node[X] + x / 3.0, node[Y] + y / 3.0
            result[3 * i + 2, 0], result[3 * i + 2, 1] = node[X] + x / 1.5, node[Y] + y / 1.5
        else:
            result[3 * i + 1, 0] = node[X] + near * node[OUT_X]
            result[3 * i + 1, 1] = node[Y] + near * node[OUT_Y]
            result[3 * i + 2, 0] = following[X] - far * following[IN_X]
            result[3 * i + 2, 1] = following[Y] - far * following[IN_Y]
