"""Outlines as SVG path data and back, in few bytes: https://www.w3.org/TR/SVG2/paths.html#PathData.

Every contour starts with an absolute M and ends with Z; lines and cubics between are absolute or relative,
whichever is shorter, and level and upright lines have one number. Coordinates are turned into whole hundredths first,
so that equal means equal, relative ones add up exactly, and the text does not depend on how a float happens to print.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np

from layervec.types import Float64, Int64, Outline

STEPS = 100  # steps per px: coordinates have two decimals
COORDINATE_LIMIT = 1e6  # px; far beyond any canvas, and products of two such values in hundredths fit int64
NUMBER = r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
DIGITS = 9  # decimals to which sums of relative coordinates are exact

_TOKEN = re.compile(rf"[ ,]*(?:([MCLHVZclhv])|({NUMBER}))")
_NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "Z": 0}
_Point = list[float]
_Command = tuple[str, tuple[int, ...]]  # M, L or C and its absolute numbers, in hundredths of a pixel


def written(outline: Outline) -> tuple[str, int]:
    """Return an outline as path data and the number of contours in it; contours without area are left out.

    ValueError for coordinates that are not finite or beyond COORDINATE_LIMIT.
    """
    contours = [_spelled(commands) for commands in _contours(outline)]
    return "".join(contours), len(contours)


def has_area(outline: Outline) -> bool:
    """Tell whether anything is written of an outline. ValueError as in `written`."""
    return next(_contours(outline), None) is not None


def _contours(outline: Outline) -> Iterator[list[_Command]]:
    """Yield the commands of each contour that has area left."""
    points = steps(outline.points)
    for first, last in pairwise(outline.starts.tolist()):
        commands = _commands(points[first:last], outline.straight[first // 3 : last // 3].tolist())
        if _has_area(commands):
            yield commands


def steps(points: Float64) -> Int64:
    """Return coordinates as whole hundredths of a pixel. ValueError as in `written`."""
    if not (np.abs(points) <= COORDINATE_LIMIT).all():  # false for NaN too
        raise ValueError("coordinates are not finite or beyond any canvas")
    return np.rint(np.asarray(points, dtype=np.float64) * STEPS).astype(np.int64)


@lru_cache(1 << 14)
def decimal(value: int, unit: int) -> str:
    """Return value / unit, a power of ten, in the fewest characters: no trailing zeros, no leading zero."""
    whole, rest = divmod(abs(value), unit)
    digits = len(str(unit)) - 1
    fraction = f".{rest:0{digits}d}".rstrip("0") if rest else ""
    number = f"{whole or ''}{fraction}" or "0"
    return f"-{number}" if value < 0 else number


def _commands(points: Int64, straight: list[bool]) -> list[_Command]:
    """Return one contour as M, then L and C; segments without length and the last straight one are left out.

    points: [3k, 2], hundredths of a pixel; straight: k. Empty where nothing moves.
    """
    ring = points.tolist()
    ring.extend(ring[:1])
    commands: list[_Command] = []
    for index, line in enumerate(straight):
        start, leave, arrive, end = ring[3 * index : 3 * index + 4]
        # A cubic whose handles sit on its own nodes is a straight line too, and shorter as one.
        if line or (leave == start and arrive == end):
            if end != start:
                commands.append(("L", tuple(end)))
        elif not start == leave == arrive == end:
            commands.append(("C", (*leave, *arrive, *end)))
    if not commands:
        return []
    if commands[-1][0] == "L":
        commands.pop()  # it ends at the first node: Z draws it
    return [("M", tuple(ring[0])), *commands]


def _has_area(commands: list[_Command]) -> bool:
    """Return whether a contour fills anything: False where all of its points lie on one line."""
    flat = [number for _, numbers in commands for number in numbers]
    points = np.array(flat, dtype=np.int64).reshape(-1, 2)
    if len(points) < 3:
        return False
    offsets = points[1:] - points[0]
    furthest = offsets[np.abs(offsets).max(axis=1).argmax()]
    return bool((offsets[:, 0] * furthest[1] != offsets[:, 1] * furthest[0]).any())


def _spelled(commands: list[_Command]) -> str:
    """Return a contour as path data that ends with Z, each command in its shortest form."""
    parts: list[str] = []
    letter, last, here = "", "", (0, 0)  # last: the number written before, none after Z
    for kind, numbers in commands:
        text, letter, last = min(_forms(kind, numbers, here, letter, last), key=lambda form: len(form[0]))
        parts.append(text)
        here = (numbers[-2], numbers[-1])
    return "".join(parts) + "Z"


def _forms(
    kind: str, numbers: tuple[int, ...], here: tuple[int, int], before: str, last: str
) -> Iterator[tuple[str, str, str]]:
    """Yield the texts that a command may have after the letter `before` and the number `last`.

    Each with its letter and its last number. here: where it starts, which relative numbers count from.
    """
    moves = tuple(number - here[index % 2] for index, number in enumerate(numbers))
    absolute, relative = (kind, numbers), (kind.lower(), moves)
    if kind == "M":
        choices = [absolute]
    elif kind == "L" and not all(moves):
        axis = 0 if moves[0] else 1
        choices = [("HV"[axis], numbers[axis : axis + 1]), ("hv"[axis], moves[axis : axis + 1])]
    else:
        choices = [absolute, relative]
    for letter, values in choices:
        words = [decimal(value, STEPS) for value in values]
        implied = letter == before or (before == "M" and letter == "L")
        # A letter stands in for the separator; where none is needed, a repeated letter would cost a byte.
        bare = implied and not _separator(last, words[0])
        spaced = [_separator(one, other) + other for one, other in pairwise(["" if not bare else last, *words])]
        yield ("" if bare else letter) + "".join(spaced), letter, words[-1]


def _separator(before: str, word: str) -> str:
    """Return what must stand between two numbers: nothing before a sign, or before a second decimal point."""
    if not before or word[0] == "-" or (word[0] == "." and "." in before):
        return ""
    return " "


def read(data: str) -> Outline:
    """Return the outline of path data of M, C, L, H and V with their relative forms, and Z, every contour closed.

    A contour starts with an absolute M. Straight segments, the one that Z draws included, get handles at their
    thirds. ValueError otherwise.
    """
    contours: list[list[_Point]] = []
    straight: list[bool] = []
    points: list[_Point] = []  # of the open contour, its last node included
    for letter, numbers in _read_commands(data):
        if letter == "M":
            if points:
                raise ValueError("a contour is not closed")
            points = [numbers]
        elif not points:
            raise ValueError("path data does not start with M")
        elif letter == "Z":
            if points[-1] != points[0]:
                points += _line(points[-1], points[0])
                straight.append(True)
            contours.append(points[:-1])
            points = []
        else:
            ends = _absolute(letter, numbers, points[-1])
            points += ends if letter in "Cc" else _line(points[-1], ends[0])
            straight.append(letter not in "Cc")
    if points:
        raise ValueError("a contour is not closed")
    starts = np.cumsum([0, *map(len, contours)], dtype=np.int64)
    flat = np.array([point for contour in contours for point in contour], dtype=np.float64)
    return Outline(flat.reshape(-1, 2), starts, np.array(straight, dtype=np.bool_))


def _absolute(letter: str, numbers: list[float], here: _Point) -> list[_Point]:
    """Return the points of a line or cubic from its numbers."""
    if letter in "Hh":
        numbers = [*numbers, 0.0 if letter == "h" else here[1]]
    elif letter in "Vv":
        numbers = [0.0 if letter == "v" else here[0], *numbers]
    points = [list(point) for point in zip(numbers[::2], numbers[1::2], strict=True)]
    if letter.isupper():
        return points
    return [[round(here[0] + x, DIGITS), round(here[1] + y, DIGITS)] for x, y in points]


def _line(start: _Point, end: _Point) -> list[_Point]:
    """Return the handles and the end of a straight segment."""
    (x0, y0), (x1, y1) = start, end
    thirds = [[x0 + (x1 - x0) * part / 3, y0 + (y1 - y0) * part / 3] for part in (1, 2)]
    return [*thirds, end]


def _read_commands(data: str) -> Iterator[tuple[str, list[float]]]:
    """Yield the commands of our path data, letters spelled out where a repeated one was left out."""
    letter, position = "", 0
    numbers: list[float] = []
    incomplete = False  # True from a letter or a number until the command has what it needs
    data = data.strip()
    while position < len(data):
        token = _TOKEN.match(data, position)
        if token is None:
            raise ValueError(f"path data holds {data[position : position + 12]!r}")
        position = token.end()
        if token[1]:
            if incomplete:
                raise ValueError("path data has a wrong count of numbers")
            letter = token[1]
        elif not _NUMBERS.get(letter.upper()):
            raise ValueError("path data has numbers without a command")
        else:
            numbers.append(float(token[2]))
        incomplete = len(numbers) != _NUMBERS[letter.upper()]
        if not incomplete:
            yield letter, numbers
            letter, numbers = ("L" if letter == "M" else letter), []
    if incomplete:
        raise ValueError("path data has a wrong count of numbers")
