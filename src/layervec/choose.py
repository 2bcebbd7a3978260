"""Choose which regions of the tree become shapes, and in what order.

Any node may be painted over its nearest painted ancestor; what it gains is the squared error that this removes
from what is seen there. Picking the largest gain again and again gives the shapes and their ranks at once (docs:
`docs/log.md` for what else was tried). Knows regions and gains; what painting one would do is asked of paints.py.
Nothing of masks, curves or files.
"""

from __future__ import annotations

import numpy as np

from layervec.grain import grain
from layervec.paints import LEAST_AREA, Coat, Paints, Shade, as_paints, as_ramps
from layervec.palette import Palette
from layervec.settings import GRADIENT_PRICES, GRADIENT_PRICES_DRAWN, Gradients
from layervec.tree import ANY, NO_SHAPE
from layervec.types import Bool, Float32, Float64, Int64, Ramps, RegionTree

LEAST_GAIN = 0.25  # squared error over all channels, px; what a shape must remove at least to be worth a path
LEAST_DRAWN = 2.0  # the same in drawn art, where what is worth less are fringes and specks (docs/log.md)
SEEN_SHARE = 0.01  # of that which is enough for what is content for certain (`content`)
OBJECT_WORTH = 3.5  # factor on what a shape of an object gains, so that things come before their shading
BAND_WORTH = 0.25  # factor on what a part of a soft ramp gains that is drawn with a gradient as a whole
BASE_WORTH = 0.5  # factor on what a region of several plain zones gains, as they are drawn over it
LARGEST_PART = 0.5  # of an even plain zone; a larger part is not painted apart from the zone
ROUNDING = 1e-9  # share of a gain


