"""Names for layers that a person can find them by: colour and place, for example `dark blue, upper left`.

Knows colours and positions only. Colours are named by lightness, chroma and hue in OKLCH
(https://bottosson.github.io/posts/oklab/), where equal steps look equal.
"""

from __future__ import annotations

import math

import numpy as np

from layervec.types import LinearGradient, Paint, RadialGradient, Solid, Stop

GREY_CHROMA = 0.035  # OKLCH chroma below which a colour has no hue worth naming
HUES = (  # upper end of each hue range in degrees of OKLCH, and its name
    (18, "pink"),
    (42, "red"),
    (76, "orange"),
    (116, "yellow"),
    (158, "green"),
    (212, "teal"),
    (285, "blue"),
    (325, "purple"),
    (345, "magenta"),
    (360, "pink"),
)
EARTH_CHROMA = 0.09  # orange and yellow paler than this are beige or brown
BROWN_LIGHTNESS = 0.62  # orange darker than this is brown, yellow is olive
PURPLE_LIGHTNESS = 0.5  # magenta darker than this is purple; CSS gives both names to one hue
ROWS = ("upper", "", "lower")
COLUMNS = ("left", "", "right")


def colour_name(paint: Paint) -> str:
    """Return a name such as `white`, `dark grey`, `light blue`, `brown`, `light blue to white`.

    The last one is for linear gradients between colours of different names; other gradients go by their mean.
    """
    if isinstance(paint, Solid):
        return _one_name(paint)
    if isinstance(paint, LinearGradient):
        start, end = (_one_name(stop) for stop in (paint.stops[0], paint.stops[-1]))
        if start != end:
            return f"{start} to {end}"
    return _one_name(_mean(paint))


def _mean(gradient: LinearGradient | RadialGradient) -> Solid:
    """Return the mean colour from offset 0 to 1."""
    stops = (gradient.stops[0], *gradient.stops, gradient.stops[-1])
    offsets = [0.0, *(stop.offset for stop in gradient.stops), 1.0]
    channels = np.array([(stop.red, stop.green, stop.blue) for stop in stops])
    return Solid(*np.trapezoid(channels, offsets, axis=0).tolist())


def _one_name(colour: Solid | Stop) -> str:
    lightness, chroma, hue = oklch(colour)
    if chroma < GREY_CHROMA:
        return _grey_name(lightness)
    name = next(name for end, name in HUES if hue <= end)
    if name in ("orange", "yellow") and chroma < EARTH_CHROMA and lightness > BROWN_LIGHTNESS:
        return "light beige" if lightness > 0.88 else "beige"
    if name == "orange" and lightness < BROWN_LIGHTNESS:
        name = "brown"
    elif name == "yellow" and lightness < BROWN_LIGHTNESS:
        name = "olive"
    elif name == "magenta" and lightness < PURPLE_LIGHTNESS:
        name = "purple"
    if lightness < (0.35 if name == "brown" else 0.42):
        return f"dark {name}"
    return f"light {name}" if lightness > 0.8 and chroma < 0.13 else name


def _grey_name(lightness: float) -> str:
    for end, name in ((0.2, "black"), (0.42, "dark grey"), (0.7, "grey"), (0.95, "light grey")):
        if lightness < end:
            return name
    return "white"


def place_name(x: float, y: float) -> str:
    """Return where a point lies, x and y as shares of the canvas: `upper left`, `left`, `centre`, ..."""
    row, column = ROWS[_third(y)], COLUMNS[_third(x)]
    return f"{row} {column}".strip() or "centre"


def _third(share: float) -> int:
    return min(2, max(0, int(share * 3)))


def oklch(colour: Solid | Stop) -> tuple[float, float, float]:
    """Return lightness 0..1, chroma 0..about 0.37 and hue in degrees of an sRGB colour."""
    r, g, b = (_linear(value) for value in (colour.red, colour.green, colour.blue))
    long = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    medium = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    green_red = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    blue_yellow = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return (
        lightness,
        math.hypot(green_red, blue_yellow),
        math.degrees(math.atan2(blue_yellow, green_red)) % 360,
    )


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
