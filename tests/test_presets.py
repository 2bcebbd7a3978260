"""The presets photo and art: what they take a picture for, what art means, and how noise is kept out of drawn art."""

import numpy as np
import pytest
from pictures import RED, WHITE, as_bytes, disc, noisy, painted, raster

from layervec import Settings, clean, vectorize
from layervec.settings import from_yaml

LINE = (0.1, 0.1, 0.2)


def figure(height=96, width=128):
    """A disc with a line of two pixels across it, on white."""
    line = np.zeros((height, width))
    line[46:48, 20:108] = 1
    return painted(WHITE, (disc(height, width, 64, 48, 36), RED), (line, LINE))


def taken_for(picture, **choices):
    kinds = []
    settings = Settings(**{"paths": 24, "quality": "draft"} | choices)
    result = vectorize(as_bytes(picture), settings, on_event=lambda event: kinds.append(event.kind))
    return result, [kind for kind in kinds if kind]


def test_auto_looks_and_the_others_do_not():
    scan = noisy(figure(), 0.03)
    assert taken_for(figure())[1] == ["art"]
    assert taken_for(figure(), preset="photo")[1] == ["photo"]
    assert taken_for(scan)[1] == ["photo"]
    assert taken_for(scan, preset="art")[1] == ["art"]
    assert taken_for(figure(), preset="pixel")[1] == ["pixel"]


def test_a_photo_is_never_taken_for_squares():
    sprite = np.repeat(np.repeat(np.eye(8)[..., None] * np.ones(3), 8, 0), 8, 1)
    assert taken_for(sprite)[1] == ["pixel"]
    assert taken_for(sprite, preset="photo")[1] == ["photo"]


def test_a_noisy_drawing_has_as_many_shapes_as_things():
    result, _ = taken_for(noisy(figure(), 0.03), preset="art", paths="auto")
    assert 3 <= len(result.drawing.shapes()) <= 4


def test_art_means_gradients_unless_something_else_is_asked_for(tmp_path):
    assert Settings(preset="art").gradients == "auto"
    assert Settings(preset="photo").gradients == "off"
    assert Settings(preset="art", gradients="off").gradients == "off"
    assert Settings(preset="art", colors=8).gradients == "off"
    assert Settings(preset="art", palette="#fff,navy").gradients == "off"
    (tmp_path / "c.yaml").write_text("preset: art\ngradients: 'off'\n")
    assert from_yaml(tmp_path / "c.yaml").gradients == "off"
    assert Settings(preset="art").recorded()["preset"] == "art"


@pytest.mark.parametrize("sigma", [0.01, 0.03])
def test_noise_goes_and_edges_and_thin_lines_stay(sigma):
    cleaned = clean.cleaned(raster(noisy(figure(), sigma))).pixels[..., :3]
    off = np.abs(cleaned - figure())
    assert off[:10].std() < sigma / 4
    assert off[46:48, 40:88].mean() < 2 * sigma
    assert off[60:70, 50:78].std() < sigma / 3


def test_a_picture_without_noise_stays_as_it_is():
    whole = raster(figure())
    assert clean.cleaned(whole) is whole
    ramp = raster(np.linspace(0, 1, 96)[:, None, None] * np.ones((1, 64, 3)))
    assert clean.noise(ramp.pixels) < 1e-4


def test_noise_is_measured():
    grey = np.full((96, 96, 3), 0.5)
    for sigma in (0.01, 0.05):
        assert sigma < clean.noise(raster(noisy(grey, sigma)).pixels) < 2 * sigma


def test_dithering_becomes_what_it_stands_for():
    tones = np.where(np.random.default_rng(1).random((96, 128)) < 0.5, 0.45, 0.55)[..., None] * np.ones(3)
    picture = np.where(disc(96, 128, 64, 48, 30)[..., None] > 0.5, RED, tones)
    assert clean.dithered(raster(picture))
    assert not clean.dithered(raster(noisy(figure(), 0.01)))
    result, _ = taken_for(picture, preset="art", paths="auto", quality="standard")
    ground, *others = result.drawing.shapes()
    assert len(others) == 1
    assert abs(ground.paint.red - 0.5) < 0.02
