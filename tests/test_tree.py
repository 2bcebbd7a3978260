"""Laws of the region tree on any picture, and what its cuts show of pictures whose regions are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numba import njit
from pictures import disc, grid, jpeg, noisy, painted, raster, tree_of, two_discs

from layervec import simplify, tree
from layervec.types import RegionTree

COLOURS = st.sampled_from([0.0, 0.1, 0.5, 0.55, 1.0])


def built(picture, levels_count=5):
    picture = raster(picture)
    return tree.build(picture, simplify.classic(picture, levels_count))


def leaves_of(found: RegionTree):
    return np.flatnonzero(found.last == np.arange(len(found)) + 1)


def children_of(found: RegionTree, node):
    first = node + 1
    return first, int(found.last[first])


def owners(found: RegionTree, nodes):
    """Index of the cut's region at each pixel."""
    return np.searchsorted(nodes, found.labels, side="right") - 1


def masks(found: RegionTree, nodes):
    return [(found.labels >= node) & (found.labels < found.last[node]) for node in nodes]


def pictures():
    """Pictures of a few values, so that neighbours are often alike; with and without alpha."""
    shapes = st.tuples(st.integers(1, 14), st.integers(1, 14), st.sampled_from([3, 4]))
    return shapes.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=COLOURS))


def check_numbering(found: RegionTree, shape):
    m = len(found)
    index = np.arange(m)
    assert found.labels.shape == shape
    assert found.labels.dtype == found.parent.dtype == found.last.dtype == np.int32
    assert found.parent[0] == -1
    assert found.last[0] == m
    assert (found.parent[1:] < index[1:]).all()
    assert (found.last > index).all()
    assert (found.last[1:] <= found.last[found.parent[1:]]).all()
    leaves = leaves_of(found)
    np.testing.assert_array_equal(np.unique(found.labels), leaves)
    assert m == 2 * len(leaves) - 1
    for node in np.setdiff1d(index, leaves):
        first, second = children_of(found, node)
        assert found.parent[first] == found.parent[second] == node
        assert found.last[second] == found.last[node]


@given(pictures())
@settings(max_examples=30, deadline=None)
def test_laws_of_any_tree(picture) -> None:
    source = raster(picture)
    found = tree.build(source, [source])
    check_numbering(found, picture.shape[:2])
    # every node hangs together, but for zones of several pieces that are one shape, and what is made of them
    loose = np.zeros(len(found), bool) if not len(found.stands) else found.stands != tree.ANY
    for zone in np.flatnonzero(~np.isnan(found.inks).any(axis=1)) if len(found.stands) else ():
        loose[zone : found.last[zone]] = True  # a thin line may hang together by corners alone, and what is around it
        while zone >= 0:
            loose[zone] = True
            zone = found.parent[zone]
    for mask in masks(found, np.flatnonzero(~loose)):
        pieces, _ = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
        assert pieces == 2  # nothing, and one piece
    # splits get cheaper on the way down
    assert (found.cost[1:] <= found.cost[found.parent[1:]]).all()
    assert (found.cost[leaves_of(found)] == 0).all()
    # sums of a node are sums over its pixels
    values = np.concatenate([picture, np.ones_like(picture[..., :1])], axis=2)
    expected = [values[mask].sum(axis=0, dtype=np.float64) for mask in masks(found, range(len(found)))]
    np.testing.assert_allclose(tree.node_sums(found, values), expected, atol=1e-6)


