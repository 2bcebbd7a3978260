"""Stack picked regions and draw their outlines: the first plan of a drawing.

The nesting of the tree is the nesting of the shapes: parents run on under their children, siblings a little under
those painted above them, and what never shows of a border is drawn roughly. Knows regions, masks and outlines;
nothing of gradients, layer names or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layervec.choose import choose
from layervec.types import Bool, Float32, Float64, Int32, Int64, Outline, RegionTree

SPECK_AREA = 8.0  # px; contours of a region smaller than this are dropped or filled
HOLE_CLOSING = 0.03  # radius, in longer sides, to which a shape runs on under a shape painted above it
OVERLAP = 2  # px that neighbours run on under the one painted above, so that no seam opens
PLAIN_CONTRAST = 0.3  # colour distance to what lies under a shape at which its outline is drawn at the tolerance asked
LOOSENESS = (0.7, 1.5)  # least and most factor on the tolerance for shapes that stand out more or less
STIFFNESS = 0.0015  # squared colour difference, all channels, that one neighbour on the other side of a border weighs
SETTLE_ROUNDS = 8  # sweeps over the borders; nearly all pixels have settled after five
SHOWN_MARGIN = 2.0  # px around what shows of a region where its border is kept exactly
HIDDEN_RETREAT = 0.5  # px that a border that never shows steps back under the shapes above
HIDDEN_BLUR = 1.5  # px, standard deviation, by which such a border is smoothed


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The regions to paint with their outlines, most important first.

    nodes: int64 [k], tree nodes. outlines: k outlines, fitting pixels. paints: float64 [k, 4], straight RGBA.
    """

    nodes: Int64
    outlines: tuple[Outline, ...]
    paints: Float64

    def __len__(self) -> int:
        return len(self.nodes)


def arrange(tree: RegionTree, pixels: Float32, budget: int, tolerance: float) -> Plan:
    """Return the first plan: up to `budget` regions, their outlines within `tolerance` px, their colours."""
    nodes, paints = choose(tree, pixels, budget)
    plan = Plan(nodes, (), paints)
    return add_outlines(plan, tree, pixels, tolerance)


def add_outlines(plan: Plan, tree: RegionTree, pixels: Float32, tolerance: float) -> Plan:
    """Return the plan with outlines for the nodes at its end that have none; regions that vanish are left out.

    plan.outlines may be shorter than plan.nodes. pixels: premultiplied [h, w, c].
    """
    from layervec import curves

    known = len(plan.outlines)
    masks = regions(tree, plan, pixels, range(known, len(plan)))
    looseness = _looseness(nest(tree, plan.nodes), plan.paints)[known:]
    fitted = [curves.fit(mask, tolerance * loose, SPECK_AREA) for mask, loose in zip(masks, looseness, strict=True)]
    kept = [*range(known), *(known + i for i, outline in enumerate(fitted) if outline.contours)]
    outlines = (*plan.outlines, *(outline for outline in fitted if outline.contours))
    return Plan(plan.nodes[kept], outlines, plan.paints[kept])


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
    h, w = tree.labels.shape
    m = len(tree)
    flat = tree.labels.ravel()
    rows, columns = np.divmod(np.arange(h * w), w)
    box = np.empty((m, 4), dtype=np.int64)  # top, left, -bottom, -right of each leaf, then smallest of each range
    for k, values in enumerate((rows, columns, -rows, -columns)):
        box[:, k] = max(h, w)
        np.minimum.at(box[:, k], flat, values)
    smallest = np.empty((len(nodes), 4), dtype=np.int64)  # no nodes in a fully transparent picture
    for k, node in enumerate(nodes):
        smallest[k] = box[node : tree.last[node]].min(axis=0)
    return np.asarray((1 - smallest[:, 2] - smallest[:, 0]) * (1 - smallest[:, 3] - smallest[:, 1]))


def _looseness(parents: Int64, paints: Float64) -> Float64:
    """How much looser each outline may be drawn for what it stands out from: [k], 1 at PLAIN_CONTRAST.

    A border off by d px costs d times the squared contrast along it, while a node costs the same everywhere.
    """
    under = np.where((parents >= 0)[:, None], paints[np.maximum(parents, 0)], 0.0)
    contrast = np.sqrt(((paints - under) ** 2).sum(axis=1))
    return np.asarray(np.clip(PLAIN_CONTRAST / np.maximum(contrast, 1e-6), *LOOSENESS))


