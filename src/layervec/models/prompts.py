"""Where to ask a promptable segmenter: at the middle of regions of the tree, big ones first.

A grid of points asks 1024 times and mostly hears the same again. A region of the tree is a guess at a part of some
object, and the point farthest from its border is the one that is least likely to miss. Knows regions and points;
nothing of models.
"""

from __future__ import annotations

import numpy as np

from layervec.tree import cut
from layervec.types import Bool, Float64, Int64, Raster, RegionTree

FIRST_CUT = 4  # regions of the coarsest cut that is asked about, doubled from there
LAST_CUT = 512  # regions of the finest one
LEAST_SHARE = 0.001  # of the canvas; smaller regions are not asked about
LEAST_RADIUS = 2.5  # px; a region without a disc this large inside is a line or a fringe
NEAR = 0.012  # of the longer side; a point this near to one asked before is not asked
ANSWERED = 3.0  # a question is answered by a mask on its point of at most this many times its region's area


class Questions:
    """Points still to ask at, in their order, less those that masks found so far answer."""

    def __init__(self, points: Float64, areas: Float64, raster: Raster) -> None:
        """points: [k, 2], x and y in px. areas: [k], of their regions, px. raster: the picture that they lie in."""
        self.asked = 0
        self._points, self._areas, self._next = points, areas, 0
        self._size = (raster.height, raster.width)
        self._near = NEAR * max(self._size)
        self._places = np.empty((0, 2))  # asked
        self._smallest = np.full((1, 1), np.inf)  # share of the canvas of the smallest mask at each of its pixels

    def next(self, most: int) -> Float64:
        """Return up to `most` points to ask at now, none when nothing is left: [n, 2], px."""
        first = len(self._places)
        while self._next < len(self._points) and len(self._places) < first + most:
            if self._is_open(self._next):
                self._places = np.concatenate([self._places, self._points[self._next : self._next + 1]])
            self._next += 1
        self.asked = len(self._places)
        return self._places[first:]

    def _is_open(self, i: int) -> bool:
        x, y = self._points[i]
        rows, columns = self._smallest.shape
        row, column = int(y / self._size[0] * rows), int(x / self._size[1] * columns)
        answered = self._smallest[row, column] * self._size[0] * self._size[1] <= ANSWERED * self._areas[i]
        return not answered and not (np.hypot(*(self._places - self._points[i]).T) < self._near).any()

    def answer(self, masks: Bool) -> None:
        """Hear of masks that were found: bool [n, h, w] of the whole picture at any size, always the same."""
        if self._smallest.shape != masks.shape[1:]:
            self._smallest = np.full(masks.shape[1:], np.inf)
        for mask in masks:
            self._smallest[mask] = np.minimum(self._smallest[mask], mask.mean())


def candidates(tree: RegionTree) -> tuple[Float64, Float64]:
    """Return points to ask at, coarse to fine, float64 [k, 2], x and y in px, and the areas of their regions, [k]."""
    nodes = _nodes(tree)
    points, radii = _poles(tree, nodes)
    kept = radii >= LEAST_RADIUS
    return points[kept], _areas(tree)[nodes[kept]]


def _areas(tree: RegionTree) -> Float64:
    leaf = np.bincount(tree.labels.ravel(), minlength=len(tree))
    running = np.concatenate([[0], np.cumsum(leaf)])
    return np.asarray(running[tree.last] - running[:-1], dtype=np.float64)


def _nodes(tree: RegionTree) -> Int64:
    """Nodes of ever finer cuts, each once, larger ones of a cut first: int64 [k]."""
    area = _areas(tree)
    least = LEAST_SHARE * tree.labels.size
    found: list[int] = []
    regions = FIRST_CUT
    while regions <= LAST_CUT:
        nodes = cut(tree, regions)
        nodes = nodes[area[nodes] >= least]
        nodes = nodes[np.argsort(-area[nodes], kind="stable")]
        found += [node for node in nodes.tolist() if node not in found]
        regions *= 2
    return np.array(found, dtype=np.int64)


def _poles(tree: RegionTree, nodes: Int64) -> tuple[Float64, Float64]:
    """Centres and radii of the largest discs inside nodes: float64 [k, 2], [k], px (poles of inaccessibility)."""
    import cv2

    points, radii = np.empty((len(nodes), 2)), np.empty(len(nodes))
    for i, node in enumerate(nodes.tolist()):
        inside = (tree.labels >= node) & (tree.labels < tree.last[node])
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        part = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        depth = cv2.distanceTransform(np.pad(part, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        points[i] = x + columns[0] + 0.5, y + rows[0] + 0.5
        radii[i] = depth[y, x]
    return points, radii
