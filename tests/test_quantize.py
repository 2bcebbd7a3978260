"""Few colours for many: exact where there are few, near where there are many, the same every time."""

from __future__ import annotations

import numpy as np

from layervec import quantize


def test_few_colours_are_found_exactly():
    colours = np.array([[0.1, 0.2, 0.3], [0.9, 0.1, 0.1], [0.0, 1.0, 0.5]], np.float32)
    pixels = colours[np.arange(200 * 150).reshape(200, 150) % 7 % 3]
    numbers, found = quantize.reduced(pixels, 80)
    assert len(found) == 3
    np.testing.assert_allclose(found[numbers], pixels, atol=1e-6)


def test_more_colours_come_nearer():
    pixels = np.random.default_rng(0).random((60, 70, 3)).astype(np.float32)
    errors = []
    for count in (1, 4, 16, 64):
        numbers, found = quantize.reduced(pixels, count)
        assert found.shape == (count, 3)
        errors.append(float(((found[numbers] - pixels) ** 2).mean()))
    np.testing.assert_allclose(errors[0], pixels.var(axis=(0, 1)).mean(), rtol=1e-3)
    assert errors[0] > 1.5 * errors[1] > 2.25 * errors[2] > 3.4 * errors[3]


def test_every_pixel_has_its_nearest_colour_and_runs_agree():
    pixels = np.random.default_rng(1).random((150, 140, 4)).astype(np.float32)
    numbers, found = quantize.reduced(pixels, 9, seed=3)
    again, same = quantize.reduced(pixels, 9, seed=3)
    np.testing.assert_array_equal(numbers, again)
    np.testing.assert_array_equal(found, same)
    distance = ((pixels[:, :, None] - found) ** 2).sum(axis=3)
    taken = np.take_along_axis(distance, numbers[..., None], axis=2)[..., 0]
    np.testing.assert_allclose(taken, distance.min(axis=2), atol=1e-5)
    assert not np.array_equal(found, quantize.reduced(pixels, 9, seed=4)[1])


def test_all_colours_are_counted_in_steps_of_a_byte():
    pixels = np.array([[[0, 0.5, 1], [0, 0.501, 1]], [[1, 0, 0], [0, 0.5, 1]]], np.float32)
    numbers, found = quantize.counted(pixels)
    assert len(found) == 2
    np.testing.assert_allclose(found[numbers], pixels, atol=0.5 / 255)
