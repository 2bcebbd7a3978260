"""The walk of one chord over the cells of a band: its signed area goes in, and what it went through is noted.

Refuses to know about paths, paints and fill rules.

Signed-area accumulation as in font rasterisers (https://github.com/raphlinus/font-rs): a chord that spans the
height d of a row adds d times the share of the cell to its right to that cell, and the rest to the next
cell; the running sum along the row is the winding number, averaged over each cell. Rising chords count
positive, so that an outline that runs clockwise on screen has positive area. What lies left of the canvas
counts as an upright edge at x = 0, what lies right of it not at all.

Going back, each end of a chord needs the integral of 1 - t, or of t, over the part of it in every cell, for t from 0
at its start to 1 at its end. What that takes is left in the band's `Log`, so nothing is walked twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import fast_inner
from layervec.raster.bits import ONE, choose
from layervec.raster.lanes import LANES

BLOCK_BITS = LANES.bit_length() - 1  # a pixel's column shifted down by this is its block's
WORD_BITS = BLOCK_BITS + 6  # likewise, by this its word's in a bitmap
NEARLY = 1e-9  # px; what is closer to a border than this is on it
NEVER, ANY = 2.0, 1.0  # a t that no chord reaches; a length that does not matter


@fast_inner
def _cells_between(a: float, b: float, most: int) -> Any:
    """Return the first and last cell, held in 0 .. most, on the way from a to b.

    What ends on a border does not reach the cell beyond it; what runs along one is in the cell that begins there.
    """
    inward = choose(a < b, NEARLY, choose(a > b, -NEARLY, 0.0))
    return min(max(int(a + inward), 0), most), min(max(int(b - inward), 0), most)


@fast_inner
def _walk(
    chord: Any, begin: float, end: float, top: int, rows: int, width: int, stride: int, sink: Any, used: Any, keep: bool
) -> Any:
    """Add the part from t = begin to end of a chord, which lies inside the band; returns the cells used then.

    At each step the nearer of the next borders to the side and up or down is crossed. That is decided without a
    branch, as the processor could only guess: with branches for rows and cells this took twice as long.
    """
    x0, y0, dx, dy = chord
    area, touched, words, pixels, spans = sink
    column, last_column = _cells_between(x0 + begin * dx, x0 + end * dx, width - 1)
    row, last_row = _cells_between(y0 - top + begin * dy, y0 - top + end * dy, rows - 1)
    least_column, most_column = min(column, last_column), max(column, last_column)
    least_row, most_row = min(row, last_row), max(row, last_row)  # rounding must lead nowhere else
    per_x, per_y = 1.0 / choose(dx == 0.0, ANY, dx), 1.0 / choose(dy == 0.0, ANY, dy)
    right, down = np.int64(dx > 0), np.int64(dy > 0)
    t_x = choose(dx == 0.0, NEVER, (column + right - x0) * per_x)
    t_y = choose(dy == 0.0, NEVER, (top + row + down - y0) * per_y)
    per_x, per_y = abs(per_x), abs(per_y)
    step_x, step_y, none, still = right + right - 1, down + down - 1, np.int64(0), 0.0
    t = begin
    for _ in range(most_column - least_column + most_row - least_row + 1):
        until = min(min(t_x, t_y), end)
        span, middle = until - t, 0.5 * (until + t)
        height = -dy * span
        beside = height * (x0 + dx * middle - column)
        cell = np.uint64(row * stride + column)
        area[cell] += np.float32(height - beside)
        area[cell + ONE] += np.float32(beside)
        touched[np.uint64(row * words + (column >> WORD_BITS))] |= ONE << np.uint64((column >> BLOCK_BITS) & 63)
        if keep:
            pixels[used], spans[used + used], spans[used + used + ONE] = cell, span, span * middle
            used += ONE
        t = until
        to_side = t_x <= t_y
        column = min(max(column + choose(to_side, step_x, none), least_column), most_column)
        row = min(max(row + choose(to_side, none, step_y), least_row), most_row)
        t_x, t_y = t_x + choose(t_x <= t_y, per_x, still), t_y + choose(t_y < t_x, per_y, still)
    return used


@fast_inner
def _add_left(ya: float, yb: float, top: int, rows: int, stride: int, sink: Any) -> None:
    """Add the part of a chord left of the canvas, from y = ya to yb."""
    area, touched, words = sink[0], sink[1], sink[2]
    low, high = max(min(ya, yb) - top, 0.0), min(max(ya, yb) - top, np.float64(rows))
    row = int(low)
    while row < high:
        height = min(high, row + 1.0) - max(low, np.float64(row))
        area[row * stride] += np.float32(height if ya > yb else -height)
        touched[row * words] |= ONE
        row += 1


@fast_inner
def add_chord(
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    top: int,
    rows: int,
    width: int,
    stride: int,
    sink: Any,
    used: Any,  # uint64
    keep: bool,
) -> Any:
    """Add a chord to the signed areas of a band whose first row is row `top` of the canvas.

    The blocks of the cells that it runs through are marked as touched; the cell after may be in one that is not.

    sink: (area float32 [rows * stride], stride at least width + 1; bitmap uint64 [rows * words] of touched blocks;
    words; `pixels` and `shares` of a `Log`). Notes the cells from number `used` on if `keep`; returns how many are
    used then.
    """
    dx, dy = x1 - x0, y1 - y0
    begin, end = 0.0, 1.0
    if min(y0, y1) < top or max(y0, y1) > top + rows:
        a, b = (top - y0) / dy, (top + rows - y0) / dy
        begin, end = max(min(a, b), 0.0), min(max(a, b), 1.0)
    if min(x0, x1) < 0 or max(x0, x1) >= width:
        if min(x0, x1) >= width:
            return used
        if max(x0, x1) < 0:
            _add_left(y0 + begin * dy, y0 + end * dy, top, rows, stride, sink)
            return used
        if dx != 0:
            a, b = -x0 / dx, (width - x0) / dx
            if dx > 0 and a > begin:
                _add_left(y0 + begin * dy, y0 + min(a, end) * dy, top, rows, stride, sink)
            elif dx < 0 and a < end:
                _add_left(y0 + max(a, begin) * dy, y0 + end * dy, top, rows, stride, sink)
            begin, end = max(begin, min(a, b)), min(end, max(a, b))
    if begin > end or (dx == 0 and dy == 0):
        return used
    return _walk((x0, y0, dx, dy), begin, end, top, rows, width, stride, sink, used, keep)
