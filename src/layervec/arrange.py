"""Stack picked regions and draw their outlines: the first plan of a drawing.

The nesting of the tree is the nesting of the shapes: parents run on under their children, siblings a little under
those painted above them, and what never shows of a border is drawn roughly. Knows regions, masks and outlines;
nothing of gradients, layer names or files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from layervec import pool, ramps, subpixel
from layervec.choose import LEAST_GAIN, choose, content
from layervec.grain import grain
from layervec.masks import boxes, holes, nearest
from layervec.palette import Palette
from layervec.types import Bool, Float32, Float64, Int32, Int64, Outline, Ramps, RegionTree

SPECK_AREA = 8.0  # px; contours of a region smaller than this are dropped or filled
LEAST_SPECK = 1.0  # px; likewise in plain zones and details, whose pixels are sharp
HOLE_CLOSING = 0.03  # radius, in longer sides, to which a shape runs on under a shape painted above it
OVERLAP = 2  # px that neighbours run on under the one painted above, so that no seam opens
PLAIN_CONTRAST = 0.3  # colour distance to what lies under a shape at which its outline is drawn at the tolerance asked
LOOSENESS = (0.7, 1.5)  # least and most factor on the tolerance for shapes that stand out more or less
FINE_TOLERANCE = 0.3  # factor on the tolerance where masks are known between pixels
STIFFNESS = 0.0015  # squared colour difference, all channels, that one neighbour on the other side of a border weighs
FEWEST_OF_PLANE = 12  # px of a gradient that show, from which on a plane is fitted to them to tell what it looks like
SETTLE_ROUNDS = 8  # sweeps over the borders; nearly all pixels have settled after five
SHOWN_MARGIN = 2.0  # px around what shows of a region where its border is kept exactly
OBJECT_OVERLAP = 1  # px; likewise for objects, whose outlines should be their own
HIDDEN_RETREAT = 0.5  # px that a border that never shows steps back under the shapes above
HIDDEN_BLUR = 1.5  # px, standard deviation, by which such a border is smoothed


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The regions to paint with their outlines, most important first.

    nodes: int64 [k], tree nodes. outlines: k outlines, fitting pixels. paints: float64 [k, 4], straight RGBA, some
    colour of it where there is a gradient. ramps: gradients, None if none may be used.
    """

    nodes: Int64
    outlines: tuple[Outline, ...]
    paints: Float64
    ramps: Ramps | None = None

    def __len__(self) -> int:
        return len(self.nodes)

    def only(self, kept: Int64) -> Plan:
        """Return the regions at these indices, in their order. All of the plan must have outlines."""
        outlines = tuple(self.outlines[i] for i in kept)
        return Plan(self.nodes[kept], outlines, self.paints[kept], ramps.only(self.ramps, kept))


def arrange(
    tree: RegionTree,
    pixels: Float32,
    budget: int,
    tolerance: float,
    *,
    least_gain: float = LEAST_GAIN,
    gradient_price: float = np.inf,
    palette: Palette | None = None,
    threads: int | None = None,
) -> Plan:
    """Return the first plan: up to `budget` regions, their outlines within `tolerance` px, their paints.

    least_gain: squared error over all channels, px, that a region removes at least. gradient_price: squared error that
    a gradient must save against one colour; infinite for none at all. palette: the only colours to paint with.
    """
    nodes, paints, gradients = choose(
        tree, pixels, budget, least_gain=least_gain, gradient_price=gradient_price, palette=palette
    )
    plan = Plan(nodes, (), paints, gradients if np.isfinite(gradient_price) else None)
    return add_outlines(plan, tree, pixels, tolerance, threads=threads)


