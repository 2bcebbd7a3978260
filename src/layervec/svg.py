"""Drawings as SVG text and back: the file profile of layervec, and the safe XML reader under it.

Knows the profile alone: nothing of how shapes are found, drawn or scored, and no files. `write` and `read`
agree: write(read(write(d))) == write(d), byte for byte. Never run an SVG optimiser over the result: it would
drop layers and names.

Coordinates are written as path_data.py does, those of gradients too.
"""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import groupby
from typing import ClassVar
from xml.parsers import expat

import numpy as np

from layervec import path_data
from layervec.errors import InputError
from layervec.path_data import COORDINATE_LIMIT, NUMBER, STEPS, decimal, steps
from layervec.types import (
    STOPS,
    Drawing,
    Layer,
    LinearGradient,
    Paint,
    RadialGradient,
    Shape,
    Solid,
    Stop,
)

SVG = "http://www.w3.org/2000/svg"
INKSCAPE = "http://www.inkscape.org/namespaces/inkscape"
XLINK = "http://www.w3.org/1999/xlink"
XML = "http://www.w3.org/XML/1998/namespace"

OFFSET_STEPS = 1000  # steps from the start of a gradient to its end: offsets have three decimals
MAX_DEPTH = 100  # nested elements; resvg 0.48 overflows its stack somewhere between 200 and 300
MAX_ELEMENTS = 1_000_000  # 300 MiB of memory; 10 times what a photo of many layers has
MAX_BYTES = 64 << 20  # of SVG text; 100 times the largest file that a tracer is likely to write

_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_LINK = re.compile(rf"url\(#({_ID.pattern})\)")
_LINEAR = ("x1", "y1", "x2", "y2")
_RADIAL = ("cx", "cy", "r")
# Everything outside the Char production of XML 1.0, which no escape can express either.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Carriage returns are written as references, since XML parsers turn them into line feeds; so are, in
# attributes, the line feeds and tabs that would become spaces.
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


# Writing


def write(drawing: Drawing) -> str:
    """Return the drawing as SVG text, the same text for the same drawing.

    Its root layer is the file itself: only the children are written. Contours that have no area left at two
    decimals are dropped, and with them shapes that have no other contour. Each gradient has an id made from that of
    its shape, so that what becomes of other shapes never changes it; those that come to one colour are written as that.
    Characters that XML cannot hold are removed from names and title.

    ValueError for coordinates, colours or sizes that are not finite or absurdly large, for ids that are
    repeated or not ASCII names, for ranks below 1, for gradients without stops, with more than STOPS or with
    falling offsets, for nesting deeper than MAX_DEPTH and for metadata that is not JSON.
    """
    _check_ids(drawing)
    width, height = (_size(value) for value in (drawing.width, drawing.height))
    metadata = json.dumps(drawing.metadata, sort_keys=True, separators=(",", ":"), allow_nan=False)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="{SVG}" xmlns:inkscape="{INKSCAPE}" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}">',
        f" <title>{escape_text(drawing.title)}</title>",
        f" <metadata>{escape_text(metadata)}</metadata>",
    ]
    writer = _Writer(drawing)
    elements = [line for child in drawing.root.children for line in writer.element(child, depth=1)]
    lines += [*writer.definitions(), *elements, "</svg>\n"]
    return "\n".join(lines)


def tidied(drawing: Drawing) -> Drawing:
    """Return the drawing without shapes that `write` would drop and layers left with none; ranks run from 1 again."""

    def kept(item: Layer | Shape) -> Layer | Shape | None:
        if isinstance(item, Shape):
            return item if path_data.has_area(item.outline) else None
        children = tuple(child for child in map(kept, item.children) if child is not None)
        return replace(item, children=children) if children else None

    def ranked(item: Layer | Shape) -> Layer | Shape:
        if isinstance(item, Shape):
            return replace(item, rank=ranks[item.id])
        return replace(item, children=tuple(map(ranked, item.children)))

    root = kept(drawing.root)
    if not isinstance(root, Layer):
        return replace(drawing, root=replace(drawing.root, children=()))
    order = sorted(root.shapes(), key=lambda shape: shape.rank)
    ranks = {shape.id: rank for rank, shape in enumerate(order, start=1)}
    return replace(drawing, root=replace(root, children=tuple(map(ranked, root.children))))


def writable(text: str) -> str:
    """Return text without the characters that XML 1.0 cannot hold."""
    return _FORBIDDEN.sub("", text)


def escape_text(text: str) -> str:
    """Return text as XML content; see `writable`."""
    return writable(text).translate(_IN_TEXT)


