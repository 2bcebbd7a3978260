"""The laws of patches: what hangs together, what surrounds what, and how many shapes they make."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from layervec import patches
from layervec.masks import holes

small = arrays.arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3))
PAINTS = np.array([(0, 0, 0, 1), (1, 0, 0, 1), (1, 1, 1, 1), (0, 0, 1, 1)], float)
SHOWING_THROUGH = np.array([(0, 0, 0, 0), (1, 0, 0, 1), (1, 1, 1, 0.5), (0, 0, 1, 1)], float)


def surrounded(labels, i):
    """The patches that patch i surrounds, by a mask of the whole picture."""
    inside = holes(labels == i)
    return {j for j in np.unique(labels[inside]).tolist() if inside[labels == j].all()}


@settings(deadline=None, max_examples=80)
@given(small)
def test_patches_are_of_one_colour_and_lie_on_the_smallest_that_surrounds_them(numbers):
    found = patches.find(numbers)
    assert (found.colour[found.labels] == numbers).all()
    assert np.bincount(found.labels.ravel()).tolist() == found.area.tolist()
    for i in range(len(found.area)):
        assert cv2.connectedComponents((found.labels == i).astype(np.uint8), connectivity=8)[0] == 2
    inner = [surrounded(found.labels, i) for i in range(len(found.area))]
    sizes = [found.area[i] + sum(found.area[j] for j in inner[i]) for i in range(len(inner))]
    for j in range(len(inner)):
        around = [i for i in range(len(inner)) if j in inner[i]]
        assert found.parent[j] == (min(around, key=lambda i: sizes[i]) if around else -1)
        assert found.parent[j] < j


@settings(deadline=None, max_examples=80)
@given(small, st.integers(4, 12), st.sampled_from([PAINTS, SHOWING_THROUGH]))
def test_shapes_show_every_pixel_in_its_colour_and_are_no_more_than_allowed(numbers, most, paints):
    partition, colour = patches.shapes(patches.find(numbers), paints, most)
    assert len(colour) - (colour[0] < 0) <= most
    clear = paints[numbers, 3] == 0
    assert (partition.shown[clear] == -1).all()
    assert (colour[partition.shown[~clear]] == numbers[~clear]).all()
    assert partition.parents[0] == -1
    assert all(0 <= parent < i for i, parent in enumerate(partition.parents.tolist()) if i)


@pytest.mark.parametrize(("most", "shapes"), [(99, 8), (7, 4)])
def test_like_patches_join_as_far_as_they_must(most, shapes):
    numbers = np.zeros((40, 40), np.int64)
    for k in range(5):
        numbers[8 * k : 8 * k + 5, 2:7] = 1  # 25 squares each
    numbers[1::10, 20::10] = 2  # dots, one shape at once
    numbers[30:40, 20:40] = 3
    assert len(patches.shapes(patches.find(numbers), PAINTS, most)[1]) == shapes
