"""Fit some shapes of a part of a drawing anew, and add others, while all else stays as it is.

The work on flat shapes back to front: which region is worth a shape, between which others it goes, what moves. What
may change is told by pixels: elsewhere the drawing is its own target, so that whatever leaks there counts as an
error. Candidates are nodes of a region tree of the part, priced by what the drawing still gets wrong; shapes that are
there by what drawing without them costs. Knows shapes, homes and pixels; no names, files, or why it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from layervec import arrange, crop, pool, ramps, tree
from layervec.arrange import OVERLAP, SETTLE_ROUNDS, SPECK_AREA, STIFFNESS
from layervec.borders import settle
from layervec.choose import LEAST_GAIN, Chooser, as_paints, as_ramps
from layervec.economy import drop_nodes
from layervec.image import straight
from layervec.optimize import STEP, Fit, optimize
from layervec.palette import Palette
from layervec.refine import LATER_STEP, NODE_PRICE, SWAP_SHARE, WORTH
from layervec.segment import Mask
from layervec.types import Bool, Float32, Float64, Int32, Int64, Outline, Ramps, Raster, RegionTree

ROUNDS = (0.7, 1.0)  # of the room for new shapes is filled by the end of each round
STEPS = 16  # of the fit after each round
LAST_STEPS = 10  # of the fit after needless nodes are gone
TOLERANCE = 1.0  # px, how far first outlines may stray
LEAST_UNDER = 0.05  # of a region's pixels; a shape seen in less of it does not decide where the region goes
REACH = 2  # px, how far the smoothing of borders may let a new region grow
CUT_SHARE = 0.1  # of the outline of a square of its area; a region that is cut along less has its own form
CUT_CONTRAST = 0.04  # colour distance from which on a cut is an edge that the picture does not have
LEAK = 0.05  # most change of a channel more than a pixel beyond what may change
DROPPED_AT_ONCE = 0.2  # of the shapes too many, before the rest is judged again


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


@dataclass(eq=False)
class Touchup:
    """One part under work.

    pixels: float32 [h, w, c], the picture. homes: int64 [n], number of the layer of each shape at first; new shapes
    keep to the layer that is seen where they lie. may: bool [h, w], where new shapes may lie. free: bool [h, w], where
    the picture counts; elsewhere the drawing as it was does. uncut: leave regions alone that the border of `may` would
    cut off in plain sight. bases: numbers of shapes that others lie on, which go only
    where there are too many. kept: those that are never dropped.
    """

    pixels: Float32
    homes: Int64
    may: Bool
    free: Bool
    start: Flat
    uncut: bool = False
    bases: Sequence[int] = ()
    kept: Sequence[int] = ()
    gradient_price: float = np.inf
    palette: Palette | None = None
    threads: int | None = None
    on_progress: Callable[[float], None] = lambda share: None
    target: Float32 = field(init=False)
    tree: RegionTree = field(init=False)
    allowed: Bool = field(init=False)
    _done: int = 0

    def __post_init__(self) -> None:
        self._before = crop.drawn(self.start.fit, self.pixels, self.threads)
        self.target = np.where(self.free[..., None], self.pixels, self._before).astype(np.float32)
        self._planar = np.ascontiguousarray(np.moveaxis(self.target, 2, 0))
        self.tree, self.allowed = self._regions()

    def run(self, budget: int) -> Flat:
        """Return the shapes with at most `budget` of them that move, fitted. budget: at least 1."""
        flat = self._shrunk(self.start, budget)
        count = int(flat.moving.sum())
        if flat is not self.start:
            flat = self._fitted(flat, STEPS, LATER_STEP)
        for share in ROUNDS:
            grown = self._exchanged(flat, count + round(share * (budget - count)))
            if grown is not flat or (flat is self.start and flat.moving.any()):
                flat = self._fitted(grown, STEPS, STEP if grown is not flat else LATER_STEP)
        if not flat.moving.any():
            return flat
        return self._contained(self._pruned(self._fitted(self._thinned(flat), LAST_STEPS, LATER_STEP)))

    def loss(self, flat: Flat) -> float:
        """Squared error of a drawing, where the picture counts and what it changed elsewhere."""
        from layervec import raster

        return raster.fit_pass(flat.fit.scene(), self._planar, threads=self.threads).loss

    def _regions(self) -> tuple[RegionTree, Bool]:
        """The tree of the part, in which each home is a region, and which nodes lie in one home: bool [m]."""
        owner, around = self._seen(self.start.fit)
        home = 2 * np.append(self.homes, -1)[around] + (owner != around)  # what shows through a hole is a home as well
        masks = [Mask(self.may & (home == i), 1.0, 0) for i in np.unique(home[self.may])]
        rgba = np.ones((*self.target.shape[:2], 4), dtype=np.float32)
        rgba[..., : self.target.shape[2]] = self.target
        found = tree.build(Raster(straight(rgba)), [], masks=masks, threads=self.threads)
        inside = np.zeros(len(found), dtype=bool)
        for node in found.objects:
            inside[node : found.last[node]] = True
        plain = RegionTree(found.labels, found.parent, found.last, found.cost)
        inside |= not inside.any()
        return plain, inside & ~self._cut(plain) if self.uncut else inside

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

    def _fitted(self, flat: Flat, steps: int, first_step: float) -> Flat:
        def on_step(step: int, _: float) -> None:
            most = (len(ROUNDS) + 1) * STEPS + LAST_STEPS
            self.on_progress(min((self._done + step) / most, 1.0))

        fit = optimize(
            flat.fit,
            self._planar,
            steps,
            moving=flat.moving,
            fixed=~flat.moving,
            palette=self.palette,
            first_step=first_step,
            threads=self.threads,
            on_step=on_step,
        )
        self._done += steps
        return replace(flat, fit=fit)

    def _thinned(self, flat: Flat) -> Flat:
        """Drop needless nodes of new shapes. Others have lost theirs already, and would lose more each time."""
        height, width = self.target.shape[:2]
        new = flat.node >= 0
        return replace(flat, fit=drop_nodes(flat.fit, width, height, NODE_PRICE, moving=new, threads=self.threads))

    def _worth(self, flat: Flat, kept: Sequence[int]) -> Float64:
        """Squared error that dropping each shape adds; infinite for those kept, by number, and what may not move."""
        from layervec import raster

        worth = raster.survey(flat.fit.scene(), self._planar, threads=self.threads).removal.copy()
        worth[~flat.moving | np.isin(flat.source, kept)] = np.inf
        return worth

    def _shrunk(self, flat: Flat, budget: int) -> Flat:
        """Drop the weakest shapes until at most `budget` move."""
        while (over := int(flat.moving.sum()) - budget) > 0:
            worth = self._worth(flat, self.kept)
            weak = np.argsort(worth, kind="stable")[: max(1, round(DROPPED_AT_ONCE * over))]
            flat = flat.only(np.setdiff1d(np.arange(len(flat)), weak))
        return flat

    def _pruned(self, flat: Flat) -> Flat:
        """Drop shapes that came to nothing, one after another, as two can stand in for each other."""
        while len(flat):
            worth = self._worth(flat, self.bases)
            weakest = int(worth.argmin())
            if worth[weakest] >= WORTH * LEAST_GAIN:
                break
            flat = flat.only(np.arange(len(flat)) != weakest)
        return flat

    def _contained(self, flat: Flat) -> Flat:
        """Drop new shapes that show beyond the rim of what may change, one after another, the worst first."""
        import cv2

        rim = cv2.dilate(self.free.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        while True:
            change = np.where(rim, 0.0, self._change(flat))
            y, x = divmod(int(change.argmax()), change.shape[1])
            near = [i for i in np.flatnonzero(flat.source < 0).tolist() if _spans(flat.fit.outlines[i], x, y)]
            if change[y, x] <= LEAK or not near:
                return flat
            without = [flat.only(np.arange(len(flat)) != i) for i in near]
            flat = without[int(np.argmin([self._change(left)[y, x] for left in without]))]

    def _change(self, flat: Flat) -> Float32:
        """Largest change of a channel since the start: float32 [h, w]."""
        now = crop.drawn(flat.fit, self.pixels, self.threads)
        return np.asarray(np.abs(now - self._before).max(axis=2))

    def _exchanged(self, flat: Flat, budget: int) -> Flat:
        """Add the regions that gain most, also in place of shapes that are worth less; the same value if none does."""
        image = crop.drawn(flat.fit, self.pixels, self.threads)
        known = flat.node[flat.node >= 0]
        chooser = Chooser(
            self.tree,
            self.target,
            known,
            image,
            may=self.allowed,
            gradient_price=self.gradient_price,
            palette=self.palette,
        )
        count = int(flat.moving.sum())
        room = max(0, budget - count)
        while len(chooser.picked) < room + int(SWAP_SHARE * count) and chooser.pick():
            pass
        worth = self._worth(flat, self.bases)
        weak = np.argsort(worth, kind="stable")
        gains = chooser.gains[room:]
        dropped = [i for i, gain in zip(weak, gains, strict=False) if worth[i] < WORTH * gain]
        added = chooser.picked[: room + len(dropped)]
        if not added:
            return flat
        flat = flat.only(np.setdiff1d(np.arange(len(flat)), dropped))
        fresh = len(added)
        given = as_ramps(chooser.ramps[:fresh]) if np.isfinite(self.gradient_price) else None
        new = Fit((), as_paints(chooser.colours[:fresh]), given)
        return self._inserted(flat, np.array(added, dtype=np.int64), new)

    def _inserted(self, flat: Flat, nodes: Int64, new: Fit) -> Flat:
        """Draw the outlines of new regions and put them where they belong."""
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
        from layervec import curves

        outlines = pool.each(lambda mask: curves.fit(mask, TOLERANCE, SPECK_AREA), masks, self.threads)
        return _laid_in(flat, nodes, new, level, anchor, order, outlines)

    def _seen(self, fit: Fit) -> tuple[Int32, Int32]:
        """Which shape is seen at each pixel, and which one if small holes were none: int32 [h, w], -1 for nothing."""
        h, w = self.target.shape[:2]
        return crop.seen(fit, w, h, self.threads), crop.seen(crop.without_holes(fit), w, h, self.threads)

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
        import cv2

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
        near = cv2.dilate((region >= 0).astype(np.uint8), np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)) > 0
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


def _spans(outline: Outline, x: int, y: int) -> bool:
    """Tell whether a pixel lies among the points of an outline, or next to them."""
    low, high = outline.points.min(axis=0) - 1.0, outline.points.max(axis=0) + 1.0
    return bool(low[0] <= x + 0.5 <= high[0] and low[1] <= y + 0.5 <= high[1])


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
