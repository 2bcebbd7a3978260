"""The file profile rule by rule, round trips, geometry against an independent renderer, and hostile files."""

import dataclasses
import io
import json
import re
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from layervec import contours, path_data, svg
from layervec.errors import InputError
from layervec.score import path_steps, render_svg
from layervec.types import Drawing, Layer, LinearGradient, Outline, RadialGradient, Shape, Solid, Stop

NS = "{http://www.w3.org/2000/svg}"
INK = "{http://www.inkscape.org/namespaces/inkscape}"


def outline(*contours):
    """Contours as lists of segments: ((x, y), None) starts a line, ((x, y), (x, y, x, y)) a curve."""
    points, straight, starts = [], [], [0]
    for contour in contours:
        for index, (node, handles) in enumerate(contour):
            end = contour[(index + 1) % len(contour)][0]
            a, b = np.array(node, float), np.array(end, float)
            points += [a, *([a + (b - a) / 3, a + (b - a) * 2 / 3] if handles is None else
                            [np.array(handles[:2]), np.array(handles[2:])])]  # fmt: skip
            straight.append(handles is None)
        starts.append(len(points))
    return Outline(np.array(points, float).reshape(-1, 2), np.array(starts, np.int64), np.array(straight, bool))


def polygon(*nodes):
    return outline([(node, None) for node in nodes])


SQUARE = [(1, 1), (9, 1), (9, 9), (1, 9)]
HOLE = [(3, 3), (3, 6), (6, 6), (6, 3)]
RED = Solid(1, 0, 0)


def ring(even_odd=True):
    both = outline([(p, None) for p in SQUARE], [(p, None) for p in HOLE])
    return Shape("ring", both, RED, 2, even_odd)


def drawing(*children, **more):
    return Drawing(10, 10, Layer("root", "", children), **more)


def sample():
    curved = outline([((2, 2), (4, 1, 6, 1)), ((8, 2), None), ((8, 8), (6, 9, 4, 9)), ((2, 8), None)])
    inner = Layer("inner", "Inner", (Shape("c", curved, Solid(0, 0.5, 1, 0.5), 3),))
    ground = Layer("ground", "Ground", (Shape("bg", polygon(*SQUARE), RED, 1), ring()))
    return drawing(ground, Layer("top", "Top", (inner,)), title="T", metadata={"version": 1, "a": [1.5]})


WHITE_TO_BLUE = (Stop(0, 1, 1, 1), Stop(1, 0, 0, 1))
SKY = LinearGradient((1, 1), (1.5, 9), WHITE_TO_BLUE)
SUN = RadialGradient((5, 5), 4.25, (Stop(0, 1, 1, 0), Stop(0.2504, 1, 0.5, 0), Stop(1, 1, 0, 0)), 0.5)


def graded():
    """A drawing with three gradients, two of them alike."""
    ground = Layer("ground", "Ground", (Shape("s1", polygon(*SQUARE), SKY, 1), ring()))
    more = (Shape("s3", polygon(*HOLE), SUN, 3), Shape("s4", polygon(*HOLE), dataclasses.replace(SKY, alpha=0.5), 4))
    return drawing(ground, *more)


def tree(item):
    return ET.fromstring(svg.write(item))


def only_path(item_outline, **shape):
    """Return the path element of a drawing with that outline alone, None where it was dropped."""
    given = {"id": "p", "outline": item_outline, "paint": RED, "rank": 1} | shape
    return tree(drawing(Shape(**given))).find(f"{NS}path")


# The profile


def test_declaration_and_encoding():
    text = svg.write(dataclasses.replace(sample(), title="Grün 🐿"))
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<svg ')
    assert ET.fromstring(text.encode("utf-8")).findtext(f"{NS}title") == "Grün 🐿"


def test_namespaces_are_declared_on_the_root():
    start = svg.write(sample()).split(">")[1]
    assert 'xmlns="http://www.w3.org/2000/svg"' in start
    assert 'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"' in start


@pytest.mark.parametrize(
    ("size", "text"), [((512, 341), "512 341"), ((10.5, 7.25), "10.5 7.25"), ((1e6, 0.01), "1000000 .01")]
)
def test_size_and_view_box(size, text):
    root = tree(dataclasses.replace(sample(), width=size[0], height=size[1]))
    assert [root.get("width"), root.get("height")] == text.split()
    assert root.get("viewBox") == f"0 0 {text}"


def test_title_then_metadata_then_children_back_to_front():
    root = tree(sample())
    assert [child.tag for child in root] == [NS + name for name in ("title", "metadata", "g", "g")]
    assert [child.get("id") for child in root.iter() if child.get("id")] == [
        "ground", "bg", "ring", "top", "inner", "c",
    ]  # fmt: skip


def test_metadata_is_sorted_json():
    item = drawing(metadata={"z": "</metadata>&", "a": {"k": None, "b": "\x01é"}})
    text = tree(item).findtext(f"{NS}metadata")
    assert json.loads(text) == item.metadata
    assert text.index('"a"') < text.index('"z"')
    assert text.index('"b"') < text.index('"k"')


def test_layers_are_inkscape_groups():
    group = tree(sample()).find(f"{NS}g[@id='top']/{NS}g")
    assert group.attrib == {
        "id": "inner",
        f"{INK}groupmode": "layer",
        f"{INK}label": "Inner",
        "data-name": "Inner",
    }


