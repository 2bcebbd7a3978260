"""Pixel art: pictures whose squares are meant to be seen. They are drawn as they are, and nothing is fitted.

Finds the squares, however much the picture was enlarged, and makes a shape with square corners of every patch of one
colour. A patch lies on the one that surrounds it and runs on under what lies on itself, neighbours a square under those
drawn later, so that no seam shows when a viewer smooths edges. Knows pixels and plans; no layers, names or files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from layervec import quantize, stacking
from layervec.arrange import Plan, stack
from layervec.image import premultiplied
from layervec.masks import grown, holes
from layervec.palette import Palette
from layervec.ranks import rank
from layervec.stacking import Pile
from layervec.tree import fringes
from layervec.types import Bool, Float32, Float64, Int64, Outline, Raster, RegionTree

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
DOT = 4  # squares; patches up to this size become one shape with their like
OPAQUE = 0.999  # alpha above which nothing shows through


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


def _soft(raster: Raster, codes: Int64) -> bool:
    """Tell whether edges are antialiased: then pixels between two colours have many mixtures of them."""
    mixed = codes[fringes(premultiplied(raster))]
    return len(mixed) > SOFT_SHARE * codes.size and len(np.unique(mixed)) >= MIXTURES


def may_be(shrunk: Raster) -> bool:
    """Tell whether the picture that this one was shrunk from could be pixel art: by how few colours it has."""
    return bool(len(np.unique(_codes(shrunk))) <= COLOURS_SHRUNK * shrunk.width * shrunk.height)


def _codes(raster: Raster) -> Int64:
    """Return a number for each pixel that tells its colour: int64 [h, w]."""
    pixels = np.rint(raster.pixels * 255).astype(np.int64)
    codes = pixels @ np.array([1 << 24, 1 << 16, 1 << 8, 1])
    return np.asarray(np.where(pixels[..., 3] > 0, codes, 0))


def _step(codes: Int64) -> int:
    """Return the largest side of squares of one colour that the picture consists of; 0 if it has one colour."""
    found = 0
    for part in (codes, codes.T):
        changes = np.flatnonzero((part[1:] != part[:-1]).any(axis=1)) + 1
        if len(changes):
            found = int(np.gcd.reduce([found, len(part), *changes.tolist()]))
    return found


def plan(
    raster: Raster, most: int, *, colours: int = MOST_COLOURS, palette: Palette | None = None
) -> tuple[RegionTree, Plan]:
    """Return the patches as a tree of regions and a plan of up to `most` shapes, outlines final, in pixels of `raster`.

    colours: how many there may be. palette: the only ones.
    """
    pixels = premultiplied(raster)
    numbers, paints = quantize.counted(pixels)
    if len(paints) > colours:
        numbers, paints = quantize.reduced(pixels, colours)
    straight = _straight(paints)
    if palette is not None:
        straight[:, :3] = palette.snapped(straight[:, :3])
    straight, merged = np.unique(straight, axis=0, return_inverse=True)
    patches = _patches(merged.ravel()[numbers])
    piles = (_pile(patches, straight, dot) for dot in (DOT, raster.width * raster.height))
    pile, colour = next((found for found in piles if len(found[0]) <= most), _pile(patches, straight, numbers.size))
    tree, nodes = stacking.tree(pile)
    shown = np.arange(0 if colour[0] >= 0 else 1, len(pile))  # the ground is no shape in a transparent picture
    flat = np.ascontiguousarray(pixels[..., :3] if raster.opaque else pixels)

    def drawn(shown: Int64) -> Plan:
        found = Plan(nodes[shown], (), straight[colour[shown]])
        outlines = _outlines(pile, straight[colour, 3] >= OPAQUE, shown[stack(tree, found.nodes)])
        return replace(found, outlines=tuple(outlines[i] for i in shown.tolist()))

    return tree, drawn(shown[rank(tree, flat, drawn(shown), every_pixel=True)[:most]])


def _straight(colours: Float32) -> Float64:
    """Return straight RGBA of premultiplied colours, [k, 4]; all that is transparent is the same."""
    alpha = colours[:, 3:].astype(np.float64)
    return np.concatenate(
        [np.where(alpha > 0, colours[:, :3] / np.maximum(alpha, 1e-3), 0.0).clip(0, 1), alpha], axis=1
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Patches:
    """Patches of one colour, 8-connected; each after the one that surrounds it.

    labels: int64 [h, w], which patch each pixel is of. colour, area: [k]. parent: [k], -1 for none. filled: bool
    [h, w] each, the patch with all that it surrounds.
    """

    labels: Int64
    colour: Int64
    area: Int64
    parent: Int64
    filled: list[Bool]


def _patches(numbers: Int64) -> _Patches:
    """Find the patches of a picture given by the numbers of its colours: int64 [h, w]."""
    import cv2

    labels, colour = np.zeros(numbers.shape, np.int64), list[int]()
    for number in range(int(numbers.max()) + 1):
        count, found = cv2.connectedComponents((numbers == number).astype(np.uint8), connectivity=8)
        labels[found > 0] = found[found > 0] + len(colour) - 1
        colour += [number] * (count - 1)
    area = np.bincount(labels.ravel(), minlength=len(colour))
    filled = [_filled(labels, i, area) for i in range(len(colour))]
    order = np.argsort([-np.count_nonzero(mask) for mask in filled], kind="stable")
    home, parent = np.full(numbers.shape, -1, np.int64), []
    for place, i in enumerate(order):
        parent.append(int(home[labels == i][0]))
        home[filled[i]] = place
    renumbered = np.argsort(order)
    return _Patches(
        renumbered[labels],
        np.array(colour, dtype=np.int64)[order],
        area[order],
        np.array(parent, dtype=np.int64),
        [filled[i] for i in order],
    )


def _filled(labels: Int64, i: int, area: Int64) -> Bool:
    """Return a patch with all patches that it surrounds wholly: bool [h, w]."""
    patch = labels == i
    mask = patch | holes(patch)
    inside = np.bincount(labels[mask], minlength=len(area)) == area
    return np.asarray(inside[labels] & mask)


def _pile(patches: _Patches, paints: Float64, dot: int) -> tuple[Pile, Int64]:
    """Stack the patches on a ground; returns them with the colour of each, and of the ground first.

    The ground of an opaque picture has the colour that most of what nothing surrounds has, and stands for all
    that. Patches of up to `dot` squares that lie on the same one in the same colour are one.
    """
    outer, alpha = patches.parent < 0, paints[patches.colour[patches.labels], 3]
    covered, see_through = alpha > 0, alpha < OPAQUE
    counts = np.bincount(patches.colour[outer], patches.area[outer], len(paints))
    ground = int(np.argmax(counts)) if (paints[np.unique(patches.colour), 3] >= OPAQUE).all() else -1
    masks, colour, parents, place = [covered], [ground], [-1], dict[int, int]()
    groups = dict[tuple[int, int], int]()
    for i in range(len(patches.colour)):
        above, own = int(patches.parent[i]), int(patches.colour[i])
        parent = place[above] if above >= 0 else 0
        if (parent == 0 and own == ground) or paints[own, 3] == 0:
            place[i] = parent
            continue
        mask = patches.filled[i] & ~(see_through & (patches.labels != i))
        group = groups.get((parent, own)) if patches.area[i] <= dot else None
        if group is not None:
            masks[group] = masks[group] | mask
            place[i] = group
            continue
        place[i] = len(masks)
        masks.append(mask)
        colour.append(own)
        parents.append(parent)
        if patches.area[i] <= dot:
            groups[parent, own] = place[i]
    return Pile(tuple(masks), np.array(parents, dtype=np.int64), (None,) * len(masks)), np.array(colour, dtype=np.int64)


def _outlines(pile: Pile, opaque: Bool, order: Int64) -> dict[int, Outline]:
    """Return the outlines of masks that are drawn in this order, each with a margin under what is drawn later.

    opaque: bool [k], which of the masks let nothing through.
    """

    from layervec import curves

    seen = pile.seen(order)
    place = np.full(len(pile) + 1, -1, dtype=np.int64)  # the last is for what none covers
    place[order] = np.arange(len(order))
    hides = np.append(opaque, False)[seen]
    found = {}
    for i in order.tolist():
        margin = grown(seen == i, 1)
        below = margin & (place[seen] > place[i]) & hides
        found[i] = curves.lattice(pile.masks[i] | below if opaque[i] else pile.masks[i])
    return found
