"""Decide where a border has corners and lines, and where a smooth piece of it may be cut.

Refuses to know masks and never fits a cubic: it turns the measured runs of `polygon` into a ring of
candidate nodes with tangents.
Why: a corner is where the headings of the parabolas fitted to both sides disagree by more than a smooth
curve could explain over the length that they were seen; this needs no window size and no angle threshold
of its own. Its place is where the two sides meet when extended, so that a digitised square keeps its corners.
Limit: a corner between sides shorter than about 4 px is rounded unless the pixels alone prove it (`trace`).
Compare the corner rule of https://potrace.sourceforge.net/potrace.pdf, section 2.3.1.
"""

from __future__ import annotations

import math

import numpy as np

from layervec.compiled import kernel, shared
from layervec.curves.polygon import C0, C1, C2, COLUMNS, CX, CY, DEV, LA, LB, SA, SB, UX, UY, fit_run
from layervec.types import Bool, Float64, Int64, UInt8

# Columns of a node: place, unit heading on arrival and departure, index into the points, hard (a corner or
# the end of a line: always a node), line (the way to the next node is straight).
X, Y, IN_X, IN_Y, OUT_X, OUT_Y, AT, HARD, LINE = range(9)

# Rounding a corner of turn a between sides L long moves the border by about L/4 sin(a/2). From the first
# of these many slacks on there may be a corner, unless a cubic passes it within the tolerance; from the
# second on there is one. At a slack of 1 px a right angle needs sides of 4.5 and 9 px.
CORNER_CUT = 0.8
HARD_CUT = 1.6
# From this many slacks on, a line that joins a bend keeps its ends; shorter ones may become part of a cubic.
LONG_LINE = 12.0
# Below this turn, the heading of fitted parabolas is noise. Radians (20 degrees).
CORNER_TURN = 0.35
# Two lines that meet at less than this have no usable meeting point. Sine of the angle.
PARALLEL = 0.2
# A corner is extrapolated by at most this share of its shorter side, but always by 0.75 px.
SIDE_SHARE = 0.25
# A run is a line if no point is farther from it than this (the midpoint of a crack is up to 0.5 px off the
# line that was digitised), and if it bows by no more than LINE_BOW plus the noise of that bow. Both px, at
# a tolerance of 1 px or less; the noise is two standard deviations of a parabola through n points that are
# 0.29 px off each.
LINE_DEVIATION = 0.65
LINE_BOW = 0.15
BOW_NOISE = 1.9  # px; divided by sqrt(n)
# A line that joins a bend smoothly must be this many times longer than the bend's runs.
LINE_RATIO = 2.0
# ... and an arc in its place would stand off it by this many slacks; runs on arcs stand off by 1.
LINE_RISE = 1.6
# Share of such a line, at each smooth end, that may belong to the bend already.
LINE_MARGIN = 0.2
BEND_SHARE = 0.3  # of the neighbouring run: by so much a line runs into the bend, see `retreat`
# A run no longer than this between two sides that are so many times longer may be the blunt tip that
# pixels give to a sharp corner, if the corner would stand above it by no more than BLUNT_HEIGHT (1 + 1 /
# sin(p/2)); p is the angle that the sides enclose. All in slacks.
BLUNT = 4.5
BLUNT_RATIO = 3.0
BLUNT_HEIGHT = 0.55


@shared
def place(row, s):  # type: ignore[no-untyped-def]
    """Return x, y of a run's parabola at s."""
    d = row[C0] + s * (row[C1] + s * row[C2])
    return row[CX] + s * row[UX] - d * row[UY], row[CY] + s * row[UY] + d * row[UX]


@shared
def heading(row, s):  # type: ignore[no-untyped-def]
    """Return the unit direction of a run's parabola at s."""
    slope = row[C1] + 2.0 * s * row[C2]
    x, y = row[UX] - slope * row[UY], row[UY] + slope * row[UX]
    length = math.sqrt(x * x + y * y)
    return x / length, y / length