def regions(tree: RegionTree, plan: Plan, pixels: Float32, wanted: Sequence[int]) -> list[Bool]:
    """Return the masks to draw for the picked nodes at the indices `wanted`: bool [h, w] each, perhaps empty.

    A shape runs on under its children, and under those painted above it where that closes a bay or a hole; a
    hole stays a hole only where what it shows is not painted on top anyway.
    """
    count = len(plan)
    place = np.empty(count, dtype=np.int64)
    place[stack(tree, plan.nodes)] = np.arange(count)
    owner = _settled(tree, plan, pixels)
    inside = _inside(nest(tree, plan.nodes))
    see_through = plan.paints[:, 3] < 1.0
    closing = max(2, round(HOLE_CLOSING * max(owner.shape)))
    painted = owner >= 0
    masks = []
    for i in wanted:
        canvas = int(plan.nodes[i]) == 0 and not see_through[i]
        mask = np.ones(owner.shape, dtype=bool) if canvas else _own(i, inside, see_through)[owner]
        if not canvas and mask.any():
            window = _window(mask, closing + OVERLAP + 1)
            near = owner[window]
            above = ((place > place[i]) & ~inside[i, :count] & ~see_through)[near] & painted[window]
            part = mask[window]
            if above.any():
                part = _run_under(part, above, above & (near < i), closing)
            if not np.array_equal(near == i, part):
                part = _smooth_hidden(part, near == i)
            mask[window] = part
        masks.append(mask)
    return masks


def _own(i: int, inside: Bool, see_through: Bool) -> Bool:
    """Tell which regions a shape lies under: bool [k + 1]. One that shows through must not add to such a shape."""
    if not see_through[i]:
        return np.asarray(inside[i])
    above = np.flatnonzero(inside[i, :-1] & see_through)
    return np.asarray(inside[i] & ~inside[above[above != i]].any(axis=0))


def _window(mask: Bool, margin: int) -> tuple[slice, slice]:
    """Rows and columns of what a mask covers and `margin` px around it."""
    h, w = mask.shape
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(0, ys[0] - margin), min(h, ys[-1] + 1 + margin)),
        slice(max(0, xs[0] - margin), min(w, xs[-1] + 1 + margin)),
    )


def _settled(tree: RegionTree, plan: Plan, pixels: Float32) -> Int32:
    """Which region shows at each pixel, borders smoothed: int32 [h, w], -1 where nothing is painted."""
    from layervec.borders import settle

    colours = plan.paints[:, :3] * plan.paints[:, 3:]
    if pixels.shape[2] == 4:
        colours = np.concatenate([colours, plan.paints[:, 3:]], axis=1)
    # One more region stands for unpainted canvas, so that the border of a cut-out settles like any other.
    colours = np.concatenate([colours, np.zeros((1, colours.shape[1]))])
    shown = seen(tree, plan.nodes)
    owner = np.where(shown < 0, len(plan), shown).astype(np.int32)
    settled = settle(owner, np.ascontiguousarray(pixels), colours.astype(np.float32), STIFFNESS, SETTLE_ROUNDS)
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


def _run_under(own: Bool, above: Bool, before: Bool, closing: int) -> Bool:
    """Grow a region under what is painted above it.

    above: where any later shape shows; before: where one of them is also more important, so that it hides the
    growth at every level of detail. There the region overlaps it, and bays up to 2 * `closing` px wide close; holes
    close wherever something is painted on top.
    """
    import cv2

    near = cv2.distanceTransform(1 - own.astype(np.uint8), cv2.DIST_L2, 3)
    # Outside the window counts as grown, or the closing would eat into the region along the canvas border.
    grown = np.pad((near <= closing).astype(np.uint8), 1, constant_values=1)
    closed = cv2.distanceTransform(grown, cv2.DIST_L2, 3)[1:-1, 1:-1] > closing
    result = own | ((closed | (near <= OVERLAP)) & before)
    return np.asarray(result | (_holes(result) & above))


def _holes(mask: Bool) -> Bool:
    """Return what a region encloses: background that does not reach the border of the array."""
    import cv2

    outside = np.pad((~mask).astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(outside, None, (0, 0), 2)
    return np.asarray(outside[1:-1, 1:-1] == 1)
