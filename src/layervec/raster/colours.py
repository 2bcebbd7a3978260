"""Best colours at fixed shapes: the normal equations of the drawing, collected sparsely and solved.

Refuses to know about points and their gradients.

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
from layervec.compiled import fast_inner, fast_kernel, fast_shared
from layervec.raster.flatten import BAND_ROWS
from layervec.raster.prepare import Prepared
from layervec.raster.sweep import FIRST_LOG, KEEP, WHITE, Band, Log, composite, new_band, new_log
from layervec.types import Bool, Float32, Float64, Int64

CHUNKS = 16  # pieces of work, fixed so that sums do not depend on the thread count
MAX_ROUNDS = 500  # of conjugate gradients; tens are usual
RESIDUAL = 1e-9  # relative, where they stop: far below the 1/255 that a file can hold


@fast_inner
def _push(pixel: Any, run: int, weight: float, used: Any, chain: Any) -> Any:
    """Put a contributor at the head of a pixel's list; returns how many entries are used now."""
    head, link, contributor, weights = chain
    link[used], contributor[used], weights[used] = head[pixel], run, weight
    head[pixel] = used
    return used + 1


@fast_shared
def _chain(log: Any, runs: int, opacity: Any, filler: Any, chain: Any) -> None:
    """Turn the log round, from pixels by run to runs by pixel. Runs count from the front here.

    filler: int32 [N], receives the opaque run that fills a pixel alone, or -1.
    chain: (head int32 [N], link int32 [.], contributor int32 [.], weight float32 [.]), receives linked lists:
    head is the first entry of a pixel, link the next one, -1 ends a list.
    opacity: float32 [runs], alpha of each run.
    """
    log_above, log_cells, log_parts, log_runs, log_spans = log.above, log.cells, log.parts, log.runs, log.spans
    filler[:] = -1
    chain[0][:] = -1
    used: Any = np.int64(0)
    for run in range(runs):
        alpha = opacity[run]
        for span in range(log_runs[1, run], log_runs[1, run + 1]):
            begin, length, place = log_spans[span, 0], log_spans[span, 1], log_spans[span, 2]
            for i in range(length):
                weight = log_above[place + i] * alpha
                if weight == 1.0:
                    filler[begin + i] = run
                elif weight > 0:
                    used = _push(begin + i, run, weight, used, chain)
        for cell in range(log_runs[0, run], log_runs[0, run + 1]):
            weight = log_parts[cell, 0] * log_parts[cell, 1] * alpha
            if weight > 0:
                used = _push(np.int64(log_cells[cell]), run, weight, used, chain)


@fast_shared
def _gather(target: Any, through: Any, top: int, rows: int, filler: Any, chain: Any, square: Any, right: Any) -> None:
    """Add up the products of weights of one band, by pairs of its runs, in `square`, and W'b in `right`."""
    head, link, contributor, weights = chain
    channels, _, width = target.shape
    ground = WHITE if channels == 3 else np.float32(0.0)
    for pixel in range(rows * width):
        y, x = top + pixel // width, pixel % width
        if filler[pixel] >= 0:
            square[filler[pixel], filler[pixel]] += 1.0
            for k in range(3):
                right[filler[pixel], k] += target[k, y, x]
            continue
        i = head[pixel]
        while i >= 0:
            run, weight = contributor[i], np.float64(weights[i])
            for k in range(3):
                right[run, k] += weight * (target[k, y, x] - ground * through[pixel])
            j = i
            while j >= 0:  # entries later in the list are further in front, so this fills one triangle
                square[run, contributor[j]] += weight * weights[j]
                j = link[j]
            i = link[i]


@fast_kernel
def collect(
    number: int,
    end: int,
    bands: Any,  # int64 [bands + 1]; with geometry and style as in `composite`
    geometry: Any,
    style: Any,
    scratch: Any,  # arrays of `Band`, of `Log`, `filler` and `chain` of `_chain`
    local: Any,  # (square float64 [k, k], right float64 [k, 3], opacity float32 [k]), k runs in a band
    target: Any,  # float32 [3 or 4, h, w]
    triples: Any,  # (rows int64 [.], columns int64 [.], values float64 [.]), receive paths and W'W
    used: Any,  # of `triples`
    right: Any,  # float64 [p, 3], receives W'b
) -> Any:
    """Collect the normal equations of the bands number .. end - 1.

    Returns the first band that is not done, the triples used, and the room that the log and the triples must
    have for that band.
    """
    band, log = Band(*scratch[0]), Log(*scratch[1])
    square, local_right, opacity = local
    rows_out, columns_out, values_out = triples
    height, width = target.shape[1], target.shape[2]
    while number < end:
        top = number * BAND_ROWS
        rows = min(BAND_ROWS, height - top)
        first, last = bands[number], bands[number + 1]
        runs = last - first
        room = composite(band, log, first, last, top, rows, width, geometry, style, KEEP)
        if room > 0 or used + runs * runs > len(values_out):
            return number, used, room, used + runs * runs
        for i in range(runs):
            opacity[i] = style[0][geometry[1][last - 1 - i], 3]
        square[:runs, :runs] = 0.0
        local_right[:runs] = 0.0
        _chain(log, runs, opacity, scratch[2], scratch[3])
        _gather(target, band.planes[3], top, rows, scratch[2], scratch[3], square, local_right)
        for i in range(runs):
            path = geometry[1][last - 1 - i]
            for k in range(3):
                right[path, k] += local_right[i, k]
            for j in range(runs):
                if square[i, j] != 0:
                    rows_out[used], columns_out[used] = path, geometry[1][last - 1 - j]
                    values_out[used] = square[i, j]
                    used += 1
        number += 1
    return number, used, np.int64(0), np.int64(0)