def test_the_root_layer_is_not_a_group():
    assert "root" not in [element.get("id") for element in tree(sample()).iter()]


def test_an_empty_layer_keeps_its_name():
    assert tree(drawing(Layer("e", "Empty"))).find(f"{NS}g").get("data-name") == "Empty"


def test_attributes_of_a_path_and_their_order():
    paths = re.findall("<path .*", svg.write(sample()))
    assert paths[0] == '<path id="bg" data-rank="1" fill="#ff0000" d="M1 1H9V9H1Z"/>'
    assert re.findall(r"([a-z-]+)=", paths[1]) == ["id", "data-rank", "fill", "fill-rule", "d"]
    assert re.findall(r"([a-z-]+)=", paths[2]) == ["id", "data-rank", "fill", "fill-opacity", "d"]


@pytest.mark.parametrize(
    ("paint", "fill", "opacity"),
    [
        (Solid(0, 0.5, 1), "#0080ff", None),
        (Solid(-0.1, 1.2, 0.2), "#00ff33", None),
        (Solid(0, 0, 0, 0.5), "#000000", ".5"),
        (Solid(0, 0, 0, 0.12345), "#000000", ".123"),
        (Solid(0, 0, 0, 0.99999), "#000000", None),
        (Solid(0, 0, 0, 0), "#000000", "0"),
    ],
)
def test_fill_and_opacity(paint, fill, opacity):
    path = only_path(polygon(*SQUARE), paint=paint)
    assert path.get("fill") == fill
    assert path.get("fill-opacity") == opacity


def test_fill_rule_only_with_holes():
    assert tree(drawing(ring())).find(f"{NS}path").get("fill-rule") == "evenodd"
    assert tree(drawing(ring(even_odd=False))).find(f"{NS}path").get("fill-rule") is None
    assert only_path(polygon(*SQUARE), even_odd=True).get("fill-rule") is None


def test_fill_rule_goes_with_a_hole_that_collapses():
    speck = [((3 + d, 3 + d), None) for d in (0, 0.001, 0.002)]
    path = only_path(outline([(p, None) for p in SQUARE], speck), even_odd=True)
    assert path.get("d") == "M1 1H9V9H1Z"
    assert path.get("fill-rule") is None


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        (polygon((0, 0), (10, 0), (0, 10)), "M0 0H10L0 10Z"),
        (polygon((0.5, 0.25), (10.10, 0), (0, 10.126)), "M.5.25L10.1 0L0 10.13Z"),
        (polygon((-0.001, -0.004), (-5, -6.5), (-0.5, 3)), "M0 0-5-6.5-.5 3Z"),
        (polygon((0, 0), (0, 0.001), (4, 0), (4, 0.004), (0, 4)), "M0 0H4L0 4Z"),
        (outline([((0, 0), (1, -1, 2, -1)), ((3, 0), None)]), "M0 0C1-1 2-1 3 0Z"),
        (outline([((0, 0), (0, 0, 3, 0)), ((3, 0), None), ((3, 3), None)]), "M0 0H3V3Z"),
        (outline([((0, 0), (5, 0, 0, 5))]), "M0 0C5 0 0 5 0 0Z"),
        (
            outline([((0, 0), (-1, 1, -1, 2)), ((0, 3), (-1, 4, -1, 5)), ((0, 6), (9, 5, 9, 1))]),
            "M0 0C-1 1-1 2 0 3-1 4-1 5 0 6C9 5 9 1 0 0Z",
        ),
        (
            outline([((100, 100), (90, 104, 88, 120)), ((101, 130), None), ((130, 140.5), None)]),
            "M100 100c-10 4-12 20 1 30l29 10.5Z",
        ),
        (polygon((100, 100), (100.5, 100), (100.5, 90), (7, 90), (7, 150)), "M100 100h.5V90H7v60Z"),
    ],
    ids=["lines", "decimals", "signs", "zero length", "curve", "flat handles", "loop", "repeats", "relative", "level"],
)
def test_path_data_is_minimal(shape, data):
    assert only_path(shape).get("d") == data


@pytest.mark.parametrize(
    "nodes",
    [
        [(5, 5)],
        [(5, 5), (5.001, 5.002), (5.003, 5)],
        [(0, 0), (5, 5)],
        [(0, 0), (5, 5), (9, 9)],
        [(0, 0), (9, 0), (4, 0.004)],
    ],
)
def test_contours_without_area_are_dropped(nodes):
    assert only_path(polygon(*nodes)) is None


def test_an_empty_outline_is_dropped():
    assert only_path(Outline(np.zeros((0, 2)), np.zeros(1, np.int64), np.zeros(0, bool))) is None


@pytest.mark.parametrize(
    ("item", "more"), [(sample, set()), (graded, {"defs", "linearGradient", "radialGradient", "stop"})]
)
def test_no_element_or_attribute_beyond_the_profile(item, more):
    root = tree(item())
    assert {element.tag.removeprefix(NS) for element in root.iter()} == {"svg", "title", "metadata", "g", "path"} | more
    forbidden = {"style", "transform", "gradientTransform", "spreadMethod", "clip-path", "mask", "filter", "href"}
    assert not forbidden & {key for element in root.iter() for key in element.attrib}


def test_indentation_and_bytes_are_fixed():
    text = svg.write(sample())
    assert text == svg.write(sample())
    assert re.findall(r"^( *)<(\S+)", text, re.M)[4:] == [
        (" ", "g"), ("  ", "path"), ("  ", "path"), (" ", "/g>"),
        (" ", "g"), ("  ", "g"), ("   ", "path"), ("  ", "/g>"), (" ", "/g>"), ("", "/svg>"),
    ]  # fmt: skip
    assert text.endswith("</svg>\n")


