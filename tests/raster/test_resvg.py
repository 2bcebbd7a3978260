"""The rasteriser against resvg, an independent SVG renderer."""

from dataclasses import replace

import numpy as np
import pytest
from raster_scenes import (
    blob,
    blobs,
    circle,
    drawn_by_resvg,
    open_line,
    over_white,
    rounded,
    scene,
    shaded,
    strokes,
    svg,
)

from layervec import raster

SIZE = 128
SIDE = 256  # of the random drawings
MEAN = 0.4 / 255  # allowed mean difference
FAR, FAR_SHARE = 16 / 255, 0.003  # and share of values that differ by more than FAR


@pytest.mark.parametrize("seed", range(4))
def test_resvg_draws_the_same(seed):
    drawn = rounded(blobs(seed, 12, SIZE, SIZE))
    difference = np.abs(over_white(raster.render(drawn, SIZE, SIZE)) - drawn_by_resvg(svg(drawn, SIZE)))
    assert difference.mean() <= MEAN
    assert (difference > FAR).mean() <= FAR_SHARE


def random_fills(rng, count):
    """Return blobs, every other one with a hole, by the fill rule or by its direction, and with gradients on most."""
    shapes = []
    for number in range(count):
        centre, radius = rng.random(2) * SIDE, rng.uniform(16, 80)
        hole = blob(rng, centre, radius * 0.4)
        shapes.append([blob(rng, centre, radius), *[hole[::-1]] * (number % 2)])
    paints = rng.random((count, 4))
    paints[:, 3] = np.where(rng.random(count) < 0.6, 1, rng.uniform(0.3, 1, count))
    return rounded(shaded(scene(shapes, paints, rng.random(count) < 0.5), int(rng.integers(2**32)), SIDE, SIDE))


def random_line(rng):
    """Return a smooth curve, a line with corners, or a circle."""
    kind, count = rng.integers(3), rng.integers(2, 5)
    if kind == 0:
        return circle(rng.random(2) * SIDE, rng.uniform(16, 80))
    ways = np.cumsum(rng.normal(0, 0.7, count + 1)) + rng.uniform(0, 7)
    steps = np.stack([np.cos(ways), np.sin(ways)], axis=1) * rng.uniform(30, 70)
    nodes = rng.random(2) * SIDE + np.cumsum(steps, axis=0)
    if kind == 1:
        return open_line(nodes)
    curve = np.stack([nodes - steps / 3, nodes, nodes + steps / 3], axis=1)
    return curve.reshape(-1, 2)[1:-1]


def random_strokes(rng, count):
    lines = strokes(
        [[random_line(rng)] for _ in range(count)],
        rng.uniform(1.5, 9, count),
        join=[str(rng.choice(["miter", "round", "bevel"])) for _ in range(count)],
        cap=[str(rng.choice(["butt", "round", "square"])) for _ in range(count)],
    )
    paints = rng.random((count, 4), dtype=np.float32)
    paints[:, 3] = np.where(rng.random(count) < 0.6, 1, np.maximum(paints[:, 3], 0.3))
    return rounded(replace(lines, paints=paints))


def random_drawing(seed):
    """Return our picture of a random drawing with holes, gradients, strokes and alpha, and the drawing as SVG text."""
    rng = np.random.default_rng(seed)
    fills, lines = random_fills(rng, 5), random_strokes(rng, 3)
    drawn = raster.stack(fills, raster.outline_strokes(lines)[0])
    return over_white(raster.render(drawn, SIDE, SIDE)), svg(fills, SIDE, lines)


def test_resvg_draws_a_hundred_random_drawings_the_same():
    # Most of what differs is how resvg cuts curves and strokes up: for the size that it draws at, see the next test.
    means, shares = [], []
    for seed in range(100):
        ours, text = random_drawing(seed)
        difference = np.abs(ours - drawn_by_resvg(text))
        means.append(difference.mean())
        shares.append((difference > FAR).mean())  # of red, green and blue values
    assert np.mean(means) <= MEAN
    assert np.mean(shares) <= FAR_SHARE
    assert max(means) <= 2 * MEAN


@pytest.mark.parametrize("seed", range(12))
def test_resvg_draws_each_the_same_where_its_strokes_are_fine(seed):
    ours, text = random_drawing(seed)
    times = 4
    whole = f'width="{SIDE}" height="{SIDE}"'
    large = text.replace(whole, f'width="{times * SIDE}" height="{times * SIDE}" viewBox="0 0 {SIDE} {SIDE}"', 1)
    theirs = drawn_by_resvg(large).reshape(3, SIDE, times, SIDE, times).mean(axis=(2, 4))
    difference = np.abs(ours - theirs)
    assert difference.mean() <= MEAN
    assert (difference.max(axis=0) > FAR).mean() <= FAR_SHARE
