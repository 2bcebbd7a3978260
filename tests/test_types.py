"""Paints of a stretched drawing stay where they were on it."""

import math

import pytest

from layervec.types import LinearGradient, RadialGradient, Solid, Stop

STOPS = (Stop(0, 1, 1, 1), Stop(1, 0, 0, 1))


def test_a_colour_has_no_place():
    assert Solid(1, 0, 0, 0.5).scaled(2, 3) == Solid(1, 0, 0, 0.5)


def test_the_ends_of_a_linear_gradient_move_with_the_drawing():
    assert LinearGradient((1, 2), (3, 5), STOPS, 0.5).scaled(2, 3) == LinearGradient((2, 6), (6, 15), STOPS, 0.5)


def test_the_circle_of_a_radial_gradient_keeps_its_share_of_the_area():
    scaled = RadialGradient((1, 2), 4, STOPS, 0.5).scaled(2, 3)
    assert (scaled.centre, scaled.stops, scaled.alpha) == ((2, 6), STOPS, 0.5)
    assert math.pi * scaled.radius**2 == pytest.approx(2 * 3 * math.pi * 4**2)
