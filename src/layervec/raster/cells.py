"""The walk of chords over the cells of a band, eight side by side: signed areas go in, and what was met is noted.

Refuses to know about paths, paints and fill rules.

Signed-area accumulation as in font rasterisers (https://github.com/raphlinus/font-rs): a chord that spans the
height d of a row adds d times the share of the cell to its right to that cell, and the rest to the next
cell; the running sum along the row is the winding number, averaged over each cell. Rising chords count
positive, so that an outline that runs clockwise on screen has positive area. What lies left of the canvas
counts as an upright edge at x = 0, what lies right of it not at all.

Going back, each end of a chord needs the integral of 1 - t, or of t, over the part of it in every cell, for t from 0
at its start to 1 at its end. What that takes is left in the band's `Log`, so nothing is walked twice.

Each lane of float64 is a chord of its own. A lane whose chord has come to its end stays in its last cell and adds
nothing there, until the longest of the eight has come to its end too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import fast_inner
from layervec.raster.lanes import (
    LANES,
    absolute,
    greater,
    if_less,
    largest,
    lesser,
    load,
    narrowed,
    round_down,
    splat,
    store,
    store_whole,
)

BLOCK_BITS = LANES.bit_length() - 1  # a pixel's column shifted down by this is its block's
WORD_BITS = BLOCK_BITS + 6  # likewise, by this its word's in a bitmap
NEARLY = 1e-9  # px; what is closer to a border than this is on it
FLAT = 1e-300  # px; chords that go less far to a side never cross a border there
NEVER = 2.0  # a t that no chord reaches
MARK = np.uint8(1)
EIGHT = np.uint64(LANES)


@fast_inner
def _held(value: Any, least: Any, most: Any) -> Any:
    return lesser(greater(value, least), most)


@fast_inner
def _cells_between(a: Any, b: Any, most: Any) -> Any:
    """Return the first and last cell, held in 0 .. most, on the way from a to b.

    What ends on a border does not reach the cell beyond it; what runs along one is in the cell that begins there.
    """
    zero, nearly = splat(0.0), splat(NEARLY)
    inward = if_less(a, b, nearly, if_less(b, a, zero - nearly, zero))
    return _held(round_down(a + inward), zero, most), _held(round_down(b - inward), zero, most)


@fast_inner
def _per(d: Any) -> Any:
    """Return 1 / d, or 1 where d is as good as 0, and where it is NEVER and elsewhere 0."""
    size, flat, one, zero = absolute(d), splat(FLAT), splat(1.0), splat(0.0)
    return one / if_less(size, flat, one, d), if_less(size, flat, splat(NEVER), zero)


@fast_inner
def _within(y0: Any, dy: Any, top: int, rows: int) -> Any:
    """Return the t at which chords enter the band and leave it."""
    zero, one = splat(0.0), splat(1.0)
    per, never = _per(dy)
    a, b = (splat(np.float64(top)) - y0) * per, (splat(np.float64(top + rows)) - y0) * per
    begin, end = greater(lesser(a, b), zero), lesser(greater(a, b), one)
    return if_less(zero, never, zero, begin), if_less(zero, never, one, end)


@fast_inner
def add_chords(
    chords: Any, at: Any, sides: bool, top: int, rows: int, width: int, stride: int, sink: Any, used: Any, keep: bool
) -> Any:
    """Add eight chords to the signed areas of a band whose first row is row `top` of the canvas.

    The blocks of the cells that they run through are marked; the cell after may be in one that is not.

    chords: (x0, y0, x1, y1, begin, end) float64 [.] each, of which those from `at` on count; without `sides`, begin
    and end are found here. sink: (area float32 [rows * stride], stride at least width + 1; marks uint8 of its blocks;
    `pixels` and `shares` of a `Log`; scratch float32 [2 * LANES]). Notes eight cells a step from number `used` on
    if `keep`. Returns how many are used then, and the room that it needs for them; with less it does nothing.
    """
    area, marks, pixels, shares, sums = sink
    x0, y0 = load(chords[0], at), load(chords[1], at)
    dx, dy = load(chords[2], at) - x0, load(chords[3], at) - y0
    if sides:
        begin, end = load(chords[4], at), load(chords[5], at)
    else:
        begin, end = _within(y0, dy, top, rows)
    zero, one, half = splat(0.0), splat(1.0), splat(0.5)
    base = y0 - splat(np.float64(top))
    column, last_column = _cells_between(x0 + begin * dx, x0 + end * dx, splat(np.float64(width - 1)))
    row, last_row = _cells_between(base + begin * dy, base + end * dy, splat(np.float64(rows - 1)))
    steps = np.int64(largest(absolute(last_column - column) + absolute(last_row - row))) + 1
    room = used + np.uint64(steps * LANES)
    if keep and room > np.uint64(len(pixels)):
        return used, room
    least_column, most_column = lesser(column, last_column), greater(column, last_column)
    least_row, most_row = lesser(row, last_row), greater(row, last_row)  # rounding must lead nowhere else
    (per_x, never_x), (per_y, never_y) = _per(dx), _per(dy)
    right, down = if_less(zero, dx, one, zero), if_less(zero, dy, one, zero)
    t_x = if_less(zero, never_x, never_x, (column + right - x0) * per_x)
    t_y = if_less(zero, never_y, never_y, (row + down - base) * per_y)
    per_x, per_y = absolute(per_x), absolute(per_y)
    step_x, step_y, pitch = right + right - one, down + down - one, splat(np.float64(stride))
    t = begin
    for _ in range(steps):
        until = lesser(lesser(t_x, t_y), end)
        span, middle = until - t, half * (until + t)
        height = zero - dy * span
        beside = height * (x0 + dx * middle - column)
        store_whole(pixels, used, row * pitch + column)
        store(sums, np.uint64(0), narrowed(height - beside))
        store(sums, EIGHT, narrowed(beside))
        for lane in range(LANES):
            cell = np.uint64(pixels[used + np.uint64(lane)])
            area[cell] += sums[lane]
            area[cell + np.uint64(1)] += sums[lane + LANES]
            marks[cell >> np.uint64(BLOCK_BITS)] = MARK
        if keep:
            store(shares, used + used, narrowed(span))
            store(shares, used + used + EIGHT, narrowed(span * middle))
            used += EIGHT
        t = until
        # The nearer of the next borders to the side and up or down is crossed.
        column = _held(column + if_less(t_y, t_x, zero, step_x), least_column, most_column)
        row = _held(row + if_less(t_y, t_x, step_y, zero), least_row, most_row)
        t_x, t_y = t_x + if_less(t_y, t_x, zero, per_x), t_y + if_less(t_y, t_x, per_y, zero)
    return used, room


@fast_inner
def _add_left(ya: float, yb: float, top: int, rows: int, stride: int, area: Any, marks: Any) -> None:
    """Add the part of a chord left of the canvas, from y = ya to yb."""
    low, high = max(min(ya, yb) - top, 0.0), min(max(ya, yb) - top, np.float64(rows))
    row = int(low)
    while row < high:
        height = min(high, row + 1.0) - max(low, np.float64(row))
        area[row * stride] += np.float32(height if ya > yb else -height)
        marks[(row * stride) >> BLOCK_BITS] = MARK
        row += 1


@fast_inner
def _held_in(
    x0: float, y0: float, x1: float, y1: float, top: int, rows: int, width: int, stride: int, area: Any, marks: Any
) -> Any:
    """Return the t where a chord enters the canvas and where it leaves it; adds what lies left of the canvas."""
    dx, dy = x1 - x0, y1 - y0
    begin, end = 0.0, 1.0
    if min(y0, y1) < top or max(y0, y1) > top + rows:
        a, b = (top - y0) / dy, (top + rows - y0) / dy
        begin, end = max(min(a, b), 0.0), min(max(a, b), 1.0)
    if min(x0, x1) < 0 or max(x0, x1) >= width:
        if min(x0, x1) >= width:
            return 0.0, 0.0
        if max(x0, x1) < 0:
            _add_left(y0 + begin * dy, y0 + end * dy, top, rows, stride, area, marks)
            return 0.0, 0.0
        if dx != 0:
            a, b = -x0 / dx, (width - x0) / dx
            if dx > 0 and a > begin:
                _add_left(y0 + begin * dy, y0 + min(a, end) * dy, top, rows, stride, area, marks)
            elif dx < 0 and a < end:
                _add_left(y0 + max(a, begin) * dy, y0 + end * dy, top, rows, stride, area, marks)
            begin, end = max(begin, min(a, b)), min(end, max(a, b))
    return (begin, end) if begin <= end else (0.0, 0.0)


@fast_inner
def hold_chords(chords: Any, count: int, top: int, rows: int, width: int, stride: int, area: Any, marks: Any) -> None:
    """Find what of `count` chords, some beside the canvas, lies on it: fills begin and end in `chords`.

    Those of which nothing does become points.
    """
    for i in range(count):
        begin, end = _held_in(
            chords[0][i], chords[1][i], chords[2][i], chords[3][i], top, rows, width, stride, area, marks
        )
        chords[4][i], chords[5][i] = begin, end
        if begin >= end:
            chords[2][i], chords[3][i] = chords[0][i], chords[1][i]
