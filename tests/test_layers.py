"""Layers mirror the nesting of regions and carry names that a person can find them by."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from pictures import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    WHITE,
    YELLOW,
    cut_out,
    disc,
    nested_discs,
    premultiplied,
    raster,
    scenery,
    tree_of,
)

from layervec import arrange, layers, simplify, tree
from layervec.arrange import Plan
from layervec.names import colour_name, oklch, place_name
from layervec.types import Layer, LinearGradient, RadialGradient, Shape, Solid, Stop

COLOURS = np.array([WHITE, RED, BLUE, GREEN, YELLOW, BLACK])


def drawn(picture, budget):
    """Return tree, plan and drawing of a picture before any fit."""
    source = raster(picture)
    found = tree.build(source, simplify.classic(source))
    plan = arrange.arrange(found, premultiplied(picture), budget, 1.0)
    return found, plan, layers.drawing(found, plan)


def by_hand(labels, nesting, nodes_of, numbers):
    """Return the drawing of hand-picked nodes in COLOURS[numbers]."""
    found, node_of = tree_of(labels, nesting)
    paints = np.concatenate([COLOURS[list(numbers)], np.ones((len(numbers), 1))], axis=1)
    plan = Plan(np.array(nodes_of(node_of), dtype=np.int64), (), paints)
    plan = arrange.add_outlines(plan, found, COLOURS[labels].astype(np.float32), 1.0)
    return layers.drawing(found, plan)


def boxes():
    """Ground 0, a box 1 with a box 2 in it, in which a box 3 lies; two small ones 4 and 5 elsewhere."""
    labels = np.zeros((90, 120), int)
    labels[20:80, 10:80] = 1
    labels[30:70, 20:70] = 2
    labels[40:60, 30:60] = 3
    labels[10:14, 100:105] = 4
    labels[80:84, 100:106] = 5
    return labels


def drawing_of_boxes():
    nested = [0, [1, [2, 3]], 4, 5]
    return by_hand(boxes(), nested, lambda n: [0, n[1] - 1, n[2] - 1, n[3], n[4], n[5]], (0, 1, 2, 3, 4, 5))


def structure(item):
    """Return a drawing's layers as nested lists of ranks."""
    return item.rank if isinstance(item, Shape) else [structure(child) for child in item.children]


def test_layers_mirror_the_nesting() -> None:
    drawing = drawing_of_boxes()
    assert structure(drawing.root) == [[1], [2, [3, 4]], [6, 5]]  # of siblings the larger first
    background, outer, details = drawing.root.children
    assert background.name == "background, white"
    assert outer.name.startswith("red, ")
    assert outer.children[1].name.startswith("blue, ")
    assert details.name == "details"
    assert (drawing.width, drawing.height) == (120, 90)


def test_a_region_without_parts_that_is_large_is_a_layer_of_its_own() -> None:
    labels = boxes()
    labels[10:14, 100:105] = 0
    labels[2:18, 90:118] = 4
    drawing = by_hand(labels, [0, 1, 2, 3, 4, 5], lambda n: [0, n[4], n[5]], (0, 4, 5))
    assert structure(drawing.root) == [[1], [2], [3]]
    names = [child.name for child in drawing.root.children]
    assert names == ["background, white", "yellow, upper right", "details"]


def test_without_a_background_everything_is_on_the_top_level() -> None:
    drawing = by_hand(boxes(), [0, [1, [2, 3]], 4, 5], lambda n: [n[1] - 1, n[3], n[4]], (1, 3, 4))
    assert structure(drawing.root) == [[1, 2], [3]]
    assert not any(layer.name.startswith("background") for layer in drawing.root.layers())


def test_a_glassy_canvas_is_no_background() -> None:
    found, node_of = tree_of(boxes(), [0, 1, 2, 3, 4, 5])
    paints = np.array([[1, 1, 1, 0.5], [0, 0, 1, 1.0]])
    pixels = np.full((90, 120, 4), 0.5, np.float32)
    pixels[20:80, 10:80] = (0, 0, 1, 1)
    plan = arrange.add_outlines(Plan(np.array([0, node_of[1]]), (), paints), found, pixels, 1.0)
    drawing = layers.drawing(found, plan)
    assert not any(layer.name.startswith("background") for layer in drawing.root.layers())
    assert len(drawing.shapes()) == 2


def test_names_that_repeat_are_numbered() -> None:
    labels = np.zeros((60, 60), int)
    for number, top in ((1, 2), (2, 8), (3, 14)):
        labels[top : top + 4, 3:15] = number
    picture = np.where(labels > 0, 1, 0)
    found, node_of = tree_of(labels, [0, 1, 2, 3])
    paints = np.concatenate([COLOURS[[0, 1, 1, 1]], np.ones((4, 1))], axis=1)
    plan = Plan(np.array([0, node_of[1], node_of[2], node_of[3]]), (), paints)
    plan = arrange.add_outlines(plan, found, COLOURS[picture].astype(np.float32), 1.0)
    names = [child.name for child in layers.drawing(found, plan).root.children]
    assert names == ["background, white", "red, upper left", "red, upper left 2", "red, upper left 3"]