@pytest.mark.parametrize("name", ["\"quoted\" <b> & 'x'", "tab\tline\nreturn\r", "猫 é 🐈 ￼", "", " ]]> "])
def test_names_survive_escaping(name):
    root = tree(drawing(Layer("a", name), title=name))
    assert root.find(f"{NS}g").get("data-name") == name
    assert root.find(f"{NS}g").get(f"{INK}label") == name
    assert root.findtext(f"{NS}title") == name


@pytest.mark.parametrize("bad", ["\x00", "\x08", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"])
def test_characters_that_xml_forbids_are_removed(bad):
    assert tree(drawing(Layer("a", f"x{bad}y"))).find(f"{NS}g").get("data-name") == "xy"


def test_ids_must_be_unique_ascii_names():
    for bad in ("", "1a", "ä", "a b", 'a"', "a:b", "a\n"):
        with pytest.raises(ValueError, match="ASCII name"):
            svg.write(drawing(Layer(bad, "")))
    with pytest.raises(ValueError, match="twice"):
        svg.write(drawing(Layer("ring", "", (ring(),))))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e7])
def test_coordinates_must_be_finite(value):
    with pytest.raises(ValueError, match="finite"):
        only_path(Outline(np.array([[value, 0.0]] * 3), np.array([0, 3]), np.array([False])))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"width": 0}, "canvas side"),
        ({"height": float("nan")}, "canvas side"),
        ({"width": float("inf")}, "canvas side"),
        ({"metadata": {"a": float("nan")}}, "JSON"),
        ({"root": Layer("r", "", (dataclasses.replace(ring(), rank=0),))}, "rank"),
        ({"root": Layer("r", "", (dataclasses.replace(ring(), paint=Solid(0, float("nan"), 0)),))}, "paint"),
    ],
)
def test_what_cannot_be_written_is_a_value_error(change, cause):
    with pytest.raises(ValueError, match=cause):
        svg.write(dataclasses.replace(sample(), **change))


def nested(depth):
    layer = Layer("leaf", "", (ring(),))
    for index in range(depth - 1):
        layer = Layer(f"l{index}", "", (layer,))
    return drawing(layer)


def test_nesting_is_capped_where_reading_is():
    text = svg.write(nested(svg.MAX_DEPTH - 2))  # and <svg> and <path> around and inside
    assert svg.write(svg.read(text)) == text
    with pytest.raises(ValueError, match="deeper"):
        svg.write(nested(svg.MAX_DEPTH - 1))


# Gradients


def test_gradients_are_defined_after_the_metadata():
    assert svg.write(graded()).splitlines()[4:-1] == [
        " <defs>",
        '  <linearGradient id="g1" gradientUnits="userSpaceOnUse" x1="1" y1="1" x2="1.5" y2="9">'
        '<stop offset="0" stop-color="#ffffff"/><stop offset="1" stop-color="#0000ff"/></linearGradient>',
        '  <radialGradient id="g3" gradientUnits="userSpaceOnUse" cx="5" cy="5" r="4.25">'
        '<stop offset="0" stop-color="#ffff00"/><stop offset=".25" stop-color="#ff8000"/>'
        '<stop offset="1" stop-color="#ff0000"/></radialGradient>',
        '  <linearGradient id="g4" gradientUnits="userSpaceOnUse" x1="1" y1="1" x2="1.5" y2="9">'
        '<stop offset="0" stop-color="#ffffff"/><stop offset="1" stop-color="#0000ff"/></linearGradient>',
        " </defs>",
        ' <g id="ground" inkscape:groupmode="layer" inkscape:label="Ground" data-name="Ground">',
        '  <path id="s1" data-rank="1" fill="url(#g1)" d="M1 1H9V9H1Z"/>',
        '  <path id="ring" data-rank="2" fill="#ff0000" fill-rule="evenodd" d="M1 1H9V9H1ZM3 3V6H6V3Z"/>',
        " </g>",
        ' <path id="s3" data-rank="3" fill="url(#g3)" fill-opacity=".5" d="M3 3V6H6V3Z"/>',
        ' <path id="s4" data-rank="4" fill="url(#g4)" fill-opacity=".5" d="M3 3V6H6V3Z"/>',
    ]


def test_gradients_come_back():
    back = svg.read(svg.write(graded())).shapes()
    assert back[0].paint == SKY
    assert back[3].paint == dataclasses.replace(SKY, alpha=0.5)
    assert isinstance(back[2].paint, RadialGradient)
    assert (back[2].paint.centre, back[2].paint.radius, back[2].paint.alpha) == (SUN.centre, SUN.radius, 0.5)
    assert [stop.offset for stop in back[2].paint.stops] == [0, 0.25, 1]


def test_a_gradient_does_not_depend_on_other_shapes():
    whole = graded()
    ground, *others = whole.root.children
    without = dataclasses.replace(whole, root=Layer("root", "", (dataclasses.replace(ground, children=()), *others)))
    lines = svg.write(whole).splitlines()
    assert [line for line in svg.write(without).splitlines() if line not in lines] == [
        ' <g id="ground" inkscape:groupmode="layer" inkscape:label="Ground" data-name="Ground"/>'
    ]


