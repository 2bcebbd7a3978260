"""Take slivers out of a drawing: strips thinner than a pixel that only mix with their neighbours into a tone.

Those are slits between neighbours that pulled apart, and spikes. The pixels of a sliver go to a neighbour above, which
is joined with them, or to what lies below, where they are cut out. Both change the picture, so the cheapest go
first, and only where too much of a drawing is seams. Knows outlines and fine pixels; no trees, layers or files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from layervec.fine import ZOOM, Fine, places
from layervec.masks import grown
from layervec.optimize import Fit
from layervec.types import Bool, Float32, Float64, Int16, Int64, Outline, UInt8

if TYPE_CHECKING:
    from layervec.curves.untangle import Ring

SEAM = 64  # of 255; a pixel as strange as that shows as a seam
ODD = 32  # of 255; what is as strange as that goes together with a seam
MOST_PIXELS = 1 << 20  # of the picture; memory is 16 times as many
MOST_COST = 0.05  # squared error over all channels that a seam's fine pixel may cost
LEAST_AREA = 5  # fine pixels
NEXT = 2  # fine pixels from a sliver to what is beside it
REACH = 5  # fine pixels from which a neighbour may come to fill a sliver
OVERLAP = 2  # fine pixels that the filling runs on under or over what is beside it
STRAY = 1.0  # fine pixels, how far the outline of a filling may stray
MOST_CHANGE, SLACK = 2.0, 12.0  # of the area of what is joined or cut out, and px: as much may an outline's change
MARGIN = REACH + OVERLAP + 2


def without(fit: Fit, target: Float32, most: float) -> Fit:
    """Return the fit with slivers filled or cut off until at most this share of what lies beside borders is seams.

    target: as in `optimize`. Slivers that would cost too much stay; so do drawings with translucent shapes or of more
    than MOST_PIXELS.
    """
    if target[0].size > MOST_PIXELS or (fit.paints[:, 3] < 1.0).any():
        return fit
    fine = Fine.of(fit, target)
    strange, beside = fine.look()
    left = int(np.count_nonzero(strange >= SEAM)) - most * beside
    if left <= 0:
        return fit
    changes: dict[int, list[list[Ring]]] = {}
    for filling in sorted(_fillings(fine, strange), key=lambda filling: filling.cost / filling.seam):
        if left <= 0 or filling.cost > MOST_COST * filling.seam:
            break
        left -= filling.seam
        for shape in filling.changed:
            changes.setdefault(shape, []).append(filling.rings(shape))
    outlines = list(fit.outlines)
    for shape, rings in changes.items():
        outlines[shape] = _changed(outlines[shape], rings)
    return replace(fit, outlines=tuple(outlines))


def _fillings(fine: Fine, strange: UInt8) -> Iterator[_Filling]:
    """Yield what can be done about all slivers."""
    off = fine.off()
    for sliver in _slivers(fine, strange):
        yield from sliver.fillings(fine, strange, off)


@dataclass(frozen=True, slots=True, eq=False)
class _Filling:
    """Fine pixels of a sliver that get another shape's colour.

    changed: the shape that they are cut out of or, if not `cut`, the shape that they are joined to and those below it
    that end beside them: where two shapes end together, antialiasing would show what is below both.
    mask: bool [h, w], in a window of the fine pixels that begins at `corner`, x and y. owner: int16 [h, w], which shape
    shows there. seam: how many of them were seams. cost: squared error that they add.
    """

    changed: tuple[int, ...]
    cut: bool
    mask: Bool
    owner: Int16
    corner: tuple[int, int]
    seam: int
    cost: float

    def rings(self, shape: int) -> list[Ring]:
        """Return the outline that is joined to a shape or cut out of it, px."""
        from layervec import curves
        from layervec.curves.untangle import rings

        around = self.owner != shape if self.cut else self.owner >= shape
        # At the border of the canvas it runs beyond.
        mask = np.pad(np.pad(self.mask | (grown(self.mask, OVERLAP) & around), OVERLAP, mode="edge"), 1)
        fitted = curves.fit(mask, STRAY)
        found = rings(replace(fitted, points=(fitted.points + self.corner - OVERLAP - 1) / ZOOM))
        return [ring.reversed() for ring in found] if self.cut else found


@dataclass(frozen=True, slots=True, eq=False)
class _Sliver:
    """Fine pixels that hang together and show one shape. y, x: int64 [n]."""

    y: Int64
    x: Int64
    shape: int

    def fillings(self, fine: Fine, strange: UInt8, off: Float32) -> Iterator[_Filling]:
        """Yield what to do about the sliver: each pixel goes to one of the shapes that are nearer to the picture there.

        Those are shapes beside it that lie above, and those that it hides; the one that gains most comes first.
        """
        top, left = max(0, int(self.y.min()) - MARGIN), max(0, int(self.x.min()) - MARGIN)
        window = np.s_[top : int(self.y.max()) + MARGIN + 1, left : int(self.x.max()) + MARGIN + 1]
        owner = fine.owner[window]
        gains = self._gains(fine, owner, fine.below[window], self.y - top, self.x - left)
        free = np.ones(len(self.y), bool)
        while gains:
            shape, cut = max(gains, key=lambda key: float(gains[key][free].sum()))
            taken = free & (gains.pop((shape, cut)) > 0)
            free &= ~taken
            y, x = self.y[taken], self.x[taken]
            seam = int((strange[y, x] >= SEAM).sum())
            if not seam or len(y) < LEAST_AREA:
                continue
            mask = np.zeros(owner.shape, bool)
            mask[y - top, x - left] = True
            beside = np.unique(owner[grown(mask, NEXT)])
            below = beside[(beside > self.shape) & (beside < shape)].tolist()
            changed = (self.shape,) if cut else (shape, *below)
            yield _Filling(changed, cut, mask, owner, (left, top), seam, self._cost(fine, off, shape, y, x))

    def _gains(self, fine: Fine, owner: Int16, below: Int16, y: Int64, x: Int64) -> dict[tuple[int, bool], Float64]:
        """By how much each pixel would be nearer to the picture, 0 where it cannot be so: by shape and whether cut."""
        here = np.zeros(owner.shape, bool)
        here[y, x] = True
        beside = np.unique(owner[grown(here, NEXT)])
        found = {}
        for shape in beside[beside > self.shape].tolist():
            near = grown(owner == shape, REACH)[y, x]
            found[shape, False] = np.where(near, self._gain(fine, shape), 0.0)
        for shape in np.unique(below[y, x]).tolist():
            if shape >= 0:
                found[shape, True] = np.where(below[y, x] == shape, self._gain(fine, shape), 0.0)
        return found

    def _gain(self, fine: Fine, shape: int) -> Float64:
        wanted = fine.picture[self.y // ZOOM, self.x // ZOOM]
        now, then = (fine.colours(i, self.y, self.x) - wanted for i in (self.shape, shape))
        return np.asarray((now**2).sum(axis=1) - (then**2).sum(axis=1))

    def _cost(self, fine: Fine, off: Float32, shape: int, y: Int64, x: Int64) -> float:
        """Squared error of the picture's pixels that fine ones add when they get another shape's colour."""
        change = (fine.colours(shape, y, x) - fine.colours(self.shape, y, x)) / (255 * ZOOM**2)
        pixels, number = np.unique(y // ZOOM * off.shape[1] + x // ZOOM, return_inverse=True)
        moved = np.stack([np.bincount(number, change[:, c]) for c in range(3)], axis=1)
        return float(((2 * off.reshape(-1, 3)[pixels] + moved) * moved).sum())


def _slivers(fine: Fine, strange: UInt8) -> Iterator[_Sliver]:
    """Yield the strange pixels that hang together and show one shape, where there are seams among them."""
    import cv2

    odd = strange >= ODD
    _, labels = cv2.connectedComponents(odd.astype(np.uint8))
    y, x = places(odd)
    shape = fine.owner[y, x].astype(np.int64)
    _, part = np.unique(labels[y, x] * (len(fine.fit.outlines) + 1) + shape, return_inverse=True)
    order = np.argsort(part, kind="stable")
    for inside in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
        if (strange[y[inside], x[inside]] >= SEAM).any() and shape[inside[0]] >= 0:
            yield _Sliver(y[inside], x[inside], int(shape[inside[0]]))


def _changed(outline: Outline, fillings: list[list[Ring]]) -> Outline:
    """Return an outline with rings joined to it, clockwise ones, or cut out of it, without those that do not suit."""
    found = _combined(outline, [ring for rings in fillings for ring in rings])
    if found is not outline or len(fillings) == 1:
        return found
    for rings in fillings:
        found = _combined(found, rings)
    return found


def _combined(outline: Outline, others: list[Ring]) -> Outline:
    """Return an outline with rings joined or cut out; as it was, if that is not simple or not about as large."""
    from layervec.curves import self_crossings, signed_area
    from layervec.curves.untangle import TOLERANCE, oriented, outline_of, positive

    parts = oriented(outline)
    found = positive(outline_of([*parts, *others]))
    change = signed_area(found) - sum(ring.area for ring in parts)
    expected = sum(abs(ring.area) for ring in others)
    if abs(change) > MOST_CHANGE * expected + SLACK or self_crossings([found], TOLERANCE)[0]:
        return outline
    return found
