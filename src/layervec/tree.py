"""The region tree: nested regions of a picture, from a few pixels to the whole canvas.

A cut through the tree is a simplified picture and its regions are nested masks, so one structure serves as
simplification and segmentation at once. Levels of a simplifier enter as further features of the merge cost:
what vanishes at a coarse level merges early. Knows pixels and regions; knows nothing of curves or budgets.
Ward's criterion: https://en.wikipedia.org/wiki/Ward%27s_method
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from layervec import objects, plain, pool
from layervec import zones as plain_zones
from layervec.grain import grain
from layervec.image import premultiplied, target
from layervec.segment import Mask
from layervec.types import Bool, Float32, Float64, Int32, Int64, Raster, RegionTree

ANY, NO_SHAPE, THING = -1, -2, -3  # in `RegionTree.stands`, where a node stands for no single zone
PIXELS_A_LEAF = 10  # on average, less in small pictures; finer leaves cost time and show no more shapes
LEVEL_WEIGHT = 0.5  # weight of all levels' colours together against the picture's own (docs/log.md)
FRINGE_CONTRAST = 0.12  # least colour distance across an antialiased edge
FRINGE_PURITY = 0.12  # how far off the mix of both sides' colours a fringe pixel may be, in contrasts
FRINGE_SLOPE = 0.15  # most change of colour beside an antialiased edge, in contrasts; soft edges have more
FRINGE_PASSES = 2  # an edge blurred over three or four pixels needs two


def build(
    raster: Raster,
    levels: Sequence[Raster],
    *,
    masks: Sequence[Mask] = (),
    shaded: bool = False,
    drawn: bool | None = None,
    colours: Float32 | None = None,
    threads: int | None = None,
) -> RegionTree:
    """Return the region tree of a picture.

    levels: simplified versions of the picture, fine to coarse, of its size; the picture itself may be among them.
    masks: of its size; each one becomes a node, as far as masks do not contradict each other (`objects.nest`). drawn:
    whether the picture is drawn art, whose plain zones become nodes, too; None to find out. Masks say more than zones.
    shaded: regions may be filled with gradients, so the bands of a ramp belong together; not so with masks or in
    drawn art, where zones say as much. colours: straight RGBA [n, 4], exact ones that the picture has most of, which
    thin details of drawn art are likely to have, too.
    """
    from layervec import tree_kernels as kernels

    h, w = raster.height, raster.width
    features = _features(raster, levels, threads)
    labels = kernels.leaves(features, h, w, max(1, round(h * w / (PIXELS_A_LEAF * grain(h, w)))))
    if masks:
        return _with_objects(features, labels.reshape(h, w), masks)
    labels = labels.reshape(h, w)
    own = np.ascontiguousarray(features[:, : 3 if raster.opaque else 4].reshape(h, w, -1))
    art = None if drawn is False else _as_drawn(features, labels, own, target(raster), colours, sure=drawn is True)
    if art is not None:
        return art
    places = _places(features, labels) if shaded else None
    children, cost = kernels.merge(*_leaves(features, labels), places)
    number, parent, last, costs = _numbered(children, cost)
    return RegionTree(number[labels], parent, last, costs)


def _leaves(features: Float32, labels: Int32) -> tuple[Float32, Float64, Int32, Float32]:
    """Return the leaves' mean features [n, f], areas [n], touching pairs and shared sides; labels: [h, w]."""
    flat = labels.ravel()
    n = int(flat.max()) + 1
    area = np.bincount(flat, minlength=n).astype(np.float64)
    mean = np.stack([np.bincount(flat, column, n) / area for column in features.T], axis=1)
    return mean.astype(np.float32), area, *borders(labels, n)


def _places(features: Float32, labels: Int32) -> Float64:
    """Return how the pixels of leaves lie, by themselves and against features, for `tree_kernels.merge`."""
    flat = labels.ravel()
    area = np.bincount(flat)
    x, y = (grid.ravel() for grid in np.mgrid[0 : labels.shape[0], 0 : labels.shape[1]][::-1])
    middle = [np.bincount(flat, place) / area for place in (x, y)]
    x, y = x - middle[0][flat], y - middle[1][flat]
    scatter = [np.bincount(flat, product) for product in (x * x, x * y, y * y)]
    crossed = [np.bincount(flat, place * column) for column in features.T for place in (x, y)]
    return np.stack([*middle, *scatter, *crossed], axis=1)


