"""Closed cubic outlines of pixel masks, and small services on outlines.

Refuses to know pictures, colours and layers: masks and outlines in, outlines and numbers out.
Why this chain: trace the cracks between pixels, cut the border into straight runs, find corners and lines
in them, then choose the fewest cubics between (`trace`, `polygon`, `nodes`, `cubics`, `contour`; each says
why and where from). Limit: every mask is fitted by itself, so two fits of one shared border differ by up
to twice the tolerance. The compiled parts are imported on first use.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from layervec.curves.edit import all_controls, simplify, straighten, swept
from layervec.types import Bool, Float64, Int32, Int64, Outline

__all__ = [
    "fit",
    "fit_many",
    "flatten",
    "lattice",
    "mean_deviation",
    "self_crossings",
    "signed_area",
    "simplify",
    "straighten",
    "thickness",
]

CROSSING_TOLERANCE = 0.05  # px; how finely outlines are flattened before crossings are counted
DEVIATION_TOLERANCE = 0.02  # px; ... and before deviations are measured
THICKNESS_TOLERANCE = 0.1  # px; ... and before the length of a border is measured
MOST_CHORDS = 4096  # chords of one flattened segment, whatever the tolerance


def fit(mask: Bool, tolerance: float, min_area: float = 0.0) -> Outline:
    """Return closed cubic outlines of the region that a mask marks.

    mask: bool [h, w]; foreground is 8-connected, background 4-connected.
    tolerance: px, greatest distance of a curve from the midpoints of the region's border cracks where
    smoothing
        allows; below about 0.6 curves begin to follow the pixels' staircase.
    min_area: px; contours (specks and holes) that enclose less are left out, but never the largest outer one.
    Runs along the picture's border lie exactly on it. An empty mask gives an empty outline.
    Raises ValueError if the mask is not two-dimensional or the tolerance is not positive.
    """
    if mask.ndim != 2:
        raise ValueError(f"a mask has two axes, not {mask.ndim}")
    if not (tolerance > 0.0 and math.isfinite(tolerance)):
        raise ValueError(f"tolerance must be positive, not {tolerance}")
    from layervec.curves.contour import fit_contour

    height, width = mask.shape
    corners, starts, areas = borders(mask)
    keep = np.abs(areas) >= min_area
    if len(areas):
        keep[np.argmax(areas)] = True
    pieces = [
        fit_contour(corners[starts[c] : starts[c + 1]], width, height, areas[c], tolerance)
        for c in np.flatnonzero(keep)
    ]
    return Outline(
        np.concatenate([p for p, _ in pieces] or [np.zeros((0, 2))]),
        np.cumsum([0, *(len(p) for p, _ in pieces)], dtype=np.int64),
        np.concatenate([s for _, s in pieces] or [np.zeros(0, np.bool_)]),
    )


def fit_many(masks: Iterable[Bool], tolerance: float, min_area: float = 0.0) -> list[Outline]:
    """Return `fit` of each mask."""
    return [fit(mask, tolerance, min_area) for mask in masks]


def lattice(mask: Bool) -> Outline:
    """Return the border of a mask, bool [h, w], as it is: lines along the cracks between pixels, square corners."""
    corners, starts, _ = borders(mask)
    following = _following(starts)
    before = np.empty_like(following)
    before[following] = np.arange(len(following))
    turns = (corners - corners[before] != corners[following] - corners).any(axis=1)
    nodes = corners[turns].astype(np.float64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(turns)])[starts]
    step = (nodes[_following(starts)] - nodes) / 3.0
    points = np.stack((nodes, nodes + step, nodes + 2.0 * step), axis=1).reshape(-1, 2)
    return Outline(points, 3 * starts, np.ones(len(nodes), np.bool_))


def _following(starts: Int64) -> Int64:
    """Return the index of the point after each on its ring: int64 [n]. starts: where rings begin, and the last ends."""
    following = np.arange(1, starts[-1] + 1)
    following[starts[1:] - 1] = starts[:-1]
    return following


def borders(mask: Bool) -> tuple[Int32, Int64, Float64]:
    """Return the lattice points of a mask's borders, int32 [n, 2], their starts [c + 1] and signed areas
    [c] in px.
    """
    import cv2

    from layervec.curves.trace import lattice_areas, trace

    mask = np.ascontiguousarray(mask, np.bool_)
    if mask.size == 0:
        return np.zeros((0, 2), np.int32), np.zeros(1, np.int64), np.zeros(0)
    left, top, columns, rows = cv2.boundingRect(mask.view(np.uint8))
    padded = np.zeros((rows + 2, columns + 2), np.uint8)
    padded[1:-1, 1:-1] = mask[top : top + rows, left : left + columns]
    corners, starts = trace(padded)
    areas = lattice_areas(corners, starts)
    corners += np.array([left, top], np.int32)
    return corners, starts, areas


def flatten(outline: Outline, tolerance: float) -> list[Float64]:
    """Return each contour as a closed polygon, float64 [k, 2], first point not repeated, within
    `tolerance` px.
    """
    if not outline.contours:
        return []
    vertices, _, segment = chords([outline], tolerance)
    return np.split(vertices, np.searchsorted(segment, outline.starts[1:-1] // 3))


def chords(outlines: Sequence[Outline], tolerance: float) -> tuple[Float64, Float64, Int64]:
    """Return start and end, float64 [n, 2] each, of the chords of flattened outlines, and each one's segment, [n].

    How many: see `_chord_counts`.
    """
    sizes = np.concatenate([np.zeros(1, np.int64), *(np.diff(outline.starts) // 3 for outline in outlines)])
    starts = np.cumsum(sizes)
    segments = np.concatenate([outline.points for outline in outlines]).reshape(-1, 3, 2)
    following = _following(starts)
    cubics = np.concatenate([segments, segments[following, :1]], axis=1)
    counts = _chord_counts(cubics, np.concatenate([outline.straight for outline in outlines]), tolerance)
    first = np.cumsum(counts) - counts
    segment = np.repeat(np.arange(len(counts)), counts)
    u = ((np.arange(len(segment)) - first[segment]) / counts[segment])[:, None]
    w = 1.0 - u
    p, q, r, s = np.moveaxis(cubics[segment], 1, 0)
    start = w**3 * p + 3.0 * u * w**2 * q + 3.0 * u**2 * w * r + u**3 * s
    end = np.concatenate([start[1:], start[:1]])
    end[first + counts - 1] = start[first[following]]
    return start, end, segment


def chord_count(outline: Outline, tolerance: float) -> int:
    """Return how many chords `chords` makes of an outline."""
    segments = outline.points.reshape(-1, 3, 2)
    following = _following(outline.starts // 3)
    cubics = np.concatenate([segments, segments[following, :1]], axis=1)
    return int(_chord_counts(cubics, outline.straight, tolerance).sum())


def _chord_counts(cubics: Float64, straight: Bool, tolerance: float) -> Int64:
    """Return how many chords stand for each cubic.

    One whose second differences of control points are at most d long needs sqrt(0.75 d / tolerance)
    chords (Wang's bound, https://pomax.github.io/bezierinfo/).
    """
    bends = np.hypot(*np.moveaxis(np.diff(cubics, 2, axis=1), 2, 0)).max(1)
    bends[straight] = 0.0
    return np.asarray(np.clip(np.ceil(np.sqrt(0.75 * bends / tolerance)), 1, MOST_CHORDS), np.int64)


def thickness(outline: Outline) -> float:
    """Return twice the area over the length of the border, px: about the width of a line, half that of a disc."""
    start, end, segment = chords([outline], THICKNESS_TOLERANCE)
    steps = np.hypot(*(end - start).T)
    ends = np.searchsorted(segment, outline.starts // 3).tolist()
    length = sum(float(steps[a:b].sum()) for a, b in pairwise(ends))
    return 2.0 * abs(signed_area(outline)) / max(length, 1e-9)


def signed_area(outline: Outline) -> float:
    """Return the area in px^2 that the contours enclose, exactly: outer ones count positive, holes
    negative.
    """
    areas = swept(all_controls(outline))
    return sum(float(areas[a:b].sum()) for a, b in pairwise((outline.starts // 3).tolist()))


def self_crossings(outlines: Sequence[Outline], tolerance: float = CROSSING_TOLERANCE) -> Int64:
    """Return how often each outline properly crosses itself, within and between contours: int64 [k].

    tolerance: px, how finely outlines are flattened. Touching does not count.
    """
    marks = crossed_segments(outlines, tolerance)
    first = np.cumsum([0, *(outline.segments for outline in outlines)])
    running = np.concatenate([[0], np.cumsum(marks)])
    return np.asarray((running[first[1:]] - running[first[:-1]]) // 2)


def crossed_segments(outlines: Sequence[Outline], tolerance: float = CROSSING_TOLERANCE) -> Int64:
    """Return how often each segment of each outline properly crosses that outline: int64 [all segments].

    A crossing counts for both segments, or twice for one that crosses itself.
    """
    from layervec.curves.crossings import crossings_within

    if not outlines:
        return np.zeros(0, np.int64)
    start, end, segment = chords(outlines, tolerance)
    owner = np.repeat(np.arange(len(outlines)), [outline.segments for outline in outlines])[segment]
    marks = crossings_within(start, end, owner)
    return np.bincount(segment, marks, sum(outline.segments for outline in outlines)).astype(np.int64)


def mean_deviation(outline: Outline, mask: Bool) -> float:
    """Return the mean distance in px of the mask's border (the midpoints of its cracks) from the outline.

    A perfect fit of a smooth shape has about 0.2: half a pixel of digitisation. Infinite if either has no
    border.
    """
    from layervec.curves.crossings import distances

    corners, starts, _ = borders(mask)
    start, end, _ = chords([outline], DEVIATION_TOLERANCE)
    if len(corners) == 0 or len(start) == 0:
        return math.inf
    following = _following(starts)
    midpoints = np.asarray(0.5 * (corners + corners[following]), np.float64)
    return float(distances(midpoints, start, end).mean())
