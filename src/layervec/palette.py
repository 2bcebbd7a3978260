"""Palettes: the few colours that all fills are held to, as given by a person or found in the picture.

Reads them, finds them and says which of them is nearest. Knows colours and weights; nothing of outlines, and of trees
only their regions' means. Distances are those of sRGB-encoded values, as in the fit: an assignment to the nearest
colour and the least-squares solve then lower one and the same error, and neither undoes what the other did. (Clusters
in Oklab were tried, see docs/log.md.)

Colours are found by cutting clusters in two, the one first whose cut across its main direction removes the most
squared error (Wu 1991, Graphics Gems II, pages 126-133), then moving each colour to the mean of what is nearest to it
(Lloyd 1982). A small but vivid thing removes more than another shade of a large plain one, so that it gets its colour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from layervec.errors import InputError
from layervec.files import reason
from layervec.tree import cut, fringes, node_sums
from layervec.types import Float32, Float64, Int64, RegionTree

MOST_COLOURS = 1024  # of a palette; GIMP's own largest has a quarter of that
MOST_BYTES = 1 << 20  # of a palette's file
REGIONS = 1024  # of the tree, in which first colours are looked for
FRINGE_WEIGHT = 0.1  # of a pixel that mixes two colours, as such pixels are no colour of the picture
CLEAR = 0.04  # alpha below which a region has no colour
LLOYD_ROUNDS = 20  # at most; nearly all have settled by then
ROWS = 4096  # colours compared with a palette at a time
HEX = re.compile("#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")  # colours by their digits
GIMP = "GIMP Palette"  # first line of a .gpl file


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """The only colours of fills.

    colours: float64 [n, 3], sRGB-encoded, 0..1, no two alike. fixed: True where they must stay as they are, False where
    fitting may move them.
    """

    colours: Float64  # [n, 3]
    fixed: bool

    def nearest(self, colours: Float64) -> Int64:
        """Return which of the palette's colours is nearest to each of `colours` [k, 3]: int64 [k]."""
        norms = (self.colours**2).sum(axis=1) / 2
        parts = [
            np.argmin(norms - colours[at : at + ROWS] @ self.colours.T, axis=1) for at in range(0, len(colours), ROWS)
        ]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def moved(self, paints: Float64) -> Palette:
        """Return the palette that shapes with these paints [k, 3 or more] have; a fixed one stays as it is."""
        return self if self.fixed else Palette(np.unique(paints[:, :3], axis=0), fixed=False)

    def snapped(self, colours: Float64) -> Float64:
        """Return colours [k, 3], or premultiplied [k, 4] with their alphas kept, moved to the nearest of these."""
        if colours.shape[1] == 3:
            return self.colours[self.nearest(colours)]
        alpha = np.maximum(colours[:, 3:], 1e-9)
        return np.concatenate([self.colours[self.nearest(colours[:, :3] / alpha)] * alpha, colours[:, 3:]], axis=1)


def given(text: str) -> Palette:
    """Return the palette that a person names: colours with commas between them, or a file.

    Colours are #rgb, #rrggbb or CSS names. A file has one colour a line, or is a GIMP palette (.gpl); empty lines and
    lines that start with `# ` mean nothing. Raises InputError.
    """
    found = listed(text)
    if found is not None:
        return found
    words = _words(text)
    wrong = next(word for word in words if _colour(word) is None)
    if len(words) == 1 and not text.startswith("#"):
        return _palette(list(_of_file(Path(text))), text)
    raise InputError(f"The palette has {wrong!r}, which is no colour such as #e63946, #fff or navy.")


def listed(text: str) -> Palette | None:
    """Return the palette of colours with commas between them, None where a word is no colour. Reads no file."""
    colours = [_colour(word) for word in _words(text)]
    known = [colour for colour in colours if colour is not None]
    return _palette(known, "The palette") if len(known) == len(colours) else None


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _palette(colours: list[tuple[int, int, int]], name: str) -> Palette:
    colours = list(dict.fromkeys(colours))
    if not colours:
        raise InputError(f"{name} has no colours.")
    if len(colours) > MOST_COLOURS:
        raise InputError(f"{name} has {len(colours)} colours, at most {MOST_COLOURS} are used.")
    return Palette(np.array(colours, dtype=np.float64) / 255, fixed=True)


