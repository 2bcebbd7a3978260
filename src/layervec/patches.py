"""Patches of one colour in pixel art: what surrounds what, and which patches become one shape.

A patch is what hangs together in one colour, corners included. It lies on the smallest one that surrounds it wholly.
Memory stays within a few numbers a pixel, however many patches there are: no patch ever has a mask of the whole
picture. Knows numbers of colours and whether they show through; no outlines, ranks or layers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from layervec.masks import boxes, holes
from layervec.stacking import Partition
from layervec.types import Float64, Int32, Int64

DOTS = (4, 16, 64, 256, 1024)  # squares; the fewer shapes there may be, the larger the patches that join their like
MOST_DEPTH = 64  # shapes on one another; nobody finds anything in deeper layers, and programs that read them give up
OPAQUE = 0.999  # alpha above which nothing shows through
LEAST_RING = (4, 3)  # squares, and those a side, of the smallest patch that surrounds anything


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Patches of one colour, each after the one that surrounds it.

    labels: int64 [h, w], which patch each pixel is of. colour, area: [k]. parent: [k], -1 for none.
    """

    labels: Int64
    colour: Int64
    area: Int64
    parent: Int64


def find(numbers: Int64) -> Patches:
    """Find the patches of a picture given by the numbers of its colours: int64 [h, w]."""
    labels, colour = labelled(numbers)
    area = np.bincount(labels.ravel(), minlength=len(colour))
    inner = _surrounded(labels, area)
    size = area.copy()
    for i, found in inner.items():
        size[i] += area[found].sum()
    order = np.argsort(-size, kind="stable")
    home, parent = np.full(len(order), -1, np.int64), np.empty(len(order), np.int64)
    for place, i in enumerate(order.tolist()):
        parent[place] = home[i]
        if i in inner:
            home[inner[i]] = place
    return Patches(np.argsort(order)[labels], colour[order], area[order], parent)


def labelled(numbers: Int64) -> tuple[Int32, Int64]:
    """Return the patch of each pixel, int32 [h, w], and the colour of each patch. numbers: of colours, int64 [h, w]."""
    import cv2

    labels, colour = np.zeros(numbers.shape, np.int32), list[int]()
    for number in range(int(numbers.max()) + 1):
        mask = numbers == number
        count, found = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
        labels[mask] = found[mask] + (len(colour) - 1)
        colour += [number] * (count - 1)
    return labels, np.array(colour, dtype=np.int64)


def _surrounded(labels: Int32, area: Int64) -> dict[int, Int32]:
    """Return the patches that a patch surrounds wholly, for all that surround any."""
    box, found = boxes(labels, len(area)), {}
    sides = (box[:, 2:] - box[:, :2]).min(axis=1)
    for i in np.flatnonzero((area >= LEAST_RING[0]) & (sides >= LEAST_RING[1])).tolist():
        top, left, bottom, right = box[i].tolist()
        near = labels[top:bottom, left:right]
        inside, counts = np.unique(near[holes(near == i)], return_counts=True)
        inside = inside[counts == area[inside]]
        if len(inside):
            found[i] = inside
    return found


def shapes(patches: Patches, paints: Float64, most: int) -> tuple[Partition, Int64]:
    """Return up to `most` shapes that patches make, on a ground that comes first, and the colour of each.

    The ground of an opaque picture has the colour that most of what nothing surrounds has, and stands for all of
    that; otherwise it is no shape, and its colour is -1. Patches that lie on the same one in the same colour are one
    shape if they are small; the fewer shapes there may be, the larger such patches are, and in the end all patches
    of a colour are one. paints: straight RGBA, [c, 4], of no more colours that show than there may be shapes.
    """
    ground = _ground(patches, paints)
    for dot in (*DOTS, patches.labels.size):
        found, colour, depth = _joined(patches, paints, ground, dot)
        if len(colour) - (ground < 0) <= most and depth <= MOST_DEPTH:
            return found, colour
    flat = replace(patches, parent=np.full(len(patches.parent), -1, np.int64))
    return _joined(flat, paints, _ground(flat, paints), flat.labels.size)[:2]


def _ground(patches: Patches, paints: Float64) -> int:
    """Return the colour of the ground, -1 if something shows through the picture."""
    outer = patches.parent < 0
    counts = np.bincount(patches.colour[outer], patches.area[outer], len(paints))
    return int(np.argmax(counts)) if (paints[np.unique(patches.colour), 3] >= OPAQUE).all() else -1


def _joined(patches: Patches, paints: Float64, ground: int, dot: int) -> tuple[Partition, Int64, int]:
    """Return shapes, the colour of each, and how many lie on one another. Patches of up to `dot` squares join."""
    clear, small = (paints[patches.colour, 3] == 0).tolist(), (patches.area <= dot).tolist()
    above, own = patches.parent.tolist(), patches.colour.tolist()
    parents, colour, depth, place = [-1], [ground], [0], list[int]()
    groups = dict[tuple[int, int], int]()
    for i in range(len(own)):
        parent = place[above[i]] if above[i] >= 0 else 0
        shape = parent if clear[i] or (parent == 0 and own[i] == ground) else None
        if shape is None and small[i]:
            shape = groups.get((parent, own[i]))
        if shape is None:
            shape = len(parents)
            parents.append(parent)
            colour.append(own[i])
            depth.append(depth[parent] + 1)
            if small[i]:
                groups[parent, own[i]] = shape
        place.append(shape)
    shown = np.where(clear, -1, np.array(place, dtype=np.int64))[patches.labels]
    found = Partition(shown, np.array(parents, dtype=np.int64), (None,) * len(parents))
    return found, np.array(colour, dtype=np.int64), max(depth)
