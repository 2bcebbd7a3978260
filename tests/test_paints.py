"""What painting a region would do: the colours that most of it has, and paints as a drawing has them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from layervec import modes
from layervec.paints import as_paints


def test_the_dominant_colour_is_that_of_the_many() -> None:
    colours = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(modes.dominant_colour(colours, np.array([60.0, 40.0])), 1.0, atol=0.01)
    np.testing.assert_allclose(modes.dominant_colour(colours, np.array([40.0, 60.0])), 0.0, atol=0.01)
    shades = np.array([[0.5, 0.5, 0.5], [0.6, 0.5, 0.5]])
    mean = modes.dominant_colour(shades, np.array([1.0, 1.0]))
    np.testing.assert_allclose(mean, [0.55, 0.5, 0.5], atol=0.005)


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_a_dominant_colour_lies_among_its_colours(rows) -> None:
    values = np.array(rows)
    colour = modes.dominant_colour(values[:, :3], values[:, 3] + 0.01)
    assert (colour >= values[:, :3].min(axis=0) - 1e-9).all()
    assert (colour <= values[:, :3].max(axis=0) + 1e-9).all()


def test_paints_are_straight_and_nearly_opaque_is_opaque() -> None:
    paints = as_paints([np.array([0.2, 0.1, 0.3, 0.5]), np.array([0.5, 0.5, 0.5, 0.98])])
    np.testing.assert_allclose(paints[0], [0.4, 0.2, 0.6, 0.5])
    assert paints[1, 3] == 1.0
    np.testing.assert_allclose(as_paints([np.array([1.2, -0.1, 0.5])]), [[1.0, 0.0, 0.5, 1.0]])


@given(st.integers(1, 300), st.integers(1, 4), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_squared_lengths_are_the_very_numbers_that_summing_rows_gives(count, channels, by_column, seed) -> None:
    rows = np.random.default_rng(seed).normal(size=(count, channels))
    rows = np.asfortranarray(rows) if by_column else rows
    np.testing.assert_array_equal(modes.squared_lengths(rows), (np.ascontiguousarray(rows) ** 2).sum(axis=1))
