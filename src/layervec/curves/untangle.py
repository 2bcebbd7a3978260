"""Make outlines that cross themselves simple, and as good as the same to look at.

Refuses to know pictures: outlines in, outlines out. Why this way: at a crossing both strands are cut and joined the
other way round, so that neither crosses any more and every winding number stays (Seifert's algorithm,
https://en.wikipedia.org/wiki/Seifert_surface). Rings with filled or empty on both sides go, and so do those too small
to see; the others are turned the right way round. This is the union that a library of boolean operations would find,
but it keeps cubics and their nodes. Limit: what crosses is seen on chords.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from layervec.curves.edit import all_controls, area, bernstein, headings, swept, thirds
from layervec.curves.nesting import Nesting, nested
from layervec.types import Bool, Float64, Int64, Outline

TOLERANCE = 0.002  # px; how finely outlines are flattened to find crossings
CLEARANCE = 0.12  # px that each of the two corners at a crossing steps back from it
LEAST_AREA = 1.0  # px; smaller rings are dropped
LEAST_WIDTH = 0.35  # px, area over half the length; narrower rings are dropped
LEAST_PART = 1e-3  # of a segment; a cut that is nearer to a node than that is at the node
SAMPLES = 9  # points that stand for a segment where rings are measured
ROUNDS = 6  # of cutting, as stepping back from one crossing may make another


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """A closed run of cubics [k, 4, 2], and which of them are lines [k]. cut: it was joined of parts at crossings."""

    cubics: Float64
    straight: Bool
    cut: bool = False

    @property
    def area(self) -> float:
        """Signed area in px^2, positive when clockwise on screen."""
        return area(self.cubics)

    def reversed(self) -> Ring:
        """The same ring the other way round."""
        return replace(self, cubics=self.cubics[::-1, ::-1].copy(), straight=self.straight[::-1].copy())


def untangled(outline: Outline, even_odd: bool) -> Outline:
    """Return the outline without crossings of any of its contours with itself or each other."""
    for _ in range(ROUNDS):
        places = crossing_places(outline)
        if not len(places):
            return outline
        outline = outline_of(_visible(_uncrossed(outline, places), _odd if even_odd else _any))
        even_odd = outline.contours > 1
    return outline


def positive(outline: Outline) -> Outline:
    """Return what contours wind round more often one way, clockwise on screen, than the other, without crossings."""
    found = outline_of(_visible(_uncrossed(outline, crossing_places(outline)), lambda count: count > 0))
    return untangled(found, even_odd=True)


def rounded(outline: Outline, decimals: int, even_odd: bool) -> Outline:
    """Return an outline in so many decimals of a pixel without crossings; one more where fewer cannot tell it apart.

    Rounding can push strands past each other that nearly touch, so what it leaves is cut up and rounded again.
    """
    for places in (decimals, decimals + 1):
        found, rule = replace(outline, points=outline.points.round(places)), even_odd
        for _ in range(ROUNDS):
            if not len(crossing_places(found)):
                return found
            found = untangled(found, rule)
            found, rule = replace(found, points=found.points.round(places)), found.contours > 1
    return replace(outline, points=outline.points.round(decimals))


def crossing_places(outline: Outline) -> Float64:
    """Return where an outline crosses itself: float64 [n, 2], both places as a segment's number plus the parameter."""
    from layervec.curves import chords
    from layervec.curves.crossings import crossings

    start, end, segment = chords([outline], TOLERANCE)
    few = np.flatnonzero(crossings(start, end))
    counts = np.bincount(segment, minlength=outline.segments)
    first = np.cumsum(counts) - counts
    pairs, where = _pairs(start[few], end[few])
    chord = few[pairs]
    on = segment[chord]
    return np.asarray(on + (chord - first[on] + where) / counts[on])


def _pairs(start: Float64, end: Float64) -> tuple[Int64, Float64]:
    """Return all pairs of chords that cross, int64 [n, 2], and where on each, float64 [n, 2], above 0 and below 1."""
    i, j = _near(start, end)
    way, offset = end - start, start[j] - start[i]
    det = way[i, 0] * way[j, 1] - way[i, 1] * way[j, 0]
    safe = np.where(det == 0.0, np.inf, det)
    s = (offset[:, 0] * way[j, 1] - offset[:, 1] * way[j, 0]) / safe
    t = (offset[:, 0] * way[i, 1] - offset[:, 1] * way[i, 0]) / safe
    inside = (np.minimum(s, t) > 1e-9) & (np.maximum(s, t) < 1 - 1e-9)
    return np.stack([i, j], axis=1)[inside], np.stack([s, t], axis=1)[inside]