def escape_attribute(text: str) -> str:
    """Return text as the content of a double-quoted XML attribute; see `writable`."""
    return writable(text).translate(_IN_ATTRIBUTE)


class _Writer:
    """Spells the elements of one drawing and collects the gradients that they are filled with."""

    def __init__(self, drawing: Drawing) -> None:
        self._paths = {shape.id: path_data.written(shape.outline) for shape in drawing.root.shapes()}
        # Without shapes that are dropped, so that the drawing read back gives its gradients the same ids.
        self._taken = {name for name, (data, _) in self._paths.items() if data}
        self._taken.update(layer.id for layer in drawing.root.layers() if layer is not drawing.root)
        self._gradients: dict[str, tuple[str, str]] = {}  # kind and content, by id

    def element(self, item: Layer | Shape, depth: int) -> Iterator[str]:
        """Yield the lines of a layer or a shape; `depth` is the number of elements around it."""
        if depth >= MAX_DEPTH:
            raise ValueError(f"layers are nested deeper than {MAX_DEPTH}")
        indent = " " * depth
        if isinstance(item, Shape):
            text = self._path(item)
            if text:
                yield indent + text
            return
        name = escape_attribute(item.name)
        start = f'<g id="{item.id}" inkscape:groupmode="layer" inkscape:label="{name}" data-name="{name}"'
        if item.thing:
            start += f' data-object="{escape_attribute(item.thing)}"'
        inner = [line for child in item.children for line in self.element(child, depth + 1)]
        if not inner:
            yield f"{indent}{start}/>"
            return
        yield f"{indent}{start}>"
        yield from inner
        yield f"{indent}</g>"

    def definitions(self) -> Iterator[str]:
        """Yield the lines of the gradients that the elements so far are filled with."""
        if not self._gradients:
            return
        yield " <defs>"
        for name, (kind, content) in self._gradients.items():
            yield f'  <{kind} id="{name}" {content}</{kind}>'
        yield " </defs>"

    def _path(self, shape: Shape) -> str:
        """Return the path element of a shape, or nothing where no contour has area."""
        data, contours = self._paths[shape.id]
        if not data:
            return ""
        paint = shape.paint
        colours = (paint,) if isinstance(paint, Solid) else paint.stops
        values = (value for colour in colours for value in (colour.red, colour.green, colour.blue))
        if not all(math.isfinite(value) for value in (paint.alpha, *values)):
            raise ValueError(f"the paint of shape {shape.id} is not finite")
        opacity = decimal(round(min(max(paint.alpha, 0.0), 1.0) * 1000), 1000)
        # Without a second contour there is no hole for the rule to keep open.
        rule = ' fill-rule="evenodd"' if shape.even_odd and contours > 1 else ""
        return (
            f'<path id="{shape.id}" data-rank="{shape.rank}" fill="{self._fill(shape)}"'
            + (f' fill-opacity="{opacity}"' if opacity != "1" else "")
            + f'{rule} d="{data}"/>'
        )

    def _fill(self, shape: Shape) -> str:
        """Return a shape's colour, or the link to its gradient, which `definitions` has from then on."""
        if isinstance(shape.paint, Solid):
            return _hex(shape.paint)
        gradient = _gradient(shape.paint)
        if gradient is None:
            return _hex(shape.paint.stops[-1])
        name = "g" + shape.id.removeprefix("s")
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        self._gradients[name] = gradient
        return f"url(#{name})"


def _gradient(paint: LinearGradient | RadialGradient) -> tuple[str, str] | None:
    """Return a gradient's kind and all of its element behind the id, None where only the last colour would show.

    That is where all stops have one colour, or where at two decimals no length or radius is left.
    """
    stops = _stops(paint.stops)
    keys: tuple[str, ...]
    if isinstance(paint, LinearGradient):
        kind, keys = "linearGradient", _LINEAR
        numbers = steps(np.array([*paint.start, *paint.end])).tolist()
        extends = numbers[:2] != numbers[2:]
    else:
        kind, keys = "radialGradient", _RADIAL
        numbers = steps(np.array([*paint.centre, paint.radius])).tolist()
        extends = numbers[2] > 0
        if numbers[2] < 0:
            raise ValueError("a gradient has a radius below 0")
    if not extends or len({colour for _, colour in stops}) == 1:
        return None
    axis = "".join(f' {key}="{decimal(number, STEPS)}"' for key, number in zip(keys, numbers, strict=True))
    inner = "".join(
        f'<stop offset="{decimal(offset, OFFSET_STEPS)}" stop-color="{colour}"/>' for offset, colour in stops
    )
    return kind, f'gradientUnits="userSpaceOnUse"{axis}>{inner}'