def add_outlines(
    plan: Plan, tree: RegionTree, pixels: Float32, tolerance: float, *, threads: int | None = None
) -> Plan:
    """Return the plan with outlines for the nodes at its end that have none; regions that vanish are left out.

    plan.outlines may be shorter than plan.nodes. pixels: premultiplied [h, w, c].
    """
    from layervec import curves

    known = len(plan.outlines)
    masks = Regions(tree, plan, pixels)
    known_zones = content(tree)[plan.nodes]
    looseness = _looseness(nest(tree, plan.nodes), plan.paints)
    speck = np.where(known_zones, LEAST_SPECK, SPECK_AREA * grain(*tree.labels.shape))

    def outline(i: int) -> Outline:
        mask = masks.mask(i)
        loose = tolerance * looseness[i]
        if known_zones[i] and subpixel.pays(mask):
            fine = curves.fit(masks.finer(i, mask), FINE_TOLERANCE * loose * subpixel.FACTOR, subpixel.LEAST_AREA)
            return fine.scaled(1 / subpixel.FACTOR, 1 / subpixel.FACTOR)
        return curves.fit(mask, loose, speck[i])

    fitted = pool.each(outline, range(known, len(plan)), threads)
    kept = [i for i in range(len(plan)) if i < known or fitted[i - known].contours]
    return replace(plan, outlines=(*plan.outlines, *fitted)).only(np.array(kept, dtype=np.int64))


def nest(tree: RegionTree, nodes: Int64) -> Int64:
    """Return for each picked node the index of its nearest picked ancestor, -1 for the outermost: int64 [k]."""
    owner = np.full(len(tree), -1, dtype=np.int64)
    parents = np.empty(len(nodes), dtype=np.int64)
    for i in np.argsort(nodes, kind="stable"):
        node = int(nodes[i])
        parents[i] = owner[node]
        owner[node : int(tree.last[node])] = i
    return parents


def seen(tree: RegionTree, nodes: Int64) -> Int64:
    """Return the index of the picked node that shows at each pixel: int64 [h, w]."""
    owner = np.full(len(tree), -1, dtype=np.int64)
    for i in np.argsort(nodes, kind="stable"):
        owner[int(nodes[i]) : int(tree.last[nodes[i]])] = i
    return owner[tree.labels]


def stack(tree: RegionTree, nodes: Int64) -> Int64:
    """Return the picked nodes' indices back to front: parents first, of siblings the one that spans more.

    A region that another one encloses spans less, so what shows through a hole comes after the ring around it.
    """
    parents = nest(tree, nodes)
    spans = _spans(tree, nodes)
    children: dict[int, list[int]] = {}
    for i in np.lexsort((np.arange(len(nodes)), -spans)):
        children.setdefault(int(parents[i]), []).append(int(i))
    order: list[int] = []
    waiting = children.get(-1, [])[::-1]
    while waiting:
        i = waiting.pop()
        order.append(i)
        waiting.extend(reversed(children.get(i, [])))
    return np.array(order, dtype=np.int64)


def _spans(tree: RegionTree, nodes: Int64) -> Int64:
    """Areas of the bounding boxes of nodes, px: int64 [k]."""
    box = _leaf_boxes(tree)
    found = np.empty(len(nodes), dtype=np.int64)  # no nodes in a fully transparent picture
    for k, node in enumerate(nodes):
        leaves = box[node : tree.last[node]]
        height, width = leaves[:, 2:].max(axis=0) - leaves[:, :2].min(axis=0)
        found[k] = height * width
    return found


@lru_cache(maxsize=1)  # a plan is stacked again and again
def _leaf_boxes(tree: RegionTree) -> Int64:
    return boxes(tree.labels, len(tree))


def _looseness(parents: Int64, paints: Float64) -> Float64:
    """How much looser each outline may be drawn for what it stands out from: [k], 1 at PLAIN_CONTRAST.

    A border off by d px costs d times the squared contrast along it, while a node costs the same everywhere.
    """
    under = np.where((parents >= 0)[:, None], paints[np.maximum(parents, 0)], 0.0)
    contrast = np.sqrt(((paints - under) ** 2).sum(axis=1))
    return np.asarray(np.clip(PLAIN_CONTRAST / np.maximum(contrast, 1e-6), *LOOSENESS))