def _numbered(children: Int32, cost: Float64) -> tuple[Int32, Int32, Int32, Float64]:
    """Number the nodes that merges made depth first: new numbers, parents, ends and costs of nodes."""
    from layervec import tree_kernels as kernels

    leaves = len(children) + 1
    number, parent, last = kernels.depth_first(children, leaves)
    costs = np.zeros(len(parent))
    costs[number[leaves:]] = cost
    return number, parent, last, costs


def _with_objects(features: Float32, labels: Int32, masks: Sequence[Mask]) -> RegionTree:
    """Build the tree over leaves int32 [h, w] so that masks are nodes. features: [h * w, f]."""
    solid = [objects.mended(mask.pixels) for mask in masks]
    labels = objects.split(labels, solid)
    nested = objects.nest(solid, labels)
    children, cost, nodes = objects.merge(nested, *_leaves(features, labels))
    number, parent, last, costs = _numbered(children, cost)
    names = tuple(masks[i].label for i in nested.source)
    return RegionTree(number[labels], parent, last, costs, number[nodes].astype(np.int64), names)


def _as_drawn(
    features: Float32, labels: Int32, sharp: Float32, pixels: Float32, colours: Float32 | None, *, sure: bool
) -> RegionTree | None:
    """Build the tree over leaves int32 [h, w] so that plain zones and what they make up are nodes.

    None where the picture does not look like drawn art, unless that is sure, and where it has no plain zones.
    features: [h * w, f]. pixels: premultiplied [h, w, c]; sharp: the same without fringes. colours: as in `build`.
    """
    from layervec import tree_kernels as kernels

    if not sure and not plain_zones.calm(sharp):
        return None
    channels = pixels.shape[2]
    known = np.empty((0, 4), np.float32) if colours is None else colours
    found = plain_zones.find(sharp, pixels, premultiplied(Raster(known[None]))[0, :, :channels])
    if not (len(found) if sure else plain.made_of(found)):
        return None
    labels = kernels.pieces((found.labels + 1) * (int(labels.max()) + 1) + labels)
    order = plain.structure(found, labels)
    children, cost, nodes = objects.merge(order.nested, *_leaves(features, labels))
    number, parent, last, costs = _numbered(children, cost)
    stands = _stands(order, number[nodes].astype(np.int64), parent)
    inks = np.full((len(parent), channels), np.nan)
    inside = np.append(found.solid, False)[found.labels]  # the last is that of no zone
    inks[number[nodes[order.alone]]] = np.where(found.solid[:, None], found.colours, np.nan)
    flat = np.where(inside[..., None], np.append(found.colours, np.zeros((1, channels)), axis=0)[found.labels], sharp)
    return RegionTree(
        number[labels], parent, last, costs, stands=stands, inks=inks, flat=np.ascontiguousarray(flat, np.float32)
    )


def _stands(order: plain.Structure, nodes: Int64, parent: Int32) -> Int64:
    """Return which zone's node each node takes its paint from: int64 [m], or ANY, NO_SHAPE or THING.

    nodes: of the sets of `order`.
    """
    stands = np.full(len(parent), ANY, dtype=np.int64)

    def bar(node: int, top: int) -> None:
        while node > top:  # parents have lower numbers
            stands[node] = NO_SHAPE
            node = int(parent[node])

    for k, around in enumerate(order.nested.parent):
        if not order.shapes[k]:
            stands[nodes[k]] = NO_SHAPE
        if around >= 0 and not (order.shapes[k] and order.shapes[around]):
            bar(int(parent[nodes[k]]), int(nodes[around]))
    for k, zones_of in enumerate(order.zones):
        for zone in zones_of:
            bar(int(nodes[zone]), int(nodes[k]))
        if zones_of and order.shapes[k]:
            stands[nodes[k]] = nodes[zones_of[0]]
        if not zones_of and order.shapes[k]:
            stands[nodes[k]] = THING
    for k in order.alone[order.clear]:
        bar(int(nodes[k]), 0)
    if order.ground >= 0:
        bar(int(nodes[order.ground]), 0)
        stands[0] = nodes[order.ground]
    return stands


