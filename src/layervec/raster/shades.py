"""Colours of paths with a gradient, pixel by pixel, and how a loss changes with all that makes them.

Refuses to know about coverage. What is found of the pixels in the box round a path is left in `tints`, float32
[TINT_ROWS, .], laid out as the band from a place `start` on.

Between stops k and k + 1 the blend b_k = (t - offset_k) / (offset_k+1 - offset_k), held in 0..1, makes the colour
first + sum of b_k (colour_k+1 - colour_k): no search and no branch. t is the place on the axis, 0 at its start and 1
at its end. Stops from the first one at the last offset on are not used. All derivatives are sums over pixels of a few
products, see `SUMS`; turning those into derivatives by axis, offsets and colours is left to NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import fast_inner, fast_kernel
from layervec.raster.flatten import BAND_ROWS
from layervec.raster.sweep import box
from layervec.types import LINEAR, RADIAL, SOLID, STOPS, Float64, Int64, Ramps

EVEN = 1e-6  # stops closer than this make a jump, this much before them so that rounding does not decide about it
SHARP = 1e30  # rate of a blend at a jump
BEFORE, BEYOND = np.float32(-1.0), np.float32(2.0)  # places further from 0..1 are as good as these
TINY = np.float32(1e-12)  # place as near to a centre as matters

# Rows of `tints`: colour; blends; place; and, left there by going back, weighted dL/d(colour).
BLEND, PLACE, PULL = 3, 2 + STOPS, 3 + STOPS
TINT_ROWS = PULL + 3

# Columns of the table: first the axis, x0, y0, and (x, y) reach / length^2 or (1 / radius, 0); then how many blends.
STEPS, FIRST, STEP = 4, 5, 8
# Of each blend from `STEP` on: offset, rate, rate as far as it has a derivative, change of colour.
STEP_SIZE = 6
COLUMNS = STEP + STEP_SIZE * (STOPS - 1)

# Sums of a run: weighted dL/d(colour) d; of each blend b: b d, then q and b q where 0 < b < 1, q = dL/d(place); last
# q x, q y from the axis' first point (q / place in place of q if radial), q place, and q.
BLEND_SUMS = 5
AXIS_SUMS = 3 + BLEND_SUMS * (STOPS - 1)
SUMS = AXIS_SUMS + 4


def table(ramps: Ramps) -> Float64:
    """Return what kernels need of each ramp: float64 [p, COLUMNS]."""
    kind, axis = ramps.kind, ramps.axis.astype(np.float64)
    offsets, colours = ramps.offsets.astype(np.float64), ramps.colours.astype(np.float64)
    found = np.zeros((len(kind), COLUMNS))
    found[:, :2] = axis[:, :2]
    reach = axis[:, 2:] - axis[:, :2]
    square = (reach**2).sum(axis=1)
    linear, radial = kind == LINEAR, kind == RADIAL
    found[linear, 2:4] = np.divide(reach, square[:, None], out=np.zeros_like(reach), where=square[:, None] > 0)[linear]
    found[radial, 2] = np.divide(1.0, axis[:, 2], out=np.zeros(len(kind)), where=axis[:, 2] > 0)[radial]
    found[:, STEPS] = used(ramps) - 1
    found[:, FIRST : FIRST + 3] = colours[:, 0]
    flat = (found[:, 2:4] == 0).all(axis=1)  # an axis without length: everything lies beyond its end
    for k in range(STOPS - 1):
        gap = offsets[:, k + 1] - offsets[:, k]
        jump = gap < EVEN
        rate = 1 / np.where(jump, 1.0, gap)
        column = STEP + k * STEP_SIZE
        found[:, column] = np.where(flat, -SHARP, offsets[:, k] - np.where(jump, EVEN, 0.0))
        found[:, column + 1] = np.where(flat, 1.0, np.where(jump, SHARP, rate))
        found[:, column + 2] = np.where(flat | jump, 0.0, rate)
        found[:, column + 3 : column + 6] = colours[:, k + 1] - colours[:, k]
    return found


def used(ramps: Ramps) -> Int64:
    """Return how many stops of each ramp count: up to the first one at the last offset; int64 [p]."""
    return np.asarray(np.argmax(ramps.offsets == ramps.offsets[:, -1:], axis=1) + 1, dtype=np.int64)


@fast_inner
def _shade(tints: Any, kind: Any, row: Any, box: Any, top: Any, stride: Any, start: Any) -> None:
    """Find place, blends and colour of each pixel in a box of the band, and clear `PULL`.

    kind: of the path; row: its row of the table; box: first row, end row, first column and end column.
    """
    x = box[2] + 0.5 - row[0]
    along = row[2]
    place = tints[PLACE]
    for y in range(box[0], box[1]):
        begin, n = np.uint64(start + y * stride + box[2]), np.uint64(box[3] - box[2])
        down = top + y + 0.5 - row[1]
        if kind == RADIAL:
            for i in range(n):
                place[begin + i] = min(np.sqrt((x + i) * (x + i) + down * down) * along, np.float64(BEYOND))
        else:
            first = x * along + down * row[3]
            for i in range(n):
                place[begin + i] = min(max(first + i * along, np.float64(BEFORE)), np.float64(BEYOND))
        for channel in range(3):
            colour = np.float32(row[FIRST + channel])
            for i in range(n):
                tints[channel, begin + i] = colour
                tints[PULL + channel, begin + i] = np.float32(0.0)
        for k in range(int(row[STEPS])):
            at = STEP + k * STEP_SIZE
            offset, rate = np.float32(row[at]), np.float32(row[at + 1])
            r, g, b = np.float32(row[at + 3]), np.float32(row[at + 4]), np.float32(row[at + 5])
            for i in range(n):
                blend = min(max((place[begin + i] - offset) * rate, np.float32(0.0)), np.float32(1.0))
                tints[BLEND + k, begin + i] = blend
                tints[0, begin + i] += blend * r
                tints[1, begin + i] += blend * g
                tints[2, begin + i] += blend * b


@fast_inner
def _add_up(tints: Any, kind: Any, row: Any, box: Any, top: Any, stride: Any, start: Any, sums: Any) -> None:
    """Add to `sums`, float64 [SUMS], what the pixels of a box say by `PULL`, the weighted dL/d(colour)."""
    x = box[2] + 0.5 - row[0]
    radial = np.float32(1.0) if kind == RADIAL else np.float32(0.0)
    linear = np.float32(1.0) - radial
    for y in range(box[0], box[1]):
        begin, n = start + y * stride + box[2], box[3] - box[2]
        down = top + y + 0.5 - row[1]
        red, green = tints[PULL, begin : begin + n], tints[PULL + 1, begin : begin + n]
        blue, place = tints[PULL + 2, begin : begin + n], tints[PLACE, begin : begin + n]
        sum_r = sum_g = sum_b = np.float32(0.0)
        for i in range(n):
            sum_r += red[i]
            sum_g += green[i]
            sum_b += blue[i]
        sums[0] += sum_r
        sums[1] += sum_g
        sums[2] += sum_b
        for k in range(int(row[STEPS])):
            at, blend = STEP + k * STEP_SIZE, tints[BLEND + k, begin : begin + n]
            r, g, b = np.float32(row[at + 3]), np.float32(row[at + 4]), np.float32(row[at + 5])
            rate = np.float32(row[at + 2])
            sum_r = sum_g = sum_b = near = far = np.float32(0.0)
            across = along = pull = 0.0
            for i in range(n):
                part = blend[i]
                sum_r += part * red[i]
                sum_g += part * green[i]
                sum_b += part * blue[i]
                q = rate * (r * red[i] + g * green[i] + b * blue[i])
                if part <= 0.0 or part >= 1.0:
                    q = np.float32(0.0)
                near += q
                far += part * q
                weight = q * (linear + radial / max(place[i], TINY))
                across += weight * (x + i)
                pull += weight
                along += q * place[i]
            place_sums = (sum_r, sum_g, sum_b, near, far)
            for j in range(BLEND_SUMS):
                sums[3 + k * BLEND_SUMS + j] += place_sums[j]
            sums[AXIS_SUMS] += across
            sums[AXIS_SUMS + 1] += pull * down
            sums[AXIS_SUMS + 2] += along
            sums[AXIS_SUMS + 3] += near


@fast_kernel
def shade_bands(
    position: int,  # where to begin in `chosen`
    chosen: Any,  # int64 [.], bands
    stride: int,
    width: int,
    height: int,
    geometry: Any,  # of `flatten.Cut`
    shown: Any,  # bool [p]
    kinds: Any,  # int8 [p]
    table: Any,  # float64 [p, COLUMNS]
    tints: Any,
    places: Any,  # int64 [5, r], receives the start in `tints`, -1 where there is no gradient, and the box of each run
) -> Any:
    """Find the colours of gradients in as many bands as there is room for.

    Returns where in `chosen` it stopped, and the room that it must have to go on.
    """
    chords, link, run_path, run_head, run_link, band_head = geometry
    used = np.int64(0)
    while position < len(chosen):
        top = chosen[position] * BAND_ROWS
        need, run = used, np.int64(band_head[chosen[position]])
        while run >= 0:
            path = run_path[run]
            places[0, run] = -1
            if shown[path] and kinds[path] != SOLID:
                found = box(chords, link, run_head[run], top, min(BAND_ROWS, height - top), width)
                places[0, run] = need
                for k in range(4):
                    places[k + 1, run] = found[k]
                need += found[1] * stride
                if need <= tints.shape[1]:
                    _shade(tints, kinds[path], table[path], found, top, stride, places[0, run])
            run = np.int64(run_link[run])
        if need > tints.shape[1]:
            return position, need
        used, position = need, position + 1
    return position, np.int64(0)


@fast_kernel
def add_up_bands(
    position: int,
    chosen: Any,
    stride: int,
    geometry: Any,
    kinds: Any,
    table: Any,
    tints: Any,
    places: Any,
    sums: Any,  # float64 [r, SUMS], zeros; receives the answer
) -> None:
    """Add up what the pixels of the bands from `position` on say of each run; arguments as in `shade_bands`."""
    _, _, run_path, _, run_link, band_head = geometry
    while position < len(chosen):
        run = np.int64(band_head[chosen[position]])
        while run >= 0:
            start, path = places[0, run], run_path[run]
            if start >= 0:
                found, top = (
                    (places[1, run], places[2, run], places[3, run], places[4, run]),
                    chosen[position] * BAND_ROWS,
                )
                _add_up(tints, kinds[path], table[path], found, top, stride, start, sums[run])
            run = np.int64(run_link[run])
        position += 1


def derivatives(ramps: Ramps, sums: Float64) -> tuple[Float64, Float64, Float64]:
    """Turn sums by path, float64 [p, SUMS], into derivatives by axis [p, 4], offsets [p, STOPS], colours [..., 3]."""
    by_axis, by_offset = np.zeros((len(sums), 4)), np.zeros((len(sums), STOPS))
    by_colour = np.zeros((len(sums), STOPS, 3))
    by_colour[:, 0] = sums[:, :3]
    parts = sums[:, 3:AXIS_SUMS].reshape(-1, STOPS - 1, BLEND_SUMS)
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
