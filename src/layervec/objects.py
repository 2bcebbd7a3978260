"""Make masks nodes of the region tree: mend them, nest them, and merge leaves within them first.

Masks overlap, contradict and repeat each other; the regions of a tree lie inside or beside one another. Here the first
becomes the second: a mask inside another is cut to it, a mask around others takes them in whole, and of two that cross,
the larger one gives way. Knows masks and leaves; nothing of colours beyond what a merge costs, nor of models and files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layervec.grain import grain
from layervec.types import Bool, Float32, Float64, Int32, Int64

SMALL_PART = 0.02  # of a mask's area; holes and islands smaller than this are noise of the segmenter
LEAST_PIECE = 4  # px; a leaf is cut along a mask's border if that leaves as much on either side, else it goes whole
LEAST_AREA = 12  # px; a smaller mask is no object
WHOLE_CANVAS = 0.98  # of the canvas; a mask of more tells nothing
SAME = 0.85  # intersection over union at which two masks are one
CONTRADICTED = 0.5  # intersection over union of a mask and what nesting left of it, below which it is dropped


@dataclass(frozen=True, slots=True, eq=False)
class Nested:
    """Masks as sets of leaves of which any two lie apart or one in the other, inner ones before those around them.

    leaves: bool [k, n]. parent: int64 [k], index of the next one around each, -1 for none. source: int64 [k], index of
    the mask that each comes from.
    """

    leaves: Bool  # [k, n]
    parent: Int64  # [k]
    source: Int64  # [k]

    def __len__(self) -> int:
        return len(self.parent)


def mended(pixels: Bool) -> Bool:
    """Return a mask without its small islands and holes: bool [h, w]. What meets the canvas border is no hole."""
    import cv2

    least = SMALL_PART * np.count_nonzero(pixels)
    mask = pixels.astype(np.uint8)
    _, labels, facts, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    mask[(facts[:, cv2.CC_STAT_AREA] < least)[labels]] = 0
    # Around the padded mask lies one piece that is the outside, whatever pixel the mask itself covers.
    outside = np.pad(1 - mask, 1, constant_values=1)
    _, labels, facts, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    small = facts[:, cv2.CC_STAT_AREA] < least
    small[[0, labels[0, 0]]] = False
    return np.asarray((mask == 1) | small[labels][1:-1, 1:-1])


def split(labels: Int32, masks: Sequence[Bool]) -> Int32:
    """Return leaves cut along the masks' borders where they have a good part on either side.

    labels: int32 [h, w], 0 .. n - 1; those returned too, each leaf in one piece.
    """
    from layervec import tree_kernels as kernels

    whole, least = labels, LEAST_PIECE * grain(*labels.shape)
    for mask in masks:
        size = np.bincount(labels.ravel())
        inside = np.bincount(labels[mask], minlength=len(size))
        mixed = np.minimum(inside, size - inside) >= least
        if mixed.any():
            fresh = len(size) + np.cumsum(mixed, dtype=np.int32) - 1
            labels = np.where(mixed[labels] & mask, fresh[labels], labels)
    return whole if labels is whole else kernels.pieces(labels)


def nest(masks: Sequence[Bool], labels: Int32) -> Nested:
    """Return masks as nested sets of leaves.

    Those that are empty or all of the canvas, or that repeat or contradict others, are left out. masks: bool [h, w]
    each. labels: int32 [h, w], leaves. A leaf belongs to a mask that covers more than half of it.
    Small masks come first: whatever a conflict costs is less in proportion for the larger one.
    """
    size = np.bincount(labels.ravel())
    snapped = [2 * np.bincount(labels[mask], minlength=len(size)) > size for mask in masks]
    area = np.array([size[leaves].sum() for leaves in snapped], dtype=np.int64)
    fit = (area >= LEAST_AREA) & (area <= WHOLE_CANVAS * labels.size)
    family = _Family(size)
    for i in np.argsort(area, kind="stable"):
        if fit[i]:
            family.add(snapped[i], int(i))
    return family.nested()


class _Family:
    """Sets of leaves that are being nested."""

    def __init__(self, size: Int64) -> None:
        self._size = size
        self._leaves: list[Bool] = []
        self._source: list[int] = []
        self._children: dict[int, list[int]] = {-1: []}

    def add(self, leaves: Bool, source: int) -> None:
        """Fit a set between those there are, unless it is one of them or too little of it is left."""
        if any(self._likeness(leaves, known) > SAME for known in self._leaves):
            return
        fitted, around = leaves, -1
        while (inner := self._home(fitted, around)) is not None:
            fitted, around = fitted & self._leaves[inner], inner
        adopted = []
        for child in self._children[around]:
            shared = self._area(fitted & self._leaves[child])
            if 2 * shared >= self._area(self._leaves[child]):
                fitted = fitted | self._leaves[child]
                adopted.append(child)
            elif shared:
                fitted = fitted & ~self._leaves[child]
        if self._likeness(leaves, fitted) < CONTRADICTED or self._repeats(fitted, around, adopted):
            return
        new = len(self._leaves)
        self._leaves.append(fitted)
        self._source.append(source)
        self._children[new] = adopted
        self._children[around] = [child for child in self._children[around] if child not in adopted] + [new]

    def _home(self, leaves: Bool, around: int) -> int | None:
        """The set directly inside `around` that most of these leaves lie in and that is larger than they are."""
        area = self._area(leaves)
        for child in self._children[around]:
            there = self._leaves[child]
            if 2 * self._area(leaves & there) > area and self._area(there) > area:
                return child
        return None

    def _repeats(self, leaves: Bool, around: int, inside: list[int]) -> bool:
        """Tell whether fitting has made the leaves the same as a set next to them."""
        near = [around, *inside] if around >= 0 else inside
        return any(self._likeness(leaves, self._leaves[i]) > SAME for i in near)

    def _area(self, leaves: Bool) -> int:
        return int(self._size[leaves].sum())

    def _likeness(self, a: Bool, b: Bool) -> float:
        """Intersection over union."""
        return self._area(a & b) / max(1, self._area(a | b))

    def nested(self) -> Nested:
        """Return the sets, inner ones first."""
        parent = np.full(len(self._leaves), -1, dtype=np.int64)
        for around, children in self._children.items():
            parent[children] = around
        depth = np.zeros(len(parent), dtype=np.int64)
        for i in range(len(parent)):
            j = int(parent[i])
            while j >= 0:
                depth[i] += 1
                j = int(parent[j])
        order = np.argsort(-depth, kind="stable")
        place = np.empty(len(order) + 1, dtype=np.int64)
        place[order], place[-1] = np.arange(len(order)), -1
        leaves = np.array(self._leaves, dtype=np.bool_).reshape(len(order), len(self._size))
        return Nested(leaves[order], place[parent[order]], np.array(self._source, dtype=np.int64)[order])


def merge(nested: Nested, mean: Float32, area: Float64, ends: Int32, length: Float32) -> tuple[Int32, Float64, Int64]:
    """Merge leaves as `tree_kernels.merge` does, but all of each set before anything across its border.

    Returns (children int32 [n - 1, 2], cost float64 [n - 1], node of each set int64 [k]). Pieces of a set that do
    not touch are merged last in it.
    """
    n = len(area)
    home = np.full(n, -1, dtype=np.int64)  # innermost set of each leaf
    for i in range(len(nested) - 1, -1, -1):
        home[nested.leaves[i]] = i
    joint = _joint_homes(nested.parent, home[ends])
    run = _Merger(mean, area)
    region = np.arange(n)  # node that each leaf is part of so far
    nodes = np.empty(len(nested), dtype=np.int64)
    for i in [*range(len(nested)), -1]:
        inside = nested.leaves[i] if i >= 0 else np.ones(n, dtype=bool)
        here = joint == i
        top = run.merge(np.unique(region[inside]), region[ends[here]], length[here])
        region[inside] = top
        if i >= 0:
            nodes[i] = top
    children, cost = run.result()
    return children, cost, nodes


def _joint_homes(parent: Int64, homes: Int64) -> Int64:
    """The innermost set around both of each pair of sets: int64 [e] from [e, 2]; -1 where none is."""
    above = np.append(parent, -1)  # the last stands for the canvas: index -1
    depth = np.zeros(len(above), dtype=np.int64)
    for i in range(len(parent) - 1, -1, -1):  # outer sets come last
        depth[i] = depth[parent[i]] + 1
    a, b = homes[:, 0].copy(), homes[:, 1].copy()
    while (a != b).any():
        up = (a != b) & (depth[a] >= depth[b])
        over = (a != b) & (depth[b] >= depth[a])
        a[up], b[over] = above[a[up]], above[b[over]]
    return a


class _Merger:
    """Merges parts of a graph one after another, keeping one list of nodes."""

    def __init__(self, mean: Float32, area: Float64) -> None:
        n = len(area)
        self._leaves, self._made = n, 0
        self._mean = np.concatenate([mean, np.empty((n - 1, mean.shape[1]), mean.dtype)])
        self._area = np.concatenate([area, np.empty(n - 1)])
        self._children = np.empty((n - 1, 2), np.int32)
        self._cost = np.zeros(2 * n - 1)

    def merge(self, regions: Int64, ends: Int64, length: Float32) -> int:
        """Merge these regions to one and return its node. ends: [e, 2], touching regions, some pairs repeated."""
        from layervec import tree_kernels as kernels

        if len(regions) == 1:
            return int(regions[0])
        m = len(regions)
        places = np.searchsorted(regions, ends)
        keys, inverse = np.unique(places.min(axis=1) * m + places.max(axis=1), return_inverse=True)
        pairs = np.stack([keys // m, keys % m], axis=1).astype(np.int32)
        shared = np.bincount(inverse, length, len(keys)).astype(np.float32)
        pairs, shared = _bridged(pairs, shared, m)
        children, cost = kernels.merge(self._mean[regions], self._area[regions], pairs, shared)
        first = self._leaves + self._made
        number = np.concatenate([regions, first + np.arange(m - 1)])
        for i, (a, b) in enumerate(number[children].tolist()):
            node = first + i
            self._children[self._made + i] = a, b
            self._cost[node] = max(cost[i], self._cost[a], self._cost[b])
            self._area[node] = self._area[a] + self._area[b]
            self._mean[node] = (self._mean[a] * self._area[a] + self._mean[b] * self._area[b]) / self._area[node]
        self._made += m - 1
        return first + m - 2

    def result(self) -> tuple[Int32, Float64]:
        """Return all merges: children int32 [n - 1, 2] and costs float64 [n - 1]."""
        return self._children, self._cost[self._leaves :]


def _bridged(pairs: Int32, length: Float32, m: int) -> tuple[Int32, Float32]:
    """Return the pairs of m regions, and one more from the first to each other of the pieces that hang together."""
    from layervec import tree_kernels as kernels

    piece = kernels.components(pairs, m)
    firsts = np.unique(piece, return_index=True)[1]
    if len(firsts) == 1:
        return pairs, length
    bridges = np.stack([np.full(len(firsts) - 1, firsts[0]), firsts[1:]], axis=1).astype(np.int32)
    return np.concatenate([pairs, bridges]), np.concatenate([length, np.ones(len(bridges), np.float32)])
