"""Gradients of paths as rows of `Ramps`: to and from the paints of a drawing, chosen, joined and simplified.

Knows rows of numbers and what colours they give; nothing of how gradients are found, of regions or of outlines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from layervec.types import (
    LINEAR,
    RADIAL,
    SOLID,
    STOPS,
    Bool,
    Float32,
    Float64,
    Int64,
    LinearGradient,
    Paint,
    RadialGradient,
    Ramps,
    Solid,
    Stop,
)

LEAST_CHANGE = 3 / 255  # a gradient whose colours differ by less in every channel is one colour
BEND = 4 / 255  # a stop that lies this close to the colours beside it goes


def solids(count: int) -> Ramps:
    """Return the ramps of `count` paths that have none."""
    return Ramps(
        np.zeros(count, np.int8),
        np.zeros((count, 4), np.float32),
        np.tile(np.array([0, 0.5, 1, 1], np.float32), (count, 1)),
        np.zeros((count, STOPS, 3), np.float32),
    )


def paint(paints: Float64, ramps: Ramps | None, i: int) -> Paint:
    """Return what path i is filled with, as a drawing has it. paints: [k, 4], straight RGBA."""
    red, green, blue, alpha = (float(value) for value in paints[i])
    if ramps is None or ramps.kind[i] == SOLID:
        return Solid(red, green, blue, alpha)
    stops: dict[float, Stop] = {}
    for offset, colour in zip(ramps.offsets[i].tolist(), ramps.colours[i].tolist(), strict=True):
        stops.setdefault(offset, Stop(offset, *colour))
    x, y, *rest = ramps.axis[i].tolist()
    if ramps.kind[i] == LINEAR:
        return LinearGradient((x, y), (rest[0], rest[1]), tuple(stops.values()), alpha)
    return RadialGradient((x, y), rest[0], tuple(stops.values()), alpha)


def rows(paints: Sequence[Paint]) -> tuple[Float64, Ramps | None]:
    """Return straight RGBA, float64 [k, 4], and gradients of what paths are filled with: the inverse of `paint`."""
    flat, found = np.ones((len(paints), 4)), solids(len(paints))
    for i, given in enumerate(paints):
        stops = (given,) if isinstance(given, Solid) else given.stops
        colours = np.array([(stop.red, stop.green, stop.blue) for stop in stops])
        flat[i] = *colours.mean(axis=0), given.alpha
        if isinstance(given, Solid):
            continue
        used = np.minimum(np.arange(STOPS), len(stops) - 1)  # unused stops repeat the last one
        found.offsets[i] = np.array([stop.offset for stop in given.stops])[used]
        found.colours[i] = colours[used]
        if isinstance(given, LinearGradient):
            found.kind[i], found.axis[i] = LINEAR, (*given.start, *given.end)
        else:
            found.kind[i], found.axis[i] = RADIAL, (*given.centre, given.radius, 0.0)
    return flat, found if found.kind.any() else None


def planes(paints: Float64, ramps: Ramps | None) -> Float64:
    """Return what each path is painted with as colour at the origin, change a px to the right and downwards: [k, 3, 3].

    Beyond the ends of a gradient its colour goes on changing here.
    """
    found = np.zeros((len(paints), 3, 3))
    found[:, 0] = paints[:, :3]
    if ramps is not None:
        for i in np.flatnonzero(ramps.kind == LINEAR):
            start, reach = ramps.axis[i, :2], ramps.axis[i, 2:] - ramps.axis[i, :2]
            slope = np.outer(reach / max(float(reach @ reach), 1e-9), ramps.colours[i, -1] - ramps.colours[i, 0])
            found[i] = np.concatenate([[ramps.colours[i, 0] - start @ slope], slope])
    return found


def coloured(ramps: Ramps, stops: Float32, within: Float32 | None = None) -> Ramps:
    """Return the ramps with other colours, [k, STOPS, 3]; unused stops repeat the last one's.

    within: least and largest values of each path's colours, [k, 2, 3]; 0 and 1 by default.
    """
    colours = np.clip(stops, 0, 1) if within is None else np.clip(stops, within[:, :1], within[:, 1:])
    for place in range(1, STOPS):
        unused = ramps.offsets[:, place] == ramps.offsets[:, place - 1]
        colours[unused, place] = colours[unused, place - 1]
    return replace(ramps, colours=colours)


def simplified(ramps: Ramps | None) -> Ramps | None:
    """Return the ramps without stops that do not show, and without those that are hardly more than one colour."""
    if ramps is None:
        return None
    found = Ramps(ramps.kind.copy(), ramps.axis, ramps.offsets.copy(), ramps.colours.copy())
    for i in np.flatnonzero(found.kind != SOLID):
        if np.ptp(found.colours[i], axis=0).max() < LEAST_CHANGE:
            found.kind[i] = SOLID
            continue
        place = 1
        while place < STOPS - 1:
            if _needed(found, int(i), place):
                place += 1
            else:
                found.offsets[i, place:-1] = found.offsets[i, place + 1 :]
                found.colours[i, place:-1] = found.colours[i, place + 1 :]
                place += bool(found.offsets[i, place] == found.offsets[i, -1])
    return found


def _needed(ramps: Ramps, i: int, place: int) -> bool:
    """Tell whether an inner stop of gradient i shows, or repeats the last one."""
    before, at, after = ramps.offsets[i, place - 1 : place + 2]
    low, middle, high = ramps.colours[i, place - 1 : place + 2]
    between = low + (at - before) / max(after - before, 1e-9) * (high - low)
    return bool(after <= at or np.abs(middle - between).max() >= BEND)


def parameters(found: Ramps, i: int, places: Float64) -> Float64:
    """Return how far along gradient i places [n, 2] lie, 0 at its start and 1 at its end: [n]."""
    axis = found.axis[i].astype(np.float64)
    if found.kind[i] == RADIAL:
        return np.asarray(np.linalg.norm(places - axis[:2], axis=1) / max(axis[2], 1e-9))
    reach = axis[2:] - axis[:2]
    return np.asarray((places - axis[:2]) @ reach / max(float(reach @ reach), 1e-9))


def colours_at(found: Ramps, i: int, places: Float64) -> Float64:
    """Return the colours of gradient i at places [n, 2]: [n, 3]."""
    t = parameters(found, i, places)
    return np.stack([np.interp(t, found.offsets[i], found.colours[i, :, c]) for c in range(3)], axis=1)


def premultiplied(paints: Float64, ramps: Ramps | None, channels: int) -> Float64:
    """Return `planes` times alpha, and alpha itself where there are four channels: [k, 3, channels]."""
    found = np.zeros((len(paints), 3, channels))
    found[..., :3] = planes(paints, ramps) * paints[:, None, 3:]
    if channels == 4:
        found[:, 0, 3] = paints[:, 3]
    return found


def only(ramps: Ramps | None, kept: Int64 | Bool) -> Ramps | None:
    """Return the rows of these paths, in this order; None stays None."""
    if ramps is None:
        return None
    return Ramps(ramps.kind[kept], ramps.axis[kept], ramps.offsets[kept], ramps.colours[kept])


def filled(ramps: Ramps, others: Ramps) -> Ramps:
    """Return the ramps with those of `others` where they have none."""
    new = (ramps.kind == SOLID) & (others.kind != SOLID)
    return Ramps(
        np.where(new, others.kind, ramps.kind),
        np.where(new[:, None], others.axis, ramps.axis),
        np.where(new[:, None], others.offsets, ramps.offsets),
        np.where(new[:, None, None], others.colours, ramps.colours),
    )


def joined(first: Ramps | None, second: Ramps | None) -> Ramps | None:
    """Return the rows of both, one after the other; None if there are none in either."""
    if first is None or second is None:
        return None
    return Ramps(
        np.concatenate([first.kind, second.kind]),
        np.concatenate([first.axis, second.axis]),
        np.concatenate([first.offsets, second.offsets]),
        np.concatenate([first.colours, second.colours]),
    )