def test_ids_of_gradients_give_way():
    """To layers and shapes that are written; a dropped one must not count, or reading would change the id."""
    given = Shape("g2", polygon((5, 5)), RED, 4)
    item = drawing(Layer("g1", ""), Shape("g1_", polygon(*HOLE), RED, 1), Shape("s1", polygon(*SQUARE), SKY, 2),
                   Shape("s2", polygon(*HOLE), SUN, 3), given)  # fmt: skip
    text = svg.write(item)
    assert re.findall(r'Gradient id="(.*?)"', text) == ["g1__", "g2"]
    assert svg.write(svg.read(text)) == text


@pytest.mark.parametrize(
    ("paint", "fill"),
    [
        (LinearGradient((1, 1), (1.004, 1.001), WHITE_TO_BLUE), "#0000ff"),
        (RadialGradient((5, 5), 0.004, WHITE_TO_BLUE), "#0000ff"),
        (LinearGradient((0, 0), (9, 9), (Stop(0.5, 1, 0, 0),)), "#ff0000"),
        (LinearGradient((0, 0), (9, 9), (Stop(0.5, 1, 0, 0), Stop(0.5001, 1, 0, 0.001))), "#ff0000"),
        (RadialGradient((5, 5), 4, (Stop(0, 0.5, 0, 1), Stop(0.3, 0.501, 0, 1.2), Stop(1, 0.5, -1, 1))), "#8000ff"),
    ],
    ids=["no length", "no radius", "one stop", "one stop twice", "one colour"],
)
def test_gradients_of_one_colour_are_written_as_that(paint, fill):
    root = tree(drawing(Shape("s1", polygon(*SQUARE), dataclasses.replace(paint, alpha=0.5), 1)))
    assert root.find(f"{NS}defs") is None
    assert root.find(f"{NS}path").attrib == {
        "id": "s1", "data-rank": "1", "fill": fill, "fill-opacity": ".5", "d": "M1 1H9V9H1Z",
    }  # fmt: skip


def test_stops_that_repeat_are_left_out_and_jumps_stay():
    red, blue = Stop(0.5, 1, 0, 0), Stop(0.5, 0, 0, 1)
    for stops, count in (((red, red, blue), 2), ((red, blue, blue, blue), 2), ((red, blue, red), 3)):
        text = svg.write(drawing(Shape("s1", polygon(*SQUARE), LinearGradient((0, 0), (9, 0), stops), 1)))
        assert text.count("<stop") == count


def test_the_gradient_of_a_dropped_shape_is_not_defined():
    assert "defs" not in svg.write(drawing(Shape("s1", polygon((5, 5)), SKY, 1)))


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("paint", "cause"),
    [
        (dataclasses.replace(SKY, start=(0, NAN)), "finite"),
        (dataclasses.replace(SKY, end=(1e7, 0)), "beyond any canvas"),
        (dataclasses.replace(SUN, centre=(-INFINITE, 0)), "finite"),
        (dataclasses.replace(SUN, radius=INFINITE), "finite"),
        (dataclasses.replace(SUN, radius=-1), "radius below 0"),
        (dataclasses.replace(SKY, alpha=NAN), "paint of shape s1 is not finite"),
        (dataclasses.replace(SKY, stops=(Stop(0, 1, 1, 1), Stop(1, 0, NAN, 0))), "paint of shape s1 is not finite"),
        (dataclasses.replace(SKY, stops=()), "0 stops"),
        (dataclasses.replace(SKY, stops=tuple(Stop(k / 4, k / 4, 0, 0) for k in range(5))), "5 stops"),
        (dataclasses.replace(SKY, stops=(Stop(0.5, 1, 1, 1), Stop(0.4, 0, 0, 0))), "offsets"),
        (dataclasses.replace(SKY, stops=(Stop(NAN, 1, 1, 1), Stop(1, 0, 0, 0))), "offsets"),
        (dataclasses.replace(SKY, stops=(Stop(-INFINITE, 1, 1, 1), Stop(INFINITE, 0, 0, 0))), "offsets"),
        (dataclasses.replace(SKY, stops=(Stop(0, 1, 1, 1), Stop(1.01, 0, 0, 0))), "offsets"),
    ],
)
def test_gradients_that_cannot_be_written_are_value_errors(paint, cause):
    with pytest.raises(ValueError, match=cause):
        svg.write(drawing(Shape("s1", polygon(*SQUARE), paint, 1)))


# Round trips

coordinate = st.floats(-20, 60, allow_nan=False) | st.integers(-3, 30).map(float)
point = st.tuples(coordinate, coordinate)
segment = st.tuples(point, st.none() | st.tuples(coordinate, coordinate, coordinate, coordinate))
outlines = st.lists(st.lists(segment, min_size=1, max_size=5), max_size=3).map(lambda c: outline(*c))
unit = st.floats(0, 1)
stop_lists = st.lists(st.builds(Stop, unit, unit, unit, unit), min_size=1, max_size=4)
ramps = stop_lists.map(lambda stops: tuple(sorted(stops, key=lambda stop: stop.offset)))
paints = (
    st.builds(Solid, unit, unit, unit, unit)
    | st.builds(LinearGradient, point, point, ramps, unit)
    | st.builds(RadialGradient, point, st.floats(0, 60), ramps, unit)
)
# Few, so that some are equal; ids that those of gradients would take, too.
shared = st.sampled_from([SKY, SUN, dataclasses.replace(SUN, alpha=1)])
shapes = st.builds(Shape, st.sampled_from("gs"), outlines, paints | shared, st.integers(1, 10**6), st.booleans())
items = st.recursive(
    shapes,
    lambda inner: st.builds(Layer, st.just("l"), st.text(), st.lists(inner, max_size=3).map(tuple)),
    max_leaves=6,
)


