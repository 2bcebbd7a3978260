"""Fit some shapes of a part of a drawing anew, and add others, while all else stays as it is.

The work on flat shapes back to front: which region is worth a shape, which shape is worth its place, what moves. What
may change is told by pixels: elsewhere the drawing is its own target, so that whatever leaks there counts as an
error. Candidates are nodes of a region tree of the part, priced by what the drawing still gets wrong; shapes that are
there by what drawing without them costs. Where a new shape goes is known to insertion.py. Knows shapes and pixels; no
names, files, or why it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from layervec import crop
from layervec.choose import LEAST_GAIN, Chooser
from layervec.economy import drop_nodes
from layervec.insertion import Flat, Ground
from layervec.masks import grown
from layervec.optimize import STEP, Fit, optimize
from layervec.paints import as_paints, as_ramps
from layervec.palette import Palette
from layervec.refine import LATER_STEP, NODE_PRICE, SWAP_SHARE, WORTH
from layervec.types import Bool, Float32, Float64, Int64, Outline

ROUNDS = (0.7, 1.0)  # of the room for new shapes is filled by the end of each round
STEPS = 16  # of the fit after each round
LAST_STEPS = 10  # of the fit after needless nodes are gone
LEAK = 0.05  # most change of a channel more than a pixel beyond what may change
DROPPED_AT_ONCE = 0.2  # of the shapes too many, before the rest is judged again


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
    ground: Ground = field(init=False)
    _done: int = 0

    def __post_init__(self) -> None:
        self._before = crop.drawn(self.start.fit, self.pixels, self.threads)
        self.target = np.where(self.free[..., None], self.pixels, self._before).astype(np.float32)
        self._planar = np.ascontiguousarray(np.moveaxis(self.target, 2, 0))
        self.ground = Ground(self.target, self.homes, self.may, self.start, self.uncut, self.threads)

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
        clear = len(self._planar) == 4
        fit = drop_nodes(flat.fit, width, height, NODE_PRICE, moving=new, clear=clear, threads=self.threads)
        return replace(flat, fit=fit)

    def _worth(self, flat: Flat, kept: Sequence[int]) -> Float64:
        """Squared error that dropping each shape adds; infinite for those kept, by number, and what may not move."""
        from layervec import raster

        worth = raster.survey(flat.fit.scene(), self._planar, threads=self.threads).removal.astype(np.float64)
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

        rim = grown(self.free, 1)
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
            self.ground.tree,
            self.target,
            known,
            image,
            may=self.ground.allowed,
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
        return self.ground.inserted(flat, np.array(added, dtype=np.int64), new)


def _spans(outline: Outline, x: int, y: int) -> bool:
    """Tell whether a pixel lies among the points of an outline, or next to them."""
    low, high = outline.points.min(axis=0) - 1.0, outline.points.max(axis=0) + 1.0
    return bool(low[0] <= x + 0.5 <= high[0] and low[1] <= y + 0.5 <= high[1])
