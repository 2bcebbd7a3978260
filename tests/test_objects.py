"""Masks in the region tree: which become nodes, and what contradictory, repeated or senseless ones come to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pictures import noisy, raster

from layervec import objects, simplify, tree
from layervec.segment import Mask

SIZE = (48, 64)


def box(top, left, bottom, right, size=SIZE):
    pixels = np.zeros(size, dtype=bool)
    pixels[top:bottom, left:right] = True
    return pixels


def as_masks(found, labels=()):
    return [Mask(pixels, 1.0, 0, label) for pixels, label in zip(found, labels or [""] * len(found), strict=True)]


def textured(seed=0):
    """A picture in which every pixel differs, so that leaves are small everywhere."""
    return raster(np.random.default_rng(seed).random((*SIZE, 3)).astype(np.float32))


def built(picture, found, labels=()):
    return tree.build(picture, simplify.classic(picture, 2), masks=as_masks(found, labels))


def nodes_of(regions):
    return [(regions.labels >= node) & (regions.labels < regions.last[node]) for node in regions.objects]


def likeness(a, b):
    return np.count_nonzero(a & b) / max(1, np.count_nonzero(a | b))


def best(mask, regions):
    return max((likeness(mask, node) for node in nodes_of(regions)), default=0.0)


def test_nested_and_separate_masks_become_nodes():
    found = [box(4, 4, 40, 30), box(10, 8, 20, 20), box(24, 8, 34, 22), box(6, 36, 44, 60)]
    regions = built(textured(), found)
    assert len(regions.objects) == 4
    for mask in found:
        assert best(mask, regions) > 0.85  # borders go round leaves of ten pixels


def test_masks_of_a_flat_picture_are_exact():
    found = [box(4, 4, 40, 30), box(10, 8, 20, 20)]
    regions = built(raster(np.full((*SIZE, 3), 0.5, np.float32)), found)
    for mask in found:
        assert best(mask, regions) == 1.0


@given(hnp.arrays(np.bool_, (3, 6, 8)), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_any_masks_leave_a_sound_tree(rough, seed):
    found = rough.repeat(8, axis=1).repeat(8, axis=2)
    regions = built(textured(seed), list(found))
    index = np.arange(len(regions))
    assert (regions.parent[1:] < index[1:]).all()
    assert (regions.last[1:] <= regions.last[regions.parent[1:]]).all()
    assert (regions.cost[1:] <= regions.cost[regions.parent[1:]]).all()
    leaves = np.flatnonzero(regions.last == index + 1)
    np.testing.assert_array_equal(np.unique(regions.labels), leaves)
    assert len(regions) == 2 * len(leaves) - 1
    assert len(regions.names) == len(regions.objects) <= 3
    assert len(set(regions.objects.tolist())) == len(regions.objects)


@given(hnp.arrays(np.bool_, (5, 6, 8)))
@settings(max_examples=60, deadline=None)
def test_nested_sets_lie_apart_or_one_in_the_other(found):
    labels = np.arange(48, dtype=np.int32).reshape(6, 8).repeat(8, axis=0).repeat(8, axis=1)
    masks = [mask.repeat(8, axis=0).repeat(8, axis=1) for mask in found]
    nested = objects.nest(masks, labels)
    for i in range(len(nested)):
        assert nested.leaves[i].any()
        for j in range(i):
            shared = (nested.leaves[i] & nested.leaves[j]).sum()
            assert shared in (0, nested.leaves[j].sum())  # the outer one comes later
        parent = nested.parent[i]
        assert parent == -1 or (parent > i and (nested.leaves[i] <= nested.leaves[parent]).all())
        original = np.bincount(labels[masks[nested.source[i]]], minlength=48) > 32
        both = (original & nested.leaves[i]).sum() / (original | nested.leaves[i]).sum()
        assert both >= objects.CONTRADICTED


def test_crossing_masks_cost_the_larger_one():
    small, large = box(10, 20, 30, 40), box(4, 4, 44, 24)
    regions = built(textured(), [large, small])
    assert len(regions.objects) == 2
    assert best(small, regions) > 0.85
    assert best(large & ~small, regions) > 0.85


def test_repeated_masks_are_one_object():
    mask = box(10, 20, 30, 40)
    almost = box(10, 20, 30, 41)
    assert len(built(textured(), [mask, almost, mask]).objects) == 1


@pytest.mark.parametrize(
    "mask", [np.zeros(SIZE, bool), np.ones(SIZE, bool), box(3, 3, 5, 5)], ids=["empty", "whole canvas", "tiny"]
)
def test_masks_that_tell_nothing_are_left_out(mask):
    picture = textured()
    assert len(built(picture, [mask]).objects) == 0
    assert len(built(picture, [mask, box(10, 20, 30, 40)]).objects) == 1


def test_without_objects_the_tree_is_that_without_masks():
    picture = raster(noisy(np.full((*SIZE, 3), 0.5, np.float32), 0.1))
    plain, masked = built(picture, []), built(picture, [np.zeros(SIZE, bool)])
    for name in ("labels", "parent", "last"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(masked, name))


def test_a_mask_in_two_pieces_is_one_node():
    both = box(10, 4, 30, 20) | box(10, 40, 30, 60)
    regions = built(textured(), [both])
    assert best(both, regions) > 0.85


def test_labels_stay_with_their_masks():
    found = [box(4, 4, 40, 30), np.zeros(SIZE, bool), box(10, 8, 20, 20)]
    regions = built(textured(), found, ["house", "nothing", "door"])
    named = dict(zip(regions.names, nodes_of(regions), strict=True))
    assert named.keys() == {"house", "door"}
    assert likeness(named["door"], found[2]) > 0.85


def test_mending_keeps_rings_and_drops_specks():
    ring = box(4, 4, 40, 40) & ~box(12, 12, 32, 32)
    speckled = ring.copy()
    speckled[0, 0] = speckled[20, 20] = True  # a corner of the canvas must not let the outside in
    speckled[6, 6:9] = False
    np.testing.assert_array_equal(objects.mended(speckled), ring)


def test_a_bay_at_the_canvas_border_is_no_hole():
    mask = np.ones(SIZE, dtype=bool)
    mask[:3, 10:13] = False
    np.testing.assert_array_equal(objects.mended(mask), mask)
