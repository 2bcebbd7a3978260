"""Centre lines of strokes as chords, with the directions that they have where they turn; derivatives of those.

Refuses to know what is drawn along them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from layervec.types import Bool, Float64, Int64

MAX_CHORDS = 1024  # of one segment: bounds time and memory when coordinates are huge
LEAST_CHORD = 1e-5  # px; shorter ones have no direction worth the name
WIDEST_ANGLE = 0.5  # radians; a tangent that turns further from its chord does not stand for it
SMOOTH_ANGLE = 0.05  # radians; segments that meet at less go on smoothly


class Lines(NamedTuple):
    """Centre lines as chords. Chord v runs from vertex v to vertex after[v], and is a dummy behind the last vertex.

    Directions are numbered: those of the v chords, then of the tangents at the starts and at the ends of s segments.
    """

    vertices: Float64  # [v, 2]
    nodes: Int64  # [v, 4], points of the segment that each lies on
    blend: Float64  # [v, 4], their weights
    corner: Bool  # [v], True where segments may meet at an angle
    path: Int64  # [v]
    line: Int64  # [v]
    first: Int64  # [c], each line's first vertex
    last: Int64  # [c]
    loop: Bool  # [c], closed, and not only a dot
    before: Int64  # [v], number of the chord that comes in
    after: Int64  # [v]
    length: Float64  # [v], px
    angle: Float64  # [v + 2 s], of each direction; 0 where it has no length
    starts: Int64  # [v], direction at the start of each chord: its segment's tangent where there is one, else its own
    ends: Int64  # [v]
    tangents: Int64  # [2 s, 2], points that tangents run from and to


def cut_up(
    points: Float64,  # [n, 2]
    lines: Int64,  # [c + 1]
    closed: Bool,  # [c]
    paths: Int64,  # [p + 1]
    half: Float64,  # [p], px, half of each width
    tolerance: float,  # px
) -> Lines:
    """Cut centre lines into chords at equal steps of the parameter, as `flatten` does, and drop those too short."""
    segments = np.diff(lines) // 3
    owner = np.repeat(np.arange(len(segments)), segments)
    nodes = (lines[owner] + 3 * ranks(segments))[:, None] + np.arange(4)
    final = ranks(segments) == segments[owner] - 1
    nodes[final & closed[owner], 3] = lines[:-1][closed]
    p = points[nodes]
    bend = np.hypot(*(p[:, :-2] - 2 * p[:, 1:-1] + p[:, 2:]).transpose(2, 0, 1)).max(axis=1)
    counts = np.ceil(np.clip(np.sqrt(0.75 * bend / tolerance), 1, MAX_CHORDS)).astype(np.int64)

    listed = counts + (final & ~closed[owner])
    segment, step = np.repeat(np.arange(len(counts)), listed), ranks(listed)
    t = step / counts[segment]
    s = 1 - t
    blend = np.stack([s**3, 3 * s * s * t, 3 * s * t * t, t**3], axis=1)
    vertices, line = np.einsum("vk,vkd->vd", blend, p[segment]), owner[segment]
    kept = _apart(vertices, line, closed)
    chain = _chained(vertices[kept], line[kept], closed)
    left = np.append(kept[1:], len(line))[: len(kept)] - 1  # where each chord was listed last before its end
    left[chain.last] = np.searchsorted(line, np.arange(len(closed)), "right") - 1
    corner = (step == 0) | (step == counts[segment])
    path = np.searchsorted(paths, line[kept], "right") - 1
    reach = _Reach(segment[left], step[left] == 0, corner[kept[chain.after]], half[path])
    directions = _directions(points, nodes, chain, reach)
    corner = np.logical_or.reduceat(corner, kept) if len(kept) else corner
    corner &= _bends(chain, *directions[:3], reach)
    return Lines(chain.vertices, nodes[segment[kept]], blend[kept], corner, path, *chain[1:], *directions)


def _apart(vertices: Float64, line: Int64, closed: Bool) -> Int64:
    """Return the numbers of the vertices that do not lie where the one before them lies."""
    far = np.ones(len(vertices), np.bool_)
    far[1:] = (np.hypot(*np.diff(vertices, axis=0).T) > LEAST_CHORD) | (np.diff(line) > 0)
    kept = np.flatnonzero(far)
    first, last = _ends(line[kept], len(closed))
    gap = np.hypot(*(vertices[kept[last]] - vertices[kept[first]]).T)
    return np.delete(kept, last[closed & (last > first) & (gap <= LEAST_CHORD)])


def _ends(line: Int64, count: int) -> tuple[Int64, Int64]:
    """Return the first and the last number in `line`, which does not fall, of each of `count` lines."""
    numbers = np.arange(count)
    return np.searchsorted(line, numbers), np.searchsorted(line, numbers, "right") - 1


class _Chain(NamedTuple):
    """Fields of `Lines`."""

    vertices: Float64
    line: Int64
    first: Int64
    last: Int64
    loop: Bool
    before: Int64
    after: Int64
    length: Float64


def _chained(vertices: Float64, line: Int64, closed: Bool) -> _Chain:
    """Link vertices by chords."""
    first, last = _ends(line, len(closed))
    loop = closed & (last > first)
    after, before = np.arange(len(vertices)) + 1, np.arange(len(vertices)) - 1
    after[last], before[first] = np.where(loop, first, last), np.where(loop, last, first)
    return _Chain(vertices, line, first, last, loop, before, after, np.hypot(*(vertices[after] - vertices).T))


class _Reach(NamedTuple):
    """Of each chord: its segment, whether it is that one's first and last, and half the width."""

    segment: Int64
    opens: Bool
    closes: Bool
    half: Float64


