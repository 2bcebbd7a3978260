"""What a drawing still gets wrong, and which of its shapes say too little: the paper's rules for details.

Source: "Layered Image Vectorization via Semantic Simplification", arXiv 2406.05404, section 3.3, and its published
code. Knows pixels, colours and which shape is seen where; changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layervec.arrange import SPECK_AREA
from layervec.optimize import Fit
from layervec.tree import borders
from layervec.types import Bool, Float32, Float64, Int64

LEAST_ERROR = 0.025  # squared, summed over channels; less at a pixel counts as none (published code)
STEPS = 139  # quantiles of the error between which pixels are of one region (published code)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Pixels of about the same error that hang together, and the shape that is seen there."""

    mask: Bool  # [h, w]
    owner: int


def regions(drawn: Float32, wanted: Float32, seen: Int64, most: int) -> list[Region]:
    """Return up to `most` regions in which a drawing is wrong, those of the largest area first.

    drawn, wanted: [h, w, c]. seen: int64 [h, w], which shape shows at each pixel, -1 for none; a region has one.
    """
    from layervec import tree_kernels as kernels

    error = ((drawn - wanted) ** 2).sum(axis=2)
    wrong = (error >= LEAST_ERROR) & (seen >= 0)
    edges = np.unique(np.quantile(np.where(wrong, error, 0.0), np.linspace(0.0, 1.0, STEPS)))[1:-1]
    steps = np.where(wrong, 1 + np.digitize(error, edges), 0)
    codes = np.where(wrong, steps * (seen.max() + 1) + seen, -1)
    _, numbers = np.unique(codes, return_inverse=True)
    pieces = kernels.pieces(np.ascontiguousarray(numbers.reshape(codes.shape), dtype=np.int32))
    area = np.bincount(pieces.ravel(), wrong.ravel())
    largest = [int(i) for i in np.argsort(-area, kind="stable")[: max(0, most)] if area[i] >= SPECK_AREA]
    found = []
    for i in largest:
        mask = pieces == i
        found.append(Region(mask, int(seen.ravel()[mask.argmax()])))
    return found


def idle(fit: Fit, asked: Bool, shape: tuple[int, ...], most: float, threads: int | None) -> Int64:
    """Return which of the asked shapes change the picture by no more than `most` each: indices.

    A change is the sum of absolute differences over channels and pixels. fit: shapes back to front. shape: of the
    picture, c, h, w. The sum of squares, which one pass over the picture tells for all shapes, is never more; only
    shapes below the limit by that are drawn without.
    """
    from layervec import raster

    channels, height, width = shape
    scene = fit.scene()
    image = raster.render(scene, width, height, threads=threads)[..., :channels]
    squares = raster.survey(scene, np.ascontiguousarray(np.moveaxis(image, 2, 0)), threads=threads).removal
    found = []
    for i in np.flatnonzero(asked & (squares <= most)):
        without = fit.only(np.arange(len(fit.outlines)) != i).scene()
        change = np.abs(raster.render(without, width, height, threads=threads)[..., :channels] - image)
        if change.sum(dtype=np.float64) <= most:
            found.append(int(i))
    return np.array(found, dtype=np.int64)


def alike(seen: Int64, parents: Int64, paints: Float64, first: int, colour: float, border: int) -> list[list[int]]:
    """Return groups of shapes to be made one, in each the lowest shape first.

    Two belong together where both are added ones (index `first` or more), they meet along `border` pixels or more, lie
    beside each other on the same shape or one on the other, and their colours, of a group its mean, differ by at
    most `colour`, summed over channels. The most alike come first.
    """
    ends, length = borders((seen + 1).astype(np.int32), len(parents) + 1)
    a, b = (ends - 1).T
    added = (a >= first) & (b >= first) & (length >= border)
    related = (parents[a] == parents[b]) | (parents[a] == b) | (parents[b] == a)
    difference = np.abs(paints[a] - paints[b])[:, :3].sum(axis=1)
    near = np.flatnonzero(added & related & (difference <= colour))
    areas = np.bincount((seen + 1).ravel(), minlength=len(parents) + 1)[1:].astype(np.float64)
    groups = _Groups(paints, areas)
    for k in near[np.argsort(difference[near], kind="stable")]:
        groups.join(int(a[k]), int(b[k]), colour)
    return groups.several(parents)


class _Groups:
    """Shapes that are being put together."""

    def __init__(self, paints: Float64, areas: Float64) -> None:
        self._members = {i: [i] for i in range(len(paints))}
        self._group = np.arange(len(paints))
        self._sums, self._areas = paints[:, :3] * areas[:, None], areas.copy()

    def join(self, i: int, j: int, most: float) -> None:
        """Put the groups of two shapes together where their means differ by at most so much."""
        a, b = int(self._group[i]), int(self._group[j])
        if a == b or np.abs(self._sums[a] / self._areas[a] - self._sums[b] / self._areas[b]).sum() > most:
            return
        self._members[a] += self._members.pop(b)
        self._group[self._group == b] = a
        self._sums[a] += self._sums[b]
        self._areas[a] += self._areas[b]

    def several(self, parents: Int64) -> list[list[int]]:
        """Return the groups of more than one, in each first one whose parent is not in it."""
        found: Sequence[list[int]] = [sorted(members) for members in self._members.values() if len(members) > 1]
        return [sorted(members, key=lambda i: int(parents[i]) in members) for members in found]
