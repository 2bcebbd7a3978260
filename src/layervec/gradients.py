"""Fit the gradient that explains the pixels of a region best: linear or radial, with up to four stops.

A gradient is a profile of colours over one number a pixel: its place along an axis, or its distance from a centre. The
axis or the centre is the one along which pixels of the same number differ least, whatever the profile; stops are then
placed where straight pieces follow the profile best. Knows pixels and ramps; nothing of regions or their borders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from layervec import ramps, slopes
from layervec.types import LINEAR, RADIAL, STOPS, Float64, Ramps

MOST_PIXELS = 3000  # that a profile is looked for in; others add nothing but time
BINS = 48  # of a profile
KNOTS = 12  # places between both ends that inner stops may have
SEARCH_ROUNDS = 14  # of the pattern search for axes and centres, whose steps halve when nothing is better
RADIAL_SHARE = 0.7  # of the linear gradient's error that a radial one must stay below to be taken
STOP_SHARE = 0.9  # of the error with fewer stops that another stop must come down to
NEGLIGIBLE = 1e-6  # squared error a pixel that no further stop is for


@dataclass(frozen=True, slots=True)
class _Sample:
    places: Float64  # [n, 2]
    colours: Float64  # [n, 3]
    weights: Float64  # [n]


def fit(places: Float64, colours: Float64, weights: Float64) -> Ramps:
    """Return the best gradient as ramps of one row. places: [n, 2], px. colours: [n, 3]. weights: [n], above 0."""
    step = -(-len(places) // MOST_PIXELS)
    sample = _Sample(places[::step], colours[::step], weights[::step])
    axis, straight = _axis(sample)
    centre, round_ = _centre(sample)
    low, high = _ends(sample.places @ axis)
    found, left = _stops(sample, (sample.places @ axis - low) / (high - low))
    middle = sample.places.mean(axis=0)
    start = middle + axis * (low - middle @ axis)
    found.kind[:] = LINEAR
    found.axis[0] = [*start, *(start + axis * (high - low))]
    if round_ < RADIAL_SHARE * straight:
        distance = np.linalg.norm(sample.places - centre, axis=1)
        other, other_left = _stops(sample, distance / distance.max())
        if other_left < RADIAL_SHARE * left:
            found = other
            found.kind[:] = RADIAL
            found.axis[0] = [*centre, distance.max(), 0]
    return found


def _ends(values: Float64) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return low - 0.5, max(high, low + 1.0) + 0.5


def _spread(sample: _Sample, values: Float64) -> float:
    """Squared error that the best profile over these values leaves, all weights together."""
    low, high = _ends(values)
    place = np.minimum((values - low) / (high - low) * BINS, BINS - 1).astype(np.int64)
    total = np.maximum(np.bincount(place, sample.weights, BINS), 1e-9)
    error = 0.0
    for channel in sample.colours.T:
        sums = np.bincount(place, sample.weights * channel, BINS)
        error += float((sample.weights * channel**2).sum() - (sums**2 / total).sum())
    return error


def _search(first: Float64, step: float, error: Callable[[Float64], float]) -> tuple[Float64, float]:
    """Pattern search (https://en.wikipedia.org/wiki/Pattern_search_(optimization)) for the least error."""
    at, best = first, error(first)
    for _ in range(SEARCH_ROUNDS):
        moves = [at + sign * step * unit for unit in np.eye(len(at)) for sign in (-1, 1)]
        errors = [error(move) for move in moves]
        k = int(np.argmin(errors))
        if errors[k] < best:
            at, best = moves[k], errors[k]
        else:
            step /= 2
    return at, best


def _axis(sample: _Sample) -> tuple[Float64, float]:
    """The unit vector along which colours change, and the error left."""
    columns = np.concatenate([sample.places, sample.places[:, :1] * sample.places, sample.places[:, 1:] ** 2], axis=1)
    crossed = [sample.places[:, k : k + 1] * sample.colours for k in (0, 1)]
    sums = sample.weights @ np.concatenate([columns, *crossed], axis=1)
    found = slopes.fit(sample.weights.sum()[None], (sample.weights @ sample.colours)[None], sums[None])
    first = np.arctan2(*found.direction[0, ::-1])

    def along(angle: Float64) -> Float64:
        return np.array([np.cos(angle[0]), np.sin(angle[0])])

    angle, error = _search(np.array([first]), 0.2, lambda angle: _spread(sample, sample.places @ along(angle)))
    axis = along(angle)
    return axis * (-1.0 if axis[1] < 0 else 1.0), error


def _centre(sample: _Sample) -> tuple[Float64, float]:
    """The centre of the circles along which colours stay, and the error left."""
    x, y = (sample.places - sample.places.mean(axis=0)).T
    size = float(np.sqrt((x**2 + y**2).mean())) + 1.0
    basis = np.stack([np.ones_like(x), x, y, x**2 + y**2], axis=1) / [1, size, size, size**2]
    root = np.sqrt(sample.weights)[:, None]
    found = np.linalg.lstsq(basis * root, sample.colours * root, rcond=None)[0]
    bend, slope = found[3], found[1:3]
    guess = -0.5 * size * (slope @ bend) / max(float(bend @ bend), 1e-12)
    guess *= min(1.0, 3 * size / max(float(np.linalg.norm(guess)), 1e-9))

    def error(centre: Float64) -> float:
        return _spread(sample, np.linalg.norm(sample.places - centre, axis=1))

    starts = [sample.places.mean(axis=0), sample.places.mean(axis=0) + guess]
    found_at = [_search(start, size / 2, error) for start in starts]
    return min(found_at, key=lambda one: one[1])


def _stops(sample: _Sample, t: Float64) -> tuple[Ramps, float]:
    """Return ramps with the stops that follow the colours over t (0..1) best, as few as do, and the error left."""
    place = np.minimum(t * BINS, BINS - 1).astype(np.int64)
    weight: Float64 = np.bincount(place, sample.weights, BINS).astype(np.float64)
    full = weight > 0
    sums = np.stack([np.bincount(place, sample.weights * c, BINS) for c in sample.colours.T], axis=1)[full]
    weight = weight[full]
    mean: Float64 = sums / weight[:, None]
    at = (np.bincount(place, sample.weights * t, BINS)[full]) / weight
    within = _spread(sample, t)
    first, last = float(at[0]), float(at[-1])
    grid = first + (last - first) * np.arange(1, KNOTS + 1) / (KNOTS + 1)
    choices: list[list[list[float]]] = [[[]], [[g] for g in grid], [[a, b] for a in grid for b in grid if a < b]]
    best: tuple[float, list[float], Float64] | None = None
    for inner in choices[: STOPS - 1]:
        trials = [_piecewise([first, *knots, max(last, first + 1e-3)], at, mean, weight) for knots in inner]
        k = int(np.argmin([error for error, _ in trials]))
        error = trials[k][0] + within
        enough = best is not None and (error > STOP_SHARE * best[0] or best[0] < NEGLIGIBLE * sample.weights.sum())
        if not enough:
            best = error, [first, *inner[k], max(last, first + 1e-3)], trials[k][1]
    assert best is not None
    found = ramps.solids(1)
    count = len(best[1])
    found.offsets[0] = [*best[1], *[best[1][-1]] * (STOPS - count)]
    found.colours[0] = np.clip(np.concatenate([best[2], np.repeat(best[2][-1:], STOPS - count, axis=0)]), 0, 1)
    return found, best[0]


def _piecewise(knots: list[float], at: Float64, mean: Float64, weight: Float64) -> tuple[float, Float64]:
    """Weighted squared error of straight pieces between knots, and the colours there: [knots, 3]."""
    hats = np.stack([np.interp(at, knots, row) for row in np.eye(len(knots))], axis=1)
    gram = (hats * weight[:, None]).T @ hats + 1e-9 * weight.sum() * np.eye(len(knots))
    right = (hats * weight[:, None]).T @ mean
    colours = np.linalg.solve(gram, right)
    return float((weight[:, None] * (hats @ colours - mean) ** 2).sum()), colours
