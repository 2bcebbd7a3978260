"""Pixel art: pictures whose squares are meant to be seen. They are drawn as they are, and nothing is fitted.

Finds the squares, however much the picture was enlarged, and makes a shape with square corners of every patch of one
colour. A patch lies on the one that surrounds it and runs on under what lies on itself, neighbours a square under those
drawn later, so that no seam shows when a viewer smooths edges. Knows pixels and plans; no layers, names or files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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

SMALL_SIDES = (48, 64)  # squares of one pixel, and for each pixel that larger ones are wide: an icon or a sprite
MOST_SIDE = 320  # squares along the longer side: what early machines had on a screen
MOST_COLOURS = 256  # as many as such machines could show
MOST_SQUARES = 1 << 19  # that are drawn where they are asked for, 800 x 600; viewers give up on drawings of many more
LEAST_STEP = 0.1  # distance of neighbouring colours, of the 1.73 between black and white; less is shading, not squares
COLOURS_SHRUNK = 0.1  # colours a pixel, at most, once squares are mixed with their neighbours; photos have most
MOST_SOFT = 0.2  # of the pixels beside another colour that are a mixture of two; in antialiased stripes a third are
# Small pictures.
MOST_TONES = 16  # colours on one straight way; shading by hand has fewer
OFF_WAY = 2 / 255  # of a channel, root of the mean, off that way
RARE = 4  # pixels; a colour that fewer have is one of soft edges
RARE_SHARE = 0.02  # of the picture, at most, that has such colours
SOFT_SHARE = 0.02  # of the picture that lies between two colours as their mixture, where edges are soft
MIXTURES = 5  # colours that these then have at least; shading by hand has fewer
# Others, for each pixel beside another colour if nothing else is said. Measured on a thousand pictures (docs/log.md).
DOT = 6  # squares of a patch that is drawn square by square, or is left of an antialiased edge
LEAST_DOTS = 0.014  # hard edges of large things, and lines, have fewer
FEWEST_COLOURS = 5  # of squares drawn one by one; fewer are ink on paper: text, plans, dithering
MOST_STRAY = 0.05  # pixels in a colour that only dots have: antialiasing makes ever new ones
STRAY_COLOURS = 0.75  # of the colours, at most, that are such, where more pixels are
MIXED_DOTS = 0.1  # of the dots, at most, that are mixtures of two others, likewise
MOST_SINGLE = 0.2  # pixels that are patches of their own; photos, and what is dithered of them, have more
PHOTO_STEP = 0.15  # distance of neighbouring colours that three in four exceed, unless most is plain
PHOTO_ROUGH = 0.3  # of the picture that lies in no block of 3 x 3 in one colour, likewise


def squares(raster: Raster) -> Raster | None:
    """Return the picture with one pixel a square, or None where it is not pixel art.

    It is that if all changes of colour lie on a grid, with few squares and colours. Where squares are single pixels,
    edges must be hard and the picture no photo; where there are many squares, some must be seen one by one.
    """
    codes = _codes(raster)
    step = _step(codes)
    if not step:
        return None
    small = codes[::step, ::step]
    kinds, numbers, counts = np.unique(small, return_inverse=True, return_counts=True)
    if max(small.shape) > MOST_SIDE or len(kinds) > MOST_COLOURS:
        return None
    found = Raster(np.ascontiguousarray(raster.pixels[::step, ::step]))
    if np.median(_steps(found)) < LEAST_STEP:
        return None
    if step == 1 and _tones(found, numbers, len(kinds)):
        return None
    numbers = numbers.reshape(small.shape)
    if max(small.shape) <= (SMALL_SIDES[0] if step == 1 else SMALL_SIDES[1] * step):
        return found if step > 1 or _hard(found, numbers, counts) else None
    look = _Look.at(found, numbers)
    smooth = step == 1 and (look.antialiased() or look.photographed())
    return found if look.detailed() and not smooth else None


def _tones(raster: Raster, numbers: Int64, count: int) -> bool:
    """Tell whether all colours, and they are many, are mixtures of two: ink on paper, antialiased."""
    if count <= MOST_TONES:
        return False
    colours = np.empty((count, 4))
    colours[numbers.ravel()] = premultiplied(raster).reshape(-1, 4)
    off = np.linalg.svd(colours - colours.mean(axis=0), compute_uv=False)
    return bool(off[1] <= OFF_WAY * count**0.5)


def exact(raster: Raster) -> Raster | None:
    """Return the picture with one pixel a square, None where it is better shrunk first: a large photo.

    For a picture that is to be drawn in squares, whatever it looks like.
    """
    codes = _codes(raster)
    step = max(1, _step(codes))
    small = codes[::step, ::step]
    if small.size > MOST_SQUARES or (step == 1 and len(np.unique(small)) > MOST_COLOURS):
        return None
    return Raster(np.ascontiguousarray(raster.pixels[::step, ::step]))


def _hard(raster: Raster, numbers: Int64, counts: Int64) -> bool:
    """Tell whether no edge of a small picture is antialiased: then few pixels are mixtures of two colours."""
    mixed = fringes(premultiplied(raster))
    most = np.count_nonzero(mixed)
    many = most > SOFT_SHARE * numbers.size and len(np.unique(numbers[mixed])) >= MIXTURES
    rare = counts[counts < RARE].sum() > RARE_SHARE * numbers.size
    return not (many or rare or most > MOST_SOFT * np.count_nonzero(_bordering(numbers)))


@dataclass(frozen=True, slots=True)
class _Look:
    """What tells squares drawn one by one from other pictures with few colours; see the limits above."""

    colours: int
    dots: float
    single: float
    soft: float
    stray: float
    stray_colours: float
    mixed_dots: float
    step: float
    rough: float

    @classmethod
    def at(cls, raster: Raster, numbers: Int64) -> _Look:
        """Look at a picture, one pixel a square; numbers: of its colours, int64 [h, w]."""
        labels, colour = patches.labelled(numbers)
        area = np.bincount(labels.ravel(), minlength=len(colour))
        largest = np.zeros(int(numbers.max()) + 1, dtype=np.int64)
        np.maximum.at(largest, colour, area)
        mixed, dot = fringes(premultiplied(raster)), area <= DOT
        bordering = _bordering(numbers)
        border = np.count_nonzero(bordering)
        return cls(
            colours=len(largest),
            dots=np.count_nonzero(dot) / border,
            single=np.count_nonzero(area == 1) / border,
            soft=np.count_nonzero(mixed) / border,
            stray=np.count_nonzero(largest[numbers] <= DOT) / border,
            stray_colours=float((largest <= DOT).mean()),
            mixed_dots=float(mixed[dot[labels]].mean()) if dot.any() else 0.0,
            step=float(np.quantile(_steps(raster), 0.25)),
            rough=float(_rough(bordering).mean()),
        )

    def antialiased(self) -> bool:
        """Tell whether edges are soft: made of mixtures, or of colours that are nowhere else and often mixtures."""
        stray = self.stray > MOST_STRAY and self.stray_colours > STRAY_COLOURS and self.mixed_dots > MIXED_DOTS
        return self.soft > MOST_SOFT or stray

    def photographed(self) -> bool:
        """Tell whether it is a photo in few colours: rough in small steps, or full of single pixels."""
        return self.single > MOST_SINGLE or (self.step < PHOTO_STEP and self.rough > PHOTO_ROUGH)

    def detailed(self) -> bool:
        """Tell whether squares count one by one, in a picture that is large enough for curves."""
        return self.colours >= FEWEST_COLOURS and self.dots >= LEAST_DOTS


def _bordering(numbers: Int64) -> Bool:
    """Tell which pixels have another colour beside them, corners included: bool [h, w]."""
    import cv2

    values, block = numbers.astype(np.int16), np.ones((3, 3), np.uint8)
    return np.asarray(cv2.erode(values, block) != cv2.dilate(values, block))


def _rough(bordering: Bool) -> Bool:
    """Tell which pixels lie in no block of 3 x 3 in one colour."""
    return ~grown(~bordering, 1)


def _steps(raster: Raster) -> Float32:
    """Return how far apart the colours of neighbours are that differ, premultiplied: [n], n > 0."""
    pixels = premultiplied(raster)
    steps = [np.linalg.norm(np.diff(pixels, axis=axis), axis=2).ravel() for axis in (0, 1)]
    found = np.concatenate(steps)
    return np.asarray(found[found > 0], dtype=np.float32)


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
