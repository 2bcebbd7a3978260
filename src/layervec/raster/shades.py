"""Colours of paths with a gradient, block by block, and how a loss changes with all that makes them.

Refuses to know about coverage. A block is `LANES` pixels side by side, and is coloured whenever its colours are asked
for, as that is less work than to keep them, and most of what a path covers is hidden.

Between stops k and k + 1 the blend b_k = (t - offset_k) / (offset_k+1 - offset_k), held in 0..1, makes the colour
first + sum of b_k (colour_k+1 - colour_k): no search and no branch. t is the place on the axis, 0 at its start and 1
at its end. Stops from the first one at the last offset on are not used. All derivatives are sums over pixels of a few
products, see `SUMS`; turning those into derivatives by axis, offsets and colours is left to NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import fast_inner, fast_shared
from layervec.raster.lanes import (
    LANES,
    greater,
    if_less,
    lesser,
    load,
    running_sums,
    splat,
    square_root,
    store,
    total,
)
from layervec.types import LINEAR, RADIAL, STOPS, Float32, Float64, Int64, Ramps

EVEN = 1e-6  # stops closer than this make a jump, this much before them so that rounding does not decide about it
SHARP = 1e30  # rate of a blend at a jump, and most change of place a px
FAR = np.float32(1e15)  # px; further from an axis than this is as good, and squares are still finite
BEFORE, BEYOND = np.float32(-1.0), np.float32(2.0)  # places further from 0..1 are as good as these
TINY = np.float32(1e-12)  # place as near to a centre as matters
NONE, ALL, HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)

# Columns of the table: first the axis, x0, y0, and (x, y) reach / length^2 or (1 / radius, 0); then what kind of paint.
KIND, FIRST, STEP = 4, 5, 8
# Of each blend from `STEP` on: offset, rate, rate as far as it has a derivative, change of colour; all 0 if not used.
STEP_SIZE = 6
BLENDS = STOPS - 1
COLUMNS = STEP + STEP_SIZE * BLENDS

# Sums of a run: weighted dL/d(colour) d; of each blend b: b d, then q and b q where 0 < b < 1, q = dL/d(place); last
# q x, q y from the axis' first point (q / place in place of q if radial), q place, and q.
BLEND_SUMS = 5
AXIS_SUMS = 3 + BLEND_SUMS * BLENDS
SUMS = AXIS_SUMS + 4

# Scratch, float32 [SCRATCH * LANES]: of a block its colour, blends and place; then the sums of a run so far.
KEPT = 4 + BLENDS
SCRATCH = KEPT + SUMS


def table(ramps: Ramps) -> Float32:
    """Return what kernels need of each path: float32 [p, COLUMNS]."""
    kind, axis = ramps.kind, ramps.axis.astype(np.float64)
    offsets, colours = ramps.offsets.astype(np.float64), ramps.colours.astype(np.float64)
    found = np.zeros((len(kind), COLUMNS))
    found[:, :2] = axis[:, :2]
    reach = axis[:, 2:] - axis[:, :2]
    square = (reach**2).sum(axis=1)
    linear, radial = kind == LINEAR, kind == RADIAL
    found[linear, 2:4] = np.divide(reach, square[:, None], out=np.zeros_like(reach), where=square[:, None] > 0)[linear]
    found[radial, 2] = np.divide(1.0, axis[:, 2], out=np.zeros(len(kind)), where=axis[:, 2] > 0)[radial]
    found[:, 2:4] = np.clip(found[:, 2:4], -SHARP, SHARP)
    found[:, KIND] = kind
    found[:, FIRST : FIRST + 3] = colours[:, 0]
    flat = (found[:, 2:4] == 0).all(axis=1)  # an axis without length: everything lies beyond its end
    steps = used(ramps) - 1
    for k in range(BLENDS):
        gap = offsets[:, k + 1] - offsets[:, k]
        jump = gap < EVEN
        rate = 1 / np.where(jump, 1.0, gap)
        column = STEP + k * STEP_SIZE
        found[:, column] = np.where(flat, -SHARP, offsets[:, k] - np.where(jump, EVEN, 0.0))
        found[:, column + 1] = np.where(flat, 1.0, np.where(jump, SHARP, rate))
        found[:, column + 2] = np.where(flat | jump, 0.0, rate)
        found[:, column + 3 : column + 6] = colours[:, k + 1] - colours[:, k]
        found[k >= steps, column : column + STEP_SIZE] = 0.0
    return found.astype(np.float32)


def used(ramps: Ramps) -> Int64:
    """Return how many stops of each ramp count: up to the first one at the last offset; int64 [p]."""
    return np.asarray(np.argmax(ramps.offsets == ramps.offsets[:, -1:], axis=1) + 1, dtype=np.int64)


@fast_inner
def shaded(table: Any, path: Any) -> bool:
    """Tell whether a path has a gradient; the table of a scene without any is empty."""
    return len(table) > 0 and table[path, KIND] != NONE


@fast_inner
def _from_axis(row: Any, place: Any, top: Any, stride: Any) -> Any:
    """Return how far the first pixel of a block lies right of the axis' first point, and below it, px."""
    y = np.int64(place) // stride
    x = np.int64(place) - y * stride
    across, down = np.float32(x) + HALF - row[0], np.float32(top + y) + HALF - row[1]
    return min(max(across, -FAR), FAR), min(max(down, -FAR), FAR)