class Regions:
    """The masks to draw for the picked nodes of a plan.

    A shape runs on under its children, and under those painted above it where that closes a bay or a hole; a
    hole stays a hole only where what it shows is not painted on top anyway.
    """

    def __init__(self, tree: RegionTree, plan: Plan, pixels: Float32) -> None:
        count = len(plan)
        self._plan = plan
        self._place = np.empty(count, dtype=np.int64)
        self._place[stack(tree, plan.nodes)] = np.arange(count)
        self._pixels = pixels
        self._colours = np.zeros((count + 1, pixels.shape[2]), np.float32)  # the last is unpainted canvas
        self._colours[:-1] = ramps.premultiplied(plan.paints, plan.ramps, pixels.shape[2])[:, 0]
        self._owner = _settled(tree, plan, pixels if tree.flat is None else tree.flat)
        self._inside = _inside(nest(tree, plan.nodes))
        self._see_through = plan.paints[:, 3] < 1.0
        self._closing = max(2, round(HOLE_CLOSING * max(self._owner.shape)))
        self._drawn = len(tree.stands) > 0
        self._is_object = np.isin(plan.nodes, tree.objects)
        h, w = self._owner.shape
        self._rows = np.zeros((count + 1, h), dtype=bool)  # which rows each region is seen in; the last is nothing
        self._rows[self._owner, np.arange(h)[:, None]] = True
        self._columns = np.zeros((count + 1, w), dtype=bool)
        self._columns[self._owner, np.arange(w)] = True

    def mask(self, i: int) -> Bool:
        """Return the mask of the node at index `i`: bool [h, w], perhaps empty."""
        if int(self._plan.nodes[i]) == 0 and not self._see_through[i]:
            return np.ones(self._owner.shape, dtype=bool)
        mask = np.zeros(self._owner.shape, dtype=bool)
        own = self._own(i)
        rows, columns = np.flatnonzero(self._rows[own].any(axis=0)), np.flatnonzero(self._columns[own].any(axis=0))
        if len(rows):
            margin = self._closing + OVERLAP + 1
            window = (
                slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
                slice(max(0, columns[0] - margin), columns[-1] + 1 + margin),
            )
            mask[window] = self._part(i, own, self._owner[window])
        return mask

    def finer(self, i: int, mask: Bool) -> Bool:
        """Return the mask of the node at index `i`, as it is between pixels: bool [h * f, w * f], f = subpixel.FACTOR.

        mask: the same in whole pixels.
        """
        h, w = mask.shape
        found = np.zeros((h * subpixel.FACTOR, w * subpixel.FACTOR), bool)
        if not mask.any():
            return found
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        top, left = max(0, rows[0] - 2), max(0, columns[0] - 2)
        window = np.s_[top : rows[-1] + 3, left : columns[-1] + 3]
        shown = self._owner[window] == i
        colours = self._colours[self._owner[window]]
        around = colours.reshape(-1, colours.shape[2])[nearest(~shown)[0]]
        part = subpixel.finer(mask[window], shown, around, self._pixels[window], self._colours[i])
        f = subpixel.FACTOR
        found[top * f : top * f + part.shape[0], left * f : left * f + part.shape[1]] = part
        return found

    def _own(self, i: int) -> Bool:
        """Tell which regions a shape lies under: bool [k + 1]. One that shows through must not add to such a shape."""
        inside = self._inside
        if not self._see_through[i]:
            return np.asarray(inside[i])
        above = np.flatnonzero(inside[i, :-1] & self._see_through)
        return np.asarray(inside[i] & ~inside[above[above != i]].any(axis=0))

    def _part(self, i: int, own: Bool, near: Int32) -> Bool:
        """The mask in a window, near: which region shows at each of its pixels."""
        part = own[near]
        later = np.append((self._place > self._place[i]) & ~self._inside[i, :-1] & ~self._see_through, False)
        above = later[near]
        if above.any():
            closing, overlap = (0, OBJECT_OVERLAP) if self._is_object[i] else (self._closing, OVERLAP)
            before = above if self._drawn else above & (near < i)
            part = run_under(part, above, before, closing, overlap)
        shown = near == i
        return part if np.array_equal(shown, part) else _smooth_hidden(part, shown)


