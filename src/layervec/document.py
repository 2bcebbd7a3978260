"""Any SVG, parsed and made safe, as a document to render whole or in part.

Trusts no text: it is parsed behind the guards of `svg.parse_xml` and reduced by sanitize.py. What has more than paths
and gradients is rendered in a process of its own (render_process.py); plain drawings, as layervec writes them, need
none, and are not slowed by one. resvg renders, never our own rasteriser.
"""

from __future__ import annotations

import io
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Set
from types import TracebackType

import numpy as np

from layervec import render_process
from layervec.errors import InputError
from layervec.sanitize import GRADIENTS, MOST_SIDES, links, names, refuse_far_numbers, sanitize
from layervec.svg import INKSCAPE, SVG, XLINK, XML, escape_attribute, escape_text, local_name, parse_xml
from layervec.types import Float32

LEAST_LENGTH, MOST_LENGTH = 1e-6, 1e9  # user units; canvas sides whose ratios resvg's floats still hold
LONGEST_LENGTH = 64  # characters of a length that are looked at
MOST_PLAIN = 4 << 20  # characters; a plain drawing of this size renders in less than a second

_SHAPE_TAGS = frozenset({"path", "rect", "circle", "ellipse", "line", "polyline", "polygon"})
_UNDRAWN_TAGS = frozenset({"defs", "clipPath", "mask", "pattern", "symbol", "marker"})
_DEFINITION_TAGS = _UNDRAWN_TAGS | GRADIENTS | {"filter", "style"}
# What draws in time and memory that the size of the text bounds, whatever it says.
_PLAIN_TAGS = _SHAPE_TAGS | GRADIENTS | {"svg", "g", "defs", "stop", "title", "desc", "metadata"}
_PLAIN_KEYS = names(
    """
    id d points fill fill-opacity fill-rule data-rank data-name data-object viewBox width height
    preserveAspectRatio x y cx cy r rx ry x1 y1 x2 y2 gradientUnits offset stop-color stop-opacity
    """
) | {f"{{{INKSCAPE}}}groupmode", f"{{{INKSCAPE}}}label"}
_NUMBER = re.compile(r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?")
_PIXELS = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "Q": 24 / 25.4}
_LENGTH = re.compile(r"\s*\+?([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)(px|pt|pc|in|cm|mm|Q)?\s*")
_NO_DISPLAY = re.compile(r"(^|;)\s*display\s*:\s*none", re.IGNORECASE)
_PREFIXES = {SVG: "", XLINK: "xlink:", INKSCAPE: "inkscape:", XML: "xml:"}


class Document:
    """A parsed SVG that is safe to render: it refers to nothing outside and unfolds to a bounded size. Close it.

    left_out: what it had that may have been seen and is not rendered, in words.
    """

    def __init__(self, source: str | bytes, name: str) -> None:
        self.name = name
        self.root = parse_xml(source, name)
        self.left_out = sanitize(self.root, name)
        self._fonts = any(local_name(element) == "text" for element in self.root.iter())
        view = _view_box(self.root, name)
        refuse_far_numbers(self.root, max(view[2:]), name)
        self.root.attrib["viewBox"] = " ".join(f"{value:.9g}" for value in view)
        self.root.attrib["preserveAspectRatio"] = "none"
        plain = len(source) <= MOST_PLAIN and _is_plain(self.root, MOST_SIDES * max(view[2:]))
        self._process = None if plain else render_process.RenderProcess(name)

    def __enter__(self) -> Document:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None:
            self._process.close()

    def render(self, width: int, height: int, background: str | None, hidden: Set[ET.Element] = frozenset()) -> Float32:
        """Return the pixels without the hidden elements; see `score.render_svg`."""
        return self._rendered(self.root, width, height, background, hidden)

    def render_part(
        self, excerpt: ET.Element, width: int, height: int, hidden: Set[ET.Element] = frozenset()
    ) -> Float32:
        """Return the pixels, with alpha, of one of the document's `excerpts`."""
        return self._rendered(excerpt, width, height, None, hidden)

    def excerpts(self) -> Excerpts:
        """Return what gives parts of this document as documents of their own."""
        return Excerpts(self.root)

    def _rendered(
        self, root: ET.Element, width: int, height: int, background: str | None, hidden: Set[ET.Element] = frozenset()
    ) -> Float32:
        from PIL import Image

        root.attrib.update(width=str(width), height=str(height))
        render = render_process.render if self._process is None else self._process.render
        try:
            png = render(text_of(root, hidden), background, fonts=self._fonts)
        except ValueError as error:
            raise InputError(f"{self.name} cannot be rendered: {error}.") from error
        with Image.open(io.BytesIO(png)) as picture:
            pixels = np.asarray(picture.convert("RGBA" if background is None else "RGB"), dtype=np.float32)
        return pixels / np.float32(255)

    def shapes_by_rank(self) -> list[ET.Element]:
        """Return the drawn shapes, the most important first, as `score` orders them."""
        return sorted(drawn_shapes(self.root), key=_rank)  # stable: document order where ranks are equal or missing