class Chooser:
    """Greedy choice of tree nodes by marginal gain, one `pick` at a time.

    The gain of painting a node is the squared error there now, less what its own mean colour would leave. A base keeps
    the colour that it was picked with, so no base is left standing for its scraps only.

    Of the picks so far, first to last: picked, nodes; colours, premultiplied [c] each; ramps, their gradients; gains.
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
        self.tree = tree
        self._grain = grain(*tree.labels.shape)
        self.picked: list[int] = []
        self.colours: list[Float64] = []
        self.ramps: list[Shade] = []
        self.gains: list[float] = []
        self._paints = Paints(tree, pixels, drawn, gradient_price=gradient_price, palette=palette)
        self._shown = self._paints.shown
        self._worth = worth(tree)
        self._may = self._paints.paintable() & (True if may is None else may)
        if len(tree.stands):
            self._may &= tree.stands != NO_SHAPE
        for node in () if painted is None else painted.tolist():
            self._shown.cover(node)
            if not self._paints.opaque(np.array([node]))[0]:
                # Its outline is drawn already: what shows through would add to it rather than replace it.
                span = np.arange(node, int(tree.last[node]))
                self._may[span] &= self._paints.opaque(span)
        self._content = content(tree)
        self._hold_together()
        self._remains = np.zeros(len(tree))  # error that the paint of a node was found to leave; 0 if not known
        self._tried = np.zeros((len(tree), pixels.shape[2]))  # the colour of that paint
        self.gain = np.zeros(len(tree))
        self._reprice(np.arange(len(tree)))

    def _hold_together(self) -> None:
        """Let zones be drawn as wholes, and regions of several zones only where they pay much."""
        several = np.zeros(len(self.tree), dtype=bool)
        area = self._shown.area
        for zone, (_, shade) in self._paints.zones.items():
            inside = np.s_[zone + 1 : int(self.tree.last[zone])]
            if not np.isnan(self.tree.inks[zone]).any():
                self._may[inside] = False
            elif self._paints.even(zone):
                self._may[inside] &= area[inside] <= LARGEST_PART * area[zone]
            if shade is not None:
                self._worth[inside] *= BAND_WORTH
            above = int(self.tree.parent[zone])
            while above >= 0:
                several[above] = True
                above = int(self.tree.parent[above])
        if several.any():
            self._worth[several & (self.tree.stands == ANY)] *= BASE_WORTH

    def pick(self, least_gain: float = LEAST_GAIN) -> bool:
        """Paint the node with the largest gain; False when none gains more than `least_gain`.

        Gains are those of mean colours. The best node is priced again in the dominant colour that it would get,
        and another one taken if it is better.
        """
        while True:
            node = int(np.argmax(self.gain))
            if self.gain[node] <= least_gain:
                node = int(np.argmax(np.where(self._content, self.gain, 0.0)))
                if self.gain[node] <= SEEN_SHARE * least_gain:
                    return False
            gain = self.gain[node]
            coat = self._paints.best(node)
            if coat.clear:  # most of it is, whatever its mean
                self._may[node], self.gain[node] = False, 0.0
                continue
            self._remains[node], self._tried[node] = coat.error.sum(), coat.colour
            saved = self._shown.sums.error[node] - self._remains[node]
            self.gain[node] = self._worth[node] * max(saved, self._own_gain(np.array([node]))[0])
            if self.gain[node] >= gain * (1 - ROUNDING):
                self._lay(node, coat)
                return True

    def paint(self, node: int) -> None:
        """Paint this node over its nearest painted ancestor, in the dominant colour of what it shows."""
        self._lay(node, self._paints.best(node))

    def upgrades(self, nodes: Int64) -> list[Shade]:
        """Return for painted nodes the gradients that suit what shows of them now, None where one would not pay."""
        return self._paints.upgrades(nodes)

    def _lay(self, node: int, coat: Coat) -> None:
        self.picked.append(node)
        self.gains.append(float(self.gain[node]))
        self.colours.append(coat.colour)
        self.ramps.append(coat.shade)
        hidden = self._shown.cover(node)
        self._forgive(hidden, node)
        self._shown.set_error(node, coat.free, coat.leaves, coat.error)
        self._reprice(np.concatenate([coat.free, hidden]))

    def _forgive(self, hidden: Int64, node: int) -> None:
        """Take what nodes show no more, as this one hides it, off the error that their paints would leave.

        As if their colours stayed: that spares pricing all of a long chain of regions again after every pick.
        """
        sums, tried = self._shown.sums, self._tried[hidden]
        gone = sums.square[node] - 2 * tried @ sums.colours[node] + sums.area[node] * (tried**2).sum(axis=1)
        self._remains[hidden] = np.maximum(self._remains[hidden] - gone, 0.0)

    def _reprice(self, nodes: Int64) -> None:
        area = self._shown.sums.area[nodes]
        least_area = min(LEAST_AREA * self._grain, self._shown.area[0])  # a tiny picture has a shape as well
        least_area = np.where(self._content[nodes], 0.0, least_area)
        may = (area > 0.0) & (area >= least_area) & ~self._shown.painted[nodes] & self._may[nodes]
        left = np.maximum(self._paints.least_error(nodes), self._remains[nodes])
        saved = np.maximum(self._shown.sums.error[nodes] - left, self._own_gain(nodes))
        self.gain[nodes] = np.where(may, self._worth[nodes] * saved, 0.0)

    def _own_gain(self, nodes: Int64) -> Float64:
        """Return the error that nodes save where the plain zone that they stand for shows: [n], 0 for all others.

        A ring gains nothing as a disc as long as what it encloses is not painted on it, but that comes next.
        """
        saved = np.zeros(len(nodes))
        of_zone = self._content[nodes]
        if of_zone.any():
            zones = self.tree.stands[nodes[of_zone]]
            saved[of_zone] = self._shown.sums.error[zones] - self._paints.least_error(zones)
        return saved


def content(tree: RegionTree) -> Bool:
    """Tell which nodes of drawn art are content, however small: plain zones, which are above the threshold of sight,
    and what stands for them: bool [m].
    """
    return tree.stands >= 0 if len(tree.stands) else np.zeros(len(tree), dtype=bool)


def least_gain(tree: RegionTree) -> float:
    """Return the squared error over all channels, px, that a shape must remove at least."""
    gain = LEAST_DRAWN if len(tree.stands) else LEAST_GAIN
    return gain * grain(*tree.labels.shape)


def gradient_price(tree: RegionTree, gradients: Gradients) -> float:
    """Return the squared error over all channels, px, that a gradient must save against one colour."""
    return (GRADIENT_PRICES_DRAWN if len(tree.stands) else GRADIENT_PRICES)[gradients]


def worth(tree: RegionTree) -> Float64:
    """Return the factor on the gain of each node: [m], OBJECT_WORTH for objects and 1 for all others."""
    factor = np.ones(len(tree))
    factor[tree.objects] = OBJECT_WORTH
    return factor


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