def _directions(points: Float64, nodes: Int64, chain: _Chain, reach: _Reach) -> tuple[Float64, Int64, Int64, Int64]:
    """Return angle, starts, ends and tangents of `Lines`.

    Where a segment begins and ends its own tangents count: caps are square to them. They cannot where it bends more
    tightly than the stroke is wide; the chord's direction must do there.
    """
    run = chain.vertices[chain.after] - chain.vertices
    own, count = np.arctan2(run[:, 1], run[:, 0]), len(nodes)
    tangents = np.concatenate([_tangents(points, nodes), _tangents(points, nodes[:, ::-1])[:, ::-1]])
    along = points[tangents[:, 1]] - points[tangents[:, 0]]
    angle = np.arctan2(along[:, 1], along[:, 0])
    found = []
    for number, here in ((reach.segment, reach.opens), (reach.segment + count, reach.closes)):
        apart = np.abs(wrapped(angle[number] - own))
        fits = here & (np.hypot(*along[number].T) > LEAST_CHORD) & (apart < WIDEST_ANGLE)
        fits &= 2 * reach.half * np.tan(np.minimum(apart, WIDEST_ANGLE)) <= chain.length
        found.append(np.where(fits, len(own) + number, np.arange(len(own))))
    return np.concatenate([own, angle]), found[0], found[1], tangents


def _tangents(points: Float64, nodes: Int64) -> Int64:
    """Return the points that say where segments [s, 4] go at first: their start, and the next that lies apart."""
    p = points[nodes]
    apart = np.hypot(*(p[:, 1:] - p[:, :1]).transpose(2, 0, 1)) > LEAST_CHORD
    return np.stack([nodes[:, 0], np.take_along_axis(nodes, apart.argmax(axis=1)[:, None] + 1, axis=1)[:, 0]], axis=1)


def _bends(chain: _Chain, angle: Float64, starts: Int64, ends: Int64, reach: _Reach) -> Bool:
    """Tell at which vertices the join shows: not where only chords meet at an angle, as their tangents could not do."""
    chords = np.arange(len(starts))
    inexact = (reach.opens & (starts == chords)) | (reach.closes & (ends == chords))[chain.before]
    tangent = len(chords) + reach.segment
    ahead = np.where(reach.opens, angle[tangent], angle[chords])
    behind = np.where(reach.closes, angle[tangent + (len(angle) - len(chords)) // 2], angle[chords])
    sharp = np.abs(wrapped(ahead - behind[chain.before])) > SMOOTH_ANGLE
    return np.asarray(~inexact | sharp)


def wrapped(angle: Float64) -> Float64:
    """Return angles within -pi (not included) to pi."""
    return np.asarray(np.pi - (np.pi - angle) % (2 * np.pi))


def pull_to_run(run: Float64, d_angle: Float64) -> Float64:
    """Carry derivatives by the angles of vectors, [k, 2], back to the vectors; 0 for those without length."""
    square = (run**2).sum(axis=1)
    per = np.divide(d_angle, square, out=np.zeros_like(square), where=square > 0)
    return np.asarray(per[:, None] * np.stack([-run[:, 1], run[:, 0]], axis=1))


def added(places: Int64, values: Float64, count: int) -> Float64:
    """Add up values, [k], that belong to the same place: [count]."""
    return np.asarray(np.bincount(places, values, count), dtype=np.float64)


def summed(places: Int64, values: Float64, count: int) -> Float64:
    """Add up values, [k, 2], that belong to the same place: [count, 2]."""
    return np.stack([added(places, values[:, axis], count) for axis in range(2)], axis=1)


def ranks(counts: Int64) -> Int64:
    """Return 0, 1, .. count - 1 for each count, one after the other."""
    return np.asarray(np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts))
