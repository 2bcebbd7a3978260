"""Take needless nodes out of an outline: merge segments and straighten cubics within a tolerance.

Refuses to know masks; the outline itself is the border, sampled and handed to the fit of `cubics`.
Why the same fit: after optimisation nodes are wherever gradients left them, and choosing anew among them
by the cheapest path keeps shape and corners, where dropping one node at a time gets stuck.
Limit: nodes are only dropped, never moved, and corners and the ends of lines stay where they are.
https://raphlinus.github.io/curves/2023/04/18/bezpath-simplify.html discusses the problem.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from layervec.types import Bool, Float64, Outline

KINK = 0.2  # rad (11 degrees); tangents that differ by more make a corner, which stays
SAMPLES = 12  # points that stand for a segment
ROUNDS = 3  # reparametrisations of a fit
LINE_SHARE = 0.3  # share of the tolerance by which a line may be off: bends show sooner than shifts


def bernstein(steps: int) -> Float64:
    """Return the cubic Bernstein weights, float64 [steps, 4], at steps even parameters from 0 on, 1 left
    out.
    """
    u = np.arange(steps)[:, None] / steps
    w = 1.0 - u
    return np.concatenate((w**3, 3.0 * u * w**2, 3.0 * u**2 * w, u**3), 1)


def controls(points: Float64) -> Float64:
    """Return the control points, float64 [k, 4, 2], of one contour's segments."""
    nodes = points.reshape(-1, 3, 2)
    return np.concatenate((nodes, np.roll(nodes[:, :1], -1, 0)), 1)


def all_controls(outline: Outline) -> Float64:
    """Return the control points, float64 [k, 4, 2], of all segments of an outline, contour by contour."""
    nodes = outline.points.reshape(-1, 3, 2)
    following = np.arange(1, len(nodes) + 1)
    first = outline.starts // 3
    following[first[1:] - 1] = first[:-1]
    return np.concatenate((nodes, nodes[following, :1]), 1)


def area(cubics: Float64) -> float:
    """Return the signed area (px^2) inside one contour's cubics [k, 4, 2], positive when clockwise on screen."""
    return float(swept(cubics).sum())


def swept(cubics: Float64) -> Float64:
    """Return the signed area (px^2) that the way from (0, 0) sweeps along each of the cubics [k, 4, 2]: [k].

    Exact: Green's theorem on the Bernstein form.
    """
    p, q, r, s = np.moveaxis(cubics, 1, 0)
    # Weight of the cross product of each pair of control points, times 20.
    pairs = ((p, q, 6.0), (p, r, 3.0), (p, s, 1.0), (q, r, 3.0), (q, s, 3.0), (r, s, 6.0))
    return np.asarray(sum(w * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) for a, b, w in pairs) / 20.0)


def thirds(start: Float64, end: Float64) -> Float64:
    """Return start and the two handles of a straight segment, float64 [..., 3, 2]."""
    return np.stack((start, start + (end - start) / 3.0, start + (end - start) / 1.5), -2)


def headings(cubics: Float64) -> tuple[Float64, Float64]:
    """Return the unit tangents, float64 [k, 2] each, at the start and at the end of cubics [k, 4, 2]."""
    result = []
    for order, sign in (((0, 1, 2, 3), 1.0), ((3, 2, 1, 0), -1.0)):
        heading = np.zeros((len(cubics), 2))
        for other in order[1:]:
            step = sign * (cubics[:, other] - cubics[:, order[0]])
            missing = (np.abs(heading).sum(1) == 0.0) & (np.abs(step).sum(1) > 1e-6)
            heading[missing] = step[missing] / np.hypot(step[missing, 0], step[missing, 1])[:, None]
        result.append(heading)
    return result[0], result[1]


