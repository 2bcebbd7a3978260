"""Front-to-back compositing of one band of rows, sparse: border cells one by one, insides in whole spans.

Refuses to know about targets, losses and gradients. What later passes need is left in a `Log`.

Each path's signed areas are summed along the rows from touched cell to touched cell. A cell that no chord
runs through has an integer winding number, so coverage strictly between 0 and 1 occurs in crossed cells only,
and the stretches between them are wholly in or wholly out. Pixels under an opaque inside are marked hidden;
nothing further down is drawn, or logged, there. That is why the order is front to back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from layervec.compiled import fast_inner, fast_shared
from layervec.raster.arena import arena
from layervec.raster.bits import NONE, ONE, WORD, leading_zeros, lowest_bit, span_mask
from layervec.raster.cells import COVERED, CROSSED, HIDDEN, TOUCHED, add_chord
from layervec.raster.flatten import BAND_ROWS
from layervec.types import Float32

KINK = 1e-5  # signed area: this close to a kink of the fill rule, one slope is chosen; see `coverage`
WHITE = np.float32(1.0)  # ground under a drawing that is compared with an opaque picture (3 channels)
CACHE_LINE = 16  # float32 values
FIRST_LOG = 1 << 15  # entries of a log; it grows when a band needs more

# Modes of `composite`: no log; a log; a log that leaves one more layer visible under opaque insides, as
# derivatives by their alpha need. NumPy integers, because kernels would be compiled once more for each Python
# constant.
DRAW, KEEP, KEEP_DEEP = np.int64(0), np.int64(1), np.int64(2)


# Kernels take the fields of the next two out at their top: in a loop, each `band.bits` becomes code that takes the
# whole tuple apart, which made compiling a tenth slower.
class Band(NamedTuple):
    """Scratch of one band. Pixel x of row y is number y * stride + x; N = rows * stride."""

    planes: Any  # float32 [4, N]: red, green, blue drawn so far; transmittance, the share left for below
    area: Any  # float32 [rows, stride], of the path at hand: signed areas, or dL/d(area); zero between paths
    flat: Any  # float32 [N], the same memory
    bits: Any  # uint64 [4, rows, words], bitmaps: TOUCHED, CROSSED, HIDDEN, COVERED
    tints: Any  # float32 [TINT_ROWS, .], colours of paths with a gradient, see `shades`


class Log(NamedTuple):
    """What was visible, in drawing order (front to back); paths by `run`."""

    cells: Any  # int32 [.], pixel of each crossed cell
    parts: Any  # float32 [., 3], its transmittance above the path, coverage, and slope of coverage by area
    spans: Any  # int32 [., 3], pixel, length and place in `above` of each inside stretch
    above: Any  # float32 [.], transmittance above the path, pixel by pixel
    runs: Any  # int32 [runs of all bands + 1, 3], number, first cell and first span of each run, from the front


def stride_of(width: int) -> int:
    """Return the pixels from row to row: room for two cells more, and rows that do not share their cache lines.

    With a power of two between rows, all cells of a column would compete for one place in the level-1 cache.
    """
    lines = (width + 2 + CACHE_LINE - 1) // CACHE_LINE
    return (lines | 1) * CACHE_LINE


def new_band(width: int, tints: Float32) -> Band:
    """Return scratch for bands of up to `BAND_ROWS` rows, from the arena of this thread."""
    take, stride = arena().take, stride_of(width)
    area = take("area", (BAND_ROWS, stride), np.float32)
    bits = take("bits", (4, BAND_ROWS, width // WORD + 1), np.uint64)
    area.fill(0.0)
    bits.fill(NONE)
    return Band(take("planes", (4, BAND_ROWS * stride), np.float32), area, area.reshape(-1), bits, tints)


def new_log(runs: int, need: int) -> Log:
    """Return an empty log with room for `need` entries of each kind, from the arena of this thread."""
    take, room = arena().take, arena().room("log", need)
    return Log(
        take("log_cells", (room,), np.int32),
        take("log_parts", (room, 3), np.float32),
        take("log_spans", (room, 3), np.int32),
        take("log_above", (room,), np.float32),
        take("log_runs", (arena().room("log_runs", runs) + 1, 3), np.int32),
    )


@fast_inner
def coverage(area: Any, even_odd: bool, sense: Any) -> Any:
    """Return coverage and its slope by signed area: min(|a|, 1), or a folded into 0..1 for even-odd.

    At a kink both slopes are right. The one that lets an edge on a pixel border move is taken, as outlines
    of pixel regions start there: at 0 the sense of the whole path, at 1 that of the side below.
    """
    size = abs(area)
    slope: Any = np.float32(1.0) if area > 0 else np.float32(-1.0)
    if size < KINK:
        slope = sense
    if even_odd:
        turn = size - np.float32(2.0) * np.floor(size * np.float32(0.5))
        if turn <= 1.0 + KINK:
            return min(turn, np.float32(1.0)), slope
        return np.float32(2.0) - turn, -slope
    if size <= 1.0 + KINK:
        return min(size, np.float32(1.0)), slope
    return np.float32(1.0), np.float32(0.0)


@fast_inner
def box(ends: Any, link: Any, slot: Any, top: int, rows: int, width: int) -> Any:
    """Return first row, end row, first column and end column of what a run can touch in the band."""
    low_x, low_y, high_x, high_y = np.inf, np.inf, -np.inf, -np.inf
    while slot >= 0:
        x0, y0, x1, y1 = ends[slot, 0], ends[slot, 1], ends[slot, 2], ends[slot, 3]
        low_x, high_x = min(low_x, min(x0, x1)), max(high_x, max(x0, x1))
        low_y, high_y = min(low_y, min(y0, y1)), max(high_y, max(y0, y1))
        slot = link[slot]
    row = int(max(low_y - top, 0.0))
    row_end = int(min(high_y - top, rows - 1.0)) + 1
    column = int(min(max(low_x, 0.0), width - 1.0))
    column_end = int(min(max(high_x, 0.0), width - 1.0)) + 1
    return row, row_end, column, column_end


@fast_inner
def _all_hidden(bits: Any, box: Any) -> bool:
    """Tell whether nothing shows in the box."""
    row, row_end, column, column_end = box
    for y in range(row, row_end):
        for word in range(column >> 6, ((column_end - 1) >> 6) + 1):
            if span_mask(word, column, column_end) & ~bits[HIDDEN, y, word] != NONE:
                return False
    return True


@fast_inner
def _visible(bits: Any, row: int, begin: Any, end: int) -> Any:
    """Return the least stretch that holds every visible pixel of begin .. end - 1; empty if there is none."""
    low, high = end, begin
    for word in range(begin >> 6, ((end - 1) >> 6) + 1):
        seen = span_mask(word, begin, end) & ~bits[HIDDEN, row, word]
        if seen != NONE:
            low = min(low, word * WORD + lowest_bit(seen))
            high = word * WORD + WORD - leading_zeros(seen)
    return low, high


@fast_inner
def _hide(bits: Any, row: int, begin: Any, end: int, deep: bool) -> None:
    """Hide what lies below an opaque stretch; if `deep`, leave one more opaque layer to be seen."""
    for word in range(begin >> 6, ((end - 1) >> 6) + 1):
        mask = span_mask(word, begin, end)
        if deep:
            bits[HIDDEN, row, word] |= mask & bits[COVERED, row, word]
            bits[COVERED, row, word] |= mask
        else:
            bits[HIDDEN, row, word] |= mask


@fast_inner
def _fill(red: Any, green: Any, blue: Any, through: Any, paint: Any) -> None:
    """Composite a colour below what is drawn already in a stretch of pixels."""
    r, g, b, alpha = paint
    rest = np.float32(1.0) - alpha
    for i in range(len(red)):
        weight = through[i] * alpha
        red[i] += weight * r
        green[i] += weight * g
        blue[i] += weight * b
        through[i] *= rest


@fast_shared
def _fill_shaded(tints: Any, planes: Any, first: Any, last: Any, start: Any, alpha: Any) -> None:
    """Do as `_fill` with the colours in `tints`."""
    for i in range(np.uint64(first), np.uint64(last)):
        through = planes[3, i]
        for channel in range(3):
            planes[channel, i] += through * alpha * tints[channel, np.uint64(start) + i]
        planes[3, i] = through * (np.float32(1.0) - alpha)


@fast_inner
def _draw_inside(
    band: Any, log: Any, ends: Any, row: int, begin: Any, end: int, paint: Any, start: Any, mode: Any
) -> Any:
    """Composite, and log, a stretch that lies wholly inside the path. Returns the new ends of the log."""
    band_bits, band_planes, tints = band.bits, band.planes, band.tints
    log_above, log_spans = log.above, log.spans
    cells, spans, shares = ends
    low, high = _visible(band_bits, row, begin, end)
    if low < high:
        base = row * band.area.shape[1]
        first, last = base + low, base + high
        if mode != DRAW:
            log_spans[spans, 0], log_spans[spans, 1], log_spans[spans, 2] = first, last - first, shares
            above, through = log_above[shares : shares + last - first], band_planes[3, first:last]
            for i in range(last - first):
                above[i] = through[i]
            spans += 1
            shares += last - first
        planes = band_planes
        if start < 0:
            _fill(planes[0, first:last], planes[1, first:last], planes[2, first:last], planes[3, first:last], paint)
        else:
            _fill_shaded(tints, planes, first, last, start, paint[3])
        if paint[3] == 1.0:
            _hide(band_bits, row, begin, end, mode == KEEP_DEEP)
    return cells, spans, shares


@fast_inner
def _draw_cell(planes: Any, pixel: int, share: Any, paint: Any) -> Any:
    """Composite one partly covered pixel; returns its transmittance from before."""
    red, green, blue, alpha = paint
    seen = planes[3, pixel]
    weight = seen * share * alpha
    planes[0, pixel] += weight * red
    planes[1, pixel] += weight * green
    planes[2, pixel] += weight * blue
    planes[3, pixel] = seen * (np.float32(1.0) - share * alpha)
    return seen


@fast_inner
def _sweep(band: Any, log: Any, ends: Any, box: Any, width: int, paint: Any, start: Any, rule: Any, mode: Any) -> Any:
    """Composite the path whose signed areas are in the band, and clear them; returns the log's new ends."""
    band_area, band_bits, band_planes, tints = band.area, band.bits, band.planes, band.tints
    log_cells, log_parts = log.cells, log.parts
    row, row_end, column, column_end = box
    even_odd, sense = rule
    for y in range(row, row_end):
        winding = np.float32(0.0)
        inside = False
        begin = np.int64(0)
        for word in range(column >> 6, (column_end >> 6) + 1):
            lines = band_bits[CROSSED, y, word]
            bits = band_bits[TOUCHED, y, word] | lines
            band_bits[TOUCHED, y, word] = NONE
            band_bits[CROSSED, y, word] = NONE
            while bits != NONE:
                x = word * WORD + lowest_bit(bits)
                if inside and x > begin:
                    ends = _draw_inside(band, log, ends, y, begin, x, paint, start, mode)
                winding += band_area[y, x]
                band_area[y, x] = 0.0
                bit = bits & ~(bits - ONE)
                bits ^= bit
                if lines & bit == NONE:
                    begin = x
                    winding = np.rint(winding)  # no chord here: what is left of it is rounding
                else:
                    begin = x + 1
                    if band_bits[HIDDEN, y, word] & bit == NONE:
                        share, slope = coverage(winding, even_odd, sense)
                        pixel = y * band_area.shape[1] + x
                        if start >= 0:
                            place = start + pixel
                            paint = (tints[0, place], tints[1, place], tints[2, place], paint[3])
                        seen = _draw_cell(band_planes, pixel, share, paint)
                        if mode != DRAW:
                            cells = ends[0]
                            log_cells[cells] = pixel
                            log_parts[cells, 0], log_parts[cells, 1], log_parts[cells, 2] = seen, share, slope
                            ends = (cells + 1, ends[1], ends[2])
                turns = int(np.rint(winding))
                inside = (turns & 1) != 0 if even_odd else turns != 0
        if inside and begin < width:
            ends = _draw_inside(band, log, ends, y, begin, width, paint, start, mode)
    return ends


