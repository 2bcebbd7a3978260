"""Fit the gradient that explains the pixels of a region best: linear or radial, with up to four stops.

A gradient is a profile of colours over one number a pixel: its place along an axis, or its distance from a centre. The
axis or the centre is the one along which pixels of the same number differ least, whatever the profile; stops are then
placed where straight pieces follow the profile best. Knows pixels and ramps; nothing of regions or their borders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from layervec import ramps, slopes
from layervec.types import LINEAR, RADIAL, STOPS, Float64, Ramps

MOST_PIXELS = 3000  # that a profile is looked for in; others add nothing but time
BINS = 48  # of a profile
KNOTS = 12  # places between both ends that inner stops may have
FIRST_TURN = 0.2  # radians, first step of the search for an axis
FARTHEST_CENTRE = 3.0  # sizes of the region that a guessed centre may lie from its middle
SEARCH_ROUNDS = 14  # of the pattern search for axes and centres, whose steps halve when nothing is better
RADIAL_SHARE = 0.7  # of the linear gradient's error that a radial one must stay below to be taken
STOP_SHARE = 0.9  # of the error with fewer stops that another stop must come down to
NEGLIGIBLE = 1e-6  # squared error a pixel that no further stop is for
LEAST_SPAN = 1e-3  # between the first stop and the last one, of the gradient's length
RIDGE = 1e-9  # of all weights, added where colours are solved for; knots with no pixels between them have no other say


@dataclass(frozen=True, slots=True)
class _Sample:
    """The pixels of a region that a gradient is looked for in."""

    places: Float64  # [n, 2], px
    colours: Float64  # [n, 3]
    weights: Float64  # [n]


def fit(places: Float64, colours: Float64, weights: Float64) -> Ramps:
    """Return the best gradient of n pixels as ramps of one row.

    places: [n, 2], px, middles. colours: [n, 3], sRGB-encoded, 0..1. weights: [n], above 0.
    """
    step = -(-len(places) // MOST_PIXELS)
    sample = _Sample(places[::step], colours[::step], weights[::step])
    axis, axis_error = _axis(sample)
    centre, centre_error = _centre(sample)
    found, error = _linear(sample, axis)
    if centre_error < RADIAL_SHARE * axis_error:
        other, other_error = _radial(sample, centre)
        if other_error < RADIAL_SHARE * error:
            return other
    return found


def _linear(sample: _Sample, axis: Float64) -> tuple[Ramps, float]:
    """Return the best gradient along an axis, a unit vector, and the error left."""
    along = sample.places @ axis
    low, high = _ends(along)
    found, error = _stops(sample, (along - low) / (high - low))
    middle = sample.places.mean(axis=0)
    start = middle + axis * (low - middle @ axis)
    found.kind[:] = LINEAR
    found.axis[0] = [*start, *(start + axis * (high - low))]
    return found, error


def _radial(sample: _Sample, centre: Float64) -> tuple[Ramps, float]:
    """Return the best gradient around a centre, and the error left."""
    distance = np.linalg.norm(sample.places - centre, axis=1)
    radius = distance.max()
    found, error = _stops(sample, distance / radius)
    found.kind[:] = RADIAL
    found.axis[0] = [*centre, radius, 0]
    return found, error


def _ends(values: Float64) -> tuple[float, float]:
    """Where pixels with these middles, px, begin and end: at least two apart, so that no gradient has no length."""
    low, high = float(values.min()), float(values.max())
    return low - 0.5, max(high, low + 1.0) + 0.5


def _spread(sample: _Sample, values: Float64) -> float:
    """Squared error that the best profile over these values, px, leaves, all weights together."""
    low, high = _ends(values)
    return _within(sample, (values - low) / (high - low))


def _within(sample: _Sample, t: Float64) -> float:
    """Squared error of the colours in bins of t (0..1) against their means."""
    place = np.minimum(t * BINS, BINS - 1).astype(np.int64)
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

    angle, error = _search(np.array([first]), FIRST_TURN, lambda angle: _spread(sample, sample.places @ along(angle)))
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
    guess *= min(1.0, FARTHEST_CENTRE * size / max(float(np.linalg.norm(guess)), 1e-9))

    def error(centre: Float64) -> float:
        return _spread(sample, np.linalg.norm(sample.places - centre, axis=1))

    starts = [sample.places.mean(axis=0), sample.places.mean(axis=0) + guess]
    found_at = [_search(start, size / 2, error) for start in starts]
    return min(found_at, key=lambda one: one[1])


@dataclass(frozen=True, slots=True)
class _Profile:
    """Colours over t in 0..1, by b bins that hold pixels."""

    at: Float64  # [b], mean t
    colours: Float64  # [b, 3], means
    weights: Float64  # [b]


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Straight pieces between s stops, and the weighted squared error against the means of bins."""

    offsets: list[float]  # s
    colours: Float64  # [s, 3]
    error: float


def _stops(sample: _Sample, t: Float64) -> tuple[Ramps, float]:
    """Return ramps with the stops that follow the colours over t (0..1) best, as few as do, and the error left."""
    profile, within = _profile(sample, t), _within(sample, t)
    first, last = float(profile.at[0]), float(profile.at[-1])
    end = max(last, first + LEAST_SPAN)
    grid = (first + (last - first) * np.arange(1, KNOTS + 1) / (KNOTS + 1)).tolist()
    best = _fitted([first, end], profile)
    for count in range(1, STOPS - 1):
        if best.error + within < NEGLIGIBLE * sample.weights.sum():
            break
        trials = [_fitted([first, *inner, end], profile) for inner in combinations(grid, count)]
        trial = min(trials, key=lambda one: one.error)
        if trial.error + within <= STOP_SHARE * (best.error + within):
            best = trial
    return _row(best), best.error + within


def _profile(sample: _Sample, t: Float64) -> _Profile:
    place = np.minimum(t * BINS, BINS - 1).astype(np.int64)
    weights: Float64 = np.bincount(place, sample.weights, BINS).astype(np.float64)
    columns = [t, *sample.colours.T]
    sums = np.stack([np.bincount(place, sample.weights * column, BINS) for column in columns], axis=1)
    full = weights > 0
    means = sums[full] / weights[full][:, None]
    return _Profile(means[:, 0], means[:, 1:], weights[full])


def _fitted(offsets: list[float], profile: _Profile) -> _Pieces:
    """The straight pieces between stops at these offsets that follow a profile best."""
    hats = np.stack([np.interp(profile.at, offsets, row) for row in np.eye(len(offsets))], axis=1)
    weights = profile.weights[:, None]
    gram = (hats * weights).T @ hats + RIDGE * profile.weights.sum() * np.eye(len(offsets))
    colours = np.linalg.solve(gram, (hats * weights).T @ profile.colours)
    return _Pieces(offsets, colours, float((weights * (hats @ colours - profile.colours) ** 2).sum()))


def _row(pieces: _Pieces) -> Ramps:
    """Ramps of one row with these stops, as yet without a place."""
    found = ramps.solids(1)
    used = np.minimum(np.arange(STOPS), len(pieces.offsets) - 1)  # unused stops repeat the last one
    found.offsets[0] = np.array(pieces.offsets)[used]
    found.colours[0] = np.clip(pieces.colours[used], 0, 1)
    return found
