"""Write coordinates in as few digits as the picture allows.

Most of a drawing's text are coordinates, and a third of those are decimals that many borders do not need: a hidden one,
or one of little contrast, looks the same on whole numbers. Each coordinate is priced by the error that writing
it shorter would cost, on the diagonal of J'J (as nodes are in economy.py); those not yet pinned can make up for it in
a fit that follows. Knows outlines and the rasteriser's gradients; knows no trees, layers or files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from layervec.curves.edit import thirds
from layervec.economy import over_subsets, pulls
from layervec.geometry import next_nodes
from layervec.optimize import Fit
from layervec.types import Bool, Float64, Int64

FINE_BELOW = 256  # units, longer side; smaller drawings have coordinates in hundredths, others in tenths
NODE_NUMBERS = 3.0  # that a coordinate of a node is in, about: its own, and those that are written relative to it
MOST_TILT = 0.06  # of a handle's length that its ends may move by, so that smooth joins stay smooth


def most_decimals(width: float, height: float) -> int:
    """Return the most decimals of coordinates in a drawing of this size, user units."""
    return 1 if max(width, height) >= FINE_BELOW else 2


@dataclass(frozen=True, slots=True)
class Grid:
    """How coordinates are written: user units per fitting px, across and down, and the most decimals."""

    scale: tuple[float, float]
    decimals: int

    @classmethod
    def of(cls, size: tuple[int, int], fitted: tuple[int, int]) -> Grid:
        """Return the grid of a drawing of this size, user units, fitted at that one, px (width and height each)."""
        return cls((size[0] / fitted[0], size[1] / fitted[1]), most_decimals(*size))

    def rounded(self, points: Float64, decimals: int) -> Float64:
        """Return the nearest points [n, 2], in fitting px, that have so many decimals in user units."""
        return np.asarray((points * self.scale).round(decimals) / self.scale)


def shortened(
    fit: Fit,
    grid: Grid,
    width: int,
    height: int,
    price: float | Float64,
    *,
    subsets: Sequence[tuple[Bool, float]] | None = None,
    clear: bool = False,
    threads: int | None = None,
) -> tuple[Fit, Bool]:
    """Return the fit with shorter coordinates where each character saved costs at most `price` squared error.

    width, height: canvas, px. price: one for all points, or [n, 1]. subsets: sets of shapes (bool [k]) and weights;
    the error counts in the drawing of each. clear: as in `drop_nodes`.
    Also returns which coordinates of all points are short: bool [n, 2]; the others are as they were. Outlines that
    would cross themselves stay.
    """
    from layervec.curves import self_crossings
    from layervec.curves.untangle import TOLERANCE

    points = np.concatenate([outline.points for outline in fit.outlines])
    straight = np.concatenate([outline.straight for outline in fit.outlines])
    following = next_nodes(fit.outlines)
    sizes = [len(outline.points) for outline in fit.outlines]

    def measured(part: Fit, probes: int) -> Float64:
        return _stiffness(part, pulls(part, width, height, probes, clear, threads), probes)

    stiffness = over_subsets(fit, sizes, subsets, measured)
    found, short = _snapped(points, grid, price / np.maximum(stiffness, 1e-12), _room(points, straight, following))
    short &= np.stack([np.ones_like(straight), ~straight, ~straight], axis=1).reshape(-1, 1)  # what is written
    found = np.where(short, found, points)
    lines = thirds(found[0::3], found[0::3][following]).reshape(-1, 2)
    found = np.where(np.repeat(straight, 3)[:, None], lines, found)
    outlines = [
        replace(outline, points=part)
        for outline, part in zip(fit.outlines, np.split(found, np.cumsum(sizes)[:-1]), strict=True)
    ]
    tangled = self_crossings(outlines, TOLERANCE) > self_crossings(fit.outlines, TOLERANCE)
    kept = tuple(old if bad else new for old, new, bad in zip(fit.outlines, outlines, tangled, strict=True))
    return replace(fit, outlines=kept), short & ~np.repeat(tangled, sizes)[:, None]


def _stiffness(fit: Fit, found: Iterator[Float64], probes: int) -> Float64:
    """Squared error per px^2 by which a coordinate moves: [n, 2] of all points; the handles of lines move with them.

    found: so many `pulls`.
    """
    straight = np.concatenate([outline.straight for outline in fit.outlines])[:, None]
    following = next_nodes(fit.outlines)
    total = np.zeros((3 * len(straight), 2))
    for pulled in found:
        at_node, out, into = pulled[0::3].copy(), pulled[1::3], pulled[2::3]
        at_node += np.where(straight, (2 * out + into) / 3, 0.0)
        at_node[following] += np.where(straight, (out + 2 * into) / 3, 0.0)
        total += np.stack([at_node, out, into], axis=1).reshape(-1, 2) ** 2
    return total / probes


def _snapped(points: Float64, grid: Grid, most: Float64, room: Float64) -> tuple[Float64, Bool]:
    """Return points on the coarsest grid that pays, and where one does: [n, 2] each.

    most: px^2, [n, 2], that a move may cost for each character that it saves. room: px, [n, 1], that it may go at all.
    """
    written = grid.rounded(points, grid.decimals)
    numbers = np.tile([NODE_NUMBERS, 1.0, 1.0], len(points) // 3)[:, None]
    found, short = points.copy(), np.zeros(points.shape, dtype=bool)
    for decimals in range(grid.decimals):
        coarse = grid.rounded(points, decimals)
        saved = numbers * (grid.decimals - decimals + (decimals == 0)) * (coarse != written)
        cost = (coarse - points) ** 2 - (written - points) ** 2
        pays = ~short & (cost <= most * saved) & (np.abs(coarse - points) <= room)
        found[pays], short[pays] = coarse[pays], True
    return found, short


def _room(points: Float64, straight: Bool, following: Int64) -> Float64:
    """How far each point may move for the handles there to keep their directions, px: [n, 1]."""
    out = np.linalg.norm(points[1::3] - points[0::3], axis=1)
    into = np.linalg.norm(points[2::3] - points[0::3][following], axis=1)
    out, into = np.where(straight, np.inf, out), np.where(straight, np.inf, into)
    before = np.empty_like(into)
    before[following] = into
    return np.asarray(MOST_TILT * np.stack([np.minimum(out, before), out, into], axis=1).reshape(-1, 1))
