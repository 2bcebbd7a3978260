"""Order the shapes of a plan by importance, so that its first ones alone are the best drawing that they can be.

Greedy: each shape in turn is the one that adds most to a drawing of those before it, by what its outline really covers,
as a shape may run on far under others. Knows plans; changes no shape.
"""

from __future__ import annotations

import numpy as np

from layervec import ramps
from layervec.arrange import Plan, stack
from layervec.types import Float32, Float64, Int32, Int64, Outline, RegionTree

SAMPLE = 65536  # pixels, about, by which shapes are judged
CHORDS = 4  # a segment, when its outline is filled to see what it covers


def rank(tree: RegionTree, pixels: Float32, plan: Plan) -> Int64:
    """Return the indices of a plan's shapes, the most important first: int64 [k].

    Translucent shapes count as if nothing lay below them. pixels: premultiplied [h, w, c].
    """
    from layervec import rank_kernels

    stacked = stack(tree, plan.nodes)
    step = max(1, round((pixels.shape[0] * pixels.shape[1] / SAMPLE) ** 0.5))
    wanted = pixels[step // 2 :: step, step // 2 :: step].astype(np.float64)
    covers = [_covered(plan.outlines[i], pixels.shape[:2], step) for i in stacked]
    errors = [_error(plan, int(i), covered, wanted, step) for i, covered in zip(stacked, covers, strict=True)]
    starts = np.concatenate([[0], np.cumsum([len(covered) for covered in covers])]).astype(np.int64)
    covered, error = np.concatenate(covers), np.concatenate(errors)
    left = (wanted**2).sum(axis=2).ravel()
    begins = np.zeros(len(left) + 1, dtype=np.int64)
    by_pixel, owner = np.empty_like(covered), np.empty_like(covered)
    rank_kernels.lay_by_pixel(starts, covered, begins, by_pixel, owner)
    first = 0 if pixels.shape[2] == 3 else -1  # nothing else stands without the ground
    found, gain = np.empty(len(plan), dtype=np.int64), np.empty(len(plan))
    shown = np.full(len(left), -1, dtype=np.int32)
    rank_kernels.order(starts, covered, error, begins, by_pixel, owner, left, first, gain, shown, found)
    return stacked[found]


def _error(plan: Plan, i: int, covered: Int32, wanted: Float64, step: int) -> Float32:
    """Squared error of each sampled pixel that shape i covers, painted by it."""
    channels = wanted.shape[2]
    paint: Float64 = plan.paints[i, :3]
    if plan.ramps is not None and plan.ramps.kind[i]:
        y, x = np.divmod(covered, wanted.shape[1])
        paint = ramps.colours_at(plan.ramps, i, np.stack([x, y], axis=1) * float(step) + (step // 2 + 0.5))
    alpha = plan.paints[i, 3]
    target = wanted.reshape(-1, channels)[covered]
    error = ((target[:, :3] - alpha * paint) ** 2).sum(axis=1)
    if channels == 4:
        error += (target[:, 3] - alpha) ** 2
    return error.astype(np.float32)


def _covered(outline: Outline, shape: tuple[int, ...], step: int) -> Int32:
    """Return the numbers of the sampled pixels that an outline covers. shape: (h, w), step: px between samples."""
    import cv2

    polygons = [np.rint(contour - 0.5).astype(np.int32) for contour in _polygons(outline)]
    corners = np.concatenate(polygons)
    left, top = np.maximum(corners.min(axis=0), 0) // step * step
    right, bottom = np.minimum(corners.max(axis=0) + 1, shape[::-1])
    if right <= left or bottom <= top:
        return np.empty(0, dtype=np.int32)
    inside = np.zeros((bottom - top, right - left), dtype=np.uint8)
    cv2.fillPoly(inside, polygons, 1, offset=(-int(left), -int(top)))
    y, x = np.nonzero(inside[step // 2 :: step, step // 2 :: step])
    columns = len(range(step // 2, shape[1], step))
    return ((y + top // step) * columns + x + left // step).astype(np.int32)


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
