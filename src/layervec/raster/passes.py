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
from layervec.raster.cells import chord_moments
from layervec.raster.flatten import BAND_ROWS
from layervec.raster.prepare import Prepared
from layervec.raster.removal import measure
from layervec.raster.sweep import (
    DRAW,
    FIRST_LOG,
    KEEP,
    KEEP_DEEP,
    WHITE,
    Band,
    Log,
    composite,
    new_band,
    new_log,
)
from layervec.types import Float32, Float64

PAINT_SUMS = 4  # per run: dL/d(red, green, blue, alpha)


@fast_shared
def _emit(band: Any, image: Any, top: int) -> None:
    """Write the band to `image`, float32 [3 or 4, h, w]: over white, or premultiplied with its alpha."""
    band_planes = band.planes
    channels, height, width = image.shape
    ground = WHITE if channels == 3 else np.float32(0.0)
    for y in range(min(BAND_ROWS, height - top)):
        begin, end = y * width, (y + 1) * width
        through = band_planes[3, begin:end]
        for channel in range(3):
            source, sink = band_planes[channel, begin:end], image[channel, top + y]
            for x in range(width):
                sink[x] = source[x] + ground * through[x]
        if channels == 4:
            sink = image[3, top + y]
            for x in range(width):
                sink[x] = np.float32(1.0) - through[x]


@fast_shared
def _emit_pixels(planes: Any, picture: Any, top: int) -> None:
    """Write the band to `picture`, float32 [h, w, 4], premultiplied."""
    height, width, _ = picture.shape
    for y in range(min(BAND_ROWS, height - top)):
        for x in range(width):
            for channel in range(3):
                picture[top + y, x, channel] = planes[channel, y * width + x]
            picture[top + y, x, 3] = np.float32(1.0) - planes[3, y * width + x]


@fast_shared
def _compare(image: Any, target: Any, weights: Any, top: int, slopes: Any) -> Any:
    """Write d(loss)/d(image) of a band to `slopes`, float32 [4, N], and return the band's loss."""
    channels, height, width = image.shape
    loss: Any = 0.0
    for y in range(top, min(top + BAND_ROWS, height)):
        base = (y - top) * width
        for channel in range(channels):
            drawn, wanted, slope = image[channel, y], target[channel, y], slopes[channel, base : base + width]
            row = np.float32(0.0)
            if len(weights):
                weight = weights[y]
                for x in range(width):
                    error = drawn[x] - wanted[x]
                    slope[x] = np.float32(2.0) * weight[x] * error
                    row += weight[x] * error * error
            else:
                for x in range(width):
                    error = drawn[x] - wanted[x]
                    slope[x] = error + error
                    row += error * error
            loss += row
    return loss


@fast_shared
def _take(target: Any, top: int, rows: int, slopes: Any) -> None:
    """Copy the rows of one band of `target`, which is d(loss)/d(image), to `slopes`, float32 [4, N]."""
    width = target.shape[2]
    for channel in range(target.shape[0]):
        for y in range(rows):
            source, sink = target[channel, top + y], slopes[channel, y * width : (y + 1) * width]
            for x in range(width):
                sink[x] = source[x]


@fast_shared
def _ground(slopes: Any, channels: int, below: Any) -> None:
    """Start S with what lies below everything: white, or nothing where the drawing has its own alpha."""
    red, green, blue = slopes[0], slopes[1], slopes[2]
    if channels == 3:
        for i in range(len(below)):
            below[i] = (red[i] + green[i] + blue[i]) * WHITE
    else:
        below[:] = 0.0


@fast_inner
def _span_back(slopes: Any, below: Any, above: Any, paint: Any, channels: int, with_alpha: bool) -> Any:
    """Go back over one inside stretch: updates `below`; returns its sums of T g by channel and T (h - S)."""
    red, green, blue, last = slopes
    r, g, b, alpha = paint
    sum_r = sum_g = sum_b = sum_a = np.float32(0.0)
    n = len(above)
    if not with_alpha and channels == 3:
        for i in range(n):
            t = above[i]
            sum_r += t * red[i]
            sum_g += t * green[i]
            sum_b += t * blue[i]
            below[i] = r * red[i] + g * green[i] + b * blue[i]
        return sum_r, sum_g, sum_b, sum_a
    opaque = np.float32(0.0) if channels == 3 else np.float32(1.0)
    for i in range(n):
        t = above[i]
        sum_r += t * red[i]
        sum_g += t * green[i]
        sum_b += t * blue[i]
        gain = r * red[i] + g * green[i] + b * blue[i] + opaque * last[i] - below[i]
        sum_a += t * gain
        below[i] += alpha * gain
    return sum_r, sum_g, sum_b, sum_a


