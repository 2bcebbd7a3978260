"""Fit colour slopes to regions, from sums over their pixels alone.

A slope is a linear gradient before it has ends: colour = centre colour + slope . (place - centre), where all channels
change along one direction. The best one in the least-squares sense has a closed form: the direction is the main
generalised eigenvector of (covariance of place and colour) against (covariance of place), a reduced-rank regression
(https://en.wikipedia.org/wiki/Reduced-rank_regression). Sums are additive, so regions can be priced without touching
pixels. Knows numbers only: no tree, no outlines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layervec import ramps
from layervec.types import LINEAR, STOPS, Float32, Float64, Ramps

PLACES = 11  # sums a region: x, y, xx, xy, yy, x * rgb, y * rgb
PIXEL_VARIANCE = 1 / 12  # px^2, of a place within its own pixel; keeps regions of a few pixels from steep slopes
REACH = 1.7  # standard deviations from the centre to both ends; an even spread ends at 1.73


@dataclass(frozen=True, slots=True)
class Slopes:
    """Slopes of k regions: centre [k, 2] in px, colour there [k, 3], slope [k, 2, 3] a px.

    direction: [k, 2], unit vector along which colours change. deviation: [k], px, standard deviation of the places
    along it.
    """

    centre: Float64
    colour: Float64
    slope: Float64
    direction: Float64
    deviation: Float64


def place_columns(pixels: Float32) -> Float64:
    """Return per pixel what `PLACES` sums are made of: float64 [h, w, PLACES] from [h, w, 3 or more]."""
    h, w = pixels.shape[:2]
    y, x = np.mgrid[0.5:h, 0.5:w]
    rgb = pixels[..., :3]
    return np.concatenate(
        [np.stack([x, y, x * x, x * y, y * y], axis=2), x[..., None] * rgb, y[..., None] * rgb], axis=2
    )


def saved(area: Float64, colours: Float64, places: Float64) -> Float64:
    """Return the squared error that the best slope saves against the mean colour: [k].

    area: [k], above 0. colours: [k, 3], sums. places: [k, PLACES], sums.
    """
    spread, shift = _covariances(area, colours, places)
    return _main_value(spread, _products(shift))


def fit(area: Float64, colours: Float64, places: Float64) -> Slopes:
    """Return the best slopes of regions; arguments as in `saved`."""
    spread, shift = _covariances(area, colours, places)
    products = _products(shift)
    value = _main_value(spread, products)
    rest = products - value[:, None] * spread  # xx, xy, yy; singular, its null vector is the direction
    first = np.stack([-rest[:, 1], rest[:, 0]], axis=1)
    second = np.stack([-rest[:, 2], rest[:, 1]], axis=1)
    direction = np.where((np.abs(first).sum(axis=1) >= np.abs(second).sum(axis=1))[:, None], first, second)
    direction[~direction.any(axis=1)] = 0.0, 1.0  # no direction is better than another
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    x, y = direction.T
    along = spread[:, 0] * x * x + 2 * spread[:, 1] * x * y + spread[:, 2] * y * y
    change = np.einsum("kd,kdc->kc", direction, shift) / along[:, None]
    return Slopes(
        places[:, :2] / area[:, None],
        colours / area[:, None],
        direction[:, :, None] * change[:, None],
        direction,
        np.sqrt(along / area),
    )


def error(square: Float64, area: Float64, colours: Float64, places: Float64, found: Slopes) -> Float64:
    """Return the squared error of regions painted with one slope (k = 1): [n].

    square: [n], sums of the squared colours. The other sums as in `saved`, of n regions.
    """
    slope = found.slope[0]
    base = found.colour[0] - found.centre[0] @ slope
    x, y = slope
    crossed = colours @ base + places[:, 5:8] @ x + places[:, 8:11] @ y
    own = (
        area * (base @ base)
        + 2 * (places[:, 0] * (base @ x) + places[:, 1] * (base @ y))
        + places[:, 2] * (x @ x)
        + 2 * places[:, 3] * (x @ y)
        + places[:, 4] * (y @ y)
    )
    return np.asarray(square - 2 * crossed + own)


def linear(found: Slopes) -> Ramps:
    """Return slopes as linear gradients that run downwards, stops spread evenly, as long as the places spread."""
    downwards = np.where(found.direction[:, 1] < 0, -1.0, 1.0)[:, None]
    reach = found.direction * downwards * (REACH * found.deviation)[:, None]
    step = np.einsum("kd,kdc->kc", reach, found.slope)
    rows = ramps.solids(len(reach))
    rows.kind[:] = LINEAR
    t = np.linspace(0.0, 1.0, STOPS)
    rows.offsets[:] = t
    rows.axis[:] = np.concatenate([found.centre - reach, found.centre + reach], axis=1)
    rows.colours[:] = np.clip(found.colour[:, None] + (2 * t - 1)[:, None] * step[:, None], 0, 1)
    return rows


def _covariances(area: Float64, colours: Float64, places: Float64) -> tuple[Float64, Float64]:
    """Scatter of places, [k, 3] (xx, xy, yy), and of places against colours, [k, 2, 3]."""
    x, y = places[:, 0], places[:, 1]
    spread = places[:, 2:5] - np.stack([x * x, x * y, y * y], axis=1) / area[:, None]
    spread[:, [0, 2]] = np.maximum(spread[:, [0, 2]], 0.0) + PIXEL_VARIANCE * area[:, None]
    shift = places[:, 5:].reshape(-1, 2, 3) - places[:, :2, None] * (colours / area[:, None])[:, None]
    return spread, shift


def _products(shift: Float64) -> Float64:
    x, y = shift[:, 0], shift[:, 1]
    return np.stack([(x * x).sum(axis=1), (x * y).sum(axis=1), (y * y).sum(axis=1)], axis=1)


def _main_value(spread: Float64, products: Float64) -> Float64:
    """Larger eigenvalue of spread^-1 products, both symmetric 2 x 2 as (xx, xy, yy): [k]."""
    det = spread[:, 0] * spread[:, 2] - spread[:, 1] ** 2
    det = np.maximum(det, 1e-9 * spread[:, 0] * spread[:, 2])
    trace = (spread[:, 2] * products[:, 0] - 2 * spread[:, 1] * products[:, 1] + spread[:, 0] * products[:, 2]) / det
    other = (products[:, 0] * products[:, 2] - products[:, 1] ** 2) / det
    return np.asarray(trace / 2 + np.sqrt(np.maximum(trace**2 / 4 - other, 0.0)))
