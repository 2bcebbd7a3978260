"""How well the shapes of a drawing match those of the layered original that a picture was rendered from.

Every shape is painted in a colour of its own, without antialiasing, so that one render by resvg tells what is seen of
each; rendered singly, it tells the whole outline, hidden parts included. Translucent shapes count as opaque ones.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

import numpy as np

from layervec.score import render_svg
from layervec.svg import SVG, XLINK, local_name, parse_xml
from layervec.types import Bool, Float64, Int64

SIDE = 256  # px; shapes of a drawing are large enough for that
LEAST_SEEN = 16  # px; smaller pieces of an original are not looked for
SHAPES = frozenset({"path", "rect", "circle", "ellipse", "polygon", "polyline", "line"})
UNDRAWN = frozenset({"defs", "clipPath", "mask", "symbol", "pattern", "marker"})
OPACITIES = ("opacity", "fill-opacity", "stroke-opacity")
ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)


def drawn_shapes(svg: str) -> int:
    """Return how many shapes an SVG draws."""
    return sum(1 for _ in _walk(parse_xml(svg), ""))


def match(original: str, drawing: str) -> tuple[float, float]:
    """Return the mean over the original's shapes of the best intersection over union with one of the drawing's.

    First of what is seen of them, then of whole outlines.
    """
    (seen_a, whole_a), (seen_b, whole_b) = _masks(original), _masks(drawing)
    return _best(seen_a, seen_b), _best(whole_a, whole_b)


def _masks(svg: str) -> tuple[Bool, Bool]:
    """Return what is seen of each shape and the whole of it: bool [n, SIDE * SIDE] each."""
    root = parse_xml(svg)
    shapes = []
    for number, (shape, filled) in enumerate(_walk(root, ""), 1):
        _paint(shape, f"#{number:06x}", filled)
        shapes.append(shape)
    numbers = np.arange(1, len(shapes) + 1)
    seen = _labels(root) == numbers[:, None]
    whole = []
    for shape in shapes:
        shape.set("display", "none")
    for number, shape in enumerate(shapes, 1):
        del shape.attrib["display"]
        whole.append(_labels(root) == number)
        shape.set("display", "none")
    return seen, np.array(whole)


def _labels(root: ET.Element) -> Int64:
    """Return the number of the shape that each pixel shows, 0 for none: int64 [SIDE * SIDE]."""
    shown = np.rint(render_svg(ET.tostring(root, encoding="unicode"), SIDE, SIDE, "#000000") * 255).astype(np.int64)
    return (shown @ np.array([1 << 16, 1 << 8, 1])).ravel()


def _walk(element: ET.Element, fill: str) -> Iterator[tuple[ET.Element, bool]]:
    """Yield the drawn shapes, back to front, and whether each is filled; groups hand down their fill."""
    if local_name(element) in UNDRAWN:
        return
    fill = element.get("fill", fill)
    if local_name(element) in SHAPES:
        yield element, fill != "none"
    for child in element:
        yield from _walk(child, fill)


def _paint(shape: ET.Element, colour: str, filled: bool) -> None:
    """Give a shape one opaque colour and hard edges."""
    for key in OPACITIES:
        shape.attrib.pop(key, None)
    shape.set("shape-rendering", "crispEdges")
    shape.set("fill", colour if filled else "none")
    if shape.get("stroke", "none") != "none":
        shape.set("stroke", colour)


def _best(wanted: Bool, found: Bool) -> float:
    """Return the mean over the rows of `wanted` of the best intersection over union with a row of `found`."""
    wanted = wanted[wanted.sum(axis=1) >= LEAST_SEEN]
    common: Float64 = wanted.astype(np.float32) @ found.T.astype(np.float32)
    union = wanted.sum(axis=1)[:, None] + found.sum(axis=1)[None] - common
    return float((common / np.maximum(union, 1)).max(axis=1, initial=0).mean())
