"""Order the shapes of a plan by importance, so that its first ones alone are the best drawing that they can be.

Greedy: each shape in turn is the one that adds most to a drawing of those before it, by what its outline really covers,
as a shape may run on far under others. Knows plans; changes no shape.
"""

from __future__ import annotations

import numpy as np

from layervec import ramps
from layervec.arrange import Plan, stack
from layervec.types import Float32, Float64, Int32, Int64, Outline, RegionTree

SMALL = 1 << 16  # px; of larger pictures shapes are judged by every other pixel in every other row
CHORDS = 4  # a segment, when its outline is filled to see what it covers


def rank(tree: RegionTree, pixels: Float32, plan: Plan, *, every_pixel: bool = False) -> Int64:
    """Return the indices of a plan's shapes, the most important first: int64 [k].

    Translucent shapes count as if nothing lay below them. pixels: premultiplied [h, w, c]. every_pixel: whether all of
    them count, also in large pictures.
    """
    if not len(plan):
        return np.empty(0, dtype=np.int64)
    stacked = stack(tree, plan.nodes)
    step = 1 if every_pixel or pixels.shape[0] * pixels.shape[1] <= SMALL else 2
    wanted = pixels[step // 2 :: step, step // 2 :: step].astype(np.float64)
    covered = [_covered(plan.outlines[i], pixels.shape[:2], step) for i in stacked]
    errors = [_error(plan, int(i), numbers, wanted, step) for i, numbers in zip(stacked, covered, strict=True)]
    bare = (wanted**2).sum(axis=2).ravel()
    first = 0 if pixels.shape[2] == 3 else -1  # nothing else stands without the ground
    return np.asarray(stacked[_greedy(covered, errors, bare, first)])


def _greedy(covered: list[Int32], errors: list[Float32], bare: Float64, first: int) -> Int64:
    """Return which of the shapes, given from the back, saves most error over those before it, one after another.

    covered: numbers of the pixels of each shape. errors: what painting them leaves. bare: [pixels], the same without
    any shape. first: shape to begin with, -1 for any.
    """
    from layervec import rank_kernels

    count = len(covered)
    starts = np.cumsum([0] + [len(numbers) for numbers in covered], dtype=np.int64)
    pixel, error = np.concatenate(covered), np.concatenate(errors)
    begins = np.zeros(len(bare) + 1, dtype=np.int64)
    by_pixel, owner = np.empty_like(pixel), np.empty_like(pixel)
    rank_kernels.lay_by_pixel(starts, pixel, begins, by_pixel, owner)
    gain, found = np.empty(count), np.empty(count, dtype=np.int64)
    shown = np.full(len(bare), -1, dtype=np.int32)
    rank_kernels.order(starts, pixel, error, begins, by_pixel, owner, bare.copy(), first, gain, shown, found)
    return found


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
    return np.asarray(error, dtype=np.float32)


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
    return np.asarray((y + top // step) * columns + x + left // step, dtype=np.int32)


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
