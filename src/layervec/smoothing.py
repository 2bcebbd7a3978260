"""Edge-aware smoothing of a picture under a guide: the recursive domain-transform filter.

Works on bare arrays of four channels: knows nothing of levels, alpha or files. Loads numba: import on use.

Why this one: it is joint (the edges come from a guide, not from the filtered picture, which is what rolling
guidance needs), its weights are convex (no halo, no overshoot) and its cost does not depend on the scale. Its
limit: rows and columns are filtered in turn, so that one round alone leaves streaks.
Source: Gastal and Oliveira, "Domain Transform for Edge-Aware Image and Video Processing", SIGGRAPH 2011,
section 5 (recursive filtering), https://www.inf.ufrgs.br/~eslgastal/DomainTransform/
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from layervec import pool
from layervec.compiled import fast_kernel
from layervec.types import Float32

# Beside black or clear areas values fade towards 0 and end as denormal numbers, which processors handle many
# times slower (a sticker took 1.0 s, not 0.3). So values run from PEDESTAL up, and weights too small to show
# are 0.
PEDESTAL = np.float32(1.0)
LEAST_FEEDBACK = np.float32(1e-9)


def joint_smooth(
    pixels: Float32,
    guide: Float32 | None,
    scale: float,
    contrast: float,
    rounds: int,
    *,
    threads: int | None = None,
) -> Float32:
    """Average each pixel with its neighbours, but not across the guide's edges.

    pixels: float32 [h, w, 4]. guide: float32 [h, w, g], any units, or None for plain smoothing.
    scale: standard deviation in pixels where the guide is flat, above 0. contrast: the change of the guide,
    summed over its channels, that counts like walking `scale` pixels. rounds: over rows and columns, from 1.
    Returns float32 [h, w, 4]; every value is a weighted mean of the input's, and so within their range
    (to 1e-6).
    """
    height, width = pixels.shape[:2]
    across = np.ones((height, width - 1), np.float32)  # distance to the right-hand neighbour
    down = np.ones((height - 1, width), np.float32)  # distance to the neighbour below
    if guide is not None:
        _add_changes(guide, scale / contrast, across, down)
    # Each round halves the scale; the first is set so that the variances add up to scale**2 (paper, eq. 14).
    first = scale * math.sqrt(3.0) * 2.0 ** (rounds - 1) / math.sqrt(4.0**rounds - 1.0)
    rate = np.float32(-math.sqrt(2.0) / first)
    across, down = np.exp(rate * across), np.exp(rate * down)
    out = np.ascontiguousarray(pixels, dtype=np.float32) + PEDESTAL
    for _ in range(rounds):
        across[across < LEAST_FEEDBACK] = 0.0
        down[down < LEAST_FEEDBACK] = 0.0
        pool.split(partial(_sweep_rows, out, across), height, threads)
        pool.split(partial(_sweep_columns, out, down), width, threads)
        across, down = across * across, down * down  # half the scale is the square of the feedback
    out -= PEDESTAL
    return out


@fast_kernel
def _add_changes(guide: Float32, weight: float, across: Float32, down: Float32) -> None:
    """Add weight x the summed absolute change of guide [h, w, g] to across [h, w - 1] and down [h - 1, w]."""
    height, width, channels = guide.shape
    for i in range(height):
        for j in range(width):
            for c in range(channels):
                if j + 1 < width:
                    across[i, j] += weight * abs(guide[i, j + 1, c] - guide[i, j, c])
                if i + 1 < height:
                    down[i, j] += weight * abs(guide[i + 1, j, c] - guide[i, j, c])


@fast_kernel
def _sweep_rows(out: Float32, feedback: Float32, begin: int, end: int) -> None:
    """Filter the rows begin .. end - 1 of out [h, w, 4] in place, rightwards then leftwards.

    feedback: [h, w - 1] in 0..1.
    """
    width = out.shape[1]
    for i in range(begin, end):
        row = out[i]
        # Four running values in registers: as an inner loop over channels this takes twice as long.
        x, y, z, t = row[0, 0], row[0, 1], row[0, 2], row[0, 3]
        for step in range(1, 2 * width - 1):
            j = step if step < width else 2 * width - 2 - step
            a = feedback[i, j - 1] if step < width else feedback[i, j]
            x = row[j, 0] + a * (x - row[j, 0])
            y = row[j, 1] + a * (y - row[j, 1])
            z = row[j, 2] + a * (z - row[j, 2])
            t = row[j, 3] + a * (t - row[j, 3])
            row[j, 0], row[j, 1], row[j, 2], row[j, 3] = x, y, z, t


@fast_kernel
def _sweep_columns(out: Float32, feedback: Float32, begin: int, end: int) -> None:
    """Filter the columns begin .. end - 1 of out [h, w, 4] in place, downwards then upwards.

    feedback: [h - 1, w] in 0..1.
    """
    height = out.shape[0]
    for step in range(1, 2 * height - 1):  # row by row, so that memory is walked in order
        i = step if step < height else 2 * height - 2 - step
        before = i - 1 if step < height else i + 1
        weights = feedback[min(i, before)]
        for j in range(begin, end):
            for c in range(4):
                out[i, j, c] += weights[j] * (out[before, j, c] - out[i, j, c])