def _collect_bands(
    prepared: Prepared, style: tuple[Any, Any, Any, Any], target: Float32, number: int, end: int
) -> tuple[Int64, Int64, Float64, Float64]:
    """Return (rows, columns, values, W'b) of the bands number .. end - 1, giving `collect` room."""
    bands, pixels = prepared.bands, BAND_ROWS * prepared.width
    most = int(np.diff(bands).max(initial=0))
    local = (np.empty((most, most)), np.empty((most, 3)), np.empty(most, np.float32))
    right = np.zeros((prepared.paths, 3))
    band = tuple(new_band(prepared.width))
    filler, head = np.empty(pixels, np.int32), np.empty(pixels, np.int32)
    room, used, want = FIRST_LOG, 0, most * most
    triples = (np.empty(want, np.int64), np.empty(want, np.int64), np.empty(want))
    while number < end:
        # Cells and span pixels both become entries, hence twice the room of the log.
        link, contributor = np.empty(2 * room, np.int32), np.empty(2 * room, np.int32)
        chain = (head, link, contributor, np.empty(2 * room, np.float32))
        scratch = (band, tuple(new_log(bands, room)), filler, chain)
        number, used, more_log, more_triples = collect(
            number, end, bands, prepared.geometry, style, scratch, local, target, triples, used, right
        )
        room = max(room, 2 * more_log)
        if more_triples > len(triples[0]):
            rows, columns, values = (np.resize(part, 2 * more_triples) for part in triples)
            triples = rows, columns, values
    return triples[0][:used].copy(), triples[1][:used].copy(), triples[2][:used].copy(), right


@fast_kernel
def _apply(rows: Any, columns: Any, values: Any, free: Any, ridge: float, x: Any, y: Any) -> None:
    """Write (W'W + ridge) x to y, both float64 [p, 3], and 0 where a path is not free."""
    for path in range(len(x)):
        for k in range(3):
            y[path, k] = ridge * x[path, k]
    for pair in range(len(rows)):
        i, j = rows[pair], columns[pair]
        for k in range(3):
            y[i, k] += values[pair] * x[j, k]
            if i != j:
                y[j, k] += values[pair] * x[i, k]
    for path in range(len(x)):
        if not free[path]:
            for k in range(3):
                y[path, k] = 0.0


def conjugate_gradients(
    rows: Int64, columns: Int64, values: Float64, right: Float64, free: Bool, ridge: float, prior: Float64
) -> Float64:
    """Solve (W'W + ridge) x = right + ridge prior for the free paths, from x = prior; float64 [p, 3].

    Paths that nothing asks for, hidden ones above all, keep their prior. The three channels share one matrix,
    so they are solved as one system.
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
    """Return a triangle of W'W as rows, columns (int64 [.]) and values (float64 [.]), and W'b [p, 3]."""
    found: list[Any] = [None] * CHUNKS
    count = len(prepared.bands) - 1
    paints, even_odd, sign, _ = prepared.style
    style = (paints, even_odd, sign, shown)

    def job(start: int, step: int) -> None:
        for chunk in range(start, CHUNKS, step):
            first, last = chunk * count // CHUNKS, (chunk + 1) * count // CHUNKS
            found[chunk] = _collect_bands(prepared, style, target, first, last)

    pool.run(job, threads)
    rows, columns, values, rights = zip(*found, strict=True)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(values), np.sum(rights, axis=0)


def solve(
    prepared: Prepared,
    target: Float32,  # [3 or 4, h, w]
    subsets: list[tuple[Bool, float]],  # shown paths and the weight of that drawing's error
    ridge: float,
    prior: Float64,  # [p, 3]
    free: Bool,  # [p]
    threads: int | None,
) -> Float64:
    """Return the best colours, float64 [p, 3], before any clipping."""
    found = [equations(prepared, target, shown, threads) for shown, _ in subsets]
    rows, columns = (np.concatenate([part[k] for part in found]) for k in (0, 1))
    values = np.concatenate([part[2] * weight for part, (_, weight) in zip(found, subsets, strict=True)])
    right = np.sum([part[3] * weight for part, (_, weight) in zip(found, subsets, strict=True)], axis=0)
    return conjugate_gradients(rows, columns, values, right, free, ridge, prior)
