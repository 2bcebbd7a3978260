"""Fit outlines and colours of a fixed set of shapes to a picture, by gradients through the rasteriser.

Points move by Adam (https://arxiv.org/abs/1412.6980) in pixels; colours are not walked but solved for, since
they enter linearly. Straight segments stay straight, smooth joins smooth, and what lies on the canvas border
stays on it. Knows flat outlines back to front; nothing of trees, layers, names or files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from layervec import ramps
from layervec.geometry import MOMENTUM, QUIET, Geometry
from layervec.palette import Palette
from layervec.types import RADIAL, STOPS, Bool, Float32, Float64, Int8, Int64, Outline, Ramps, Scene

if TYPE_CHECKING:
    from layervec.raster import FitPass, RampGradients

STEP = 0.5  # px, largest move of a point in one step, at the start of a fit
LAST_STEP = 0.04  # px, the same at its end
SOLVE_EVERY = 20  # steps between two solves for the colours
SOLVE_STOPS_EVERY = 10  # the same where there are gradients, whose stops move
AXIS_STEP = 5.0  # the ends of a gradient move so many times as far as points, as each px of theirs shows less
LEAST_AXIS = 3.0  # px, length of a gradient
STOP_STEP = 4.0  # inner stops of a gradient move so many times as far along its axis as points
LEAST_GAP = 0.02  # between two stops, of the gradient's length
SIMPLER_EVERY = 3  # steps between two looks at simpler drawings
RIDGE = 0.05  # px; weight of a shape's known colour against what is seen of it


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Shapes as the optimizer sees them, back to front.

    outlines: k outlines in fitting pixels. paints: float64 [k, 4], straight RGBA. ramps: gradients, None if there are
    none at all.
    """

    outlines: tuple[Outline, ...]
    paints: Float64
    ramps: Ramps | None = None

    def only(self, kept: Int64 | Bool) -> Fit:
        """Return some of the shapes, by indices or a mask."""
        places = np.arange(len(self.outlines))[kept]
        return Fit(tuple(self.outlines[i] for i in places), self.paints[places], ramps.only(self.ramps, places))

    def scene(self) -> Scene:
        """Pack for the rasteriser."""
        return pack(self.outlines, self.paints, self.ramps)


