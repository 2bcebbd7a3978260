"""Refits and added detail as laws: what falls, what stays to the byte, which budget is kept."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import (
    GREEN,
    NAVY,
    RED,
    WHITE,
    YELLOW,
    canvas,
    circle,
    confetti,
    cut_out,
    disc,
    painted,
    polygon,
    raster,
    scenery,
)
from test_edit import element, ids

from layervec import InputError, Settings, crop, edit, refit, svg, vectorize
from layervec.image import over
from layervec.score import render_svg
from layervec.types import Drawing, Layer, LinearGradient, Shape, Solid, Stop

DRAFT = {"quality": "draft"}


@cache
def drawn(make, **wishes):
    """Return a picture and a drawing of it, as read from its file."""
    picture = make()
    result = vectorize(picture, Settings(**DRAFT, **wishes), threads=1)
    return raster(picture), svg.read(result.svg)


def shown(drawing, width=None, height=None):
    """Return what another program sees of a drawing: [h, w, 3], on white."""
    return render_svg(svg.write(drawing), width or round(drawing.width), height or round(drawing.height))


def opacity(drawing):
    """Return the alpha of a drawing, float32 [h, w]."""
    return render_svg(svg.write(drawing), round(drawing.width), round(drawing.height), None)[..., 3]


def error(drawing, picture):
    """Squared error at each pixel, on white: [h, w]."""
    return ((shown(drawing, picture.width, picture.height)[..., :3] - over(picture)) ** 2).sum(axis=2)


def shapes(drawing, name):
    return list(edit.find(drawing, name).shapes())


def largest_layer(drawing):
    layers = [layer for layer in drawing.root.children if layer.id not in ("background", "details")]
    return max(layers, key=lambda layer: len(list(layer.shapes()))).id


def unranked(lines):
    return [re.sub(' data-rank="[0-9]+"', "", line) for line in lines]


def is_whole(drawing):
    """Check what holds for every drawing: ranks 1 .. N, unique ids, and a file that comes back the same."""
    found = [shape.rank for shape in drawing.shapes()]
    assert sorted(found) == list(range(1, len(found) + 1))
    assert len(set(ids(drawing))) == len(ids(drawing))
    text = svg.write(drawing)
    assert svg.write(svg.read(text)) == text


def spot(drawing, x, y, radius):
    y_of, x_of = np.mgrid[: round(drawing.height), : round(drawing.width)] + 0.5
    return np.hypot(x_of - x, y_of - y) < radius


def people():
    """Two discs with parts on a ground; the parts are too fine for few shapes."""
    parts = [(disc(96, 128, 30 + 8 * x, 40 + 8 * y, 3), (0.9, 0.2 + 0.1 * x, 0.3 + 0.2 * y)) for x in (-1, 0, 1)
             for y in (-1, 0, 1)]  # fmt: skip
    others = [(disc(96, 128, 94 + 9 * x, 50, 3.5), (0.2, 0.3 + 0.2 * x, 0.9)) for x in (-1, 0, 1)]
    return painted(WHITE, (disc(96, 128, 30, 40, 24), NAVY), (disc(96, 128, 94, 50, 22), YELLOW), *parts, *others)


# Refits


@pytest.mark.parametrize("paths", [1, 3, 12, 40])
def test_a_refit_keeps_its_budget_and_everything_else(paths):
    picture, before = drawn(confetti, paths=24)
    name = largest_layer(before)
    after = refit.refit(before, picture, [name], paths=paths, threads=1)
    is_whole(after)
    count = len(shapes(before, name))
    assert 1 <= len(shapes(after, name)) <= paths
    assert len(after.shapes()) == len(before.shapes()) - count + len(shapes(after, name))
    known = set(ids(before))
    for layer in before.root.children:
        if layer.id != name:
            same = (lambda lines: lines) if len(shapes(after, name)) >= count else unranked
            assert same(element(after, layer.id)) == same(element(before, layer.id))
    assert not {item.id for item in after.shapes()} - known & {item.id for item in before.shapes()}


def test_more_shapes_find_what_few_could_not_show():
    picture, before = drawn(people, paths=3)
    name = before.root.children[-1].id
    for layer in before.root.children[1:]:
        box = crop.bounds(list(layer.shapes()))
        if box[0] < 20:
            name = layer.id
    after = refit.refit(before, picture, [name], paths=10, threads=1)
    there = spot(before, 30, 40, 24)
    assert len(shapes(after, name)) > 6
    assert error(after, picture)[there].sum() < 0.2 * error(before, picture)[there].sum()
    assert np.abs(shown(after) - shown(before))[~spot(before, 30, 40, 28)].max() < 0.02


def test_a_refit_at_the_same_budget_is_no_worse():
    picture, before = drawn(confetti, paths=24)
    name = largest_layer(before)
    after = refit.refit(before, picture, [name], paths=len(shapes(before, name)), threads=1)
    assert error(after, picture).sum() <= 1.01 * error(before, picture).sum()


def test_fewer_shapes_leave_the_layer_its_outline():
    """The lowest shape of a layer stays, so that nothing opens where the layer was."""
    picture, whole = drawn(people, paths=16)
    name = largest_layer(whole)
    after = refit.refit(whole, picture, [name], paths=1, threads=1)
    assert [shape.id for shape in shapes(after, name)] == [shapes(whole, name)[0].id]
    assert [layer.id for layer in edit.find(after, name).layers()] == [name]  # what is empty goes
    change = np.abs(shown(after) - shown(whole)).max(axis=2)
    assert (change > 0.1).mean() < 0.12


def test_several_layers_share_a_budget():
    picture, before = drawn(people, paths=4)
    names = [layer.id for layer in before.root.children if layer.id != "background"]
    after = refit.refit(before, picture, names, paths=9, threads=1)
    is_whole(after)
    assert len(after.shapes()) - len(shapes(after, "background")) <= 9
    assert element(after, "background") == element(before, "background")
    assert error(after, picture).sum() < 0.6 * error(before, picture).sum()


def test_layers_inside_others_come_along():
    assert refit._shares([10, 30], 8) == [2, 6]
    assert refit._shares([1, 100, 1], 4) == [1, 2, 1]
    picture, before = drawn(people, paths=16)
    name = largest_layer(before)
    inner = [layer.id for layer in edit.find(before, name).layers()]
    one, both = (refit.refit(before, picture, given, paths=8, threads=1) for given in ([name], inner))
    assert svg.write(one) == svg.write(both)


def test_the_same_bytes_on_any_number_of_threads_and_at_any_time():
    picture, before = drawn(confetti, paths=24)
    region = spot(before, 40, 30, 16)
    found = {
        (
            svg.write(refit.refit(before, picture, [largest_layer(before)], paths=20, threads=threads)),
            svg.write(refit.add_detail(before, picture, region, paths=8, threads=threads)),
        )
        for threads in (1, 2, 3)
    }
    assert len(found) == 1


# Detail


@settings(deadline=None, max_examples=12)
@given(st.floats(8, 72), st.floats(8, 56), st.floats(6, 20), st.integers(1, 12))
def test_detail_falls_inside_a_region_and_all_else_stays(x, y, radius, paths):
    picture, before = drawn(confetti, paths=8)
    region = spot(before, x, y, radius)
    after = refit.add_detail(before, picture, region, paths=paths, threads=1)
    is_whole(after)
    assert len(after.shapes()) <= len(before.shapes()) + paths
    new = set(ids(after)) - set(ids(before))
    lines = [line for line in svg.write(after).splitlines() if not any(f'"{name}"' in line for name in new)]
    assert lines == svg.write(before).splitlines()
    old, found = error(before, picture), error(after, picture)
    assert found[region].sum() < old[region].sum() or not new
    assert found[~region].sum() <= 1.02 * old[~region].sum()
    beyond = ~spot(before, x, y, radius + 2)  # a hard brush may cost the pixels of its rim a little
    assert np.abs(shown(after) - shown(before))[beyond].max(initial=0.0) < 0.08


def test_detail_goes_into_the_layer_that_it_lies_in():
    picture, before = drawn(people, paths=3)
    after = refit.add_detail(before, picture, spot(before, 94, 50, 20), paths=6, threads=1)
    box = {layer.id: crop.bounds(list(layer.shapes())) for layer in before.root.children}
    home = next(name for name, (left, _, right, _) in box.items() if left > 60 and right < 120)
    assert len(shapes(after, home)) == len(shapes(before, home)) + 3
    assert len(shapes(after, home)) - len(shapes(before, home)) == len(after.shapes()) - len(before.shapes())


def test_detail_of_what_is_drawn_already_is_nothing():
    picture = raster(painted(WHITE, (disc(64, 64, 32, 32, 20), RED)))
    layers = (Layer("background", "b", (Shape("s1", canvas(64, 64), Solid(*WHITE), 1),)),
              Layer("l2", "red", (Shape("s2", circle(32, 32, 20), Solid(*RED), 2),)))  # fmt: skip
    before = Drawing(64, 64, Layer("root", "", layers))
    assert refit.add_detail(before, picture, np.ones((64, 64), bool), paths=9, threads=1) is before


def test_detail_where_nothing_is_makes_a_layer():
    picture = raster(cut_out(disc(64, 96, 30, 32, 14), RED))
    both = np.maximum(picture.pixels, cut_out(disc(64, 96, 70, 32, 12), GREEN))
    before = svg.read(vectorize(picture.pixels, Settings(**DRAFT, paths=4), threads=1).svg)
    after = refit.add_detail(before, raster(both), spot(before, 70, 32, 16), paths=2, threads=1)
    is_whole(after)
    assert [layer.name for layer in after.root.children][-1] == "added details"
    assert opacity(after)[32, 70] > 0.95
    np.testing.assert_allclose(shown(after)[32, 70, :3], GREEN, atol=0.03)
    np.testing.assert_array_equal(shown(after)[:, :50], shown(before)[:, :50])


def test_a_flat_blob_that_was_missed_is_found_where_it_is():
    """One colour inside the region alone: the new shape is that blob, border included, with no seam around it."""
    picture = raster(painted(WHITE, (disc(96, 96, 48, 48, 40), NAVY), (disc(96, 96, 56, 44, 12), YELLOW)))
    layers = (Layer("background", "b", (Shape("s1", canvas(96, 96), Solid(*WHITE), 1),)),
              Layer("l2", "navy", (Shape("s2", circle(48, 48, 40), Solid(*NAVY), 2),)))  # fmt: skip
    before = Drawing(96, 96, Layer("root", "", layers))
    after = refit.add_detail(before, picture, spot(before, 56, 44, 16), paths=4, threads=1)
    assert len(shapes(after, "l2")) == 2
    assert np.sqrt(error(after, picture).max()) < 0.35  # of 1.3 between both colours
    assert error(after, picture).mean() < 2e-4


def test_what_lies_above_stays_above_and_no_seam_opens():
    """The new shape runs on under the bar across it."""
    bar = np.zeros((96, 96))
    bar[:, 44:54] = 1.0
    picture = raster(painted(WHITE, (disc(96, 96, 48, 48, 30), RED), (bar, NAVY)))
    ground = Layer("background", "b", (Shape("s1", canvas(96, 96), Solid(*WHITE), 1),))
    post = Layer("l2", "bar", (Shape("s2", polygon([(44, 0), (54, 0), (54, 96), (44, 96)]), Solid(*NAVY), 2),))
    before = Drawing(96, 96, Layer("root", "", (ground, post)))
    after = refit.add_detail(before, picture, np.ones((96, 96), bool), paths=6, threads=1)
    assert [layer.id for layer in after.root.children] == ["background", "l2"]
    assert len(shapes(after, "background")) > 1
    assert error(after, picture)[20:76, 40:58].max() < 0.05


# Kinds of drawings


def test_gradients_stay_and_new_ones_may_come():
    shade = np.linspace(0.2, 0.9, 96)[None, :, None] * np.ones((72, 1, 3), np.float32)
    picture = painted((0, 0, 0), (np.ones((72, 96)), (0.5, 0.5, 0.5)))
    picture[:] = shade
    coverage = disc(72, 96, 30, 36, 16)[..., None]
    inner = np.array(RED) * np.linspace(1.0, 0.4, 72)[:, None, None]
    picture = (picture * (1 - coverage) + coverage * inner).astype(np.float32)
    before = svg.read(vectorize(picture, Settings(**DRAFT, paths=2, gradients="auto"), threads=1).svg)
    assert any(isinstance(shape.paint, LinearGradient) for shape in before.shapes())
    after = refit.add_detail(before, raster(picture), spot(before, 30, 36, 20), paths=3, threads=1)
    is_whole(after)
    assert set(svg.write(before).splitlines()) <= set(svg.write(after).splitlines()) | {" <defs>", " </defs>"}
    name = largest_layer(after) if len(after.root.children) > 1 else after.root.children[0].id
    is_whole(refit.refit(after, raster(picture), [name], paths=3, threads=1))


def test_a_palette_is_kept():
    picture, before = drawn(scenery, paths=10, palette="#58cbf2,#f2d833,#59a64d,#264a33,#e6cca6,#993326")
    allowed = {svg._hex(shape.paint) for shape in before.shapes()}
    after = refit.add_detail(before, picture, np.ones((96, 128), bool), paths=6, threads=1)
    assert {svg._hex(shape.paint) for shape in after.shapes()} <= allowed


def test_a_transparent_picture_stays_transparent():
    coverage = disc(64, 64, 32, 32, 26)
    picture = cut_out(coverage, NAVY)
    for x in (22, 32, 42):
        dot = disc(64, 64, x, 30, 4)[..., None]
        picture[..., :3] = picture[..., :3] * (1 - dot) + dot * np.array(YELLOW, np.float32)
    before = svg.read(vectorize(picture, Settings(**DRAFT, paths=1), threads=1).svg)
    after = refit.refit(before, raster(picture), [before.root.children[0].id], paths=4, threads=1)
    assert len(after.shapes()) == 4
    assert opacity(after)[:3].max() == 0
    np.testing.assert_allclose(shown(after)[30, 32, :3], YELLOW, atol=0.05)


def test_the_picture_may_have_any_size():
    """Fitted small, drawn large: the region counts in the drawing's pixels, the picture in its own."""
    picture, _ = drawn(people, paths=3)
    large = raster(np.kron(picture.pixels, np.ones((3, 3, 1), np.float32)))
    found = vectorize(large.pixels, Settings(**DRAFT, paths=3, size=128), threads=1).drawing
    for source in (picture, large):
        after = refit.add_detail(found, source, spot(found, 282, 150, 60), paths=5, threads=1)
        assert error(after, large).sum() < 0.8 * error(found, large).sum()
        assert crop.bounds([shape for shape in after.shapes() if shape.rank > len(found.shapes())])[0] > 200


