"""The colour solve against dense least squares."""

from dataclasses import replace

import numpy as np
import pytest
from raster_scenes import blobs, random_scene, rectangle, scene

from layervec import raster

WIDTH, HEIGHT = 60, 44


def weight_matrix(drawn, shown=None):
    """Return the compositing weight of each path in each pixel, [pixels, p], by drawing with unit colours."""
    mask = np.ones(len(drawn), bool) if shown is None else shown
    columns = []
    for path in range(len(drawn)):
        paints = drawn.paints.copy()
        paints[:, :3] = 0
        paints[path, 0] = 1
        paints[~mask, 3] = 0
        columns.append(raster.render(replace(drawn, paints=paints), WIDTH, HEIGHT)[..., 0].ravel())
    return np.stack(columns, axis=1).astype(np.float64)


def targets(drawn, channels, seed):
    """Return a target that the drawing can nearly reach, so that no best colour leaves 0..1."""
    rng = np.random.default_rng(seed)
    paints = drawn.paints.copy()
    paints[:, :3] = rng.uniform(0.3, 0.7, (len(drawn), 3))
    image = raster.render(replace(drawn, paints=paints), WIDTH, HEIGHT)
    if channels == 3:
        image[..., :3] += 1 - image[..., 3:]
    noise = rng.normal(0, 0.02, (channels, HEIGHT, WIDTH))
    return (image[..., :channels].transpose(2, 0, 1) + noise).astype(np.float32)


def least_squares(drawn, target, subsets, ridge, prior):
    """Return the unclipped optimum, by a dense solver."""
    rows, wanted = [np.sqrt(ridge) * np.eye(len(drawn))], [np.sqrt(ridge) * prior]
    for shown, weight in subsets:
        matrix = weight_matrix(drawn, shown)
        ground = (1 - matrix.sum(axis=1)) if len(target) == 3 else np.zeros(len(matrix))
        rows.append(np.sqrt(weight) * matrix)
        wanted.append(np.sqrt(weight) * (target[:3].reshape(3, -1).T - ground[:, None]))
    return np.linalg.lstsq(np.concatenate(rows), np.concatenate(wanted), rcond=None)[0]


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("make", [blobs, random_scene])
def test_the_optimum_is_reached(channels, make):
    drawn = make(5, 9, WIDTH, HEIGHT)
    target = targets(drawn, channels, 5)
    prior = np.full((9, 3), 0.5)
    found = raster.solve_paints(drawn, target, ridge=0.5, prior=prior).paints
    best = least_squares(drawn, target, [(None, 1.0)], 0.5, prior)
    assert found.shape == (9, channels)
    assert found.dtype == np.float32
    assert np.abs(found[:, :3] - np.clip(best, 0, 1)).max() <= 1e-4
    if channels == 4:
        assert (found[:, 3] == drawn.paints[:, 3]).all()


def test_several_subsets_are_solved_together():
    drawn = blobs(6, 8, WIDTH, HEIGHT)
    target = targets(drawn, 3, 6)
    prior = np.full((8, 3), 0.5)
    subsets = [(np.arange(8) < shown, weight) for shown, weight in ((2, 0.5), (5, 0.25), (8, 1.0))]
    found = raster.solve_paints(drawn, target, ridge=0.1, prior=prior, subsets=subsets).paints
    best = least_squares(drawn, target, subsets, 0.1, prior)
    assert np.abs(found - np.clip(best, 0, 1)).max() <= 1e-4
    some = subsets[1][0]
    alone = raster.solve_paints(drawn, target, ridge=0.1, prior=prior, visible=some).paints
    best = least_squares(drawn, target, [(some, 1.0)], 0.1, prior)
    assert np.abs(alone - np.clip(best, 0, 1)).max() <= 1e-4


def test_hidden_and_fixed_paths_keep_their_prior():
    shapes = [[rectangle(10, 10, 20, 20)], [rectangle(5, 5, 30, 30)], [rectangle(30, 5, 50, 40)]]
    drawn = scene(shapes, [(0.1, 0.2, 0.3, 1), (0.5, 0.5, 0.5, 1), (0.7, 0.7, 0.7, 1)])
    target = np.full((3, HEIGHT, WIDTH), 0.25, np.float32)
    found = raster.solve_paints(drawn, target, fixed=[False, False, True]).paints
    assert found[0] == pytest.approx([0.1, 0.2, 0.3])
    assert found[1] == pytest.approx([0.25] * 3, abs=1e-6)
    assert found[2] == pytest.approx([0.7] * 3)


