"""The walk of one chord over the cells of a band: its signed area going in, its gradient coming out.

Refuses to know about paths, paints and fill rules.

Signed-area accumulation as in font rasterisers (https://github.com/raphlinus/font-rs): a chord that spans the
height d of a row adds d times the share of the cell to its right to that cell, and the rest to the next
cell; the running sum along the row is the winding number, averaged over each cell. Rising chords count
positive, so that an outline that runs clockwise on screen has positive area. What lies left of the canvas
counts as an upright edge at x = 0, what lies right of it not at all.

`add_chord` and `chord_moments` must visit the same cells: change them together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import fast_inner
from layervec.raster.bits import ONE, span_mask

# Bitmaps of a band, in the order of its `bits`: cells that no chord need run through but whose area may
# differ from zero, cells that a chord runs through, pixels where nothing further down is wanted, pixels under
# an opaque inside.
TOUCHED, CROSSED, HIDDEN, COVERED = range(4)


@fast_inner
def _first_last(low: float, high: float, width: int) -> Any:
    """Return the first and last cell of a stretch low .. high inside 0 .. width, for low < width."""
    first, last = int(low), int(high)
    if last > first and (high == last or last >= width):
        last -= 1  # it ends on the border, not in the next cell
    return first, last


@fast_inner
def _cross(bits: Any, row: int, first: int, last: int) -> None:
    """Mark the cells first .. last of a row as crossed."""
    for word in range(first >> 6, (last >> 6) + 1):
        bits[CROSSED, row, word] |= span_mask(word, first, last + 1)


@fast_inner
def _touch(bits: Any, row: int, cell: Any) -> None:
    """Mark a cell whose area changes though no chord runs through it."""
    bits[TOUCHED, row, cell >> 6] |= ONE << np.uint64(cell & 63)


@fast_inner
def add_chord(x0: float, y0: float, x1: float, y1: float, top: int, width: int, area: Any, bits: Any) -> None:
    """Add a chord to `area`, float32 [rows, width + 2 or more], whose first row is row `top` of the canvas.

    Marks the cells that it runs through, and those whose area it changes besides, in `bits`, uint64 [2 or
    more, rows, words].
    """
    if y0 < y1:
        low_x, low_y, high_x, high_y, sense = x0, y0, x1, y1, -1.0
    else:
        low_x, low_y, high_x, high_y, sense = x1, y1, x0, y0, 1.0
    left, right = min(x0, x1), max(x0, x1)
    if left >= width:
        return
    if low_y == high_y:  # it adds no area, yet moving it does
        if right >= 0:
            first, last = _first_last(max(left, 0.0), min(right, np.float64(width)), width)
            _cross(bits, int(y0) - top, first, last)
        return
    y, end = max(low_y, np.float64(top)), min(high_y, np.float64(top + area.shape[0]))
    row = int(y) - top
    next_row = np.float64(top + row + 1)
    single = y == low_y and high_y <= next_row  # most chords: in one row, with nothing to divide
    slope = 0.0 if single else (high_x - low_x) / (high_y - low_y)
    x = low_x if y == low_y else min(max(low_x + (y - low_y) * slope, left), right)
    while y < end:
        below = min(next_row, end)
        x_below = high_x if below == high_y else min(max(low_x + (below - low_y) * slope, left), right)
        _add_piece(min(x, x_below), max(x, x_below), sense * (below - y), row, width, area, bits)
        x, y, row, next_row = x_below, below, row + 1, next_row + 1.0


@fast_inner
def _add_piece(low: float, high: float, height: float, row: int, width: int, area: Any, bits: Any) -> None:
    """Add the part of a chord inside one row, from x = low to high, of a signed height."""
    per_x = 0.0
    if low < 0 or high > width or int(low) + 1 < high:
        per_x = height / (high - low) if high > low else 0.0
    if low < 0:
        outside = height if high < 0 else -low * per_x
        area[row, 0] += outside
        _touch(bits, row, np.int64(0))
        if high < 0:
            return
        height -= outside
        low = 0.0
    if high > width:
        if low >= width:
            return
        high = np.float64(width)
        height = per_x * (high - low)
    first, last = _first_last(low, high, width)
    _cross(bits, row, first, last)
    _touch(bits, row, last + 1)
    carry = 0.0
    for cell in range(first, last):
        part = per_x * (cell + 1 - low)
        right = part * 0.5 * (low + 1 - cell)
        area[row, cell] += part - right + carry
        height -= part  # so that the last cell gets all the rest, and sums along the row close
        low, carry = np.float64(cell + 1), right
    right = height * ((low + high) * 0.5 - last)
    area[row, last] += height - right + carry
    area[row, last + 1] += right


@fast_inner
def chord_moments(x0: float, y0: float, x1: float, y1: float, top: int, width: int, slopes: Any) -> Any:
    """Return the sums over the cells of a chord of `slopes` times the integrals of 1 - t and of t.

    slopes: float32 [rows, width + 2 or more], dL/d(signed area) of each cell, for rows top .. top + rows - 1.
    """
    near = far = 0.0
    left, right = min(x0, x1), max(x0, x1)
    low_y, high_y = min(y0, y1), max(y0, y1)
    if left >= width or (low_y == high_y and left == right):
        return near, far
    y, end = max(low_y, np.float64(top)), min(high_y, np.float64(top + slopes.shape[0]))
    row = int(y) - top
    next_row = np.float64(top + row + 1)
    single = y == low_y and high_y <= next_row
    per_y = 0.0 if single else 1.0 / (y1 - y0)
    slope = (x1 - x0) * per_y
    t = 0.0 if single else (y - y0) * per_y
    x = x0 if single else min(max(x0 + (y - y0) * slope, left), right)
    while y < end or single:
        below = min(next_row, end)
        t_below = 1.0 if single else (below - y0) * per_y
        x_below = x1 if single else min(max(x0 + (below - y0) * slope, left), right)
        a, b = _piece_moments(x0, x1, x, x_below, t, t_below, row, width, slopes)
        near += a
        far += b
        x, t, y, row, next_row, single = x_below, t_below, below, row + 1, next_row + 1.0, False
    return near, far


@fast_inner
def _piece_moments(
    x0: float, x1: float, xa: float, xb: float, ta: float, tb: float, row: int, width: int, slopes: Any
) -> Any:
    """Return what the part of a chord inside one row adds to its moments; t is ta at xa and tb at xb."""
    low, high = min(xa, xb), max(xa, xb)
    if low >= width or high < 0:
        return 0.0, 0.0
    cell, last = _first_last(max(low, 0.0), min(high, np.float64(width)), width)
    if cell == last and low >= 0 and high <= width:
        moment = slopes[row, cell] * abs(tb - ta)
        far = moment * 0.5 * (ta + tb)
        return moment - far, far
    near = far = 0.0
    low, high = max(low, 0.0), min(high, np.float64(width))
    per_x = 1.0 / (x1 - x0)
    while cell <= last:
        until = min(np.float64(cell + 1), high)
        moment = slopes[row, cell] * (until - low) * abs(per_x)
        part = moment * ((low + until) * 0.5 - x0) * per_x
        near += moment - part
        far += part
        low, cell = until, cell + 1
    return near, far