class Excerpts:
    """Gives an element of a document with nothing but what it lies in, what it refers to, and the style sheets."""

    def __init__(self, root: ET.Element) -> None:
        self._root = root
        self._parents = {child: parent for parent in root.iter() for child in parent}
        self._targets: dict[str, ET.Element] = {}
        for element in root.iter():
            self._targets.setdefault(element.get("id", ""), element)
        self._styles = list(root.iter(f"{{{SVG}}}style"))

    def of(self, element: ET.Element) -> ET.Element:
        """Return the root of the excerpt, which shares its elements with the document."""
        excerpt = ET.Element(self._root.tag, self._root.attrib)
        definitions = ET.SubElement(excerpt, f"{{{SVG}}}defs")
        wanted, waiting = dict.fromkeys(self._styles), [element, *self._above(element)]
        waiting[1:] = [ET.Element(outer.tag, outer.attrib) for outer in waiting[1:]]
        while waiting:
            for part in waiting.pop().iter():
                for _, link in links(part):
                    target = self._targets.get(link)
                    if target is not None and target not in wanted:
                        wanted[target] = None
                        waiting.append(target)
        if self._styles:  # their rules may mean any gradient
            wanted.update((found, None) for kind in GRADIENTS for found in self._root.iter(f"{{{SVG}}}{kind}"))
        for target in wanted:
            self._put(definitions, target)
        self._put(excerpt, element)
        return excerpt

    def _above(self, element: ET.Element) -> list[ET.Element]:
        """Return what an element lies in, without the root, from the outside in."""
        above: list[ET.Element] = []
        while (outer := self._parents.get(above[0] if above else element, self._root)) is not self._root:
            above.insert(0, outer)
        return above

    def _put(self, place: ET.Element, element: ET.Element) -> None:
        for outer in self._above(element):
            place = ET.SubElement(place, outer.tag, outer.attrib)
        place.append(element)


def drawn_shapes(element: ET.Element) -> Iterator[ET.Element]:
    """Yield the drawn shapes in and below an element, in document order."""
    if _is_hidden(element) or local_name(element) in _UNDRAWN_TAGS:
        return
    if local_name(element) in _SHAPE_TAGS:
        yield element
    for child in element:
        yield from drawn_shapes(child)


def _is_hidden(element: ET.Element) -> bool:
    return element.get("display") == "none" or bool(_NO_DISPLAY.search(element.get("style", "")))


def _rank(shape: ET.Element) -> float:
    text = shape.get("data-rank", "")
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else math.inf


def text_of(root: ET.Element, hidden: Set[ET.Element]) -> str:
    """Return a document as text without the hidden elements; what they define for others, such as gradients, stays.

    Elements of no namespace, which draw nothing, are left out. ElementTree's own writer is not used because
    it invents prefixes for every namespace and cannot skip elements.
    """
    names = {name for element in root.iter() for name in (element.tag, *element.attrib)}
    spaces = {name.rpartition("}")[0][1:] for name in names}
    prefixes = dict(_PREFIXES)
    for number, space in enumerate(sorted(spaces - set(prefixes) - {""})):
        prefixes[space] = f"n{number}:"
    named = {space: prefix for space, prefix in prefixes.items() if space in spaces - {SVG, XML, ""}}
    declared = f' xmlns="{SVG}"' + "".join(f' xmlns:{p[:-1]}="{escape_attribute(s)}"' for s, p in named.items())
    parts: list[str] = []

    def visit(element: ET.Element, declared: str) -> None:
        tag = _qualified(element.tag, prefixes)
        attributes = "".join(f' {_qualified(k, prefixes)}="{escape_attribute(v)}"' for k, v in element.attrib.items())
        parts.append(f"<{tag}{declared}{attributes}>{escape_text(element.text or '')}")
        for child in element:
            for part in _definitions(child) if child in hidden else (child,):
                if part.tag.startswith("{"):
                    visit(part, "")
            parts.append(escape_text(child.tail or ""))
        parts.append(f"</{tag}>")

    visit(root, declared)
    return "".join(parts)


