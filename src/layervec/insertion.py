"""Which regions may be added to the shapes of a part, where between those each goes, and what is drawn of it.

A region lies in one layer, right above the shapes that are seen there; or below the one whose hole it fills, so that it
runs on under that. Knows flat shapes, the layers that they are from by number, and pixels; nothing of what a region
is worth, nor of moving points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layervec import arrange, crop, pool, ramps, tree
from layervec.arrange import OVERLAP, SETTLE_ROUNDS, SPECK_AREA, STIFFNESS
from layervec.borders import settle
from layervec.image import straight
from layervec.masks import grown
from layervec.objects import LEAST_AREA
from layervec.optimize import Fit
from layervec.segment import Mask
from layervec.types import Bool, Float32, Float64, Int32, Int64, Outline, Ramps, Raster, RegionTree

TOLERANCE = 1.0  # px, how far first outlines may stray
LEAST_UNDER = 0.05  # of a region's pixels; a shape seen in less of it does not decide where the region goes
REACH = 2  # px, how far the smoothing of borders may let a new region grow
CUT_SHARE = 0.1  # of the outline of a square of its area; a region that is cut along less has its own form
CUT_CONTRAST = 0.04  # colour distance from which on a cut is an edge that the picture does not have


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """Shapes of a part, back to front.

    fit: their outlines and paints. source: int64 [k], number of the shape that each was at first, -1 for new ones.
    anchor: int64 [k], for new ones the shape at first whose layer they are in, right above or below it, -1 for none;
    else its own number.
    node: int64 [k], the node of new ones in the tree of the part, else -1. moving: bool [k], what may change.
    """

    fit: Fit
    source: Int64
    anchor: Int64
    node: Int64
    moving: Bool

    def __len__(self) -> int:
        return len(self.source)

    def only(self, kept: Int64 | Bool) -> Flat:
        """Return some of the shapes, by indices or a mask."""
        rows = (self.source[kept], self.anchor[kept], self.node[kept], self.moving[kept])
        return Flat(self.fit.only(kept), *rows)

    def joined(self, other: Flat) -> Flat:
        """Return the shapes of both, one after the other; those without outlines must be the last."""
        a, b = self.fit, other.fit
        fit = Fit((*a.outlines, *b.outlines), np.concatenate([a.paints, b.paints]), _joined_ramps(a, b))
        pairs = ((self.source, other.source), (self.anchor, other.anchor), (self.node, other.node))
        source, anchor, node = (np.concatenate(pair) for pair in pairs)
        return Flat(fit, source, anchor, node, np.concatenate([self.moving, other.moving]))


def _joined_ramps(a: Fit, b: Fit) -> Ramps | None:
    if a.ramps is None and b.ramps is None:
        return None
    first, second = (fit.ramps if fit.ramps is not None else ramps.solids(len(fit.paints)) for fit in (a, b))
    return ramps.joined(first, second)


class Ground:
    """What regions are added to.

    target: float32 [h, w, c], premultiplied, what the part should look like. homes: int64 [n], number of the layer of
    each shape at the start. may: bool [h, w], where new shapes may lie.
    tree: regions, none of them in two layers but those around `may`; allowed: bool [m], which may be added.
    """

    def __init__(self, target: Float32, homes: Int64, may: Bool, start: Flat, uncut: bool, threads: int | None) -> None:
        """Find the regions. uncut: allow none that the border of `may` would cut off in plain sight."""
        self.target, self.homes, self.may, self.threads = target, homes, may, threads
        self.tree, self.allowed = self._regions(start, uncut)

    def inserted(self, flat: Flat, nodes: Int64, new: Fit) -> Flat:
        """Draw the outlines of regions, the nodes, painted as `new`, and put them where they belong."""
        from layervec import curves

        owner, around = self._seen(flat.fit)
        stacked = arrange.stack(self.tree, nodes)
        parents = arrange.nest(self.tree, nodes)
        level, anchor = np.empty(len(nodes)), np.empty(len(nodes), dtype=np.int64)
        for i in stacked:
            level[i], anchor[i] = self._above(flat, owner, around, int(nodes[i]))
            if parents[i] >= 0 and level[parents[i]] > level[i]:
                level[i], anchor[i] = level[parents[i]], anchor[parents[i]]
        order = stacked[np.argsort(level[stacked], kind="stable")]
        masks = self._masks(flat, owner, nodes, new, level, order)
        outlines = pool.each(lambda mask: curves.fit(mask, TOLERANCE, SPECK_AREA), masks, self.threads)
        return _laid_in(flat, nodes, new, level, anchor, order, outlines)

    def _regions(self, start: Flat, uncut: bool) -> tuple[RegionTree, Bool]:
        """The tree of the part, in which each home is a region, and which nodes may be added: bool [m]."""
        owner, around = self._seen(start.fit)
        home = 2 * np.append(self.homes, -1)[around] + (owner != around)  # what shows through a hole is a home as well
        homes, sizes = np.unique(home[self.may], return_counts=True)
        masks = [Mask(self.may & (home == i), 1.0, 0) for i in homes[sizes >= LEAST_AREA]]
        rgba = np.ones((*self.target.shape[:2], 4), dtype=np.float32)
        rgba[..., : self.target.shape[2]] = self.target
        found = tree.build(Raster(straight(rgba)), [], masks=masks, threads=self.threads)
        inside = np.zeros(len(found), dtype=bool)
        for node in found.objects:
            inside[node : found.last[node]] = True
        plain = RegionTree(found.labels, found.parent, found.last, found.cost)
        inside |= not inside.any()
        return plain, inside & ~self._cut(plain) if uncut else inside

    def _cut(self, regions: RegionTree) -> Bool:
        """Tell which nodes have a good part of their border where `may` ends, and differ from what is beyond: [m]."""
        h, w, channels = self.target.shape
        beyond = np.zeros((h, w, channels + 2))  # sums over neighbours not in `may`: colour, its square, 1
        around = np.concatenate([self.target, (self.target**2).sum(axis=2, keepdims=True), np.ones((h, w, 1))], axis=2)
        around[self.may] = 0.0
        for axis in (0, 1):
            ahead, back = np.moveaxis(beyond, axis, 0), np.moveaxis(around, axis, 0)
            ahead[1:] += back[:-1]
            ahead[:-1] += back[1:]
        beyond *= self.may[..., None]
        sums = tree.node_sums(regions, np.concatenate([self.target, np.ones((h, w, 1)), beyond], axis=2))
        area = sums[:, channels]
        mean, colour = sums[:, :channels] / area[:, None], sums[:, channels + 1 : -2]
        square, sides = sums[:, -2], sums[:, -1]
        contrast = (mean**2).sum(axis=1) * sides - 2 * (mean * colour).sum(axis=1) + square
        return np.asarray((sides > CUT_SHARE * 4 * np.sqrt(area)) & (contrast > CUT_CONTRAST**2 * sides))

    def _seen(self, fit: Fit) -> tuple[Int32, Int32]:
        """Which shape is seen at each pixel, and which one if small holes were none: int32 [h, w], -1 for nothing."""
        h, w = self.target.shape[:2]
        owner, closed = crop.seen(fit, w, h, self.threads), crop.without_holes(fit)
        return owner, owner if closed is fit else crop.seen(closed, w, h, self.threads)

    def _above(self, flat: Flat, owner: Int32, around: Int32, node: int) -> tuple[float, int]:
        """Where a region goes, as an index in `flat` and a half, and the number of the shape that it goes next to.

        That is the front one of those which the region lies in and which are of the home that most of it lies in;
        above it, or below where the region fills a hole of it. Above all, next to -1, where nothing is.
        """
        there = (self.tree.labels >= node) & (self.tree.labels < self.tree.last[node]) & self.may
        counts = np.bincount(around[there & (around >= 0)], minlength=len(flat))
        if 2 * counts.sum() <= np.count_nonzero(there):
            return len(flat) + 0.5, -1
        home = np.append(self.homes, -1)[flat.anchor]
        main = home == max(np.unique(home), key=lambda i: int(counts[home == i].sum()))
        enough = min(LEAST_UNDER * np.count_nonzero(there), counts[main].max())
        front = int(np.flatnonzero(main & (counts >= enough))[-1])
        fills = there & (around == front) & (owner != front)
        below = 2 * np.count_nonzero(fills) > counts[front]
        return front + (-0.5 if below else 0.5), int(flat.anchor[front])

    def _masks(self, flat: Flat, owner: Int32, nodes: Int64, new: Fit, level: Float64, order: Int64) -> list[Bool]:
        """The masks to draw for new regions: borders smoothed, and running on a little under what is painted above."""

        count = len(flat)
        region = arrange.seen(self.tree, nodes)
        region = np.where(self.may & (owner <= np.append(level, -1.0)[region]), region, -1)
        place = np.empty(len(nodes), dtype=np.int64)
        place[order] = np.arange(len(nodes))
        colours = np.zeros((count + len(nodes) + 1, 3, self.target.shape[2]), dtype=np.float32)  # the last is nothing
        for fit, part in ((flat.fit, slice(0, count)), (new, slice(count, -1))):
            colours[part] = ramps.premultiplied(fit.paints, fit.ramps, self.target.shape[2])
        shown = np.where(region >= 0, count + region, np.where(owner >= 0, owner, count + len(nodes))).astype(np.int32)
        # Regions would run on through all that they suit better than what is drawn, up to where `may` ends.
        near = grown(region >= 0, REACH)
        shown = np.where(near, settle(shown, self.target, colours, STIFFNESS, SETTLE_ROUNDS), shown).astype(np.int32)
        # Where each thing that is seen lies: between two shapes that were there, new ones by their order.
        height = np.concatenate([np.arange(count, dtype=np.float64), level + 0.4 * place / len(nodes), [-1.0]])
        opaque = np.concatenate([flat.fit.paints[:, 3], new.paints[:, 3], [0.0]]) >= 1.0
        inside = np.zeros((len(nodes), count + len(nodes) + 1), dtype=bool)
        for i, node in enumerate(nodes):
            inside[i, count:-1] = (nodes >= node) & (nodes < self.tree.last[node])
        masks = []
        for i in range(len(nodes)):
            above = (height > height[count + i]) & opaque & ~inside[i]
            masks.append(_run_on(inside[i][shown] & self.may, above, shown))
        return masks


def _run_on(part: Bool, above: Bool, shown: Int32) -> Bool:
    """Grow a mask a little under what is seen above it. above: bool [n], of the numbers in `shown` [h, w]."""
    mask = np.zeros_like(part)
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    if len(rows):
        margin = 2 * OVERLAP + 1
        window = (
            slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
            slice(max(0, columns[0] - margin), columns[-1] + 1 + margin),
        )
        over = above[shown[window]]
        mask[window] = arrange.run_under(part[window], over, over, OVERLAP, OVERLAP)
    return mask


def _laid_in(
    flat: Flat,
    nodes: Int64,
    new: Fit,
    level: Float64,
    anchor: Int64,
    order: Int64,
    outlines: Sequence[Outline],
) -> Flat:
    """Return the shapes with new ones between them; regions that vanished in drawing are left out."""
    drawn = np.array([i for i in order if outlines[i].contours], dtype=np.int64)
    blank = np.full(len(drawn), -1, dtype=np.int64)
    paints = Fit(tuple(outlines[i] for i in drawn), new.paints[drawn], ramps.only(new.ramps, drawn))
    fresh = Flat(paints, blank, anchor[drawn], nodes[drawn], np.ones(len(drawn), dtype=bool))
    keys = np.concatenate([np.arange(len(flat)), level[drawn]])
    return flat.joined(fresh).only(np.argsort(keys, kind="stable"))
