"""Metrics against scikit-image and against values known by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from layervec import metrics

SSIM_TOLERANCE = 1e-4  # both are means of the same formula; only the order of sums differs


def noisy_pair(height, width, seed=0, noise=0.1):
    random = np.random.default_rng(seed)
    a = random.random((height, width, 3))
    b = np.clip(a + noise * random.standard_normal(a.shape), 0, 1)
    return a.astype(np.float32), b.astype(np.float32)


@pytest.mark.parametrize("size", [(7, 7), (7, 40), (64, 48), (33, 90)])
@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_ssim_equals_scikit_image(size, noise):
    a, b = noisy_pair(*size, noise=noise)
    expected = structural_similarity(a.astype(float), b.astype(float), channel_axis=2, data_range=1)
    assert metrics.ssim(a, b) == pytest.approx(expected, abs=SSIM_TOLERANCE)


def test_ssim_equals_scikit_image_on_flat_pictures():
    a, b = np.full((20, 20, 3), 0.2, np.float32), np.full((20, 20, 3), 0.7, np.float32)
    expected = structural_similarity(a.astype(float), b.astype(float), channel_axis=2, data_range=1)
    assert metrics.ssim(a, b) == pytest.approx(expected, abs=SSIM_TOLERANCE)


@pytest.mark.parametrize(("size", "window"), [((5, 20), 5), ((6, 6), 5), ((3, 9), 3), ((4, 100), 3)])
def test_ssim_of_small_pictures_uses_the_largest_odd_window_that_fits(size, window):
    a, b = noisy_pair(*size)
    expected = structural_similarity(a.astype(float), b.astype(float), channel_axis=2, data_range=1, win_size=window)
    assert metrics.ssim(a, b) == pytest.approx(expected, abs=SSIM_TOLERANCE)


@pytest.mark.parametrize("size", [(1, 1), (2, 50), (1, 9)])
def test_ssim_without_room_for_a_window_compares_luminance(size):
    a, b = np.full((*size, 3), 0.0, np.float32), np.full((*size, 3), 1.0, np.float32)
    assert metrics.ssim(a, a) == 1.0
    assert metrics.ssim(a, b) == pytest.approx(metrics.SSIM_K1**2 / (1 + metrics.SSIM_K1**2))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
def test_ssim_is_symmetric_and_at_most_one(height, width, seed):
    a, b = noisy_pair(height, width, seed)
    assert metrics.ssim(a, b) == pytest.approx(metrics.ssim(b, a), abs=1e-12)
    assert metrics.ssim(a, b) <= 1 + 1e-12
    assert metrics.ssim(a, a) == pytest.approx(1.0)


def test_mse_and_psnr_of_a_known_difference():
    a, b = np.zeros((4, 5, 3), np.float32), np.full((4, 5, 3), 0.1, np.float32)
    assert metrics.mse(a, b) == pytest.approx(0.01)
    assert metrics.psnr(a, b) == pytest.approx(20.0)


def test_psnr_of_identical_pictures_is_infinite():
    a, _ = noisy_pair(8, 8)
    assert metrics.psnr(a, a) == math.inf


@pytest.mark.parametrize("other", [(4, 5, 4), (5, 4, 3), (4, 5), (0, 5, 3)])
def test_pictures_of_different_or_no_size_are_refused(other):
    a = np.zeros((4, 5, 3) if other[0] else other, np.float32)
    for measure in (metrics.mse, metrics.psnr, metrics.ssim):
        with pytest.raises(ValueError, match="one size"):
            measure(a, np.zeros(other, np.float32))