@given(pictures(), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_cuts_are_nested_partitions(picture, regions) -> None:
    source = raster(picture)
    found = tree.build(source, [source])
    most = len(leaves_of(found))
    coarse, fine = tree.cut(found, regions), tree.cut(found, regions + 1)
    assert len(coarse) == min(regions, most)
    assert len(fine) == min(regions + 1, most)
    for nodes in (coarse, fine):
        counts = np.sum(masks(found, nodes), axis=0)
        assert (counts == 1).all()
    for mask in masks(found, fine):
        assert len(np.unique(owners(found, coarse)[mask])) == 1


@given(pictures(), st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_a_painted_cut_shows_the_mean_of_each_region(picture, regions) -> None:
    source = raster(picture)
    found = tree.build(source, [source])
    nodes = tree.cut(found, regions)
    shown = tree.paint_cut(found, nodes, picture)
    assert shown.shape == picture.shape
    for mask in masks(found, nodes):
        expected = picture[mask].mean(axis=0, dtype=np.float64)
        np.testing.assert_allclose(shown[mask], np.broadcast_to(expected, shown[mask].shape), atol=1e-5)


def test_the_dearest_splits_come_first() -> None:
    found = built(noisy(two_discs()[0], 0.05))
    for regions in (2, 5, 20, 60):
        nodes = tree.cut(found, regions)
        inside = np.ones(len(found), dtype=bool)
        for node in nodes:
            inside[node : found.last[node]] = False
        split, whole = np.flatnonzero(inside), nodes
        assert len(split) == regions - 1
        assert found.cost[split].min() >= found.cost[whole].max()


@pytest.mark.parametrize("spoil", ["clean", "noise", "jpeg"])
@pytest.mark.parametrize("colours", [((0.85, 0.1, 0.1), (0.1, 0.2, 0.8)), ((0.7, 0.7, 0.7), (0.4, 0.4, 0.4))])
def test_two_discs_on_a_ground_are_the_three_regions_of_a_cut(spoil, colours) -> None:
    picture, (first, second) = two_discs(colours=colours)
    spoilt = {"clean": picture, "noise": noisy(picture, 0.04), "jpeg": jpeg(picture, 60)}[spoil]
    found = built(spoilt)
    owner = owners(found, tree.cut(found, 3))
    truth = np.where(first >= 0.5, 1, np.where(second >= 0.5, 2, 0))
    names = {int(np.bincount(truth[owner == region]).argmax()) for region in range(3)}
    assert names == {0, 1, 2}
    named = np.array([np.bincount(truth[owner == region]).argmax() for region in range(3)])[owner]
    # Which side an antialiased pixel belongs to is a matter of taste near one half; all others are certain.
    margin = 0.02 if spoil == "clean" else 0.3
    sure = (np.abs(first - 0.5) >= margin) & (np.abs(second - 0.5) >= margin)
    wrong = (named != truth) & sure
    assert not wrong.any(), f"{wrong.sum()} px"


@pytest.mark.parametrize("blur", [0.0, 0.8])
@pytest.mark.parametrize("regions", [3, 4])
def test_fringes_are_no_regions_of_their_own(blur, regions) -> None:
    picture, coverages = two_discs()
    if blur:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    found = built(picture)
    box = np.ones((3, 3), np.uint8)
    hard = [(c > 0.5).astype(np.uint8) for c in coverages]
    fringe = np.any([cv2.dilate(mask, box) != cv2.erode(mask, box) for mask in hard], axis=0)
    for mask in masks(found, tree.cut(found, regions)):
        assert fringe[mask].mean() < 0.6, f"{mask.sum()} px"


def test_fringes_are_found_on_edges_only() -> None:
    picture, (first, second) = two_discs()
    mixed = ((first > 0.03) & (first < 0.97)) | ((second > 0.03) & (second < 0.97))
    found = tree.fringes(picture)
    assert not found[(first + second == 0) | (first == 1) | (second == 1)].any()
    assert found[mixed].mean() > 0.9
    sharp = tree.without_fringes(picture)
    known = np.array([(1.0, 1.0, 1.0), (0.85, 0.1, 0.1), (0.1, 0.2, 0.8)])
    off = np.linalg.norm(sharp[:, :, None] - known, axis=3).min(axis=2)
    assert (off[mixed] < 1e-5).mean() > 0.9


def test_lines_one_pixel_wide_are_no_fringes() -> None:
    picture = np.ones((24, 24, 3), np.float32)
    picture[11] = 0.2
    picture[:, 7] = 0.2
    assert not tree.fringes(picture).any()
    np.testing.assert_array_equal(tree.without_fringes(picture), picture)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 40), (40, 1), (3, 5), (9, 40)])
@pytest.mark.parametrize("kind", ["random", "one colour", "transparent"])
def test_odd_pictures(shape, kind) -> None:
    picture = np.random.default_rng(1).random((*shape, 4)).astype(np.float32)
    if kind == "one colour":
        picture[:] = (0.2, 0.4, 0.6, 1.0)
    elif kind == "transparent":
        picture[..., 3] = 0.0
    found = built(picture)
    check_numbering(found, shape)
    assert np.isfinite(found.cost).all()
    if kind != "random":
        assert found.cost.max() < 1e-9
    assert len(tree.cut(found, 1)) == 1


