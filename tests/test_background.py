"""Plain backgrounds: found, left out, and nothing else with them."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import BLUE, NAVY, RED, WHITE, as_bytes, confetti, cut_out, disc, jpeg, noisy, painted, scenery, two_discs
from seals import resealed

from layervec import Settings, vectorize
from layervec.background import dropped
from layervec.score import render_svg
from layervec.types import Raster

SIZE = (72, 96)


def raster(picture):
    return Raster(np.concatenate([picture, np.ones((*picture.shape[:2], 1), np.float32)], axis=2))


def eye(ground):
    """Return a ring on a ground whose inside has the ground's colour, and the coverage of ring and inside."""
    outer, inner = disc(*SIZE, 48, 36, 28), disc(*SIZE, 48, 36, 14)
    return painted(ground, (outer, NAVY), (inner, ground)), outer, inner


@pytest.mark.parametrize("ground", [WHITE, (0.2, 0.7, 0.3), (0.0, 0.0, 0.0)])
def test_coverage_and_colours_are_those_that_were_drawn(ground):
    picture, (first, second) = two_discs(ground)
    found = dropped(raster(picture)).pixels
    coverage = np.maximum(first, second)
    assert np.abs(found[..., 3] - coverage).max() <= 0.13  # hardly covered pixels look like the ground
    assert np.abs(found[..., 3] - coverage).mean() <= 0.002
    for part, colour in ((first, RED), (second, BLUE)):
        assert np.abs(found[..., :3] - np.array(colour))[part > 0.2].max() <= 0.01
    assert (found[found[..., 3] == 0] == 0).all()


def test_what_a_thing_encloses_stays():
    picture, outer, _ = eye(WHITE)
    found = dropped(raster(picture)).pixels
    assert (found[outer == 1, 3] > 0.99).all()
    np.testing.assert_allclose(found[36, 48], 1.0, atol=1e-6)


@pytest.mark.parametrize("spoil", [lambda picture: jpeg(picture, 80), lambda picture: noisy(picture, 0.02)])
def test_noise_is_no_obstacle(spoil):
    picture, (first, second) = two_discs((0.9, 0.88, 0.8))
    alpha = dropped(raster(spoil(picture))).pixels[..., 3]
    away, inside = np.maximum(first, second) == 0, np.maximum(first, second) == 1
    assert (alpha[away] < 0.1).mean() > 0.95
    assert (alpha[inside] > 0.9).mean() > 0.97


def test_a_figure_may_stand_on_the_lower_side():
    picture = painted(WHITE, (disc(*SIZE, 48, 72, 40), RED))
    alpha = dropped(raster(picture)).pixels[..., 3]
    assert alpha[71, 48] == 1
    assert alpha[0, 0] == alpha[71, 0] == alpha[71, 95] == 0


def test_pictures_without_a_plain_background_stay_as_they_are():
    slope = np.broadcast_to(np.linspace(0, 1, 96, dtype=np.float32)[None, :, None], (*SIZE, 3))
    plain = np.full((*SIZE, 3), 0.5, np.float32)
    clear = Raster(cut_out(disc(*SIZE, 48, 36, 28), RED))
    for source in (raster(scenery()), raster(confetti()), raster(slope), raster(plain), clear):
        assert dropped(source) is source


def opened(svg):
    return render_svg(svg, SIZE[1], SIZE[0], background=None)[..., 3]


def test_the_drawing_is_transparent_around_things_and_nowhere_else():
    picture, outer, _ = eye((0.95, 0.9, 0.6))
    svg = vectorize(picture, Settings(paths=8, quality="draft", drop_background=True)).svg
    assert np.abs(opened(svg) - outer).mean() <= 0.01
    assert (opened(svg)[disc(*SIZE, 48, 36, 26) == 1] == 1).all()
    assert "background" not in svg.partition("</metadata>")[2]
    kept = vectorize(picture, Settings(paths=8, quality="draft")).svg
    assert (opened(kept) == 1).all()


def test_a_picture_without_background_is_drawn_as_ever():
    picture = as_bytes(scenery())
    asked, plain = (vectorize(picture, Settings(paths=8, quality="draft", drop_background=on)) for on in (True, False))
    assert resealed(asked.svg.replace('"drop_background":true,', "")) == plain.svg


def test_a_palette_and_a_dropped_background_go_together():
    picture, (first, second) = two_discs()
    svg = vectorize(picture, Settings(paths=8, quality="draft", drop_background=True, palette="#f00,#00f,#fff")).svg
    assert np.abs(opened(svg) - np.maximum(first, second)).mean() <= 0.01
    assert 'fill="#ff0000"' in svg
    assert 'fill="#0000ff"' in svg
    assert 'fill="#ffffff"' not in svg


@pytest.mark.parametrize("size", [(800, 600), (777, 513), (1023, 700)])
def test_backgrounds_of_pictures_that_are_shrunk_are_dropped(size):
    picture = np.full((size[1], size[0], 3), 245, np.uint8)
    picture[150:400, 200:500] = (200, 40, 30)
    found = []
    result = vectorize(
        picture,
        Settings(paths=4, quality="draft", drop_background=True),
        on_event=lambda event: found.append(event.value) if event.stage == "load" else None,
    )
    alpha = found[-1].raster.pixels[..., 3]
    assert (alpha[0] == 0).all()
    assert alpha.max() == 1
    assert result.notes == ()


def test_what_could_not_be_dropped_is_told():
    rng = np.random.default_rng(5)
    grain = rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    clear = np.full((40, 50, 4), 255, np.uint8)
    clear[5:20, 5:20] = (200, 0, 0, 255)
    clear[30, 30, 3] = 0
    settings = Settings(paths=4, quality="draft", drop_background=True)
    assert vectorize(grain, settings).notes == ("The array has no plain background all round, so nothing was dropped.",)
    told = "The array is transparent in places already, so no background was dropped."
    assert vectorize(clear, settings).notes == (told,)
