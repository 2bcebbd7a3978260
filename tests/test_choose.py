"""The choice of shapes: gains that are kept, ranks that help, backgrounds, budgets and clear regions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import (
    WHITE,
    cut_out,
    disc,
    nested_discs,
    noisy,
    painted,
    premultiplied,
    raster,
    scenery,
    three_discs,
)

from layervec import arrange, choose, modes, simplify, tree
from layervec.paints import FRINGE_WEIGHT


def built(picture):
    picture = raster(picture)
    return tree.build(picture, simplify.classic(picture))


def weights(pixels):
    return np.where(tree.fringes(pixels), FRINGE_WEIGHT, 1.0)[..., None]


def paint_over(found, drawn, node, colour, painted_nodes):
    """Paint a node where no painted node below it shows already."""
    mask = (found.labels >= node) & (found.labels < found.last[node])
    for other in painted_nodes:
        if node < other < found.last[node]:
            mask &= ~((found.labels >= other) & (found.labels < found.last[other]))
    drawn = drawn.copy()
    drawn[mask] = colour
    return drawn


def errors_of_picks(found, pixels, count):
    """Return gains and true weighted squared errors before and after each of `count` picks."""
    chooser = choose.Chooser(found, pixels)
    weight = weights(pixels)
    drawn = np.zeros(pixels.shape)
    errors = [float((weight * (drawn - pixels) ** 2).sum())]
    while len(chooser.picked) < count and chooser.pick():
        drawn = paint_over(found, drawn, chooser.picked[-1], chooser.colours[-1], chooser.picked[:-1])
        errors.append(float((weight * (drawn - pixels) ** 2).sum()))
    return np.array(chooser.gains), np.array(errors)


PICTURES = {"nested": nested_discs, "scenery": scenery, "noisy": lambda: noisy(three_discs(), 0.05)}


@pytest.mark.parametrize("name", PICTURES)
def test_gains_are_what_painting_means_removes(name, monkeypatch) -> None:
    monkeypatch.setattr(modes, "dominant_colour", lambda colours, area: area @ colours / area.sum())
    pixels = PICTURES[name]()
    source = raster(pixels)
    gains, errors = errors_of_picks(tree.build(source, [source], drawn=False), pixels, 30)
    assert len(gains) >= 5
    assert (gains > choose.LEAST_GAIN).all()
    np.testing.assert_allclose(-np.diff(errors), gains, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", PICTURES)
def test_dominant_colours_remove_at_most_the_gain(name) -> None:
    pixels = PICTURES[name]()
    gains, errors = errors_of_picks(built(pixels), pixels, 30)
    removed = -np.diff(errors)
    assert (removed <= gains + 1e-3).all()
    assert (removed > 0).all()  # so that the errors of all prefixes fall
    assert removed.sum() > 0.95 * gains.sum() or errors[-1] < 0.02 * errors[0]


@given(st.integers(0, 10**6), st.sampled_from([3, 4]))
@settings(max_examples=25, deadline=None)
def test_promises_hold_on_random_pictures(seed, channels) -> None:
    random = np.random.default_rng(seed)
    coarse = random.choice([0.0, 0.3, 0.8, 1.0], (5, 6, channels)).astype(np.float32)
    picture = noisy(np.kron(coarse, np.ones((4, 4, 1), np.float32)), 0.05, seed)
    pixels = premultiplied(picture)
    gains, errors = errors_of_picks(tree.build(raster(picture), [raster(picture)]), pixels, 20)
    assert (-np.diff(errors) <= gains + 1e-3).all()


def test_the_background_of_an_opaque_picture_comes_first_in_its_own_colour() -> None:
    spots = [(disc(80, 100, x, y, 12), (0.05, 0.05, 0.1)) for x in (20, 52, 82) for y in (22, 58)]
    picture = painted(WHITE, *spots)
    assert picture.mean() < 0.75  # the mean is far from white
    found = built(picture)
    nodes, paints, _ = choose.choose(found, picture, 12)
    assert nodes[0] == 0
    np.testing.assert_allclose(paints[0], 1.0, atol=2 / 255)
    seen = arrange.seen(found, nodes)
    for x in (20, 52, 82):
        for y in (22, 58):
            assert paints[seen[y, x], :3].max() < 0.2  # every disc is painted


@pytest.mark.parametrize("budget", [1, 2, 7, 40])
def test_the_budget_is_kept_and_no_node_is_picked_twice(budget) -> None:
    pixels = noisy(scenery(), 0.2)
    nodes, paints, _ = choose.choose(built(pixels), pixels, budget)
    assert len(nodes) == len(np.unique(nodes)) == budget
    assert paints.shape == (budget, 4)
    assert ((paints >= 0) & (paints <= 1)).all()


def test_a_larger_budget_adds_to_a_smaller_one() -> None:
    pixels = scenery()
    found = built(pixels)
    few, many = choose.choose(found, pixels, 5), choose.choose(found, pixels, 9)
    np.testing.assert_array_equal(many[0][:5], few[0])
    np.testing.assert_array_equal(many[1][:5], few[1])


def test_only_nodes_that_may_be_picked_are() -> None:
    picture = noisy(scenery(), 0.1)
    found = built(picture)
    may = np.arange(len(found)) % 2 == 0
    chooser = choose.Chooser(found, picture, may=may)
    while len(chooser.picked) < 8 and chooser.pick():
        pass
    assert len(chooser.picked) == 8
    assert may[chooser.picked].all()


def test_flat_pictures_need_one_shape() -> None:
    pixels = np.full((30, 40, 3), 0.3, np.float32)
    nodes, paints, _ = choose.choose(built(pixels), pixels, 50)
    assert nodes.tolist() == [0]
    np.testing.assert_allclose(paints, [[0.3, 0.3, 0.3, 1.0]], atol=1e-6)


def test_three_discs_are_found_first() -> None:
    pixels = three_discs()
    found = built(pixels)
    nodes, paints, _ = choose.choose(found, pixels, 4)
    expected = [(0.96, 0.94, 0.88), (0.1, 0.2, 0.8), (0.85, 0.1, 0.1), (0.1, 0.6, 0.2)]
    np.testing.assert_allclose(paints[:, :3], expected, atol=0.02)
    areas = tree.node_sums(found, np.ones((*found.labels.shape, 1)))[nodes, 0]
    np.testing.assert_allclose(areas[1:], np.pi * np.array([26, 20, 15]) ** 2, rtol=0.03)


@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_what_is_clear_is_never_painted(alpha) -> None:
    picture = cut_out(disc(64, 80, 40, 32, 20), (0.9, 0.5, 0.1), alpha)
    picture[..., :3] = np.where(picture[..., 3:] > 0, picture[..., :3], 0.7)  # colours behind nothing
    pixels = premultiplied(picture)
    found = built(picture)
    nodes, paints, _ = choose.choose(found, pixels, 20)
    assert len(nodes)
    for node in nodes:
        mask = (found.labels >= node) & (found.labels < found.last[node])
        assert picture[..., 3][mask].mean() > 0.5 * alpha
        assert not mask[0, 0]
    np.testing.assert_allclose(paints[0], [0.9, 0.5, 0.1, alpha], atol=0.02)


def test_an_empty_picture_has_no_shapes() -> None:
    picture = np.zeros((20, 30, 4), np.float32)
    nodes, paints, _ = choose.choose(built(picture), picture, 20)
    assert len(nodes) == 0
    assert paints.shape == (0, 4)


def test_opacities_are_not_mixed_in_one_shape() -> None:
    """A solid disc and a glassy one of the same colour touch; one paint cannot stand for both."""
    picture = np.zeros((40, 60, 4), np.float32)
    picture[8:32, 8:30] = (0.2, 0.5, 0.9, 1.0)
    picture[8:32, 30:52] = (0.2, 0.5, 0.9, 0.4)
    nodes, paints, _ = choose.choose(built(picture), premultiplied(picture), 20)
    assert sorted(np.round(paints[:2, 3], 2)) == [0.4, 1.0]
    assert len(nodes) == 2
