"""The laws of stacking masks: what lies on what, what is dropped, and the tree that comes of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layervec import arrange, stacking
from layervec.segment import Mask
from layervec.tree import cut, paint_cut

SIZE = (40, 60)
CANVAS = np.ones(SIZE, dtype=bool)


def box(top, left, bottom, right):
    pixels = np.zeros(SIZE, dtype=bool)
    pixels[top:bottom, left:right] = True
    return pixels


def mask(*corners, level=0, label=""):
    return Mask(box(*corners), 1.0, level, label)


def stacked(*masks, most=100):
    return stacking.stack(masks, CANVAS, most)


def index(pile, pixels):
    (found,) = (i for i, known in enumerate(pile.masks) if np.array_equal(known, pixels))
    return found


def shared(a, b):
    return np.count_nonzero(a & b)


boxes = st.tuples(
    st.integers(0, 30), st.integers(0, 50), st.integers(5, 40), st.integers(5, 60), st.integers(0, 2)
).map(lambda b: mask(b[0], b[1], b[0] + b[2], b[1] + b[3], level=b[4]))


@settings(max_examples=60, deadline=None)
@given(st.lists(boxes, max_size=14), st.integers(1, 12))
def test_laws_of_stacking(masks, most):
    pile = stacking.stack(masks, CANVAS, most)
    assert 1 <= len(pile) <= most
    assert pile.masks[0] is CANVAS
    assert pile.parents[0] == -1
    areas = pile.areas()
    for i in range(1, len(pile)):
        below = int(pile.parents[i])
        assert 0 <= below < i
        assert areas[below] > areas[i]
        assert shared(pile.masks[i], pile.masks[below]) >= 0.5 * areas[i]
        for j in range(i):
            both = shared(pile.masks[i], pile.masks[j])
            assert both <= 0.7 * (areas[i] + areas[j] - both)
    everything = stacking.stack(masks, CANVAS, 1000)
    np.testing.assert_array_equal(np.sort(areas)[::-1], np.sort(everything.areas())[::-1][: len(pile)])
    tree, nodes = stacking.tree(pile)
    seen = arrange.seen(tree, nodes)
    assert seen.min() >= 0
    for i in range(len(pile)):
        assert pile.masks[i][seen == i].all()
    np.testing.assert_array_equal(arrange.nest(tree, nodes), pile.parents)


def test_what_lies_mostly_inside_goes_on_top():
    house, door, tree = mask(5, 5, 35, 30), mask(20, 10, 35, 20), mask(10, 28, 30, 50)
    pile = stacked(door, tree, house)
    at = {name: index(pile, found.pixels) for name, found in [("house", house), ("door", door), ("tree", tree)]}
    assert pile.parents[at["door"]] == at["house"]
    assert pile.parents[at["house"]] == 0
    assert pile.parents[at["tree"]] == 0  # only a tenth of it is inside


def test_coarse_levels_decide_what_is_known():
    coarse, fine = mask(5, 5, 25, 25, level=3), mask(5, 5, 25, 26)
    pile = stacked(fine, coarse)
    assert len(pile) == 2
    np.testing.assert_array_equal(pile.masks[1], coarse.pixels)


def test_a_mask_around_known_ones_goes_between():
    eye, mouth, face = mask(10, 10, 15, 15, level=2), mask(20, 10, 25, 20, level=2), mask(5, 5, 30, 25)
    pile = stacked(eye, mouth, face)
    assert pile.parents[index(pile, eye.pixels)] == index(pile, face.pixels)
    assert pile.parents[index(pile, mouth.pixels)] == index(pile, face.pixels)


def test_the_whole_canvas_specks_and_nothing_are_no_masks():
    assert len(stacked(mask(0, 0, 40, 60), mask(0, 0, 40, 58), mask(3, 3, 5, 5), mask(0, 0, 0, 0))) == 1


def test_holes_and_the_first_pixel_stay_as_they_are():
    corner = box(0, 0, 30, 30)
    corner[8:20, 8:20] = False
    pile = stacking.stack([Mask(corner, 1.0, 0)], CANVAS, 10)
    np.testing.assert_array_equal(pile.masks[1], corner)


def test_masks_are_cut_to_what_the_picture_covers():
    covered = box(0, 0, 40, 30)
    pile = stacking.stack([mask(10, 20, 30, 50)], covered, 10)
    np.testing.assert_array_equal(pile.masks[1], box(10, 20, 30, 30))
    tree, nodes = stacking.tree(pile)
    np.testing.assert_array_equal(arrange.seen(tree, nodes) < 0, ~covered)


def test_what_is_seen_agrees_with_what_is_drawn_on_top():
    # The hook is smaller, but spans more: it is drawn first, so the plate is what is seen where both are.
    plate, hook = mask(5, 5, 30, 30), Mask(box(24, 2, 28, 58) | box(2, 55, 28, 58), 1.0, 0)
    pile = stacked(plate, hook)
    assert pile.areas()[1] > pile.areas()[2]
    tree, nodes = stacking.tree(pile)
    seen = arrange.seen(tree, nodes)
    drawn = np.full(SIZE, -1)
    for i in arrange.stack(tree, nodes):
        drawn[pile.masks[i]] = i
    np.testing.assert_array_equal(seen, drawn)
    assert seen[26, 10] == index(pile, plate.pixels)


def test_objects_names_and_cuts_of_the_tree():
    pile = stacked(mask(5, 5, 35, 30, label="house"), mask(20, 10, 35, 20))
    tree, nodes = stacking.tree(pile)
    assert tree.objects.tolist() == nodes[1:].tolist()
    assert tree.names == ("house", "")
    for regions in (1, 2, 3):
        at = cut(tree, regions)
        assert len(at) == regions
        assert (at <= nodes[1]).any()
    shown = paint_cut(tree, cut(tree, 3), np.repeat(arrange.seen(tree, nodes)[..., None], 3, 2).astype(np.float32))
    assert set(np.unique(shown)) == {0.0, 1.0, 2.0}


def test_a_mask_hidden_by_those_on_it_is_a_node_all_the_same():
    left, right, both = mask(5, 5, 25, 20), mask(5, 20, 25, 36), mask(5, 5, 25, 36)
    pile = stacked(left, right, both)
    tree, nodes = stacking.tree(pile)
    seen = arrange.seen(tree, nodes)
    assert not (seen == index(pile, both.pixels)).any()
    np.testing.assert_array_equal(arrange.nest(tree, nodes), pile.parents)
    assert np.isfinite(paint_cut(tree, cut(tree, 9), np.ones((*SIZE, 3), np.float32))).all()


@pytest.mark.parametrize("kept", [[0, 2], [0, 2, 3]])
def test_what_lay_on_one_that_is_gone_lies_on_what_that_lay_on(kept):
    pile = stacked(mask(2, 2, 38, 40), mask(5, 5, 30, 30), mask(10, 10, 20, 20))
    left = stacking.picked(pile, np.array(kept))
    assert left.parents.tolist() == [-1, *range(len(kept) - 1)]
