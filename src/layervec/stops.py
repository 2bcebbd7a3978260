"""Drop the stops and the gradients that the picture would not miss.

What shows of a shape says how much of it lies at each place of its gradient. A profile with fewer stops is fitted to
the one there is by least squares over these places; the error that this adds is what the stops that went were worth.
Knows gradients and which shape shows at each pixel; nothing of the picture, nor of outlines.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from layervec import crop, ramps
from layervec.optimize import Fit
from layervec.types import SOLID, STOPS, Float64, Ramps

BINS = 64  # places along a gradient that what shows of it is counted at
STOP_PRICE = 0.5  # squared error over all channels, px, that an inner stop must save
RIDGE = 1e-6  # of all that shows, added where colours are solved for; stops that nothing shows of have no other say


def thinned(fit: Fit, width: int, height: int, gradient_price: float, threads: int | None = None) -> Fit:
    """Return shapes, back to front, with only the stops that are worth their bytes; some gradients become one colour.

    gradient_price: squared error over all channels, px, that a gradient must save against one colour.
    """
    found = ramps.simplified(fit.ramps)
    if found is None:
        return fit
    owner, paints = crop.seen(fit, width, height, threads), fit.paints.copy()
    left = Ramps(found.kind.copy(), found.axis, found.offsets.copy(), found.colours.copy())
    order = np.argsort(owner, axis=None, kind="stable")
    ends = np.searchsorted(owner.ravel()[order], np.arange(len(found.kind) + 1))
    for i in np.flatnonzero(found.kind != SOLID):
        pixels = order[ends[i] : ends[i + 1]]
        places = np.stack([pixels % owner.shape[1], pixels // owner.shape[1]], axis=1) + 0.5
        shares = _shares(ramps.parameters(found, int(i), places))
        profile = _profile(found, int(i))
        mean = shares @ profile / max(shares.sum(), 1.0)
        if shares @ ((profile - mean) ** 2).sum(axis=1) >= gradient_price:
            left.offsets[i], left.colours[i] = _needed(found, int(i), profile, shares)
        else:
            left.kind[i] = SOLID
            paints[i, :3] = mean if shares.any() else paints[i, :3]
    return replace(fit, paints=paints, ramps=left)


def _shares(t: Float64) -> Float64:
    """Pixels in each of BINS parts of a gradient's length; what lies beyond its ends counts there."""
    return np.bincount((np.clip(t, 0.0, 1.0) * (BINS - 1) + 0.5).astype(np.int64), minlength=BINS).astype(np.float64)


def _profile(found: Ramps, i: int) -> Float64:
    """The colours of gradient i at BINS places along it: [BINS, 3]."""
    at = np.linspace(0.0, 1.0, BINS)
    return np.stack([np.interp(at, found.offsets[i], column) for column in found.colours[i].T], axis=1)


def _needed(found: Ramps, i: int, profile: Float64, shares: Float64) -> tuple[Float64, Float64]:
    """The offsets, [STOPS], and colours, [STOPS, 3], of gradient i without inner stops that do not pay."""
    offsets, first = np.unique(found.offsets[i].astype(np.float64), return_index=True)
    colours, error = found.colours[i, first].astype(np.float64), 0.0
    while len(offsets) > 2:
        fewer = [np.delete(offsets, k) for k in range(1, len(offsets) - 1)]
        tried = [_fitted(left, profile, shares) for left in fewer]
        k = int(np.argmin([added for _, added in tried]))
        if tried[k][1] - error > STOP_PRICE:
            break
        offsets, (colours, error) = fewer[k], tried[k]
    used = np.minimum(np.arange(STOPS), len(offsets) - 1)  # unused stops repeat the last one
    return offsets[used], np.clip(colours[used], 0.0, 1.0)


def _fitted(offsets: Float64, profile: Float64, shares: Float64) -> tuple[Float64, float]:
    """The colours of stops at these offsets that follow a profile best, and the squared error left."""
    at = np.linspace(0.0, 1.0, BINS)
    hats = np.stack([np.interp(at, offsets, row) for row in np.eye(len(offsets))], axis=1)
    weighted = hats * shares[:, None]
    gram = weighted.T @ hats + RIDGE * max(shares.sum(), 1.0) * np.eye(len(offsets))
    colours = np.linalg.solve(gram, weighted.T @ profile)
    return colours, float(shares @ ((hats @ colours - profile) ** 2).sum(axis=1))