def with_ids(item, counter):
    counter.append(None)
    name = f"i{len(counter)}"
    if isinstance(item, Shape):
        return dataclasses.replace(item, id=item.id + str(len(counter) // 2) + "_" * (len(counter) % 2))
    return Layer(name, item.name, tuple(with_ids(child, counter) for child in item.children))


@settings(deadline=None, max_examples=80)
@given(st.lists(items, max_size=3), st.text(), st.dictionaries(st.text(), st.text() | st.integers()))
def test_write_read_write_is_stable(children, title, metadata):
    item = with_ids(Layer("", "", tuple(children)), [])
    first = Drawing(40, 30.5, item, title, metadata)
    text = svg.write(first)
    again = svg.read(text.encode())
    assert svg.write(again) == text
    assert again.metadata == metadata
    assert (again.width, again.height) == (40, 30.5)


@settings(deadline=None, max_examples=80)
@given(outlines)
def test_contours_start_absolute_and_close_and_have_two_decimals(shape):
    data, count = path_data.written(shape)
    assert re.fullmatch(r"(M[^MZ]+Z)*", data)
    assert data.count("Z") == count
    assert not re.search(r"[^MCLHVclhvZ0-9. -]|\.\d{3}|\.\d?0(?!\d)|-0(?![.\d])|(?<![\d.])0\d", data)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(segment, min_size=2, max_size=5), min_size=1, max_size=2))
def test_reading_gives_the_points_to_a_hundredth(contours):
    shape = outline(*contours)
    back = path_data.read(path_data.written(shape)[0])
    nodes = np.rint(shape.points[::3] * path_data.STEPS).astype(int)
    read = np.rint(back.points[::3] * path_data.STEPS).astype(int)
    assert {tuple(node) for node in read} <= {tuple(node) for node in nodes}
    assert back.starts[-1] == len(back.points) == 3 * len(back.straight)


@settings(deadline=None, max_examples=100)
@given(outlines)
def test_what_is_written_means_the_same_to_another_reader(shape):
    data, _ = path_data.written(shape)
    ours, other = path_data.read(data), contours.outline(path_steps(data))
    np.testing.assert_allclose(ours.points, other.points, atol=1e-9)
    np.testing.assert_array_equal(ours.starts, other.starts)


def test_far_from_the_origin_relative_coordinates_add_up():
    nodes = [(4000.1 + 0.1 * k, 3000.3 + 0.7 * (k % 2)) for k in range(2000)]
    shape = polygon(*nodes, (4000, 9000))
    data, _ = path_data.written(shape)
    assert data.count("L") < 10
    np.testing.assert_array_equal(path_data.read(data).points[::3], np.round(shape.points[::3], 2))


def test_reading_gives_back_the_drawing():
    back = svg.read(svg.write(sample()))
    assert back.title == "T"
    assert [layer.name for layer in back.root.layers()] == ["", "Ground", "Top", "Inner"]
    for old, new in zip(sample().shapes(), back.shapes(), strict=True):
        assert (old.id, old.rank, old.even_odd) == (new.id, new.rank, new.even_odd)
        np.testing.assert_allclose(old.outline.points, new.outline.points, atol=1e-12)
        np.testing.assert_array_equal(old.outline.starts, new.outline.starts)
        np.testing.assert_array_equal(old.outline.straight, new.outline.straight)


def test_the_root_id_of_a_read_drawing_is_free():
    back = svg.read(svg.write(drawing(Layer("root", ""), Layer("root_", ""))))
    assert len({layer.id for layer in back.root.layers()}) == 3


@pytest.mark.parametrize(
    "data",
    ["M0,0 L10,0,10,10 Z", " M 0 0 10 0 10 10 Z ", "M0 0L10 0L10 10L0 0Z", "M0 0l10 0 0 10Z", "M0 0h10v10l0 0-10-10Z"],
)
def test_other_spellings_of_the_same_path(data):
    assert path_data.written(path_data.read(data)) == ("M0 0H10V10Z", 1)


@pytest.mark.parametrize(
    "data",
    [
        "L0 0Z",
        "M0 0L1 1",
        "M0 0L1Z",
        "M0 0Q1 1 2 0Z",
        "m0 0L1 1Z",
        "M0 0L1 1z",
        "M0 0L1 1ZM",
        "h5Z",
        "M0 0h1 2v",
        "1 2",
        "M0 0L1e3 1Z",
        "M0 0Z1",
    ],
)
def test_other_path_data_is_refused(data):
    with pytest.raises(ValueError, match=r"path data|not closed"):
        path_data.read(data)


# Geometry

SUPERSAMPLING = 8  # samples a pixel and axis of the polygon fill
AA_MEAN = 0.002  # mean coverage difference of two antialiasers; measured: 0.0015


