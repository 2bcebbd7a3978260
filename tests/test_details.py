"""Thin lines, dots and letters of drawn art: found whole, in one exact ink, and kept down to the written drawing."""

import io

import cv2
import numpy as np
import pytest
import resvg_py
from PIL import Image, ImageDraw, ImageFont
from small_cases import fills, on

from layervec import image, vectorize, visibility, zones
from layervec.tree import without_fringes

INK, PAPER = "#000000", "#ffffff"


def drawn(body, width, height, ground=PAPER):
    """Draw an SVG's elements on a ground: uint8 [h, w, 4]."""
    back = f'<rect width="100%" height="100%" fill="{ground}"/>' if ground else ""
    text = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{back}{body}</svg>'
    return np.asarray(Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=text)))).convert("RGBA"))


def lettered(text, size, ink, ground, width, height):
    sheet = Image.new("RGB", (width, height), ground)
    ImageDraw.Draw(sheet).text((5, 5), text, fill=ink, font=ImageFont.load_default(size))
    return np.asarray(sheet)


def rendered(svg, ground=PAPER):
    found = np.asarray(Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGBA"))
    return on(found, ground)


def check_kept(pixels, most_shapes, least=0.95, largest=0):
    """Assert that nothing is missing, on light and on dark ground, and that there are few shapes; return the SVG.

    largest: px of a part that may be missing, as the end of a stroke.
    """
    svg = vectorize(pixels).svg
    for ground in (PAPER, INK) if pixels.shape[2] == 4 else (PAPER,):
        picture = on(pixels, ground)
        assert [one for one in visibility.missing(picture, rendered(svg, ground)) if one.area > largest] == []
        if picture.std() > 0:
            assert visibility.explained(picture, rendered(svg, ground)) >= least
    assert svg.count("<path") <= most_shapes
    return svg


def find(pixels, known=((0.0, 0.0, 0.0),)):
    picture = image.premultiplied(image.load(pixels))[..., :3]
    picture = np.ascontiguousarray(picture)
    return zones.find(without_fringes(picture), picture, np.array(known, np.float32))


@pytest.mark.parametrize("y", [20.0, 20.25, 20.5, 20.75])
def test_a_line_of_one_pixel_is_one_detail_in_its_ink_wherever_it_falls(y) -> None:
    found = find(drawn(f'<path d="M10 {y}L90 {y + 7}" stroke="{INK}"/>', 100, 50))
    (line,) = np.flatnonzero(found.details)
    np.testing.assert_allclose(found.colours[line], 0.0)
    assert cv2.connectedComponents((found.labels == line).astype(np.uint8), connectivity=8)[0] == 2
    assert (found.labels >= 0).all()


def test_a_weaker_ink_with_pixels_of_its_own_is_not_a_thin_stronger_one() -> None:
    body = '<path d="M10 10.5H90" stroke="#999999"/><path d="M10 30L90 37" stroke="#000000"/>'
    found = find(drawn(body, 100, 50), known=((0, 0, 0), (0.6, 0.6, 0.6)))
    assert sorted(np.rint(255 * found.colours[:, 0]).tolist()) == [0, 153, 255]


def test_dots_of_two_pixels_are_all_kept_in_a_few_shapes() -> None:
    dots = "".join(f'<circle cx="{20 + 37.3 * (i % 10)}" cy="{20 + 41.7 * (i // 10)}" r="1.2"/>' for i in range(60))
    svg = check_kept(drawn(dots, 400, 260), 8)
    assert {INK, PAPER} <= fills(svg)


@pytest.mark.parametrize(("ink", "ground"), [("#ffffff", "#1d3557"), ("#000000", "#ffffff"), ("#c00020", "#f4f4f4")])
def test_small_text_keeps_its_colons_its_digits_and_its_colours(ink, ground) -> None:
    svg = check_kept(lettered("Mon-Fri 9:00-18:00, i.j; 14.2", 20, ink, ground, 300, 36), 16)
    assert {ink, ground} <= fills(svg)


def test_two_equal_walls_are_equal_when_they_are_scaled() -> None:
    body = '<rect x="20.5" y="40.5" width="720" height="11" fill="none" stroke="#000" stroke-width="2"/>'
    svg = vectorize(drawn(body, 800, 120)).svg
    assert fills(svg) == {INK, PAPER}
    picture = rendered(svg).min(axis=2)
    sums = [(1 - picture[rows, 100:700]).sum(axis=0).mean() for rows in (slice(36, 46), slice(47, 57))]
    np.testing.assert_allclose(sums, 2.0, atol=0.3)


@pytest.mark.parametrize("ink", ["#000000", "#ffffff", "#c00020"])
def test_ink_on_a_clear_ground_is_opaque_and_whole(ink) -> None:
    body = f'<path d="M20 120C80 0 160 240 220 60M40 40L200 200" fill="none" stroke="{ink}" stroke-width="5"/>'
    svg = check_kept(drawn(body, 240, 240, ground=""), 4, least=0.9, largest=16)
    assert fills(svg) == {ink}
    assert "opacity" not in svg