def _of_file(path: Path) -> Iterator[tuple[int, int, int]]:
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text.") from None
    except (OSError, ValueError) as error:
        cause = reason(error) if isinstance(error, OSError) else str(error)
        raise InputError(f"{path} is neither a colour nor a palette's file that can be read: {cause}.") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"{path}: has more than {MOST_BYTES} bytes, which no palette needs.")
    gimp = bool(lines) and lines[0].strip() == GIMP
    for number, line in enumerate(lines[gimp:], start=1 + gimp):
        line = line.strip()
        if not line or line == "#" or line.startswith("# ") or (gimp and line.startswith(("#", "Name:", "Columns:"))):
            continue
        colour = _gimp_colour(line) if gimp else _colour(line)
        if colour is None:
            raise InputError(f"{path}: line {number} is no colour: {line[:40]!r}.")
        yield colour


def _colour(word: str) -> tuple[int, int, int] | None:
    """Return red, green and blue, 0..255, of a colour as CSS writes it, None if it is none."""
    from PIL.ImageColor import colormap, getrgb

    if word.lower() not in colormap and not HEX.fullmatch(word):
        return None
    red, green, blue = getrgb(word)[:3]
    return red, green, blue


def _gimp_colour(line: str) -> tuple[int, int, int] | None:
    numbers = line.split()[:3]
    if len(numbers) < 3 or not all(number.isdecimal() and int(number) <= 255 for number in numbers):
        return None
    red, green, blue = map(int, numbers)
    return red, green, blue


def of_picture(tree: RegionTree, pixels: Float32, most: int) -> Palette:
    """Return at most `most` colours of a picture, by the area of its regions. pixels: premultiplied [h, w, c]."""
    weight = np.ones((*pixels.shape[:2], 1), dtype=np.float32)
    weight[fringes(pixels)] = FRINGE_WEIGHT
    sums = node_sums(tree, np.concatenate([weight * pixels, weight], axis=2))[cut(tree, REGIONS)]
    alpha = sums[:, 3] / sums[:, -1] if pixels.shape[2] == 4 else np.ones(len(sums))
    seen = alpha > CLEAR
    area = sums[seen, -1] * alpha[seen]
    return found(sums[seen, :3] / area[:, None], area, most)


def found(colours: Float64, weights: Float64, most: int) -> Palette:
    """Return at most `most` colours that stand for weighted ones, colours [k, 3], weights [k], with little error."""
    shown = weights > 0
    colours, weights = colours[shown], weights[shown]
    if not len(colours):
        return Palette(np.zeros((1, 3)), fixed=False)
    clusters = [_Cluster.of(colours, weights, np.arange(len(colours)))]
    while len(clusters) < most:
        best = max(range(len(clusters)), key=lambda i: clusters[i].gain)
        if clusters[best].gain <= 0:
            break
        whole = clusters.pop(best)
        clusters += [_Cluster.of(colours, weights, half) for half in (whole.low, whole.high)]
    centres = np.stack([cluster.mean for cluster in clusters])
    return Palette(np.unique(_settled(colours, weights, centres), axis=0), fixed=False)


def _settled(colours: Float64, weights: Float64, centres: Float64) -> Float64:
    """Move each centre to the mean of the colours nearest to it until none moves: float64 [n, 3]."""
    owner = np.full(len(colours), -1)
    for _ in range(LLOYD_ROUNDS):
        before, owner = owner, Palette(centres, fixed=False).nearest(colours)
        if np.array_equal(before, owner):
            break
        total = np.bincount(owner, weights, len(centres))[:, None]
        sums = np.stack([np.bincount(owner, weights * column, len(centres)) for column in colours.T], axis=1)
        centres = np.where(total > 0, sums / np.maximum(total, 1e-12), centres)
    return np.clip(centres, 0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Cluster:
    """Some colours, by indices, their mean, and the cut in two that removes the most squared error: its gain."""

    mean: Float64  # [3]
    low: Int64
    high: Int64
    gain: float

    @classmethod
    def of(cls, colours: Float64, weights: Float64, members: Int64) -> _Cluster:
        weight, offset = weights[members], colours[members]
        mean = weight @ offset / weight.sum()
        offset = offset - mean
        direction = np.linalg.eigh((weight[:, None] * offset).T @ offset)[1][:, -1]
        order = np.argsort(offset @ direction, kind="stable")
        below = np.cumsum(weight[order])[:-1, None]
        sums = np.cumsum((weight[:, None] * offset)[order], axis=0)[:-1]
        if not len(sums):
            return cls(mean, members, members[:0], 0.0)
        removed = (sums**2).sum(axis=1) * (1 / below + 1 / (weight.sum() - below))[:, 0]
        at = int(np.argmax(removed))
        gain = float(removed[at]) if removed[at] > 1e-9 * weight.sum() else 0.0
        return cls(mean, members[order[: at + 1]], members[order[at + 1 :]], gain)