@fast_shared
def composite(
    band: Any,
    log: Any,
    run: Any,  # the front one
    top: int,
    rows: int,
    width: int,
    geometry: Any,  # of `flatten.Cut`
    style: Any,  # as in `run_bands`
    mode: Any,  # DRAW, KEEP or KEEP_DEEP
) -> Any:
    """Draw a list of runs, front to back, into the band.

    Returns how many runs were logged and 0, or, having stopped halfway, the entries that the log must have room for.
    """
    band_area, band_bits, band_planes = band.area, band.bits, band.planes
    log_cells, log_runs = log.cells, log.runs
    chords, link, run_path, run_head, run_link, _ = geometry
    paints, even_odd, sign, shown, _, _, places = style
    band_planes[:3] = 0.0
    band_planes[3] = 1.0
    band_bits[HIDDEN:] = NONE
    ends = (np.int64(0), np.int64(0), np.int64(0))
    order = np.int64(0)
    while run >= 0:
        path = run_path[run]
        if shown[path]:
            found = box(chords, link, run_head[run], top, rows, width)
            if not _all_hidden(band_bits, found):
                need = max(max(ends[0], ends[1]), ends[2]) + (found[1] - found[0]) * width
                if mode != DRAW and need > len(log_cells):
                    return order, need
                slot = run_head[run]
                while slot >= 0:
                    c = chords[slot]
                    add_chord(c[0], c[1], c[2], c[3], top, width, band_area, band_bits)
                    slot = link[slot]
                if mode != DRAW:
                    log_runs[order, 0], log_runs[order, 1], log_runs[order, 2] = run, ends[0], ends[1]
                    order += 1
                paint = (paints[path, 0], paints[path, 1], paints[path, 2], paints[path, 3])
                ends = _sweep(band, log, ends, found, width, paint, places[0, run], (even_odd[path], sign[path]), mode)
        run = run_link[run]
    if mode != DRAW:
        log_runs[order, 1], log_runs[order, 2] = ends[0], ends[1]
    return order, np.int64(0)