@shared
def corner_cut(before, after):  # type: ignore[no-untyped-def]
    """Return by how many px a smooth curve would cut the corner between two runs; 0 if they meet in a
    bend.
    """
    in_x, in_y = heading(before, before[SB])
    out_x, out_y = heading(after, after[SA])
    turn = math.atan2(in_x * out_y - in_y * out_x, in_x * out_x + in_y * out_y)
    chord_turn = math.atan2(
        before[UX] * after[UY] - before[UY] * after[UX], before[UX] * after[UX] + before[UY] * after[UY]
    )
    if abs(turn) < CORNER_TURN or abs(chord_turn) < CORNER_TURN or turn * chord_turn < 0.0:
        return 0.0
    side = min(before[SB] - before[SA], after[SB] - after[SA])
    return 0.25 * side * math.sin(0.5 * min(abs(turn), abs(chord_turn)))


@shared
def corner_place(before, after, x, y, before_fixed, after_fixed):  # type: ignore[no-untyped-def]
    """Return where two runs meet when extended, no farther from (x, y) than the digitised corner allows.

    A run that is fixed lies on the picture's border, and so does the result.
    """
    ax, ay = place(before, before[SB])
    bx, by = place(after, after[SA])
    ux, uy = heading(before, before[SB])
    vx, vy = heading(after, after[SA])
    cross = ux * vy - uy * vx
    if before_fixed and after_fixed:
        return x, y
    if abs(cross) < PARALLEL:
        meet_x, meet_y = x, y
        if not before_fixed and not after_fixed and ux * vx + uy * vy > 0.0:
            meet_x, meet_y = 0.5 * (ax + bx), 0.5 * (ay + by)
    else:
        t = ((bx - ax) * vy - (by - ay) * vx) / cross
        meet_x, meet_y = ax + t * ux, ay + t * uy
    # A tip whose sides enclose the angle p loses up to about 1 / sin(p/2) px when it is digitised.
    enclosed = math.sqrt(max(0.5 * (1.0 + ux * vx + uy * vy), 0.0))
    limit = 0.75 + 0.75 / max(enclosed, 0.3)
    # Short sides point nowhere reliably.
    limit = min(limit, max(0.75, SIDE_SHARE * min(before[SB] - before[SA], after[SB] - after[SA])))
    if before_fixed or after_fixed:
        run = after[SB] - after[SA] if after_fixed else before[SB] - before[SA]
        limit = min(1.0, 0.45 * run)
    off = math.sqrt((meet_x - x) ** 2 + (meet_y - y) ** 2)
    if off > limit:
        meet_x, meet_y = x + (meet_x - x) * limit / off, y + (meet_y - y) * limit / off
    return meet_x, meet_y


@shared
def is_blunt(before, run, after, slack):  # type: ignore[no-untyped-def]
    """Tell whether a run is only the flat end that pixels give to the corner between its neighbours."""
    length = run[SB] - run[SA]
    if length > BLUNT * slack or BLUNT_RATIO * length > min(before[SB] - before[SA], after[SB] - after[SA]):
        return False
    ux, uy = heading(before, before[SB])
    vx, vy = heading(after, after[SA])
    first = ux * run[UY] - uy * run[UX]
    second = run[UX] * vy - run[UY] * vx
    cross = ux * vy - uy * vx
    if first * second <= 0.0 or first * cross <= 0.0 or abs(cross) < PARALLEL:
        return False
    # By so much the tip stands above the run, which is one side of a triangle, with two known angles.
    height = abs(length * first * second / cross)
    enclosed = math.sqrt(max(0.5 * (1.0 + ux * vx + uy * vy), 0.0))
    return height <= slack * (BLUNT_HEIGHT + BLUNT_HEIGHT / max(enclosed, 0.3))


