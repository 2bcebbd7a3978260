"""Turns that a walk along a stroke makes, and the points of the outline at each: how strokes join and end.

Refuses to know about widths in pixels beyond what fits between turns; see `strokes` for the walk.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from layervec.raster.chords import Lines, added, pull_to_run, ranks, summed, wrapped
from layervec.types import Bool, Float64, Int64

LONGEST_TIP = 100.0  # half widths; inside a turn sharper than that the outline passes through the vertex
SMOOTH = 2.0  # half widths; only turns whose miter is shorter than that are ever too smooth for their join to show
TIP, BEVEL, PIVOT, ROUND, SQUARE = range(5)  # kinds of turns
NODES = np.array([1, 2, 3, 3, 2])  # of the outline, at each kind


class Walk(NamedTuple):
    """Turns, in the order in which the walker makes them; the outline is to the left, at -n."""

    vertex: Int64  # [t]
    chords: Int64  # [t, 2], that the walk comes by and goes by
    ways: Int64  # [t, 2], its directions there, by number and as the centre line runs
    angle: Float64  # [t], direction of the walk before the turn
    turn: Float64  # [t], -pi to pi; above 0 away from the outline, which then runs round the outside
    cap: Bool  # [t]
    back: Bool  # [t], against the centre line
    contour: Int64  # [t], not falling


class Spots(NamedTuple):
    """Points of outlines: first the nodes, contour by contour, then two handles for each node with `arc`."""

    vertex: Int64  # [r]
    ways: Int64  # [r, 2], as in `Walk`
    share: Float64  # [r], of the turn, at which n and t are taken
    offset: Float64  # [r, 2], A n + B t
    by_angle: Float64  # [r, 2], derivative of offset by the direction there
    by_turn: Float64  # [r, 2], by the size of the turn
    arc: Bool  # [m], True where a node begins a curve, False for a straight piece
    following: Int64  # [m], next node of the contour
    starts: Int64  # [contours + 1], first node of each


def walk_along(line: Lines) -> Walk:
    """Return all turns: at the vertices on the way out, at the end of an open line, on the way back, at its start."""
    count, loop = len(line.vertices), line.loop
    inner = np.ones(count, np.bool_)
    inner[line.first[~loop]] = inner[line.last[~loop]] = False
    out, first, last = np.flatnonzero(inner), line.first[~loop], line.last[~loop]
    came, end = line.before[out], line.before[last]
    ways = np.stack([line.ends[came], line.starts[out]], axis=1)
    ending, starting = line.ends[end], line.starts[first]
    turn = wrapped(line.angle[ways[:, 1]] - line.angle[ways[:, 0]])
    vertex = np.concatenate([out, last, out, first])
    chords = np.concatenate([_pairs(came, out), _pairs(end, end), _pairs(out, came), _pairs(first, first)])
    all_ways = np.concatenate([ways, _pairs(ending, ending), ways[:, ::-1], _pairs(starting, starting)])
    turns = np.concatenate([turn, np.full(len(last), np.pi), -turn, np.full(len(first), np.pi)])
    sizes = (len(out), len(last), len(out), len(first))
    back, cap = np.repeat([False, False, True, True], sizes), np.repeat([False, True, False, True], sizes)
    angle = line.angle[all_ways[:, 0]] + np.where(back, np.pi, 0.0)

    begin = np.cumsum(np.where(loop, 2, 1)) - np.where(loop, 2, 1)
    contour = begin[line.line[vertex]] + (back & loop[line.line[vertex]])
    order = np.lexsort((np.where(back, 2 * count - vertex, vertex), contour))
    found = (vertex, chords, all_ways, angle, turns, cap, back, contour)
    return Walk(*(values[order] for values in found))


def _pairs(first: Int64, second: Int64) -> Int64:
    """Return two columns."""
    return np.stack([first, second], axis=1)


def kinds(
    line: Lines,
    walk: Walk,
    half: Float64,  # [p], px
    joins: Int64,  # [p], TIP (a miter), BEVEL or ROUND
    caps: Int64,  # [p], BEVEL (a butt end), ROUND or SQUARE
    miter_limit: float,  # half widths
    tolerance: float,  # px; joins that show by less are left as they fall
) -> Int64:
    """Return what the outline does at each turn."""
    path = line.path[walk.vertex]
    joins, caps = joins[path], caps[path]
    inside, stretch = walk.turn < 0, 1 / np.cos(walk.turn / 2)
    pivot = _crowded(line, walk, half).any(axis=1) | (stretch > LONGEST_TIP)
    smooth = (half[path] * (stretch - 1) <= tolerance) & (stretch <= SMOOTH)
    joins = np.where((joins == TIP) & (stretch > miter_limit), BEVEL, joins)
    outside = np.where(smooth, TIP, np.where(line.corner[walk.vertex], joins, ROUND))
    return np.where(walk.cap, caps, np.where(inside, np.where(pivot, PIVOT, TIP), outside))


def _crowded(line: Lines, walk: Walk, half: Float64) -> Bool:
    """Tell which chords of each turn, [t, 2], are too short to be cut off at both ends as the turns there would."""
    count = len(line.length)
    chords = 2 * walk.chords + walk.back[:, None]
    trim = half[line.path[walk.vertex]] * np.tan(np.maximum(-walk.turn, 0) / 2)
    trimmed = added(chords.reshape(-1), np.repeat(trim, 2), 2 * count)
    start, end = (wrapped(line.angle[way] - line.angle[:count]) for way in (line.starts, line.ends))
    for side, sign in enumerate((1, -1)):  # on the way out, on the way back
        lean = np.tan(np.maximum(sign * start, 0)) + np.tan(np.maximum(-sign * end, 0))
        trimmed[side::2] += half[line.path] * lean
    short: Bool = trimmed > np.repeat(line.length, 2)
    return short[chords]


def spots_of(walk: Walk, kind: Int64) -> Spots:
    """Return all points of the outlines, in units of half a width from their vertices."""
    counts = NODES[kind]
    of, rank = np.repeat(np.arange(len(kind)), counts), ranks(counts)
    what, turn = kind[of], walk.turn[of]
    tip = np.flatnonzero(what == TIP)
    arc = (what == ROUND) & (rank < 2)
    share = rank / np.maximum(counts[of] - 1, 1)
    share[tip] = 0.5
    a, b, da, db = np.full(len(of), -1.0), np.zeros(len(of)), np.zeros(len(of)), np.zeros(len(of))
    a[tip] = -1 / np.cos(turn[tip] / 2)
    da[tip] = a[tip] * np.tan(turn[tip] / 2) / 2
    a[(what == PIVOT) & (rank == 1)] = 0.0
    b[what == SQUARE] = 1 - 2 * rank[what == SQUARE]

    # A half of a round turn is one cubic: https://pomax.github.io/bezierinfo/#circles_cubic
    ends = np.repeat(np.flatnonzero(arc), 2)
    sign = np.tile([1.0, -1.0], len(ends) // 2)
    reach, slope = 4 / 3 * np.tan(turn[ends] / 8), 1 / (6 * np.cos(turn[ends] / 8) ** 2)
    of = np.concatenate([of, of[ends]])
    share = np.concatenate([share, (rank[ends] + (sign < 0)) / 2])
    a, da = np.concatenate([a, np.full(len(ends), -1.0)]), np.concatenate([da, np.zeros(len(ends))])
    b, db = np.concatenate([b, sign * reach]), np.concatenate([db, sign * slope])

    angle = walk.angle[of] + share * walk.turn[of]
    t = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    n = np.stack([-t[:, 1], t[:, 0]], axis=1)
    a, b, da, db = a[:, None], b[:, None], da[:, None], db[:, None]
    sizes = np.bincount(walk.contour, counts).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    following = np.arange(len(arc)) + 1
    following[starts[1:] - 1] = starts[:-1]
    offset, by_angle, by_turn = a * n + b * t, b * n - a * t, da * n + db * t
    return Spots(walk.vertex[of], walk.ways[of], share, offset, by_angle, by_turn, arc, following, starts)


def pull_to_points(points: Float64, line: Lines, spots: Spots, half: Float64, d_places: Float64) -> Float64:
    """Carry derivatives by the points of outlines back to the points of centre lines: [n, 2]."""
    count = len(line.vertices)
    d_turned, d_turn = (half * (d_places * part).sum(axis=1) for part in (spots.by_angle, spots.by_turn))
    d_ways = np.stack([d_turned * (1 - spots.share) - d_turn, d_turned * spots.share + d_turn], axis=1)
    d_angle = added(spots.ways.reshape(-1), d_ways.reshape(-1), len(line.angle))
    d_run = pull_to_run(line.vertices[line.after] - line.vertices, d_angle[:count])
    d_vertices = summed(spots.vertex, d_places, count) + summed(line.after, d_run, count) - d_run
    d_nodes = (line.blend[..., None] * d_vertices[:, None]).reshape(-1, 2)
    tail, head = line.tangents.T
    d_tangents = pull_to_run(points[head] - points[tail], d_angle[count:])
    places = np.concatenate([line.nodes.reshape(-1), head, tail])
    return summed(places, np.concatenate([d_nodes, d_tangents, -d_tangents]), len(points))
