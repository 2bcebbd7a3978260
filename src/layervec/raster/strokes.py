"""Strokes of constant width as filled outlines, and the way back from outlines to centre lines and widths.

Refuses to know about pixels, paints and kernels; plain NumPy, in float64. Its own drawing rules, SVG's:
https://www.w3.org/TR/SVG2/painting.html#StrokeShape

A centre line is cut into chords. The outline is what a walker leaves at half a width to the left, who goes along the
chords to the end of an open line, turns round and comes back (or goes round a closed one once in each sense). All
that is left to decide is each turn, and a turn is a few points at `vertex + half * (A n + B t)`, n and t being the
normal and the direction of the walk somewhere within the turn; derivatives follow from that one formula.

The rasteriser adds up signed areas and cuts off at 1, so nothing may count against what lies beside it: the outline's
winding number is that of one rectangle a chord, all of one sense, plus the wedges outside the turns. Inside a turn the
rectangles overlap. Where both chords are long enough, both are cut off where their borders meet, and the overlap is
gone; else the outline passes through the vertex, and counts the overlap twice, which does not show, since any winding
number but 0 is inside. That holds for bends tighter than half a width, for cusps, and for lines that cross themselves.

Limits: chords leave the centre line by up to the tolerance; a cusp within a segment is turned round whatever the join,
as most renderers do; how turns are cut changes in steps, so that derivatives are those of the outline at hand; borders
that cross within a pixel add up there, up to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from layervec.raster.chords import added, cut_up
from layervec.raster.turns import BEVEL, ROUND, SQUARE, TIP, kinds, pull_to_points, spots_of, walk_along
from layervec.types import Bool, Float32, Float64, Int64, Ramps, Scene

STROKE_FLATNESS = 0.025  # px, how far a chord may leave a centre line; both borders of a stroke lean the same way
HAIR = 1e-3  # px; thinner strokes are drawn so wide, which 8 bits do not show, for width to have a derivative
LARGEST = 1e30  # px, so that squares and products stay finite
MITER_LIMIT = 4.0  # SVG's default
JOINS = {"miter": TIP, "round": ROUND, "bevel": BEVEL}
CAPS = {"butt": BEVEL, "round": ROUND, "square": SQUARE}
THIRDS = np.array([[1 / 3], [2 / 3]])  # of the way, where the handles of a straight piece lie


@dataclass(frozen=True, slots=True, eq=False)
class Strokes:
    """Stroked paths as flat arrays, back to front, much as a `Scene` holds filled ones.

    points: float64 [n, 2], pixels. A centre line of k cubic segments is node, handle, handle, node, ...: 3 k + 1
    points if it is open, 3 k if it is closed; the last segment of a closed one ends at its first node.
    lines: int64 [c + 1]; centre line i owns points[lines[i]:lines[i + 1]].
    closed: bool [c].
    paths: int64 [p + 1]; path i owns centre lines paths[i] .. paths[i + 1] - 1, drawn as one shape.
    widths: float64 [p], pixels, at least 0; the whole width. What is thinner than `HAIR` is drawn as wide as that.
    paints: float32 [p, 4], and ramps: as in `Scene`.
    join: "miter", "round" or "bevel"; cap: "butt", "round" or "square"; one for all, or one a path.
    miter_limit: longest miter over width; sharper corners are bevelled.
    """

    points: Float64  # [n, 2]
    lines: Int64  # [c + 1]
    closed: Bool  # [c]
    paths: Int64  # [p + 1]
    widths: Float64  # [p]
    paints: Float32  # [p, 4]
    ramps: Ramps | None = None
    join: str | Sequence[str] = "miter"
    cap: str | Sequence[str] = "butt"
    miter_limit: float = MITER_LIMIT

    def __len__(self) -> int:
        return len(self.paths) - 1


@dataclass(frozen=True, slots=True, eq=False)
class StrokeGradients:
    """Derivatives of a number by what makes strokes, per pixel."""

    points: Float64  # [n, 2], by the points of the centre lines
    widths: Float64  # [p]


def outline_strokes(
    strokes: Strokes, *, tolerance: float = STROKE_FLATNESS
) -> tuple[Scene, Callable[[Any], StrokeGradients]]:
    """Return strokes as a scene of filled paths, and the function that carries derivatives back.

    That function takes d(loss)/d(scene.points), [m, 2], as `Gradients.points` and `FitPass.points` hold it, and
    returns the loss's `StrokeGradients`. Paths keep their numbers, so derivatives by paints need nothing.

    tolerance: px, how far the outline's chords may leave a centre line. A line without length is a dot: a disc
    with round caps, a square with square ones, nothing with butt ones. Raises ValueError for malformed strokes.
    """
    points, contours, paths, pull_back = outline(strokes, tolerance)
    nonzero = np.zeros(len(strokes), np.bool_)
    scene = Scene(points.astype(np.float32), contours, paths, strokes.paints, nonzero, strokes.ramps)
    return scene, pull_back


def outline(strokes: Strokes, tolerance: float) -> tuple[Float64, Int64, Int64, Callable[[Any], StrokeGradients]]:
    """Return points, contours and paths of the outlines as a `Scene` has them, in float64, and the way back."""
    _check(strokes, tolerance)
    half = np.maximum(np.asarray(strokes.widths, dtype=np.float64), HAIR) / 2
    joins, caps = _styles(strokes.join, JOINS, len(half), "join"), _styles(strokes.cap, CAPS, len(half), "cap")
    centre, closed = np.asarray(strokes.points, dtype=np.float64), np.asarray(strokes.closed)
    lines, owned = np.asarray(strokes.lines, dtype=np.int64), np.asarray(strokes.paths, dtype=np.int64)
    line = cut_up(centre, lines, closed, owned, half, tolerance)
    walk = walk_along(line)
    spots = spots_of(walk, kinds(line, walk, half, joins, caps, strokes.miter_limit, tolerance))
    path = line.path[spots.vertex]
    places = line.vertices[spots.vertex] + half[path][:, None] * spots.offset
    nodes, straight, following = len(spots.arc), ~spots.arc, spots.following

    points = np.empty((nodes, 3, 2))
    points[:, 0] = places[:nodes]
    points[spots.arc, 1:] = places[nodes:].reshape(-1, 2, 2)
    run = points[following[straight], 0] - points[straight, 0]
    points[straight, 1:] = points[straight, :1] + run[:, None] * THIRDS

    def pull_back(d_points: Any) -> StrokeGradients:
        upstream = np.asarray(d_points, dtype=np.float64)
        if upstream.shape != (3 * nodes, 2):
            raise ValueError(f"d_points must have shape [{3 * nodes}, 2], not {list(upstream.shape)}.")
        by_node = upstream.reshape(-1, 3, 2)
        d_nodes, handles = by_node[:, 0].copy(), by_node[straight, 1:]
        d_nodes[straight] += (handles * (1 - THIRDS)).sum(axis=1)
        d_nodes[following[straight]] += (handles * THIRDS).sum(axis=1)  # each node follows one other
        d_places = np.concatenate([d_nodes, by_node[spots.arc, 1:].reshape(-1, 2)])
        along = (d_places * spots.offset).sum(axis=1)
        d_widths = added(path, along, len(half)) / 2
        return StrokeGradients(pull_to_points(centre, line, spots, half[path], d_places), d_widths)

    starts = np.concatenate([[0], np.cumsum(np.where(line.loop, 2, 1))])
    paths = starts[owned]
    return points.reshape(-1, 2), 3 * spots.starts, paths, pull_back


def _check(strokes: Strokes, tolerance: float) -> None:
    """Raise ValueError for malformed strokes."""
    points, widths, closed = np.asarray(strokes.points), np.asarray(strokes.widths), np.asarray(strokes.closed)
    if points.ndim != 2 or points.shape[1] != 2 or not (np.abs(points) <= LARGEST).all():
        raise ValueError(f"strokes.points must have shape [n, 2] and lie within {LARGEST:g} px.")
    lines = _offsets(strokes.lines, "lines", len(points))
    paths = _offsets(strokes.paths, "paths", len(lines) - 1)
    if closed.shape != (len(lines) - 1,) or closed.dtype != np.bool_:
        raise ValueError(f"strokes.closed must hold a bool for each of the {len(lines) - 1} centre lines.")
    if ((np.diff(lines) < 3) | (np.diff(lines) % 3 != np.where(closed, 0, 1))).any():
        raise ValueError("An open centre line must have 3 k + 1 points and a closed one 3 k, k at least 1.")
    if widths.shape != (len(paths) - 1,) or not ((widths >= 0) & (widths <= LARGEST)).all():
        raise ValueError(f"strokes.widths must be at least 0, one for each of the {len(paths) - 1} paths.")
    if not tolerance > 0:
        raise ValueError(f"The tolerance must be above 0 px, not {tolerance}.")
    if not strokes.miter_limit >= 1:
        raise ValueError(f"The miter limit must be at least 1, not {strokes.miter_limit}.")


def _offsets(values: Any, name: str, count: int) -> Int64:
    """Return `values` as offsets that rise from 0 to `count`; raises ValueError."""
    found = np.asarray(values, dtype=np.int64)
    if found.ndim != 1 or not len(found) or found[0] != 0 or found[-1] != count or (np.diff(found) < 0).any():
        raise ValueError(f"strokes.{name} must rise from 0 to {count}.")
    return found


def _styles(values: str | Sequence[str], names: dict[str, int], count: int, what: str) -> Int64:
    """Return the number of each path's join or cap, int64 [count]; raises ValueError."""
    given = [values] * count if isinstance(values, str) else list(values)
    if len(given) != count or any(name not in names for name in given):
        raise ValueError(f"strokes.{what} must be one of {', '.join(names)}, for all paths or for each of {count}.")
    return np.array([names[name] for name in given], dtype=np.int64)