def test_the_same_picture_gives_the_same_tree() -> None:
    picture = noisy(two_discs()[0], 0.05)
    first, second = built(picture), built(picture.copy())
    for name in ("labels", "parent", "last", "cost"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


def test_what_a_level_has_lost_merges_first() -> None:
    """Two discs of one contrast, the left one larger; a level without it turns the order of merging round."""
    left, right = disc(48, 96, 24, 24, 15), disc(48, 96, 72, 24, 14)
    picture = raster(noisy(painted((0.4, 0.4, 0.4), (left, (0.6, 0.6, 0.6)), (right, (0.6, 0.6, 0.6))), 0.02))
    level = raster(painted((0.4, 0.4, 0.4), (right, (0.6, 0.6, 0.6))))
    for levels, kept in (([picture], left), ([picture, level], right)):
        found = tree.build(picture, levels)
        owner = owners(found, tree.cut(found, 2))
        centre = owner == owner[24, 24 if kept is left else 72]
        np.testing.assert_array_equal(centre[kept > 0.9], True)
        np.testing.assert_array_equal(centre[kept < 0.1], False)


def test_texture_that_a_level_has_lost_merges_before_an_object_of_its_contrast() -> None:
    """Stripes of 2 px outweigh a square a little, until a level shows the square alone."""
    y, x = grid(96, 160, 1)
    stripes = ((x > 4) & (x < 121) & ((y - 4) % 6 < 2) & (y > 4) & (y < 92)).astype(float)
    square = ((abs(x - 142) < 6) & (abs(y - 48) < 6)).astype(float)
    ground, light = (0.4, 0.4, 0.4), (0.6, 0.6, 0.6)
    picture = raster(noisy(painted(ground, (stripes, light), (square, light)), 0.02))  # drawn art has things instead
    level = raster(painted(ground, (square, light)))
    for levels, told_apart in (([picture], False), ([picture, level], True)):
        found = tree.build(picture, levels)
        owner = owners(found, tree.cut(found, 2))
        alone = owner == owner[48, 142]
        np.testing.assert_equal(np.array_equal(alone, square == 1), told_apart)


def test_the_bands_of_a_ramp_belong_together_where_gradients_may_fill_it() -> None:
    """A disc of less contrast than the ramp it lies on is cut off from it before the ramp is cut to bands."""
    inside = disc(96, 128, 64, 48, 16)
    ramp = np.linspace(0.2, 0.8, 128)[None, :, None] * np.ones((96, 1, 3))
    picture = raster(noisy(np.where(inside[..., None] > 0.5, ramp + 0.3, ramp), 0.02))
    for shaded in (False, True):
        found = tree.build(picture, [picture], shaded=shaded)
        owner = owners(found, tree.cut(found, 2))
        there = owner == owner[48, 64]
        likeness = (there & (inside > 0.5)).sum() / (there | (inside > 0.5)).sum()
        assert (likeness > 0.9) == shaded


@pytest.mark.parametrize("channels", [1, 3])
def test_what_a_gradient_saves_is_the_same_however_regions_are_joined(channels) -> None:
    """The kernels' sums of two parts against those of all their pixels at once, and against slopes.py."""
    from layervec import ramp_kernels as kernels
    from layervec import slopes

    random = np.random.default_rng(channels)
    labels = np.zeros((6, 9), np.int32)
    labels[2:, 3:] = 1
    features = random.normal(size=(54, channels)).astype(np.float32)

    def saved(parts):
        places, area = tree._places(features, parts), np.bincount(parts.ravel()).astype(float)
        found = np.zeros(len(area))
        kernels.save_all(area, places, found)
        return found + kernels.RAMP_PRICE, area, places

    (whole,), area, _ = saved(np.zeros_like(labels))
    if channels == 3:
        pixels = features.reshape(6, 9, 3)
        sums = slopes.place_columns(pixels).reshape(54, -1).sum(axis=0)[None]
        assert whole == pytest.approx(slopes.saved(area, features.sum(axis=0, dtype=float)[None], sums)[0])
    _, areas, places = saved(labels)
    means = np.stack([features[labels.ravel() == i].mean(axis=0) for i in (0, 1)]).astype(np.float32)

    @njit
    def joined(means, areas, places):
        together = kernels.saved_together(means, areas, places, 0, 1)
        kernels.join(means, areas, places, 0, 1)
        areas[0] += areas[1]
        return together, kernels.saved_in(areas, places, 0)

    assert np.array(joined(means, areas, places)) + kernels.RAMP_PRICE == pytest.approx(whole, rel=1e-5)


def test_a_tree_by_hand_is_cut_where_it_says() -> None:
    labels = np.array([[0, 0, 1, 2, 2, 2]])
    found, node_of = tree_of(labels, [[0, 1], 2])
    check_numbering(found, labels.shape)
    np.testing.assert_array_equal(tree.cut(found, 2), [1, node_of[2]])
    np.testing.assert_array_equal(tree.cut(found, 9), [node_of[0], node_of[1], node_of[2]])
    np.testing.assert_array_equal(tree.node_sums(found, np.ones((1, 6, 1))).ravel(), [6, 3, 2, 1, 3])
