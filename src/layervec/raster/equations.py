"""Kernel that turns what a band shows into the normal equations of its colours; see `colours`.

Refuses to know how they are solved.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import fast_inner, fast_shared
from layervec.raster.sweep import WHITE


@fast_inner
def _push(pixel: Any, run: int, weight: float, used: Any, chain: Any) -> Any:
    """Put a contributor at the head of a pixel's list; returns how many entries are used now."""
    head, link, contributor, weights = chain
    link[used], contributor[used], weights[used] = head[pixel], run, weight
    head[pixel] = used
    return used + 1


@fast_shared
def _chain(log: Any, count: int, run_path: Any, paints: Any, filler: Any, chain: Any) -> None:
    """Turn the log round, from pixels by run to runs by pixel. Runs count from the front here.

    filler: int32 [N], receives the opaque run that fills a pixel alone, or -1.
    chain: (head int32 [N], link int32 [.], contributor int32 [.], weight float32 [.]), receives linked lists:
    head is the first entry of a pixel, link the next one, -1 ends a list.
    """
    log_above, log_cells, log_parts, log_runs, log_spans = log.above, log.cells, log.parts, log.runs, log.spans
    filler[:] = -1
    chain[0][:] = -1
    used: Any = np.int64(0)
    for run in range(count):
        alpha = paints[run_path[log_runs[run, 0]], 3]
        for span in range(log_runs[run, 2], log_runs[run + 1, 2]):
            begin, length, place = log_spans[span, 0], log_spans[span, 1], log_spans[span, 2]
            for i in range(length):
                weight = log_above[place + i] * alpha
                if weight == 1.0:
                    filler[begin + i] = run
                elif weight > 0:
                    used = _push(begin + i, run, weight, used, chain)
        for cell in range(log_runs[run, 1], log_runs[run + 1, 1]):
            weight = log_parts[cell, 0] * log_parts[cell, 1] * alpha
            if weight > 0:
                used = _push(np.int64(log_cells[cell]), run, weight, used, chain)


@fast_shared
def _gather(
    target: Any, through: Any, top: int, rows: int, stride: int, log_runs: Any, chain: Any, square: Any, right: Any
) -> None:
    """Add up the products of weights of one band, by pairs of its runs, in `square`, and W'b in `right`."""
    filler, head, link, contributor, weights = chain
    channels, _, width = target.shape
    ground = WHITE if channels == 3 else np.float32(0.0)
    for y in range(rows):
        for x in range(width):
            pixel = y * stride + x
            if filler[pixel] >= 0:
                square[filler[pixel], filler[pixel]] += 1.0
                for k in range(3):
                    right[log_runs[filler[pixel], 0], k] += target[k, top + y, x]
                continue
            i = head[pixel]
            while i >= 0:
                order, weight = contributor[i], np.float64(weights[i])
                for k in range(3):
                    right[log_runs[order, 0], k] += weight * (target[k, top + y, x] - ground * through[pixel])
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
    paints: Any,  # float32 [p, 4]
    target: Any,  # float32 [3 or 4, h, w]
    through: Any,  # float32 [N], transmittance below everything
    scratch: Any,  # (`filler` and `chain` of `_chain`, square float64 [k, k]), k runs in a band
    triples: Any,  # (rows int64 [.], columns int64 [.], values float64 [.]), receive paths and W'W
    used: int,  # of `triples`
    right: Any,  # float64 [r, 3 or more], receives W'b by run
) -> Any:
    """Add the normal equations of one band; returns the triples used then, or minus the room that they need."""
    filler, head, link, contributor, weights, square = scratch
    rows_out, columns_out, values_out = triples
    log_runs = log.runs
    if used + count * count > len(values_out):
        return -(used + count * count)
    square[:count, :count] = 0.0
    _chain(log, count, run_path, paints, filler, (head, link, contributor, weights))
    chain = (filler, head, link, contributor, weights)
    _gather(target, through, top, rows, stride, log_runs, chain, square, right)
    for i in range(count):
        for j in range(count):
            if square[i, j] != 0:
                rows_out[used], columns_out[used] = run_path[log_runs[i, 0]], run_path[log_runs[j, 0]]
                values_out[used] = square[i, j]
                used += 1
    return used