def pack(outlines: Sequence[Outline], paints: Float64, gradients: Ramps | None = None) -> Scene:
    """Return outlines and straight RGBA paints, back to front, as a scene."""
    points = np.concatenate([outline.points for outline in outlines]) if outlines else np.empty((0, 2))
    sizes = np.concatenate([np.diff(outline.starts) for outline in outlines]) if outlines else np.empty(0, np.int64)
    contours = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    paths = np.concatenate([[0], np.cumsum([outline.contours for outline in outlines])]).astype(np.int64)
    return Scene(
        points.astype(np.float32),
        contours,
        paths,
        np.asarray(paints, dtype=np.float32).reshape(-1, 4),
        np.array([outline.contours > 1 for outline in outlines], dtype=bool),
        gradients,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """A second picture that some of the shapes alone have to match, each in a colour of its own.

    It holds outlines where they are hidden in the drawing, or hardly show. shapes: bool [k]. colours: float64
    [k, 3], of which those of `shapes` count. target: float32 [3, h, w], these colours on white. weight: of its squared
    error.
    """

    shapes: Bool  # [k]
    colours: Float64  # [k, 3]
    target: Float32  # [3, h, w]
    weight: float


Further = Callable[[Float32], tuple[float, Float32]]  # from all points [n, 2] to a loss and its derivatives by them


def optimize(
    fit: Fit,
    target: Float32,
    steps: int,
    *,
    moving: Bool | None = None,
    pinned: Bool | None = None,
    reach: Float64 | None = None,
    structure: Structure | None = None,
    subsets: Sequence[tuple[Bool, float]] | None = None,
    palette: Palette | None = None,
    fixed: Bool | None = None,
    within: Float32 | None = None,
    simpler: Sequence[tuple[Bool, float]] = (),
    further: Further | None = None,
    weight: float = 1.0,
    first_step: float = STEP,
    threads: int | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> Fit:
    """Return the shapes moved and coloured to match the picture.

    target: planar float32 [c, h, w]; c = 3 on white or c = 4 premultiplied. moving: bool [k], the shapes whose
    points may move (all by default). pinned: bool [n, 2], coordinates of all points that stay, none by default.
    reach: [k], how far the points of each shape move, against others; 1 by default.
    structure: what else outlines should match. subsets: sets of shapes (bool [k]) and weights, for which the colours
    are solved jointly; by default the whole drawing alone. palette: the only colours
    to use, for shapes without gradients; unless it is fixed, its colours are solved for, too. fixed: bool [k], the
    shapes that keep their colours (none by default). within: float32 [k, 2, 3], between which colours gradients run, 0
    and 1 by default. simpler: sets of shapes and weights, whose drawings outlines and gradients should match
    as well. further: a loss of its own, in the units of the picture's squared
    error. weight: of that squared error itself, where there are other losses. first_step: px, how far
    points move at first; less for a fit that goes on from another. on_step hears the number of steps done and the
    loss of the points that are the best so far, the ones kept; other losses count in what is best.
    """
    from layervec import raster

    geometry = Geometry(fit.outlines, target.shape[2], target.shape[1], moving, pinned, reach)
    axes = _Axes(len(fit.outlines))
    fit = solve_colours(fit, target, subsets, threads, palette, fixed=fixed, within=within)
    scene = fit.scene()
    if structure is not None:
        further = _Hold(fit, structure, threads).look
    more = _Simpler(fit, simpler, target, threads)
    every = SOLVE_EVERY if fit.ramps is None else SOLVE_STOPS_EVERY
    best, best_loss, best_points, best_ramps = np.inf, np.inf, geometry.points, fit.ramps
    for step in range(steps + 1):
        if step and step % every == 0:
            palette = None if palette is None else palette.moved(fit.paints)
            fit = replace(fit, outlines=geometry.outlines())
            fit = solve_colours(fit, target, subsets, threads, palette, fixed=fixed, within=within)
        points, paints = geometry.points.astype(np.float32), fit.paints.astype(np.float32)
        scene = replace(scene, points=points, paints=paints, ramps=fit.ramps)
        passed = raster.fit_pass(scene, target, threads=threads)
        held, pull = (0.0, np.float32(0.0)) if further is None else further(points)
        if more.turn(step):
            passed, news = more.looked(passed, fit, points, step)
            best = np.inf if news else best
        loss = weight * passed.loss + held + more.loss
        if loss < best:
            best, best_loss = loss, passed.loss
            best_points, best_ramps = geometry.points.copy(), fit.ramps
        if on_step is not None and step:
            on_step(step, float(best_loss))
        if step < steps:
            share = step / max(1, steps - 1)
            length = first_step * (LAST_STEP / first_step) ** share
            geometry.move(passed.points if further is None else weight * passed.points + pull, length)
            if fit.ramps is not None and passed.ramps is not None:
                fit = replace(fit, ramps=axes.moved(fit.ramps, passed.ramps, length))
    geometry.points = best_points
    palette = None if palette is None else palette.moved(fit.paints)
    fit = replace(fit, outlines=geometry.outlines(), ramps=best_ramps)
    return solve_colours(fit, target, subsets, threads, palette, fixed=fixed, within=within)


def solve_colours(
    fit: Fit,
    target: Float32,
    subsets: Sequence[tuple[Bool, float]] | None = None,
    threads: int | None = None,
    palette: Palette | None = None,
    *,
    fixed: Bool | None = None,
    within: Float32 | None = None,
) -> Fit:
    """Return the fit with the colours that suit best at this geometry; alphas stay, and the colours of `fixed` too.

    palette: as in `optimize`. Each shape gets that colour of it which is nearest to the one that would suit it best;
    then the colours are solved for, if they may change, as the colours of all shapes that share them. within: as there.
    """
    from layervec import raster

    paints = fit.paints.copy()
    solved = raster.solve_paints(
        fit.scene(),
        target,
        ridge=RIDGE,
        prior=paints[:, :3].astype(np.float32),
        fixed=fixed,
        subsets=subsets,
        threads=threads,
    )
    paints[:, :3] = np.clip(solved.paints[:, :3], 0.0, 1.0)
    if palette is not None:
        paints[:, :3] = _from_palette(replace(fit, paints=paints), palette, target, subsets, threads)
    if fit.ramps is None or solved.stops is None:
        return replace(fit, paints=paints)
    found = ramps.coloured(fit.ramps, solved.stops, within)
    graded = found.kind > 0
    paints[graded, :3] = found.colours[graded].mean(axis=1)
    return replace(fit, paints=paints, ramps=found)


def _from_palette(
    fit: Fit, palette: Palette, target: Float32, subsets: Sequence[tuple[Bool, float]] | None, threads: int | None
) -> Float64:
    """Return the colours of a palette that shapes coloured without it get instead: float64 [k, 3]."""
    from layervec import raster

    owner = palette.nearest(fit.paints[:, :3])
    prior = palette.colours[owner]
    if palette.fixed:
        return prior
    return (
        raster.solve_paints(
            fit.scene(), target, ridge=RIDGE, prior=prior, subsets=subsets, groups=owner, threads=threads
        )
        .paints[:, :3]
        .astype(np.float64)
    )


class _Hold:
    """The pull of a structure on the points of a fit."""

    def __init__(self, fit: Fit, structure: Structure, threads: int | None) -> None:
        paints = np.ones((len(fit.outlines), 4))
        paints[:, :3] = structure.colours
        self._scene = replace(fit, paints=paints, ramps=None).only(structure.shapes).scene()
        self._target, self._weight, self._threads = structure.target, structure.weight, threads
        self._chosen = np.repeat(structure.shapes, [len(outline.points) for outline in fit.outlines])

    def look(self, points: Float32) -> tuple[float, Float32]:
        """Return the weighted loss and its derivatives by all points of the fit, [n, 2]."""
        from layervec import raster

        pulled = np.zeros_like(points)
        scene = replace(self._scene, points=np.ascontiguousarray(points[self._chosen]))
        passed = raster.fit_pass(scene, self._target, threads=self._threads)
        pulled[self._chosen] = self._weight * passed.points
        return self._weight * float(passed.loss), pulled


class _Simpler:
    """Drawings of some of the shapes of a fit, which count as well, so that what they alone show keeps its form.

    One of them in turn every SIMPLER_EVERY steps: what is hidden in the whole drawing feels nothing else, and moves of
    points are as long whatever the weight.
    """

    def __init__(self, fit: Fit, drawings: Sequence[tuple[Bool, float]], target: Float32, threads: int | None) -> None:
        sizes = [len(outline.points) for outline in fit.outlines]
        self._drawings = [(shown, weight, np.repeat(shown, sizes)) for shown, weight in drawings]
        self._losses: dict[int, float] = {}  # the last ones found, weighted
        self._target, self._threads = target, threads

    @property
    def loss(self) -> float:
        """Weighted losses of all drawings that had their turn, when they last had."""
        return sum(self._losses.values())

    def turn(self, step: int) -> bool:
        """Tell whether it is the turn of one of the drawings."""
        return bool(self._drawings) and step % SIMPLER_EVERY == 0

    def looked(self, passed: FitPass, fit: Fit, points: Float32, step: int) -> tuple[FitPass, bool]:
        """Return a pass of the whole drawing with the derivatives of the one whose turn it is added to its own.

        And whether that has its first turn, so that losses from before leave it out.
        """
        from layervec import raster

        number = step // SIMPLER_EVERY % len(self._drawings)
        shown, weight, rows = self._drawings[number]
        part = replace(fit.only(shown).scene(), points=np.ascontiguousarray(points[rows]))
        found = raster.fit_pass(part, self._target, threads=self._threads)
        news = number not in self._losses
        self._losses[number] = weight * found.loss
        slopes = passed.points.copy()
        slopes[rows] += weight * found.points
        return replace(passed, points=slopes, ramps=_sum(passed.ramps, found.ramps, shown, weight)), news


def _sum(whole: RampGradients | None, part: RampGradients | None, shown: Bool, weight: float) -> RampGradients | None:
    """Return the derivatives by all ramps, with the weighted ones by those of some paths added."""
    if whole is None or part is None:
        return whole
    axis, offsets = whole.axis.copy(), whole.offsets.copy()
    axis[shown] += weight * part.axis
    offsets[shown] += weight * part.offsets
    return replace(whole, axis=axis, offsets=offsets)


class _Adam:
    """Moves of about 1 against gradients, and less where they are weak."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._average = np.zeros(shape)
        self._square = np.zeros(shape)
        self._steps = 0

    def __call__(self, gradient: Float64) -> Float64:
        self._steps += 1
        slow, slower = MOMENTUM
        self._average = slow * self._average + (1 - slow) * gradient
        self._square = slower * self._square + (1 - slower) * gradient**2
        average = self._average / (1 - slow**self._steps)
        square = self._square / (1 - slower**self._steps)
        return np.asarray(average / (np.sqrt(square) + QUIET))


class _Axes:
    """Moves the axes of gradients, and the stops along them."""

    def __init__(self, count: int) -> None:
        self._adam = _Adam((count, 4))
        self._stops = _Adam((count, STOPS))

    def moved(self, found: Ramps, gradient: RampGradients, step: float) -> Ramps:
        """Take one step of at most about AXIS_STEP * `step` px against the derivatives; axes stay LEAST_AXIS px long.

        The first stop and the last one stay at the ends of the axis, and stops in their order.
        """
        axis = found.axis - AXIS_STEP * step * self._adam(gradient.axis)
        length = _axis_lengths(found.kind, axis)
        kept = np.where((length >= LEAST_AXIS)[:, None], axis, found.axis).astype(np.float32)
        length = np.maximum(_axis_lengths(found.kind, kept), LEAST_AXIS)[:, None]
        wanted = found.offsets - STOP_STEP * step * self._stops(gradient.offsets / length) / length
        return replace(found, axis=kept, offsets=_in_order(found.offsets, wanted))


def _axis_lengths(kind: Int8, axis: Float64 | Float32) -> Float64:
    """Lengths of gradients, px: [k]."""
    length = np.linalg.norm(axis[:, 2:] - axis[:, :2], axis=1)
    return np.where(kind == RADIAL, axis[:, 2], length).astype(np.float64)


def _in_order(now: Float32, wanted: Float64) -> Float32:
    """Return wanted offsets of stops, [k, STOPS], at least LEAST_GAP apart; ends, jumps and unused stops stay."""
    found = now.copy()
    for place in range(1, STOPS - 1):
        low = found[:, place - 1] + LEAST_GAP
        high = now[:, place + 1] - LEAST_GAP
        free = (now[:, place - 1] < now[:, place]) & (now[:, place] < now[:, place + 1]) & (low <= high)
        found[:, place] = np.where(free, np.clip(wanted[:, place], low, high), now[:, place])
    return found