def coverage(shape, size):
    """Supersampled coverage of an outline by filling the polygon of its finely cut curves."""
    steps = np.linspace(0, 1, 33)[:-1, None]
    canvas = np.zeros((size * SUPERSAMPLING,) * 2, np.uint8)
    polygons = []
    for first, last in zip(shape.starts, shape.starts[1:], strict=False):
        ring_points = np.vstack([shape.points[first:last], shape.points[first : first + 1]])
        cut = []
        for at in range(0, last - first, 3):
            a, b, c, d = ring_points[at : at + 4]
            cut.append((1 - steps) ** 3 * a + 3 * (1 - steps) ** 2 * steps * b
                       + 3 * (1 - steps) * steps**2 * c + steps**3 * d)  # fmt: skip
        polygons.append(np.rint((np.vstack(cut) * SUPERSAMPLING - 0.5) * 256).astype(np.int32))
    cv2.fillPoly(canvas, polygons, 255, shift=8)  # even-odd
    blocks = canvas.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING)
    return blocks.mean(axis=(1, 3)) / 255


def star(radius, centre, turns, seed):
    random = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 3 * turns, endpoint=False)
    reach = radius * (0.7 + 0.3 * random.random(3 * turns))
    points = np.array(centre) + reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    straight = random.random(turns) < 0.4
    ends = np.roll(points[::3], -1, axis=0)
    for index in np.flatnonzero(straight):
        start, end = points[3 * index], ends[index]
        points[3 * index + 1 : 3 * index + 3] = start + np.outer([1 / 3, 2 / 3], end - start)
    return points, straight


@pytest.mark.parametrize("seed", range(4))
def test_geometry_is_what_an_independent_renderer_draws(seed):
    import resvg_py

    outer, outer_straight = star(50, (64, 64), 9, seed)
    hole, hole_straight = star(20, (60, 68), 5, seed + 100)
    shape = Outline(
        np.vstack([outer, hole]),
        np.array([0, len(outer), len(outer) + len(hole)]),
        np.concatenate([outer_straight, hole_straight]),
    )
    item = Drawing(128, 128, Layer("r", "", (Shape("p", shape, Solid(0, 0, 0), 1, even_odd=True),)))
    png = resvg_py.svg_to_bytes(svg_string=svg.write(item), skip_system_fonts=True)
    alpha = np.asarray(Image.open(io.BytesIO(png)))[..., 3] / 255
    difference = np.abs(alpha - coverage(shape, 128)).mean()
    assert difference < AA_MEAN, f"mean coverage differs by {difference:.5f}"


SIZE = 96  # px
BASE = polygon((0, 0), (SIZE, 0), (SIZE, SIZE), (0, SIZE))
RAINBOW = (Stop(0.1, 0.9, 0.1, 0.1), Stop(0.35, 0.95, 0.9, 0.2), Stop(0.6, 0.1, 0.7, 0.3), Stop(0.95, 0.1, 0.2, 0.8))
HARD = (Stop(0, 0.2, 0.2, 0.2), Stop(0.5, 0.9, 0.9, 0.9), Stop(0.5, 0.1, 0.4, 0.6), Stop(1, 0.3, 0.8, 1))
GRADIENTS = {
    "slanted": LinearGradient((20.5, 11.25), (70, 80.75), WHITE_TO_BLUE),
    "four stops": LinearGradient((90, 5), (3, 60), RAINBOW),
    "short": LinearGradient((40, 40), (41, 40.5), WHITE_TO_BLUE),
    "beyond the canvas": LinearGradient((-200, 30), (400, -50), RAINBOW),
    "glassy": LinearGradient((0, 0), (96, 96), WHITE_TO_BLUE, 0.4),
    "jump": LinearGradient((0.25, 0), (96.25, 0), HARD),
    "radial": RadialGradient((48, 48), 60, WHITE_TO_BLUE),
    "radial, four stops": RadialGradient((20, 70.5), 44.4, RAINBOW),
    "centre outside": RadialGradient((-50, 120), 150, RAINBOW, 0.7),
}