def _near(start: Float64, end: Float64) -> tuple[Int64, Int64]:
    """Return the pairs i < j of chords whose boxes meet, in order: int64 [n] each.

    Sorted by their left ends, as most of many chords lie apart.
    """
    low, high = np.minimum(start, end), np.maximum(start, end)
    order = np.argsort(low[:, 0], kind="stable")
    later = np.searchsorted(low[order, 0], high[order, 0], side="right") - np.arange(1, len(order) + 1)
    one = np.repeat(np.arange(len(order)), later)
    other = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(later) - later, later)
    one, other = order[one], order[other]
    meet = (low[one, 1] <= high[other, 1]) & (low[other, 1] <= high[one, 1])
    i, j = np.minimum(one, other)[meet], np.maximum(one, other)[meet]
    by_place = np.lexsort((j, i))
    return i[by_place], j[by_place]


def _uncrossed(outline: Outline, places: Float64) -> list[Ring]:
    """Cut at all crossings and join the other way round."""
    flat = places.ravel()  # pass 2c and 2c + 1 are the two strands of crossing c
    cubics = all_controls(outline)
    found = []
    following, wraps = np.empty(len(flat), np.int64), np.zeros(len(flat), bool)
    contour = np.searchsorted(outline.starts // 3, flat, side="right") - 1
    order = np.argsort(flat, kind="stable")
    ends = np.searchsorted(contour[order], np.arange(outline.contours + 1))
    for number, (first, last) in enumerate(pairwise((outline.starts // 3).tolist())):
        passes = order[ends[number] : ends[number + 1]]
        if not len(passes):
            found.append(Ring(cubics[first:last], outline.straight[first:last]))
            continue
        following[passes] = np.roll(passes, -1)
        wraps[passes[-1]] = True
    meet = (_points(cubics, flat[0::2]) + _points(cubics, flat[1::2])) / 2
    left = np.ones(len(flat), bool)
    for begin in range(len(flat)):
        parts: list[Ring] = []
        corners: list[int] = []
        at = begin
        while left[at]:
            left[at] = False
            stop = int(following[at])
            first, last = (outline.starts[contour[at] : contour[at] + 2] // 3).tolist()
            end = flat[stop] + (last - first) * wraps[at]
            part = _part(cubics, outline.straight, flat[at], end, first, last)
            if len(part.cubics):
                part.cubics[0, :2] += meet[at // 2] - part.cubics[0, 0]
                part.cubics[-1, 2:] += meet[stop // 2] - part.cubics[-1, 3]
                corners.append(sum(len(p.cubics) for p in parts))
                parts.append(part)
            at = stop ^ 1
        if parts:
            ring = Ring(np.concatenate([p.cubics for p in parts]), np.concatenate([p.straight for p in parts]))
            found.append(_stepped_back(ring, np.array(corners)))
    return found


def _points(cubics: Float64, place: Float64) -> Float64:
    segment = np.minimum(place.astype(np.int64), len(cubics) - 1)
    u = (place - segment)[:, None]
    w = 1 - u
    p, q, r, s = np.moveaxis(cubics[segment], 1, 0)
    return np.asarray(w**3 * p + 3 * u * w**2 * q + 3 * u**2 * w * r + u**3 * s)


def _part(cubics: Float64, straight: Bool, begin: float, stop: float, first: int, last: int) -> Ring:
    """The run of cubics from one place to another on the contour of segments first .. last - 1."""
    length = last - first
    found, lines = [], []
    for number in range(int(begin), int(np.ceil(stop))):
        low, high = max(begin - number, 0.0), min(stop - number, 1.0)
        own = first + (number - first) % length
        low, high = (0.0 if low < LEAST_PART else low), (1.0 if high > 1 - LEAST_PART else high)
        if high - low >= LEAST_PART:
            found.append(cubics[own] if (low, high) == (0.0, 1.0) else between(cubics[own], low, high))
            lines.append(straight[own])
    return Ring(np.array(found).reshape(-1, 4, 2), np.array(lines, dtype=bool))


def between(cubic: Float64, low: float, high: float) -> Float64:
    """Return the part of a cubic [4, 2] between two parameters: float64 [4, 2], by its polar form."""

    def polar(*parameters: float) -> Float64:
        points = cubic
        for u in parameters:
            points = points[:-1] + u * (points[1:] - points[:-1])
        return np.asarray(points[0])

    return np.stack([polar(low, low, low), polar(low, low, high), polar(low, high, high), polar(high, high, high)])


def _stepped_back(ring: Ring, corners: Int64) -> Ring:
    """Move corners that were crossings into their own angle, away from the other one there."""
    cubics = ring.cubics.copy()
    cubics[:, 3] = np.roll(cubics[:, 0], -1, 0)  # where a part was too short to be one
    leave, arrive = headings(cubics)
    shift = leave[corners] - arrive[corners - 1]
    shift *= CLEARANCE / np.maximum(np.linalg.norm(shift, axis=1, keepdims=True), 1e-9)
    cubics[corners, :2] += shift[:, None]
    cubics[corners - 1, 2:] += shift[:, None]
    cubics[ring.straight, :3] = thirds(cubics[ring.straight, 0], cubics[ring.straight, 3])
    return Ring(cubics, ring.straight, cut=True)


def _odd(count: int) -> bool:
    return count % 2 != 0


def _any(count: int) -> bool:
    return count != 0


def _visible(parts: list[Ring], filled: Callable[[int], bool]) -> list[Ring]:
    """Leave out rings that bound nothing, and scraps of crossings too small to see; turn the others the right way."""
    polygons, areas, lengths = _measured(parts)
    around = nested(polygons)
    outside = np.bincount(around.inner, np.sign(areas)[around.outer], len(parts)).astype(np.int64).tolist()
    kept: list[Ring] = []
    for i in np.argsort(-np.abs(areas), kind="stable"):
        size = abs(areas[i])
        if kept and parts[i].cut and (size < LEAST_AREA or 2 * size < LEAST_WIDTH * lengths[i]):
            continue
        inside = outside[i] + int(np.sign(areas[i]))
        if filled(inside) != filled(outside[i]):
            kept.append(parts[i] if (areas[i] > 0) == filled(inside) else parts[i].reversed())
    return kept or [parts[int(np.argmax(np.abs(areas)))]]


def _measured(parts: list[Ring]) -> tuple[list[Float64], Float64, Float64]:
    """Return rings as polygons of SAMPLES points a segment, their signed areas in px^2, [c], and lengths in px, [c]."""
    counts = np.array([len(ring.cubics) for ring in parts])
    cubics, ends = np.concatenate([ring.cubics for ring in parts]), np.cumsum(counts)
    points = (bernstein(SAMPLES) @ cubics).reshape(-1, 2)
    following = np.concatenate([points[1:], points[:1]])
    following[SAMPLES * ends - 1] = points[SAMPLES * (ends - counts)]
    steps = np.hypot(*(following - points).T)
    lengths = np.add.reduceat(steps, SAMPLES * (ends - counts))
    areas = np.add.reduceat(swept(cubics), ends - counts)
    return np.split(points, SAMPLES * ends[:-1]), areas, lengths


def rings(outline: Outline) -> list[Ring]:
    """Return the contours of an outline."""
    cubics = all_controls(outline)
    return [Ring(cubics[a:b], outline.straight[a:b]) for a, b in pairwise((outline.starts // 3).tolist())]


def nesting(outline: Outline) -> Nesting:
    """Return which contours lie in which."""
    if outline.contours < 2:
        return Nesting(outline.contours, np.empty(0, np.int64), np.empty(0, np.int64))
    polygons, areas, _ = _measured(rings(outline))
    return nested(polygons).by_size(areas)


def oriented(outline: Outline) -> list[Ring]:
    """Return the contours of an outline that does not cross itself: holes against the clock, others clockwise."""
    holes = nesting(outline).depth % 2 == 1
    parts = zip(rings(outline), holes.tolist(), strict=True)
    return [ring if (ring.area < 0) == hole else ring.reversed() for ring, hole in parts]


def outline_of(parts: list[Ring]) -> Outline:
    """Return rings as an outline."""
    points = [ring.cubics[:, :3].reshape(-1, 2) for ring in parts]
    starts = np.cumsum([0, *(len(part) for part in points)], dtype=np.int64)
    return Outline(np.concatenate(points), starts, np.concatenate([ring.straight for ring in parts]))