def _stops(stops: tuple[Stop, ...]) -> list[tuple[int, str]]:
    """Return stops as offset, in thousandths, and colour; one that repeats the one before it is left out."""
    if not 1 <= len(stops) <= STOPS:
        raise ValueError(f"a gradient has {len(stops)} stops, not 1 to {STOPS}")
    offsets = np.rint(np.array([stop.offset for stop in stops], dtype=np.float64) * OFFSET_STEPS)
    if not (offsets[0] >= 0 and (offsets[:-1] <= offsets[1:]).all() and offsets[-1] <= OFFSET_STEPS):
        raise ValueError("a gradient has offsets that fall or are not within 0..1")
    return [stop for stop, _ in groupby(zip(offsets.astype(int).tolist(), map(_hex, stops), strict=True))]


def _check_ids(drawing: Drawing) -> None:
    """Raise ValueError where an id is repeated or no ASCII name, or a rank is below 1; the root is exempt."""
    ids = [layer.id for layer in drawing.root.layers() if layer is not drawing.root]
    for shape in drawing.root.shapes():
        ids.append(shape.id)
        if shape.rank < 1:
            raise ValueError(f"the rank of shape {shape.id} is {shape.rank}; ranks count from 1")
    seen: set[str] = set()
    for name in ids:
        if not _ID.fullmatch(name):
            raise ValueError(f"id {name!r} is not an ASCII name")
        if name in seen:
            raise ValueError(f"id {name!r} is used twice")
        seen.add(name)


def _hex(colour: Solid | Stop) -> str:
    channels = (round(min(max(value, 0.0), 1.0) * 255) for value in (colour.red, colour.green, colour.blue))
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def _size(length: float) -> str:
    """Return a canvas side as text. ValueError where it is not positive, finite and sensible."""
    if not 1 / STEPS <= length <= COORDINATE_LIMIT:
        raise ValueError(f"a canvas side of {length} px cannot be written")
    return decimal(round(length * STEPS), STEPS)


# Reading


def parse_xml(source: str | bytes, name: str = "The SVG", *, doctype: bool = True) -> ET.Element:
    """Return the root of an SVG document from an untrusted source; comments and instructions are dropped.

    Entity declarations are refused and external ones never fetched, so nothing expands; nesting, number of elements
    and size are capped (MAX_DEPTH, MAX_ELEMENTS, MAX_BYTES). `doctype=False` refuses a DOCTYPE altogether. `name` is
    what messages call the source. InputError for anything else than well-formed XML with an SVG root.
    """
    if len(source) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES >> 20} MiB, too large for an SVG.")
    builder = _GuardedBuilder(name, doctype)
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.EntityDeclHandler = builder.entity
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(source, True)
    except (expat.ExpatError, UnicodeError, LookupError, ValueError) as error:
        raise InputError(f"{name} is not an SVG: its XML cannot be read ({error}).") from error
    root = builder.close()
    if root.tag != f"{{{SVG}}}svg":
        raise InputError(f'{name} is not an SVG: its root is <{local_name(root)}>, not <svg xmlns="{SVG}">.')
    return root


