"""Kernel that measures each path: how much of it shows, and what the loss would gain or lose without it.

Refuses to know about gradients of points. Taking away path i alone changes a pixel by w_i (below_i -
colour_i), where w_i is its compositing weight there, so both answers are exact and cost one pass, not one
rendering a path.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import fast_inner, fast_shared
from layervec.raster.sweep import WHITE


@fast_inner
def _weigh(pixel: Any, seen: Any, opacity: Any, colour: Any, slopes: Any, weight: Any, below: Any) -> Any:
    """Return the loss's change at one pixel where a path of this opacity goes; puts the path into `below`."""
    change = np.float32(0.0)
    for channel in range(below.shape[0]):
        step = below[channel, pixel] - colour[channel]
        moved = seen * opacity * step
        change += moved * (slopes[channel, pixel] + weight * moved)
        below[channel, pixel] -= opacity * step
    return change


@fast_inner
def _measure(
    log: Any,
    order: int,
    paint: Any,
    start: Any,
    tints: Any,
    slopes: Any,
    weights: Any,
    top: int,
    stride: int,
    below: Any,
) -> Any:
    """Return visible area, px, and the loss's change without it, of the path at `order` of the log."""
    log_above, log_cells, log_parts, log_runs, log_spans = log.above, log.cells, log.parts, log.runs, log.spans
    colour = (paint[0], paint[1], paint[2], np.float32(1.0))
    alpha = paint[3]
    area = change = 0.0
    weight = np.float32(1.0)
    for span in range(log_runs[order, 2], log_runs[order + 1, 2]):
        begin, length, place = log_spans[span, 0], log_spans[span, 1], log_spans[span, 2]
        row = begin // stride
        for i in range(length):
            if start >= 0:
                at = start + begin + i
                colour = (tints[0, at], tints[1, at], tints[2, at], np.float32(1.0))
            if len(weights):
                weight = weights[top + row, begin - row * stride + i]
            area += alpha * log_above[place + i]
            change += _weigh(begin + i, log_above[place + i], alpha, colour, slopes, weight, below)
    for cell in range(log_runs[order, 1], log_runs[order + 1, 1]):
        pixel, seen, opacity = np.int64(log_cells[cell]), log_parts[cell, 0], alpha * log_parts[cell, 1]
        if len(weights):
            weight = weights[top + pixel // stride, pixel % stride]
        area += opacity * seen
        if start >= 0:
            at = start + pixel
            colour = (tints[0, at], tints[1, at], tints[2, at], np.float32(1.0))
        change += _weigh(pixel, seen, opacity, colour, slopes, weight, below)
    return area, change


@fast_shared
def measure(
    log: Any,
    count: int,  # logged runs
    run_path: Any,  # int32 [r]
    paints: Any,  # float32 [p, 4]
    tints: Any,  # of `Band`
    places: Any,  # see `shade_bands`
    slopes: Any,  # float32 [4, N], d(loss)/d(image) of the band
    weights: Any,  # float32 [h, w], or [0, 0] for none
    top: int,
    stride: int,
    below: Any,  # float32 [3 or 4, N], scratch
    found: Any,  # float64 [r, 2 or more], receives area and change of each run
) -> None:
    """Measure every path of one band."""
    log_runs = log.runs
    below[:] = WHITE if len(below) == 3 else np.float32(0.0)
    for order in range(count - 1, -1, -1):
        run = log_runs[order, 0]
        path = run_path[run]
        paint = (paints[path, 0], paints[path, 1], paints[path, 2], paints[path, 3])
        start = places[0, run]
        found[run, 0], found[run, 1] = _measure(log, order, paint, start, tints, slopes, weights, top, stride, below)
