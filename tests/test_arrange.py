"""Borders that settle, stacks without gaps, holes where they belong, and outlines of the first plan."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pictures import cut_out, disc, jpeg, nested_discs, noisy, premultiplied, raster, scenery, tree_of

from layervec import arrange, choose, curves, simplify, tree
from layervec.arrange import Plan
from layervec.borders import settle

STIFFNESS, ROUNDS = arrange.STIFFNESS, arrange.SETTLE_ROUNDS


def draw_masks(found, plan, pixels, wanted):
    regions = arrange.Regions(found, plan, pixels)
    return [regions.mask(i) for i in wanted]


def built(picture):
    picture = raster(picture)
    return tree.build(picture, simplify.classic(picture))


def border_length(owner):
    """Pixel sides between different regions."""
    return int((owner[1:] != owner[:-1]).sum() + (owner[:, 1:] != owner[:, :-1]).sum())


def settled(owner, pixels, colours, stiffness=STIFFNESS, rounds=ROUNDS):
    pixels, colours = (np.ascontiguousarray(values, dtype=np.float32) for values in (pixels, colours))
    planes = np.stack([colours, np.zeros_like(colours), np.zeros_like(colours)], axis=1)
    return settle(np.ascontiguousarray(owner, dtype=np.int32), pixels, planes, stiffness, rounds)


# Borders


@pytest.mark.parametrize("drawn", ["straight", "slanted", "line", "cross", "dot"])
def test_sharp_edges_and_thin_lines_stay(drawn) -> None:
    y, x = np.mgrid[:40, :50]
    owner = {
        "straight": x >= 21,
        "slanted": x + 0.3 * y >= 30,
        "line": y == 17,
        "cross": (x == 30) | (y == 5),
        "dot": (x == 9) & (y == 9),
    }[drawn].astype(int)
    colours = np.array([(0.9, 0.9, 0.9), (0.2, 0.3, 0.5)])
    np.testing.assert_array_equal(settled(owner, colours[owner], colours), owner)


def test_a_ragged_border_of_little_contrast_is_smoothed() -> None:
    _, x = np.mgrid[:60, :80]
    ragged = np.random.default_rng(4).integers(-1, 2, 60)[:, None]
    owner = (x >= 40 + ragged).astype(int)
    colours = np.array([(0.50, 0.50, 0.50), (0.53, 0.53, 0.53)])
    smooth = settled(owner, colours[owner], colours, rounds=30)
    assert border_length(smooth) < 0.75 * border_length(owner)
    assert border_length(smooth) <= 75  # the straight one has 60
    np.testing.assert_array_equal(smooth[:, :38], 0)
    np.testing.assert_array_equal(smooth[:, 42:], 1)
    strong = np.array([(0.1, 0.1, 0.1), (0.9, 0.9, 0.9)])
    np.testing.assert_array_equal(settled(owner, strong[owner], strong, rounds=30), owner)


def partitions():
    shapes = st.tuples(st.integers(1, 14), st.integers(1, 14))
    return shapes.flatmap(lambda shape: hnp.arrays(np.int32, shape, elements=st.integers(0, 3)))


@given(partitions(), st.integers(0, 100), st.sampled_from([0.0, 0.003, 0.1, 10.0]))
@settings(max_examples=60, deadline=None)
def test_settling_comes_to_rest_and_invents_nothing(owner, seed, stiffness) -> None:
    random = np.random.default_rng(seed)
    pixels, colours = random.random((*owner.shape, 3)), random.random((4, 3))
    before = owner.copy()
    once = settled(owner, pixels, colours, stiffness, 200)
    np.testing.assert_array_equal(owner, before)  # its argument is left alone
    assert np.isin(once, owner).all()
    np.testing.assert_array_equal(settled(once, pixels, colours, stiffness, 200), once)
    none = settled(owner, pixels, colours, stiffness, 0)
    np.testing.assert_array_equal(none, owner)


@given(partitions(), st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_pixels_ahead_of_the_first_border_stay_in_a_round(owner, seed) -> None:
    """A change spreads in the order of pixels; what comes before any border cannot have changed yet."""
    random = np.random.default_rng(seed)
    owner = np.kron(owner, np.ones((6, 6), np.int32))
    out = settled(owner, random.random((*owner.shape, 3)), random.random((4, 3)), 0.01, 1)
    values, box = owner.astype(np.uint8), np.ones((3, 3))
    border = cv2.dilate(values, box) != cv2.erode(values, box)
    first = int(np.argmax(border.ravel())) if border.any() else owner.size
    np.testing.assert_array_equal(out.ravel()[:first], owner.ravel()[:first])


# Stacks


def box(labels, number, top, left, bottom, right):
    labels[top:bottom, left:right] = number


def ring_labels():
    """Return ground 0, a square ring 1 and what it encloses, 2: int [48, 60]."""
    labels = np.zeros((48, 60), int)
    box(labels, 1, 8, 10, 40, 50)
    box(labels, 2, 18, 22, 30, 38)
    return labels


FLAT = np.array([(0.95, 0.95, 0.95), (0.8, 0.2, 0.1), (0.1, 0.3, 0.7), (0.2, 0.6, 0.3), (0.9, 0.8, 0.1)])


def plan_of(nodes, numbers, alphas=None):
    paints = np.ones((len(nodes), 4))
    paints[:, :3] = FLAT[list(numbers)]
    if alphas is not None:
        paints[:, 3] = alphas
    return Plan(np.array(nodes, dtype=np.int64), (), paints)


def pixels_of(labels):
    return FLAT[labels].astype(np.float32)


def chosen(picture, budget):
    """Return tree, pixels and the choice for a picture, without outlines."""
    found, pixels = built(picture), premultiplied(picture)
    nodes, paints, _ = choose.choose(found, pixels, budget)
    return found, pixels, Plan(nodes, (), paints)


def ancestors(parents, i):
    while parents[i] >= 0:
        i = parents[i]
        yield i


PICTURES = {
    "nested": nested_discs,
    "scenery": scenery,
    "noisy": lambda: noisy(scenery(), 0.06),
    "jpeg": lambda: jpeg(scenery(), 40),
    "sticker": lambda: cut_out(disc(64, 80, 40, 32, 24), (0.9, 0.5, 0.1)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_parents_come_before_their_children_and_subtrees_stay_together(name) -> None:
    found, _, plan = chosen(PICTURES[name](), 24)
    order = arrange.stack(found, plan.nodes)
    parents = arrange.nest(found, plan.nodes)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(plan)))
    place = np.empty(len(plan), int)
    place[order] = np.arange(len(plan))
    for i in range(len(plan)):
        below = [j for j in range(len(plan)) if i in ancestors(parents, j)]
        assert sorted(place[below]) == list(range(place[i] + 1, place[i] + 1 + len(below)))
        for j in below:
            assert plan.nodes[i] < plan.nodes[j] < found.last[plan.nodes[i]]


@pytest.mark.parametrize("name", PICTURES)
def test_what_shows_is_the_innermost_picked_node(name) -> None:
    found, _, plan = chosen(PICTURES[name](), 24)
    shown = arrange.seen(found, plan.nodes)
    contains = (plan.nodes <= found.labels[..., None]) & (found.labels[..., None] < found.last[plan.nodes])
    np.testing.assert_array_equal(shown >= 0, contains.any(axis=2))
    innermost = np.where(contains, plan.nodes, -1).max(axis=2)
    np.testing.assert_array_equal(plan.nodes[shown[shown >= 0]], innermost[shown >= 0])


@pytest.mark.parametrize("nesting", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
def test_an_enclosed_sibling_is_painted_later(nesting) -> None:
    labels = ring_labels()
    found, node_of = tree_of(labels, nesting)
    nodes = np.array([0, node_of[2], node_of[1]])
    order = arrange.stack(found, nodes).tolist()
    assert order == [0, 2, 1]


@pytest.mark.parametrize("name", PICTURES)
def test_painting_the_masks_in_order_shows_the_settled_regions(name) -> None:
    found, pixels, plan = chosen(PICTURES[name](), 24)
    expected = arrange._settled(found, plan, pixels if found.flat is None else found.flat)
    masks = draw_masks(found, plan, pixels, range(len(plan)))
    shown = np.full(expected.shape, -1)
    for i in arrange.stack(found, plan.nodes):
        shown[masks[i]] = i
    np.testing.assert_array_equal(shown, expected)


def test_prefixes_leave_no_gap_where_a_more_important_shape_shows() -> None:
    """Every prefix by rank covers all that its regions cover."""
    found, pixels, plan = chosen(noisy(scenery(), 0.04), 20)
    masks = draw_masks(found, plan, pixels, range(len(plan)))
    for count in range(1, len(plan) + 1):
        assert np.any(masks[:count], axis=0).all()


def test_only_the_wanted_masks_are_drawn_and_they_do_not_depend_on_what_else_is_wanted() -> None:
    found, pixels, plan = chosen(scenery(), 10)
    every = draw_masks(found, plan, pixels, range(len(plan)))
    some = draw_masks(found, plan, pixels, [6, 2])
    np.testing.assert_array_equal(some, [every[6], every[2]])


def test_a_hole_whose_content_is_painted_on_top_is_filled() -> None:
    labels = ring_labels()
    for nesting, up in (([0, [1, 2]], 1), ([0, 1, 2], 0)):  # inside the ring's node, and beside it
        found, node_of = tree_of(labels, nesting)
        plan = plan_of([0, node_of[1] - up, node_of[2]], (0, 1, 2))
        ring = draw_masks(found, plan, pixels_of(labels), [1])[0]
        assert ring[24, 30]
        np.testing.assert_array_equal(ring, labels > 0)
        outlines = arrange.add_outlines(plan, found, pixels_of(labels), 1.0).outlines
        assert [outline.contours for outline in outlines] == [1, 1, 1]


def test_a_hole_that_shows_what_lies_below_stays_open() -> None:
    labels = ring_labels()
    found, node_of = tree_of(labels, [0, 2, 1])
    pixels = pixels_of(np.where(labels == 2, 0, labels))
    plan = plan_of([0, node_of[1]], (0, 1))
    ring = draw_masks(found, plan, pixels, [1])[0]
    np.testing.assert_array_equal(ring, labels == 1)
    outlines = arrange.add_outlines(plan, found, pixels, 1.0).outlines
    assert outlines[1].contours == 2
    assert abs(curves.signed_area(outlines[1]) - (labels == 1).sum()) < 0.02 * labels.size


def test_a_hole_under_glass_stays_open() -> None:
    """What is painted in the hole lets light through, so the ring may not run on under it."""
    labels = ring_labels()
    found, node_of = tree_of(labels, [0, 1, 2])
    plan = plan_of([0, node_of[1], node_of[2]], (0, 1, 2), alphas=[1.0, 1.0, 0.5])
    pixels = np.concatenate([pixels_of(labels), np.ones((48, 60, 1), np.float32)], axis=2)
    pixels[labels == 2] *= 0.5
    ring = draw_masks(found, plan, pixels, [1])[0]
    assert not ring[labels == 2].any()


def test_parents_run_on_under_their_children() -> None:
    found, pixels, plan = chosen(nested_discs(), 5)
    parents = arrange.nest(found, plan.nodes)
    shown = arrange._settled(found, plan, pixels)
    masks = draw_masks(found, plan, pixels, range(len(plan)))
    checked = 0
    for i in np.flatnonzero(parents >= 0):
        depth = cv2.distanceTransform((shown == i).astype(np.uint8), cv2.DIST_L2, 3)
        inside = depth > arrange.HIDDEN_RETREAT + 0.5  # where a border is hidden it steps back a little
        checked += int(inside.sum())
        for above in ancestors(parents, i):
            assert masks[above][inside].all()
    assert checked > 1000


def test_neighbours_run_on_under_the_one_painted_above_if_it_is_more_important() -> None:
    """Else the part below would show at the ranks between the two."""
    labels = np.zeros((40, 60), int)
    box(labels, 1, 5, 5, 35, 30)
    box(labels, 2, 10, 30, 30, 50)
    found, node_of = tree_of(labels, [0, 1, 2])
    for numbers, runs_on in (((0, 2, 1), True), ((0, 1, 2), False)):
        plan = plan_of([0, *(node_of[number] for number in numbers[1:])], numbers)
        lower, upper = numbers.index(1), numbers.index(2)
        assert arrange.stack(found, plan.nodes).tolist() == [0, lower, upper]
        masks = draw_masks(found, plan, pixels_of(labels), [lower, upper])
        np.testing.assert_array_equal(masks[1], labels == 2)
        np.testing.assert_array_equal(masks[0][:, :30], labels[:, :30] == 1)
        assert masks[0][13:27, 30 : 30 + arrange.OVERLAP - 1].all() == runs_on
        assert not masks[0][:, 30 + arrange.OVERLAP + 2 :].any()


@pytest.mark.parametrize("shape", [(30, 50), (64, 33)])
def test_the_background_is_exactly_the_canvas(shape) -> None:
    picture = np.full((*shape, 3), 0.8, np.float32)
    picture[10:20, 8:24] = (0.1, 0.2, 0.5)
    picture[:4, :4] = 0.0  # a corner too
    pixels = premultiplied(picture)
    plan = arrange.arrange(built(picture), pixels, 8, 1.0)
    assert plan.nodes[0] == 0
    outline = plan.outlines[0]
    assert outline.segments == 4
    assert outline.straight.all()
    h, w = shape
    assert sorted(map(tuple, outline.points[0::3])) == [(0, 0), (0, h), (w, 0), (w, h)]
    assert curves.signed_area(outline) == pytest.approx(h * w)


# Plans


@pytest.mark.parametrize("name", PICTURES)
def test_the_first_plan_draws_each_region(name) -> None:
    picture = PICTURES[name]()
    found, pixels = built(picture), premultiplied(picture)
    plan = arrange.arrange(found, pixels, 24, 1.0)
    assert len(plan) == len(plan.outlines) == len(plan.paints) <= 24
    masks = draw_masks(found, plan, pixels, range(len(plan)))
    for outline, mask in zip(plan.outlines, masks, strict=True):
        assert outline.contours >= 1
        h, w = mask.shape
        nodes = outline.points[0::3]
        assert ((nodes >= -1e-9) & (nodes <= np.array([w, h]) + 1e-9)).all()
        perimeter = border_length(np.pad(mask, 1))
        assert abs(curves.signed_area(outline) - mask.sum()) < arrange.SPECK_AREA + 0.5 * perimeter


def test_outlines_are_added_to_those_that_are_known() -> None:
    found, pixels, plan = chosen(scenery(), 10)
    whole = arrange.add_outlines(plan, found, pixels, 1.0)
    assert len(whole) == len(plan) > 6
    known = Plan(plan.nodes, whole.outlines[:6], plan.paints)
    again = arrange.add_outlines(known, found, pixels, 1.0)
    for old, new in zip(whole.outlines[:6], again.outlines[:6], strict=True):
        assert new is old
    for old, new in zip(whole.outlines[6:], again.outlines[6:], strict=True):
        np.testing.assert_array_equal(new.points, old.points)


def test_regions_that_vanish_are_left_out() -> None:
    """A node all of whose pixels lie in a picked child shows nothing by itself, and may have no mask."""
    labels = np.zeros((30, 30), int)
    box(labels, 1, 10, 10, 20, 20)
    box(labels, 2, 14, 14, 15, 15)
    found, node_of = tree_of(labels, [0, [1, 2]])
    pixels = pixels_of(np.where(labels == 2, 1, labels))
    plan = plan_of([0, node_of[1] - 1, node_of[2]], (0, 1, 3))
    made = arrange.add_outlines(plan, found, pixels, 1.0)
    assert made.nodes.tolist() == [0, node_of[1] - 1]
    assert len(made.outlines) == len(made.paints) == 2


def test_loose_tolerance_takes_fewer_nodes() -> None:
    picture = noisy(scenery(), 0.03)
    found, pixels = built(picture), premultiplied(picture)
    plans = [arrange.arrange(found, pixels, 12, tolerance) for tolerance in (0.5, 1.0, 3.0)]
    counts = [sum(outline.segments for outline in plan.outlines) for plan in plans]
    assert counts[0] > counts[1] > counts[2]


def test_the_same_picture_gives_the_same_plan() -> None:
    picture = noisy(scenery(), 0.05)
    first, second = (arrange.arrange(built(picture), premultiplied(picture), 16, 1.0) for _ in range(2))
    np.testing.assert_array_equal(first.nodes, second.nodes)
    for a, b in zip(first.outlines, second.outlines, strict=True):
        assert a.points.tobytes() == b.points.tobytes()