def _features(raster: Raster, levels: Sequence[Raster], threads: int | None) -> Float32:
    """Colours of the picture and its levels, premultiplied, fringes absorbed: float32 [h * w, f]."""
    coarser = [level for level in levels if level is not raster]
    weights = [1.0] + [LEVEL_WEIGHT / max(1, len(coarser)) ** 0.5] * len(coarser)

    def columns(level: Raster) -> Float32:
        pixels = level.pixels[..., :3] if raster.opaque else premultiplied(level)
        return without_fringes(pixels).reshape(raster.height * raster.width, -1)

    found = pool.each(columns, [raster, *coarser], threads)
    scaled = [part * np.float32(weight) for part, weight in zip(found, weights, strict=True)]
    return np.ascontiguousarray(np.concatenate(scaled, axis=1))


def without_fringes(pixels: Float32) -> Float32:
    """Return the picture with soft edges sharpened to steps: float32 [h, w, c] from premultiplied [h, w, c]."""
    from layervec import tree_kernels as kernels

    pixels = np.ascontiguousarray(pixels)
    for _ in range(FRINGE_PASSES):
        pixels = kernels.absorb_fringes(pixels, FRINGE_CONTRAST, FRINGE_PURITY, np.inf)
    return pixels


def fringes(pixels: Float32) -> Bool:
    """Tell which pixels are antialiased between two plain colours: bool [h, w] from premultiplied [h, w, c]."""
    from layervec import tree_kernels as kernels

    pixels = np.ascontiguousarray(pixels)
    sharp = kernels.absorb_fringes(pixels, FRINGE_CONTRAST, FRINGE_PURITY, FRINGE_SLOPE)
    return np.asarray((sharp != pixels).any(axis=2))


def snapped(tree: RegionTree, masks: Sequence[Bool]) -> list[Bool]:
    """Return masks whose borders follow the tree's leaves: a leaf goes in where more than half of it is in.

    masks: bool [h, w] each; those returned may be empty.
    """
    flat = tree.labels.ravel()
    size = np.bincount(flat, minlength=len(tree))
    return [(2 * np.bincount(flat[mask.ravel()], minlength=len(tree)) > size)[tree.labels] for mask in masks]


def borders(labels: Int32, n: int) -> tuple[Int32, Float32]:
    """Touching pairs of regions and how many pixel sides they share: int32 [e, 2], float32 [e]."""
    pairs = []
    for a, b in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        differ = a != b
        a, b = a[differ].astype(np.int64), b[differ].astype(np.int64)
        pairs.append(np.minimum(a, b) * n + np.maximum(a, b))
    keys, counts = np.unique(np.concatenate(pairs), return_counts=True)
    return np.stack([keys // n, keys % n], axis=1).astype(np.int32), counts.astype(np.float32)


def cut(tree: RegionTree, regions: int) -> Int64:
    """Return the nodes of the cut into `regions` regions (fewer if the tree has fewer leaves), dearest splits first."""
    heap = [(-float(tree.cost[0]), 0)]
    leaves: list[int] = []
    while heap and len(heap) + len(leaves) < regions:
        _, node = heapq.heappop(heap)
        if tree.last[node] == node + 1:
            leaves.append(node)
            continue
        first = node + 1
        for child in (first, int(tree.last[first])):
            heapq.heappush(heap, (-float(tree.cost[child]), child))
    return np.array(sorted(leaves + [node for _, node in heap]), dtype=np.int64)


def paint_cut(tree: RegionTree, nodes: Int64, pixels: Float32) -> Float32:
    """Return the picture in which each region of a cut has its mean colour: float32 [h, w, c] from [h, w, c]."""
    owner = np.searchsorted(nodes, tree.labels, side="right") - 1
    count = np.maximum(1, np.bincount(owner.ravel(), minlength=len(nodes)))  # a node may show nothing
    means = [np.bincount(owner.ravel(), pixels[..., c].ravel(), len(nodes)) / count for c in range(pixels.shape[2])]
    return np.stack(means, axis=1).astype(np.float32)[owner]


def node_sums(tree: RegionTree, values: Float32 | Float64) -> Float64:
    """Sum per-pixel values over every node: float64 [m, c] from [h, w, c]."""
    m = len(tree)
    flat = values.reshape(tree.labels.size, -1)
    leaf = np.stack([np.bincount(tree.labels.ravel(), column, m) for column in flat.T], axis=1)
    running = np.concatenate([np.zeros((1, leaf.shape[1])), np.cumsum(leaf, axis=0)])
    return np.asarray(running[tree.last] - running[:-1])
