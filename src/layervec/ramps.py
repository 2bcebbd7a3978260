"""Fit colour ramps to regions, from sums over their pixels alone.

A ramp is a linear gradient before it has ends: colour = centre colour + slope . (place - centre), where all channels
change along one direction. The best one in the least-squares sense has a closed form: the direction is the main
generalised eigenvector of (covariance of place and colour) against (covariance of place), a reduced-rank regression
(https://en.wikipedia.org/wiki/Reduced-rank_regression). Sums are additive, so regions can be priced without touching
pixels. Knows numbers only: no tree, no outlines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from layervec.types import (
    LINEAR,
    RADIAL,
    SOLID,
    STOPS,
    Bool,
    Float32,
    Float64,
    Int64,
    LinearGradient,
    Paint,
    RadialGradient,
    Ramps,
    Solid,
    Stop,
)

PLACES = 11  # sums a region: x, y, xx, xy, yy, x * rgb, y * rgb
PIXEL_VARIANCE = 1 / 12  # px^2, of a place within its own pixel; keeps regions of a few pixels from steep slopes
REACH = 1.7  # standard deviations from the centre to both ends; an even spread ends at 1.73
LEAST_CHANGE = 3 / 255  # a gradient whose colours differ by less in every channel is one colour
BEND = 4 / 255  # a stop that lies this close to the colours beside it goes


@dataclass(frozen=True, slots=True)
class Fitted:
    """Ramps of k regions: centre [k, 2] in px, colour there [k, 3], slope [k, 2, 3] a px.

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
    """Return the squared error that the best ramp saves against the mean colour: [k].

    area: [k], above 0. colours: [k, 3], sums. places: [k, PLACES], sums.
    """
    spread, shift = _covariances(area, colours, places)
    return _main_value(spread, _products(shift))


def fit(area: Float64, colours: Float64, places: Float64) -> Fitted:
    """Return the best ramps of regions; arguments as in `saved`."""
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
    return Fitted(
        places[:, :2] / area[:, None],
        colours / area[:, None],
        direction[:, :, None] * change[:, None],
        direction,
        np.sqrt(along / area),
    )


def error(square: Float64, area: Float64, colours: Float64, places: Float64, ramp: Fitted) -> Float64:
    """Return the squared error of regions painted with one ramp (k = 1): [n].

    square: [n], sums of the squared colours. The other sums as in `saved`, of n regions.
    """
    slope = ramp.slope[0]
    base = ramp.colour[0] - ramp.centre[0] @ slope
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


def solids(count: int) -> Ramps:
    """Return the ramps of `count` paths that have none."""
    return Ramps(
        np.zeros(count, np.int8),
        np.zeros((count, 4), np.float32),
        np.tile(np.array([0, 0.5, 1, 1], np.float32), (count, 1)),
        np.zeros((count, STOPS, 3), np.float32),
    )


def linear(ramp: Fitted) -> Ramps:
    """Return fitted ramps as linear gradients that run downwards, with three stops, as long as the places spread."""
    reach = ramp.direction * np.where(ramp.direction[:, 1] < 0, -1.0, 1.0)[:, None] * (REACH * ramp.deviation)[:, None]
    step = np.einsum("kd,kdc->kc", reach, ramp.slope)
    ramps = solids(len(reach))
    ramps.kind[:] = LINEAR
    ramps.axis[:] = np.concatenate([ramp.centre - reach, ramp.centre + reach], axis=1)
    ramps.colours[:] = np.clip(ramp.colour[:, None] + np.array([-1, 0, 1, 1])[:, None] * step[:, None], 0, 1)
    return ramps


def paint(paints: Float64, ramps: Ramps | None, i: int) -> Paint:
    """Return what path i is filled with, as a drawing has it. paints: [k, 4], straight RGBA."""
    red, green, blue, alpha = (float(value) for value in paints[i])
    if ramps is None or ramps.kind[i] == SOLID:
        return Solid(red, green, blue, alpha)
    stops: dict[float, Stop] = {}
    for offset, colour in zip(ramps.offsets[i].tolist(), ramps.colours[i].tolist(), strict=True):
        stops.setdefault(offset, Stop(offset, *colour))
    x, y, *rest = ramps.axis[i].tolist()
    if ramps.kind[i] == LINEAR:
        return LinearGradient((x, y), (rest[0], rest[1]), tuple(stops.values()), alpha)
    return RadialGradient((x, y), rest[0], tuple(stops.values()), alpha)


