"""Keep outlines clean between fits: no crossings, and no contour that is not worth its nodes.

A fit moves the sides of thin shapes past each other. What it leaves there is cut up (curves/untangle.py), and each
piece is then priced by the exact error of drawing without it. Knows outlines and the rasteriser's
answers; knows no trees, layers or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from layervec import ramps
from layervec.optimize import Fit
from layervec.types import Bool, Float32, Float64, Int64, Outline


def mended(
    fit: Fit,
    target: Float32,
    price: float,
    *,
    subsets: Sequence[tuple[Bool, float]],
    threads: int | None = None,
) -> Fit:
    """Return the fit with simple outlines, without contours that save less than `price` squared error a node.

    target: as in `optimize`. subsets: sets of shapes (bool [k]) and weights; the error counts in the drawing of each.
    """
    return without_pieces(simple(fit), target, price, subsets, threads)


def simple(fit: Fit) -> Fit:
    """Return the fit without outlines that cross themselves."""
    from layervec.curves import self_crossings
    from layervec.curves.untangle import TOLERANCE, untangled

    outlines = list(fit.outlines)
    for i in np.flatnonzero(self_crossings(outlines, TOLERANCE)):
        outlines[i] = untangled(outlines[i], even_odd=outlines[i].contours > 1)
    return replace(fit, outlines=tuple(outlines))


def without_pieces(
    fit: Fit, target: Float32, price: float, subsets: Sequence[tuple[Bool, float]], threads: int | None
) -> Fit:
    """Drop the pieces of shapes, with their holes, that are not worth their nodes; each shape keeps its best one."""
    groups = [_pieces(outline) for outline in fit.outlines]
    if all(len(pieces) < 2 for pieces in groups):
        return fit
    parts = [(i, piece) for i, pieces in enumerate(groups) for piece in pieces]
    owner = np.array([i for i, _ in parts])
    outlines = tuple(_contours(fit.outlines[i], piece) for i, piece in parts)
    apart = Fit(outlines, fit.paints[owner], ramps.only(fit.ramps, owner))
    worth = _worth(apart, owner, target, subsets, threads)
    cost = price * np.array([outline.segments for outline in outlines])
    best = np.zeros(len(parts), dtype=bool)
    best[[begin + int(np.argmax(worth[begin:end])) for begin, end in _runs(owner)]] = True
    kept = best | (worth >= cost)
    found = list(fit.outlines)
    for begin, end in _runs(owner):
        if not kept[begin:end].all():
            chosen = np.concatenate([parts[j][1] for j in range(begin, end) if kept[j]])
            found[owner[begin]] = _contours(fit.outlines[owner[begin]], np.sort(chosen))
    return replace(fit, outlines=tuple(found))


def _worth(
    fit: Fit, owner: Int64, target: Float32, subsets: Sequence[tuple[Bool, float]], threads: int | None
) -> Float64:
    """Return the squared error that each path removes, [p], weighted over the subsets of its owners.

    Only in the first subset, the whole drawing, can it be below 0: harm to a simpler one is no reason to go.
    """
    from layervec import raster

    worth = np.zeros(len(owner))
    for number, (shown, weight) in enumerate(subsets):
        on = shown[owner]
        removed = raster.survey(fit.only(on).scene(), target, threads=threads).removal
        worth[on] += weight * (np.maximum(removed, 0.0) if number else removed)
    return worth


def _runs(owner: Int64) -> list[tuple[int, int]]:
    ends = np.flatnonzero(np.diff(owner, append=-1)) + 1
    return list(pairwise([0, *ends.tolist()]))


def _size(outline: Outline, contour: int) -> int:
    """Nodes of a contour."""
    return int(outline.starts[contour + 1] - outline.starts[contour]) // 3


def _pieces(outline: Outline) -> list[Int64]:
    """Return the contours of each piece: one that bounds it and the holes in it.

    By nesting, as after a fit a contour may run either way.
    """
    from layervec.curves.untangle import nesting

    found = nesting(outline)
    holes = found.direct.inside()
    return [np.sort(np.append(holes[i], i)) for i in np.flatnonzero(found.depth % 2 == 0)]


def _contours(outline: Outline, chosen: Int64) -> Outline:
    """Return some of an outline's contours."""
    if len(chosen) == outline.contours:
        return outline
    spans = [(int(outline.starts[c]), int(outline.starts[c + 1])) for c in chosen]
    return Outline(
        np.concatenate([outline.points[a:b] for a, b in spans]),
        np.cumsum([0, *(b - a for a, b in spans)], dtype=np.int64),
        np.concatenate([outline.straight[a // 3 : b // 3] for a, b in spans]),
    )