def test_progress_rises_to_one_and_can_end_the_work():
    picture, before = drawn(confetti, paths=24)
    heard: list[float] = []
    refit.refit(before, picture, [largest_layer(before)], paths=30, threads=1, on_progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    assert 0 < heard[0] < 0.5

    def cancel(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refit.add_detail(before, picture, spot(before, 40, 30, 16), paths=4, threads=1, on_progress=cancel)


@pytest.mark.parametrize(
    ("wish", "cause"),
    [
        (lambda p, d: refit.refit(d, p, ["nothing"], paths=3), "no layer or shape 'nothing'"),
        (lambda p, d: refit.refit(d, p, ["s1"], paths=3), "is a shape"),
        (lambda p, d: refit.refit(d, p, [], paths=3), "no layer to fit"),
        (lambda p, d: refit.refit(d, p, ["background"], paths=0), "1 to 4096, not 0"),
        (lambda p, d: refit.refit(d, p, ["background"], paths=4097), "1 to 4096, not 4097"),
        (lambda p, d: refit.refit(d, p, [layer.id for layer in d.root.children], paths=1), "cannot share 1 path"),
        (lambda p, d: refit.refit(d, raster(np.zeros((50, 50, 3))), ["background"], paths=3), "50 x 50 px"),
        (lambda p, d: refit.refit(hidden(d), p, ["background"], paths=3), "Nothing is seen"),
        (lambda p, d: refit.refit(emptied(d), p, ["background"], paths=3), "no shapes"),
        (lambda p, d: refit.add_detail(d, p, np.zeros((96, 128), bool), paths=3), "region is empty"),
        (lambda p, d: refit.add_detail(d, p, np.ones((96, 127), bool), paths=3), "a mask of 128 x 96 pixels"),
        (lambda p, d: refit.add_detail(d, p, np.ones((96, 128)), paths=3), "a mask of 128 x 96 pixels"),
        (lambda p, d: refit.add_detail(d, p, np.ones((96, 128), bool), paths=-1), "1 to 4096, not -1"),
    ],
)
def test_what_cannot_be_done_is_refused(wish, cause):
    with pytest.raises(InputError, match=cause):
        wish(*drawn(people, paths=4))


def hidden(drawing):
    lid = Layer("lid", "lid", (Shape("s99", canvas(128, 96), Solid(0, 0, 0), 99),))
    return Drawing(128, 96, Layer("root", "", (*drawing.root.children, lid)))


def emptied(drawing):
    return edit.delete(drawing, [shape.id for shape in shapes(drawing, "background")])


# Crops


def test_what_is_seen_where():
    layers = (Shape("s1", canvas(40, 30), Solid(1, 1, 1), 1), Shape("s2", circle(12, 15, 8), Solid(1, 1, 1, 0.5), 2),
              Shape("s3", circle(20, 15, 8), Solid(1, 1, 1), 3))  # fmt: skip
    drawing = Drawing(40, 30, Layer("root", "", layers[1:]))
    part = crop.cut(drawing, raster(np.ones((30, 40, 3))), (0, 0, 40, 30))
    owner = crop.seen(part.fit(), 40, 30)
    y, x = np.mgrid[:30, :40] + 0.5
    front, back = np.hypot(x - 20, y - 15), np.hypot(x - 12, y - 15)
    expected = np.where(front < 8, 1, np.where(back < 8, 0, -1))
    clear = (np.abs(front - 8) > 0.8) & (np.abs(back - 8) > 0.8)
    np.testing.assert_array_equal(owner[clear], expected[clear])


def test_many_shapes_are_told_apart():
    count = 70
    tiles = tuple(Shape(f"s{k}", circle(4 + 8 * (k % 10), 4 + 8 * (k // 10), 3), Solid(0, 0, 0), k + 1)
                  for k in range(count))  # fmt: skip
    drawing = Drawing(80, 56, Layer("root", "", tiles))
    part = crop.cut(drawing, raster(np.ones((56, 80, 3))), (0, 0, 80, 56))
    owner = crop.seen(part.fit(), 80, 56)
    assert [owner[4 + 8 * (k // 10), 4 + 8 * (k % 10)] for k in range(count)] == list(range(count))


@given(st.floats(0, 90), st.floats(0, 60), st.floats(1, 30), st.sampled_from([(100, 70), (250, 175), (37, 26)]))
def test_there_and_back_is_the_same_place(x, y, size, pixels):
    gradient = LinearGradient((x, y), (x + 3, y + 5), (Stop(0, 1, 1, 1), Stop(1, 1, 0, 0)))
    shape = Shape("s1", circle(x + size / 2, y + size / 2, size / 2), gradient, 1)
    drawing = Drawing(100, 70, Layer("root", "", (shape,)))
    picture = raster(np.ones((pixels[1], pixels[0], 3)))
    part = crop.cut(drawing, picture, (x, y, min(x + size, 100), min(y + size, 70)))
    back = part.back(part.fit(), 2)
    np.testing.assert_allclose(back.outlines[0].points, shape.outline.points, atol=0.006)
    np.testing.assert_allclose(crop.painted(back, 0).start, gradient.start, atol=1e-3)
    np.testing.assert_allclose(crop.painted(back, 0).end, gradient.end, atol=1e-3)


def test_a_mask_is_cut_like_the_picture():
    drawing = Drawing(100, 70, Layer("root", "", ()))
    region = np.zeros((70, 100), bool)
    region[20:40, 30:60] = True
    for factor in (1, 3):
        picture = raster(np.kron(region, np.ones((factor, factor)))[..., None] * np.ones(3))
        part = crop.cut(drawing, picture, (30, 20, 60, 40))
        np.testing.assert_array_equal(part.mask(region), part.pixels[..., 0] > 0.5)


def test_the_guide_runs(tmp_path, monkeypatch):
    guide = Path(__file__).parent.parent / "docs" / "editing.md"
    (tmp_path / "examples").symlink_to(guide.parent.parent / "examples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", guide.read_text(), flags=re.DOTALL):
        exec(compile(code, str(guide), "exec"), names)
    drawing = svg.read((tmp_path / "edited.svg").read_bytes())
    is_whole(drawing)
    assert len(drawing.shapes()) > 60
    assert "front" in [layer.name for layer in drawing.root.layers()]
