"""Runs over the bands of a scene: draw, compare with a target, go back to chords and paints.

Refuses to know how geometry was made and which colours would be best. A call of the kernel works on every
`step`-th band from `number`, and writes only what belongs to those bands, so calls may run side by side and
all sums stay the same.

Going back, paths are met back to front. With g = dL/d(image) fixed, all that counts of what lies below a
pixel is the one number S = sum of g * below over the channels: a path with h = sum of g * colour turns it
into S + alpha cov (h - S), and its own gradients are dL/dcov = T alpha (h - S) and dL/dalpha = T cov (h - S).
Nothing is divided, so alpha = 1 is as exact as any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec import pool
from layervec.compiled import fast_inner, fast_kernel, fast_shared
from layervec.raster.arena import arena
from layervec.raster.bits import claim
from layervec.raster.equations import add_equations
from layervec.raster.flatten import BAND_ROWS
from layervec.raster.lanes import LANES, gather, load, splat, store, total
from layervec.raster.prepare import Prepared
from layervec.raster.removal import measure
from layervec.raster.shades import SUMS, add_up, close, keep, shaded
from layervec.raster.sweep import (
    DRAW,
    FIRST_LOG,
    KEEP,
    KEEP_DEEP,
    ONE_PIXEL,
    PART,
    TWO,
    WHITE,
    ZERO,
    Band,
    Log,
    composite,
    new_band,
    new_log,
    stride_of,
)
from layervec.types import STOPS, Bool, Float32, Float64, Int64

PAINT_SUMS = 4  # per run: dL/d(red, green, blue, alpha)


@fast_inner
def _emit_pixels(band: Any, stride: int, picture: Any, top: int) -> None:
    """Write the band to `picture`, float32 [h, w, 4], premultiplied."""
    height, width, _ = picture.shape
    for y in range(min(BAND_ROWS, height - top)):
        begin, end = y * stride, y * stride + width
        red, green, blue, through = band[0][begin:end], band[1][begin:end], band[2][begin:end], band[3][begin:end]
        row = picture[top + y]
        for x in range(width):
            row[x, 0], row[x, 1], row[x, 2] = red[x], green[x], blue[x]
            row[x, 3] = ONE_PIXEL - through[x]


@fast_inner
def _emit(plane: Any, through: Any, ground: Any, image: Any) -> None:
    """Write one channel of a row to `image`: over a ground, or without one."""
    for x in range(len(image)):
        image[x] = plane[x] + ground * through[x]


@fast_inner
def _compare(drawn: Any, wanted: Any, weight: Any, slope: Any) -> Any:
    """Write d(loss)/d(image) of one channel of a row to `slope`, and return the loss."""
    row = np.float32(0.0)
    if len(weight):
        for x in range(len(drawn)):
            error = drawn[x] - wanted[x]
            slope[x] = TWO * weight[x] * error
            row += weight[x] * error * error
    else:
        for x in range(len(drawn)):
            error = drawn[x] - wanted[x]
            slope[x] = error + error
            row += error * error
    return row


@fast_shared
def _upstream(task: int, band: Any, stride: int, top: int, target: Any, weights: Any, image: Any, slopes: Any) -> Any:
    """Write the band to `image`, float32 [3 or 4, h, w], and d(loss)/d(image) to `slopes`; return the loss.

    The drawing is over white, or premultiplied with its alpha. Right of the canvas `slopes` becomes 0.
    """
    channels, height, width = image.shape
    ground = WHITE if channels == 3 else ZERO
    loss: Any = 0.0
    for y in range(min(BAND_ROWS, height - top)):
        begin, end = y * stride, y * stride + width
        through = band[3][begin:end]
        weight = weights[top + y] if len(weights) else weights.reshape(-1)
        for channel in range(channels):
            drawn, slope = image[channel, top + y], slopes[channel, begin : begin + stride]
            slope[width:] = ZERO
            if channel == 0:
                _emit(band[0][begin:end], through, ground, drawn)
            elif channel == 1:
                _emit(band[1][begin:end], through, ground, drawn)
            elif channel == 2:
                _emit(band[2][begin:end], through, ground, drawn)
            else:
                for x in range(width):
                    drawn[x] = ONE_PIXEL - through[x]
            if task == PULLING:
                wanted = target[channel, top + y]
                for x in range(width):
                    slope[x] = wanted[x]
            else:
                loss += _compare(drawn, target[channel, top + y], weight, slope)
    return loss


@fast_inner
def _ground(slopes: Any, channels: int, below: Any) -> None:
    """Start S with what lies below everything: white, or nothing where the drawing has its own alpha."""
    red, green, blue = slopes[0], slopes[1], slopes[2]
    if channels == 3:
        for i in range(len(below)):
            below[i] = (red[i] + green[i] + blue[i]) * WHITE
    else:
        below[:] = ZERO


@fast_inner
def _colour(paint: Any, place: Any, shade: Any) -> Any:
    """Return the lanes of red, green and blue of a block of a path. shade: as in `sweep`, and scratch of gradients."""
    if shade[1] >= 0:
        tints = shade[4]
        keep(shade[0], shade[1], place, shade[2], shade[3], tints)
        return load(tints, np.uint64(0)), load(tints, np.uint64(LANES)), load(tints, np.uint64(2 * LANES))
    return splat(paint[0]), splat(paint[1]), splat(paint[2])


@fast_inner
def _add_pull(shade: Any, place: Any, pull: Any, red: Any, green: Any, blue: Any) -> None:
    """Add what the block that was coloured last says of its gradient, by dL/d(colour) times `pull`."""
    add_up(shade[0], shade[1], place, shade[2], shade[3], pull * red, pull * green, pull * blue, shade[4])


@fast_inner
def _spans_back(
    log: Any, first: Any, last: Any, slopes: Any, below: Any, paint: Any, channels: int, by_alpha: bool, shade: Any
) -> Any:
    """Go back over the inside blocks of one path: updates `below`; returns its sums for the paint."""
    log_spans, log_above = log[2], log[3]
    red = green = blue = opacity = splat(ZERO)
    alpha = splat(paint[3])
    for span in range(first, last):
        place = np.uint64(log_spans[span])
        seen = load(log_above, np.uint64(span * LANES))
        red_slope, green_slope, blue_slope = load(slopes[0], place), load(slopes[1], place), load(slopes[2], place)
        red += seen * red_slope
        green += seen * green_slope
        blue += seen * blue_slope
        r, g, b = _colour(paint, place, shade)
        gain = r * red_slope + g * green_slope + b * blue_slope
        if channels == 4:
            gain += load(slopes[3], place)
        if by_alpha:
            under = load(below, place)
            gain -= under
            opacity += seen * gain
            gain = under + alpha * gain
        store(below, place, gain)
        if shade[1] >= 0:
            _add_pull(shade, place, seen * alpha, red_slope, green_slope, blue_slope)
    return total(red) * paint[3], total(green) * paint[3], total(blue) * paint[3], total(opacity)


@fast_inner
def _cells_back(
    log: Any, first: Any, last: Any, slopes: Any, below: Any, paint: Any, channels: int, shade: Any, edges: Any
) -> Any:
    """Go back over the touched blocks of a path: fills `edges` with dL/d(area); returns sums for the paint."""
    log_cells, log_parts = log[0], log[1]
    red = green = blue = opacity = splat(ZERO)
    alpha = splat(paint[3])
    for cell in range(first, last):
        place, part = np.uint64(log_cells[cell]), np.uint64(cell * PART)
        seen, share = load(log_parts, part), load(log_parts, part + np.uint64(LANES))
        slope = load(log_parts, part + np.uint64(2 * LANES))
        red_slope, green_slope, blue_slope = load(slopes[0], place), load(slopes[1], place), load(slopes[2], place)
        under = load(below, place)
        r, g, b = _colour(paint, place, shade)
        gain = r * red_slope + g * green_slope + b * blue_slope - under
        if channels == 4:
            gain += load(slopes[3], place)
        store(edges, place, slope * alpha * seen * gain)
        weight = seen * share
        red += weight * red_slope
        green += weight * green_slope
        blue += weight * blue_slope
        opacity += weight * gain
        store(below, place, under + alpha * share * gain)
        if shade[1] >= 0:
            _add_pull(shade, place, weight * alpha, red_slope, green_slope, blue_slope)
    return total(red) * paint[3], total(green) * paint[3], total(blue) * paint[3], total(opacity)


@fast_inner
def _chords_back(log: Any, order: Any, slot: Any, link: Any, edges: Any, sums: Any, moments: Any) -> None:
    """Add up what the cells that the chords of a run went through say of their ends."""
    log_runs, pixels, shares, ends = log[4], log[5], log[6], log[7]
    cell, group, eight = np.uint64(log_runs[order, 3]), np.int64(log_runs[order, 4]), np.uint64(LANES)
    while slot >= 0:
        both = far = splat(ZERO)
        end = np.uint64(ends[group])
        while cell < end:
            edge = gather(edges, pixels, cell)
            both += edge * load(shares, cell + cell)
            far += edge * load(shares, cell + cell + eight)
            cell += eight
        store(sums, np.uint64(0), both - far)
        store(sums, eight, far)
        for lane in range(LANES):
            if slot >= 0:
                moments[slot, 0], moments[slot, 1] = sums[lane], sums[lane + LANES]
                slot = link[slot]
        group += 1


@fast_shared
def _back(
    band: Any,
    log: Any,
    count: int,  # logged runs
    top: int,
    stride: int,
    geometry: Any,
    style: Any,
    channels: int,
    with_alpha: bool,
    slopes: Any,  # float32 [4, N]
    below: Any,  # float32 [N], S
    moments: Any,  # float64 [s, 2], receives an answer
    paint_sums: Any,  # float64 [r, 4], receives an answer
    ramp_sums: Any,  # float64 [r, SUMS], receives an answer; empty where no path has a gradient
) -> None:
    """Carry d(loss)/d(image) of one band back to its chords and paints."""
    log_cells, log_runs = log[0], log[4]
    edges, tints = band[4], band[5]
    _, link, run_path, run_head, _, _ = geometry
    paints, table = style[0], style[4]
    zero = splat(ZERO)
    for order in range(count - 1, -1, -1):
        run = log_runs[order, 0]
        path = run_path[run]
        paint = (paints[path, 0], paints[path, 1], paints[path, 2], paints[path, 3])
        shade = (table, path if shaded(table, path) else -1, top, stride, tints)
        first, last = log_runs[order, 2], log_runs[order + 1, 2]
        if first < last:
            by_alpha = with_alpha or paint[3] < 1.0
            found = _spans_back(log, first, last, slopes, below, paint, channels, by_alpha, shade)
            for k in range(PAINT_SUMS):
                paint_sums[run, k] += found[k]
        first, last = log_runs[order, 1], log_runs[order + 1, 1]
        if first < last:
            found = _cells_back(log, first, last, slopes, below, paint, channels, shade, edges)
            for k in range(PAINT_SUMS):
                paint_sums[run, k] += found[k]
            _chords_back(log, order, run_head[run], link, edges, band[10], moments)
            for cell in range(first, last):
                store(edges, np.uint64(log_cells[cell]), zero)
        if shade[1] >= 0:
            close(tints, ramp_sums[run])
            paint_sums[run, :3] = 0.0
        if not with_alpha and paint[3] == 1.0:
            paint_sums[run, 3] = 0.0  # half of it would be worse than none


# Tasks of `run_bands`. PULLING: `target` is d(loss)/d(image) itself. COLLECTING: the equations of `colours`.
DRAWING, PULLING, FITTING, MEASURING, COLLECTING = range(5)


@fast_kernel
def run_bands(
    task: int,
    with_alpha: bool,  # also find the gradient by the alpha of opaque paths
    position: int,  # in `chosen`, where to begin; -1 to claim it
    claims: Any,  # int64 [1], the first place in `chosen` that no thread has claimed
    chosen: Any,  # int64 [.], the bands to work on
    geometry: Any,  # of `flatten.Cut`
    style: Any,  # as in `Prepared`
    scratch: Any,  # arrays of `Band`, of `Log`; slopes float32 [4, N], zeros at first, and below float32 [3 or 4, N]
    target: Any,  # float32 [3 or 4, h, w]
    weights: Any,  # float32 [h, w], or [0, 0] for none
    image: Any,  # receives the drawing: float32 [3 or 4, h, w], or [h, w, 4] for DRAWING
    losses: Any,  # float64 [bands]; receives the loss of each band
    moments: Any,  # float64 [s, 2], zeros; receives the gradient of each slot, see `pull_to_points`
    run_sums: Any,  # float64 [r, 4], zeros; receives the gradient of each run's paint, or area and removal
    ramp_sums: Any,  # float64 [r, SUMS], zeros; receives what each run says of its gradient, or [0, SUMS]
    right: Any,  # float64 [colours, 3], zeros; receives W'b
    chain: Any,  # scratch of `add_equations`
    triples: Any,  # receives the equations, see `add_equations`
    used: int,  # of `triples`
) -> Any:
    """Draw, compare with the target, and go back, band by band. What a task does not need may be empty.

    Returns where in `chosen` it stopped, the triples used, and the room that log and triples must have to go on.
    """
    band, log = Band(*scratch[0]), Log(*scratch[1])
    slopes, below = scratch[2]
    stride = len(band.area) // BAND_ROWS
    height, width = image.shape[0 if task == DRAWING else 1], image.shape[1 if task == DRAWING else 2]
    mode = KEEP_DEEP if with_alpha or task == MEASURING else KEEP
    if task == DRAWING:
        mode = DRAW
    if position < 0:
        position = claim(claims)
    while position < len(chosen):
        top = chosen[position] * BAND_ROWS
        rows = min(BAND_ROWS, height - top)
        front = geometry[5][chosen[position]]
        count, room = composite(band, log, front, top, rows, width, stride, geometry, style, mode)
        if room > 0:
            return position, used, room, np.int64(0)
        if task == COLLECTING:
            added = add_equations(
                log, count, rows, top, stride, geometry[2], style, band, target, chain, triples, used, right
            )
            if added < 0:
                return position, used, np.int64(0), -added
            used = added
        elif task == DRAWING:
            _emit_pixels(band, stride, image, top)
        else:
            losses[chosen[position]] = _upstream(task, band, stride, top, target, weights, image, slopes)
            if task == MEASURING:
                measure(log, count, geometry[2], style, band, slopes, weights, top, stride, below, run_sums)
            else:
                _ground(slopes, len(image), below[0])
                _back(
                    band,
                    log,
                    count,
                    top,
                    stride,
                    geometry,
                    style,
                    len(image),
                    with_alpha,
                    slopes,
                    below[0],
                    moments,
                    run_sums,
                    ramp_sums,
                )
        position = claim(claims)
    return position, used, np.int64(0), np.int64(0)


def _scratch(prepared: Prepared, channels: int, need: int) -> tuple[Any, Any, Any]:
    """Return what `run_bands` works in, with room for `need` entries in the log, from the arena of this thread."""
    take, size = arena().take, BAND_ROWS * stride_of(prepared.width)
    slopes, below = take("slopes", (4, size), np.float32), take("below", (channels, size), np.float32)
    most_chords, most_runs = prepared.cut.load.max(axis=0, initial=0).tolist()
    return tuple(new_band(prepared.width, most_chords)), tuple(new_log(most_runs, need)), (slopes, below)


def _chain(pixels: int, entries: int, colours: int) -> tuple[Any, ...]:
    """Return scratch of `add_equations` for a band of so many pixels and colours, from the arena of this thread."""
    take = arena().take
    lists = tuple(take(f"pixel_{i}", (size,), np.int32) for i, size in enumerate((pixels, pixels, entries, entries)))
    weights, owner = take("pixel_weights", (entries,), np.float32), take("owner", (colours,), np.int64)
    return (*lists, weights, owner, take("square", (colours, colours), np.float64))


def _triples(room: int) -> tuple[Int64, Int64, Float64]:
    """Return room for so many triples of `add_equations`."""
    return np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room)


def run(
    task: int,
    prepared: Prepared,
    target: Float32,  # [c, h, w]
    weights: Float32 | None,  # [h, w]
    with_alpha: bool,
    image: Float32,  # [c, h, w], or [h, w, 4] for DRAWING; receives the drawing
    threads: int | None,
    chosen: Int64 | None = None,  # the bands to work on, all if None
) -> tuple[float, Float64, Float64, Float64]:
    """Run one task over bands; returns the loss, moments by slot [s, 2], and sums by path, [p, 4] and [p, SUMS].

    The moments lie in the arena of this thread, until its next run.
    """
    geometry, take = prepared.cut.geometry, arena().take
    weight = np.empty((0, 0), np.float32) if weights is None else weights
    losses = np.zeros(len(prepared.cut.load))
    moments = take("moments", (len(geometry[1]) if task in (PULLING, FITTING) else 0, 2), np.float64)
    by_run = take("by_run", (len(geometry[2]), PAINT_SUMS), np.float64)
    graded = prepared.ramps is not None and task in (PULLING, FITTING)
    ramp_sums = take("ramp_sums", (len(geometry[2]) if graded else 0, SUMS), np.float64)
    moments.fill(0.0)
    by_run.fill(0.0)
    ramp_sums.fill(0.0)
    nothing = (_chain(0, 0, 0), _triples(0))
    claims, todo = np.zeros(1, np.int64), prepared.by_cost() if chosen is None else chosen

    def job(_number: int, _step: int) -> None:
        position, need = -1, FIRST_LOG
        while position < len(todo):
            position, _, more, _ = run_bands(
                task,
                with_alpha,
                position,
                claims,
                todo,
                geometry,
                prepared.style,
                _scratch(prepared, len(target), need),
                target,
                weight,
                image,
                losses,
                moments,
                by_run,
                ramp_sums,
                np.empty((0, 3)),
                *nothing,
                0,
            )
            need = max(need, 2 * more)
        arena().trim()

    pool.run(job, threads)
    owner, paths = geometry[2], prepared.paths
    by_path = [np.bincount(owner, by_run[:, k], paths) for k in range(PAINT_SUMS)]
    of_ramps = np.zeros((paths if graded else 0, SUMS))
    for k in range(SUMS if graded else 0):
        of_ramps[:, k] = np.bincount(owner, ramp_sums[:, k], paths)
    return float(losses.sum()), moments, np.stack(by_path, axis=1), of_ramps


def collect(prepared: Prepared, shown: Bool, target: Float32, chosen: Int64) -> tuple[Int64, Int64, Float64, Float64]:
    """Return the equations of the chosen bands: rows, columns and values [.] of W'W, W'b [k, 3], by colour."""
    geometry, most = prepared.cut.geometry, int(prepared.cut.load[:, 1].max(initial=0))
    most += (STOPS - 1) * min(most, (prepared.colours - prepared.paths) // (STOPS - 1))
    spread = 1 if prepared.ramps is None else 2  # colours of one path in one pixel
    right, claims = np.zeros((prepared.colours, 3)), np.zeros(1, np.int64)
    triples, position, used, need = _triples(most * most), -1, 0, FIRST_LOG
    while position < len(chosen):
        scratch = _scratch(prepared, 0, need)
        # Touched and inside blocks both become entries, hence twice the room of the log.
        chain = _chain(len(scratch[0][0]), 2 * spread * LANES * len(scratch[1][0]), most)
        position, used, more, more_triples = run_bands(
            COLLECTING,
            False,
            position,
            claims,
            chosen,
            geometry,
            (*prepared.style[:3], shown, *prepared.style[4:]),
            scratch,
            target,
            np.empty((0, 0), np.float32),
            np.empty((0, prepared.height, prepared.width), np.float32),
            np.empty(0),
            np.empty((0, 2)),
            np.empty((0, PAINT_SUMS)),
            np.empty((0, SUMS)),
            right,
            chain,
            triples,
            used,
        )
        need = max(need, 2 * more)
        if more_triples:
            rows, columns, values = (np.resize(part, 2 * more_triples) for part in triples)
            triples = rows, columns, values
    arena().trim()
    return triples[0][:used], triples[1][:used], triples[2][:used], right
