"""A picture in few colours: k-means, started as k-means++ does, on a sample of the pixels.

Knows colours and nothing of places. Same pixels, count and seed, same colours.
"""

from __future__ import annotations

import numpy as np

from layervec.types import Float32, Float64, Int64

SAMPLE = 16384  # pixels that the colours are fitted to; more change them by less than a thousandth
ROUNDS = 10  # of moving colours to their pixels' means, as many as the paper's published code takes
CHUNK = 1 << 24  # distances of pixels to colours that are looked at at one time, for memory: 128 MiB


def reduced(pixels: Float32, count: int, seed: int = 0) -> tuple[Int64, Float32]:
    """Return for each pixel its colour's number, int64 [h, w], and up to `count` colours, float32 [k, c].

    pixels: [h, w, c].
    """
    flat = pixels.reshape(-1, pixels.shape[2])
    random = np.random.default_rng(seed)
    sample = flat if len(flat) <= SAMPLE else flat[np.sort(random.choice(len(flat), SAMPLE, replace=False))]
    centres = _spread(sample.astype(np.float64), count, random)
    for _ in range(ROUNDS):
        nearest = _nearest(sample, centres)
        area = np.bincount(nearest, minlength=len(centres))
        sums = [np.bincount(nearest, column, len(centres)) for column in sample.T]
        centres = np.where((area > 0)[:, None], np.stack(sums, axis=1) / np.maximum(area, 1)[:, None], centres)
    return _nearest(flat, centres).reshape(pixels.shape[:2]), centres.astype(np.float32)


def counted(pixels: Float32) -> tuple[Int64, Float32]:
    """Return the same for all the colours that there are, in steps of 1/255."""
    flat = np.rint(pixels.reshape(-1, pixels.shape[2]) * 255).astype(np.uint8)
    colours, numbers = np.unique(flat, axis=0, return_inverse=True)
    return numbers.reshape(pixels.shape[:2]).astype(np.int64), (colours / 255).astype(np.float32)


def _spread(sample: Float64, count: int, random: np.random.Generator) -> Float64:
    """Draw colours of the sample, far ones more likely than near ones; fewer where there are no more different ones."""
    found = [sample[random.integers(len(sample))]]
    distance = ((sample - found[0]) ** 2).sum(axis=1)
    while len(found) < count and distance.max() > 0:
        running = np.cumsum(distance)
        place = int(np.searchsorted(running, random.random() * running[-1], side="right"))
        found.append(sample[min(place, len(sample) - 1)])
        distance = np.minimum(distance, ((sample - found[-1]) ** 2).sum(axis=1))
    return np.array(found)


def _nearest(colours: Float32, centres: Float64) -> Int64:
    squares, rows = (centres**2).sum(axis=1), max(1, CHUNK // len(centres))
    chunks = (colours[i : i + rows].astype(np.float64) for i in range(0, len(colours), rows))
    return np.concatenate([(squares - 2.0 * chunk @ centres.T).argmin(axis=1) for chunk in chunks])