def local_name(element: ET.Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def read(text: str | bytes, name: str = "The SVG") -> Drawing:
    """Return the drawing in a text of this profile, whoever wrote it.

    The root layer, which is not in the file, gets the id "root" (lengthened where taken) and no name.
    InputError, naming `name` and the first offence, for everything that is not of the profile.
    """
    reader = _Reader(name)
    root = parse_xml(text, name, doctype=False)
    width, height = reader.canvas(root)
    title = metadata = ""
    items: list[Layer | Shape] = []
    for child in root:
        if child.tag == f"{{{SVG}}}title":
            title = reader.text(child)
        elif child.tag == f"{{{SVG}}}metadata":
            metadata = reader.text(child)
        elif child.tag == f"{{{SVG}}}defs":
            reader.definitions(child)
        else:
            items.append(reader.item(child))
    root_id = "root"
    while root_id in reader.ids:
        root_id += "_"
    layer = Layer(root_id, "", tuple(items))
    return Drawing(width, height, layer, title, reader.metadata(metadata))


class _GuardedBuilder:
    """Builds the element tree while refusing what a hostile document would use."""

    def __init__(self, name: str, allow_doctype: bool) -> None:
        self._name = name
        self._allow_doctype = allow_doctype
        self._tree = ET.TreeBuilder()
        self._depth = self._elements = 0

    def doctype(self, *_: object) -> None:
        if not self._allow_doctype:
            raise InputError(f"{self._name} is not a layervec SVG: it has a DOCTYPE.")

    def entity(self, *_: object) -> None:
        raise InputError(f"{self._name} is refused: it declares XML entities, which can expand endlessly.")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InputError(f"{self._name} is refused: its elements are nested deeper than {MAX_DEPTH}.")
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise InputError(f"{self._name} is refused: it has more than {MAX_ELEMENTS} elements.")
        self._tree.start(_clark(tag), {_clark(key): value for key, value in attributes.items()})

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._tree.end(_clark(tag))

    def data(self, text: str) -> None:
        self._tree.data(text)

    def close(self) -> ET.Element:
        return self._tree.close()


def _clark(tag: str) -> str:
    """Return expat's "namespace}name" as ElementTree spells it."""
    return "{" + tag if "}" in tag else tag


class _Reader:
    """Turns elements into nouns, collecting ids; every refusal names the source."""

    _GROUP = frozenset({"id", f"{{{INKSCAPE}}}groupmode", f"{{{INKSCAPE}}}label", "data-name"})
    _GROUP_OPTIONAL = frozenset({"data-object"})
    _PATH = frozenset({"id", "data-rank", "fill", "d"})
    _PATH_OPTIONAL = frozenset({"fill-opacity", "fill-rule"})
    _AXES: ClassVar = {f"{{{SVG}}}linearGradient": _LINEAR, f"{{{SVG}}}radialGradient": _RADIAL}

    def __init__(self, name: str) -> None:
        self._name = name
        self.ids: set[str] = set()
        self._gradients: dict[str, LinearGradient | RadialGradient] = {}

    def refusal(self, cause: str) -> InputError:
        return InputError(f"{self._name} is not a layervec SVG: {cause}.")

    def canvas(self, root: ET.Element) -> tuple[float, float]:
        if set(root.attrib) != {"width", "height", "viewBox"}:
            raise self.refusal("<svg> must have width, height and viewBox and nothing else")
        width, height = (self.number(root.attrib[key], key) for key in ("width", "height"))
        if root.attrib["viewBox"] != f"0 0 {root.attrib['width']} {root.attrib['height']}":
            raise self.refusal("the viewBox differs from width and height")
        if not (1 / STEPS <= width <= COORDINATE_LIMIT and 1 / STEPS <= height <= COORDINATE_LIMIT):
            raise self.refusal(f"a canvas of {width:g} x {height:g} px makes no sense")
        return width, height

    def text(self, element: ET.Element) -> str:
        if len(element):
            raise self.refusal(f"its <{local_name(element)}> holds more than text")
        return element.text or ""

    def metadata(self, text: str) -> dict[str, object]:
        try:
            value = json.loads(text or "{}", parse_constant=_no_constant, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            raise self.refusal("its metadata is not JSON") from error
        if _depth(value) > MAX_DEPTH:
            raise self.refusal(f"its metadata is nested deeper than {MAX_DEPTH}")
        if not isinstance(value, dict):
            raise self.refusal("its metadata is not a JSON object")
        return value

    def item(self, element: ET.Element) -> Layer | Shape:
        if element.tag == f"{{{SVG}}}g":
            self.check(element, self._GROUP, self._GROUP_OPTIONAL)
            if element.attrib[f"{{{INKSCAPE}}}groupmode"] != "layer":
                raise self.refusal("a group is not a layer")
            children = tuple(self.item(child) for child in element)
            thing = element.attrib.get("data-object", "")
            return Layer(element.attrib["id"], element.attrib[f"{{{INKSCAPE}}}label"], children, thing)
        if element.tag == f"{{{SVG}}}path":
            return self.shape(element)
        raise self.refusal(f"it has a <{local_name(element)}>")

    def shape(self, element: ET.Element) -> Shape:
        self.check(element, self._PATH, self._PATH_OPTIONAL)
        get = element.attrib
        if len(element):
            raise self.refusal(f"path {get['id']} has children")
        if not re.fullmatch("[1-9][0-9]{0,8}", get["data-rank"]):
            raise self.refusal(f"path {get['id']} has no whole rank from 1 up")
        if get.get("fill-rule", "evenodd") != "evenodd":
            raise self.refusal(f"path {get['id']} has an unknown fill rule")
        try:
            outline = path_data.read(get["d"])
            steps(outline.points)  # the reader takes no coordinate that the writer would refuse
        except ValueError as error:
            raise self.refusal(f"path {get['id']}: {error}") from error
        return Shape(get["id"], outline, self.paint(element), int(get["data-rank"]), "fill-rule" in get)

    def paint(self, element: ET.Element) -> Paint:
        name, fill = element.attrib["id"], element.attrib["fill"]
        link = _LINK.fullmatch(fill)
        if link and link[1] not in self._gradients:
            raise self.refusal(f"path {name} is filled with {link[1][:40]!r}, and no gradient before it has that id")
        if not link and not _COLOUR.fullmatch(fill):
            raise self.refusal(f"path {name} has a fill other than #rrggbb or a gradient")
        alpha = self.number(element.attrib.get("fill-opacity", "1"), "fill-opacity")
        if not 0.0 <= alpha <= 1.0:
            raise self.refusal(f"path {name} has a fill-opacity beyond 0..1")
        return replace(self._gradients[link[1]], alpha=alpha) if link else Solid(*_channels(fill), alpha)

    def definitions(self, element: ET.Element) -> None:
        """Take the gradients of a <defs>, for `paint` to find."""
        if element.attrib:
            raise self.refusal("its <defs> has attributes")
        for child in element:
            gradient = self.gradient(child)
            self._gradients[child.attrib["id"]] = gradient

    def gradient(self, element: ET.Element) -> LinearGradient | RadialGradient:
        keys = self._AXES.get(element.tag)
        if keys is None:
            raise self.refusal(f"its <defs> has a <{local_name(element)}>")
        self.check(element, {"id", "gradientUnits", *keys}, ())
        name = element.attrib["id"]
        if element.attrib["gradientUnits"] != "userSpaceOnUse":
            raise self.refusal(f"gradient {name} is not in the units of the user space")
        axis = [self.number(element.attrib[key], key) for key in keys]
        try:
            steps(np.array(axis))
        except ValueError as error:
            raise self.refusal(f"gradient {name}: {error}") from error
        stops = self.stops(element)
        if keys is _LINEAR and axis[:2] != axis[2:]:
            return LinearGradient((axis[0], axis[1]), (axis[2], axis[3]), stops)
        if keys is _RADIAL and axis[2] > 0.0:
            return RadialGradient((axis[0], axis[1]), axis[2], stops)
        raise self.refusal(f"gradient {name} has no length or radius")

    def stops(self, gradient: ET.Element) -> tuple[Stop, ...]:
        name = gradient.attrib["id"]
        if not 2 <= len(gradient) <= STOPS:
            raise self.refusal(f"gradient {name} has {len(gradient)} stops, not 2 to {STOPS}")
        stops: list[Stop] = []
        for child in gradient:
            if child.tag != f"{{{SVG}}}stop" or set(child.attrib) != {"offset", "stop-color"} or len(child):
                raise self.refusal(f"gradient {name} has more than stops of offset and stop-color")
            offset, colour = self.number(child.attrib["offset"], "offset"), child.attrib["stop-color"]
            if not (stops[-1].offset if stops else 0.0) <= offset <= 1.0:
                raise self.refusal(f"gradient {name} has offsets that fall or are not within 0..1")
            if not _COLOUR.fullmatch(colour):
                raise self.refusal(f"gradient {name} has a stop-color other than #rrggbb")
            stops.append(Stop(offset, *_channels(colour)))
        return tuple(stops)

    def number(self, text: str, key: str) -> float:
        if not re.fullmatch(NUMBER, text):
            raise self.refusal(f"{key} {text[:20]!r} is no plain number")
        return float(text)

    def check(self, element: ET.Element, needed: Collection[str], optional: Collection[str]) -> None:
        """Refuse missing, unknown or repeated things of an element; its id is known to be good afterwards."""
        kind, given = local_name(element), set(element.attrib)
        missing, unknown = set(needed) - given, given - set(needed) - set(optional)
        if missing or unknown:
            what = ", ".join(sorted(key.rpartition("}")[2] for key in missing or unknown))
            raise self.refusal(f"a <{kind}> {'lacks' if missing else 'has'} {what}")
        name = element.attrib["id"]
        if not _ID.fullmatch(name) or name in self.ids:
            raise self.refusal(f"id {name[:40]!r} is used twice or is no ASCII name")
        self.ids.add(name)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    """Return a number of JSON. ValueError for one that no float holds, which `write` could not write."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large")
    return value


def _depth(value: object) -> int:
    """Return how deep lists and objects are nested, without recursion."""
    depth, level = 0, [value]
    while level:
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        depth += 1
    return depth


def _channels(colour: str) -> tuple[float, float, float]:
    """Return red, green and blue of #rrggbb in 0..1."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue
