"""Gradients keep to the colours that a picture has where they are seen."""

from __future__ import annotations

import numpy as np
from pictures import tree_of

from layervec import ranges

GROUND, PLATE, LEFT, LID = 0, 2, 3, 4  # nodes of the tree below, a parent before its children


def picture_and_tree():
    """A dark ground, a shaded plate on it, and a red lid that hides most of the plate."""
    labels = np.zeros((40, 60), np.int64)
    labels[4:36, 4:56] = 1
    labels[4:36, 20:56] = 2
    pixels = np.full((40, 60, 3), 0.1, np.float32)
    pixels[labels == 1] = np.linspace(0.4, 0.6, 60, dtype=np.float32)[np.nonzero(labels == 1)[1], None]
    pixels[labels == 2] = [0.9, 0.0, 0.0]
    return pixels, tree_of(labels, [0, [1, 2]])[0]


def test_what_shows_of_a_shape_says_its_colours():
    pixels, tree = picture_and_tree()
    nodes = np.array([GROUND, PLATE, LID])
    ground, plate, lid = ranges.of_shapes(tree, nodes, pixels)
    shown = pixels[10:11, 4:20].reshape(-1, 3)
    assert np.abs(ground - 0.1).max() < 0.03
    assert (np.abs(plate - [shown.min(axis=0), shown.max(axis=0)]) < 0.03).all()
    assert (np.abs(lid - [0.9, 0, 0]) < 0.03).all()


def test_a_hidden_shape_may_have_all_colours_that_lie_on_it():
    pixels, tree = picture_and_tree()
    nodes = np.array([GROUND, PLATE, LEFT, LID])
    plate = ranges.of_shapes(tree, nodes, pixels)[1]
    assert plate[0, 1] < 0.03
    assert plate[1, 0] > 0.87


def test_a_few_odd_pixels_do_not_count():
    pixels, tree = picture_and_tree()
    nodes = np.array([GROUND, PLATE, LID])
    before = ranges.of_shapes(tree, nodes, pixels)
    pixels[10, 40] = pixels[0, 0] = 1.0
    np.testing.assert_array_equal(ranges.of_shapes(tree, nodes, pixels), before)
