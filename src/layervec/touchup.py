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
DROPPED_AT_ONCE = 0.2  # of the shapes too many, before the rest is judged again


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """Shapes of a part, back to front.

    fit: their outlines and paints. source: int64 [k], number of the shape that each was at first, -1 for new ones.
    anchor: int64 [k], for new ones the shape at first that they lie right above, -1 above all; else its own number.
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
    the picture counts; elsewhere the drawing as it was does. bases: numbers of shapes that others lie on, which go only
    where there are too many. kept: those that are never dropped.
    """

    pixels: Float32
    homes: Int64
    may: Bool
    free: Bool
    start: Flat
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
        before = crop.drawn(self.start.fit, self.pixels, self.threads)
        self.target = np.where(self.free[..., None], self.pixels, before).astype(np.float32)
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
        flat = replace(flat, fit=self._thinned(flat))
        return self._pruned(self._fitted(flat, LAST_STEPS, LATER_STEP))

    def loss(self, flat: Flat) -> float:
        """Squared error of a drawing, where the picture counts and what it changed elsewhere."""
        from layervec import raster

        return raster.fit_pass(flat.fit.scene(), self._planar, threads=self.threads).loss

    def _regions(self) -> tuple[RegionTree, Bool]:
        """The tree of the part, in which each home is a region, and which nodes lie in one home: bool [m]."""
        owner = crop.seen(self.start.fit, self.pixels.shape[1], self.pixels.shape[0], self.threads)
        home = np.where(owner >= 0, np.append(self.homes, -1)[owner], -1)
        masks = [Mask(self.may & (home == i), 1.0, 0) for i in np.unique(home[self.may])]
        rgba = np.ones((*self.target.shape[:2], 4), dtype=np.float32)
        rgba[..., : self.target.shape[2]] = self.target
        found = tree.build(Raster(straight(rgba)), [], masks=masks, threads=self.threads)
        inside = np.zeros(len(found), dtype=bool)
        for node in found.objects:
            inside[node : found.last[node]] = True
        plain = RegionTree(found.labels, found.parent, found.last, found.cost)
        return plain, inside if inside.any() else np.ones(len(found), dtype=bool)

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

    def _thinned(self, flat: Flat) -> Fit:
        height, width = self.target.shape[:2]
        return drop_nodes(flat.fit, width, height, NODE_PRICE, moving=flat.moving, threads=self.threads)

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
        h, w = self.target.shape[:2]
        owner = crop.seen(flat.fit, w, h, self.threads)
        stacked = arrange.stack(self.tree, nodes)
        parents = arrange.nest(self.tree, nodes)
        under = np.empty(len(nodes), dtype=np.int64)  # index in `flat` of the shape that each goes right above
        for i in stacked:
            under[i] = self._under(flat, owner, int(nodes[i]))
            if parents[i] >= 0:
                under[i] = max(under[i], under[parents[i]])
        order = stacked[np.argsort(under[stacked], kind="stable")]
        masks = self._masks(flat, owner, nodes, new, under, order)
        from layervec import curves

        outlines = pool.each(lambda mask: curves.fit(mask, TOLERANCE, SPECK_AREA), masks, self.threads)
        return _laid_in(flat, nodes, new, under, order, outlines)

    def _under(self, flat: Flat, owner: Int32, node: int) -> int:
        """The front one of the shapes seen in a region that are of the home most seen there; k where nothing is."""
        there = owner[(self.tree.labels >= node) & (self.tree.labels < self.tree.last[node]) & self.may]
        counts = np.bincount(there[there >= 0], minlength=len(flat))
        if 2 * counts.sum() <= len(there):
            return len(flat)
        home = np.append(self.homes, -1)[flat.anchor]
        main = home == max(np.unique(home), key=lambda i: int(counts[home == i].sum()))
        return int(np.flatnonzero(main & (counts >= min(LEAST_UNDER * len(there), counts[main].max())))[-1])

    def _masks(self, flat: Flat, owner: Int32, nodes: Int64, new: Fit, under: Int64, order: Int64) -> list[Bool]:
        """The masks to draw for new regions: borders smoothed, and running on a little under what is painted above."""
        count = len(flat)
        region = arrange.seen(self.tree, nodes)
        region = np.where(self.may & (owner <= np.append(under, -1)[region]), region, -1)
        place = np.empty(len(nodes), dtype=np.int64)
        place[order] = np.arange(len(nodes))
        colours = np.zeros((count + len(nodes) + 1, 3, self.target.shape[2]), dtype=np.float32)  # the last is nothing
        for fit, part in ((flat.fit, slice(0, count)), (new, slice(count, -1))):
            colours[part] = ramps.premultiplied(fit.paints, fit.ramps, self.target.shape[2])
        shown = np.where(region >= 0, count + region, np.where(owner >= 0, owner, count + len(nodes))).astype(np.int32)
        shown = settle(shown, self.target, colours, STIFFNESS, SETTLE_ROUNDS)
        # Where each thing that is seen lies: between two shapes that were there, new ones by their order.
        height = np.concatenate([np.arange(count, dtype=np.float64), under + (place + 1.0) / (len(nodes) + 1), [-1.0]])
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


def _laid_in(flat: Flat, nodes: Int64, new: Fit, under: Int64, order: Int64, outlines: Sequence[Outline]) -> Flat:
    """Return the shapes with new ones between them; regions that vanished in drawing are left out."""
    drawn = np.array([i for i in order if outlines[i].contours], dtype=np.int64)
    blank = np.full(len(drawn), -1, dtype=np.int64)
    paints = Fit(tuple(outlines[i] for i in drawn), new.paints[drawn], ramps.only(new.ramps, drawn))
    anchor = np.append(flat.anchor, -1)[under[drawn]]
    fresh = Flat(paints, blank, anchor, nodes[drawn], np.ones(len(drawn), dtype=bool))
    keys = np.concatenate([np.arange(len(flat)), under[drawn] + 0.5])
    return flat.joined(fresh).only(np.argsort(keys, kind="stable"))