@shared
def find_line(points, sums, a, b, corner_a, corner_b, row, scale, core):  # type: ignore[no-untyped-def]
    """Tell whether the run from vertex a to vertex b is a line; if so its row becomes the line's, with LA
    and LB.

    At smooth ends the run was extended into the bend, so only its core is judged and the ends are found
    from it.
    """
    margin = int(LINE_MARGIN * (b - a))
    first = a + (1 if corner_a else max(1, margin))
    last = b - (1 if corner_b else max(1, margin))
    if last < first:
        first, last = a, b
    core[:] = 0.0
    fit_run(points, sums, a, b, first, last, core)
    length = core[SB] - core[SA]
    bow = abs(core[C2]) * (length * (last - first) / (b - a)) ** 2 / 4.0
    most_bow = LINE_BOW * scale + BOW_NOISE / math.sqrt(last - first + 1.0)
    if core[DEV] > LINE_DEVIATION * scale or bow > most_bow:
        return False
    core[C0] = core[C1] = core[C2] = 0.0
    for column in range(len(row)):
        row[column] = core[column]
    while first > a and distance(points, first - 1, row) <= LINE_DEVIATION:
        first -= 1
    while last < b and distance(points, last + 1, row) <= LINE_DEVIATION:
        last += 1
    row[LA] = row[SA] + length * (first - a) / (b - a)
    row[LB] = row[SA] + length * (last - a) / (b - a)
    return True


@shared
def retreat(row, neighbour):  # type: ignore[no-untyped-def]
    """Return by how many px to shorten a line that was found to run into the bend of a neighbouring run.

    On a bend of radius R a run is about sqrt(8 R) long, and a line leaves the bend by half a pixel after
    sqrt(R).
    """
    return min(BEND_SHARE * (neighbour[SB] - neighbour[SA]), LINE_MARGIN * (row[LB] - row[LA]))


@shared
def distance(points, i, row):  # type: ignore[no-untyped-def]
    """Return the distance (px) of point i from a run's line."""
    return abs((points[i, 1] - row[CY]) * row[UX] - (points[i, 0] - row[CX]) * row[UY])


@shared
def leaves_bend(row, neighbour, slack):  # type: ignore[no-untyped-def]
    """Tell whether a run is too long for it and its smooth neighbour to lie on one arc.

    On an arc of radius R, runs of lengths l and m turn by (l + m) / 2R where they meet, and l stands l^2 /
    8R off.
    """
    length, other = row[SB] - row[SA], neighbour[SB] - neighbour[SA]
    sine = abs(row[UX] * neighbour[UY] - row[UY] * neighbour[UX])
    rise = length * length * sine / (4.0 * (length + other))
    return length >= LINE_RATIO * other and rise >= LINE_RISE * slack


@shared
def find_lines(points, follows, sums, vertices, table, corners, slack, scale, lines, core):  # type: ignore[no-untyped-def]
    """Fill `lines`, bool [k] of False: whether each run is a line. core: float64 [COLUMNS], scratch."""
    runs = len(table)
    for e in range(runs):
        a, b = vertices[e], vertices[e + 1]
        following = e + 1 if e + 1 < runs else 0
        if follows[a] != 0:
            lines[e] = True
            continue
        joins = corners[e] or leaves_bend(table[e], table[e - 1], slack)
        if joins and (corners[following] or leaves_bend(table[e], table[following], slack)):
            lines[e] = find_line(points, sums, a, b, corners[e], corners[following], table[e], scale, core)


@shared
def set_node(nodes, n, x, y, in_x, in_y, out_x, out_y, at, hard):  # type: ignore[no-untyped-def]
    """Write row n of a node table."""
    row = nodes[n]
    row[X], row[Y], row[IN_X], row[IN_Y], row[OUT_X], row[OUT_Y] = x, y, in_x, in_y, out_x, out_y
    row[AT], row[HARD], row[LINE] = at, hard, 0.0


