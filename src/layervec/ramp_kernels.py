"""Compiled: what one gradient saves in a region, from sums over its pixels, and how two regions become one.

Called by `tree_kernels.merge` only, which asks about thousands of pairs: the same numbers as slopes.py has for many
regions at once, without arrays. A region has its area, its mean features and a row of `places`: the middle of its
pixels (x, y), their scatter around it (xx, xy, yy), and the scatter of places against each feature (x, y by feature).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layervec.compiled import inner, kernel
from layervec.types import Float32, Float64

RAMP_PRICE = 0.25  # squared error that a region must save to count as a ramp; steeper is noise of a few pixels
PIXEL_VARIANCE = 1 / 12  # px^2, of a place within its own pixel, as in slopes.py


@kernel
def save_all(area: Float64, places: Float64, saved: Float64) -> None:
    """Write what a gradient saves in each region: [n]."""
    for a in range(len(saved)):
        saved[a] = saved_in(area, places, a)


@inner
def saved_in(area: Float64, places: Float64, a: int) -> Any:
    """Squared error that the best gradient saves in region a against one colour, less RAMP_PRICE; at least 0."""
    pixel = PIXEL_VARIANCE * area[a]
    xx, xy, yy = 0.0, 0.0, 0.0
    for k in range(5, places.shape[1], 2):
        xx += places[a, k] * places[a, k]
        xy += places[a, k] * places[a, k + 1]
        yy += places[a, k + 1] * places[a, k + 1]
    return _worth(places[a, 2] + pixel, places[a, 3], places[a, 4] + pixel, xx, xy, yy)


@inner
def saved_together(mean: Float32, area: Float64, places: Float64, a: int, b: int) -> Any:
    """Return the same of the region that a and b would make."""
    both = area[a] * area[b] / (area[a] + area[b])
    pixel = PIXEL_VARIANCE * (area[a] + area[b])
    dx, dy = places[b, 0] - places[a, 0], places[b, 1] - places[a, 1]
    xx, xy, yy = 0.0, 0.0, 0.0
    for k in range(mean.shape[1]):
        d = both * (mean[b, k] - mean[a, k])
        x = places[a, 5 + 2 * k] + places[b, 5 + 2 * k] + dx * d
        y = places[a, 6 + 2 * k] + places[b, 6 + 2 * k] + dy * d
        xx += x * x
        xy += x * y
        yy += y * y
    return _worth(
        places[a, 2] + places[b, 2] + both * dx * dx + pixel,
        places[a, 3] + places[b, 3] + both * dx * dy,
        places[a, 4] + places[b, 4] + both * dy * dy + pixel,
        xx, xy, yy,
    )  # fmt: skip


@inner
def join(mean: Float32, area: Float64, places: Float64, into: int, other: int) -> None:
    """Add the places of region `other` to those of `into`; areas and means are still those of before."""
    both = area[into] * area[other] / (area[into] + area[other])
    share = area[other] / (area[into] + area[other])
    dx, dy = places[other, 0] - places[into, 0], places[other, 1] - places[into, 1]
    places[into, 2] += places[other, 2] + both * dx * dx
    places[into, 3] += places[other, 3] + both * dx * dy
    places[into, 4] += places[other, 4] + both * dy * dy
    for k in range(mean.shape[1]):
        d = both * (mean[other, k] - mean[into, k])
        places[into, 5 + 2 * k] += places[other, 5 + 2 * k] + dx * d
        places[into, 6 + 2 * k] += places[other, 6 + 2 * k] + dy * d
    places[into, 0] += share * dx
    places[into, 1] += share * dy


@inner
def _worth(sxx: float, sxy: float, syy: float, xx: float, xy: float, yy: float) -> Any:
    """Larger eigenvalue of scatter^-1 products, both symmetric 2 x 2, less the price."""
    det = max(sxx * syy - sxy * sxy, 1e-9 * sxx * syy)
    half = 0.5 * (syy * xx - 2 * sxy * xy + sxx * yy) / det
    rest = (xx * yy - xy * xy) / det
    return max(half + np.sqrt(max(half * half - rest, 0.0)) - RAMP_PRICE, 0.0)