@fast_inner
def _in_turn() -> Any:
    """Return 0, 1, 2, ... in the lanes."""
    return running_sums(splat(ALL)) - splat(ALL)


@fast_inner
def _blend(row: Any, k: int, at: Any) -> Any:
    step = STEP + k * STEP_SIZE
    return lesser(greater((at - splat(row[step])) * splat(row[step + 1]), splat(NONE)), splat(ALL))


@fast_shared
def blends(row: Any, place: Any, top: Any, stride: Any) -> Any:
    """Return the places of a block's pixels on the axis, and their blends, lanes each.

    row: of the table. place: of the block in its band, which begins with row `top` of the canvas.
    """
    across, down = _from_axis(row, place, top, stride)
    if row[KIND] == RADIAL:
        right, below = splat(across) + _in_turn(), splat(down)
        at = square_root(right * right + below * below) * splat(row[2])
    else:
        at = splat(across * row[2] + down * row[3]) + _in_turn() * splat(row[2])
    at = lesser(greater(at, splat(BEFORE)), splat(BEYOND))
    return at, _blend(row, 0, at), _blend(row, 1, at), _blend(row, 2, at)


@fast_inner
def mixed(row: Any, found: Any) -> Any:
    """Return red, green and blue of a block with these `blends`, lanes each."""
    _, low, middle, high = found
    red, green, blue = splat(row[FIRST]), splat(row[FIRST + 1]), splat(row[FIRST + 2])
    at = STEP + 3
    red += low * splat(row[at])
    green += low * splat(row[at + 1])
    blue += low * splat(row[at + 2])
    at += STEP_SIZE
    red += middle * splat(row[at])
    green += middle * splat(row[at + 1])
    blue += middle * splat(row[at + 2])
    at += STEP_SIZE
    red += high * splat(row[at])
    green += high * splat(row[at + 1])
    blue += high * splat(row[at + 2])
    return red, green, blue


@fast_inner
def colours(row: Any, place: Any, top: Any, stride: Any) -> Any:
    """Return red, green and blue of a block of a path with a gradient, lanes each; arguments as in `blends`."""
    return mixed(row, blends(row, place, top, stride))


@fast_inner
def _add(sums: Any, k: int, value: Any) -> None:
    at = np.uint64(k * LANES)
    store(sums, at, load(sums, at) + value)


@fast_shared
def _add_blend(row: Any, k: int, at: Any, part: Any, pulls: Any, aside: Any, sums: Any) -> None:
    """Add what a block says of blend k. part: the blends. aside: how far pixels lie from the axis' first point."""
    red, green, blue = pulls
    step, first = STEP + k * STEP_SIZE, 3 + k * BLEND_SUMS
    _add(sums, first, part * red)
    _add(sums, first + 1, part * green)
    _add(sums, first + 2, part * blue)
    q = splat(row[step + 3]) * red + splat(row[step + 4]) * green + splat(row[step + 5]) * blue
    q = q * splat(row[step + 2])
    q = if_less(splat(NONE), part, if_less(part, splat(ALL), q, splat(NONE)), splat(NONE))
    _add(sums, first + 3, q)
    _add(sums, first + 4, part * q)
    weight = q
    if row[KIND] == RADIAL:
        weight = q / greater(at, splat(TINY))
    _add(sums, AXIS_SUMS, weight * aside[0])
    _add(sums, AXIS_SUMS + 1, weight * aside[1])
    _add(sums, AXIS_SUMS + 2, q * at)
    _add(sums, AXIS_SUMS + 3, q)


