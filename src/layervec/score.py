"""How good any SVG is, ours or not, as a picture of an image and as a file to edit.

Trusts no SVG: each is parsed behind the guards of `svg.parse_xml`, loses every reference that leads out of
it, and is rendered by resvg, never by our own rasteriser. Knows nothing of how it was made; writes no file.

An SVG is rendered at exactly the size of the picture, whose longer side is brought to `longest`, both
on white. resvg holds Python's lock while it renders, so threads would not help; what helps is to render less
(see `_openings`).
"""

from __future__ import annotations

import io
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Set
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from layervec import contours, folders, metrics, pixel_art, visibility
from layervec.agreement import FOUND, Agreement, agreement
from layervec.errors import InputError
from layervec.files import reason
from layervec.image import Source, fit_size, open_picture, over, resize
from layervec.svg import (
    INKSCAPE,
    MAX_BYTES,
    MAX_DEPTH,
    SVG,
    XLINK,
    XML,
    escape_attribute,
    escape_text,
    local_name,
    parse_xml,
)
from layervec.types import Bool, Float32, Raster
from layervec.visibility import Missing

LONGEST = 512  # px; longer side of the comparison, DESIGN's size and that of the published figures
OPEN_LONGEST = 256  # px; openings are shares of the canvas, so a quarter of the pixels tells them well enough
# Drop of alpha at which a pixel counts as open. Where two shapes share an edge without overlap, antialiasing
# alone lets 1/4 through in the worst case (two halves of coverage: 1 - 1/2 - 1/4), which is no hole.
OPEN_DROP = 0.5
# Parts into which a set of layers that opens something is split. Where all of n open, halving would take 2 n
# renders and eighths 8/7 n; where one of 100 does, 15 against 18.
OPEN_SPLIT = 8
LEAST_COVER = 1 / 255  # alpha of a pixel that a shape covers at all
CROSSING_TOLERANCE = 0.002  # user units; how finely outlines are flattened before crossings are looked for
FIRST_RANKS = 4  # shapes; the first version that `by_rank` measures, doubled from there
# Canvas sides; largest number in geometry. Measured: resvg 0.48 aborts the process at 1e9 px, not at 1e8.
MOST_SIDES = 1e5
LEAST_LENGTH, MOST_LENGTH = 1e-6, 1e9  # user units; canvas sides whose ratios resvg's floats still hold
MAX_NODES = 250_000  # elements once every reference is followed; keeps chains of <use> from growing endlessly