def rows(paints: Sequence[Paint]) -> tuple[Float64, Ramps | None]:
    """Return straight RGBA, float64 [k, 4], and gradients of what paths are filled with: the inverse of `paint`."""
    flat, found = np.ones((len(paints), 4)), solids(len(paints))
    for i, given in enumerate(paints):
        stops = (given,) if isinstance(given, Solid) else given.stops
        colours = np.array([(stop.red, stop.green, stop.blue) for stop in stops])
        flat[i] = *colours.mean(axis=0), given.alpha
        if isinstance(given, Solid):
            continue
        used = np.minimum(np.arange(STOPS), len(stops) - 1)  # unused stops repeat the last one
        found.offsets[i] = np.array([stop.offset for stop in given.stops])[used]
        found.colours[i] = colours[used]
        if isinstance(given, LinearGradient):
            found.kind[i], found.axis[i] = LINEAR, (*given.start, *given.end)
        else:
            found.kind[i], found.axis[i] = RADIAL, (*given.centre, given.radius, 0.0)
    return flat, found if found.kind.any() else None


def planes(paints: Float64, ramps: Ramps | None) -> Float64:
    """Return what each path is painted with as colour at the origin, change a px to the right and downwards: [k, 3, 3].

    Beyond the ends of a gradient its colour goes on changing here.
    """
    found = np.zeros((len(paints), 3, 3))
    found[:, 0] = paints[:, :3]
    if ramps is not None:
        for i in np.flatnonzero(ramps.kind == LINEAR):
            start, reach = ramps.axis[i, :2], ramps.axis[i, 2:] - ramps.axis[i, :2]
            slope = np.outer(reach / max(float(reach @ reach), 1e-9), ramps.colours[i, -1] - ramps.colours[i, 0])
            found[i] = np.concatenate([[ramps.colours[i, 0] - start @ slope], slope])
    return found


def coloured(ramps: Ramps, stops: Float32) -> Ramps:
    """Return the ramps with other colours, [k, STOPS, 3]; unused stops repeat the last one's."""
    colours = np.clip(stops, 0, 1)
    for place in range(1, STOPS):
        unused = ramps.offsets[:, place] == ramps.offsets[:, place - 1]
        colours[unused, place] = colours[unused, place - 1]
    return replace(ramps, colours=colours)


def simplified(ramps: Ramps | None) -> Ramps | None:
    """Return the ramps without stops that do not show, and without those that are hardly more than one colour."""
    if ramps is None:
        return None
    found = Ramps(ramps.kind.copy(), ramps.axis, ramps.offsets.copy(), ramps.colours.copy())
    for i in np.flatnonzero(found.kind != SOLID):
        if np.ptp(found.colours[i], axis=0).max() < LEAST_CHANGE:
            found.kind[i] = SOLID
            continue
        first, middle, last = found.offsets[i, :3]
        share = (middle - first) / max(last - first, 1e-9)
        between = found.colours[i, 0] + share * (found.colours[i, 2] - found.colours[i, 0])
        if np.abs(found.colours[i, 1] - between).max() < BEND:
            found.offsets[i, 1:], found.colours[i, 1:] = last, found.colours[i, 2]
    return found


def premultiplied(paints: Float64, ramps: Ramps | None, channels: int) -> Float64:
    """Return `planes` times alpha, and alpha itself where there are four channels: [k, 3, channels]."""
    found = np.zeros((len(paints), 3, channels))
    found[..., :3] = planes(paints, ramps) * paints[:, None, 3:]
    if channels == 4:
        found[:, 0, 3] = paints[:, 3]
    return found


def only(ramps: Ramps | None, kept: Int64 | Bool) -> Ramps | None:
    """Return the rows of these paths, in this order; None stays None."""
    if ramps is None:
        return None
    return Ramps(ramps.kind[kept], ramps.axis[kept], ramps.offsets[kept], ramps.colours[kept])


def filled(ramps: Ramps, others: Ramps) -> Ramps:
    """Return the ramps with those of `others` where they have none."""
    new = (ramps.kind == SOLID) & (others.kind != SOLID)
    return Ramps(
        np.where(new, others.kind, ramps.kind),
        np.where(new[:, None], others.axis, ramps.axis),
        np.where(new[:, None], others.offsets, ramps.offsets),
        np.where(new[:, None, None], others.colours, ramps.colours),
    )


def joined(first: Ramps | None, second: Ramps | None) -> Ramps | None:
    """Return the rows of both, one after the other; None if there are none in either."""
    if first is None or second is None:
        return None
    return Ramps(
        np.concatenate([first.kind, second.kind]),
        np.concatenate([first.axis, second.axis]),
        np.concatenate([first.offsets, second.offsets]),
        np.concatenate([first.colours, second.colours]),
    )


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
