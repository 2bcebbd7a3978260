"""Ranks: every prefix of the order is the best drawing that can be had by one more shape."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from pictures import confetti, cut_out, disc, nested_discs, noisy, polygon, premultiplied, raster, scenery, tree_of

from layervec import arrange, ramps, ranks, tree
from layervec.arrange import Plan
from layervec.optimize import Fit
from layervec.raster import render
from layervec.types import LINEAR


def sticker():
    picture = cut_out(disc(64, 80, 40, 32, 24), (0.9, 0.5, 0.1))
    picture[20:30, 30:40, :3], picture[34:44, 38:54, :3] = 0.1, 0.95
    return picture


PICTURES = {
    "nested": nested_discs,
    "scenery": scenery,
    "confetti": confetti,
    "noisy": lambda: noisy(scenery(), 0.04),
    "sticker": sticker,
}


def errors(found, pixels, plan, order):
    """Squared error of the first 1, 2, ... shapes of an order, stacked as the whole plan is."""
    h, w, channels = pixels.shape
    above = arrange.stack(found, plan.nodes)
    fit = Fit(plan.outlines, plan.paints, plan.ramps)
    drawn = []
    for count in range(1, len(order) + 1):
        shown = above[np.isin(above, order[:count])]
        image = render(fit.only(shown).scene(), w, h)[..., :channels]
        drawn.append(float(((image - pixels) ** 2).sum()))
    return np.array(drawn)


@pytest.mark.parametrize("name", PICTURES)
def test_ranks_make_errors_fall_and_beat_the_reverse(name) -> None:
    picture = PICTURES[name]()
    pixels = premultiplied(picture)
    source = raster(picture)
    found = tree.build(source, [source])
    plan = arrange.arrange(found, pixels, 14, 1.0)
    plan = plan.only(np.random.default_rng(2).permutation(len(plan)))
    order = ranks.rank(found, pixels, plan)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(plan)))
    ours = errors(found, pixels, plan, order)
    assert all(after <= before * 1.02 for before, after in pairwise(ours)), ours
    assert ours.sum() < errors(found, pixels, plan, order[::-1]).sum()


def test_what_hides_a_region_counts_as_hiding_it() -> None:
    """A ring whose outline is filled covers the light disc inside it, which therefore comes early."""
    labels = np.zeros((60, 60), int)
    y, x = np.mgrid[:60, :60]
    labels[(x - 30) ** 2 + (y - 30) ** 2 < 26**2] = 1
    labels[(x - 30) ** 2 + (y - 30) ** 2 < 20**2] = 2
    found, node_of = tree_of(labels, [0, 1, 2])
    pixels = np.array([[1, 1, 1], [0, 0, 0], [1, 1, 1]], np.float32)[labels]
    paints = np.ones((3, 4))
    paints[1, :3] = 0.0
    plan = Plan(np.array([0, node_of[1], node_of[2]]), (), paints)
    plan = arrange.add_outlines(plan, found, pixels, 1.0)
    assert plan.outlines[1].contours == 1  # filled: the disc is painted on top
    assert errors(found, pixels, plan, np.array([0, 1]))[1] > errors(found, pixels, plan, np.array([0]))[0]
    assert ranks.rank(found, pixels, plan).tolist() == [0, 2, 1]


def test_what_sticks_out_over_a_small_part_of_another_region_counts() -> None:
    """The dark shape runs on under a third of the light one beside it: alone it does more harm than good."""
    labels = np.zeros((60, 120), int)
    labels[20:40, 10:20], labels[10:50, 20:110], labels[2:8, 2:20] = 1, 2, 3
    found, node_of = tree_of(labels, [0, 3, [1, 2]])
    pixels = np.array([[1, 1, 1], [0, 0, 0], [0.98, 1, 1], [0.5, 0.5, 0.5]], np.float32)[labels]
    paints = np.ones((4, 4))
    paints[:, :3] = pixels[[0, 30, 30, 5], [0, 15, 60, 5]]
    nodes = np.array([0, int(found.parent[node_of[1]]), node_of[2], node_of[3]])
    plan = arrange.add_outlines(Plan(nodes, (), paints), found, pixels, 1.0)
    dark = polygon([(10, 20), (50, 20), (50, 40), (10, 40)])
    plan = replace(plan, outlines=(plan.outlines[0], dark, *plan.outlines[2:]))
    np.testing.assert_array_equal(ranks.rank(found, pixels, plan), [0, 3, 2, 1])


def test_the_ground_of_an_opaque_picture_ranks_first() -> None:
    """Even where it removes less error than what stands on it: a dark ground under a large light square."""
    labels = np.zeros((20, 20), int)
    labels[2:18, 2:18] = 1
    found, node_of = tree_of(labels, [0, 1])
    pixels = np.where(labels[..., None] == 1, 0.9, 0.02).astype(np.float32) * np.ones(3, np.float32)
    paints = np.array([[0.9, 0.9, 0.9, 1.0], [0.02, 0.02, 0.02, 1.0]])
    plan = arrange.add_outlines(Plan(np.array([node_of[1], 0]), (), paints), found, pixels, 1.0)
    assert ranks.rank(found, pixels, plan).tolist() == [1, 0]


def test_a_gradient_counts_as_it_looks_in_all_of_a_region() -> None:
    """Light at both ends and dark in the middle alone: by its middle this sheet would look worse than nothing."""
    labels = np.zeros((60, 90), int)
    labels[5:55, 5:85] = 1
    labels[20:24, 2:4] = 2
    found, node_of = tree_of(labels, [0, 1, 2])
    profile = np.interp(np.arange(90) + 0.5, [5, 40, 45, 50, 85], [1, 1, 0, 1, 1])
    pixels = np.array([0.5, 1.0, 0.9])[labels].astype(np.float32)[..., None].repeat(3, axis=2)
    pixels[labels == 1] = np.broadcast_to(profile[None, :, None], (60, 90, 3))[labels == 1]
    gradients = ramps.solids(3)
    gradients.kind[1], gradients.axis[1] = LINEAR, (40, 0, 50, 0)
    gradients.offsets[1] = 0, 0.5, 1, 1
    gradients.colours[1] = np.array([1, 0, 1, 1])[:, None]
    paints = np.ones((3, 4))
    paints[:, :3] = np.array([0.5, 0.9, 0.9])[:, None]
    plan = Plan(np.array([0, node_of[1], node_of[2]]), (), paints, gradients)
    plan = arrange.add_outlines(plan, found, pixels, 1.0)
    np.testing.assert_array_equal(ranks.rank(found, pixels, plan), [0, 1, 2])
