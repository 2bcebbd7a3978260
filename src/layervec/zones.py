"""Find plain zones: parts of a picture that one colour, or one soft ramp of colours, can stand for.

Drawn art is made of them: fills, and gradients from edge to edge. A zone is a quasi-flat zone (Soille 2008,
https://doi.org/10.1109/TPAMI.2007.70817), pixels that hang together by small steps, if a smooth surface explains its
colours; where it does not, smaller steps are tried. Knows pixels; nothing of trees, shapes or budgets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layervec.types import Bool, Float32, Float64, Int32, Int64

STEPS = (12 / 255, 5 / 255, 2.5 / 255, 1.2 / 255)  # most change of a channel from pixel to pixel, tried in this order
LEAST_ZONE = 16  # px; less is a detail, not a zone
MOST_ZONES = 300  # only the largest are returned; a picture with as many is no drawn art
EVEN = 1.5 / 255  # standard deviation of a zone that is one colour, root of the mean over channels
SMOOTH = 2.5 / 255  # the same of what a smooth surface leaves
UNEXPLAINED = 0.1  # or the share of a zone's variance that it leaves
CALM_SHARE = 0.93  # of the steps from pixel to pixel that are no edges; so many are smaller than one that shows
RIM = 2  # px around zones, antialiased or blurred, that go to the zone that they look like


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """labels: int32 [h, w], which zone each pixel is of, -1 for none. colours: [k, c], means. solid: bool [k]."""

    labels: Int32
    colours: Float64
    solid: Bool

    def __len__(self) -> int:
        return len(self.solid)


def find(pixels: Float32) -> Zones:
    """Return the plain zones of a picture without fringes, the largest first. pixels: [h, w, c]."""
    from layervec import tree_kernels as kernels

    h, w, channels = pixels.shape
    flat = np.ascontiguousarray(pixels.reshape(h * w, channels))
    labels = np.full(h * w, -1, dtype=np.int32)
    solid: list[Bool] = []
    for step in STEPS:
        pieces = kernels.smooth_pieces(flat, labels >= 0, w, step)
        pieces[labels >= 0] = -1
        number = _numbered(pieces, LEAST_ZONE)
        plain, even = _explained(number, flat, w)
        names = np.append(np.where(plain, np.cumsum(plain) - 1 + sum(map(len, solid)), -1), -1)
        labels = np.where(labels >= 0, labels, names[number]).astype(np.int32)
        solid.append(even[plain])
    kept = np.concatenate(solid)
    area = np.bincount(labels + 1, minlength=len(kept) + 1)[1:]
    order = np.argsort(-area, kind="stable")[:MOST_ZONES]
    names = np.full(len(kept) + 1, -1)
    names[order] = np.arange(len(order))
    labels = names[labels].astype(np.int32)
    return Zones(_grown(labels.reshape(h, w), pixels), _means(labels, flat, len(order)), kept[order])


def calm(pixels: Float32) -> bool:
    """Tell whether a picture is free of noise and of what compression leaves: hardly anything is nearly plain."""
    steps = np.abs(np.diff(pixels, axis=1)).max(axis=2)
    return bool((steps <= STEPS[-1]).sum() >= CALM_SHARE * (steps <= STEPS[0]).sum())


def _numbered(pieces: Int32, least: int) -> Int64:
    """Number anew the pieces of at least so many pixels, -1 for all others."""
    size = np.bincount(pieces + 1)
    large = size >= least
    large[0] = False
    return np.asarray(np.where(large, np.cumsum(large) - 1, -1)[pieces + 1])


def _means(labels: Int32 | Int64, flat: Float32, count: int) -> Float64:
    inside = labels >= 0
    area = np.maximum(np.bincount(labels[inside], minlength=count), 1)
    return np.stack([np.bincount(labels[inside], column[inside], count) / area for column in flat.T], axis=1)


def _explained(number: Int64, flat: Float32, w: int) -> tuple[Bool, Bool]:
    """Tell which pieces a smooth surface explains, and which of them a single colour does: bool [k] each."""
    count = int(number.max(initial=-1)) + 1
    inside = np.flatnonzero(number >= 0)
    number, pixels = number[inside], flat[inside].astype(np.float64)
    pixels = pixels - _means(number, flat[inside], count)[number]
    area = np.maximum(np.bincount(number, minlength=count), 1)
    variance = np.bincount(number, (pixels**2).sum(axis=1), count) / area
    channels = flat.shape[1]
    even = variance <= channels * EVEN**2
    plain = even.copy()
    rough = np.flatnonzero(~even[number])
    if len(rough):
        left = _left(number[rough], pixels[rough], inside[rough], w, count) / area
        plain |= left <= np.maximum(channels * SMOOTH**2, UNEXPLAINED * variance)
    return plain, even


def _left(number: Int64, pixels: Float64, places: Int64, w: int, count: int) -> Float64:
    """Squared error that the best quadratic surface leaves of each piece: [k]. pixels: [n, c], less their means."""
    y, x = np.divmod(places, w)

    def centred(values: Int64) -> Float64:
        area = np.maximum(np.bincount(number, minlength=count), 1)
        off = values - (np.bincount(number, values, count) / area)[number]
        return np.asarray(off / np.sqrt(np.bincount(number, off**2, count) / area + 1.0)[number])

    x, y = centred(x), centred(y)
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    size = basis.shape[1]
    gram = np.empty((count, size, size))
    for i in range(size):
        for j in range(i, size):
            gram[:, i, j] = gram[:, j, i] = np.bincount(number, basis[:, i] * basis[:, j], count)
    right = np.stack([[np.bincount(number, b * c, count) for c in pixels.T] for b in basis.T], axis=0).transpose(
        2, 0, 1
    )
    found = np.linalg.solve(gram + 1e-6 * (1 + gram[:, :1, :1]) * np.eye(size), right)
    return np.asarray(np.bincount(number, (pixels**2).sum(axis=1), count) - (found * right).sum(axis=(1, 2)))


def _grown(labels: Int32, pixels: Float32) -> Int32:
    """Give pixels near zones to the one of their neighbours' that looks most like them."""
    h, w = labels.shape
    for _ in range(RIM):
        grown, best = labels.copy(), np.full((h, w), np.inf, dtype=np.float32)
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            here = np.s_[max(0, dy) : h + min(0, dy), max(0, dx) : w + min(0, dx)]
            there = np.s_[max(0, -dy) : h - max(0, dy), max(0, -dx) : w - max(0, dx)]
            off = ((pixels[here] - pixels[there]) ** 2).sum(axis=2)
            better = (labels[here] < 0) & (labels[there] >= 0) & (off < best[here])
            grown[here][better] = labels[there][better]
            best[here][better] = off[better]
        labels = grown
    return labels