def _definitions(element: ET.Element) -> Iterator[ET.Element]:
    """Yield the elements in and below one that draw nothing where they stand, the outermost alone."""
    if local_name(element) in _DEFINITION_TAGS:
        yield element
        return
    for child in element:
        yield from _definitions(child)


def _qualified(name: str, prefixes: dict[str, str]) -> str:
    space, _, local = name.rpartition("}")
    return prefixes[space[1:]] + local if space else local


def _is_plain(root: ET.Element, most: float) -> bool:
    """Tell whether a document has filled shapes, gradients and groups alone; `most` bounds how far steps may add up."""
    for element in root.iter():
        keys = element.attrib.keys()
        if local_name(element) not in _PLAIN_TAGS or not keys <= _PLAIN_KEYS:
            return False
        if element is not root and local_name(element) == "svg":  # views inside views magnify without end
            return False
        steps = element.attrib.get("d") or element.attrib.get("points")
        if steps and sum(map(float, _NUMBER.findall(steps))) > most:
            return False
    return True


# The part that is shown


_Box = tuple[float, float, float, float]  # x, y, width, height in user units


def _view_box(root: ET.Element, name: str) -> _Box:
    """Return the part of the user space that the whole canvas of an SVG shows.

    That is its viewBox, grown or cut as preserveAspectRatio says where width and height differ in proportion.
    InputError where the SVG has neither a viewBox nor a size, or an empty or broken one.
    """
    width, height = (_length(root.get(key)) for key in ("width", "height"))
    if not all(length is None or _sensible(length) for length in (width, height)):
        raise InputError(f"{name} cannot be rendered: its size is zero or beyond bounds.")
    text = root.get("viewBox")
    if text is None:
        if width is None or height is None:
            raise InputError(f"{name} cannot be rendered: it has neither a viewBox nor a width and height.")
        return 0.0, 0.0, width, height
    try:
        box = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        box = []
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise InputError(f"{name} cannot be rendered: its viewBox {text[:40]!r} is not four numbers.")
    if not (_sensible(box[2]) and _sensible(box[3])):
        raise InputError(f"{name} cannot be rendered: its viewBox {text[:40]!r} is empty or beyond bounds.")
    x, y, view_width, view_height = box
    if width is None or height is None:
        return x, y, view_width, view_height
    return _fit((x, y, view_width, view_height), width, height, root.get("preserveAspectRatio", ""))


def _sensible(length: float) -> bool:
    return LEAST_LENGTH <= length <= MOST_LENGTH


def _fit(box: _Box, width: float, height: float, rule: str) -> _Box:
    """Return the box that a width x height viewport shows of a viewBox under a preserveAspectRatio rule."""
    if "none" in rule:
        return box
    scales = width / box[2], height / box[3]
    scale = max(scales) if "slice" in rule else min(scales)
    shown_width, shown_height = width / scale, height / scale
    along_x, along_y = (0.0 if f"{axis}Min" in rule else 1.0 if f"{axis}Max" in rule else 0.5 for axis in ("x", "Y"))
    x = box[0] + along_x * (box[2] - shown_width)
    y = box[1] + along_y * (box[3] - shown_height)
    return x, y, shown_width, shown_height


def _length(text: str | None) -> float | None:
    """Return an absolute length in px; None where there is none, as for 100 % or 3em."""
    match = _LENGTH.fullmatch(text[:LONGEST_LENGTH]) if text else None
    if match is None:
        return None
    length = float(match[1]) * _PIXELS[match[2] or "px"]
    return length if math.isfinite(length) else None