def straighten(outline: Outline, tolerance: float) -> Outline:
    """Turn cubics whose handles lie within `tolerance` px of their chord, and between its ends, into lines.

    Lines that were marked as such stay lines and get their handles back to their thirds.
    """
    points = outline.points.copy()
    straight = outline.straight.copy()
    for a, b in pairwise(outline.starts):
        cubics = controls(points[a:b])
        chord = cubics[:, 3] - cubics[:, 0]
        length = np.maximum(np.hypot(chord[:, 0], chord[:, 1]), 1e-9)[:, None]
        x, y = np.moveaxis(cubics[:, 1:3] - cubics[:, :1], 2, 0)
        along = (x * chord[:, :1] + y * chord[:, 1:]) / length
        across = np.abs(x * chord[:, 1:] - y * chord[:, :1]) / length
        inside = (along >= -tolerance) & (along <= length + tolerance) & (across <= tolerance)
        lines = straight[a // 3 : b // 3] | inside.all(1)
        straight[a // 3 : b // 3] = lines
        points[a:b].reshape(-1, 3, 2)[lines] = thirds(cubics[lines, 0], cubics[lines, 3])
    return replace(outline, points=points, straight=straight)


def node_table(cubics: Float64, straight: Bool) -> Float64:
    """Return the nodes of one contour as the table that `cubics.choose` reads, float64 [k, 9]."""
    out, arrive = headings(cubics)
    into = np.roll(arrive, 1, 0)
    turn = np.abs(np.arctan2(into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0], (into * out).sum(1)))
    hard = (turn > KINK) | straight | np.roll(straight, 1)
    mean = into + out
    size = np.hypot(mean[:, 0], mean[:, 1])
    smooth = ~hard & (size > 1e-6)
    into[smooth] = out[smooth] = mean[smooth] / size[smooth, None]
    at = np.arange(len(cubics)) * float(SAMPLES)
    return np.column_stack((cubics[:, 0], into, out, at, hard, straight))


def join_lines(cubics: Float64, straight: Bool, tolerance: float) -> Bool:
    """Return bool [k]: nodes between two lines that together stay within `tolerance` px of one line."""
    k = len(cubics)
    drop = np.zeros(k, np.bool_)
    first = 0  # the node at which the line that is being extended starts
    for i in range(1, k):
        if not (straight[i - 1] and straight[i]):
            first = i
            continue
        start, end = cubics[first, 0], cubics[i, 3]
        x, y = (cubics[first + 1 : i + 1, 0] - start).T
        dx, dy = end - start
        length = math.hypot(dx, dy)
        if length == 0.0:
            first = i
            continue
        across, along = np.abs(x * dy - y * dx) / length, (x * dx + y * dy) / length
        if (across <= tolerance).all() and (along >= 0.0).all() and (along <= length).all():
            drop[i] = True
        else:
            first = i
    return drop


def simplify_contour(points: Float64, straight: Bool, tolerance: float) -> tuple[Float64, Bool]:
    """Return one contour, points float64 [3k, 2] and straight bool [k], with fewer nodes where possible."""
    from layervec.curves.cubics import choose, segments

    cubics = controls(points)
    drop = join_lines(cubics, straight, LINE_SHARE * tolerance)
    if drop.any() and len(cubics) - drop.sum() >= 2:
        keep = np.flatnonzero(~drop)
        cubics, straight = cubics[keep].copy(), straight[keep]
        cubics[:, 3] = np.roll(cubics[:, 0], -1, 0)
        cubics[straight, :3] = thirds(cubics[straight, 0], cubics[straight, 3])
    if len(cubics) < 3:
        return cubics[:, :3].reshape(-1, 2), straight
    samples = np.einsum("sp,kpc->ksc", bernstein(SAMPLES), cubics).reshape(-1, 2)
    nodes = node_table(cubics, straight)
    start = int(nodes[:, 7].argmax())
    twice = np.concatenate((samples, samples))
    steps, _ = choose(twice, nodes, start, tolerance, len(twice), ROUNDS)
    fitted, lines = segments(twice, nodes, start, steps, LINE_SHARE * tolerance, len(twice), ROUNDS)
    if len(lines) < 2:
        return cubics[:, :3].reshape(-1, 2), straight
    # Segments that were not merged stay as they were, handles and all.
    for i, (a, b) in enumerate(pairwise(steps)):
        if b == a + 1:
            own = (start + a) % len(cubics)
            fitted[3 * i : 3 * i + 3], lines[i] = cubics[own, :3], straight[own]
    return fitted, lines


def simplify(outline: Outline, tolerance: float) -> Outline:
    """Drop the nodes without which the outline stays within `tolerance` px of itself.

    Corners and the ends of lines stay; neighbouring lines that are one line within a share of the
    tolerance merge. Contours keep their order; each keeps at least two segments. Never returns more
    segments than it got.
    """
    outline = straighten(outline, 0.25 * LINE_SHARE * tolerance)
    pieces = [
        simplify_contour(outline.points[a:b], outline.straight[a // 3 : b // 3], tolerance)
        for a, b in pairwise(outline.starts)
    ]
    if not pieces:
        return outline
    starts = np.cumsum([0, *(len(p) for p, _ in pieces)], dtype=np.int64)
    return Outline(np.concatenate([p for p, _ in pieces]), starts, np.concatenate([s for _, s in pieces]))
