"""Kernel that measures each path: how much of it shows, and what the loss would gain or lose without it.

Refuses to know about gradients of points. Taking away path i alone changes a pixel by w_i (below_i -
colour_i), where w_i is its compositing weight there, so both answers are exact and cost one pass, not one
rendering a path.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import fast_inner, fast_shared
from layervec.raster.flatten import BAND_ROWS
from layervec.raster.lanes import LANES, load, splat, store, total
from layervec.raster.shades import colours, shaded
from layervec.raster.sweep import ONE_PIXEL, PART, WHITE, ZERO


@fast_inner
def _weigh(place: Any, seen: Any, opacity: Any, paint: Any, shade: Any, band: Any, slopes: Any, below: Any) -> Any:
    """Return the loss's change in one block where a path of this opacity goes; puts the path into `below`."""
    # Planes are free once they are written out: `red` holds the weights of pixels.
    weight, change = load(band[0], place), splat(ZERO)
    r, g, b = splat(paint[0]), splat(paint[1]), splat(paint[2])
    if shade[1] >= 0:
        r, g, b = colours(shade[0][shade[1]], place, shade[2], shade[3])
    for channel in range(below.shape[0]):
        colour = splat(ONE_PIXEL)
        if channel == 0:
            colour = r
        elif channel == 1:
            colour = g
        elif channel == 2:
            colour = b
        under = load(below[channel], place)
        step = opacity * (under - colour)
        moved = seen * step
        change += moved * (load(slopes[channel], place) + weight * moved)
        store(below[channel], place, under - step)
    return change


@fast_inner
def _measure(log: Any, order: int, paint: Any, shade: Any, band: Any, slopes: Any, below: Any) -> Any:
    """Return visible area, px, and the loss's change without it, of the path at `order` of the log."""
    log_cells, log_parts, log_spans, log_above, log_runs = log[0], log[1], log[2], log[3], log[4]
    alpha = splat(paint[3])
    area = change = splat(ZERO)
    spans = np.int64(log_runs[order + 1, 2] - log_runs[order, 2])
    for item in range(spans + log_runs[order + 1, 1] - log_runs[order, 1]):  # one place to call from
        if item < spans:
            span = log_runs[order, 2] + item
            place, seen, opacity = np.uint64(log_spans[span]), load(log_above, np.uint64(span * LANES)), alpha
        else:
            cell = log_runs[order, 1] + item - spans
            place, part = np.uint64(log_cells[cell]), np.uint64(cell * PART)
            seen, opacity = load(log_parts, part), alpha * load(log_parts, part + np.uint64(LANES))
        area += opacity * seen
        change += _weigh(place, seen, opacity, paint, shade, band, slopes, below)
    return total(area), total(change)


@fast_inner
def _spread(weights: Any, top: int, stride: int, plane: Any) -> None:
    """Write the weights of a band's pixels to `plane`, float32 [N], with 0 right of the canvas; 1 if there are none."""
    plane[:] = ONE_PIXEL
    if len(weights):
        height, width = weights.shape
        for y in range(min(BAND_ROWS, height - top)):
            row, weight = plane[y * stride : y * stride + width], weights[top + y]
            for x in range(width):
                row[x] = weight[x]


@fast_shared
def measure(
    log: Any,
    count: int,  # logged runs
    run_path: Any,  # int32 [r]
    style: Any,  # as in `run_bands`
    band: Any,  # written out already
    slopes: Any,  # float32 [4, N], d(loss)/d(image) of the band
    weights: Any,  # float32 [h, w], or [0, 0] for none
    top: int,
    stride: int,
    below: Any,  # float32 [3 or 4, N], scratch
    found: Any,  # float64 [r, 2 or more], receives area and change of each run
) -> None:
    """Measure every path of one band."""
    log_runs, paints, table = log[4], style[0], style[4]
    below[:] = WHITE if len(below) == 3 else ZERO
    _spread(weights, top, stride, band[0])
    for order in range(count - 1, -1, -1):
        run = log_runs[order, 0]
        path = run_path[run]
        paint = (paints[path, 0], paints[path, 1], paints[path, 2], paints[path, 3])
        shade = (table, path if shaded(table, path) else -1, top, stride)
        found[run, 0], found[run, 1] = _measure(log, order, paint, shade, band, slopes, below)
