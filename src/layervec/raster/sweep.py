"""Front-to-back compositing of one band of rows, sparse: blocks that borders touch, and insides in whole blocks.

Refuses to know about targets, losses and gradients. What later passes need is left in a `Log`.

Each path's signed areas are summed along the rows from touched block to touched block; a block is `LANES` pixels
side by side, computed at once. Between touched blocks the winding number is an integer, so those stretches are wholly
in or wholly out. Blocks that are opaque all over are marked hidden; nothing further down is drawn, or logged, there.
That is why the order is front to back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from layervec.compiled import fast_inner, fast_shared
from layervec.raster.arena import arena
from layervec.raster.bits import NONE, ONE, WORD, lowest_bit, set_bytes, span_mask
from layervec.raster.cells import BLOCK_BITS, WORD_BITS, add_chords, hold_chords
from layervec.raster.flatten import BAND_ROWS
from layervec.raster.lanes import (
    LANES,
    absolute,
    all_zero,
    if_less,
    last,
    load,
    round_down,
    running_sums,
    splat,
    store,
)
from layervec.raster.shades import SCRATCH, colours, shaded

KINK = np.float32(1e-5)  # signed area: this close to a kink of the fill rule, one side is chosen; see `coverage`
ROUNDING = np.float32(1e-6)  # signed area, most that sums in a row are off by
WHITE = np.float32(1.0)  # ground under a drawing that is compared with an opaque picture (3 channels)
CACHE_LINE = 16  # float32 values
FIRST_LOG = 1 << 12  # blocks of a log; it grows when a band needs more
CELLS_A_BLOCK = 8  # room for cells that chords went through
CLEAR = np.uint8(0)  # mark of a block that no chord runs through
PART = 3 * LANES  # values of a block in `Log.parts`
ZERO, HALF, ONE_PIXEL, TWO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0)

# Modes of `composite`: no log; a log; a log that leaves one more layer visible under opaque insides, as
# derivatives by their alpha need. NumPy integers, because kernels would be compiled once more for each Python
# constant.
DRAW, KEEP, KEEP_DEEP = np.int64(0), np.int64(1), np.int64(2)


# Kernels take the fields of the next two out at their top: in a loop, each `band.bits` becomes code that takes the
# whole tuple apart, which made compiling a tenth slower.
class Band(NamedTuple):
    """Scratch of one band. Pixel x of row y is number y * stride + x; N = rows * stride, a multiple of `LANES`."""

    red: Any  # float32 [N], drawn so far
    green: Any  # float32 [N]
    blue: Any  # float32 [N]
    through: Any  # float32 [N], transmittance, the share left for below; 0 right of the canvas
    area: Any  # float32 [N], of the path at hand: signed areas, or dL/d(area); zero between paths
    shades: Any  # float32 [SCRATCH * LANES], scratch of gradients, see `shades`
    marks: Any  # uint8 [N / LANES + WORD], of blocks that a chord runs through, and their first pixel after
    # Bitmaps with one bit a block: uint64 [rows * words].
    hidden: Any  # where nothing further down is wanted
    covered: Any  # under an opaque inside
    chords: Any  # float64 [6, .], of the path at hand, see `add_chords`
    sums: Any  # float32 [2 * LANES]


class Log(NamedTuple):
    """What was visible, in drawing order (front to back); paths by `run`."""

    cells: Any  # int32 [.], first pixel of each touched block
    parts: Any  # float32 [. * PART], its transmittances above the path, coverages, and slopes of coverage by area
    spans: Any  # int32 [.], first pixel of each inside block
    above: Any  # float32 [. * LANES], its transmittances above the path
    runs: Any  # int32 [runs + 1, 5], from the front: number, and where its cells, spans, walked cells, chords begin
    # What chords of the runs that were logged went through: eight chords side by side, step by step.
    pixels: Any  # int32 [.], the cells
    shares: (
        Any  # float32 [2 * .], lengths of the chords' parts in them as shares of the chords; those times their mean t
    )
    ends: Any  # int32 [.], one past the last cell of each eight chords


def stride_of(width: int) -> int:
    """Return the pixels from row to row: room for a cell more, and rows that do not share their cache lines.

    With a power of two between rows, all cells of a column would compete for one place in the level-1 cache.
    """
    lines = (width + 1 + CACHE_LINE - 1) // CACHE_LINE
    return (lines | 1) * CACHE_LINE


def words_of(width: int) -> int:
    """Return the words of a bitmap from row to row."""
    return ((width - 1) >> WORD_BITS) + 1


def new_band(width: int, chords: int) -> Band:
    """Return scratch for bands of up to `BAND_ROWS` rows and `chords` chords, from the arena of this thread."""
    take, size = arena().take, BAND_ROWS * stride_of(width)
    area, marks = take("area", (size,), np.float32), take("marks", (size // LANES + WORD,), np.uint8)
    hidden, covered = take("bits", (2, BAND_ROWS * words_of(width)), np.uint64)
    area.fill(0.0)
    marks.fill(CLEAR)
    shades = take("shades", (SCRATCH * LANES,), np.float32)
    shades.fill(0.0)
    red, green, blue, through = (take(f"plane_{k}", (size,), np.float32) for k in range(4))
    listed = take("chords", (6, arena().room("chords", chords) + LANES), np.float64)
    sums = take("sums", (2 * LANES,), np.float32)
    return Band(red, green, blue, through, area, shades, marks, hidden, covered, listed, sums)


def new_log(runs: int, need: int) -> Log:
    """Return an empty log with room for `need` blocks of each kind, from the arena of this thread."""
    take, room = arena().take, arena().room("log", need)
    return Log(
        take("log_cells", (room,), np.int32),
        take("log_parts", (room * PART,), np.float32),
        take("log_spans", (room,), np.int32),
        take("log_above", (room * LANES,), np.float32),
        take("log_runs", (arena().room("log_runs", runs) + 1, 5), np.int32),
        take("log_pixels", (room * CELLS_A_BLOCK,), np.int32),
        take("log_shares", (room * CELLS_A_BLOCK * 2,), np.float32),
        take("log_ends", (room * CELLS_A_BLOCK,), np.int32),
    )


@fast_inner
def coverage(area: Any, even_odd: bool, sense: Any) -> Any:
    """Return coverage and its slope by signed area: min(|a|, 1), or a folded into 0..1 for even-odd.

    At a kink both slopes are right. The one that lets an edge on a pixel border move is taken, as outlines
    of pixel regions start there: at 0 the sense of the whole path, elsewhere that of the side below. Coverage that
    rounding keeps from 0 or 1 becomes that, so that what is opaque hides.
    """
    zero, one, kink = splat(ZERO), splat(ONE_PIXEL), splat(KINK)
    most = splat(ONE_PIXEL + KINK)
    size = absolute(area)
    slope = if_less(size, kink, splat(sense), if_less(area, zero, splat(-ONE_PIXEL), one))
    if even_odd:
        turn = size - splat(TWO) * round_down(size * splat(HALF))
        share = if_less(most, turn, splat(TWO) - turn, turn)
        falls = zero - slope
        slope = if_less(most, turn, falls, if_less(turn, kink, if_less(size, one, slope, falls), slope))
    else:
        share = size
        slope = if_less(most, size, zero, slope)
    share = if_less(splat(ONE_PIXEL - ROUNDING), share, one, share)
    return if_less(share, splat(ROUNDING), zero, share), slope


@fast_inner
def _wider(extent: Any, chord: Any) -> Any:
    """Return the extent (least x and y, largest x and y) with a chord in it as well."""
    x0, y0, x1, y1 = chord
    low_x, low_y, high_x, high_y = extent
    low_x, high_x = min(low_x, min(x0, x1)), max(high_x, max(x0, x1))
    return low_x, min(low_y, min(y0, y1)), high_x, max(high_y, max(y0, y1))


@fast_inner
def _box(extent: Any, top: int, rows: int, width: int) -> Any:
    """Return what an extent covers of a band: first row, end row, first column, end column; columns in whole blocks."""
    low_x, low_y, high_x, high_y = extent
    row = int(max(low_y - top, 0.0))
    row_end = int(min(high_y - top, rows - 1.0)) + 1
    block = int(min(max(low_x, 0.0), width - 1.0)) >> BLOCK_BITS
    block_end = (int(min(max(high_x, 0.0), width - 1.0)) >> BLOCK_BITS) + 1
    return row, row_end, block << BLOCK_BITS, block_end << BLOCK_BITS


@fast_inner
def _listed(ends: Any, link: Any, slot: Any, chords: Any, top: int, rows: int, width: int) -> Any:
    """List the chords of a run in `chords`, with points at the end to make them a multiple of eight.

    Returns how many they are, what they can touch, and whether some lie beside the canvas.
    """
    extent, count = (np.inf, np.inf, -np.inf, -np.inf), np.int64(0)
    while slot >= 0:
        chord = (ends[0, slot], ends[1, slot], ends[2, slot], ends[3, slot])
        extent = _wider(extent, chord)
        chords[0][count], chords[1][count], chords[2][count], chords[3][count] = chord
        count += 1
        slot = link[slot]
    for i in range(count, (count + LANES - 1) // LANES * LANES):
        chords[0][i] = chords[2][i] = chords[0][count - 1]
        chords[1][i] = chords[3][i] = chords[1][count - 1]
        chords[4][i] = chords[5][i] = 0.0
    return count, _box(extent, top, rows, width), extent[0] < 0 or extent[2] >= width


@fast_inner
def _all_hidden(hidden: Any, box: Any, words: int) -> bool:
    """Tell whether nothing shows in the box."""
    row, row_end, block, block_end = box[0], box[1], box[2] >> BLOCK_BITS, box[3] >> BLOCK_BITS
    for y in range(row, row_end):
        for word in range(block >> 6, ((block_end - 1) >> 6) + 1):
            if span_mask(word, block, block_end) & ~hidden[np.uint64(y * words + word)] != NONE:
                return False
    return True


@fast_inner
def _hide(band: Any, word: Any, mask: Any, deep: bool) -> None:
    """Hide what lies below opaque blocks; if `deep`, leave one more opaque layer to be seen."""
    hidden, covered = band[7], band[8]
    if deep:
        hidden[word] |= mask & covered[word]
        covered[word] |= mask
    else:
        hidden[word] |= mask


@fast_inner
def _composite(band: Any, place: Any, seen: Any, share: Any, paint: Any, shade: Any) -> Any:
    """Composite a block below what is drawn already, and return the transmittance left.

    seen: transmittances; share: coverage times alpha; paint: lanes of red, green and blue. shade: the table of
    gradients, the path's row of it or -1, the canvas row where the band begins, and its stride.
    """
    red, green, blue, through = band[0], band[1], band[2], band[3]
    weight = seen * share
    rest = seen - weight
    r, g, b = paint
    if shade[1] >= 0:
        r, g, b = colours(shade[0][shade[1]], place, shade[2], shade[3])
    store(red, place, load(red, place) + weight * r)
    store(green, place, load(green, place) + weight * g)
    store(blue, place, load(blue, place) + weight * b)
    store(through, place, rest)
    return rest


@fast_inner
def _draw_inside(
    band: Any, log: Any, spans: Any, row: int, shape: Any, begin: Any, end: Any, paint: Any, shade: Any, mode: Any
) -> Any:
    """Composite, and log, blocks begin .. end - 1 that lie wholly inside the path. Returns how many are logged."""
    through, hidden = band[3], band[7]
    stride, words, _ = shape
    log_spans, log_above = log[2], log[3]
    alpha = splat(paint[3])
    colour = (splat(paint[0]), splat(paint[1]), splat(paint[2]))
    for word in range(begin >> 6, ((end - 1) >> 6) + 1):
        mask = span_mask(word, begin, end)
        at = np.uint64(row * words + word)
        left = mask & ~hidden[at]
        while left != NONE:
            place = np.uint64(row * stride + ((word * WORD + lowest_bit(left)) << BLOCK_BITS))
            left &= left - ONE
            seen = load(through, place)
            if mode != DRAW:
                log_spans[spans] = place
                store(log_above, np.uint64(spans * LANES), seen)
                spans += 1
            _composite(band, place, seen, alpha, colour, shade)
        if paint[3] == 1.0:
            _hide(band, at, mask, mode == KEEP_DEEP)
    return spans


@fast_inner
def _draw_block(
    band: Any, log: Any, cells: Any, place: Any, area: Any, paint: Any, shade: Any, rule: Any, mode: Any
) -> Any:
    """Composite, and log, a block of the path with these windings. Returns whether it is opaque after that."""
    log_cells, log_parts = log[0], log[1]
    share, slope = coverage(area, rule[0], rule[1])
    seen = load(band[3], place)
    if mode != DRAW:
        log_cells[cells] = place
        part = np.uint64(cells * PART)
        store(log_parts, part, seen)
        store(log_parts, part + np.uint64(LANES), share)
        store(log_parts, part + np.uint64(2 * LANES), slope)
    colour = (splat(paint[0]), splat(paint[1]), splat(paint[2]))
    rest = _composite(band, place, seen, share * splat(paint[3]), colour, shade)
    if mode == KEEP_DEEP:
        return paint[3] == 1.0 and all_zero(share - splat(ONE_PIXEL))
    return all_zero(rest)


@fast_inner
def _gap(area: Any, pixel: Any, winding: Any) -> Any:
    """Return the winding number from a block on that no chord runs through, given that before it; clears its area."""
    place = np.uint64(pixel)
    winding = np.rint(winding + area[place])  # what is left of it is rounding
    area[place] = ZERO
    return winding


@fast_inner
def _inside(winding: Any, even_odd: bool) -> bool:
    """Tell whether what has this integer winding number is filled."""
    turns = int(winding)
    return (turns & 1) != 0 if even_odd else turns != 0


@fast_inner
def _sweep(band: Any, log: Any, ends: Any, box: Any, shape: Any, paint: Any, shade: Any, rule: Any, mode: Any) -> Any:
    """Composite the path whose signed areas are in the band, and clear them; returns the cells and spans logged.

    shape: stride; words and blocks of a row.
    """
    area, marks, hidden = band[4], band[6], band[7]
    stride, words, blocks = shape
    cells, spans = ends
    zero = splat(ZERO)
    for y in range(box[0], box[1]):
        winding = ZERO
        begin = np.int64(0)
        for word in range(box[2] >> WORD_BITS, ((box[3] - 1) >> WORD_BITS) + 1):
            at, first = np.uint64(y * words + word), (y * stride >> BLOCK_BITS) + word * WORD
            left = set_bytes(marks, np.uint64(first)) & span_mask(word, 0, blocks)
            while left != NONE:
                block = word * WORD + lowest_bit(left)
                marks[first + lowest_bit(left)] = CLEAR
                bit = left & ~(left - ONE)
                left ^= bit
                if block != begin:
                    winding = _gap(area, y * stride + (begin << BLOCK_BITS), winding)
                    if _inside(winding, rule[0]):
                        spans = _draw_inside(band, log, spans, y, shape, begin, block, paint, shade, mode)
                begin = block + 1
                place = np.uint64(y * stride + (block << BLOCK_BITS))
                windings = running_sums(load(area, place)) + splat(winding)
                store(area, place, zero)
                winding = last(windings)
                if hidden[at] & bit == NONE:
                    if _draw_block(band, log, cells, place, windings, paint, shade, rule, mode):
                        _hide(band, at, bit, mode == KEEP_DEEP)
                    cells += mode != DRAW
        if begin < blocks and _inside(_gap(area, y * stride + (begin << BLOCK_BITS), winding), rule[0]):
            spans = _draw_inside(band, log, spans, y, shape, begin, blocks, paint, shade, mode)
    return cells, spans


@fast_inner
def _clear(band: Any, rows: int, width: int, stride: int) -> None:
    """Make the band empty: nothing drawn, all to be seen, but nothing right of the canvas."""
    red, green, blue, through, hidden, covered = band[0], band[1], band[2], band[3], band[7], band[8]
    red[:] = ZERO
    green[:] = ZERO
    blue[:] = ZERO
    through[:] = ONE_PIXEL
    for y in range(rows):
        through[y * stride + width : (y + 1) * stride] = ZERO
    hidden[:] = NONE
    covered[:] = NONE


@fast_shared
def composite(
    band: Any,
    log: Any,
    run: Any,  # the front one
    top: int,
    rows: int,
    width: int,
    stride: int,
    geometry: Any,  # of `flatten.Cut`
    style: Any,  # as in `run_bands`
    mode: Any,  # DRAW, KEEP or KEEP_DEEP
) -> Any:
    """Draw a list of runs, front to back, into the band.

    Returns how many runs were logged and 0, or, having stopped halfway, the entries that the log must have room for.
    """
    log_cells, log_runs, log_ends = log[0], log[4], log[7]
    shape = (stride, len(band[7]) // BAND_ROWS, (width + LANES - 1) // LANES)
    area, marks, listed = band[4], band[6], band[9]
    chords = (listed[0], listed[1], listed[2], listed[3], listed[4], listed[5])
    sink = (area, marks, log[5], log[6], band[10])
    slots, link, run_path, run_head, run_link, _ = geometry
    paints, even_odd, sign, shown, table, _ = style
    _clear(band, rows, width, stride)
    ends = (np.int64(0), np.int64(0))
    order, group, walked, keep = np.int64(0), np.int64(0), np.uint64(0), mode != DRAW
    while run >= 0:
        path = run_path[run]
        if shown[path]:
            count, box, sides = _listed(slots, link, run_head[run], chords, top, rows, width)
            if not _all_hidden(band[7], box, shape[1]):
                need = max(ends[0], ends[1]) + (box[1] - box[0]) * shape[2]
                if keep:
                    if need > len(log_cells):
                        return order, need
                    log_runs[order, 0], log_runs[order, 1], log_runs[order, 2] = run, ends[0], ends[1]
                    log_runs[order, 3], log_runs[order, 4] = walked, group
                    order += 1
                if sides:
                    hold_chords(chords, count, top, rows, width, stride, area, marks)
                for first in range(0, count, LANES):
                    walked, room = add_chords(
                        chords, np.uint64(first), sides, top, rows, width, stride, sink, walked, keep
                    )
                    if keep:
                        if room > walked:
                            return order, np.int64(room) // CELLS_A_BLOCK + 1
                        log_ends[group] = walked
                        group += 1
                paint = (paints[path, 0], paints[path, 1], paints[path, 2], paints[path, 3])
                rule = (even_odd[path], sign[path])
                shade = (table, path if shaded(table, path) else -1, top, stride)
                ends = _sweep(band, log, ends, box, shape, paint, shade, rule, mode)
        run = run_link[run]
    if keep:
        log_runs[order, 1], log_runs[order, 2] = ends[0], ends[1]
    return order, np.int64(0)
