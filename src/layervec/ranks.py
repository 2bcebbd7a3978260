"""Order the shapes of a plan by importance, so that its first ones alone are the best drawing that they can be.

Greedy: each shape in turn is the one that adds most to a drawing of those before it, by what its outline really covers,
as a shape may run on far under others. Knows plans; changes no shape.
"""

from __future__ import annotations

import numpy as np

from layervec import ramps
from layervec.arrange import Plan, seen, stack
from layervec.types import Float32, Float64, Int64, Outline, RegionTree

CHORDS = 4  # a segment, when its outline is filled to see what it covers
COVERED = 0.5  # of what shows of a region; an outline over more than this share covers it


def rank(tree: RegionTree, pixels: Float32, plan: Plan) -> Int64:
    """Return the indices of a plan's shapes, the most important first: int64 [k].

    What shows of a region counts as a whole, with the colour that a gradient has in its middle. pixels: premultiplied
    [h, w, c].
    """
    count, channels = len(plan), pixels.shape[2]
    owner = seen(tree, plan.nodes)
    area, mean, where = _cells(owner, pixels, count)
    over = np.array([_covered(outline, owner, count) for outline in plan.outlines]) > COVERED * area
    order = stack(tree, plan.nodes)
    place = np.empty(count, dtype=np.int64)
    place[order] = np.arange(count)
    painted = np.einsum("jp,ipc->ijc", where, ramps.premultiplied(plan.paints, plan.ramps, channels))
    painted_error = area * ((mean[None] - painted) ** 2).sum(axis=2)  # [i, j]: error of cell j painted as i
    error = area * (mean**2).sum(axis=1)
    shown = np.full(count, -1)  # place of the shape that is seen in each cell so far
    saved = np.where(over, error - painted_error, 0.0)  # [i, j]: what shape i would improve cell j by
    gain = saved.sum(axis=1)
    if channels == 3:
        gain[order[:1]] = np.inf  # nothing else stands without the ground
    found: list[int] = []
    for _ in range(count):
        best = int(np.argmax(gain))
        found.append(best)
        cells = np.flatnonzero(over[best] & (place[best] > shown))
        shown[cells] = place[best]
        error[cells] = painted_error[best, cells]
        left = over[:, cells] & (place[:, None] > shown[cells])
        now = np.where(left, error[cells] - painted_error[:, cells], 0.0)
        gain += (now - saved[:, cells]).sum(axis=1)
        saved[:, cells] = now
        gain[best] = -np.inf
    return np.array(found, dtype=np.int64)


def _cells(owner: Int64, pixels: Float32, count: int) -> tuple[Float64, Float64, Float64]:
    """Area [k], mean colour [k, c] and middle (1, x, y) [k, 3] of what shows of each region."""
    h, w, channels = pixels.shape
    y, x = np.mgrid[0.5:h, 0.5:w]
    columns = [*np.moveaxis(pixels, 2, 0), np.ones((h, w)), x, y]
    cell: Float64 = np.stack([np.bincount(owner.ravel() + 1, c.ravel(), count + 1)[1:] for c in columns], axis=1)
    area = cell[:, channels]
    cell = cell / np.maximum(area, 1.0)[:, None]
    cell[:, channels] = 1.0
    return area, cell[:, :channels], cell[:, channels:]


def _covered(outline: Outline, owner: Int64, count: int) -> Int64:
    """Return how many pixels of each region an outline covers: int64 [count]. owner: [h, w], -1 for none."""
    import cv2

    polygons = [np.rint(contour - 0.5).astype(np.int32) for contour in _polygons(outline)]
    h, w = owner.shape
    corners = np.concatenate(polygons)
    left, top = np.maximum(corners.min(axis=0), 0)
    right, bottom = np.minimum(corners.max(axis=0) + 1, (w, h))
    if right <= left or bottom <= top:
        return np.zeros(count, dtype=np.int64)
    inside = np.zeros((bottom - top, right - left), dtype=np.uint8)
    cv2.fillPoly(inside, polygons, 1, offset=(-int(left), -int(top)))
    part = owner[top:bottom, left:right]
    return np.bincount(part[inside.astype(bool)] + 1, minlength=count + 1)[1:]


def _polygons(outline: Outline) -> list[Float64]:
    """Return points along each contour: [n, 2] each."""
    u = np.arange(CHORDS)[:, None] / CHORDS
    basis = np.concatenate([(1 - u) ** 3, 3 * u * (1 - u) ** 2, 3 * u**2 * (1 - u), u**3], axis=1)
    found = []
    for first, last in zip(outline.starts[:-1], outline.starts[1:], strict=True):
        points = outline.points[first:last].reshape(-1, 3, 2)
        cubics = np.concatenate([points, np.roll(points[:, :1], -1, axis=0)], axis=1)
        found.append(np.einsum("sp,npc->nsc", basis, cubics).reshape(-1, 2))
    return found