@shared
def run_node(nodes, n, row, s, a, b, hard):  # type: ignore[no-untyped-def]
    """Write row n of a node table: a smooth node on a run between points a and b, at s."""
    x, y = place(row, s)
    ux, uy = heading(row, s)
    at = a + math.floor(0.5 + (b - a) * (s - row[SA]) / max(row[SB] - row[SA], 1e-9))
    set_node(nodes, n, x, y, ux, uy, ux, uy, at, hard)


def candidates(
    points: Float64,
    knots: Bool,
    follows: UInt8,
    sums: Float64,
    vertices: Int64,
    table: Float64,
    slack: float,
    scale: float,
) -> Float64:
    """Return the ring of candidate nodes of one contour, float64 [m, 9], in order, the first not repeated.

    Corners and ends of lines are hard; every other run offers its middle as a soft node. `scale`
    multiplies the limits for lines. Rows of `table` that turn out to be lines are refitted.
    """
    runs = len(table)
    corners, blunt, lines = np.zeros((3, runs), np.bool_)
    nodes = np.zeros((3 * runs, 9))
    hard, core = np.empty(runs), np.empty(COLUMNS)
    count = _fill_nodes(
        points, knots, follows, sums, vertices, table, slack, scale, corners, blunt, lines, hard, core, nodes
    )
    return nodes[:count]


@kernel
def _fill_nodes(  # type: ignore[no-untyped-def]
    points, knots, follows, sums, vertices, table, slack, scale, corners, blunt, lines, hard, core, nodes
):
    """Fill `nodes` with the ring of `candidates`, and return how many there are; what stands before it is scratch."""
    runs = len(table)
    for e in range(runs):
        cut = corner_cut(table[e - 1], table[e])
        corners[e] = knots[vertices[e]] or cut > CORNER_CUT * slack
        hard[e] = 1.0 if knots[vertices[e]] or cut > HARD_CUT * slack else 0.0
    for e in range(runs):
        following = e + 1 if e + 1 < runs else 0
        if runs > 3 and follows[vertices[e]] == 0 and not blunt[e - 1] and not blunt[following]:
            cut = corner_cut(table[e - 1], table[following])
            blunt[e] = cut > CORNER_CUT * slack and is_blunt(table[e - 1], table[e], table[following], slack)
        if blunt[e]:
            corners[e] = corners[following] = True
            hard[following] = 1.0
    find_lines(points, follows, sums, vertices, table, corners, slack, scale, lines, core)
    n = 0
    for e in range(runs):
        if blunt[e]:
            continue
        row = table[e]
        following = e + 1 if e + 1 < runs else 0
        a, b = vertices[e], vertices[e + 1]
        if corners[e]:
            previous = e - 1 if e > 0 else runs - 1
            x, y = points[a, 0], points[a, 1]
            if blunt[previous]:
                x, y = 0.5 * (x + points[vertices[previous], 0]), 0.5 * (y + points[vertices[previous], 1])
                previous = previous - 1 if previous > 0 else runs - 1
            before = table[previous]
            x, y = corner_place(before, row, x, y, follows[vertices[previous]] != 0, follows[a] != 0)
            ix, iy = heading(before, before[SB])
            ox, oy = heading(row, row[SA])
            set_node(nodes, n, x, y, ix, iy, ox, oy, float(a), hard[e])
            n += 1
        if lines[e]:
            long = 1.0 if row[LB] - row[LA] >= LONG_LINE * slack else 0.0
            if not corners[e]:
                run_node(nodes, n, row, row[LA] + retreat(row, table[e - 1]), a, b, long)
                n += 1
            nodes[n - 1, LINE] = 1.0
            if not corners[following]:
                run_node(nodes, n, row, row[LB] - retreat(row, table[following]), a, b, long)
                n += 1
        elif not (corners[e] and corners[following]):
            run_node(nodes, n, row, 0.5 * (row[SA] + row[SB]), a, b, 0.0)
            n += 1
    return n