@fast_inner
def _spans_back(
    log: Any, first: int, last: int, slopes: Any, below: Any, paint: Any, channels: int, with_alpha: bool
) -> Any:
    """Go back over the inside stretches of one path; returns its sums for the paint."""
    log_above, log_spans = log.above, log.spans
    alpha = paint[3]
    red = green = blue = opacity = 0.0
    for span in range(first, last):
        begin, length, place = log_spans[span, 0], log_spans[span, 1], log_spans[span, 2]
        end = begin + length
        parts = (slopes[0, begin:end], slopes[1, begin:end], slopes[2, begin:end], slopes[3, begin:end])
        r, g, b, a = _span_back(
            parts,
            below[begin:end],
            log_above[place : place + length],
            paint,
            channels,
            with_alpha or alpha < 1.0,
        )
        red += r
        green += g
        blue += b
        opacity += a
    return red * alpha, green * alpha, blue * alpha, opacity


@fast_inner
def _cells_back(log: Any, first: int, last: int, slopes: Any, below: Any, paint: Any, channels: int, edges: Any) -> Any:
    """Go back over the crossed cells of a path: fills `edges` with dL/d(area); returns sums for the paint."""
    log_cells, log_parts = log.cells, log.parts
    red_slope, green_slope, blue_slope, last_slope = slopes[0], slopes[1], slopes[2], slopes[3]
    r, g, b, alpha = paint
    width = edges.shape[1] - 2
    red = green = blue = opacity = 0.0
    for cell in range(first, last):
        pixel = log_cells[cell]
        seen, share, slope = log_parts[cell, 0], log_parts[cell, 1], log_parts[cell, 2]
        gain = r * red_slope[pixel] + g * green_slope[pixel] + b * blue_slope[pixel] - below[pixel]
        if channels == 4:
            gain += last_slope[pixel]
        row = pixel // width
        edges[row, pixel - row * width] = slope * alpha * seen * gain
        weight = seen * share
        red += weight * red_slope[pixel]
        green += weight * green_slope[pixel]
        blue += weight * blue_slope[pixel]
        opacity += weight * gain
        below[pixel] += alpha * share * gain
    return red * alpha, green * alpha, blue * alpha, opacity


@fast_shared
def _back(
    log: Any,
    first_run: int,
    last_run: int,
    top: int,
    geometry: Any,
    paints: Any,
    channels: int,
    with_alpha: bool,
    scratch: Any,  # slopes float32 [4, N], below float32 [N], edges float32 [rows, width + 2], all zero
    moments: Any,  # float64 [e, 2], receives an answer
    paint_sums: Any,  # float64 [r, 4], receives an answer
) -> None:
    """Carry d(loss)/d(image) of one band back to its chords and paints."""
    log_cells, log_runs = log.cells, log.runs
    chords, run_path, runs, entries = geometry
    slopes, below, edges = scratch
    width = edges.shape[1] - 2
    for run in range(first_run, last_run):
        order = last_run - 1 - run
        path = run_path[run]
        paint = (paints[path, 0], paints[path, 1], paints[path, 2], paints[path, 3])
        first, last = log_runs[1, order], log_runs[1, order + 1]
        if first < last:
            found = _spans_back(log, first, last, slopes, below, paint, channels, with_alpha)
            for k in range(PAINT_SUMS):
                paint_sums[run, k] += found[k]
        first, last = log_runs[0, order], log_runs[0, order + 1]
        if first == last:
            continue
        found = _cells_back(log, first, last, slopes, below, paint, channels, edges)
        for k in range(PAINT_SUMS):
            paint_sums[run, k] += found[k]
        if not with_alpha and paint[3] == 1.0:
            paint_sums[run, 3] = 0.0  # half of it would be worse than none
        for entry in range(runs[run], runs[run + 1]):
            c = chords[entries[entry]]
            moments[entry, 0], moments[entry, 1] = chord_moments(c[0], c[1], c[2], c[3], top, width, edges)
        for cell in range(first, last):
            row = log_cells[cell] // width
            edges[row, log_cells[cell] - row * width] = 0.0


