"""Shift paints towards a colour: its hue, its strength, and as light as it is on average.

What is lighter than something else stays lighter by as much, what is greyer stays greyer, so that shading and
highlights live on. Knows paints and their weights; nothing of drawings. Works in OKLCH as `names` does, where equal
steps look equal; what no screen can show loses strength, not lightness.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from layervec.errors import InputError
from layervec.names import GREY_CHROMA, oklch
from layervec.types import Paint, Solid, Stop

HEX = re.compile("#[0-9a-fA-F]{6}")
MOST_STRENGTH = 1.5  # most chroma of one colour against the one asked for; one vivid speck should not outshine it
HALVINGS = 20  # of the search for the strongest colour that a screen can show


def parsed(colour: str) -> Solid:
    """Return the colour of #rrggbb. Raises InputError."""
    if not HEX.fullmatch(colour):
        raise InputError(f"{colour[:40]!r} is no colour such as #e63946.")
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return Solid(red, green, blue)


def shifted(paints: Sequence[Paint], weights: Sequence[float], colour: Solid) -> list[Paint]:
    """Return paints shifted so that their mean becomes `colour`, as far as all of them stay between black and white.

    weights: how much each counts in the mean, not all 0. Alphas, axes and offsets of gradients stay. A single colour
    becomes `colour`.
    """
    parts = [_colours(paint) for paint in paints]
    found = [[oklch(part) for part in colours] for colours in parts]
    shares = [weight / len(colours) for weight, colours in zip(weights, parts, strict=True) for _ in colours]
    flat = [values for colours in found for values in colours]
    if len(set(flat)) == 1:
        return [_painted(paint, [colour] * len(colours)) for paint, colours in zip(paints, parts, strict=True)]
    lightness, chroma = (_mean([values[k] for values in flat], shares) for k in (0, 1))
    wanted = oklch(colour)
    lights = [values[0] for values in flat]
    shift = min(max(wanted[0] - lightness, -min(lights)), 1.0 - max(lights))

    def moved(values: tuple[float, float, float]) -> Solid:
        strength = min((values[1] + GREY_CHROMA) / (chroma + GREY_CHROMA), MOST_STRENGTH)
        return shown(values[0] + shift, wanted[1] * strength, wanted[2])

    return [_painted(paint, [moved(v) for v in values]) for paint, values in zip(paints, found, strict=True)]


def shown(lightness: float, chroma: float, hue: float) -> Solid:
    """Return an OKLCH colour, as `names.oklch` has it, or the strongest one of its lightness and hue that is sRGB."""
    channels = _channels(lightness, chroma, hue)
    low, high = 0.0, chroma
    if not _possible(channels):
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if _possible(_channels(lightness, middle, hue)):
                low = middle
            else:
                high = middle
        channels = _channels(lightness, low, hue)
    red, green, blue = (min(max(value, 0.0), 1.0) for value in channels)
    return Solid(red, green, blue)


def _possible(channels: tuple[float, float, float]) -> bool:
    return all(0.0 <= value <= 1.0 for value in channels)


def _channels(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    """The inverse of `names.oklch`; perhaps beyond 0..1."""
    green_red = chroma * math.cos(math.radians(hue))
    blue_yellow = chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * green_red + 0.2158037573 * blue_yellow) ** 3
    medium = (lightness - 0.1055613458 * green_red - 0.0638541728 * blue_yellow) ** 3
    short = (lightness - 0.0894841775 * green_red - 1.2914855480 * blue_yellow) ** 3
    return (
        _encoded(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _encoded(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _encoded(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def _encoded(value: float) -> float:
    """Return a linear channel as sRGB encodes it; below 0 as a straight line."""
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def _colours(paint: Paint) -> tuple[Solid | Stop, ...]:
    return (paint,) if isinstance(paint, Solid) else paint.stops


def _painted(paint: Paint, colours: Sequence[Solid]) -> Paint:
    """Return a paint with other colours."""
    if isinstance(paint, Solid):
        return replace(colours[0], alpha=paint.alpha)
    stops = [Stop(stop.offset, new.red, new.green, new.blue) for stop, new in zip(paint.stops, colours, strict=True)]
    return replace(paint, stops=tuple(stops))
