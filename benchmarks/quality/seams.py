"""Find seams: pixels beside the border of two shapes in which what lies below shines through.

A drawing of ours is rendered four times as large as its picture is compared. A seam is a pixel within a pixel of the
picture from where one shape ends and another begins, whose colour is between neither those that the shapes around
have away from their borders nor those of the picture there.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from layervec import svg
from layervec.score import render_svg
from layervec.types import Bool, Float32, Int64, Layer, Shape, Solid

ZOOM = 4
DIFFERENT = 64 / 255  # of a channel
SOFT = np.ones((3, 3), np.uint8)  # px of the rendering on either side of a border that are antialiased
NEAR = np.ones((2 * ZOOM + 1, 2 * ZOOM + 1), np.uint8)  # a pixel of the picture on either side


def share(text: str, picture: Float32) -> float:
    """Return how many of the pixels beside borders are seams, 0..1, in a drawing of a picture [h, w, 3], on white."""
    height, width = ZOOM * picture.shape[0], ZOOM * picture.shape[1]
    shown = render_svg(text, width, height)
    border = _borders(_owners(text, width, height))
    inside = (cv2.dilate(border.astype(np.uint8), SOFT) == 0)[..., None]
    enlarged = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    low = np.minimum(_least(np.where(inside, shown, np.float32(np.inf))), _least(enlarged))
    high = np.maximum(-_least(np.where(inside, -shown, np.float32(np.inf))), -_least(-enlarged))
    strange = ((shown < low - DIFFERENT) | (shown > high + DIFFERENT)).any(axis=2)
    near = cv2.dilate(border.astype(np.uint8), NEAR) > 0
    return float((near & strange).sum() / max(1, near.sum()))


def _least(pixels: Float32) -> Float32:
    """Return the least value of each channel around each pixel: [h, w, 3]."""
    return np.asarray(cv2.erode(pixels, NEAR), dtype=np.float32)


def _owners(text: str, width: int, height: int) -> Int64:
    """Return which shape shows at each pixel, from 1, 0 for none: int64 [h, w]."""
    drawing = svg.read(text)
    numbers = {shape.id: number for number, shape in enumerate(drawing.shapes(), 1)}

    def numbered(item: Layer | Shape) -> Layer | Shape:
        if isinstance(item, Layer):
            return replace(item, children=tuple(numbered(child) for child in item.children))
        number = numbers[item.id]
        return replace(item, paint=Solid(*(byte / 255 for byte in (number & 255, number >> 8 & 255, 0))))

    root = numbered(drawing.root)
    assert isinstance(root, Layer)
    flat = svg.write(replace(drawing, root=root)).replace("<svg ", '<svg shape-rendering="crispEdges" ', 1)
    found = np.rint(render_svg(flat, width, height, "#000000") * 255).astype(np.int64)
    return found[..., 0] + 256 * found[..., 1]


def _borders(owners: Int64) -> Bool:
    """Tell which pixels have a neighbour, to the right or below or the other way round, of another shape: [h, w]."""
    found = np.zeros(owners.shape, dtype=bool)
    across, down = owners[:, 1:] != owners[:, :-1], owners[1:] != owners[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    return found