@fast_shared
def keep(table: Any, path: Any, place: Any, top: Any, stride: Any, scratch: Any) -> None:
    """Write colour, blends and place of a block to the first rows of `scratch`; arguments as in `blends`."""
    row = table[path]
    found = blends(row, place, top, stride)
    red, green, blue = mixed(row, found)
    at, low, middle, high = found
    store(scratch, np.uint64(0), red)
    store(scratch, np.uint64(LANES), green)
    store(scratch, np.uint64(2 * LANES), blue)
    store(scratch, np.uint64(3 * LANES), low)
    store(scratch, np.uint64(4 * LANES), middle)
    store(scratch, np.uint64(5 * LANES), high)
    store(scratch, np.uint64(6 * LANES), at)


@fast_shared
def add_up(
    table: Any, path: Any, place: Any, top: Any, stride: Any, red: Any, green: Any, blue: Any, scratch: Any
) -> None:
    """Add what a block says of its gradient to the sums in `scratch`, where it has been kept.

    red, green, blue: weighted dL/d(colour), lanes each. Other arguments as in `blends`.
    """
    row, sums = table[path], scratch[KEPT * LANES :]
    across, down = _from_axis(row, place, top, stride)
    aside, pulls = (splat(across) + _in_turn(), splat(down)), (red, green, blue)
    at = load(scratch, np.uint64(6 * LANES))
    _add(sums, 0, red)
    _add(sums, 1, green)
    _add(sums, 2, blue)
    _add_blend(row, 0, at, load(scratch, np.uint64(3 * LANES)), pulls, aside, sums)
    if row[STEP + STEP_SIZE + 1] != NONE:
        _add_blend(row, 1, at, load(scratch, np.uint64(4 * LANES)), pulls, aside, sums)
    if row[STEP + 2 * STEP_SIZE + 1] != NONE:
        _add_blend(row, 2, at, load(scratch, np.uint64(5 * LANES)), pulls, aside, sums)


@fast_inner
def close(scratch: Any, totals: Any) -> None:
    """Add the sums of a run to its totals, float64 [SUMS], and clear them."""
    sums = scratch[KEPT * LANES :]
    for k in range(SUMS):
        totals[k] += total(load(sums, np.uint64(k * LANES)))
    sums[:] = NONE


def derivatives(ramps: Ramps, sums: Float64) -> tuple[Float64, Float64, Float64]:
    """Turn sums by path, float64 [p, SUMS], into derivatives by axis [p, 4], offsets [p, STOPS], colours [..., 3]."""
    by_axis, by_offset = np.zeros((len(sums), 4)), np.zeros((len(sums), STOPS))
    by_colour = np.zeros((len(sums), STOPS, 3))
    by_colour[:, 0] = sums[:, :3]
    parts = sums[:, 3:AXIS_SUMS].reshape(-1, BLENDS, BLEND_SUMS)
    by_colour[:, 1:] += parts[..., :3]
    by_colour[:, :-1] -= parts[..., :3]
    by_offset[:, :-1] += parts[..., 4] - parts[..., 3]
    by_offset[:, 1:] -= parts[..., 4]
    where, place, pull = sums[:, AXIS_SUMS : AXIS_SUMS + 2], sums[:, -2:-1], sums[:, -1:]
    axis = ramps.axis.astype(np.float64)
    reach = axis[:, 2:] - axis[:, :2]
    square = (reach**2).sum(axis=1, keepdims=True)
    linear, radial = (ramps.kind == LINEAR) & (square[:, 0] > 0), (ramps.kind == RADIAL) & (axis[:, 2] > 0)
    end = where - 2 * place * reach
    both = np.concatenate([-end - pull * reach, end], axis=1)
    by_axis[linear] = both[linear] / square[linear]
    radius = axis[radial, 2:3]
    by_axis[radial, :2] = -where[radial] / radius**2
    by_axis[radial, 2:3] = -place[radial] / radius
    return by_axis, by_offset, by_colour
