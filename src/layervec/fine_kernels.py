"""Compiled loops over the fine pixels on which slivers are looked for: who shows there, and who does not belong.

Refuses to know outlines and drawings: chords, numbers of shapes and colours in, numbers out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import inner, kernel
from layervec.types import Float32, Float64, Int16, Int64, UInt8


@kernel
def paint(
    start: Float64, end: Float64, first: Int64, owner: Int16, below: Int16, rows: Int64, crossed: Float32
) -> None:
    """Paint shapes back to front onto the centres of pixels, by the even-odd rule.

    start, end: float64 [n, 2], chords in pixels, those of shape i from first[i] to first[i + 1]. owner: int16 [h, w],
    filled with -1, gets the number of the shape that shows; below: the same, what it hides. rows: int64 [h + 1] and
    crossed: float32, as many as chords of one shape cross rows: to work in.
    """
    h, w = owner.shape
    for shape in range(len(first) - 1):
        low, high = h, 0
        for k in range(first[shape], first[shape + 1]):
            top, bottom = _rows(start[k, 1], end[k, 1], h)
            low, high = min(low, top), max(high, bottom)
        for y in range(low, high + 1):
            rows[y] = 0
        for k in range(first[shape], first[shape + 1]):
            top, bottom = _rows(start[k, 1], end[k, 1], h)
            for y in range(top, bottom):
                rows[y + 1] += 1
        for y in range(low, high):
            rows[y + 1] += rows[y]
        for k in range(first[shape], first[shape + 1]):
            top, bottom = _rows(start[k, 1], end[k, 1], h)
            slope = (end[k, 0] - start[k, 0]) / (end[k, 1] - start[k, 1]) if bottom > top else 0.0
            for y in range(top, bottom):
                crossed[rows[y]] = start[k, 0] + (y + 0.5 - start[k, 1]) * slope
                rows[y] += 1
        begin = 0
        for y in range(low, high):
            _sort(crossed, begin, rows[y])
            for pair in range(begin, rows[y] - 1, 2):
                left = max(0, int(crossed[pair] + 0.5))
                right = min(w, int(max(crossed[pair + 1], -0.5) + 0.5))
                for x in range(left, right):
                    below[y, x] = owner[y, x]
                    owner[y, x] = shape
            begin = rows[y]


@inner
def _rows(a: float, b: float, h: int) -> tuple[int, int]:
    """First row whose centres a chord from height a to b crosses, and the one after the last."""
    top = min(max(int(min(a, b) + 0.5), 0), h) if min(a, b) > -0.5 else 0
    bottom = min(max(int(max(a, b) + 0.5), 0), h) if max(a, b) > -0.5 else 0
    return top, bottom


@inner
def _sort(values: Float32, begin: int, end: int) -> None:
    """Sort a few values in place."""
    for i in range(begin + 1, end):
        value = values[i]
        j = i
        while j > begin and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value


@kernel
def strangeness(
    ys: Int64, xs: Int64, shown: UInt8, core: UInt8, zoom: int, low: UInt8, high: UInt8, found: UInt8
) -> None:
    """Tell how far the colour of pixels is from all that lies within a pixel of the picture.

    ys, xs: int64 [n], the pixels asked for. shown: uint8 [h, w, 4]. core: uint8 [h, w], not 0 away from borders.
    low, high: uint8 [h / zoom, w / zoom, 3], least and most of the picture around each of its pixels. found: uint8
    [h, w], gets it at these pixels, of the channel that is off most.
    """
    for n in range(len(ys)):
        y, x = ys[n], xs[n]
        far = 0
        for c in range(3):
            here = np.int64(shown[y, x, c])
            below, above = low[y // zoom, x // zoom, c] - here, here - high[y // zoom, x // zoom, c]
            if max(below, above) > far:
                far = max(far, _beyond(y, x, c, max(below, 0), max(above, 0), shown, core, zoom))
        found[y, x] = far


@inner
def _beyond(y: Any, x: Any, c: int, below: Any, above: Any, shown: UInt8, core: UInt8, zoom: int) -> Any:
    """How far a channel is below or above what lies around, where it is known to be no further than this."""
    h, w = core.shape
    here = np.int64(shown[y, x, c])
    for v in range(max(0, y - zoom), min(h, y + zoom + 1)):
        for u in range(max(0, x - zoom), min(w, x + zoom + 1)):
            if core[v, u]:
                there = np.int64(shown[v, u, c])
                below, above = min(below, max(there - here, 0)), min(above, max(here - there, 0))
        if below == 0 and above == 0:
            break
    return max(below, above)
