"""Improve a plan in rounds: drop shapes that are not worth their path, add those that gain most, fit again.

Candidates are nodes of the region tree, priced by what the drawing still gets wrong there; shapes in the plan
are priced by the exact error of drawing without them. Knows plans and the rasteriser's answers; knows no layers,
names or files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from layervec import choose, curves, ramps, ranges, slivers, stops
from layervec import palette as palettes
from layervec.arrange import Plan, add_outlines, nest, seen, stack
from layervec.choose import LEAST_GAIN, SEEN_SHARE, Chooser
from layervec.choose import worth as factors
from layervec.digits import Grid, shortened
from layervec.economy import drop_nodes
from layervec.grain import grain
from layervec.mend import mended
from layervec.optimize import STEP, Fit, Structure, optimize, solve_colours
from layervec.paints import CLEAR, as_paints, as_ramps
from layervec.palette import Palette
from layervec.ranks import rank
from layervec.regular import regular
from layervec.settings import Effort
from layervec.tree import node_sums
from layervec.types import Bool, Float32, Float64, Int64, RegionTree, Scene

FIRST_SHARE = 0.75  # of the budget is painted before the first round; the rest goes where the error then is
SWAP_SHARE = 0.2  # of the shapes at most make room for better ones in a round
LATER_STEP = 0.3  # px, first move of points in fits after the first one
NODE_PRICE = 0.035  # squared error over all channels, px, that a node must save to stay
NODE_PRICE_DRAWN = 0.65  # the same in drawn art, where what is worth less are fringes
NODE_SHARE = 0.005  # of what the weaker shapes save; where each one saves a lot, a node must save that much
NODE_SHARE_SHADED = 0.004  # the same where there are gradients, with which each shape saves more, and needs fewer nodes
WEAKER = 0.1  # of the shapes
CHARACTER_SHARE = 0.1  # of a node's price that a character must save to stay
CHARACTER_SHARE_DRAWN = 0.004  # the same in drawn art, whose plain forms are looked at closely
SHORTENED_SHARE = 4  # fits between these passes take so many times fewer steps than the last ones
SHORTENED_STEP = 0.15  # px, first move of points in them
PIECE_PRICE = 0.1  # the same for a whole piece of an outline; no fit that follows makes up for that
PIECE_PRICE_DRAWN = 0.02  # the same in drawn art, where a piece may be the dot of an i
SEAMS = 0.0012  # of the pixels beside borders may be seams in the end
SEAMS_BEFORE = 0.001  # the same before the fits that write coordinates shorter, which open some again
SLIVER_SHARE = 0.4  # of a node's price that a node must save where a sliver has just been mended
THICK = 6.0  # px; in thinner shapes of drawn art a node costs less in proportion
THINNEST_SHARE = 0.1  # of its price that a node costs at least
THINNEST_REACH = 0.15  # of a step, that points of the thinnest shapes take at least
CLEAR_CONTRAST = 0.4  # of a channel; plain shapes that stand out less have their nodes cheaper, by its square
FAINTEST_SHARE = 0.002  # of its price that a node costs at least
SAME_COLOUR = 1e-3  # of a channel
PIECES_A_SHAPE = 10  # on average, from which on shapes repeat one form
MANY_PIECES = 300  # contours of drawn art, as many as zones may be ordered one by one
HIDDEN_SHARE = 0.05  # of a shape; one that shows less of itself in drawn art keeps the colour that it was picked with
WORTH = 0.8  # a shape is dropped when it removes less than this share of what a new one would
STRUCTURE_WEIGHT = 0.05  # of the picture in which each object has a colour of its own, against the picture itself
DARKEST_OF_LIGHT = 0.8  # most of any channel of these colours, as white is none of them
OBJECTS_WEIGHT = 0.3  # of the drawing of objects alone when nodes are dropped
PREFIXES = ((8, 0.1), (32, 0.1), (128, 0.03))  # most ranks shown, and the weight of that drawing in solving colours
OUTLINE_PREFIXES = ((4, 0.1), *PREFIXES)  # the same when nodes are dropped: the first shapes are mostly hidden later
FIT_PREFIXES = tuple((most, 0.02) for most in (8, 16, 32, 64))  # the same when outlines move
# Share of the prefixes' weights where there are gradients. These follow what shows of a shape more closely than one
# colour does; and what is hidden in the whole drawing has no other say than simpler ones, however little they weigh.
SHADED_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Progress:
    """done: share of all steps, 0..1; round: 0 for the first fit; psnr in dB; plan: after a finished fit, else None."""

    done: float
    round: int
    psnr: float
    paths: int
    plan: Plan | None = None


def first_budget(budget: int) -> int:
    """How many of `budget` shapes to paint before the first round."""
    return max(1, round(budget * FIRST_SHARE))


def refine(
    tree: RegionTree,
    plan: Plan,
    pixels: Float32,
    *,
    budget: int,
    tolerance: float,
    effort: Effort,
    least_gain: float = LEAST_GAIN,
    gradient_price: float = np.inf,
    palette: Palette | None = None,
    grid: Grid | None = None,
    threads: int | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Plan:
    """Return the plan fitted to the picture, with shapes dropped and added until the budget or the gain is spent.

    pixels: premultiplied [h, w, c] as in `arrange`. effort: how many rounds and steps. palette: the only colours to
    paint with; where it is not fixed, each round finds it anew, with no more colours. grid: how coordinates
    are going to be written, if it is known; then those are short that the picture allows to.
    """
    if not len(plan):
        return plan
    steps = effort.steps + effort.rounds * effort.round_steps + effort.final_fits * effort.final_steps
    run = _Run(tree, pixels, tolerance, least_gain, gradient_price, palette, threads, on_progress, steps)
    plan = run.fit(plan, effort.steps, 0)
    for number in range(1, effort.rounds + 1):
        room = FIRST_SHARE + (1 - FIRST_SHARE) * number / effort.rounds
        most = max(1, round(budget * room))
        plan = run.thinned(plan) if run.repeats(plan) else run.exchange(run.thinned(plan), most)
        plan = run.fit(plan, effort.round_steps, number)
        if run.repeats(plan):
            run.done += (effort.rounds - number) * effort.round_steps
            break
    for _ in range(effort.final_fits):
        plan = run.with_fewer_stops(plan)
        plan = run.fit(run.thinned(plan), effort.final_steps, effort.rounds, last=True)
    plan = run.pruned(run.ranked(plan))  # what counts in simpler versions goes by rank
    if grid is not None:
        if effort.shortenings > 1:  # else too few steps follow to make up for it
            plan = run.without_slivers(plan, SEAMS_BEFORE)
        plan = run.shortened(plan, grid, effort.shortenings, effort.final_steps // SHORTENED_SHARE)
    plan = run.without_slivers(plan, SEAMS)
    if run.drawn:
        plan = run.regular(plan)
    plan = run.ranked(plan)
    run.tell(plan, effort.rounds, finished=False)  # it is the stage's result
    return plan


class _Run:
    """What stays the same through all rounds."""

    def __init__(
        self,
        tree: RegionTree,
        pixels: Float32,
        tolerance: float,
        least_gain: float,
        gradient_price: float,
        palette: Palette | None,
        threads: int | None,
        on_progress: Callable[[Progress], None],
        steps: int,
    ) -> None:
        self.tree = tree
        self.pixels = pixels
        self.target = np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
        self.clear = len(self.target) == 4
        self.tolerance = tolerance
        self.least_gain = least_gain
        self.gradient_price = gradient_price
        self.palette = palette
        self.colours = 0 if palette is None else len(palette.colours)
        self.threads = threads
        self.on_progress = on_progress
        self.steps = max(1, steps)
        self.grain = grain(*tree.labels.shape)
        self.drawn = len(tree.stands) > 0
        self._content = choose.content(tree)
        inks = tree.inks[~np.isnan(tree.inks).any(axis=1)] if self.drawn else tree.inks.reshape(0, 3)
        self._inks = as_paints(list(np.unique(inks[(inks[:, -1] > CLEAR) | (inks.shape[1] == 3)], axis=0)))
        self.shaded = bool(np.isfinite(gradient_price)) and not self.drawn
        self.node_price = self.grain * (NODE_PRICE_DRAWN if self.drawn else NODE_PRICE)
        self.done = 0
        self.latest = 0.0  # PSNR of the last fit, dB

    def psnr(self, loss: float) -> float:
        """PSNR in dB of a summed squared error."""
        return float(-10 * np.log10(max(loss / self.target.size, 1e-12)))

    def fit(self, plan: Plan, steps: int, number: int, *, last: bool = False) -> Plan:
        """Optimize all outlines and colours of a plan; in the last fits crossings of outlines are mended, too."""
        before = self.done
        psnr = 0.0

        def on_step(step: int, loss: float) -> None:
            nonlocal psnr
            psnr = self.psnr(loss)
            self.done = before + step
            self.on_progress(Progress(self.done / self.steps, number, psnr, len(plan)))

        def work(fit: Fit, order: Int64) -> Fit:
            first_step = STEP if number == 0 else LATER_STEP
            self.palette = self._renewed(fit, None if self.drawn else self._subsets(order))
            fitted = self._optimizer(plan, order)(
                fit,
                steps=steps,
                structure=self._structure(plan, order),
                palette=self.palette,
                first_step=first_step,
                on_step=on_step,
            )
            return self._mended(fitted, order) if last else fitted

        fitted = self._stacked(plan, work)
        self.palette = None if self.palette is None else self.palette.moved(fitted.paints)
        self.latest = psnr
        self.tell(fitted, number)
        return fitted

    def repeats(self, plan: Plan) -> bool:
        """Tell whether a drawing is one of few shapes of many pieces each, such as the dots of a halftone.

        Its zones are all that there is. Rounds that look for more shapes would paint over the dots with more dots, and
        each costs as much as the pieces are many.
        """
        pieces = sum(outline.contours for outline in plan.outlines)
        return self.drawn and pieces >= max(MANY_PIECES, PIECES_A_SHAPE * len(plan))

    def tell(self, plan: Plan, number: int, *, finished: bool = True) -> None:
        """Tell how far the work is, and of a plan that has just been finished."""
        done = self.done / self.steps
        self.on_progress(Progress(done, number, self.latest, len(plan), plan if finished else None))

    def _optimizer(self, plan: Plan, order: Int64) -> partial[Fit]:
        """Return `optimize` for shapes of a plan laid out in this order, with all that goes by the plan alone."""
        return partial(
            optimize,
            target=self.target,
            subsets=None if self.drawn else self._subsets(order),
            fixed=(self._hidden(plan) | self._exact(plan))[order] if self.drawn else None,
            within=self._within(plan, order),
            reach=self._reach(plan, order),
            simpler=self._simpler(order),
            threads=self.threads,
        )

    def _hidden(self, plan: Plan) -> Bool:
        """Tell which shapes are bases that hardly show: they keep the colours that they stand for: bool [k]."""
        area = node_sums(self.tree, np.ones(self.tree.labels.shape, dtype=np.float32))[plan.nodes, 0]
        shown = np.bincount(seen(self.tree, plan.nodes).ravel() + 1, minlength=len(plan) + 1)[1:]
        return np.asarray(shown < HIDDEN_SHARE * area)

    def _exact(self, plan: Plan) -> Bool:
        """Tell which shapes have the exact colour of a plain zone: bool [k]."""
        return np.asarray((np.abs(plan.paints[:, None] - self._inks).max(axis=2) < SAME_COLOUR).any(axis=1))

    def _reach(self, plan: Plan, order: Int64) -> Float64 | None:
        """Return how far points of shapes laid out in this order move: less in thin ones of drawn art, [k], else None.

        Points on both sides of a thin line would pass each other.
        """
        if not self.drawn:
            return None
        thickness = np.array([curves.thickness(plan.outlines[i]) for i in order])
        return np.clip(thickness / THICK, THINNEST_REACH, 1.0)

    def _within(self, plan: Plan, order: Int64) -> Float32 | None:
        """Between which colours gradients may run, for shapes laid out in this order; None for any."""
        return ranges.of_shapes(self.tree, plan.nodes[order], self.pixels) if self.shaded else None

    def _renewed(self, fit: Fit, subsets: list[tuple[Bool, float]] | None) -> Palette | None:
        """The palette for these shapes, from the colours that each would have without one, by what is seen of it."""
        from layervec import raster

        if self.palette is None or self.palette.fixed:
            return self.palette
        free = solve_colours(fit, self.target, subsets, self.threads)
        area = raster.survey(fit.scene(), self.target, threads=self.threads).area
        return palettes.found(free.paints[:, :3], area, self.colours)

    def _structure(self, plan: Plan, order: Int64) -> Structure | None:
        """What holds the outlines of objects, for shapes laid out in this order; None without objects."""
        shapes = np.isin(plan.nodes[order], self.tree.objects)
        if not shapes.any():
            return None
        colours = np.random.default_rng(0).uniform(0.0, DARKEST_OF_LIGHT, (len(plan), 3))
        owner = seen(self.tree, plan.nodes[order][shapes])
        palette = np.concatenate([colours[shapes], np.ones((1, 3))]).astype(np.float32)  # the last is white: no object
        target = np.ascontiguousarray(np.moveaxis(palette[owner], 2, 0))
        return Structure(shapes, colours, target, STRUCTURE_WEIGHT)

    def _objects_alone(self, plan: Plan, order: Int64) -> list[tuple[Bool, float]]:
        """The drawing of objects without their parts, weighted, whose outlines should keep their form as well."""
        shapes = np.isin(plan.nodes[order], self.tree.objects)
        return [(shapes, OBJECTS_WEIGHT)] if shapes.any() else []

    def _simpler(self, order: Int64) -> list[tuple[Bool, float]]:
        """The drawings of the first shapes alone that outlines should match as well, weighted; none in drawn art.

        There borders that are next to hidden should be where zones have them.
        """
        return [] if self.drawn else _weighted(order, FIT_PREFIXES)[1:]

    def thinned(self, plan: Plan) -> Plan:
        """Drop the nodes that are not worth their place."""
        height, width = self.target.shape[1:]

        def work(fit: Fit, order: Int64) -> Fit:
            subsets = [*_weighted(order, OUTLINE_PREFIXES), *self._objects_alone(plan, order)]
            prices = self._prices(plan, fit, order)
            return drop_nodes(fit, width, height, prices, subsets=subsets, clear=self.clear, threads=self.threads)

        return self._stacked(plan, work)

    def _prices(self, plan: Plan, fit: Fit, order: Int64) -> float | Float64:
        """What a node must save in each shape, laid out in this order.

        Less in thin ones of drawn art, where no node can save much, and in plain ones that stand out little, whose
        form is seen all the same.
        """
        if not self.drawn:
            return self.node_price
        thickness = np.array([curves.thickness(outline) for outline in fit.outlines])
        parents = nest(self.tree, plan.nodes)
        off = np.abs(plan.paints - plan.paints[parents]).max(axis=1)
        contrast = np.where(self._exact(plan) & (parents >= 0), off, 1.0)[order]
        faint = np.clip((contrast / CLEAR_CONTRAST) ** 2, FAINTEST_SHARE, 1.0)
        return self.node_price * np.clip(thickness / THICK, THINNEST_SHARE, 1.0) * faint

    def shortened(self, plan: Plan, grid: Grid, passes: int, steps: int) -> Plan:
        """Write coordinates shorter, more of them in each pass, while those left move to make up for it."""
        height, width = self.target.shape[1:]

        def work(fit: Fit, order: Int64) -> Fit:
            weighted, optimizer = self._subsets(order), self._optimizer(plan, order)
            share = CHARACTER_SHARE_DRAWN if self.drawn else CHARACTER_SHARE
            prices = np.repeat(np.broadcast_to(self._prices(plan, fit, order), len(order)), _sizes(fit))[:, None]
            for number in range(1, passes + 1):
                price = share * (number / passes) ** 1.6 * prices
                fit, pinned = shortened(
                    fit, grid, width, height, price, subsets=weighted, clear=self.clear, threads=self.threads
                )
                fit = optimizer(fit, steps=steps, pinned=pinned, palette=self.palette, first_step=SHORTENED_STEP)
            return self._mended(fit, order)

        return self._stacked(plan, work)

    def _mended(self, fit: Fit, order: Int64) -> Fit:
        """Free outlines of crossings, and of pieces that are not worth it."""
        price = self.grain * (PIECE_PRICE_DRAWN if self.drawn else PIECE_PRICE)
        return mended(fit, self.target, price, subsets=self._subsets(order), threads=self.threads)

    def without_slivers(self, plan: Plan, most: float) -> Plan:
        """Fill or cut off strips thinner than a pixel that only mix tones; in drawn art thin lines are meant."""
        if self.drawn:
            return plan
        height, width = self.target.shape[1:]

        def work(fit: Fit, order: Int64) -> Fit:
            clean = slivers.without(fit, self.target, most)
            changed = np.array([a is not b for a, b in zip(clean.outlines, fit.outlines, strict=True)])
            price = SLIVER_SHARE * self.node_price
            return drop_nodes(
                clean,
                width,
                height,
                price,
                subsets=self._subsets(order),
                moving=changed,
                clear=self.clear,
                threads=self.threads,
            )

        return self._stacked(plan, work)

    def regular(self, plan: Plan) -> Plan:
        """Make ellipses and level lines exact, as they are in drawn art."""
        plan = self._stacked(plan, lambda fit, _: regular(fit, self.target, self.node_price, threads=self.threads))
        self.latest = self.psnr(self._loss(plan))
        return plan

    def _stacked(self, plan: Plan, work: Callable[[Fit, Int64], Fit]) -> Plan:
        """Apply work to the shapes of a plan, laid out back to front; it also hears their ranks from 0."""
        laid_out, order = self._laid_out(plan)
        fit = work(laid_out, order).only(np.argsort(order))
        return Plan(plan.nodes, fit.outlines, fit.paints, fit.ramps)

    def _laid_out(self, plan: Plan) -> tuple[Fit, Int64]:
        """Return the shapes of a plan back to front, and their ranks from 0."""
        order = stack(self.tree, plan.nodes)
        return Fit(plan.outlines, plan.paints, plan.ramps).only(order), order

    def exchange(self, plan: Plan, budget: int) -> Plan:
        """Add the regions that gain most, in place of shapes that are worth less; the same plan when none does."""
        worth, drawn = self._look(plan)
        if len(plan) >= first_budget(budget) and not self.drawn:
            share = NODE_SHARE_SHADED if self.shaded else NODE_SHARE
            self.node_price = max(self.grain * NODE_PRICE, share * float(np.quantile(worth, WEAKER)))
        chooser = Chooser(
            self.tree, self.pixels, plan.nodes, drawn, gradient_price=self.gradient_price, palette=self.palette
        )
        if plan.ramps is not None:
            plan = replace(plan, ramps=ramps.filled(plan.ramps, as_ramps(chooser.upgrades(plan.nodes))))
        room = max(0, budget - len(plan))
        swaps = int(SWAP_SHARE * len(plan))
        while len(chooser.picked) < room + swaps and chooser.pick(self.least_gain):
            pass
        weakest = np.argsort(worth, kind="stable")
        weakest = weakest[weakest != self._base(plan)]
        gains = chooser.gains[room:]
        dropped = [i for i, gain in zip(weakest, gains, strict=False) if worth[i] < WORTH * gain]
        dropped += [i for i in weakest[len(dropped) :] if worth[i] < WORTH * self.least_gain]
        added = chooser.picked[: room + len(dropped)]
        if not dropped and not added:
            return plan
        kept = np.setdiff1d(np.arange(len(plan)), dropped)
        left = plan.only(kept)
        changed = Plan(
            np.concatenate([left.nodes, np.array(added, dtype=np.int64)]),
            left.outlines,
            np.concatenate([left.paints, as_paints(chooser.colours[: len(added)])]),
            ramps.joined(left.ramps, as_ramps(chooser.ramps[: len(added)])),
        )
        return self.ranked(add_outlines(changed, self.tree, self.pixels, self.tolerance, threads=self.threads))

    def with_fewer_stops(self, plan: Plan) -> Plan:
        """Drop stops and gradients that are not worth their place."""
        height, width = self.target.shape[1:]
        return self._stacked(
            plan, lambda fit, order: stops.thinned(fit, width, height, self.gradient_price, self.threads)
        )

    def pruned(self, plan: Plan) -> Plan:
        """Drop the shapes that came to nothing in fitting.

        Shapes can stand in for each other, so that each is worth nothing and both are worth a lot; and what lay on a
        dropped shape may come to lie below others. So as many go at once as do no harm together, and the rest is
        judged again.
        """
        limit, most, needed = WORTH * self.least_gain, len(plan), set[int]()
        while True:
            worth, _ = self._look(plan)
            weak = np.argsort(worth, kind="stable")
            weak = weak[(worth[weak] < limit) & (weak != self._base(plan)) & ~np.isin(plan.nodes[weak], list(needed))]
            if not len(weak):
                return self._without_doubles(plan) if self.drawn else plan
            most, loss = min(most, len(weak)), self._loss(plan)
            while True:
                left = plan.only(np.setdiff1d(np.arange(len(plan)), weak[:most]))
                harmless = self._loss(left) <= loss + limit * most
                if harmless or most == 1:
                    break
                most //= 2
            if harmless:
                plan = left
            else:
                needed.add(int(plan.nodes[weak[0]]))

    def _without_doubles(self, plan: Plan) -> Plan:
        """Drop shapes that show in simpler drawings alone, if others, ranked anew, stand in for them there."""
        limit = WORTH * self.least_gain
        fit, order = self._laid_out(plan)
        hidden = (self._removal(fit.scene(), order) < limit) & ~self._content[plan.nodes]
        hidden &= np.arange(len(plan)) != self._base(plan)
        loss = self._loss(plan, PREFIXES) if hidden.any() else 0.0
        for node in np.sort(plan.nodes[hidden]):
            left = self.ranked(plan.only(np.flatnonzero(plan.nodes != node)))
            without = self._loss(left, PREFIXES)
            if without <= loss + limit:
                plan, loss = left, without
        return plan

    def _removal(self, scene: Scene, order: Int64) -> Float64:
        """Return the squared error that dropping each shape adds to a drawing laid out in this order: float64 [k]."""
        from layervec import raster

        removal = np.zeros(len(order))
        removal[order] = raster.survey(scene, self.target, threads=self.threads).removal
        return removal

    def _loss(self, plan: Plan, prefixes: tuple[tuple[int, float], ...] = ()) -> float:
        """Squared error of the drawing of a plan, and of those of its first shapes by these weights."""
        from layervec import raster

        fit, order = self._laid_out(plan)
        scenes = [(fit.only(shown).scene(), weight) for shown, weight in _weighted(order, prefixes)]
        return sum(weight * raster.fit_pass(scene, self.target, threads=self.threads).loss for scene, weight in scenes)

    def ranked(self, plan: Plan) -> Plan:
        """Return the plan with its shapes in order of importance."""
        return plan.only(rank(self.tree, self.pixels, plan))

    def _base(self, plan: Plan) -> int:
        """Index of the background of an opaque picture, which is never dropped; -1 if there is none."""
        base = np.flatnonzero(plan.nodes == 0)
        return int(base[0]) if len(base) else -1

    def _subsets(self, order: Int64) -> list[tuple[Bool, float]]:
        """The drawing and its simpler versions, for solving colours: masks over shapes of these ranks, weights."""
        return _weighted(order, PREFIXES, SHADED_SHARE if self.shaded else 1.0)

    def _look(self, plan: Plan) -> tuple[Float64, Float32]:
        """Return what each shape is worth (squared error that dropping it adds) and the drawing, [h, w, c]."""
        from layervec import raster

        fit, order = self._laid_out(plan)
        scene = fit.scene()
        worth = self._removal(scene, order)
        for shown, weight in _weighted(order, PREFIXES)[1:]:
            ranks = order[shown]
            simpler = raster.survey(fit.only(shown).scene(), self.target, threads=self.threads).removal
            worth[ranks] += weight * np.maximum(simpler, 0.0)  # harm to a simpler drawing is no reason to go
        worth *= factors(self.tree)[plan.nodes]
        content = self._content[plan.nodes] & (worth > SEEN_SHARE * self.least_gain)
        worth[content] = np.maximum(worth[content], self.least_gain)
        image = raster.render(scene, self.target.shape[2], self.target.shape[1], threads=self.threads)
        return worth, image[..., : self.target.shape[0]]


def _sizes(fit: Fit) -> list[int]:
    """Points of each shape."""
    return [len(outline.points) for outline in fit.outlines]


def _weighted(order: Int64, prefixes: tuple[tuple[int, float], ...], share: float = 1.0) -> list[tuple[Bool, float]]:
    """The whole drawing, and its most important shapes alone, as masks over shapes back to front, with weights."""
    smaller = [(order < most, share * weight) for most, weight in prefixes if most < len(order)]
    return [(np.ones(len(order), dtype=bool), 1.0), *smaller]
