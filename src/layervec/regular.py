"""Make regular what a fit has left nearly so, where the picture agrees: ellipses, level and upright lines.

Candidates are told by form alone (curves/primitives.py); each is taken if the exact error of the drawing grows by no
more than it is worth. Knows outlines and the rasteriser's answers; knows no trees, layers or files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from layervec.curves import primitives
from layervec.curves.edit import area, controls
from layervec.curves.primitives import Ellipse
from layervec.optimize import Fit
from layervec.types import Float32, Float64, Outline

ELLIPSE_NODES = 4
ELLIPSE_WORTH, LINE_WORTH = 0.6, 0.15  # nodes, beside those that are saved: people see that a thing is regular

SETTLE_STEPS = 16  # in which ellipses settle
FIRST_STEP = 0.05  # px, of these
LEAST_AXIS = 0.5  # px, half


def regular(fit: Fit, target: Float32, price: float, *, threads: int | None = None) -> Fit:
    """Return the fit with ellipses and level lines exact, where that costs less squared error than it is worth.

    target: as in `optimize`. price: squared error that a node is worth.
    """
    work = _Work(fit, target, price, threads)
    work.take([ring.change() for ring in _settled(fit, list(_rings(fit)), target, threads)])
    work.take([change for i, outline in enumerate(work.fit.outlines) for change in _lines(i, outline)])
    return work.fit


@dataclass(frozen=True, slots=True)
class _Change:
    """shape: its index. worth: in nodes. apply: what makes the new outline of the old one."""

    shape: int
    worth: float
    apply: Callable[[Outline], Outline]


class _Work:
    """A drawing under change."""

    def __init__(self, fit: Fit, target: Float32, price: float, threads: int | None) -> None:
        self.fit = fit
        self._target, self._price, self._threads = target, price, threads
        self._error = self._loss(fit)

    def take(self, changes: Sequence[_Change]) -> None:
        """Take all of the changes if they pay together and cross nothing, else those of each half that do."""
        if not changes:
            return
        changed = self._changed(changes)
        if changed is not None:
            error = self._loss(changed)
            if error <= self._error + self._price * sum(change.worth for change in changes):
                self.fit, self._error = changed, error
                return
        if len(changes) > 1:
            half = len(changes) // 2
            self.take(changes[:half])
            self.take(changes[half:])

    def _changed(self, changes: Sequence[_Change]) -> Fit | None:
        """The fit with these changes; None if an outline would cross itself."""
        from layervec.curves import self_crossings
        from layervec.curves.untangle import TOLERANCE

        outlines = list(self.fit.outlines)
        for change in changes:
            outlines[change.shape] = change.apply(outlines[change.shape])
        if self_crossings([outlines[i] for i in {change.shape for change in changes}], TOLERANCE).any():
            return None
        return replace(self.fit, outlines=tuple(outlines))

    def _loss(self, fit: Fit) -> float:
        from layervec import raster

        return raster.fit_pass(fit.scene(), self._target, threads=self._threads).loss


@dataclass(frozen=True, slots=True)
class _Ring:
    """A contour of a shape that is an ellipse. nodes: that it has. clockwise: how it runs."""

    shape: int
    contour: int
    nodes: int
    clockwise: bool
    ellipse: Ellipse

    def change(self) -> _Change:
        """What puts the ellipse in place of the contour; that it may take one node more is no loss."""
        worth = ELLIPSE_WORTH + max(0, self.nodes - ELLIPSE_NODES)
        return _Change(self.shape, worth, lambda outline: _swapped(outline, {self.contour: self.points()}))

    def points(self) -> Float64:
        """The contour that is the ellipse."""
        points = self.ellipse.points()
        return points if self.clockwise else np.roll(points[::-1], 1, axis=0)


def _rings(fit: Fit) -> Iterator[_Ring]:
    for shape, outline in enumerate(fit.outlines):
        for contour in range(outline.contours):
            points = outline.points[outline.starts[contour] : outline.starts[contour + 1]]
            found = primitives.ellipse(points)
            if found is not None:
                yield _Ring(shape, contour, len(points) // 3, area(controls(points)) > 0, found)


def _settled(fit: Fit, rings: Sequence[_Ring], target: Float32, threads: int | None) -> list[_Ring]:
    """Return ellipses moved and sized to match the picture; circles stay such, and tilts as they are.

    Each value goes against the sign of its gradient, in steps that grow while that stays and shrink when it turns
    (Rprop: Riedmiller and Braun 1993).
    """
    from layervec import raster

    step, before = np.full((len(rings), 4), FIRST_STEP), np.zeros((len(rings), 4))
    for _ in range(SETTLE_STEPS if rings else 0):
        shown = _with_rings(fit, rings)
        slope = _slopes(rings, shown, raster.fit_pass(shown.scene(), target, threads=threads).points)
        step *= np.where(slope * before > 0, 1.2, np.where(slope * before < 0, 0.5, 1.0))
        rings = [_moved(ring, move) for ring, move in zip(rings, -step * np.sign(slope), strict=True)]
        before = slope
    return list(rings)


def _with_rings(fit: Fit, rings: Sequence[_Ring]) -> Fit:
    outlines = list(fit.outlines)
    of_shape: dict[int, dict[int, Float64]] = {}
    for ring in rings:
        of_shape.setdefault(ring.shape, {})[ring.contour] = ring.points()
    for shape, fresh in of_shape.items():
        outlines[shape] = _swapped(outlines[shape], fresh)
    return replace(fit, outlines=tuple(outlines))


def _slopes(rings: Sequence[_Ring], shown: Fit, gradient: Float64 | Float32) -> Float64:
    """Derivatives of the loss by x and y of centres and by both half axes, [n, 4], from those by all points."""
    first = np.cumsum([0, *(len(outline.points) for outline in shown.outlines)])
    found = np.empty((len(rings), 4))
    for slope, ring in zip(found, rings, strict=True):
        begin = first[ring.shape] + shown.outlines[ring.shape].starts[ring.contour]
        pull = gradient[begin : begin + 3 * ELLIPSE_NODES].astype(np.float64)
        pull = pull if ring.clockwise else np.roll(pull, -1, axis=0)[::-1]
        slope[:2], slope[2:] = pull.sum(axis=0), np.tensordot(ring.ellipse.along(), pull, 2)
        if ring.ellipse.axes[0] == ring.ellipse.axes[1]:
            slope[2:] = slope[2:].mean()
    return found


def _moved(ring: _Ring, move: Float64) -> _Ring:
    (x, y), (a, b) = ring.ellipse.centre, ring.ellipse.axes
    centre, axes = (x + move[0], y + move[1]), (max(a + move[2], LEAST_AXIS), max(b + move[3], LEAST_AXIS))
    return replace(ring, ellipse=replace(ring.ellipse, centre=centre, axes=axes))


def _swapped(outline: Outline, fresh: dict[int, Float64]) -> Outline:
    """Return the outline with these points, all of cubics, in place of those contours."""
    points, straight, done = [], [], 0
    sizes = np.diff(outline.starts)
    for contour in sorted(fresh):
        begin, end = outline.starts[contour : contour + 2].tolist()
        sizes[contour] = len(fresh[contour])
        points += [outline.points[done:begin], fresh[contour]]
        straight += [outline.straight[done // 3 : begin // 3], np.zeros(len(fresh[contour]) // 3, bool)]
        done = end
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(outline.starts.dtype)
    points.append(outline.points[done:])
    straight.append(outline.straight[done // 3 :])
    return Outline(np.concatenate(points), starts, np.concatenate(straight))


def _lines(shape: int, outline: Outline) -> Iterator[_Change]:
    for run in primitives.runs(outline):
        yield _Change(shape, LINE_WORTH, partial(primitives.levelled, run=run))
