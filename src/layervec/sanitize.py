"""What a stranger's SVG may hold: an allow-list of elements, attributes and CSS, by their expanded names.

`sanitize` takes out of a parsed document what is not on the list and returns in words what was left out, so that it can
be told; it refuses what would not end or not fit. What stays refers to nothing but elements of the document. Knows
nothing of pixels: whether what is left fits into memory and time is for render_process.py.

Editors' own attributes and elements (of a namespace other than SVG's) draw nothing and are left out without a word.
CSS is read here and written anew, so that the renderer sees exactly what was let through.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator

from layervec.errors import InputError, printable
from layervec.svg import INKSCAPE, MAX_DEPTH, SVG, XLINK, XML, local_name

MAX_NODES = 250_000  # elements once every reference is followed; keeps chains of <use> from growing endlessly
# Canvas sides; largest number in geometry. Measured: resvg 0.48 aborts the process at 1e9 px, not at 1e8.
MOST_SIDES = 1e5
MOST_TILE = 16.0  # canvas sides, or sides of what is filled; a pattern's tile is painted whole, seen or not
MOST_PRIMITIVES = 16  # steps of one filter; a drop shadow has 5
MOST_TOLD = 12  # kinds of things left out that are named
LONGEST_NAME = 40  # characters of a stranger's name that are repeated


def names(text: str) -> frozenset[str]:
    """Return the words of a text, as lists of names are written here."""
    return frozenset(text.split())


GRADIENTS = frozenset({"linearGradient", "radialGradient"})
_PRIMITIVES = names(
    """
    feGaussianBlur feOffset feFlood feBlend feComposite feMerge feMergeNode feColorMatrix feComponentTransfer
    feFuncR feFuncG feFuncB feFuncA feDropShadow
    """
)
_ELEMENTS = GRADIENTS | names(
    """
    svg g defs path rect circle ellipse line polyline polygon use symbol stop clipPath mask pattern marker image
    text tspan textPath style title desc metadata a switch filter
    """
)
# Properties that may stand in CSS as well as in attributes of their own.
_PROPERTIES = names(
    """
    alignment-baseline baseline-shift clip-path clip-rule color color-interpolation color-interpolation-filters
    color-rendering cursor direction display dominant-baseline enable-background fill fill-opacity fill-rule filter
    flood-color flood-opacity font font-family font-kerning font-size font-size-adjust font-stretch font-style
    font-variant font-weight image-rendering isolation letter-spacing line-height marker marker-end marker-mid
    marker-start mask mask-type mix-blend-mode opacity overflow paint-order pointer-events shape-rendering
    stop-color stop-opacity stroke stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin
    stroke-miterlimit stroke-opacity stroke-width text-align text-anchor text-decoration text-indent text-rendering
    text-transform transform transform-origin unicode-bidi vector-effect visibility white-space word-spacing
    writing-mode
    """
)
_ATTRIBUTES = _PROPERTIES | names(
    """
    baseProfile class clipPathUnits cx cy d dx dy fr fx fy gradientTransform gradientUnits height id in in2 k1 k2 k3
    k4 lang lengthAdjust markerHeight markerUnits markerWidth maskContentUnits maskUnits media method mode offset
    operator orient pathLength patternContentUnits patternTransform patternUnits points preserveAspectRatio
    primitiveUnits r refX refY requiredExtensions requiredFeatures result role rotate rx ry slope spacing
    spreadMethod startOffset stdDeviation style systemLanguage tabindex tableValues amplitude exponent intercept
    textLength title type values version viewBox width x x1 x2 y y1 y2 filterUnits filterRes zoomAndPan
    """
)
_NAMED = frozenset(
    {f"{{{XLINK}}}href", f"{{{INKSCAPE}}}groupmode", f"{{{INKSCAPE}}}label", f"{{{XML}}}space", f"{{{XML}}}lang"}
)
_FREE = ("data-", "aria-")  # attributes that anybody may make up, and that draw nothing
_TEXTS = frozenset({"id", "class", "title", "lang", "role", "style", "d", "points"})  # never a reference or a function
_FUNCTIONS = names(
    """
    url rgb rgba hsl hsla matrix translate translatex translatey scale scalex scaley rotate skewx skewy
    """
)
_LENGTHS = names(
    """
    d points transform gradientTransform patternTransform stroke-width x y width height cx cy r rx ry x1 y1 x2 y2 fx
    fy fr dx dy refX refY markerWidth markerHeight font-size stroke-dasharray stroke-dashoffset letter-spacing
    word-spacing stdDeviation textLength startOffset viewBox stroke-miterlimit baseline-shift font filterRes
    """
)
_MARKERS = frozenset({"marker", "marker-start", "marker-mid", "marker-end"})

_RASTER_DATA = re.compile(r"\s*data:image/(png|jpe?g|gif|webp)[;,]", re.IGNORECASE)
_URL = re.compile(r"""url\(\s*(['"]?)#([^'"()\\\s]+)\1\s*\)""", re.IGNORECASE)
_FUNCTION = re.compile(r"(?<![\w-])[\w-]*\Z")
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_AT_BLOCK = re.compile(r"@[\w-]*[^{};]*(?:;|\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}|\Z)")
_SELECTOR = re.compile(r"""[\w\s.#:>*,+~()\[\]="'^$|-]+""")
_VALUE = re.compile(r"""[\w\s#.,%()+*/'"!-]*""")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def sanitize(root: ET.Element, name: str) -> tuple[str, ...]:
    """Reduce a document to what is allowed, in place; return what was left out that may have been seen, in words.

    InputError, naming `name`, for style sheets that refer to more than gradients and for references that go round,
    nest deeper than MAX_DEPTH or unfold beyond MAX_NODES. Bounds of numbers: see `refuse_far_numbers`.
    """
    left_out: Counter[str] = Counter()
    _keep_allowed(root, left_out)
    _drop_filters(root, left_out)
    _clean_style_sheets(root, name, left_out)
    _refuse_endless_references(root, name)
    named = [what if count == 1 else f"{what} ({count} times)" for what, count in left_out.most_common(MOST_TOLD)]
    rest = len(left_out) - len(named)
    return (*named, f"{rest} more kinds of things") if rest else tuple(named)


def refuse_far_numbers(root: ET.Element, side: float, name: str) -> None:
    """Raise InputError for numbers in geometry beyond MOST_SIDES sides, and for views and tiles beyond bounds.

    side: user units; the longer side of the canvas. Catches every single number; many relative steps or nested scales
    could still add up to what a renderer cannot take.
    """
    for element in root.iter():
        kind = local_name(element)
        for value in _geometry(element):
            if any(not abs(float(word)) <= MOST_SIDES * side for word in _NUMBER.findall(value)):
                raise InputError(f"{name} is refused: a <{kind}> has coordinates beyond bounds.")
        if element is not root and "viewBox" in element.attrib:
            sides = _NUMBER.findall(element.attrib["viewBox"])[2:]
            if any(float(word) * MOST_SIDES < side for word in sides):
                raise InputError(f"{name} is refused: a <{kind}> has a viewBox beyond bounds.")
        if kind == "pattern":
            _refuse_large_tile(element, side, name)


def links(element: ET.Element) -> Iterator[tuple[str, str]]:
    """Yield attribute and id of what an element draws with. Of a document that was sanitized."""
    for key, value in element.attrib.items():
        if _is_link(key):
            if value.startswith("#"):
                yield key, value[1:]
        elif key == "style":
            for property_, text in _declarations(value):
                yield from ((property_, match[2]) for match in _URL.finditer(text))
        elif key not in _TEXTS:
            yield from ((key, match[2]) for match in _URL.finditer(value))


# Elements and attributes


def _keep_allowed(root: ET.Element, left_out: Counter[str]) -> None:
    """Take out elements and attributes that are not on the list; the text that followed an element stays."""
    waiting = [root]
    while waiting:
        element = waiting.pop()
        _keep_attributes(element, left_out)
        children = list(element)
        kept: list[ET.Element] = []
        for child in children:
            kind = local_name(child)
            ours = child.tag == f"{{{SVG}}}{kind}"
            if ours and (kind in _ELEMENTS or kind.startswith("fe")):  # a filter of other steps goes as a whole
                kept.append(child)
                continue
            if ours:
                left_out[f"<{_told(kind)}>"] += 1
            _join_text(element, kept, child.tail)
        if len(kept) < len(children):
            element[:] = kept
        waiting += kept


def _join_text(parent: ET.Element, before: list[ET.Element], text: str | None) -> None:
    if text and before:
        before[-1].tail = (before[-1].tail or "") + text
    elif text:
        parent.text = (parent.text or "") + text


def _keep_attributes(element: ET.Element, left_out: Counter[str]) -> None:
    for key in list(element.attrib):
        value = element.attrib.pop(key)
        kept: str | None = None
        if _is_link(key):
            kept = _kept_link(element, key, value, left_out)
        elif key == "style":
            kept = _kept_declarations(value, left_out)
        elif key in _ATTRIBUTES:
            kept = value if key in _TEXTS else _kept_value(key, value, left_out)
        elif key in _NAMED or key.startswith(_FREE):
            kept = value
        elif not key.startswith("{") and not local_name(element).startswith("fe"):  # a step of an unknown kind goes
            left_out[f"the attribute {_told(key)}"] += 1
        if kept is not None:
            element.attrib[key] = kept


def _kept_link(element: ET.Element, key: str, link: str, left_out: Counter[str]) -> str | None:
    """Return a link within the document, or a picture that it holds; None for all others.

    resvg would load local files, and takes the `href` of any namespace. A hyperlink draws nothing.
    """
    if local_name(element) == "a":
        return None
    if key in ("href", f"{{{XLINK}}}href"):
        link = link.strip()
        if link.startswith("#") or (local_name(element) == "image" and _RASTER_DATA.match(link)):
            return link
    left_out["a link out of the file"] += 1
    return None


def _is_link(key: str) -> bool:
    """Tell whether an attribute, named as ElementTree does, is a reference."""
    return key.rpartition("}")[2].lower() == "href"


def _told(name: str) -> str:
    return printable(name[:LONGEST_NAME])


# CSS


def _kept_value(key: str, value: str, left_out: Counter[str]) -> str | None:
    """Return a value with its references spelt in one way, None where it refers out of the document or to who knows."""
    if "(" not in value and "\\" not in value:
        return value
    # No expression is let loose on the whole, as a long one could take time by its square.
    before = [part.rstrip()[-LONGEST_NAME:].lower() for part in value.split("(")[:-1]]
    calls = [found[0] for found in map(_FUNCTION.search, before) if found]
    spelt, links_ = _URL.subn(r"url(#\2)", value)
    if "\\" in value or not _FUNCTIONS.issuperset(calls) or links_ != calls.count("url"):
        left_out[f"a value of {_told(key)}"] += 1
        return None
    return spelt


def _declarations(text: str) -> Iterator[tuple[str, str]]:
    """Yield property and value of CSS declarations without comments."""
    for part in _COMMENT.sub(" ", text).split(";"):
        property_, colon, value = part.partition(":")
        if colon:
            yield property_.strip().lower(), value.strip()


def _kept_declarations(text: str, left_out: Counter[str]) -> str:
    """Return CSS declarations of known properties with harmless values, written anew."""
    kept = []
    for property_, value in _declarations(text):
        if property_ not in _PROPERTIES:
            if not property_.startswith("-"):  # those are a program's own
                left_out[f"the property {_told(property_)}"] += 1
            continue
        balanced = value.count("(") == value.count(")") and value.count('"') % 2 == value.count("'") % 2 == 0
        if not _VALUE.fullmatch(value) or not balanced:
            left_out[f"a value of {property_}"] += 1
            continue
        spelt = _kept_value(property_, value, left_out)
        if spelt is not None:
            kept.append(f"{property_}:{spelt}")
    return ";".join(kept)


def _clean_style_sheets(root: ET.Element, name: str, left_out: Counter[str]) -> None:
    """Write style sheets anew. Raise InputError where one refers to more than gradients, as any element may be meant.

    A chain of patterns, masks or filters through style sheets could not be followed here.
    """
    kinds = {element.get("id", ""): local_name(element) for element in root.iter()}
    for element in root.iter(f"{{{SVG}}}style"):
        text = _COMMENT.sub(" ", "".join(element.itertext()))
        text, blocks = _AT_BLOCK.subn(" ", text) if "\\" not in text else (text, 0)
        if blocks:  # such as @import and @font-face
            left_out["an @ rule of a style sheet"] += blocks
        targets = [match[2] for match in _URL.finditer(text)]
        plain = {kinds.get(target, "linearGradient") for target in targets} <= GRADIENTS
        if "\\" in text or not plain or len(targets) < text.lower().count("url"):
            raise InputError(f"{name} is refused: its style sheet refers to more than gradients.")
        element[:] = []
        element.text = "".join(_kept_rules(text, left_out))


def _rules(text: str) -> Iterator[tuple[str, str]]:
    """Yield selectors and declarations of a style sheet that has no @ rules."""
    for part in text.split("}"):
        selector, brace, body = part.partition("{")
        if brace:
            yield selector, body


def _kept_rules(text: str, left_out: Counter[str]) -> Iterator[str]:
    for selector, body in _rules(text):
        if not _SELECTOR.fullmatch(selector):
            left_out["a rule of a style sheet"] += 1
            continue
        declarations = _kept_declarations(body, left_out)
        if declarations:
            yield f"{selector.strip()}{{{declarations}}}"


# Filters


def _drop_filters(root: ET.Element, left_out: Counter[str]) -> None:
    """Take out filters of unknown kinds or many steps and each use of them, so that what they altered is drawn bare."""
    taken = {f.get("id", "") for f in root.iter(f"{{{SVG}}}filter") if _is_small_filter(f)}
    for parent in root.iter():
        filters = [c for c in parent if local_name(c) == "filter" and not _is_small_filter(c)]
        for child in filters:
            parent.remove(child)
    for element in root.iter():
        value = element.get("filter", "none")
        if value != "none" and not _names_one(value, taken):
            del element.attrib["filter"]
            left_out["a filter"] += 1
        style = element.get("style", "")
        if "filter" in style:
            kept = [(k, v) for k, v in _declarations(style) if k != "filter" or v == "none" or _names_one(v, taken)]
            if len(kept) < len(list(_declarations(style))):
                left_out["a filter"] += 1
            element.attrib["style"] = ";".join(f"{k}:{v}" for k, v in kept)


def _names_one(value: str, ids: set[str]) -> bool:
    match = _URL.fullmatch(value.strip())
    return match is not None and match[2] in ids


def _is_small_filter(element: ET.Element) -> bool:
    return len(element) <= MOST_PRIMITIVES and all(local_name(child) in _PRIMITIVES for child in element)


# Bounds


def _geometry(element: ET.Element) -> Iterator[str]:
    """Yield the values of attributes and declarations of an element whose numbers are lengths or factors."""
    for key, value in element.attrib.items():
        if key in _LENGTHS:
            yield value
        elif key == "style":
            yield from (v for k, v in _declarations(value) if k in _LENGTHS)
    if local_name(element) == "style":
        for _, body in _rules(element.text or ""):
            yield from (v for k, v in _declarations(body) if k in _LENGTHS)


def _refuse_large_tile(pattern: ET.Element, side: float, name: str) -> None:
    """Raise InputError for a pattern whose tile alone is larger than MOST_TILE canvases or filled things."""
    unit = side if pattern.get("patternUnits") == "userSpaceOnUse" else 1.0
    for key in ("width", "height"):
        text = pattern.get(key, "0")
        share = 100.0 if text.strip().endswith("%") else unit
        if any(abs(float(word)) > MOST_TILE * share for word in _NUMBER.findall(text)):
            raise InputError(f"{name} is refused: a <pattern> has tiles beyond bounds.")


def _refuse_endless_references(root: ET.Element, name: str) -> None:
    """Raise InputError for references that go round, nest deeper than MAX_DEPTH or unfold beyond MAX_NODES.

    resvg overflows the stack on long chains, which no exception handler survives.
    """
    targets: dict[str, ET.Element] = {}
    for element in root.iter():
        targets.setdefault(element.get("id", ""), element)
    open_elements: set[ET.Element] = set()
    known: dict[ET.Element, tuple[int, int]] = {}  # height and number of elements, references followed

    def parts(element: ET.Element) -> Iterator[tuple[ET.Element, int]]:
        """Yield what an element is drawn with and how often."""
        yield from ((child, 1) for child in element)
        for key, target in links(element):
            if target in targets:
                yield targets[target], _corners(element) if key in _MARKERS else 1

    def measure(element: ET.Element, depth: int) -> tuple[int, int]:
        if element in open_elements:
            label = _told(element.get("id", ""))
            raise InputError(f"{name} is refused: its element {label!r} refers to itself.")
        if element not in known:
            if depth > MAX_DEPTH:
                raise InputError(f"{name} is refused: its references are nested deeper than {MAX_DEPTH}.")
            open_elements.add(element)
            height, nodes = 0, 1
            for part, times in parts(element):
                part_height, part_nodes = measure(part, depth + 1)
                height, nodes = max(height, part_height), nodes + part_nodes * times
            open_elements.remove(element)
            known[element] = height + 1, nodes
        height, nodes = known[element]
        if depth + height > MAX_DEPTH + 1:
            raise InputError(f"{name} is refused: its references are nested deeper than {MAX_DEPTH}.")
        if nodes > MAX_NODES:
            raise InputError(f"{name} is refused: it unfolds to more than {MAX_NODES} elements.")
        return height, nodes

    measure(root, 1)


def _corners(element: ET.Element) -> int:
    """Return at least as many as a shape has nodes, each of which may get a marker; a group may hold any shape."""
    shapes = [element] if len(element) == 0 else list(element.iter())
    return sum(2 + len(_NUMBER.findall(shape.get("d", "") + " " + shape.get("points", ""))) for shape in shapes)
