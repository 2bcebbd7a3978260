"""Edits as laws: what they change, what they leave alone to the byte, and what they refuse."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import canvas, circle

from layervec import InputError, edit, recolour, svg
from layervec.names import oklch
from layervec.score import render_svg
from layervec.types import Drawing, Layer, LinearGradient, Outline, Shape, Solid, Stop

SKY = LinearGradient((0, 0), (0, 30), (Stop(0, 0.2, 0.4, 0.9), Stop(1, 0.8, 0.9, 1.0)))
RED, DARK, PALE = Solid(0.8, 0.1, 0.1), Solid(0.3, 0.05, 0.05), Solid(0.95, 0.6, 0.6, 0.5)


def shape(number, outline, paint=RED):
    return Shape(f"s{number}", outline, paint, number, even_odd=outline.contours > 1)


def joined(*outlines):
    """Return one outline with the contours of several."""
    starts = np.cumsum([0] + [size for outline in outlines for size in np.diff(outline.starts)])
    return Outline(
        np.concatenate([outline.points for outline in outlines]), starts,
        np.concatenate([outline.straight for outline in outlines]),
    )  # fmt: skip


def reversed_(outline):
    """Return one contour the other way round."""
    nodes = np.concatenate([outline.points, outline.points[:1]])[::-1]
    return Outline(nodes[:-1], outline.starts, outline.straight[::-1])


def ring(x, y, r):
    return joined(circle(x, y, r), reversed_(circle(x, y, r / 2)))


def sample():
    """Ground; a thing with two shapes and a part; another layer with gradients; islands among the details."""
    part = Layer("l4", "part", (shape(4, circle(12, 12, 2), DARK),))
    thing = Layer("l2", "thing", (shape(2, circle(12, 12, 8)), shape(3, circle(9, 9, 3), PALE), part), "cat")
    other = Layer("l5", "blue", (shape(5, circle(30, 12, 6), SKY), shape(6, circle(30, 12, 3), SKY)))
    islands = joined(ring(10, 27, 4), circle(22, 27, 2), ring(34, 27, 3), circle(34, 27, 1))
    details = Layer("details", "details", (shape(7, islands, Solid(0, 0, 0.4)), shape(8, circle(38, 4, 1))))
    ground = Layer("background", "ground", (shape(1, canvas(40, 32), Solid(1, 1, 0.9)),))
    return Drawing(40, 32, Layer("root", "", (ground, thing, other, details)), "T", {"version": 1})


def element(drawing, id):
    """Return all that a drawing's SVG says of one item: its lines, and its gradient's."""
    lines = svg.write(drawing).splitlines()
    at = next(k for k, line in enumerate(lines) if re.match(rf' *<(g|path) id="{id}"', line))
    indent = lines[at][: lines[at].index("<")]
    end = at + 1 if lines[at].endswith("/>") else lines.index(f"{indent}</g>", at) + 1
    links = re.findall(r"url\(#(\w+)\)", "".join(lines[at:end]))
    return [line.strip() for line in lines[at:end]] + [
        line for line in lines for link in links if f'Gradient id="{link}"' in line
    ]


def ids(drawing):
    return sorted(edit._ids(drawing))


def pixels(drawing):
    return render_svg(svg.write(drawing), 4 * 40, 4 * 32)


def leaves_alone(before, after, *names):
    for name in names:
        assert element(after, name) == element(before, name), name


def test_find_and_place():
    drawing = sample()
    assert edit.find(drawing, "l4").name == "part"
    assert edit.find(drawing, "s6").rank == 6
    assert edit.find(drawing, "root") is drawing.root
    assert edit.place(drawing, "s3") == ("l2", 1)
    assert edit.place(drawing, "l5") == ("root", 2)


def test_rename():
    before = sample()
    after = edit.rename(before, "l2", "  a\x00 <b>\n& c ")
    assert edit.find(after, "l2").name == "a <b> & c"
    assert svg.write(edit.rename(after, "l2", "thing")) == svg.write(before)
    assert len(set(svg.write(after).splitlines()) - set(svg.write(before).splitlines())) == 1


def test_recolour_a_shape():
    before = sample()
    after = edit.recolour(before, "s3", "#00FF7f")
    assert edit.find(after, "s3").paint == Solid(0, 1, 127 / 255, PALE.alpha)
    leaves_alone(before, after, "background", "s2", "l4", "l5", "details")


def test_recolour_a_gradient_keeps_its_axis_and_shading():
    paint = edit.find(edit.recolour(sample(), "s5", "#a06020"), "s5").paint
    assert (paint.start, paint.end, [stop.offset for stop in paint.stops]) == (SKY.start, SKY.end, [0, 1])
    before, after = ([oklch(stop)[0] for stop in given.stops] for given in (SKY, paint))
    assert after[1] - after[0] == pytest.approx(before[1] - before[0], abs=1e-3)


COLOURS = st.builds("#{:06x}".format, st.integers(0, 0xFFFFFF))


@given(COLOURS)
def test_recolour_a_layer_keeps_differences_in_lightness(colour):
    before = sample()
    after = edit.recolour(before, "l2", colour)
    names = ("s2", "s3", "s4")
    old, new = ([oklch(edit.find(drawing, name).paint) for name in names] for drawing in (before, after))
    for k in range(3):
        assert new[k][0] - new[0][0] == pytest.approx(old[k][0] - old[0][0], abs=2e-3)
        assert edit.find(after, names[k]).paint.alpha == edit.find(before, names[k]).paint.alpha
    leaves_alone(before, after, "background", "l5", "details")


@given(COLOURS)
def test_recolour_gives_a_layer_of_one_colour_that_colour(colour):
    drawing = edit.delete(sample(), ["s3", "l4"])
    assert svg._hex(edit.find(edit.recolour(drawing, "l2", colour), "s2").paint) == colour


@given(COLOURS)
def test_colours_survive_the_way_through_oklch(colour):
    wanted = recolour.parsed(colour)
    back = recolour.shown(*oklch(wanted))
    assert (back.red, back.green, back.blue) == pytest.approx((wanted.red, wanted.green, wanted.blue), abs=2e-3)


def test_recolour_gives_the_hue_and_mean_lightness_asked_for():
    after = edit.recolour(sample(), "l2", "#3060c0")
    for name in ("s2", "s3", "s4"):
        assert abs(oklch(edit.find(after, name).paint)[2] - oklch(recolour.parsed("#3060c0"))[2]) < 2
    weights = {name: edit._area(edit.find(after, name)) for name in ("s2", "s3", "s4")}
    mean = sum(oklch(edit.find(after, name).paint)[0] * area for name, area in weights.items()) / sum(weights.values())
    assert mean == pytest.approx(oklch(recolour.parsed("#3060c0"))[0], abs=0.01)


def test_move_and_back():
    before = sample()
    for name, parent, index in (("l4", "l5", 1), ("l4", "root", 0), ("s3", "details", 2), ("l2", "root", 3)):
        home, old = edit.place(before, name)
        after = edit.move(before, name, parent, index)
        assert edit.place(after, name) == (parent, index)
        assert ids(after) == ids(before)
        assert svg.write(edit.move(after, name, home, old)) == svg.write(before)


def test_move_keeps_the_bytes_of_all_items():
    before = sample()
    leaves_alone(before, edit.move(before, "l4", "l5", 0), "background", "l4", "s2", "s3", "s5", "s6", "details")


def test_delete_closes_ranks_and_keeps_everything_else():
    before = sample()
    after = edit.delete(before, ["s3", "l4", "s4"])
    assert ids(after) == sorted(set(ids(before)) - {"s3", "s4", "l4"})
    assert [item.rank for item in after.shapes()] == [1, 2, 3, 4, 5, 6]
    leaves_alone(before, after, "background", "s2")
    strip = re.compile(' data-rank="[0-9]+"')
    for name in ("l5", "details"):
        assert [strip.sub("", line) for line in element(after, name)] == [
            strip.sub("", line) for line in element(before, name)
        ]
    assert edit.delete(before, [item.id for item in before.root.children]).shapes() == []


def test_merge_layers():
    before = sample()
    after = edit.merge(before, ["l5", "l2", "s3"], "both")
    assert [item.id for item in after.root.children] == ["background", "l6", "details"]
    layer = edit.find(after, "l6")
    assert (layer.name, layer.thing) == ("both", "")
    assert [item.id for item in layer.children] == ["s2", "s3", "l4", "s5", "s6"]
    assert (pixels(after) == pixels(before)).all()
    leaves_alone(before, after, "background", "s2", "s3", "l4", "s5", "s6", "details")


def test_merge_shapes_of_several_layers():
    after = edit.merge(sample(), ["s7", "s3"], "picked")
    assert [item.id for item in edit.find(after, "details").children] == ["l6", "s8"]
    assert [item.id for item in edit.find(after, "l6").children] == ["s3", "s7"]


def test_split_a_layer_is_undone_by_merging_its_children():
    before = sample()
    after = edit.split(before, "l5")
    assert [item.id for item in after.root.children] == ["background", "l2", "s5", "s6", "details"]
    again = edit.merge(after, ["s5", "s6"], "blue")
    assert svg.write(again) == svg.write(before)  # the freed id is the next one as well


def test_split_a_shape_into_islands():
    before = sample()
    after = edit.split(before, "s7")
    parts = edit.find(after, "details").children
    assert [part.id for part in parts] == ["s7", "s9", "s10", "s11", "s8"]
    assert [part.rank for part in parts] == [7, 9, 10, 11, 8]
    assert [part.outline.contours for part in parts] == [2, 2, 1, 1, 1]
    assert (pixels(after) == pixels(before)).all()
    leaves_alone(before, after, "background", "l2", "l5", "s8")


def test_islands_of_the_nonzero_rule():
    """A contour that winds the other way is a hole, one that winds the same way in it is nothing."""
    outline = joined(circle(10, 16, 8), circle(10, 16, 3), circle(30, 16, 8), reversed_(circle(30, 16, 5)))
    one = Shape("s1", outline, RED, 1)
    before = Drawing(40, 32, Layer("root", "", (Layer("l1", "", (one,)),)))
    parts = edit.split(before, "s1").shapes()
    assert [part.outline.contours for part in parts] == [2, 2]


@pytest.mark.parametrize(
    ("wish", "cause"),
    [
        (lambda d: edit.find(d, "nothing"), "has no layer or shape 'nothing'"),
        (lambda d: edit.find(d, "x" * 10**6), "has no layer or shape 'xxx"),
        (lambda d: edit.place(d, "root"), "as a whole"),
        (lambda d: edit.rename(d, "s1", "name"), "is a shape"),
        (lambda d: edit.rename(d, "root", "name"), "as a whole"),
        (lambda d: edit.rename(d, "l2", " \x00\n"), "at least one character"),
        (lambda d: edit.rename(d, "l2", "x" * 201), "at most 200 characters, not 201"),
        (lambda d: edit.recolour(d, "l2", "red"), "is no colour"),
        (lambda d: edit.recolour(d, "l2", "#12345g"), "is no colour"),
        (lambda d: edit.recolour(d, "none", "#123456"), "has no layer or shape"),
        (lambda d: edit.move(d, "l2", "l4", 0), "into itself"),
        (lambda d: edit.move(d, "l2", "l2", 0), "into itself"),
        (lambda d: edit.move(d, "l2", "s5", 0), "is a shape"),
        (lambda d: edit.move(d, "root", "l2", 0), "as a whole"),
        (lambda d: edit.move(d, "l2", "l5", 3), "no place 3"),
        (lambda d: edit.move(d, "l2", "root", 4), "no place 4"),
        (lambda d: edit.move(d, "l2", "l5", -1), "no place -1"),
        (lambda d: edit.delete(d, ["l2", "gone"]), "has no layer or shape 'gone'"),
        (lambda d: edit.delete(d, ["root"]), "as a whole"),
        (lambda d: edit.merge(d, ["l2"], "x"), "takes two"),
        (lambda d: edit.merge(d, ["l2", "s3", "l4"], "x"), "takes two"),
        (lambda d: edit.merge(d, ["root", "l2"], "x"), "as a whole"),
        (lambda d: edit.merge(d, ["l2", "l5"], ""), "at least one character"),
        (lambda d: edit.split(d, "l4"), "nothing that could be split"),
        (lambda d: edit.split(d, "s2"), "in one piece"),
        (lambda d: edit.split(d, "root"), "as a whole"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(wish, cause):
    before = sample()
    text = svg.write(before)
    with pytest.raises(InputError, match=cause) as refused:
        wish(before)
    assert str(refused.value).count(".") == str(refused.value).endswith(".")
    assert len(str(refused.value)) < 200
    assert svg.write(before) == text


def test_layers_are_not_nested_deeper_than_a_file_may_have_them():
    deep = Layer("l0", "", (shape(1, circle(5, 5, 2)),))
    for number in range(1, svg.MAX_DEPTH - 2):
        deep = Layer(f"l{number}", "", (deep,))
    drawing = Drawing(40, 32, Layer("root", "", (deep, Layer("x", "", (shape(2, circle(9, 9, 2)),)))))
    svg.write(drawing)
    with pytest.raises(InputError, match="nested deeper"):
        edit.move(drawing, "x", "l0", 0)


def test_untouched_layers_are_the_same_values():
    before = sample()
    after = edit.recolour(before, "s4", "#123456")
    assert [a is b for a, b in zip(after.root.children, before.root.children, strict=True)] == [True, False, True, True]
    assert edit.find(after, "s2") is edit.find(before, "s2")


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_edits_give_a_drawing_that_is_saved_and_read_back(data):
    drawing = sample()
    for _ in range(data.draw(st.integers(1, 6))):
        names = st.sampled_from([*ids(drawing), "l99"])
        wishes = {
            "rename": (names, st.text(max_size=12)),
            "recolour": (names, COLOURS),
            "move": (names, names, st.integers(-1, 5)),
            "delete": (st.lists(names, max_size=2),),
            "merge": (st.lists(names, max_size=3), st.text(max_size=5)),
            "split": (names,),
        }
        kind = data.draw(st.sampled_from(sorted(wishes)))
        before = drawing
        try:
            drawing = getattr(edit, kind)(before, *(data.draw(part) for part in wishes[kind]))
        except InputError:
            continue
        assert sorted(item.rank for item in drawing.shapes()) == list(range(1, len(drawing.shapes()) + 1))
        known = set(ids(before))
        assert len(ids(drawing)) == len(set(ids(drawing)))
        assert all(re.fullmatch("[a-z0-9]+", name) for name in set(ids(drawing)) - known)
        assert known - {"root"} >= set(ids(drawing)) - {"root"} or kind in ("merge", "split")
    text = svg.write(drawing)
    again = svg.read(text)
    assert svg.write(again) == text
    assert ids(again) == ids(drawing)
    assert [(s.id, s.rank) for s in again.shapes()] == [(s.id, s.rank) for s in drawing.shapes()]


def test_edits_of_a_read_drawing_are_those_of_the_drawing():
    before = sample()
    read = svg.read(svg.write(before))
    for wish in (lambda d: edit.merge(d, ["l2", "l5"], "m"), lambda d: edit.split(d, "s7"),
                 lambda d: edit.delete(d, ["s1"]), lambda d: edit.move(d, "l4", "root", 0)):  # fmt: skip
        assert svg.write(wish(read)) == svg.write(wish(before))
    assert dataclasses.asdict(read)["metadata"] == before.metadata


def test_moving_an_item_to_where_it_is_changes_nothing():
    before = sample()
    assert svg.write(edit.move(before, "l2", *edit.place(before, "l2"))) == svg.write(before)


def test_ids_and_ranks_of_a_strange_file_do_no_harm():
    """Ids too long for numbers, and the largest rank that a file may have."""
    one = Shape("s" + "9" * 5000, circle(9, 9, 5), RED, 999_999_999)
    two = Shape("s999999999", joined(circle(20, 9, 3), circle(30, 9, 4)), RED, 5)
    odd = Shape("s1000000000", circle(20, 20, 3), RED, 5)
    before = svg.read(svg.write(Drawing(40, 32, Layer("root", "", (one, two, odd)))))
    after = edit.split(before, "s999999999")
    assert set(ids(after)) - set(ids(before)) == {"s1000000001"}
    assert [shape.rank for shape in after.shapes()] == [3, 1, 4, 2]
    assert svg.write(svg.read(svg.write(after))) == svg.write(after)
