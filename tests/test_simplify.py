"""Laws of the classic simplification, and how it looks on hard cases."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layervec.image import premultiplied
from layervec.simplify import Classic, Simplifier, classic
from layervec.types import Float32, Raster


def raster(rgb: np.ndarray, alpha: np.ndarray | float = 1.0) -> Raster:
    rgb = np.repeat(rgb[..., None], 3, axis=2) if rgb.ndim == 2 else rgb
    full = np.empty((*rgb.shape[:2], 4), np.float32)
    full[..., :3], full[..., 3] = rgb, alpha
    return Raster(full)


def photo(name: str) -> Raster:
    data = pytest.importorskip("skimage.data")
    return raster(getattr(data, name)().astype(np.float32) / 255.0)


def variation(pixels: Float32) -> float:
    return float(sum(np.abs(np.diff(pixels, axis=axis)).sum(dtype=np.float64) for axis in (0, 1)))


def step_and_texture() -> np.ndarray:
    """A step of 0.5 down the middle of 256 x 256; on its right, checks of +-0.1, 2 px a side."""
    y, x = np.mgrid[:256, :256]
    texture = 0.1 * np.sign(np.sin(np.pi * (x + 0.5) / 2) * np.sin(np.pi * (y + 0.5) / 2))
    return np.where(x < 128, 0.2, 0.7 + np.where(x >= 136, texture, 0.0)).astype(np.float32)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_laws_on_photos(name: str) -> None:
    picture = photo(name)
    levels = classic(picture)
    assert len(levels) == 5
    assert levels[0] is picture
    means = [level.pixels.mean(axis=(0, 1), dtype=np.float64) for level in levels]
    assert np.abs(np.array(means) - means[0]).max() < 0.1 / 255
    losses = [variation(level.pixels) for level in levels]
    assert all(after < 0.9 * before for before, after in pairwise(losses)), losses
    for level in levels:
        assert level.pixels.shape == picture.pixels.shape
        assert level.pixels.dtype == np.float32
        assert level.pixels.flags.c_contiguous
        assert level.opaque


def test_a_step_stays_and_texture_beside_it_goes() -> None:
    for k, level in enumerate(classic(raster(step_and_texture()))[1:], start=1):
        grey = level.pixels[..., 0]
        contrast = grey[:, 128] - grey[:, 127]  # neighbours, so the edge has not moved either
        assert contrast.min() >= 0.8 * 0.5, f"level {k} keeps {contrast.min() / 0.5:.0%} of the step"
        ripple = grey[16:-16, 152:-16].std() / 0.1
        # Checks of 2 px fall below the scale (1, 2, 4, 8 px) at level 3, and may not come back.
        assert k < 3 or ripple < 0.02, f"level {k} keeps {ripple:.0%} of the texture"


def test_details_vanish_in_the_order_of_their_size() -> None:
    y, x = np.mgrid[:512, :512]
    columns, radii = (96, 256, 416), (2, 4, 16)
    pixels = np.full((512, 512), 0.3, np.float32)
    for column, radius in zip(columns, radii, strict=True):
        pixels[np.hypot(x - column, y - 256) <= radius] = 0.7
    kept = np.array(
        [[(level.pixels[256, column, 0] - 0.3) / 0.4 for column in columns] for level in classic(raster(pixels))]
    )
    assert (np.diff(kept, axis=0) < 1e-3).all()  # nothing comes back
    assert (np.diff(kept, axis=1) > -1e-3).all()  # the larger lasts longer
    assert kept[3, 0] < 0.2  # the scale is 8 px
    assert kept[3, 1] > 0.6
    assert kept[4, 1] < 0.3  # the scale is 16 px
    assert kept[4, 2] > 0.9


def test_no_halo_beside_an_edge() -> None:
    pixels = np.full((200, 200), 0.25, np.float32)
    pixels[60:140, 60:140] = 0.75
    for level in classic(raster(pixels)):
        assert level.pixels[..., :3].min() > 0.25 - 1e-5
        assert level.pixels[..., :3].max() < 0.75 + 1e-5


def test_a_cut_out_keeps_its_rim_and_does_not_darken() -> None:
    y, x = np.mgrid[:256, :256]
    inside = np.hypot(x - 128, y - 128) < 80
    rgb = np.zeros((256, 256, 3), np.float32)
    rgb[inside] = (1.0, 0.5, 0.1)
    picture = raster(rgb, inside.astype(np.float32))
    for level in classic(picture)[1:]:
        alpha = level.pixels[..., 3]
        assert alpha[128, 52] > 0.8
        assert alpha[128, 44] < 0.2
        seen = alpha > 0.1
        assert np.abs(level.pixels[seen][:, :3] - (1.0, 0.5, 0.1)).max() < 1e-3
        drift = premultiplied(level).mean(axis=(0, 1)) - premultiplied(picture).mean(axis=(0, 1))
        assert np.abs(drift).max() < 0.1 / 255


def test_colours_behind_transparency_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    alpha = np.repeat((np.arange(64) < 32)[None, :], 48, axis=0)
    first, second = (rng.random((48, 64, 3), np.float32) for _ in range(2))
    second[alpha] = first[alpha]
    for a, b in zip(classic(raster(first, alpha))[1:], classic(raster(second, alpha))[1:], strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_laws_on_noise(height: int, width: int, seed: int, binary: bool, clear: bool) -> None:
    pixels = np.random.default_rng(seed).random((height, width, 4), np.float32)
    pixels = np.round(pixels) if binary else pixels
    pixels[..., 3] = pixels[..., 3] if clear else 1.0
    levels = [premultiplied(level) for level in classic(Raster(pixels))]
    for before, after in pairwise(levels):
        assert np.isfinite(after).all()
        assert (after >= before.min(axis=(0, 1)) - 1e-4).all()
        assert (after <= before.max(axis=(0, 1)) + 1e-4).all()
        assert np.abs(after.mean(axis=(0, 1)) - levels[0].mean(axis=(0, 1))).max() < 0.5 / 255
        assert variation(after) <= variation(before) * (1 + 1e-4) + 1e-4


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (7, 3)])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.3])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_one_colour_stays(shape: tuple[int, int], value: float, alpha: float) -> None:
    for level in classic(raster(np.full(shape, value, np.float32), alpha))[1:]:
        assert level.pixels.shape == (*shape, 4)
        np.testing.assert_allclose(level.pixels[..., 3], alpha, atol=1e-5)
        np.testing.assert_allclose(level.pixels[..., :3], value if alpha else 0.0, atol=1e-5)


def test_deterministic_and_leaves_its_input_alone() -> None:
    picture = raster(step_and_texture())
    copy = picture.pixels.copy()
    first, second = classic(picture, 3), classic(picture, 3)
    assert all((a.pixels == b.pixels).all() for a, b in zip(first, second, strict=True))
    np.testing.assert_array_equal(picture.pixels, copy)


def test_scales_follow_the_size_of_the_picture() -> None:
    small = step_and_texture()
    large = np.kron(small, np.ones((2, 2), np.float32))
    for a, b in zip(classic(raster(small))[2:], classic(raster(large))[2:], strict=True):
        halved = b.pixels.reshape(256, 2, 256, 2, 4).mean(axis=(1, 3))
        assert np.abs(a.pixels - halved).mean() < 0.01


def test_the_class_is_a_simplifier() -> None:
    simplifier: Simplifier = Classic(count=2)
    assert len(simplifier.levels(raster(np.zeros((4, 4), np.float32)))) == 2
    assert len(classic(raster(np.zeros((4, 4), np.float32)), 1)) == 1
    with pytest.raises(ValueError, match="at least 1"):
        classic(raster(np.zeros((4, 4), np.float32)), 0)


@pytest.mark.parametrize("kind", ["noise", "disk on clear ground"])
def test_fast_enough(kind: str) -> None:
    y, x = np.mgrid[:512, :512]
    noise = np.random.default_rng(0).random((512, 512), np.float32)
    picture = raster(noise, 1.0 if kind == "noise" else (np.hypot(x - 256, y - 256) < 150).astype(np.float32))
    classic(picture)
    spans = []
    for _ in range(3):
        start = time.process_time()
        classic(picture)
        spans.append(time.process_time() - start)
    # Target: 0.35 s of wall time on a quiet machine; the bound leaves room for busy ones.
    assert min(spans) < 1.0, f"{min(spans):.2f} s for 5 levels at 512 x 512"
    print(f"simplify {kind} 512 x 512: {min(spans):.2f} CPU-s")
