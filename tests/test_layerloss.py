"""The structure losses: nothing where outlines are their masks, derivatives as differences say, layers apart."""

from __future__ import annotations

import numpy as np
import pytest

from layervec import curves, stacking
from layervec.layerloss import FAINT, SINGLE, LayerLoss
from layervec.segment import Mask

SIZE = (32, 48)


def box(top, left, bottom, right):
    pixels = np.zeros(SIZE, dtype=bool)
    pixels[top:bottom, left:right] = True
    return pixels


def built(*boxes):
    """Return the loss of some boxes on a canvas and the points of exact outlines."""
    masks = [Mask(each, 1.0, 0) for each in boxes]
    pile = stacking.stack(masks, np.ones(SIZE, dtype=bool), 10)
    order = pile.order()
    outlines = [curves.fit(mask, 0.6) for mask in pile.masks]
    points = np.concatenate([outlines[i].points for i in order]).astype(np.float32)
    places = np.cumsum([0, *(len(outlines[i].points) for i in order)])
    return (
        LayerLoss(pile, order, outlines, 0, 1),
        points,
        {int(i): slice(a, b) for i, a, b in zip(order, places[:-1], places[1:], strict=True)},
    )


def test_outlines_that_are_their_masks_cost_nothing():
    loss, points, _ = built(box(4, 4, 28, 24), box(8, 8, 20, 16), box(4, 28, 20, 44))
    assert loss(points)[0] < 1e-3


def test_one_faint_shape_is_not_dark_and_two_are():
    assert FAINT < SINGLE < 1 - (1 - FAINT) ** 2


def test_shapes_of_one_layer_may_not_overlap_but_those_of_two_may():
    loss, points, places = built(box(4, 4, 28, 24), box(4, 24, 28, 44))
    moved = points.copy()
    moved[places[2]] -= [3, 0]
    nested, nested_points, _ = built(box(4, 4, 28, 24), box(8, 8, 20, 16))
    assert nested(nested_points)[0] < 1e-3
    # 24 rows of 3 pixels, twice as dark as allowed in three channels.
    beyond = 3 * 24 * 3 * (1 - 0.7**2 - SINGLE) * 2e-7 * 3 * 512**2
    colours = np.random.default_rng(0).uniform(0.0, 0.8, (3, 3))
    errors = 24 * 3 * (((colours[1] - colours[2]) ** 2).sum() + ((colours[2] - 1) ** 2).sum())
    assert loss(moved)[0] == pytest.approx(beyond + errors, rel=1e-3)


def test_derivatives_are_what_differences_say():
    loss, points, places = built(box(4, 4, 28, 24), box(8, 8, 20, 16), box(4, 22, 26, 44))
    random = np.random.default_rng(3)
    inner = [i for key, place in places.items() if key for i in range(place.start, place.stop)]
    start = points.copy()
    start[inner] += random.uniform(-1.4, 1.4, (len(inner), 2)).astype(np.float32)
    _, pull = loss(start)
    assert pull.shape == points.shape
    for _ in range(4):
        way = np.zeros_like(start)
        way[inner] = random.choice([-1.0, 1.0], (len(inner), 2))
        step = np.float32(2e-3)
        slope = (loss(start + step * way)[0] - loss(start - step * way)[0]) / (2 * step)
        assert slope == pytest.approx(float((pull * way).sum()), rel=0.05, abs=0.05)


def test_the_seed_chooses_the_colours():
    pile = stacking.stack([Mask(box(4, 4, 28, 24), 1.0, 0)], np.ones(SIZE, dtype=bool), 10)
    order, outlines = pile.order(), [curves.fit(mask, 0.6) for mask in pile.masks]
    points = np.concatenate([outlines[i].points for i in order]).astype(np.float32)
    points[-6:] += 2
    losses = [LayerLoss(pile, order, outlines, seed, 1)(points)[0] for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