def test_overlaps_are_the_products_of_weights():
    drawn = random_scene(3, 9, WIDTH, HEIGHT)
    weights = weight_matrix(drawn)
    found = raster.overlaps(drawn, WIDTH, HEIGHT)
    wanted = np.triu(weights.T @ weights, 1)
    got = np.zeros_like(wanted)
    got[found.pairs[:, 0], found.pairs[:, 1]] = found.weight
    np.testing.assert_allclose(got, wanted, atol=1e-4)
    assert (found.weight > 0).all()
    assert (found.pairs[:, 0] < found.pairs[:, 1]).all()


def test_overlaps_see_neighbours_and_not_what_is_hidden():
    ground, left, right = rectangle(0, 0, 60, 44), rectangle(5, 5, 20.5, 30), rectangle(20.5, 5, 40, 30)
    under = rectangle(22, 10, 30, 20)
    drawn = scene([[ground], [under], [left], [right]], [(0, 0, 0, 1)] * 4)
    found = raster.overlaps(drawn, WIDTH, HEIGHT)
    assert [2, 3] in found.pairs.tolist()  # one column of pixels is half of each
    assert 1 not in found.pairs
    assert found.weight[found.pairs.tolist().index([2, 3])] == pytest.approx(25 * 0.5 * 0.25)  # half shines through


@pytest.mark.parametrize("channels", [3, 4])
def test_paths_of_one_group_get_the_colour_that_suits_all_of_them(channels):
    drawn = random_scene(4, 9, WIDTH, HEIGHT)
    target = targets(drawn, channels, 4)
    groups = np.array([7, 2, 2, 7, 0, 2, 0, 7, 5])
    subsets = [(np.arange(9) < shown, weight) for shown, weight in ((4, 0.5), (9, 1.0))]
    prior = np.full((9, 3), 0.5)
    found = raster.solve_paints(drawn, target, subsets=subsets, groups=groups, prior=prior, ridge=0.5).paints[:, :3]
    numbers = np.unique(groups)
    rows, wanted = [0.5**0.5 * np.eye(4)], [0.5**0.5 * prior[:4]]
    for shown, weight in subsets:
        matrix = weight_matrix(drawn, shown)
        ground = (1 - matrix.sum(axis=1)) if channels == 3 else np.zeros(len(matrix))
        rows.append(weight**0.5 * np.stack([matrix[:, groups == k].sum(axis=1) for k in numbers], axis=1))
        wanted.append(weight**0.5 * (target[:3].reshape(3, -1).T - ground[:, None]))
    best = np.linalg.lstsq(np.concatenate(rows), np.concatenate(wanted), rcond=None)[0]
    assert np.abs(found - np.clip(best, 0, 1)[np.searchsorted(numbers, groups)]).max() <= 1e-4
    alone = raster.solve_paints(drawn, target, groups=np.arange(9)).paints
    assert (alone == raster.solve_paints(drawn, target).paints).all()


def test_groups_that_cannot_be_are_refused():
    drawn = blobs(5, 9, WIDTH, HEIGHT)
    target = targets(drawn, 3, 5)
    for wrong in (
        {"groups": np.zeros(8, int)},
        {"groups": np.zeros(9)},
        {"groups": np.zeros(9, int), "fixed": [True] * 9},
    ):
        with pytest.raises(ValueError, match=r"[Gg]roups"):
            raster.solve_paints(drawn, target, **wrong)


def test_a_hidden_group_keeps_the_mean_of_its_priors():
    shapes = [[rectangle(10, 10, 20, 20)], [rectangle(11, 11, 18, 18)], [rectangle(5, 5, 30, 30)]]
    drawn = scene(shapes, [(0.1, 0.2, 0.3, 1), (0.5, 0.4, 0.1, 1), (0.7, 0.7, 0.7, 1)])
    target = np.full((3, HEIGHT, WIDTH), 0.25, np.float32)
    found = raster.solve_paints(drawn, target, groups=[1, 1, 0]).paints
    np.testing.assert_allclose(found[:2], [[0.3, 0.3, 0.2]] * 2, atol=1e-6)
    np.testing.assert_allclose(found[2], 0.25, atol=1e-6)
