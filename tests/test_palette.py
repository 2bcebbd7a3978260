"""Palettes: reading, finding, and drawings that keep to them."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from pictures import RED, WHITE, confetti, cut_out, disc, painted, scenery, three_discs
from PIL import Image

from layervec import InputError, Settings, metrics, palette, vectorize
from layervec.image import open_picture, over
from layervec.score import render_svg

BRAND = "#e63946, navy, #FFF, #8a8"


def fills(svg):
    return set(re.findall(r'<path[^>]* fill="([^"]+)"', svg))


def drawn(picture, **choices):
    return vectorize(picture, Settings(**({"paths": 24, "quality": "draft"} | choices))).svg


def psnr(svg, picture):
    target = over(open_picture(picture).raster)
    return metrics.psnr(render_svg(svg, target.shape[1], target.shape[0]), target)


# Reading


def levels(text):
    return np.rint(palette.given(text).colours * 255).astype(int).tolist()


def test_colours_are_read_as_css_writes_them():
    assert levels(BRAND) == [[230, 57, 70], [0, 0, 128], [255, 255, 255], [136, 170, 136]]
    for _ in range(2):  # Pillow changes its table of names when it looks one up
        Image.new("RGB", (1, 1), "white")
        assert levels("White") == [[255, 255, 255]]
    assert levels("red,#f00,#ff0000,lime") == [[255, 0, 0], [0, 255, 0]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "# ours\n#e63946\n\n  navy \n#\n#fff\n#8a8\n"),
        ("windows.txt", "\ufeff#e63946\r\nnavy\r\n#fff\r\n#8a8"),
        ("a.gpl", "GIMP Palette\nName: Ours\nColumns: 2\n#\n230  57 70\tRed\n0 0 128\n255 255 255 A b\n136 170 136"),
    ],
)
def test_files_hold_one_colour_a_line(name, text, tmp_path):
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    assert levels(str(tmp_path / name)) == levels(BRAND)


WRONG = {
    "unknown name": ("white,blanc", "The palette has 'blanc', which is no colour"),
    "too few digits": ("#12", "The palette has '#12', which is no colour"),
    "nothing between commas": ("white,,black", "The palette has '', which is no colour"),
    "no hexadecimal digit": ("#12345g", "'#12345g', which is no colour"),
    "no file": ("brand.gpl", "brand.gpl is neither a colour nor a palette's file that can be read: no such file"),
    "null byte": ("a\0b", "is neither a colour nor"),
    "folder": ("FOLDER", "is neither a colour nor a palette's file that can be read: is a directory"),
    "long": ("x" * 5000, "is neither a colour nor"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_palette_is_told(case, tmp_path):
    text, told = WRONG[case]
    with pytest.raises(InputError, match=re.escape(told)):
        palette.given(text.replace("FOLDER", str(tmp_path)))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "has no colours"),
        (b"# only this\n\n", "has no colours"),
        (b"GIMP Palette\nName: empty\n", "has no colours"),
        (b"#fff\nsnow white\n", "line 2 is no colour: 'snow white'"),
        (b"GIMP Palette\n#\n1 2 256 bad", "line 3 is no colour: '1 2 256 bad'"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"\n" * 2_000_000, "no palette needs"),
        (b"".join(b"#%06x\n" % i for i in range(1025)), "has 1025 colours, at most 1024"),
    ],
)
def test_files_that_are_no_palettes_are_told_by_name(data, told, tmp_path):
    (tmp_path / "brand.txt").write_bytes(data)
    with pytest.raises(InputError, match=re.escape(told)) as raised:
        palette.given(str(tmp_path / "brand.txt"))
    assert "brand.txt" in str(raised.value)


# Finding


def test_clusters_are_found_exactly_and_small_ones_too():
    random = np.random.default_rng(0)
    centres = np.array([[0.1, 0.1, 0.1], [0.9, 0.9, 0.9], [0.8, 0.8, 0.9], [0.9, 0.1, 0.1]])
    sizes = np.array([50, 100, 60, 2])
    owner = np.repeat(np.arange(4), sizes)
    colours = np.clip(centres[owner] + random.normal(0, 0.005, (len(owner), 3)), 0, 1)
    found = palette.found(colours, np.ones(len(owner)), 4)
    means = np.stack([colours[owner == k].mean(axis=0) for k in range(4)])
    assert not found.fixed
    np.testing.assert_allclose(found.colours, means[np.lexsort(means.T[::-1])], atol=1e-9)


def test_weights_are_as_good_as_repeats_and_no_colour_is_invented():
    colours = np.random.default_rng(1).uniform(0, 1, (30, 3))
    weights = np.arange(30) % 4
    weighted = palette.found(colours, weights.astype(float), 5).colours
    np.testing.assert_allclose(
        weighted, palette.found(np.repeat(colours, weights, axis=0), np.ones(weights.sum()), 5).colours
    )
    same = palette.found(np.tile([[0.2, 0.4, 0.6]], (9, 1)), np.ones(9), 5).colours
    np.testing.assert_allclose(same, [[0.2, 0.4, 0.6]])


@pytest.mark.parametrize("seed", range(3))
def test_more_colours_leave_less_error(seed):
    colours = np.random.default_rng(seed).uniform(0, 1, (200, 3))
    errors = []
    for most in (2, 4, 8, 16, 64, 200):
        found = palette.found(colours, np.ones(200), most)
        assert len(found.colours) <= most
        errors.append(((found.colours[found.nearest(colours)] - colours) ** 2).sum())
    assert all(b < a for a, b in pairwise(errors))
    assert errors[-1] < 1e-12


def test_nearest_is_nearest_and_alpha_stays():
    random = np.random.default_rng(3)
    held = palette.Palette(random.uniform(0, 1, (7, 3)), fixed=True)
    colours = random.uniform(0, 1, (5000, 3))
    distance = ((colours[:, None] - held.colours) ** 2).sum(axis=2)
    assert (held.nearest(colours) == distance.argmin(axis=1)).all()
    alpha = random.uniform(0.2, 1, (5000, 1))
    thin = held.snapped(np.concatenate([colours * alpha, alpha], axis=1))
    np.testing.assert_allclose(thin[:, :3], held.snapped(colours) * alpha)
    assert (thin[:, 3:] == alpha).all()


# Drawings


@pytest.mark.parametrize("most", [2, 3, 5])
@pytest.mark.parametrize("make", [scenery, confetti])
def test_fills_have_no_more_colours_than_asked_for(make, most):
    assert 2 <= len(fills(drawn(make(), colors=most))) <= most


def test_flat_pictures_with_few_colours_lose_nothing():
    picture = three_discs()
    free, held = drawn(picture), drawn(picture, colors=4)
    assert len(fills(held)) == 4
    assert psnr(held, picture) > psnr(free, picture) - 0.5


def test_two_things_of_nearly_one_colour_share_a_fill():
    left, right = disc(72, 96, 28, 30, 17), disc(72, 96, 68, 44, 20)
    picture = painted(WHITE, (left, (0.82, 0.12, 0.1)), (right, (0.88, 0.08, 0.1)))
    svg = drawn(picture, colors=2)
    colours = [np.array([int(fill[i : i + 2], 16) for i in (1, 3, 5)]) / 255 for fill in sorted(fills(svg))]
    area = np.array([left.sum(), right.sum()])
    mean = area @ np.array([(0.82, 0.12, 0.1), (0.88, 0.08, 0.1)]) / area.sum()
    assert len(colours) == 2
    np.testing.assert_allclose(colours[0], mean, atol=0.006)  # what least squares says, not one of the two
    np.testing.assert_allclose(colours[1], WHITE, atol=0.006)


def test_more_colours_come_closer():
    picture = scenery()
    found = [psnr(drawn(picture, colors=most), picture) for most in (2, 4, 8)]
    assert found[0] + 1 < found[1] < found[2] - 1


@pytest.mark.parametrize("make", [scenery, lambda: cut_out(disc(72, 90, 45, 36, 28), (0.9, 0.5, 0.1))])
def test_a_given_palette_is_kept_to_the_bit(make):
    asked = {"#e63946", "#000080", "#ffffff", "#88aa88"}
    found = fills(drawn(make(), palette=BRAND))
    assert found
    assert found <= asked


def test_a_given_palette_gives_each_thing_its_nearest_colour():
    svg = drawn(three_discs(), palette="#fff,#f00,#00f,#080,#ff0")
    seen = render_svg(svg, 128, 96)
    for (x, y), colour in {
        (30, 32): (1, 0, 0),
        (86, 36): (0, 0, 1),
        (52, 74): (0, 136 / 255, 0),
        (3, 3): WHITE,
    }.items():
        np.testing.assert_allclose(seen[y, x], colour, atol=2 / 255)


def test_a_palette_of_one_colour_is_a_silhouette():
    svg = drawn(cut_out(disc(72, 90, 45, 36, 28), RED), palette="black")
    assert fills(svg) == {"#000000"}
    seen = render_svg(svg, 90, 72, background=None)[..., 3]
    assert np.abs(seen - disc(72, 90, 45, 36, 28)).mean() < 0.01


def test_palettes_are_in_the_record_without_folders(tmp_path):
    (tmp_path / "brand.txt").write_text("#000\n#fff\n")
    assert Settings(palette=str(tmp_path / "brand.txt")).recorded()["palette"] == "brand.txt"
    assert Settings(palette=BRAND).recorded()["palette"] == BRAND
    assert Settings(colors=7).recorded()["colors"] == 7
    assert not {"colors", "palette", "drop_background"} & set(Settings().recorded())


def test_palettes_are_the_same_for_any_number_of_threads():
    one, two = (vectorize(confetti(), Settings(paths=24, quality="draft", colors=5), threads=n).svg for n in (1, 2))
    assert one == two
