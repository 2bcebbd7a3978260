"""Choose which regions of the tree become shapes, and in what order.

Any node may be painted over its nearest painted ancestor; what it gains is the squared error that this removes
from what is seen there. Picking the largest gain again and again gives the shapes and their ranks at once (docs:
`docs/log.md` for what else was tried). Knows regions and colours; nothing of masks, curves or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layervec import gradients, ramps, slopes
from layervec.palette import Palette
from layervec.slopes import Slopes
from layervec.tree import ANY, NO_SHAPE, THING, fringes, node_sums
from layervec.types import Bool, Float32, Float64, Int64, Ramps, RegionTree

LEAST_GAIN = 0.25  # squared error over all channels, px; what a shape must remove at least to be worth a path
LEAST_DRAWN = 2.0  # the same in drawn art, where what is worth less are fringes and specks (docs/log.md)
FRINGE_WEIGHT = 0.1  # of a pixel that mixes two colours, when the gain of shapes is added up
LEAST_AREA = 6.0  # px; a shape that shows less than this is noise or a fringe, not a thing
OBJECT_WORTH = 3.5  # factor on what a shape of an object gains, so that things come before their shading
MOST_TRIED = 8  # of the plain zones in a region, the largest, whose paints are tried for it
BAND_WORTH = 0.25  # factor on what a part of a soft ramp gains that is drawn with a gradient as a whole
BASE_WORTH = 0.5  # factor on what a region of several plain zones gains, as they are drawn over it
EVEN = 2.5 / 255  # standard deviation of a zone that is one colour
CLEAR = 0.04  # alpha below which a region is not painted at all
OPAQUE = 0.96  # alpha above which a region counts as opaque; its edge pixels pull the mean down a little
ALPHA_VARIANCE = 0.03  # most variance of alpha in a region painted with one opacity
MODE_WIDTHS = (0.6, 0.5, 0.42, 0.35, 0.3, 0.25, 0.25, 0.25)  # kernel of each mean shift step, colour distance


@dataclass(frozen=True, slots=True, eq=False)
class _ZoneRamp:
    """The gradient of a plain zone, whose nodes are zone .. last - 1."""

    row: Ramps
    zone: int
    last: int


Shade = Slopes | _ZoneRamp | None  # of a paint, besides its colour


@dataclass(frozen=True, slots=True)
class _Paint:
    """What painting a node would do: its colour [c], nodes and leaves to show it, error left in those leaves."""

    colour: Float64
    ramp: Shade
    free: Int64
    leaves: Int64
    error: Float64


class Chooser:
    """Greedy choice of tree nodes by marginal gain, one `pick` at a time.

    Keeps, for every node, the sums over what it would show: its pixels outside painted descendants. The gain of
    painting a node is the squared error there now, less what its own mean colour would leave. A base keeps the
    colour that it was picked with, so no base is left standing for its scraps only.
    """

    def __init__(
        self,
        tree: RegionTree,
        pixels: Float32,
        painted: Int64 | None = None,
        drawn: Float32 | None = None,
        *,
        may: Bool | None = None,
        gradient_price: float = np.inf,
        palette: Palette | None = None,
    ) -> None:
        """Start with nothing painted, or with the painted nodes of a drawing that looks like `drawn`.

        may: bool [m], the nodes that may be picked, all by default. gradient_price: squared error that a gradient must
        save against one colour; infinite for none at all.
        palette: the only colours to paint with; gradients are not for it.
        pixels, drawn: premultiplied [h, w, c], c = 3 for an opaque picture or 4. Before anything is drawn, pixels of
        antialiased edges count for little: they come out right by themselves once the shapes on both sides are drawn.
        """
        weight = np.ones((*pixels.shape[:2], 1), dtype=np.float32)
        if drawn is None:
            weight[fringes(pixels)] = FRINGE_WEIGHT
        self.tree = tree
        self.picked: list[int] = []
        self.colours: list[Float64] = []
        self.ramps: list[Shade] = []
        self.gains: list[float] = []
        self._is_leaf = tree.last == np.arange(len(tree)) + 1
        self._painted = np.zeros(len(tree), dtype=bool)
        self._worth = worth(tree)
        sums = node_sums(tree, np.concatenate([weight * pixels, weight * pixels**2, weight], axis=2))
        channels = pixels.shape[2]
        area = sums[:, -1:]
        self._colour = sums[:, :channels] / area  # [m, c] mean colour of whole nodes
        self._area = area[:, 0]
        self._spread = sums[:, channels : 2 * channels].sum(axis=1) - (sums[:, :channels] ** 2 / area).sum(axis=1)
        self._may = _paintable(sums, channels) & (True if may is None else may)
        self._remains = np.zeros(len(tree))  # error that the paint of a node was found to leave; 0 if not known
        self._tried = np.zeros((len(tree), channels))  # the colour of that paint
        square = sums[:, channels : 2 * channels].sum(axis=1, keepdims=True)
        # Not the error of each pixel: what a fitted border leaves in a leaf, painting it flat would not mend.
        offset = self._colour if drawn is None else self._colour - node_sums(tree, weight * drawn) / area
        error = np.where(self._is_leaf, self._spread + self._area * (offset**2).sum(axis=1), 0.0)
        self._gradient_price = gradient_price
        self._palette = palette
        self._places = np.empty((len(tree), 0))  # sums for gradients, of what each node would show
        if np.isfinite(gradient_price):
            self._places = node_sums(tree, weight * slopes.place_columns(pixels))
        # What each node would show: colour sums, sum of squares, area, and the error there now.
        self._shown = np.concatenate([sums[:, :channels], square, area, self._over_ranges(error)[:, None]], axis=1)
        for node in () if painted is None else painted:
            self._cover(int(node))
            if channels == 4 and self._colour[node, 3] < OPAQUE:
                # Its outline is drawn already: what shows through would add to it rather than replace it.
                span = slice(int(node), int(tree.last[node]))
                self._may[span] &= self._colour[span, 3] > OPAQUE
        self._stands = tree.stands if len(tree.stands) else np.full(len(tree), ANY, dtype=np.int64)
        self._may &= self._stands != NO_SHAPE
        self._zones = np.unique(self._stands[self._stands >= 0])
        self._reach = np.zeros(len(tree))  # area of each zone with all that it encloses
        standing = np.flatnonzero(self._stands >= 0)
        np.maximum.at(self._reach, self._stands[standing], self._area[standing])
        self._exact = np.zeros(len(tree))  # error of each leaf in the gradient of its zone
        self._known = {
            int(zone): self._zone_paint(int(zone), pixels, weight)
            for zone in np.unique(self._stands[self._stands >= 0])
        }
        self._hold_together()
        self.gain = np.zeros(len(tree))
        self._reprice(np.arange(len(tree)))

    def _hold_together(self) -> None:
        """Let zones be drawn as wholes, and regions of several zones only where they pay much."""
        several = np.zeros(len(self.tree), dtype=bool)
        for zone, (colour, ramp) in self._known.items():
            inside = np.s_[zone + 1 : int(self.tree.last[zone])]
            even = ramp is not None or self._spread[zone] < len(colour) * EVEN**2 * self._area[zone]
            if even:
                self._may[inside] &= 2 * self._area[inside] <= self._area[zone]
            if ramp is not None:
                self._worth[inside] *= BAND_WORTH
            above = int(self.tree.parent[zone])
            while above >= 0:
                several[above] = True
                above = int(self.tree.parent[above])
        self._worth[several & (self._stands == -1)] *= BASE_WORTH

    def _over_ranges(self, leaf_values: Float64) -> Float64:
        running = np.concatenate([[0.0], np.cumsum(leaf_values)])
        return np.asarray(running[self.tree.last] - running[:-1])

    def pick(self, least_gain: float = LEAST_GAIN) -> bool:
        """Paint the node with the largest gain; False when none gains more than `least_gain`.

        Gains are those of mean colours. The best node is priced again in the dominant colour that it would get,
        and another one taken if it is better.
        """
        while True:
            node = int(np.argmax(self.gain))
            gain = self.gain[node]
            if gain <= least_gain:
                return False
            paint = self._paint(node)
            if len(paint.colour) == 4 and paint.colour[3] <= CLEAR:  # most of it is clear, whatever its mean
                self._may[node], self.gain[node] = False, 0.0
                continue
            self._remains[node], self._tried[node] = paint.error.sum(), paint.colour
            self.gain[node] = self._worth[node] * (self._shown[node, -1] - self._remains[node])
            if self.gain[node] >= gain * (1 - 1e-9):
                self._lay(node, paint)
                return True

    def paint(self, node: int) -> None:
        """Paint this node over its nearest painted ancestor, in the dominant colour of what it shows."""
        self._lay(node, self._paint(node))

    def _zone_paint(self, zone: int, pixels: Float32, weight: Float32) -> tuple[Float64, Shade]:
        """The paint of a plain zone, whatever lies on it."""
        leaves = self._leaves(np.arange(zone, int(self.tree.last[zone])))
        colour = dominant_colour(self._colour[leaves], self._area[leaves])
        if self._palette is not None:
            colour = self._palette.snapped(colour[None])[0]
        flat = self._left(leaves, colour, None).sum()
        if flat < self._gradient_price or (len(colour) == 4 and colour[3] < OPAQUE):
            return colour, None
        at = (self.tree.labels >= zone) & (self.tree.labels < self.tree.last[zone])
        y, x = np.nonzero(at)
        places: Float64 = np.stack([x, y], axis=1) + np.float64(0.5)
        seen, weights = pixels[at][:, :3].astype(np.float64), weight[at][:, 0].astype(np.float64)
        ramp = gradients.fit(places, seen, weights)
        error = weights * ((seen - ramps.colours_at(ramp, 0, places)) ** 2).sum(axis=1)
        if flat - error.sum() < self._gradient_price:
            return colour, None
        self._exact[zone : int(self.tree.last[zone])] = np.bincount(
            self.tree.labels[at] - zone, error, int(self.tree.last[zone]) - zone
        )
        return np.concatenate([ramp.colours[0].mean(axis=0), colour[3:]]), _ZoneRamp(
            ramp, zone, int(self.tree.last[zone])
        )

    def _leaves(self, nodes: Int64) -> Int64:
        return np.asarray(nodes[self._is_leaf[nodes]])

    def _paint(self, node: int) -> _Paint:
        free = np.flatnonzero(self._free(node)) + node
        leaves = self._leaves(free)
        stands = int(self._stands[node])
        if stands >= 0:
            colour, ramp = self._known[stands]
            return _Paint(colour, ramp, free, leaves, self._left(leaves, colour, ramp))
        within = self._zones[(self._zones >= node) & (self._zones < self.tree.last[node])]
        if not len(within):
            colour, ramp = self._best_paint(leaves)
            return _Paint(colour, ramp, free, leaves, self._left(leaves, colour, ramp))
        within = within[~self._painted[within]]
        tried = 1 if stands == THING else MOST_TRIED  # a thing is the body of what hangs together
        paints = [self._known[int(zone)] for zone in within[np.argsort(-self._reach[within])[:tried]]]
        paints = paints or [self._best_paint(leaves)]
        lefts = [self._left(leaves, *paint) for paint in paints]
        best = int(np.argmin([left.sum() for left in lefts]))
        return _Paint(*paints[best], free, leaves, lefts[best])

    def _left(self, leaves: Int64, colour: Float64, ramp: Shade) -> Float64:
        """Squared error of leaves in this paint: [n]."""
        if ramp is None:
            offset = self._colour[leaves] - colour
            return np.asarray(self._spread[leaves] + self._area[leaves] * (offset**2).sum(axis=1))
        shown, places = self._shown[leaves], self._places[leaves]
        if isinstance(ramp, _ZoneRamp):
            inside = (leaves >= ramp.zone) & (leaves < ramp.last)
            middle = places[:, :2] / np.maximum(shown[:, -2:-1], 1e-9)
            offset = self._colour[leaves, :3] - ramps.colours_at(ramp.row, 0, middle)
            error = self._spread[leaves] + self._area[leaves] * (offset**2).sum(axis=1)
            return np.where(inside, self._exact[leaves], error)
        error = slopes.error(shown[:, -3], shown[:, -2], shown[:, :3], places, ramp)
        if len(colour) == 4:
            error += shown[:, -2] * colour[3] ** 2 - 2 * colour[3] * shown[:, 3]
        return error

    def _best_paint(self, leaves: Int64) -> tuple[Float64, Shade]:
        """The dominant colour of leaves, or their dominant gradient if it pays."""
        colour = dominant_colour(self._colour[leaves], self._area[leaves])
        if self._palette is not None:
            colour = self._palette.snapped(colour[None])[0]
        if not self._places.shape[1] or (len(colour) == 4 and colour[3] < OPAQUE):
            return colour, None
        shown = self._shown[leaves]
        ramp = dominant_ramp(shown[:, :3], shown[:, -2], self._places[leaves])
        saved = self._left(leaves, colour, None).sum() - self._left(leaves, colour, ramp).sum()
        if saved < self._gradient_price:
            return colour, None
        return np.concatenate([ramp.colour[0], colour[3:]]), ramp

    def _lay(self, node: int, paint: _Paint) -> None:
        self.picked.append(node)
        self.gains.append(float(self.gain[node]))
        self.colours.append(paint.colour)
        self.ramps.append(paint.ramp)
        changed = self._cover(node)
        error = np.zeros(int(self.tree.last[node]) - node + 1)
        error[paint.leaves - node + 1] = paint.error
        running = np.cumsum(error)
        self._shown[paint.free, -1] = running[self.tree.last[paint.free] - node] - running[paint.free - node]
        self._reprice(np.concatenate([paint.free, changed]))

    def upgrades(self, nodes: Int64) -> list[Shade]:
        """Return for painted nodes the gradients that suit what shows of them now, None where one would not pay."""
        shown, places = self._shown[nodes], self._places[nodes]
        found: list[Shade] = [None] * len(nodes)
        if places.shape[1]:
            area = np.maximum(shown[:, -2], 1.0)
            saved = slopes.saved(area, shown[:, :3], places)
            opaque = self._colour[nodes, -1] > OPAQUE if self._colour.shape[1] == 4 else np.ones(len(nodes), dtype=bool)
            for i in np.flatnonzero(opaque & (saved > self._gradient_price) & (shown[:, -2] > LEAST_AREA)):
                found[i] = self._upgrade(int(nodes[i]), area[i : i + 1], shown[i : i + 1, :3], places[i : i + 1])
        return found

    def _upgrade(self, node: int, area: Float64, colours: Float64, places: Float64) -> Shade:
        """The gradient of a painted node: that of the plain zone that it stands for, if any."""
        stands = int(self._stands[node])
        return self._known[stands][1] if stands >= 0 else slopes.fit(area, colours, places)

    def _free(self, node: int) -> Bool:
        """Tell which nodes from `node` to its last descendant lie outside painted descendants."""
        free = np.ones(int(self.tree.last[node]) - node, dtype=bool)
        for below in self._painted_below(node):
            free[below - node : int(self.tree.last[below]) - node] = False
        return free

    def _cover(self, node: int) -> Int64:
        """Mark a node painted; return its ancestors up to the nearest painted one, which it now hides a part of."""
        self._painted[node] = True
        above = int(self.tree.parent[node])
        chain = []
        while above >= 0:
            chain.append(above)
            if self._painted[above]:
                break
            above = int(self.tree.parent[above])
        hidden = np.array(chain, dtype=np.int64)
        self._forgive(hidden, node)
        self._shown[hidden] -= self._shown[node]
        self._places[hidden] -= self._places[node]
        return hidden

    def _forgive(self, hidden: Int64, node: int) -> None:
        """Take what nodes show no more, as this one hides it, off the error that their paints would leave.

        As if their colours stayed: that spares pricing all of a long chain of regions again after every pick.
        """
        *colours, square, area, _ = self._shown[node]
        tried = self._tried[hidden]
        gone = square - 2 * tried @ np.array(colours) + area * (tried**2).sum(axis=1)
        self._remains[hidden] = np.maximum(self._remains[hidden] - gone, 0.0)

    def _painted_below(self, node: int) -> list[int]:
        """Topmost painted nodes strictly below `node`."""
        found: list[int] = []
        at, stop = node + 1, int(self.tree.last[node])
        for i in np.flatnonzero(self._painted[at:stop]) + at:
            if i >= at:
                found.append(int(i))
                at = int(self.tree.last[i])
        return found

    def _reprice(self, nodes: Int64) -> None:
        shown = self._shown[nodes]
        area = shown[:, -2]
        left = shown[:, -3] - (shown[:, :-3] ** 2).sum(axis=1) / np.maximum(area, 1.0)
        if self._palette is not None:
            mean = shown[:, :-3] / np.maximum(area, 1.0)[:, None]
            left += area * ((mean - self._palette.snapped(mean)) ** 2).sum(axis=1)
        may = (area >= min(LEAST_AREA, self._area[0])) & ~self._painted[nodes] & self._may[nodes]
        if self._places.shape[1]:
            saved = slopes.saved(np.maximum(area, 1.0), shown[:, :3], self._places[nodes]) - self._gradient_price
            left -= np.maximum(saved, 0.0)
        left = np.maximum(left, self._remains[nodes])
        self.gain[nodes] = np.where(may, self._worth[nodes] * (shown[:, -1] - left), 0.0)


def least_gain(tree: RegionTree) -> float:
    """Return the squared error over all channels, px, that a shape must remove at least."""
    return LEAST_DRAWN if len(tree.stands) else LEAST_GAIN


def worth(tree: RegionTree) -> Float64:
    """Return the factor on the gain of each node: [m], OBJECT_WORTH for objects and 1 for all others."""
    factor = np.ones(len(tree))
    factor[tree.objects] = OBJECT_WORTH
    return factor


def _paintable(sums: Float64, channels: int) -> Bool:
    """Tell which nodes one paint can stand for: all of an opaque picture, else those of one opacity: bool [m]."""
    if channels == 3:
        return np.ones(len(sums), dtype=bool)
    area = sums[:, -1]
    alpha = sums[:, 3] / area
    varied = sums[:, 7] / area - alpha**2
    return np.asarray((alpha > CLEAR) & (varied < ALPHA_VARIANCE))


def dominant_colour(colours: Float64, weights: Float64) -> Float64:
    """Return the main mode of weighted colours, float64 [c] from [n, c] and [n].

    The colour of a thing rather than the mean of it and its details, which later shapes will repaint: mean shift
    (https://en.wikipedia.org/wiki/Mean_shift) with a kernel that narrows from everything to MODE_WIDTH.
    """
    centre = weights @ colours / weights.sum()
    for width in MODE_WIDTHS:
        pull = weights * np.exp(((colours - centre) ** 2).sum(axis=1) / (-2 * width**2)) + 1e-12 * weights
        centre = pull @ colours / pull.sum()
    return np.asarray(centre)


def dominant_ramp(colours: Float64, area: Float64, places: Float64) -> Slopes:
    """Return the main ramp of leaves, as `dominant_colour` does the main colour; sums as in `slopes.saved`."""
    means = colours / area[:, None]
    where = places[:, :2] / area[:, None]
    pull = np.ones(len(area))
    for width in (*MODE_WIDTHS, 0.0):
        total = [pull @ part for part in (area, colours, places)]
        ramp = slopes.fit(total[0][None], total[1][None], total[2][None])
        if width:
            offset = means - ramp.colour - (where - ramp.centre) @ ramp.slope[0]
            pull = np.exp((offset**2).sum(axis=1) / (-2 * width**2)) + 1e-12
    return ramp


def choose(
    tree: RegionTree,
    pixels: Float32,
    budget: int,
    *,
    least_gain: float = LEAST_GAIN,
    gradient_price: float = np.inf,
    palette: Palette | None = None,
) -> tuple[Int64, Float64, Ramps]:
    """Pick up to `budget` nodes by marginal gain. pixels: premultiplied [h, w, c].

    least_gain: squared error over all channels, px, that each but the first removes at least. gradient_price, palette:
    as in `Chooser`.
    Returns (nodes int64 [k], paints float64 [k, 4], gradients). The first shape of an opaque picture is its background.
    """
    chooser = Chooser(tree, pixels, gradient_price=gradient_price, palette=palette)
    if pixels.shape[2] == 3:
        chooser.paint(0)
    while len(chooser.picked) < budget and chooser.pick(least_gain):
        pass
    return np.array(chooser.picked, dtype=np.int64), as_paints(chooser.colours), as_ramps(chooser.ramps)


def as_paints(colours: Sequence[Float64]) -> Float64:
    """Return straight RGBA paints of premultiplied colours with 3 (opaque) or 4 channels: float64 [k, 4]."""
    paints = np.ones((len(colours), 4))
    for paint, colour in zip(paints, colours, strict=True):
        if len(colour) == 4:
            paint[3] = 1.0 if colour[3] > OPAQUE else colour[3]
            colour = colour[:3] / colour[3]
        paint[:3] = np.clip(colour, 0.0, 1.0)
    return paints


def as_ramps(fitted: Sequence[Shade]) -> Ramps:
    """Return fitted ramps as linear gradients, one row each; None has none."""
    found = ramps.solids(len(fitted))
    for i, ramp in enumerate(fitted):
        if ramp is not None:
            row = ramp.row if isinstance(ramp, _ZoneRamp) else slopes.linear(ramp)
            found.kind[i], found.axis[i], found.offsets[i] = row.kind[0], row.axis[0], row.offsets[0]
            found.colours[i] = row.colours[0]
    return found