def _settled(tree: RegionTree, plan: Plan, pixels: Float32) -> Int32:
    """Which region shows at each pixel, borders smoothed: int32 [h, w], -1 where nothing is painted."""
    from layervec.borders import settle

    # The last region stands for unpainted canvas, so that the border of a cut-out settles like any other.
    colours = np.zeros((len(plan) + 1, 3, pixels.shape[2]), dtype=np.float32)
    colours[:-1] = ramps.premultiplied(plan.paints, plan.ramps, pixels.shape[2])
    shown = seen(tree, plan.nodes)
    owner = np.where(shown < 0, len(plan), shown).astype(np.int32)
    for i in np.flatnonzero(plan.ramps.kind) if plan.ramps is not None else ():
        y, x = np.nonzero(shown == i)
        if len(x) > FEWEST_OF_PLANE:
            basis = np.stack([np.ones(len(x)), x, y], axis=1)
            colours[i] = np.linalg.lstsq(basis, pixels[y, x].astype(np.float64), rcond=None)[0]
    settled = settle(owner, np.ascontiguousarray(pixels), colours, STIFFNESS, SETTLE_ROUNDS)
    return np.where(settled == len(plan), -1, settled).astype(np.int32)


def _inside(parents: Int64) -> Bool:
    """Tell for each region which others lie in it, itself included: bool [k, k + 1]; the last column is nothing."""
    count = len(parents)
    inside = np.zeros((count, count + 1), dtype=bool)
    for i in range(count):
        j = i
        while j >= 0:
            inside[j, i] = True
            j = int(parents[j])
    return inside


def _smooth_hidden(mask: Bool, shown: Bool) -> Bool:
    """Draw the border of a region roughly, and a little inside, where shapes above hide it anyway."""
    import cv2

    margin = int(HIDDEN_RETREAT + 3 * HIDDEN_BLUR) + 1
    padded = np.pad(mask.astype(np.uint8), margin, mode="edge")
    core = (cv2.distanceTransform(padded, cv2.DIST_L2, 3) > HIDDEN_RETREAT).astype(np.float32)
    smooth = cv2.GaussianBlur(core, (0, 0), HIDDEN_BLUR)[margin:-margin, margin:-margin] > 0.5
    near = cv2.distanceTransform(1 - shown.astype(np.uint8), cv2.DIST_L2, 3) <= SHOWN_MARGIN
    result = mask & (smooth | (near & shown.any()))
    return result if result.any() else mask


def run_under(own: Bool, above: Bool, before: Bool, closing: int, overlap: int) -> Bool:
    """Grow a region under what is painted above it.

    above: where any later shape shows; before: where one of them is also more important, so that it hides the
    growth at every level of detail. There the region overlaps it by `overlap` px, and bays up to 2 * `closing` px wide
    close; holes close wherever something is painted on top.
    """
    import cv2

    near = cv2.distanceTransform(1 - own.astype(np.uint8), cv2.DIST_L2, 3)
    # Outside the window counts as grown, or the closing would eat into the region along the canvas border.
    grown = np.pad((near <= closing).astype(np.uint8), 1, constant_values=1)
    closed = cv2.distanceTransform(grown, cv2.DIST_L2, 3)[1:-1, 1:-1] > closing
    result = own | ((closed | (near <= overlap)) & before)
    return np.asarray(result | (holes(result) & above))
