"""Pixel art: found whatever its size, drawn exactly, in few shapes with square corners."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pictures import as_bytes, averaged, grid, jpeg, nested_discs, noisy, raster, scenery

from layervec import Settings, pixel_art, vectorize
from layervec.palette import given as palette_of
from layervec.score import render_svg

COLOURS = np.array([(0.2, 0.4, 0.9, 1), (0.9, 0.2, 0.1, 1), (0, 0, 0, 1), (1, 1, 1, 1), (0, 0, 0, 0), (0, 0.6, 0, 0.5)])
PIXEL = Settings(preset="pixel", paths=4096)
HEART = """
. . . . . . . . .
. . # # . # # . .
. # o o # o o # .
. # o w o o o # .
. # o o o o o # .
. . # o o o # . .
. . . # o # . . .
. . . . # . . . .
. . . . . . . . .
"""


def heart():
    """A heart with a rim and a glint on a plain ground: uint8 [9, 9, 4]."""
    codes = np.array([row.split() for row in HEART.strip().splitlines()])
    colours = {".": COLOURS[0], "#": COLOURS[2], "o": COLOURS[1], "w": COLOURS[3]}
    return as_bytes(np.array([[colours[code] for code in row] for row in codes]))


def enlarged(picture, step):
    return picture.repeat(step, 0).repeat(step, 1)


def drawn(text, picture):
    """What a viewer shows at the picture's own size: uint8 [h, w, 4]; colours of clear pixels do not count."""
    height, width = picture.shape[:2]
    shown = as_bytes(render_svg(text, width, height, background=None))
    return np.where(shown[..., 3:] > 0, shown, 0)


def same(text, picture):
    """Tell whether a viewer shows the picture, but for the rounding of half-clear colours."""
    wanted = np.where(picture[..., 3:] > 0, picture, 0).astype(int)
    return np.abs(drawn(text, picture).astype(int) - wanted).max() <= 2


@settings(deadline=None, max_examples=60)
@given(arrays.arrays(np.int8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 5)))
def test_any_squares_are_drawn_as_they_are(codes):
    picture = as_bytes(COLOURS[codes])
    assert same(vectorize(picture, PIXEL).svg, picture)


@pytest.mark.parametrize("step", [1, 2, 5, 60, 130])
def test_a_sprite_is_found_at_any_size_and_drawn_alike(step):
    picture = enlarged(heart(), step)
    found = vectorize(picture)
    assert same(found.svg, picture)
    shapes = re.findall(r"<path[^>]*>", found.svg)
    assert len(shapes) == 4  # ground, rim, heart, glint
    numbers = [float(number) for shape in shapes for number in re.findall(r"[\d.]+", shape.split(' d="')[1])]
    assert all(number % step == 0 for number in numbers)


def test_that_it_is_pixel_art_is_told_before_anything_is_compiled_for_fitting():
    heard = []
    vectorize(enlarged(heart(), 10), on_event=heard.append)
    assert {event.stage: event.kind for event in heard if event.kind} == {"load": "pixel"}


def test_what_surrounds_others_is_their_layer_and_runs_on_under_them():
    text = vectorize(heart()).svg
    layers = re.findall(r'inkscape:label="([^"]*)"', text)
    assert [name.split(",")[0] for name in layers] == ["background", "black", "red"]
    glint = re.search(r'<path[^>]*fill="#ffffff"[^>]*>\n', text)
    without = drawn(text.replace(glint[0], ""), heart())
    assert (without[3, 3] == as_bytes(COLOURS[1])).all()


def test_dots_of_one_colour_on_one_thing_are_one_shape():
    picture = np.tile(as_bytes(COLOURS[0]), (16, 16, 1))
    picture[2::4, 2::4] = as_bytes(COLOURS[3])
    assert vectorize(picture).svg.count("<path") == 2


@pytest.mark.parametrize("scale", [1.37, 2.5])
def test_no_seam_shows_between_neighbours(scale):
    """Over a ground that neither has, both sides of a border that falls between pixels hide it."""
    picture = np.tile(as_bytes(COLOURS[3]), (12, 12, 1))
    picture[2:6, 2:10], picture[6:10, 2:10] = as_bytes(COLOURS[2]), as_bytes(COLOURS[1])
    side = round(12 * scale)
    shown = render_svg(vectorize(picture).svg, side, side)
    inside = shown[round(3 * scale) : round(9 * scale), round(3 * scale) : round(9 * scale)]
    assert inside[..., 1].max() <= COLOURS[1][1] + 0.01  # white would be brighter


def test_a_budget_keeps_what_counts_most():
    text = vectorize(heart(), Settings(paths=3)).svg
    assert text.count("<path") == 3
    error = (drawn(text, heart()).astype(int) - heart()) ** 2
    assert np.count_nonzero(error.sum(axis=2)) <= 1  # the glint went


def test_the_ground_can_be_dropped():
    shown = drawn(vectorize(heart(), Settings(drop_background=True)).svg, heart())
    assert ((shown[..., 3] == 0) == (heart()[..., 2] == as_bytes(COLOURS[0])[2])).all()


def test_fills_come_from_a_palette():
    text = vectorize(heart(), Settings(palette="#f00,#008,#fff")).svg
    assert set(re.findall(r'fill="(#\w+)"', text)) == {"#ff0000", "#000088", "#ffffff"}
    assert len(set(re.findall(r'fill="(#\w+)"', vectorize(heart(), Settings(colors=2)).svg))) == 2


def test_fewer_colours_and_a_palette_are_told_to_the_plan():
    found = pixel_art.plan(raster(heart() / 255), 99, palette=palette_of("#000,#fff"))[1]
    assert set(map(tuple, found.paints[:, :3])) <= {(0, 0, 0), (1, 1, 1)}


@pytest.mark.parametrize(
    "picture",
    [
        nested_discs(),
        nested_discs(32),
        scenery(),
        noisy(nested_discs(48), 0.1),
        jpeg(enlarged(heart(), 16)[..., :3] / 255, 60),
        averaged(np.ones((128, 128, 3)) * (np.hypot(*(c - 8.3 for c in grid(16, 16))) < 6)[..., None]),
        np.full((20, 20, 3), 0.5),
        enlarged(np.linspace(0, 1, 40)[:, None, None] * np.ones((1, 30, 3)), 4),
    ],
    ids=["discs", "icon", "scenery", "noise", "jpeg", "small icon", "plain", "ramp"],
)
def test_soft_edges_and_noise_are_no_pixel_art(picture):
    assert pixel_art.squares(raster(picture)) is None


def test_large_hard_edges_are_no_pixel_art():
    y, x = grid(200, 200, 1)
    assert pixel_art.squares(raster((np.hypot(x - 100, y - 90) < 70)[..., None] * np.ones(3))) is None


def test_anything_can_be_drawn_in_squares():
    picture = as_bytes(scenery())
    text = vectorize(picture, Settings(preset="pixel", paths=60)).svg
    assert 1 < text.count("<path") <= 60
    assert "C" not in "".join(re.findall(r' d="([^"]*)"', text))
