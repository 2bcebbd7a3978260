"""Where a drawing is wrong, which shapes hardly count, and which are one."""

from __future__ import annotations

import numpy as np
from pictures import circle, polygon

from layervec import residue
from layervec.optimize import Fit

SIZE = (40, 60)


def blank(value=0.0):
    return np.full((*SIZE, 3), value, np.float32)


def square(left, top, side):
    return polygon([(left, top), (left + side, top), (left + side, top + side), (left, top + side)])


def test_regions_come_largest_first_and_within_one_shape():
    wanted, seen = blank(), np.zeros(SIZE, np.int64)
    wanted[5:15, 20:50] = 0.5
    wanted[20:30, 5:15] = 1.0
    seen[:, 40:] = 1
    found = residue.regions(blank(), wanted, seen, 10)
    assert [int(region.mask.sum()) for region in found] == [200, 100, 100]
    assert [region.owner for region in found] == [0, 1, 0]
    np.testing.assert_array_equal(np.argwhere(found[0].mask).min(axis=0), [5, 20])
    assert len(residue.regions(blank(), wanted, seen, 2)) == 2


def test_an_error_that_is_the_same_everywhere_is_found():
    (found,) = residue.regions(blank(), blank(1.0), np.zeros(SIZE, np.int64), 5)
    assert found.mask.all()


def test_small_errors_and_specks_are_none_nor_is_what_nothing_covers():
    wanted, seen = blank(0.09), np.zeros(SIZE, np.int64)  # 3 * 0.09^2 is just below
    wanted[3:5, 3:5] = 1.0
    wanted[20:30, 20:30] = 1.0
    seen[15:, :] = -1
    assert residue.regions(blank(), wanted, seen, 5) == []


def test_idle_shapes_are_hidden_or_look_like_what_is_below():
    outlines = (square(0, 0, 60), square(5, 5, 10), square(5, 5, 12), square(30, 10, 10), square(30, 25, 2))
    paints = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 1], [0.98, 1, 1], [0.2, 1, 1]], np.float64)
    fit = Fit(outlines, np.concatenate([paints, np.ones((5, 1))], axis=1))
    asked = np.array([False, True, True, True, True])
    changes = {1: 0.0, 3: 100 * 0.02, 4: 4 * 0.8}
    for most in (0.5, 2.5, 7.0):
        found = residue.idle(fit, asked, (3, *SIZE), most, 1)
        assert found.tolist() == [i for i, change in changes.items() if change <= most]
    assert residue.idle(fit, np.arange(5) == 2, (3, *SIZE), 7.0, 1).tolist() == []


def test_a_soft_disc_is_told_by_differences_and_not_by_squares():
    outlines = (square(0, 0, 60), circle(20, 20, 10))
    fit = Fit(outlines, np.array([[1, 1, 1, 1], [0.9, 0.9, 0.9, 1]], np.float64))
    change = np.pi * 100 * 0.3  # its squares sum to a tenth of that
    assert residue.idle(fit, np.array([False, True]), (3, *SIZE), 0.9 * change, 1).tolist() == []
    assert residue.idle(fit, np.array([False, True]), (3, *SIZE), 1.1 * change, 1).tolist() == [1]


def alike(colours, parents, seen, first=1, border=3):
    paints = np.concatenate([np.array(colours, float), np.ones((len(colours), 1))], axis=1)
    return residue.alike(seen, np.array(parents), paints, first, 0.1, border)


def strips(*widths):
    seen = np.zeros(SIZE, np.int64)
    left = 5
    for i, width in enumerate(widths, start=1):
        seen[10:20, left : left + width] = i
        left += width
    return seen


def test_neighbours_that_look_alike_are_one():
    colours = [[0, 0, 0], [0.5, 0.5, 0.5], [0.52, 0.5, 0.5], [0.9, 0.5, 0.5]]
    assert alike(colours, [-1, 0, 0, 0], strips(5, 6, 7)) == [[1, 2]]
    assert alike(colours, [-1, 0, 0, 0], strips(5, 6, 7), border=11) == []
    assert alike(colours, [-1, 0, 0, 0], strips(5, 6, 7), first=2) == []  # the structure is not touched
    assert alike(colours, [-1, 0, 3, 0], strips(5, 6, 7)) == []  # they lie on different shapes


def test_one_on_the_other_joins_what_it_lies_on():
    assert alike([[0, 0, 0], [0.5, 0.5, 0.5], [0.52, 0.5, 0.5]], [-1, 2, 0], strips(5, 6)) == [[2, 1]]


def test_a_group_is_judged_by_its_mean():
    colours = [[0, 0, 0], [0.50, 0.5, 0.5], [0.56, 0.5, 0.5], [0.65, 0.5, 0.5]]
    # 2 and 3 are within 0.1 of each other, but 1 and 2 are nearer, and their mean is not.
    assert alike(colours, [-1, 0, 0, 0], strips(6, 6, 6)) == [[1, 2]]
