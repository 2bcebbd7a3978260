"""Pixel art: found whatever its size, drawn exactly, in few shapes with square corners."""

import re
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pictures import as_bytes, averaged, grid, jpeg, nested_discs, noisy, raster, scenery

from layervec import Settings, image, pixel_art, vectorize
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


def landscape(height=96, width=96, seed=3):
    """A vehicle before hills and grass, a few squares each, as games of 8 bits have them: uint8 [h, w, 3]."""
    rng = np.random.default_rng(seed)
    greens = np.array([(32, 138, 122), (45, 154, 122), (85, 170, 133), (132, 184, 138)], np.uint8)
    y, x = np.mgrid[:height, :width]
    picture = greens[np.clip((4.0 * y / height + 0.6 * np.sin(x // 2 * 0.4 - y / 3.0)).astype(int), 0, 2)]
    blades = height * width // 150
    for top, left in zip(rng.integers(height // 2, height, blades), rng.integers(0, width - 3, blades), strict=True):
        picture[top, left : left + rng.integers(1, 4)] = greens[rng.choice([1, 3])]
    picture[40:60, 30:66], picture[34:40, 34:56], picture[58:66, 28:70] = (195, 91, 36), (105, 48, 24), (65, 32, 55)
    picture[46:49, 56:84] = picture[60:64, 32:36] = picture[60:64, 44:48] = (251, 209, 133)
    return picture


def creature(rng, side):
    """A mirrored figure with a rim, shading and a glint on nothing: uint8 [side, side, 4]."""
    half = cv2.GaussianBlur(rng.random((side, side // 2)), (0, 0), side / 12)
    blot = np.concatenate([half, half[:, ::-1]], axis=1)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    body = (blot > np.median(blot)) & (np.hypot(y, x) < side / 2 - 1.5)
    rim = (cv2.dilate(body.astype(np.uint8), np.ones((3, 3))) > 0) & ~body
    light = np.clip((blot * 40 + y / side * 4).astype(int) % 4, 0, 3)
    picture = np.zeros((side, side, 4), np.uint8)
    picture[body] = np.append(rng.integers(40, 255, (4, 3)), np.full((4, 1), 255), axis=1)[light[body]]
    picture[rim] = (30, 20, 40, 255)
    return picture


def figures(height=176, width=224, ground=(90, 120, 60, 255)):
    """A sheet of figures on a ground, as games load them: uint8 [h, w, 4]."""
    rng = np.random.default_rng(5)
    picture = np.tile(np.array(ground, np.uint8), (height, width, 1))
    kinds = [creature(rng, 16) for _ in range(7)]
    for top in range(4, height - 20, 20):
        for left in range(4, width - 20, 20):
            kind, part = kinds[rng.integers(7)], picture[top : top + 16, left : left + 16]
            part[:] = np.where(kind[..., 3:] > 0, kind, part)
    return picture


def enlarged(picture, step):
    return picture.repeat(step, 0).repeat(step, 1)


def as_rgba(picture):
    return picture if picture.shape[2] == 4 else np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])


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


@pytest.mark.parametrize(
    "picture",
    [landscape(), landscape(144, 160, 8), enlarged(landscape(), 2), figures(), figures(ground=(0, 0, 0, 0))],
    ids=["landscape", "larger", "enlarged", "figures", "cut out"],
)
def test_large_pictures_of_single_squares_are_found_and_drawn_as_they_are(picture):
    """By default, and nothing goes, however small: grass and glints are what squares are drawn for."""
    assert pixel_art.squares(image.load(picture)) is not None
    assert same(vectorize(picture).svg, as_rgba(picture))


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


def stripes(side):
    """Three upright stripes whose borders lie within pixels: float [h, w, 3]."""
    fine = (np.arange(8 * side) + 0.5) * 3 / (8 * side)
    row = np.array([(0, 0, 0), (1, 0.85, 0.05), (0.95, 0.1, 0.2)])[fine.astype(int)]
    return np.tile(row.reshape(side, 8, 3).mean(axis=1), (side * 3 // 4, 1, 1))


def chart(height=150, width=200):
    """Boxes, discs, connections and writing in hard pixels, as plans and maps have them: uint8 [h, w, 3]."""
    picture, rng = np.full((height, width, 3), 255, np.uint8), np.random.default_rng(2)
    for k in range(9):
        x, y = int(rng.integers(10, width - 40)), int(rng.integers(10, height - 30))
        colour = tuple(map(int, rng.integers(120, 255, 3)))
        if k % 3:
            cv2.rectangle(picture, (x, y), (x + 34, y + 22), colour, -1)
        cv2.circle(picture, (x, y), 11, colour if k % 3 == 0 else (0, 0, 0), -1 if k % 3 == 0 else 1)
        cv2.line(picture, (x, y), (int(rng.integers(width)), int(rng.integers(height))), (40, 40, 40 * (k % 2)))
        cv2.putText(picture, "plan", (x, y + 12), cv2.FONT_HERSHEY_PLAIN, 0.7, (0, 0, 0))
    return picture


def relief(height=150, width=200):
    """Land in four heights with rivers, in hard pixels: uint8 [h, w, 3]."""
    rng = np.random.default_rng(4)
    land = cv2.GaussianBlur(rng.random((height, width)), (0, 0), 12)
    picture = rng.integers(90, 255, (4, 3)).astype(np.uint8)[np.digitize(land, np.quantile(land, [0.3, 0.55, 0.8]))]
    for _ in range(4):
        way = np.cumsum(rng.normal(0, 6, (40, 2)), axis=0) + rng.integers(0, width, 2)
        cv2.polylines(picture, [way.astype(np.int32)], False, tuple(map(int, rng.integers(0, 255, 3))))
    return picture


def photographed(size=128):
    """Something with grain and soft light everywhere: float [size, size, 3]."""
    rng = np.random.default_rng(6)
    light = sum(cv2.GaussianBlur(rng.random((size, size, 3)), (0, 0), s) * s for s in (1.5, 4, 12))
    return (light - light.min()) / np.ptp(light)


def dithered(picture, levels):
    """Diffuse what rounding to so many levels loses to the pixels that follow, as Floyd and Steinberg do."""
    left = np.pad(picture, ((0, 1), (1, 1), (0, 0)))
    for y, x in np.ndindex(picture.shape[:2]):
        wanted = left[y, x + 1]
        got = np.rint(np.clip(wanted, 0, 1) * (levels - 1)) / (levels - 1)
        for dy, dx, share in ((0, 2, 7), (1, 0, 3), (1, 1, 5), (1, 2, 1)):
            left[y + dy, x + dx] += (wanted - got) * share / 16
        left[y, x + 1] = got
    return left[:-1, 1:-1]


def halftone(size=120):
    y, x = np.mgrid[:size, :size]
    dots = np.cos((x + y) * np.pi / 4) + np.cos((x - y) * np.pi / 4)
    return (dots / 4 + 0.5 < photographed(size)[..., 1])[..., None] * np.ones(3)


@pytest.mark.parametrize(
    "picture",
    [
        stripes(32),
        stripes(32).transpose(1, 0, 2),
        stripes(200),
        chart() / 255,
        (chart() > 128).all(axis=2, keepdims=True) * np.ones(3),
        relief() / 255,
        np.rint(photographed() * 15) / 15,
        dithered(photographed(64), 3),
        dithered(photographed(64).mean(axis=2, keepdims=True) * np.ones(3), 2),
        halftone(),
    ],
    ids=["stripes", "flat", "flag", "chart", "ink", "map", "few colours", "dithered", "1 bit", "halftone"],
)
def test_what_is_better_drawn_in_curves_is_no_pixel_art(picture):
    assert pixel_art.squares(raster(np.rint(picture * 255) / 255)) is None


@pytest.mark.parametrize("paths", [48, 64])
def test_nothing_goes_where_there_are_more_patches_than_shapes(paths):
    """Patches of one colour become one shape then; without that, what is small would silently go."""
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 255, (48, 3)).astype(np.uint8)[rng.integers(0, 48, (60, 60))]
    text = vectorize(picture, Settings(preset="pixel", paths=paths)).svg
    assert text.count("<path") == 48
    assert same(text, as_rgba(picture))


def test_large_patches_stay_shapes_of_their_own_while_small_ones_join():
    picture = np.full((40, 40, 3), 30, np.uint8)
    picture[::3, ::3] = (200, 30, 30)
    picture[2:20, 2:20], picture[22:38, 22:38] = (30, 200, 30), (30, 200, 30)
    for k in range(40):
        picture[k, k] = (250, 250, 6 * k)
    text = vectorize(picture, Settings(preset="pixel", paths=44)).svg
    assert same(text, as_rgba(picture))
    assert text.count('fill="#1ec81e"') >= 2


def test_where_there_are_more_colours_than_shapes_the_rarest_take_the_nearest():
    picture = heart()
    picture[4, 4] = (230, 60, 30, 255)  # nearly the red around it
    text = vectorize(picture, Settings(preset="pixel", paths=4)).svg
    assert same(text, heart())


def test_more_colours_than_early_machines_had_are_kept_where_there_are_shapes_for_them():
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[..., 0], picture[..., 1] = np.mgrid[:20, :20] * 12
    assert same(vectorize(picture, Settings(preset="pixel", paths=400)).svg, as_rgba(picture))


@pytest.mark.parametrize("step", [1, 2])
def test_squares_that_are_asked_for_are_kept_in_pictures_larger_than_they_are_fitted_at(step):
    picture = enlarged(landscape(120, 90), step)
    assert same(vectorize(picture, Settings(preset="pixel", size=64)).svg, as_rgba(picture))


@pytest.mark.parametrize("paths", [12, 4096])
def test_rings_in_rings_are_drawn_however_many(paths):
    y, x = np.mgrid[:400, :400]
    rings = np.minimum(np.minimum(x, y), 399 - np.maximum(x, y))
    picture = np.array([(0, 0, 0), (200, 30, 30), (250, 250, 250)], np.uint8)[rings % 3]
    text = vectorize(picture, Settings(preset="pixel", paths=paths)).svg
    assert same(text, as_rgba(picture))
    assert text.count("<g ") <= 80


def test_memory_grows_with_pixels_not_with_patches():
    """A mask of the picture for each patch took 16 kB a pixel here."""
    rng = np.random.default_rng(0)
    noise = raster(rng.integers(0, 255, (40, 3))[rng.integers(0, 40, (128, 128))] / 255)
    pixel_art.plan(raster(heart() / 255), 99)  # what is loaded once does not count
    tracemalloc.start()
    try:
        pixel_art.plan(noise, 256)
        assert tracemalloc.get_traced_memory()[1] < 4000 * 128 * 128
    finally:
        tracemalloc.stop()


def test_anything_can_be_drawn_in_squares():
    picture = as_bytes(scenery())
    text = vectorize(picture, Settings(preset="pixel", paths=60)).svg
    assert 1 < text.count("<path") <= 60
    assert "C" not in "".join(re.findall(r' d="([^"]*)"', text))
