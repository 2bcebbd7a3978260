"""Best colours at fixed shapes: the normal equations of the drawing, collected sparsely and solved.

Refuses to know about points and their gradients. A path has one colour, or one for each stop of its gradient, and
all of them are numbered in a row, see `Prepared`.

A pixel is sum of w_i c_i + (1 - sum of w_i) ground, linear in the colours c_i, with the same weights w_i for
red, green and blue. So the best colours solve (W'W + ridge) c = W'(target - ground share) + ridge prior.
Nearly every pixel has one opaque contributor and only adds 1 to its diagonal; the others add the products of
their few weights. Each band gathers these in a small square of its own runs, and passes on what is not zero
as (row, column, value). The system is solved by conjugate gradients, scaled by the diagonal, over all those
triples; they are never merged.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec import pool
from layervec.compiled import fast_kernel
from layervec.raster.passes import collect
from layervec.raster.prepare import Prepared
from layervec.raster.shades import used
from layervec.types import SOLID, STOPS, Bool, Float32, Float64, Int64

CHUNKS = 16  # pieces of work, fixed so that sums do not depend on the thread count
MAX_ROUNDS = 500  # of conjugate gradients; tens are usual
RESIDUAL = 1e-9  # relative, where they stop: far below the 1/255 that a file can hold


@fast_kernel
def _apply(rows: Any, columns: Any, values: Any, free: Any, ridge: float, x: Any, y: Any) -> None:
    """Write (W'W + ridge) x to y, both float64 [k, 3], and 0 where a colour is not free."""
    for colour in range(len(x)):
        for k in range(3):
            y[colour, k] = ridge * x[colour, k]
    for pair in range(len(rows)):
        i, j = rows[pair], columns[pair]
        for k in range(3):
            y[i, k] += values[pair] * x[j, k]
            if i != j:
                y[j, k] += values[pair] * x[i, k]
    for colour in range(len(x)):
        if not free[colour]:
            for k in range(3):
                y[colour, k] = 0.0


def conjugate_gradients(
    rows: Int64, columns: Int64, values: Float64, right: Float64, free: Bool, ridge: float, prior: Float64
) -> Float64:
    """Solve (W'W + ridge) x = right + ridge prior for the free colours, from x = prior; float64 [k, 3].

    Colours that nothing asks for, those of hidden paths above all, keep their prior. The three channels share one
    matrix, so they are solved as one system.
    """
    count = len(prior)
    diagonal = np.bincount(rows, np.where(rows == columns, values, 0.0), count) + ridge
    scale = np.divide(1.0, diagonal, out=np.zeros(count), where=free & (diagonal > 0))[:, None]
    x, product = prior.copy(), np.empty_like(prior)
    _apply(rows, columns, values, free, ridge, x, product)
    rest = np.where(free[:, None], right + ridge * prior - product, 0.0)
    step = scale * rest
    size = float((rest * step).sum())
    goal = RESIDUAL**2 * size
    for _ in range(MAX_ROUNDS):
        if size <= goal:
            break
        _apply(rows, columns, values, free, ridge, step, product)
        length = size / float((step * product).sum())
        x += length * step
        rest -= length * product
        before, size = size, float((rest * scale * rest).sum())
        step = scale * rest + (size / before) * step
    return x


def equations(
    prepared: Prepared, target: Float32, shown: Bool, threads: int | None
) -> tuple[Int64, Int64, Float64, Float64]:
    """Return a triangle of W'W as rows, columns (int64 [.]) and values (float64 [.]), and W'b [k, 3]."""
    found: list[Any] = [None] * CHUNKS
    count = len(prepared.cut.load)

    def job(start: int, step: int) -> None:
        for chunk in range(start, CHUNKS, step):
            chosen = np.arange(chunk * count // CHUNKS, (chunk + 1) * count // CHUNKS)
            found[chunk] = collect(prepared, shown, target, chosen)

    pool.run(job, threads)
    rows, columns, values, rights = zip(*found, strict=True)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(values), np.sum(rights, axis=0)


def overlaps(prepared: Prepared, threads: int | None) -> tuple[Int64, Float64]:
    """Return pairs of paths, int64 [k, 2], and the sums of the products of their weights, float64 [k]."""
    paths, nothing = prepared.paths, np.zeros((3, prepared.height, prepared.width), np.float32)
    rows, columns, values, _ = equations(prepared, nothing, np.ones(paths, np.bool_), threads)
    owner = np.searchsorted(prepared.style[5], np.arange(prepared.colours), side="right") - 1
    low, high = np.sort([owner[rows], owner[columns]], axis=0)
    apart = low != high
    keys, place = np.unique(low[apart] * paths + high[apart], return_inverse=True)
    weight = np.bincount(place, values[apart], len(keys)).astype(np.float64)
    return np.stack([keys // max(paths, 1), keys % max(paths, 1)], axis=1), weight


def solve(
    prepared: Prepared,
    target: Float32,  # [3 or 4, h, w]
    subsets: list[tuple[Bool, float]],  # shown paths and the weight of that drawing's error
    ridge: float,
    prior: Float64,  # [p, 3]
    free: Bool,  # [p]
    threads: int | None,
    groups: Int64 | None = None,  # [p], from 0 without gaps; paths of one group share their colour
) -> tuple[Float64, Float64 | None]:
    """Return the best colours before any clipping: of paths, float64 [p, 3], and of stops, float64 [p, STOPS, 3].

    A path with a gradient, and the stops of one without, keep their prior; unused stops repeat the last one.
    groups: for scenes without gradients whose paths are all free; a group's prior is the mean of its paths'.
    """
    found = [equations(prepared, target, shown, threads) for shown, _ in subsets]
    rows, columns = (np.concatenate([part[k] for part in found]) for k in (0, 1))
    values = np.concatenate([part[2] * weight for part, (_, weight) in zip(found, subsets, strict=True)])
    right = np.sum([part[3] * weight for part, (_, weight) in zip(found, subsets, strict=True)], axis=0)
    ramps, slots = prepared.ramps, prepared.style[5]
    if groups is not None:
        return _shared(rows, columns, values, right, ridge, prior, groups), None
    if ramps is None:
        return conjugate_gradients(rows, columns, values, right, free, ridge, prior), None
    solid, shaded = ramps.kind == SOLID, ramps.kind != SOLID
    stops = slots[shaded, None] + np.arange(STOPS)
    start, moving = np.empty((prepared.colours, 3)), np.empty(prepared.colours, np.bool_)
    start[slots[solid]], start[stops] = prior[solid], ramps.colours[shaded]
    moving[slots[solid]], moving[stops] = free[solid], free[shaded, None]
    solved = conjugate_gradients(rows, columns, values, right, moving, ridge, start)
    paints, colours = prior.copy(), ramps.colours.astype(np.float64)
    shown = np.minimum(np.arange(STOPS), used(ramps)[shaded, None] - 1)
    paints[solid], colours[shaded] = solved[slots[solid]], solved[slots[shaded, None] + shown]
    return paints, colours


def _shared(
    rows: Int64, columns: Int64, values: Float64, right: Float64, ridge: float, prior: Float64, groups: Int64
) -> Float64:
    """Return the best colours of paths, float64 [p, 3], where those of one group have the same.

    With c = A s, for a matrix A that says which group's colour s each path has, the equations are A'W'WA s = A'W'b.
    """
    count = int(groups.max(initial=-1)) + 1
    low, high = np.sort([groups[rows], groups[columns]], axis=0)
    twice = (rows != columns) & (low == high)  # a pair stands for both halves of W'W, a diagonal for itself
    sums = np.zeros((2, count, 3))
    np.add.at(sums[0], groups, right[:, :3])
    np.add.at(sums[1], groups, prior)
    means = sums[1] / np.bincount(groups, minlength=count)[:, None]
    merged = np.where(twice, 2.0 * values, values)
    solved = conjugate_gradients(low, high, merged, sums[0], np.ones(count, np.bool_), ridge, means)
    return np.asarray(solved[groups])
