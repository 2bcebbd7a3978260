"""The contours of any SVG path as cubics, so that crossings of outlines can be counted in files that are not ours.

Knows the meaning of path commands, which it gets one segment at a time; parses no text and draws nothing.
https://www.w3.org/TR/SVG2/paths.html
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from layervec.types import Outline

SAME_POINT = 1e-3  # user units

_Cubic = tuple[complex, complex, complex, complex]  # x + iy
SMOOTH_AFTER = {"S": ("C", "S"), "T": ("Q", "T")}  # commands that mirror the control point of one of these before them


def outline(steps: Iterable[tuple[str, list[float]]]) -> Outline | None:
    """Return the contours that commands with their numbers draw, each closed as for filling; None where arcs are.

    steps: a letter of path data and as many numbers as one segment of its kind has.
    """
    contours: list[list[_Cubic]] = [[]]
    here = start = control = 0j
    before = ""
    for letter, values in steps:
        kind = letter.upper()
        if kind == "A":
            return None
        if kind in "MZ":
            start = here = _points(letter, values, here)[0] if kind == "M" else start
            contours.append([])
        else:
            smooth = before in SMOOTH_AFTER.get(kind, ())
            points = _points(letter, values, here)
            first, second, control = _handles(kind, here, points, 2 * here - control if smooth else here)
            contours[-1].append((here, first, second, points[-1]))
            here = points[-1]
        before = kind
    return _closed([contour for contour in contours if contour])


def same_point(one: complex, other: complex) -> bool:
    """Tell whether two ends of a contour are one: relative coordinates add up with rounding errors."""
    way = one - other
    return abs(way.real) <= SAME_POINT and abs(way.imag) <= SAME_POINT  # abs(way) could overflow


def _closed(contours: list[list[_Cubic]]) -> Outline:
    points: list[complex] = []
    starts = [0]
    for contour in contours:
        end, begin = contour[-1][3], contour[0][0]
        if not same_point(end, begin):
            contour = [*contour, (end, end + (begin - end) / 3, begin + (end - begin) / 3, begin)]
        points += [point for cubic in contour for point in cubic[:3]]
        starts.append(len(points))
    flat = np.array(points, dtype=np.complex128)
    return Outline(np.stack([flat.real, flat.imag], axis=1), np.array(starts), np.zeros(len(flat) // 3, dtype=bool))


def _points(letter: str, values: list[float], here: complex) -> list[complex]:
    """Return the points of one segment, absolute."""
    origin = here if letter.islower() else 0j
    if letter in "Hh":
        return [complex(origin.real + values[0], here.imag)]
    if letter in "Vv":
        return [complex(here.real, origin.imag + values[0])]
    return [origin + complex(x, y) for x, y in zip(values[::2], values[1::2], strict=True)]


def _handles(kind: str, here: complex, points: list[complex], mirrored: complex) -> tuple[complex, complex, complex]:
    """Return both handles of a segment as a cubic, and the control point that a smooth segment after it mirrors."""
    end = points[-1]
    if kind in "CS":
        first, second = points[:2] if kind == "C" else (mirrored, points[0])
        return first, second, second
    if kind in "QT":
        control = points[0] if kind == "Q" else mirrored
        return here + (control - here) * 2 / 3, end + (control - end) * 2 / 3, control
    return here + (end - here) / 3, end + (here - end) / 3, end
