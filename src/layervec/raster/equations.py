"""Kernel that turns what a band shows into the normal equations of its colours; see `colours`.

Refuses to know how they are solved.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import fast_inner, fast_shared
from layervec.raster.lanes import LANES, store
from layervec.raster.shades import BLENDS, blends, shaded
from layervec.raster.sweep import PART, WHITE
from layervec.types import STOPS


@fast_inner
def _push(pixel: Any, colour: int, weight: Any, used: Any, chain: Any) -> Any:
    """Put a contributor at the head of a pixel's list; returns how many entries are used now."""
    head, link, contributor, weights = chain
    link[used], contributor[used], weights[used] = head[pixel], colour, weight
    head[pixel] = used
    return used + 1


@fast_inner
def _push_stops(parts: Any, lane: int, pixel: Any, colour: int, weight: float, used: Any, chain: Any) -> Any:
    """Put the stops on both sides of a pixel's place at the head of its list; `colour` is the first stop.

    parts: the blends of its block, [BLENDS * LANES].
    """
    k = 0
    while k < BLENDS - 1 and parts[(k + 1) * LANES + lane] > 0:
        k += 1
    blend = parts[k * LANES + lane]
    for stop in range(2):
        share = blend if stop else np.float32(1.0) - blend
        if weight * share > 0:
            used = _push(pixel, colour + k + stop, weight * share, used, chain)
    return used


@fast_inner
def _keep_blends(row: Any, place: Any, top: Any, stride: Any, parts: Any) -> None:
    """Write the blends of a block to `parts`."""
    _, low, middle, high = blends(row, place, top, stride)
    store(parts, np.uint64(0), low)
    store(parts, np.uint64(LANES), middle)
    store(parts, np.uint64(2 * LANES), high)


@fast_shared
def _chain(
    log: Any,
    count: int,
    run_path: Any,
    style: Any,
    parts: Any,
    top: int,
    stride: int,
    filler: Any,
    owner: Any,
    chain: Any,
) -> Any:
    """Turn the log round, from pixels by colour to colours by pixel, and return how many colours there are.

    Colours count from the front here, and from the first stop of a gradient to its last.

    parts: float32 [BLENDS * LANES or more], scratch.
    filler: int32 [N], receives the colour that fills a pixel alone, or -1.
    owner: int64 [.], receives the number of each colour among all.
    chain: (head int32 [N], link int32 [.], contributor int32 [.], weight float32 [.]), receives linked lists:
    head is the first entry of a pixel, link the next one, -1 ends a list.
    """
    log_cells, log_parts, log_spans, log_above, log_runs = log[0], log[1], log[2], log[3], log[4]
    filler[:] = -1
    chain[0][:] = -1
    paints, _, _, _, table, slots = style
    used: Any = np.int64(0)
    colour: Any = np.int64(0)
    for run in range(count):
        path = run_path[log_runs[run, 0]]
        alpha, graded = paints[path, 3], shaded(table, path)
        colours = np.int64(STOPS if graded else 1)
        for k in range(colours):
            owner[colour + k] = slots[path] + k
        spans = np.int64(log_runs[run + 1, 2] - log_runs[run, 2])
        for item in range(spans + log_runs[run + 1, 1] - log_runs[run, 1]):  # one place to call from
            span, cell = log_runs[run, 2] + item, log_runs[run, 1] + item - spans
            first = np.int64(log_spans[span] if item < spans else log_cells[cell])
            if graded:
                _keep_blends(table[path], first, top, stride, parts)
            for i in range(LANES):
                if item < spans:
                    weight = log_above[span * LANES + i] * alpha
                else:
                    weight = log_parts[cell * PART + i] * log_parts[cell * PART + LANES + i] * alpha
                if weight == 0:
                    continue
                if graded:
                    used = _push_stops(parts, i, first + i, colour, weight, used, chain)
                elif weight == 1.0:
                    filler[first + i] = colour
                else:
                    used = _push(first + i, colour, weight, used, chain)
        colour += colours
    return colour


@fast_shared
def _gather(
    target: Any, through: Any, top: int, rows: int, stride: int, owner: Any, chain: Any, square: Any, right: Any
) -> None:
    """Add up the products of weights of one band, by pairs of its colours, in `square`, and W'b in `right`."""
    filler, head, link, contributor, weights = chain
    channels, _, width = target.shape
    ground = WHITE if channels == 3 else np.float32(0.0)
    for y in range(rows):
        for x in range(width):
            pixel = y * stride + x
            if filler[pixel] >= 0:
                square[filler[pixel], filler[pixel]] += 1.0
                for k in range(3):
                    right[owner[filler[pixel]], k] += target[k, top + y, x]
                continue
            i = head[pixel]
            while i >= 0:
                order, weight = contributor[i], np.float64(weights[i])
                for k in range(3):
                    right[owner[order], k] += weight * (target[k, top + y, x] - ground * through[pixel])
                j = i
                while j >= 0:  # entries later in the list are further in front, so this fills one triangle
                    square[order, contributor[j]] += weight * weights[j]
                    j = link[j]
                i = link[i]


@fast_shared
def add_equations(
    log: Any,
    count: int,  # logged runs
    rows: int,
    top: int,
    stride: int,
    run_path: Any,  # int32 [r]
    style: Any,  # as in `run_bands`
    band: Any,
    target: Any,  # float32 [3 or 4, h, w]
    scratch: Any,  # (`filler`, `chain` and `owner` of `_chain`, square float64 [k, k]), k colours in a band
    triples: Any,  # (rows int64 [.], columns int64 [.], values float64 [.]), receive colours and W'W
    used: int,  # of `triples`
    right: Any,  # float64 [colours, 3 or more], receives W'b
) -> Any:
    """Add the normal equations of one band; returns the triples used then, or minus the room that they need."""
    filler, head, link, contributor, weights, owner, square = scratch
    rows_out, columns_out, values_out = triples
    lists = (head, link, contributor, weights)
    colours = _chain(log, count, run_path, style, band[5], top, stride, filler, owner, lists)
    if used + colours * colours > len(values_out):
        return -(used + colours * colours)
    square[:colours, :colours] = 0.0
    chain = (filler, head, link, contributor, weights)
    _gather(target, band[3], top, rows, stride, owner, chain, square, right)
    for i in range(colours):
        for j in range(colours):
            if square[i, j] != 0:
                rows_out[used], columns_out[used] = owner[i], owner[j]
                values_out[used] = square[i, j]
                used += 1
    return used