_WHITE = "#ffffff"
_SHAPE_TAGS = frozenset({"path", "rect", "circle", "ellipse", "line", "polyline", "polygon"})
_UNDRAWN_TAGS = frozenset({"defs", "clipPath", "mask", "pattern", "symbol", "marker"})
_DEFINITION_TAGS = _UNDRAWN_TAGS | {"linearGradient", "radialGradient", "filter", "style"}
_GRADIENT_TAGS = frozenset({"linearGradient", "radialGradient"})
_FIXED_NODES = {"rect": 4, "circle": 4, "ellipse": 4, "line": 2}
_PIXELS = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "Q": 24 / 25.4}
_LENGTH = re.compile(r"\s*\+?([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)(px|pt|pc|in|cm|mm|Q)?\s*")
_RASTER_DATA = re.compile(r"\s*data:image/(png|jpe?g|gif|webp)[;,]", re.IGNORECASE)
_URL = re.compile(r"""url\(\s*['"]?#([^'")\s]+)""")
_NO_DISPLAY = re.compile(r"(^|;)\s*display\s*:\s*none", re.IGNORECASE)
_GEOMETRY = frozenset({"d", "points", "transform", "gradientTransform", "stroke-width"}) | frozenset(
    {"x", "y", "width", "height", "cx", "cy", "r", "rx", "ry", "x1", "y1", "x2", "y2"}
)
_PREFIXES = {SVG: "", XLINK: "xlink:", INKSCAPE: "inkscape:", XML: "xml:"}


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens when one layer alone is hidden: `share` is the part of the canvas, 0..1.

    `background` is True for the lowest top-level layer, which is expected to open something.
    """

    id: str
    label: str
    share: float
    background: bool


@dataclass(frozen=True, slots=True)
class Score:
    """Figures of one SVG against one picture; see `score` for what is counted how."""

    width: int  # px, of the comparison
    height: int  # px
    mse: float  # 0..1, sRGB-encoded values
    psnr: float  # dB; infinity for identical pictures
    ssim: float  # up to 1
    shapes: int
    nodes: int
    numbers: int  # in path data
    bytes: int
    layers: int
    depth: int  # of the nesting of layers
    by_rank: tuple[tuple[int, float], ...]  # (number of shapes shown, mse)
    opens: tuple[Opening, ...]  # parents first, back to front
    crossing: int | None = None  # paths whose outline crosses itself; None where none could be looked at
    objects: Agreement | None = None  # with masks of objects, None without
    explained: float = 1.0  # share of the picture's local contrast, at most 1; see `visibility.explained`
    missing: tuple[Missing, ...] = ()  # what a person would miss, the most visible first; see `visibility.missing`

    @property
    def opens_worst(self) -> float:
        """Largest share of the canvas, 0..1, that opens when a layer other than the background is hidden."""
        return max((opening.share for opening in self.opens if not opening.background), default=0.0)

    def table(self) -> list[tuple[str, str]]:
        """Return the figures as rows (name, value) to print."""
        ranks = ", ".join(f"{count}: {metrics.psnr_of_mse(mse):.2f}" for count, mse in self.by_rank)
        return [
            ("size", f"{self.width} x {self.height} px"),
            ("MSE", f"{self.mse:.6f}"),
            ("PSNR", f"{self.psnr:.2f} dB"),
            ("SSIM", f"{self.ssim:.4f}"),
            ("shapes", str(self.shapes)),
            ("nodes", str(self.nodes)),
            ("numbers", str(self.numbers)),
            ("file", f"{self.bytes / 1024:.1f} KiB"),
            ("layers", f"{self.layers}, nested {self.depth} deep"),
            ("PSNR by shapes", ranks or "no shapes"),
            ("crossing", "-" if self.crossing is None else f"{self.crossing} shapes cross themselves"),
            ("opens at worst", f"{100 * self.opens_worst:.2f} % of the canvas"),
            ("contrast shown", f"{100 * self.explained:.1f} %"),
            ("missing", self._missing_text()),
            *self._objects_table(),
        ]

    def _missing_text(self) -> str:
        if not self.missing:
            return "nothing that is seen"
        worst, count = self.missing[0], len(self.missing)
        regions = "1 region" if count == 1 else f"{count} regions"
        return f"{regions}, at worst {worst.area} px of contrast {worst.contrast:g} at {worst.x}, {worst.y}"

    def _objects_table(self) -> list[tuple[str, str]]:
        if self.objects is None:
            return []
        return [
            ("masks", f"{self.objects.masks} large enough to ask for"),
            ("mask recall", f"{self.objects.recall:.3f}"),
            (f"masks over {FOUND:g}", f"{100 * self.objects.found:.1f} %"),
            ("VeC", f"{100 * self.objects.vec:.1f} %"),
        ]

    def as_dict(self) -> dict[str, object]:
        """Return the figures as plain JSON data; an infinite PSNR becomes None."""
        return {
            "width": self.width,
            "height": self.height,
            "mse": self.mse,
            "psnr": self.psnr if math.isfinite(self.psnr) else None,
            "ssim": self.ssim,
            "shapes": self.shapes,
            "nodes": self.nodes,
            "numbers": self.numbers,
            "bytes": self.bytes,
            "kib": self.bytes / 1024,
            "layers": self.layers,
            "depth": self.depth,
            "by_rank": [{"shapes": count, "mse": mse} for count, mse in self.by_rank],
            "opens_worst": self.opens_worst,
            "opens": [asdict(opening) for opening in self.opens],
            "crossing": self.crossing,
            "objects": None if self.objects is None else asdict(self.objects),
            "explained": self.explained,
            "missing": [asdict(region) for region in self.missing],
        }


def score(svg: str | Path, image: Source, *, longest: int = LONGEST, masks: Path | None = None) -> Score:
    """Return the figures of an SVG against a picture.

    svg: a path, or SVG text (a string that starts with "<"). image: whatever `open_picture` takes.
    longest: px, the size that the longer side of the picture is brought to, by area filtering.
    masks: a folder of masks of objects, see `folders.masks`.

    - shapes: elements that draw (path, rect, circle, ellipse, line, polyline, polygon), each once, wherever
      they are not inside defs, a clip path, mask, pattern, symbol or marker; <use> repeats are not counted.
    - nodes: their nodes as an editor shows them. A contour that returns to its start has one a segment.
    - layers: groups that Inkscape shows as layers.
    - by_rank: the error of the first 4, 8, 16, ... shapes, by `data-rank`, shapes without one last in
      document order; the last entry is the whole drawing.
    - opens: for each layer, or for each top-level group where nothing is a layer, the share of pixels whose
      alpha falls by more than OPEN_DROP when that layer alone is hidden.
    - crossing: paths whose contours cross themselves or each other, touching left out; paths with arcs are left out.
    - explained, missing: what a person sees of the picture in the drawing, and what not; see visibility.py.
    - objects: see `agreement.Agreement`; a shape covers the pixels where it has at least half of its greatest alpha.

    InputError where the SVG or the picture is missing or cannot be used.
    """
    source, name = _load(svg)
    document = _Document(source, name)
    opened = open_picture(image, longest)
    picture = compared(opened.raster, longest)
    height, width = picture.shape[:2]
    asked = None if masks is None else folders.masks(masks, width, height, (opened.width, opened.height))
    shown = document.render(width, height, _WHITE)
    error = metrics.mse(shown, picture)
    ranked = document.shapes_by_rank()
    counts = [count_nodes(shape) for shape in ranked]
    layers = _layer_tree(document.root)
    return Score(
        width=width,
        height=height,
        mse=error,
        psnr=metrics.psnr_of_mse(error),
        ssim=metrics.ssim(shown, picture),
        shapes=len(ranked),
        nodes=sum(nodes for nodes, _ in counts),
        numbers=sum(numbers for _, numbers in counts),
        bytes=len(source if isinstance(source, bytes) else source.encode()),
        layers=sum(1 for group in layers for _ in group.walk()),
        depth=max((group.depth() for group in layers), default=0),
        by_rank=_by_rank(document, ranked, picture, error),
        opens=_openings(document, layers or _top_groups(document.root), width, height),
        crossing=_crossing(ranked),
        objects=None if asked is None else _agreement(document, folders.pixels_of(asked, height, width)),
        explained=visibility.explained(picture, shown),
        missing=tuple(visibility.missing(picture, shown)),
    )


def _agreement(document: _Document, masks: Bool) -> Agreement:
    """Compare masks, bool [m, h, w], with the shapes and groups of a document."""
    height, width = masks.shape[1:]
    shapes = list(_shapes(document.root))
    place = {shape: i for i, shape in enumerate(shapes)}

    def wholes() -> Iterator[Bool]:
        for shape in shapes:
            alpha = document.render(width, height, None, frozenset(shapes) - {shape})[..., 3]
            yield alpha >= max(float(alpha.max()) / 2, LEAST_COVER)

    groups = document.root.iter(f"{{{SVG}}}g")
    layers = [[place[shape] for shape in _shapes(group) if shape in place] for group in groups]
    return agreement(masks, wholes(), layers)


def compared(raster: Raster, longest: int = LONGEST) -> Float32:
    """Return a picture as `score` sees it, its longer side `longest` px, on white: float32 [h, w, 3].

    Pixel art grows in squares, other pictures smoothly.
    """
    scale = longest / max(raster.width, raster.height)
    width, height = max(1, round(raster.width * scale)), max(1, round(raster.height * scale))
    if scale > 1 and pixel_art.squares(raster) is not None:
        step = math.ceil(scale)
        raster = Raster(raster.pixels.repeat(step, axis=0).repeat(step, axis=1))
    return over(resize(raster, width, height))


def render_svg(
    svg: str | bytes, width: int, height: int, background: str | None = _WHITE, *, name: str = "The SVG"
) -> Float32:
    """Return SVG text as pixels of exactly width x height, stretched where its own proportions differ.

    Colours are sRGB-encoded in 0..1: float32 [h, w, 3] over a CSS colour, or [h, w, 4] with straight alpha
    where `background` is None. Nothing outside the text is loaded. InputError, naming `name`, where the text
    is no usable SVG.
    """
    return _Document(svg, name).render(width, height, background)


def only(svg: str | bytes, keep: int | Callable[[ET.Element], bool], *, name: str = "The SVG") -> str:
    """Return SVG text with some shapes left out: the first `keep` by rank stay, or those that it accepts.

    Order of ranks as in `score`. References to other files are dropped too. InputError as in `render_svg`.
    """
    document = _Document(svg, name)
    ranked = document.shapes_by_rank()
    kept = ranked[: max(keep, 0)] if isinstance(keep, int) else filter(keep, ranked)
    return _text(document.root, frozenset(ranked).difference(kept))


def _load(svg: str | Path) -> tuple[str | bytes, str]:
    """Return the content of an SVG and what messages call it."""
    if isinstance(svg, str) and svg.lstrip("\ufeff \t\r\n").startswith("<"):
        return svg, "The SVG"
    path = Path(svg)
    try:
        if path.stat().st_size > MAX_BYTES:  # before reading it
            raise InputError(f"{path} is larger than {MAX_BYTES >> 20} MiB, too large for an SVG.")
        return path.read_bytes(), str(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}.") from error
    except ValueError as error:  # a path with a null byte
        raise InputError(f"{str(path)!r} cannot be read: {error}.") from error


def _by_rank(
    document: _Document, ranked: list[ET.Element], picture: Float32, error: float
) -> tuple[tuple[int, float], ...]:
    """Return (shapes, mse) of the first 4, 8, 16, ... shapes; `error` is that of the whole drawing."""
    height, width = picture.shape[:2]
    rows = []
    count = FIRST_RANKS
    while count < len(ranked):
        shown = document.render(width, height, _WHITE, frozenset(ranked[count:]))
        rows.append((count, metrics.mse(shown, picture)))
        count *= 2
    return (*rows, (len(ranked), error)) if ranked else ()


# Documents


class _Document:
    """A parsed SVG that is safe to render: it refers to nothing outside and unfolds to a bounded size."""

    def __init__(self, source: str | bytes, name: str) -> None:
        self.name = name
        self.root = parse_xml(source, name)
        _drop_references(self.root)
        _refuse_linking_styles(self.root, name)
        _refuse_endless_references(self.root, name)
        self._fonts = any(local_name(element) == "text" for element in self.root.iter())
        view = _view_box(self.root, name)
        _refuse_far_coordinates(self.root, MOST_SIDES * max(view[2:]), name)
        self.root.attrib["viewBox"] = " ".join(f"{value:.9g}" for value in view)
        self.root.attrib["preserveAspectRatio"] = "none"

    def render(self, width: int, height: int, background: str | None, hidden: Set[ET.Element] = frozenset()) -> Float32:
        """Return the pixels without the hidden elements; see `render_svg`."""
        import resvg_py  # on use, so that importing layervec stays light
        from PIL import Image

        self.root.attrib.update(width=str(width), height=str(height))
        try:
            png = resvg_py.svg_to_bytes(
                svg_string=_text(self.root, hidden), background=background, skip_system_fonts=not self._fonts
            )
        except BaseException as error:
            # A panic of the renderer is no Exception, yet it is the file's fault and must not end a server.
            if not isinstance(error, ValueError) and type(error).__name__ != "PanicException":
                raise
            raise InputError(f"{self.name} cannot be rendered: {error}.") from error
        with Image.open(io.BytesIO(png)) as picture:
            pixels = np.asarray(picture.convert("RGBA" if background is None else "RGB"), dtype=np.float32)
        return pixels / np.float32(255)

    def shapes_by_rank(self) -> list[ET.Element]:
        """Return the drawn shapes, the most important first, as `score` orders them."""
        shapes = list(_shapes(self.root))
        return sorted(shapes, key=_rank)  # stable: document order where ranks are equal or missing


def _shapes(element: ET.Element) -> Iterator[ET.Element]:
    """Yield the drawn shapes in and below an element, in document order."""
    if _is_hidden(element) or local_name(element) in _UNDRAWN_TAGS:
        return
    if local_name(element) in _SHAPE_TAGS:
        yield element
    for child in element:
        yield from _shapes(child)


def _is_hidden(element: ET.Element) -> bool:
    return element.get("display") == "none" or bool(_NO_DISPLAY.search(element.get("style", "")))


def _rank(shape: ET.Element) -> float:
    text = shape.get("data-rank", "")
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else math.inf


def _text(root: ET.Element, hidden: Set[ET.Element]) -> str:
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


# Guards


def _drop_references(root: ET.Element) -> None:
    """Remove links out of the document: resvg would load local files through <image> and <feImage>.

    In whatever namespace: resvg takes those of XLink and SVG for the same.
    """
    for element in root.iter():
        for key in [key for key in element.attrib if _is_link(key)]:
            link = element.attrib[key]
            if not link.startswith("#") and not _RASTER_DATA.match(link):
                del element.attrib[key]


def _is_link(key: str) -> bool:
    """Tell whether an attribute, named as ElementTree does, is a reference."""
    return key.rpartition("}")[2] == "href"


def _refuse_linking_styles(root: ET.Element, name: str) -> None:
    """Raise InputError for style sheets that refer to more than gradients, as any element may be meant by a rule.

    A chain of patterns, masks or filters through style sheets could not be followed here, and resvg would not survive.
    """
    kinds = {element.get("id", ""): local_name(element) for element in root.iter()}
    for element in root.iter():
        if local_name(element) == "style":
            text = "".join(element.itertext())
            links = _URL.findall(text)
            plain = {kinds.get(link, "linearGradient") for link in links} <= _GRADIENT_TAGS
            if "\\" in text or not plain or len(links) < text.lower().count("url"):
                raise InputError(f"{name} is refused: its style sheet refers to more than gradients.")


def _refuse_endless_references(root: ET.Element, name: str) -> None:
    """Raise InputError for references that go round, nest deeper than MAX_DEPTH or unfold beyond MAX_NODES.

    resvg overflows the stack on long chains, which no exception handler survives.
    """
    targets: dict[str, ET.Element] = {}
    for element in root.iter():
        targets.setdefault(element.get("id", ""), element)
    open_elements: set[ET.Element] = set()
    known: dict[ET.Element, tuple[int, int]] = {}  # height and number of elements, references followed

    def measure(element: ET.Element, depth: int) -> tuple[int, int]:
        if element in open_elements:
            label = element.get("id", "")[:40]
            raise InputError(f"{name} is refused: its element {label!r} refers to itself.")
        if element not in known:
            if depth > MAX_DEPTH:
                raise InputError(f"{name} is refused: its references are nested deeper than {MAX_DEPTH}.")
            open_elements.add(element)
            height, nodes = 0, 1
            for part in (*element, *(targets[link] for link in _links(element) if link in targets)):
                part_height, part_nodes = measure(part, depth + 1)
                height, nodes = max(height, part_height), nodes + part_nodes
            open_elements.remove(element)
            known[element] = height + 1, nodes
        height, nodes = known[element]
        if depth + height > MAX_DEPTH + 1:
            raise InputError(f"{name} is refused: its references are nested deeper than {MAX_DEPTH}.")
        if nodes > MAX_NODES:
            raise InputError(f"{name} is refused: it unfolds to more than {MAX_NODES} elements.")
        return height, nodes

    measure(root, 1)


def _refuse_far_coordinates(root: ET.Element, limit: float, name: str) -> None:
    """Raise InputError for numbers in geometry beyond `limit` user units.

    Catches every single number; many relative steps or nested scales could still add up to what resvg cannot
    take. Whoever must survive that too renders in a process of its own.
    """
    for element in root.iter():
        for key in _GEOMETRY.intersection(element.attrib):
            if any(abs(float(word)) > limit for word in _NUMBER.findall(element.attrib[key])):
                raise InputError(f"{name} is refused: a <{local_name(element)}> has coordinates beyond bounds.")


def _links(element: ET.Element) -> Iterator[str]:
    """Yield the ids that an element draws with; hyperlinks and animations draw nothing."""
    if local_name(element) in ("a", "animate", "animateMotion", "animateTransform", "set"):
        return
    for key, value in element.attrib.items():
        if _is_link(key):
            yield value[1:]
        elif "url(" in value:
            yield from _URL.findall(value)


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
    match = _LENGTH.fullmatch(text or "")
    if match is None:
        return None
    length = float(match[1]) * _PIXELS[match[2] or "px"]
    return length if math.isfinite(length) else None


# Layers


@dataclass(frozen=True, slots=True)
class _Group:
    """A layer and the layers in it."""

    element: ET.Element
    children: tuple[_Group, ...] = ()

    def walk(self) -> Iterator[_Group]:
        yield self
        for child in self.children:
            yield from child.walk()

    def depth(self) -> int:
        return 1 + max((child.depth() for child in self.children), default=0)


def _layer_tree(element: ET.Element) -> list[_Group]:
    """Return the Inkscape layers below an element, back to front; groups in between are looked through."""
    groups = []
    for child in element:
        if child.tag != f"{{{SVG}}}g":
            continue
        inner = _layer_tree(child)
        if child.get(f"{{{INKSCAPE}}}groupmode") == "layer":
            groups.append(_Group(child, tuple(inner)))
        else:
            groups.extend(inner)
    return groups


def _top_groups(root: ET.Element) -> list[_Group]:
    return [_Group(child) for child in root if child.tag == f"{{{SVG}}}g"]


def _openings(document: _Document, layers: list[_Group], width: int, height: int) -> tuple[Opening, ...]:
    """Return what opens when each layer alone is hidden, parents first.

    Hiding more never makes a pixel more opaque, so where a set of layers hidden together opens nothing, none
    of them does, nor does any layer inside them. That is the usual case, so sets are tried first and split
    only where something opens.
    """
    size = fit_size(width, height, OPEN_LONGEST)
    whole = document.render(*size, None)[..., 3]
    shares: dict[ET.Element, float] = {}

    def measure(groups: list[_Group]) -> None:
        if not groups:
            return
        alpha = document.render(*size, None, frozenset(group.element for group in groups))[..., 3]
        share = float(np.mean(whole - alpha > OPEN_DROP))
        if share == 0.0:
            return
        if len(groups) == 1:
            shares[groups[0].element] = share
            measure(list(groups[0].children))
            return
        step = math.ceil(len(groups) / OPEN_SPLIT)
        for start in range(0, len(groups), step):
            measure(groups[start : start + step])

    measure(layers[:1])
    measure(layers[1:])
    found = [group.element for layer in layers for group in layer.walk()]
    return tuple(
        Opening(
            id=element.get("id", ""),
            label=element.get(f"{{{INKSCAPE}}}label") or element.get("id") or f"group {number}",
            share=shares.get(element, 0.0),
            background=element is layers[0].element,
        )
        for number, element in enumerate(found, 1)
    )


# Nodes


# A letter, what may be its numbers, and what is neither: rubbish, up to the next letter.
_COMMAND = re.compile(r"([MmZzLlHhVvCcSsQqTtAa])([-+0-9.eE\s,]*)([^MmZzLlHhVvCcSsQqTtAa]*)")
_NUMBER_TEXT = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_NUMBER = re.compile(_NUMBER_TEXT)
# The two flags of an arc are single digits that need no separator: "a1 1 0 0150 50" goes to (50, 50).
_ARC = re.compile(r"[\s,]*".join([f"({_NUMBER_TEXT})"] * 3 + ["([01])"] * 2 + [f"({_NUMBER_TEXT})"] * 2))
_ARGUMENTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}


def count_nodes(shape: ET.Element) -> tuple[int, int]:
    """Return the nodes of a shape element, and the numbers in its path data (0 for other shapes)."""
    tag = local_name(shape)
    if tag == "path":
        return count_path(shape.get("d", ""))
    if tag in _FIXED_NODES:
        return _FIXED_NODES[tag], 0
    return len(_NUMBER.findall(shape.get("points", ""))) // 2, 0


def count_path(data: str) -> tuple[int, int]:
    """Return the nodes and the numbers of any SVG path data.

    A contour has one node a segment and one more for its start, unless it returns there. A lone M has none.
    As viewers do, whatever follows an incomplete command is cut off with it.
    """
    nodes = numbers = 0
    here = start = 0j
    drawn = 0  # segments of the contour so far
    for letter, values in path_steps(data):
        numbers += len(values)
        kind = letter.upper()
        origin = here if letter.islower() else 0j
        if kind in "MZ":
            nodes += _contour_nodes(drawn, here, start, closed=kind == "Z")
            drawn = 0
            here = start = origin + complex(*values) if kind == "M" else start
            continue
        drawn += 1
        if kind == "H":
            here = complex(origin.real + values[0], here.imag)
        elif kind == "V":
            here = complex(here.real, origin.imag + values[0])
        else:
            here = origin + complex(*values[-2:])
    return nodes + _contour_nodes(drawn, here, start, closed=False), numbers


def _crossing(shapes: list[ET.Element]) -> int | None:
    """Return how many path elements cross themselves; None where there is none to look at."""
    from layervec import curves

    found = [contours.outline(path_steps(shape.get("d", ""))) for shape in shapes if local_name(shape) == "path"]
    outlines = [outline for outline in found if outline is not None and outline.segments]
    return int((curves.self_crossings(outlines, CROSSING_TOLERANCE) > 0).sum()) if outlines else None


def _contour_nodes(drawn: int, here: complex, start: complex, *, closed: bool) -> int:
    """Return the nodes of a contour of `drawn` segments that ends at `here`."""
    if not drawn:
        return 0
    return drawn if contours.same_point(here, start) else drawn + 1


def path_steps(data: str) -> Iterator[tuple[str, list[float]]]:
    """Yield the commands of path data one segment at a time, repeated letters filled in."""
    if not data.lstrip().startswith(("M", "m")):
        return
    for letter, text, rubbish in _COMMAND.findall(data):
        need = _ARGUMENTS[letter.upper()]
        if not need:
            yield letter, []
            continue
        words = [word for arc in _ARC.findall(text) for word in arc] if need == 7 else _NUMBER.findall(text)
        values = [float(word) for word in words]
        for at in range(0, len(values) - need + 1, need):
            yield letter, values[at : at + need]
            letter = {"M": "L", "m": "l"}.get(letter, letter)
        if rubbish or not values or len(values) % need:
            return