PICTURES = {
    "nested": nested_discs,
    "scenery": scenery,
    "sticker": lambda: cut_out(disc(64, 80, 40, 32, 24), (0.9, 0.5, 0.1)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_shape_is_drawn_once_in_stacking_order_under_ids_of_its_own(name) -> None:
    found, plan, drawing = drawn(PICTURES[name](), 30)
    shapes = drawing.shapes()
    assert sorted(shape.rank for shape in shapes) == list(range(1, len(plan) + 1))
    for shape in shapes:
        assert shape.outline is plan.outlines[shape.rank - 1]
        np.testing.assert_allclose(plan.paints[shape.rank - 1], list(astuple(shape.paint)))
        assert shape.even_odd == (shape.outline.contours > 1)
    ids = [item.id for item in shapes] + [layer.id for layer in drawing.root.layers()]
    assert len(set(ids)) == len(ids)
    for name in ids:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name)
    place = {shape.rank - 1: at for at, shape in enumerate(shapes)}
    for i, parent in enumerate(arrange.nest(found, plan.nodes)):
        assert parent < 0 or place[int(parent)] < place[i]


def astuple(paint):
    return paint.red, paint.green, paint.blue, paint.alpha


@pytest.mark.parametrize("name", PICTURES)
def test_each_layer_holds_one_node_and_what_lies_in_it(name) -> None:
    found, plan, drawing = drawn(PICTURES[name](), 30)
    for layer in drawing.root.layers():
        if layer is drawing.root or layer.name == "details" or layer.name.startswith("background"):
            continue
        base = layer.children[0]
        assert isinstance(base, Shape)
        node = int(plan.nodes[base.rank - 1])
        for shape in layer.shapes():
            assert node <= plan.nodes[shape.rank - 1] < found.last[node]


def test_an_opaque_picture_has_its_background_alone_at_the_bottom() -> None:
    _, plan, drawing = drawn(scenery(), 20)
    bottom = drawing.root.children[0]
    assert isinstance(bottom, Layer)
    assert bottom.name.startswith("background, ")
    assert [shape.rank for shape in bottom.shapes()] == [1]
    assert plan.nodes[0] == 0
    assert all(isinstance(child, Layer) for child in drawing.root.children)


def test_discs_in_discs_are_layers_in_layers() -> None:
    _, _, drawing = drawn(nested_discs(), 12)

    def depth(layer):
        return 1 + max((depth(child) for child in layer.children if isinstance(child, Layer)), default=0)

    assert depth(drawing.root) - 1 >= 2


def test_an_empty_plan_is_an_empty_drawing() -> None:
    found, _ = tree_of(np.zeros((5, 7), int), [0, 0])
    drawing = layers.drawing(found, Plan(np.zeros(0, np.int64), (), np.zeros((0, 4))))
    assert drawing.shapes() == []
    assert (drawing.width, drawing.height) == (7, 5)


# Names


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("ffffff", "white"), ("fefefe", "white"), ("000000", "black"), ("0a0a0a", "black"),
        ("808080", "grey"), ("303030", "dark grey"), ("d0d0d0", "light grey"), ("ff0000", "red"),
        ("8b0000", "dark red"),
        ("000080", "dark blue"), ("0000ff", "blue"), ("add8e6", "light blue"), ("00ff00", "green"),
        ("004000", "dark green"), ("c8f7c8", "light green"), ("ffff00", "yellow"), ("ffa500", "orange"),
        ("8b4513", "brown"), ("f5e6c8", "light beige"), ("808000", "olive"), ("008080", "teal"),
        ("800080", "purple"), ("400040", "dark purple"), ("ff00ff", "magenta"),
        ("ffc0cb", "light pink"), ("ff1493", "pink"),
    ],
)  # fmt: skip
def test_known_colours_have_their_names(code, name) -> None:
    red, green, blue = (int(code[k : k + 2], 16) / 255 for k in (0, 2, 4))
    assert colour_name(Solid(red, green, blue)) == name


def stops(*colours):
    """Evenly spaced stops of 0..1 channels."""
    return tuple(Stop(float(at), *colour) for at, colour in zip(np.linspace(0, 1, len(colours)), colours, strict=True))


SKY, PALE_SKY = (0.6, 0.8, 1.0), (0.64, 0.82, 1.0)


