"""Pixel art: pictures whose squares are meant to be seen. They are drawn as they are, and nothing is fitted.

Finds the squares, however much the picture was enlarged, and makes a shape with square corners of every patch of one
colour. A patch lies on the one that surrounds it and runs on under what lies on itself, neighbours a square under those
drawn later, so that no seam shows when a viewer smooths edges. Knows pixels and plans; no layers, names or files.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from layervec import patches, quantize, stacking
from layervec.arrange import Plan, stack
from layervec.image import premultiplied
from layervec.masks import boxes, grown
from layervec.palette import Palette
from layervec.ranks import rank
from layervec.stacking import Partition
from layervec.tree import fringes
from layervec.types import Bool, Float32, Float64, Int64, Outline, Raster, RegionTree, UInt32

MOST_SINGLE = 48  # squares along the longer side, at most, where they are single pixels: a sprite or an icon
SIDE_A_STEP = 64  # likewise for each pixel that a larger square is wide
MOST_SIDE = 320  # squares, likewise: what early machines had on a screen
MOST_COLOURS = 256  # as many as such machines could show
LEAST_STEP = 0.1  # distance of neighbouring colours, of the 1.73 between black and white; less is shading, not squares
RARE = 4  # pixels; a colour that fewer have is one of soft edges
RARE_SHARE = 0.02  # of the picture, at most, that has such colours where squares are single pixels
SOFT_SHARE = 0.02  # of the picture that lies between two colours as their mixture, where edges are soft
MIXTURES = 5  # colours that these then have at least; shading by hand has fewer
COLOURS_SHRUNK = 0.1  # colours a pixel, at most, once squares are mixed with their neighbours; photos have most


def squares(raster: Raster) -> Raster | None:
    """Return the picture with one pixel a square, or None where it is not pixel art.

    It is that if all changes of colour lie on a grid, with few squares and colours. Where the squares are single
    pixels, the picture must be small and have no soft edges.
    """
    codes = _codes(raster)
    step = _step(codes)
    if not step:
        return None
    small = codes[::step, ::step]
    colours, counts = np.unique(small, return_counts=True)
    most = MOST_SINGLE if step == 1 else min(SIDE_A_STEP * step, MOST_SIDE)
    if max(small.shape) > most or len(colours) > MOST_COLOURS:
        return None
    found = Raster(np.ascontiguousarray(raster.pixels[::step, ::step]))
    if _contrast(found) < LEAST_STEP:
        return None
    if step == 1 and (counts[counts < RARE].sum() > RARE_SHARE * small.size or _soft(found, codes)):
        return None
    return found


def _contrast(raster: Raster) -> float:
    """Return how far apart the colours of neighbours are that differ: the median, premultiplied."""
    pixels = premultiplied(raster)
    steps = [np.linalg.norm(np.diff(pixels, axis=axis), axis=2).ravel() for axis in (0, 1)]
    found = np.concatenate(steps)
    return float(np.median(found[found > 0]))


def _soft(raster: Raster, codes: UInt32) -> bool:
    """Tell whether edges are antialiased: then pixels between two colours have many mixtures of them."""
    mixed = codes[fringes(premultiplied(raster))]
    return len(mixed) > SOFT_SHARE * codes.size and len(np.unique(mixed)) >= MIXTURES


def may_be(shrunk: Raster) -> bool:
    """Tell whether the picture that this one was shrunk from could be pixel art: by how few colours it has."""
    return bool(len(np.unique(_codes(shrunk))) <= COLOURS_SHRUNK * shrunk.width * shrunk.height)


def _codes(raster: Raster) -> UInt32:
    """Return a number for each pixel that tells its colour: uint32 [h, w]; all that is clear has 0."""
    pixels = np.ascontiguousarray(np.rint(raster.pixels * 255).astype(np.uint8))
    return np.where(pixels[..., 3] > 0, pixels.view(np.uint32)[..., 0], np.uint32(0))


def _step(codes: UInt32) -> int:
    """Return the largest side of squares of one colour that the picture consists of; 0 if it has one colour."""
    found = 0
    for part in (codes, codes.T):
        changes = np.flatnonzero((part[1:] != part[:-1]).any(axis=1)) + 1
        if len(changes):
            found = int(np.gcd.reduce([found, len(part), *changes.tolist()]))
    return found


def plan(
    raster: Raster, most: int, *, colours: int | None = None, palette: Palette | None = None
) -> tuple[RegionTree, Plan]:
    """Return the patches as a tree of regions and a plan of up to `most` shapes, outlines final, in pixels of `raster`.

    All of the picture is drawn. Where it has more colours than there may be shapes, the rarest become the nearest of
    the others. colours: how many there may be. palette: the only ones.
    """
    pixels = premultiplied(raster)
    numbers, paints = quantize.counted(pixels)
    limit = max(most, MOST_COLOURS) if colours is None else colours
    if len(paints) > limit:
        numbers, paints = quantize.reduced(pixels, limit)
    straight = _straight(paints)
    if palette is not None:
        straight[:, :3] = palette.snapped(straight[:, :3])
    straight, merged = np.unique(straight, axis=0, return_inverse=True)
    merged = _fewest(np.bincount(merged.ravel()[numbers].ravel()), straight, most)[merged.ravel()]
    partition, colour = patches.shapes(patches.find(merged[numbers]), straight, most)
    tree, nodes = stacking.tree(partition)
    shown = np.arange(0 if colour[0] >= 0 else 1, len(partition))  # the ground is no shape in a transparent picture
    flat = np.ascontiguousarray(pixels[..., :3] if raster.opaque else pixels)

    def drawn(shown: Int64) -> Plan:
        found = Plan(nodes[shown], (), straight[colour[shown]])
        outlines = _outlines(partition, straight[colour, 3] >= patches.OPAQUE, shown[stack(tree, found.nodes)])
        return replace(found, outlines=tuple(outlines[i] for i in shown.tolist()))

    return tree, drawn(shown[rank(tree, flat, drawn(shown), every_pixel=True)])


def _fewest(counts: Int64, paints: Float64, most: int) -> Int64:
    """Return for each colour the one that stands for it, so that at most `most` show: those that cost least are gone.

    counts: pixels of each. paints: straight RGBA. What is clear needs no shape, and nothing that shows becomes clear.
    """
    place, weight = np.arange(len(paints)), counts.astype(np.float64)
    left = np.flatnonzero(paints[:, 3] > 0)
    if len(left) <= most:
        return place
    flat = np.concatenate([paints[:, :3] * paints[:, 3:], paints[:, 3:]], axis=1)[left]
    distance = ((flat[:, None] - flat[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    for _ in range(len(left) - most):
        gone = int(np.argmin(weight[left] * distance.min(axis=1)))
        heir = int(np.argmin(distance[gone]))
        place[place == left[gone]] = left[heir]
        weight[left[heir]] += weight[left[gone]]
        left = np.delete(left, gone)
        distance = np.delete(np.delete(distance, gone, axis=0), gone, axis=1)
    return place


def _straight(colours: Float32) -> Float64:
    """Return straight RGBA of premultiplied colours, [k, 4]; all that is transparent is the same."""
    alpha = colours[:, 3:].astype(np.float64)
    return np.concatenate(
        [np.where(alpha > 0, colours[:, :3] / np.maximum(alpha, 1e-3), 0.0).clip(0, 1), alpha], axis=1
    )


def _outlines(partition: Partition, opaque: Bool, order: Int64) -> dict[int, Outline]:
    """Return the outlines of shapes that are drawn in this order, each with a margin under what is drawn later.

    opaque: bool [k], which of them let nothing through.
    """
    from layervec import curves

    first, last = _spans(partition.parents)
    nearby = _windows(partition)
    place = np.full(len(partition) + 1, -1, dtype=np.int64)  # the last is for what none covers
    place[order] = np.arange(len(order))
    hides, number = np.append(opaque, False), np.append(first, -1)
    found = {}
    for i in order.tolist():
        window = nearby[i]
        seen = partition.shown[window]
        own, on_it = seen == i, (number[seen] > first[i]) & (number[seen] < last[i])
        mask = own | (on_it & hides[seen])
        if opaque[i]:
            mask |= grown(own, 1) & (place[seen] > place[i]) & hides[seen]
        outline = curves.lattice(mask)
        corner = np.array([window[1].start, window[0].start], np.float64)
        found[i] = replace(outline, points=outline.points + corner)
    return found


def _spans(parents: Int64) -> tuple[Int64, Int64]:
    """Number shapes so that those on each follow it: its number, and the one past all on it."""
    sizes = np.ones(len(parents), dtype=np.int64)
    for i in range(len(parents) - 1, 0, -1):
        sizes[parents[i]] += sizes[i]
    first = np.zeros(len(parents), dtype=np.int64)
    free = first + 1  # the next number on each
    for i in range(1, len(parents)):
        first[i] = free[parents[i]]
        free[parents[i]] += sizes[i]
        free[i] = first[i] + 1
    return first, first + sizes


def _windows(partition: Partition) -> list[tuple[slice, slice]]:
    """Return the rows and columns that each shape with all on it takes, and one more all round."""
    box = boxes((partition.shown + 1).astype(np.int32), len(partition) + 1)[1:]
    for i in range(len(box) - 1, 0, -1):
        below = box[partition.parents[i]]
        below[:2], below[2:] = np.minimum(below[:2], box[i, :2]), np.maximum(below[2:], box[i, 2:])
    box[:, :2] = np.maximum(box[:, :2] - 1, 0)
    return [(slice(top, bottom + 1), slice(left, right + 1)) for top, left, bottom, right in box.tolist()]