def colours(paint):
    """A gradient's colours at the centres of pixels, laid over white: [SIZE, SIZE, 3]."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    if isinstance(paint, LinearGradient):
        start, way = np.array(paint.start), np.subtract(paint.end, paint.start)
        along = ((x - start[0]) * way[0] + (y - start[1]) * way[1]) / (way @ way)
    else:
        along = np.hypot(x - paint.centre[0], y - paint.centre[1]) / paint.radius
    offsets = [stop.offset for stop in paint.stops]
    channels = [np.interp(along, offsets, [getattr(stop, key) for stop in paint.stops])
                for key in ("red", "green", "blue")]  # fmt: skip
    return 1 - paint.alpha + paint.alpha * np.stack(channels, axis=-1)


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_what_an_independent_renderer_draws(name):
    paint = GRADIENTS[name]
    item = Drawing(SIZE, SIZE, Layer("r", "", (Shape("s1", BASE, paint, 1),)))
    difference = np.abs(render_svg(svg.write(item), SIZE, SIZE) - colours(paint)) * 255
    assert difference.mean() <= 0.6
    assert (difference.max(axis=-1) > 8).mean() <= 0.003


# What is not ours

HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
    'width="10" height="10" viewBox="0 0 10 10">'
)
PATH = '<path id="a" data-rank="1" fill="#ff0000" d="M0 0L9 0L9 9Z"/>'
BOMB = "<!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {chr(98 + i)} '{('&' + chr(97 + i) + ';') * 10}'>" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "XML cannot be read"),
        ("hello", "XML cannot be read"),
        ("<svg", "XML cannot be read"),
        ("\ud800", "XML cannot be read"),
        (b"\xff\xfe\x00", "XML cannot be read"),
        (b'<?xml version="1.0" encoding="nonsense"?><svg/>', "XML cannot be read"),
        ("<html/>", "its root is <html>"),
        ("<svg/>", "its root is <svg>"),
        (f"{BOMB}]>{HEAD}<title>&j;</title></svg>", "DOCTYPE"),
        (f'<!DOCTYPE svg SYSTEM "file:///etc/passwd">{HEAD}</svg>', "DOCTYPE"),
        (HEAD + "<g>" * 5000, "nested deeper"),
        (HEAD.replace('width="10" ', "") + "</svg>", "width, height and viewBox"),
        (HEAD.replace("0 0 10 10", "0 0 20 10") + "</svg>", "viewBox differs"),
        (HEAD.replace('"10"', '"1e1"') + "</svg>", "no plain number"),
        (HEAD.replace('"10"', '"0"').replace("10 10", "0 0") + "</svg>", "makes no sense"),
        (HEAD + "<metadata>{</metadata></svg>", "not JSON"),
        (HEAD + "<metadata>[1]</metadata></svg>", "not a JSON object"),
        (HEAD + '<metadata>{"a":NaN}</metadata></svg>', "not JSON"),
        (HEAD + '<metadata>{"a":' + "[" * 100000 + "</metadata></svg>", "not JSON"),
        (HEAD + '<metadata>{"a":1e999}</metadata></svg>', "not JSON"),
        (HEAD + '<metadata>{"a":' + "[" * 100 + "]" * 100 + "}</metadata></svg>", "metadata is nested deeper"),
        (HEAD + "<metadata><script>1</script></metadata></svg>", "<metadata> holds more than text"),
        (HEAD + "<title>x<script>1</script></title></svg>", "<title> holds more than text"),
        (HEAD + "<script>1</script></svg>", "it has a <script>"),
        (HEAD + '<image href="http://127.0.0.1/x.png"/></svg>', "it has a <image>"),
        (HEAD + '<use href="x.svg#a"/></svg>', "it has a <use>"),
        (HEAD + "<style>@import url(x)</style></svg>", "it has a <style>"),
        (HEAD + "<foreignObject/></svg>", "it has a <foreignObject>"),
        (HEAD.replace("<svg ", '<svg onload="alert(1)" ') + "</svg>", "width, height and viewBox"),
        (HEAD + PATH.replace("/>", ' onclick="x"/>') + "</svg>", "a <path> has onclick"),
        (HEAD + PATH.replace("#ff0000", "url(http://x/#g)") + "</svg>", "#rrggbb or a gradient"),
        (HEAD + '<rect id="a"/></svg>', "it has a <rect>"),
        (HEAD + '<g id="a"/></svg>', "a <g> lacks"),
        (HEAD + PATH.replace("/>", ' style="x"/>') + "</svg>", "a <path> has style"),
        (HEAD + PATH.replace("/>", "><title/></path>") + "</svg>", "has children"),
        (HEAD + PATH + PATH + "</svg>", "used twice"),
        (HEAD + PATH.replace('id="a"', 'id="ä"') + "</svg>", "ASCII"),
        (HEAD + PATH.replace('"1"', '"0"') + "</svg>", "whole rank"),
        (HEAD + PATH.replace("#ff0000", "red") + "</svg>", "#rrggbb"),
        (HEAD + PATH.replace("fill=", 'fill-opacity="2" fill=') + "</svg>", "beyond 0..1"),
        (HEAD + PATH.replace("fill=", 'fill-rule="nonzero" fill=') + "</svg>", "fill rule"),
        (HEAD + PATH.replace("L9 0", "q9 0") + "</svg>", "path data"),
        (HEAD + PATH.replace("L9 0", "L9" + "9" * 400 + " 0") + "</svg>", "finite"),
    ],
)
def test_foreign_and_hostile_files_are_refused(text, cause):
    with pytest.raises(InputError, match=re.escape(cause)) as refusal:
        svg.read(text, "some.svg")
    message = str(refusal.value)
    assert message.startswith("some.svg ")
    assert message.endswith(".")
    assert len(message) < 250


STOPS = '<stop offset=".2" stop-color="#ff0000"/><stop offset="1" stop-color="#0000ff"/>'
LINEAR = f'<linearGradient id="g" gradientUnits="userSpaceOnUse" x1="0" y1="0" x2="9" y2="9">{STOPS}</linearGradient>'
RADIAL = f'<radialGradient id="g" gradientUnits="userSpaceOnUse" cx="5" cy="5" r="4">{STOPS}</radialGradient>'
FILLED = PATH.replace("#ff0000", "url(#g)")


def defined(gradient, path=FILLED):
    return f"{HEAD}<defs>{gradient}</defs>{path}</svg>"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (defined(""), "filled with 'g', and no gradient before it has that id"),
        (HEAD + FILLED + f"<defs>{LINEAR}</defs></svg>", "no gradient before it"),
        (defined(LINEAR, PATH.replace("#ff0000", f"url(#{'x' * 9999})")), "no gradient before it"),
        (defined(LINEAR, PATH.replace("#ff0000", "url(other.svg#g)")), "#rrggbb or a gradient"),
        (defined(LINEAR, PATH.replace("#ff0000", "url(#g) red")), "#rrggbb or a gradient"),
        (defined(LINEAR, PATH.replace("#ff0000", "url(#a)")), "no gradient before it"),
        (defined(LINEAR, FILLED.replace("fill=", 'fill-opacity="2" fill=')), "beyond 0..1"),
        (defined(LINEAR, FILLED.replace('"a"', '"g"')), "used twice"),
        (defined(LINEAR + RADIAL), "used twice"),
        (defined(LINEAR).replace("<defs", '<defs id="d"'), "<defs> has attributes"),
        (defined(LINEAR.replace("<linearGradient", '<linearGradient xmlns="urn:x"')), "<defs> has a <linearGradient>"),
        (defined('<pattern id="g"/>'), "<defs> has a <pattern>"),
        (defined(LINEAR.replace(' id="g"', "")), "a <linearGradient> lacks id"),
        (defined(LINEAR.replace(' y2="9"', "")), "a <linearGradient> lacks y2"),
        (defined(LINEAR.replace("x1=", 'href="#h" x1=')), "a <linearGradient> has href"),
        (defined(LINEAR.replace("x1=", 'spreadMethod="pad" x1=')), "a <linearGradient> has spreadMethod"),
        (defined(RADIAL.replace("r=", 'fx="1" r=')), "a <radialGradient> has fx"),
        (defined(LINEAR.replace("userSpaceOnUse", "objectBoundingBox")), "units of the user space"),
        (defined(LINEAR.replace('x2="9"', 'x2="NaN"')), "x2 'NaN' is no plain number"),
        (defined(LINEAR.replace('x2="9"', 'x2="90%"')), "x2 '90%' is no plain number"),
        (defined(LINEAR.replace('x2="9"', 'x2="1e3"')), "x2 '1e3' is no plain number"),
        (defined(LINEAR.replace('x2="9"', f'x2="{"9" * 400}"')), "finite"),
        (defined(LINEAR.replace('"9"', '"0"')), "no length"),
        (defined(RADIAL.replace('r="4"', 'r="0"')), "no length or radius"),
        (defined(RADIAL.replace('r="4"', 'r="-4"')), "no length or radius"),
        (defined(LINEAR.replace(STOPS, "")), "has 0 stops"),
        (defined(LINEAR.replace(STOPS, STOPS.partition("><")[0] + ">")), "has 1 stops"),
        (defined(LINEAR.replace(STOPS, STOPS * 3)), "has 6 stops"),
        (defined(LINEAR.replace(STOPS, STOPS * 2)), "offsets that fall"),
        (defined(LINEAR.replace('".2"', '"nan"')), "offset 'nan' is no plain number"),
        (defined(LINEAR.replace('".2"', '"-.2"')), "not within 0..1"),
        (defined(LINEAR.replace('"1"', '"1.1"')), "not within 0..1"),
        (defined(LINEAR.replace("#ff0000", "red")), "stop-color other than #rrggbb"),
        (defined(LINEAR.replace("stop-color", "stop-opacity")), "more than stops"),
        (defined(LINEAR.replace("<stop ", "<set ")), "more than stops"),
        (defined(LINEAR.replace('#ff0000"/>', '#ff0000"><title/></stop>')), "more than stops"),
    ],
)
def test_foreign_and_hostile_gradients_are_refused(text, cause):
    test_foreign_and_hostile_files_are_refused(text, cause)


@pytest.mark.parametrize("gradient", [LINEAR, RADIAL])
def test_the_gradients_that_the_refused_ones_are_made_from_are_read(gradient):
    paint = svg.read(defined(gradient)).shapes()[0].paint
    assert [stop.offset for stop in paint.stops] == [0.2, 1]


def test_entity_declarations_are_refused_where_a_doctype_is_not():
    with pytest.raises(InputError, match="entities"):
        svg.parse_xml(f"{BOMB}]>{HEAD}<title>&j;</title></svg>")
    with pytest.raises(InputError, match="entities"):
        svg.parse_xml(f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>{HEAD}&x;</svg>')
    assert len(svg.parse_xml(f'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd">{HEAD}{PATH}</svg>')) == 1


def test_too_large_a_text_is_refused(monkeypatch):
    monkeypatch.setattr(svg, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="larger"):
        svg.read(svg.write(sample()))


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_but_never_crashes(data):
    text = svg.write(data.draw(st.sampled_from([sample, graded]))())
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 12))
    broken = text[:at] + data.draw(st.text(max_size=6)) + text[at + length :]
    try:
        item = svg.read(broken)
    except InputError:
        return
    svg.write(item)


def test_tidied_drawings_hold_what_is_written():
    """Found by tests/fuzz: a shape fitted down to a line was in the drawing, and its rank missing in the file."""
    line = polygon((1, 1), (5, 1), (3, 1))
    item = drawing(Layer("g1", "", (Shape("s1", line, RED, 1),)), Shape("s2", polygon(*SQUARE), RED, 3),
                   Layer("g2", "", (Shape("s3", line, RED, 2), Shape("s4", polygon(*HOLE), RED, 4))))  # fmt: skip
    tidy = svg.tidied(item)
    assert [(shape.id, shape.rank) for shape in tidy.shapes()] == [("s2", 1), ("s4", 2)]
    assert [layer.id for layer in tidy.root.layers()] == [item.root.id, "g2"]
    assert svg.write(svg.read(svg.write(tidy))) == svg.write(tidy)
    assert svg.write(svg.tidied(tidy)) == svg.write(tidy)
    assert svg.tidied(drawing(Layer("g1", "", (Shape("s1", line, RED, 1),)))).root.children == ()