# Tasks of `run_bands`. PULLING: `target` is d(loss)/d(image) itself.
DRAWING, PULLING, FITTING, MEASURING = range(4)


@fast_kernel
def run_bands(
    task: int,
    with_alpha: bool,  # also find the gradient by the alpha of opaque paths
    number: int,  # the band to begin with
    step: int,  # from band to band
    bands: Any,  # int64 [bands + 1]; with geometry and style as in `composite`
    geometry: Any,
    style: Any,
    scratch: Any,  # arrays of `Band`, of `Log`, and of `job` below
    target: Any,  # float32 [3 or 4, h, w]
    weights: Any,  # float32 [h, w], or [0, 0] for none
    image: Any,  # receives the drawing: float32 [3 or 4, h, w], or [h, w, 4] for DRAWING
    losses: Any,  # float64 [bands]; receives the loss of each band
    moments: Any,  # float64 [e, 2]; receives the gradient of each entry, see `pull_to_points`
    run_sums: Any,  # float64 [r, 4], zeros; receives the gradient of each run's paint, or area and removal
) -> Any:
    """Draw, compare with the target, and go back, band by band. What a task does not need may be empty.

    Returns the first band that is not done, and the room that the log must have for it.
    """
    band, log = Band(*scratch[0]), Log(*scratch[1])
    slopes, below, edges = scratch[2]
    height, width = image.shape[0 if task == DRAWING else 1], image.shape[1 if task == DRAWING else 2]
    mode = DRAW if task == DRAWING else KEEP_DEEP if with_alpha or task == MEASURING else KEEP
    while number < len(bands) - 1:
        top = number * BAND_ROWS
        rows = min(BAND_ROWS, height - top)
        first, last = bands[number], bands[number + 1]
        room = composite(band, log, first, last, top, rows, width, geometry, style, mode)
        if room > 0:
            return number, room
        if task == DRAWING:
            _emit_pixels(band.planes, image, top)
        else:
            _emit(band, image, top)
        if task == PULLING:
            _take(target, top, rows, slopes)
        elif task != DRAWING:
            losses[number] = _compare(image, target, weights, top, slopes)
        if task == MEASURING:
            measure(log, first, last, geometry[1], style[0], slopes, weights, top, width, below, run_sums)
        elif task != DRAWING:
            _ground(slopes, len(image), below[0])
            back = (slopes, below[0], edges)
            _back(log, first, last, top, geometry, style[0], len(image), with_alpha, back, moments, run_sums)
        number += step
    return number, np.int64(0)


def run(
    task: int,
    prepared: Prepared,
    target: Float32,  # [c, h, w]
    weights: Float32 | None,  # [h, w]
    with_alpha: bool,
    image: Float32,  # [c, h, w], or [h, w, 4] for DRAWING; receives the drawing
    threads: int | None,
) -> tuple[float, Float64, Float64]:
    """Run one task over all bands; returns the loss, moments by entry [e, 2], and sums by path [p, 4]."""
    bands, geometry, style = prepared.bands, prepared.geometry, prepared.style
    weight = np.empty((0, 0), np.float32) if weights is None else weights
    losses, moments = np.zeros(len(bands) - 1), np.zeros((len(geometry[3]), 2))
    by_run = np.zeros((len(geometry[1]), PAINT_SUMS))
    size = BAND_ROWS * prepared.width

    def job(number: int, step: int) -> None:
        band, room = tuple(new_band(prepared.width)), FIRST_LOG
        slopes, below = np.zeros((4, size), np.float32), np.empty((len(target), size), np.float32)
        edges = np.zeros((BAND_ROWS, prepared.width + 2), np.float32)
        while number < len(bands) - 1:
            scratch = (band, tuple(new_log(bands, room)), (slopes, below, edges))
            number, need = run_bands(
                task,
                with_alpha,
                number,
                step,
                bands,
                geometry,
                style,
                scratch,
                target,
                weight,
                image,
                losses,
                moments,
                by_run,
            )
            room = max(2 * room, need)

    pool.run(job, threads)
    by_path = [np.bincount(geometry[1], by_run[:, k], prepared.paths) for k in range(PAINT_SUMS)]
    return float(losses.sum()), moments, np.stack(by_path, axis=1)
