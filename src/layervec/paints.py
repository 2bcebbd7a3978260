"""Say what painting a region of the tree would do: in which colour or gradient, and with what error left.

Plain zones of drawn art have a paint of their own, which is found once; what stands for a zone takes that, and a region
of several zones the one of them that suits it best. All others get the paint that most of them has. Knows regions,
pixels and paints; nothing of gains, budgets or outlines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layervec import gradients, modes, ramps, slopes
from layervec.palette import Palette
from layervec.shown import Shown
from layervec.slopes import Slopes
from layervec.tree import ANY, THING, fringes
from layervec.types import Bool, Float32, Float64, Int64, Ramps, RegionTree

FRINGE_WEIGHT = 0.1  # of a pixel that mixes two colours, in all sums
MIXED = 0.02  # of a channel; a pixel that is farther from its sharp colour mixes two
LEAST_AREA = 6.0  # px; a shape that shows less than this is noise or a fringe, not a thing
MOST_TRIED = 8  # of the plain zones in a region, the largest, whose paints are tried for it
EVEN = 2.5 / 255  # standard deviation of a zone, rim and all, that is one colour
CLEAR = 0.04  # alpha below which a region is not painted at all
OPAQUE = 0.96  # alpha above which a region counts as opaque; its edge pixels pull the mean down a little
ALPHA_VARIANCE = 0.03  # most variance of alpha in a region painted with one opacity


@dataclass(frozen=True, slots=True, eq=False)
class ZoneRamp:
    """The gradient of a plain zone, ramps of one row; the nodes of the zone are zone .. last - 1."""

    row: Ramps
    zone: int
    last: int


Shade = Slopes | ZoneRamp | None  # of a coat, besides its colour


@dataclass(frozen=True, slots=True, eq=False)
class Coat:
    """What painting a node would do.

    colour: [c], premultiplied; some colour of the gradient where there is one. free: [f], nodes from it down that would
    show it. leaves: [n], those of them that are leaves. error: [n], squared error that would be left in these.
    """

    colour: Float64
    shade: Shade
    free: Int64
    leaves: Int64
    error: Float64

    @property
    def clear(self) -> bool:
        """True where it would be no paint at all."""
        return len(self.colour) == 4 and bool(self.colour[3] <= CLEAR)


class Paints:
    """The paint that suits each node, by what it shows.

    shown: what nodes show. zones: the paint of every plain zone, by its node.
    """

    def __init__(
        self,
        tree: RegionTree,
        pixels: Float32,
        drawn: Float32 | None = None,
        *,
        gradient_price: float = np.inf,
        palette: Palette | None = None,
    ) -> None:
        """Start with nothing painted; arguments as in `choose.Chooser`."""
        weight = np.ones(pixels.shape[:2], dtype=np.float32)
        if tree.flat is not None:
            pixels, weight = tree.flat, _sharp_weight(tree.flat, pixels, drawn)
        elif drawn is None:
            weight[fringes(pixels)] = FRINGE_WEIGHT
        self._tree = tree
        self._gradient_price = gradient_price
        self._palette = palette
        self._shaded = bool(np.isfinite(gradient_price))
        self.shown = Shown(tree, pixels, weight, drawn, places=self._shaded)
        self._find_zones(pixels, weight)

    def _find_zones(self, pixels: Float32, weight: Float32) -> None:
        stands = self._tree.stands
        self._stands = stands if len(stands) else np.full(len(self._tree), ANY, dtype=np.int64)
        standing = np.flatnonzero(self._stands >= 0)
        self._zones = np.unique(self._stands[standing])
        self._reach = np.zeros(len(self._tree))  # area of each zone with all that it encloses
        np.maximum.at(self._reach, self._stands[standing], self.shown.area[standing])
        self._in_zone = np.zeros(len(self._tree))  # error of each leaf in the gradient of its zone
        self.zones = {int(zone): self._zone_paint(int(zone), pixels, weight) for zone in self._zones}

    def paintable(self) -> Bool:
        """Tell which nodes one paint can stand for: all of an opaque picture, else those of one opacity: bool [m]."""
        colour = self.shown.colour
        if colour.shape[1] == 3:
            return np.ones(len(colour), dtype=bool)
        return np.asarray((colour[:, 3] > CLEAR) & (self.shown.alpha_variance < ALPHA_VARIANCE))

    def opaque(self, nodes: Int64 | slice) -> Bool:
        """Tell which nodes let nothing through: bool [n]."""
        return _opaque(self.shown.colour[nodes])

    def even(self, zone: int) -> bool:
        """Tell whether a plain zone is of one colour or of one gradient."""
        one_colour = self.shown.spread[zone] < self.shown.colour.shape[1] * EVEN**2 * self.shown.area[zone]
        return self.zones[zone][1] is not None or bool(one_colour)

    def best(self, node: int) -> Coat:
        """Return what painting a node would do in the paint that suits what it shows."""
        free = self.shown.free(node)
        leaves = self.shown.leaves(free)
        paints = self._tried(node, leaves)
        errors = [self._left(leaves, *paint) for paint in paints]
        k = int(np.argmin([error.sum() for error in errors]))
        return Coat(*paints[k], free, leaves, errors[k])

    def least_error(self, nodes: Int64) -> Float64:
        """Return the squared error of what nodes show in its mean colour, or in its best gradient if it pays: [n]."""
        shown = self.shown.sums.at(nodes)
        area = np.maximum(shown.area, 1.0)
        left = shown.square - modes.squared_lengths(shown.colours) / area
        if self._palette is not None:
            mean = shown.colours / area[:, None]
            left += shown.area * ((mean - self._palette.snapped(mean)) ** 2).sum(axis=1)
        if self._shaded:
            left -= np.maximum(slopes.saved(area, shown.rgb, shown.places) - self._gradient_price, 0.0)
        return np.asarray(left)

    def upgrades(self, nodes: Int64) -> list[Shade]:
        """Return for painted nodes the gradients that suit what shows of them now, None where one would not pay."""
        found: list[Shade] = [None] * len(nodes)
        if not self._shaded:
            return found
        shown = self.shown.sums.at(nodes)
        area = np.maximum(shown.area, 1.0)
        pays = slopes.saved(area, shown.rgb, shown.places) > self._gradient_price
        for i in np.flatnonzero(self.opaque(nodes) & pays & (shown.area > LEAST_AREA)):
            stands, row = int(self._stands[nodes[i]]), np.s_[i : i + 1]
            if stands >= 0:
                found[i] = self.zones[stands][1]
            else:
                found[i] = slopes.fit(area[row], shown.rgb[row], shown.places[row])
        return found

    def _zone_paint(self, zone: int, pixels: Float32, weight: Float32) -> tuple[Float64, Shade]:
        """The paint of a plain zone, whatever lies on it."""
        last = int(self._tree.last[zone])
        leaves = self.shown.leaves(np.arange(zone, last))
        colour = self._tree.inks[zone]
        if np.isnan(colour).any():
            colour = self._main_colour(leaves)
        elif self._palette is not None:
            colour = self._palette.snapped(colour[None])[0]
        flat = self._left(leaves, colour, None).sum()
        if flat < self._gradient_price or not self._may_shade(colour):
            return colour, None
        inside = (self._tree.labels >= zone) & (self._tree.labels < last)
        ramp, error = _zone_ramp(inside, pixels, weight)
        if flat - error.sum() < self._gradient_price:
            return colour, None
        self._in_zone[zone:last] = np.bincount(self._tree.labels[inside] - zone, error, last - zone)
        return np.concatenate([ramp.colours[0].mean(axis=0), colour[3:]]), ZoneRamp(ramp, zone, last)

    def _tried(self, node: int, leaves: Int64) -> list[tuple[Float64, Shade]]:
        """The paints that may suit a node best; leaves: those that would show it."""
        stands = int(self._stands[node])
        if stands >= 0:
            return [self.zones[stands]]
        within = self._zones[(self._zones >= node) & (self._zones < self._tree.last[node])]
        within = within[~self.shown.painted[within]]
        most = 1 if stands == THING else MOST_TRIED  # a thing is the body of what hangs together
        found = [self.zones[int(zone)] for zone in within[np.argsort(-self._reach[within])[:most]]]
        return found or [self._main_paint(leaves)]

    def _main_paint(self, leaves: Int64) -> tuple[Float64, Shade]:
        """The dominant colour of leaves, or their dominant gradient if it pays."""
        colour = self._main_colour(leaves)
        if not self._may_shade(colour):
            return colour, None
        shown = self.shown.sums.at(leaves)
        slope = modes.dominant_slope(shown.rgb, shown.area, shown.places)
        saved = self._left(leaves, colour, None).sum() - self._left(leaves, colour, slope).sum()
        if saved < self._gradient_price:
            return colour, None
        return np.concatenate([slope.colour[0], colour[3:]]), slope

    def _main_colour(self, leaves: Int64) -> Float64:
        colour = modes.dominant_colour(self.shown.colour[leaves], self.shown.area[leaves])
        return colour if self._palette is None else self._palette.snapped(colour[None])[0]

    def _may_shade(self, colour: Float64) -> bool:
        return self._shaded and bool(_opaque(colour[None])[0])

    def _left(self, leaves: Int64, colour: Float64, shade: Shade) -> Float64:
        """Squared error of leaves in this paint: [n]."""
        if shade is None:
            return self._left_in(leaves, colour)
        shown = self.shown.sums.at(leaves)
        if isinstance(shade, ZoneRamp):
            inside = (leaves >= shade.zone) & (leaves < shade.last)
            middle = shown.places[:, :2] / np.maximum(shown.area[:, None], 1e-9)
            beyond = self._left_in(leaves, ramps.colours_at(shade.row, 0, middle))
            return np.where(inside, self._in_zone[leaves], beyond)
        error = slopes.error(shown.square, shown.area, shown.rgb, shown.places, shade)
        if len(colour) == 4:
            error += shown.area * colour[3] ** 2 - 2 * colour[3] * shown.colours[:, 3]
        return error

    def _left_in(self, leaves: Int64, colours: Float64) -> Float64:
        """Squared error of leaves in one colour, [c], or in one each, [n, c]: [n]; c = 3 leaves alpha out."""
        offset = self.shown.colour[leaves, : colours.shape[-1]] - colours
        return np.asarray(self.shown.spread[leaves] + self.shown.area[leaves] * modes.squared_lengths(offset))


def _zone_ramp(inside: Bool, pixels: Float32, weight: Float32) -> tuple[Ramps, Float64]:
    """Fit the gradient of the n pixels in a mask; also return the weighted squared error that it leaves: [n]."""
    y, x = np.nonzero(inside)
    places: Float64 = np.stack([x, y], axis=1) + np.float64(0.5)
    colours, weights = pixels[inside][:, :3].astype(np.float64), weight[inside].astype(np.float64)
    ramp = gradients.fit(places, colours, weights)
    return ramp, weights * ((colours - ramps.colours_at(ramp, 0, places)) ** 2).sum(axis=1)


def _sharp_weight(flat: Float32, pixels: Float32, drawn: Float32 | None) -> Float32:
    """Weigh the pixels of drawn art whose details and borders are sharp: [h, w].

    Against a drawing, which is not, those that mix two colours count for little.
    """
    mixed = np.abs(flat - pixels).max(axis=2) > MIXED if drawn is not None else np.zeros(flat.shape[:2], bool)
    return np.where(mixed, np.float32(FRINGE_WEIGHT), np.float32(1.0))


def _opaque(colours: Float64) -> Bool:
    """Tell which colours let nothing through: bool [n] from [n, c]."""
    return np.asarray(colours[:, 3] > OPAQUE) if colours.shape[1] == 4 else np.ones(len(colours), dtype=bool)


def as_paints(colours: Sequence[Float64]) -> Float64:
    """Return straight RGBA paints of premultiplied colours with 3 (opaque) or 4 channels: float64 [k, 4]."""
    paints = np.ones((len(colours), 4))
    for paint, colour in zip(paints, colours, strict=True):
        if len(colour) == 4:
            paint[3] = 1.0 if colour[3] > OPAQUE else colour[3]
            colour = colour[:3] / colour[3]
        paint[:3] = np.clip(colour, 0.0, 1.0)
    return paints


def as_ramps(shades: Sequence[Shade]) -> Ramps:
    """Return gradients one row each; None has none."""
    found = ramps.solids(len(shades))
    for i, shade in enumerate(shades):
        if shade is not None:
            row = shade.row if isinstance(shade, ZoneRamp) else slopes.linear(shade)
            found.kind[i], found.axis[i], found.offsets[i] = row.kind[0], row.axis[0], row.offsets[0]
            found.colours[i] = row.colours[0]
    return found