@pytest.mark.parametrize(
    ("colours", "linear", "radial"),
    [
        ((SKY, WHITE), "light blue to white", "light blue"),
        ((SKY, PALE_SKY), "light blue", "light blue"),
        ((WHITE, BLACK), "white to black", "grey"),
        ((WHITE, BLACK, WHITE), "grey", "grey"),
        ((BLUE,), "blue", "blue"),
    ],
)
def test_gradients_are_named_by_their_ends_or_their_mean(colours, linear, radial) -> None:
    ramp = stops(*colours)
    assert colour_name(LinearGradient((0, 0), (0, 9), ramp)) == linear
    assert colour_name(RadialGradient((0, 0), 9, ramp)) == radial


def test_the_mean_of_a_gradient_weighs_stops_by_their_length() -> None:
    ramp = (Stop(0.8, *RED), Stop(0.9, *BLUE))
    assert colour_name(RadialGradient((0, 0), 9, ramp)) == colour_name(
        Solid(*(0.85 * np.array(RED) + 0.15 * np.array(BLUE)))
    )


@pytest.mark.parametrize("value", np.linspace(0, 1, 12))
def test_greys_are_named_as_greys(value) -> None:
    lightness, chroma, _ = oklch(Solid(value, value, value))
    assert chroma < 1e-6
    assert colour_name(Solid(value, value, value)) in ("black", "dark grey", "grey", "light grey", "white")
    assert 0 <= lightness <= 1 + 1e-6


def test_every_colour_has_a_name_of_plain_words() -> None:
    values = np.linspace(0, 1, 9)
    names = {colour_name(Solid(r, g, b)) for r in values for g in values for b in values}
    assert all(re.fullmatch(r"((dark|light) )?[a-z]+", name) for name in names), names
    assert len(names) > 20


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ff0000", (0.628, 0.258, 29.2)), ("00ff00", (0.866, 0.295, 142.5)), ("0000ff", (0.452, 0.313, 264.1))],
)
def test_oklch_has_its_published_values(code, expected) -> None:
    red, green, blue = (int(code[k : k + 2], 16) / 255 for k in (0, 2, 4))
    lightness, chroma, hue = oklch(Solid(red, green, blue))
    assert lightness == pytest.approx(expected[0], abs=0.002)
    assert chroma == pytest.approx(expected[1], abs=0.002)
    assert hue == pytest.approx(expected[2], abs=0.2)


def test_places_are_nine() -> None:
    rows = [[place_name(x, y) for x in (0.1, 0.5, 0.9)] for y in (0.1, 0.5, 0.9)]
    assert rows == [
        ["upper left", "upper", "upper right"],
        ["left", "centre", "right"],
        ["lower left", "lower", "lower right"],
    ]
    assert place_name(0.0, 0.0) == "upper left"
    assert place_name(1.0, 1.0) == "lower right"


def object_in_a_rim(rim):
    """Return the layers of a box in a wider one on a ground; the inner box is an object."""
    labels = np.zeros((90, 120), int)
    labels[20:70, 20:90] = 1
    labels[20 + rim : 70 - rim, 20 + rim : 90 - rim] = 2
    found, node_of = tree_of(labels, (0, (1, 2)))
    inner = int(node_of[2])
    outer = int(found.parent[inner])
    found = replace(found, objects=np.array([inner]), names=("chair",))
    paints = np.concatenate([COLOURS[[0, 1, 2]], np.ones((3, 1))], axis=1)
    plan = arrange.add_outlines(
        Plan(np.array([0, outer, inner], dtype=np.int64), (), paints), found, COLOURS[labels].astype(np.float32), 1.0
    )
    return {layer.id: layer.thing for layer in layers.drawing(found, plan).root.layers()}


def test_what_is_only_the_rim_of_an_object_belongs_to_it():
    things = object_in_a_rim(1)
    assert things["l2"] == "chair"
    assert [thing for thing in things.values() if thing] == ["chair"]


def test_what_is_more_than_a_rim_does_not_belong_to_the_object():
    things = object_in_a_rim(10)
    assert things["l2"] == ""
    assert things["l3"] == "chair"


def test_a_thin_ring_stays_below_what_shows_through_it() -> None:
    labels = np.zeros((200, 200), int)
    labels[40:160, 40:160] = 1
    labels[41:159, 41:159] = 2
    found, node_of = tree_of(labels, [0, 1, 2])
    pixels = COLOURS[[0, 1, 2]][labels].astype(np.float32)
    paints = np.concatenate([COLOURS[[0, 1, 2]], np.ones((3, 1))], axis=1)
    plan = arrange.add_outlines(Plan(np.array([0, node_of[1], node_of[2]]), (), paints), found, pixels, 1.0)
    order = [shape.rank for shape in layers.drawing(found, plan).shapes()]
    assert order == [1, 2, 3]
