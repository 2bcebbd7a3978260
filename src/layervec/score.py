"""How good any SVG is, ours or not, as a picture of an image and as a file to edit.

Trusts no SVG (see document.py). Knows nothing of how it was made; writes no file.

An SVG is rendered at exactly the size of the picture, whose longer side is brought to `longest`, both
on white. resvg holds Python's lock while it renders, so threads would not help; what helps is to render less
(see openings.py).
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from layervec import contours, folders, metrics, pixel_art, visibility
from layervec.agreement import FOUND, Agreement, agreement
from layervec.document import Document, drawn_shapes, text_of
from layervec.errors import InputError
from layervec.files import reason
from layervec.image import Picture, Source, open_picture, over, resize
from layervec.openings import Opening, layer_tree, openings, top_groups
from layervec.svg import MAX_BYTES, SVG, local_name
from layervec.types import Bool, Float32, Outline, Raster
from layervec.visibility import Missing

LONGEST = 512  # px; longer side of the comparison, DESIGN's size and that of the published figures
LEAST_COVER = 1 / 255  # alpha of a pixel that a shape covers at all
CROSSING_TOLERANCE = 0.002  # user units; how finely outlines are flattened before crossings are looked for
# Pieces of a flattened path, and of paths looked at together: time may grow with their square (measured: 40 000 that
# all lie across each other take 8 s), and no signal is heard meanwhile. The paths of our examples have up to 800.
MOST_PIECES = 60_000
FIRST_RANKS = 4  # shapes; the first version that `by_rank` measures, doubled from there

_WHITE = "#ffffff"
_FIXED_NODES = {"rect": 4, "circle": 4, "ellipse": 4, "line": 2}


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
    left_out: tuple[str, ...] = ()  # of the SVG, and not rendered, in words; see sanitize.py

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
            *([("left out", "; ".join(self.left_out))] if self.left_out else []),
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
            "left_out": list(self.left_out),
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
    - crossing: paths whose contours cross themselves or each other, touching left out; paths with arcs are left out,
      and those of more than MOST_PIECES pieces.
    - explained, missing: what a person sees of the picture in the drawing, and what not; see visibility.py. Of a
      smaller picture at its own size.
    - left_out: what the SVG has that is neither rendered nor counted, such as links out of the file and scripts.
    - objects: see `agreement.Agreement`; a shape covers the pixels where it has at least half of its greatest alpha.

    InputError where the SVG or the picture is missing or cannot be used.
    """
    source, name = _load(svg)
    with Document(source, name) as document:
        size = len(source if isinstance(source, bytes) else source.encode())
        return _measured(document, size, open_picture(image, longest), longest, masks)


def _measured(document: Document, size: int, opened: Picture, longest: int, masks: Path | None) -> Score:
    picture = compared(opened.raster, longest)
    height, width = picture.shape[:2]
    asked = None if masks is None else folders.masks(masks, width, height, (opened.width, opened.height))
    shown = document.render(width, height, _WHITE)
    seen, drawn, own = picture, shown, max(opened.raster.height, opened.raster.width)
    if own < longest:  # what is enlarged is blurred, which no drawing is
        seen = compared(opened.raster, own)
        drawn = document.render(seen.shape[1], seen.shape[0], _WHITE)
    error = metrics.mse(shown, picture)
    ranked = document.shapes_by_rank()
    counts = [count_nodes(shape) for shape in ranked]
    layers = layer_tree(document.root)
    return Score(
        width=width,
        height=height,
        mse=error,
        psnr=metrics.psnr_of_mse(error),
        ssim=metrics.ssim(shown, picture),
        shapes=len(ranked),
        nodes=sum(nodes for nodes, _ in counts),
        numbers=sum(numbers for _, numbers in counts),
        bytes=size,
        layers=sum(1 for group in layers for _ in group.walk()),
        depth=max((group.depth() for group in layers), default=0),
        by_rank=_by_rank(document, ranked, picture, error),
        opens=openings(document, layers or top_groups(document.root), width, height),
        crossing=_crossing(ranked),
        objects=None if asked is None else _agreement(document, folders.pixels_of(asked, height, width)),
        explained=visibility.explained(seen, drawn),
        missing=tuple(visibility.missing(seen, drawn)),
        left_out=document.left_out,
    )


def _agreement(document: Document, masks: Bool) -> Agreement:
    """Compare masks, bool [m, h, w], with the shapes and groups of a document."""
    height, width = masks.shape[1:]
    shapes = list(drawn_shapes(document.root))
    place = {shape: i for i, shape in enumerate(shapes)}

    def wholes() -> Iterator[Bool]:
        for shape in shapes:
            alpha = document.render(width, height, None, frozenset(shapes) - {shape})[..., 3]
            yield alpha >= max(float(alpha.max()) / 2, LEAST_COVER)

    groups = document.root.iter(f"{{{SVG}}}g")
    layers = [[place[shape] for shape in drawn_shapes(group) if shape in place] for group in groups]
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
    with Document(svg, name) as document:
        return document.render(width, height, background)


def only(svg: str | bytes, keep: int | Callable[[ET.Element], bool], *, name: str = "The SVG") -> str:
    """Return SVG text with some shapes left out: the first `keep` by rank stay, or those that it accepts.

    Order of ranks as in `score`. References to other files are dropped too. InputError as in `render_svg`.
    """
    document = Document(svg, name)  # renders nothing, so there is nothing to close
    ranked = document.shapes_by_rank()
    kept = ranked[: max(keep, 0)] if isinstance(keep, int) else filter(keep, ranked)
    return text_of(document.root, frozenset(ranked).difference(kept))


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
    document: Document, ranked: list[ET.Element], picture: Float32, error: float
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


# Nodes


# A letter, what may be its numbers, and what is neither: rubbish, up to the next letter.
_COMMAND = re.compile(r"([MmZzLlHhVvCcSsQqTtAa])([-+0-9.eE\s,]*)([^MmZzLlHhVvCcSsQqTtAa]*)")
_NUMBER_TEXT = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_NUMBER = re.compile(_NUMBER_TEXT)
# The two flags of an arc are single digits that need no separator: "a1 1 0 0150 50" goes to (50, 50).
# Numbers give nothing back ("?>"), or digits without flags would be tried in every division among five numbers.
_ARC = re.compile(
    r"(?:(?<![0-9])|(?=[-+.]))"
    + r"[\s,]*".join([f"((?>{_NUMBER_TEXT}))"] * 3 + ["([01])"] * 2 + [f"((?>{_NUMBER_TEXT}))"] * 2)
)
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
    marks = [curves.self_crossings(batch, CROSSING_TOLERANCE) > 0 for batch in _batches(outlines)]
    return sum(int(mark.sum()) for mark in marks) if marks else None


def _batches(outlines: list[Outline]) -> Iterator[list[Outline]]:
    """Yield outlines in lots of at most MOST_PIECES pieces, without those that have more."""
    from layervec import curves

    batch: list[Outline] = []
    total = 0
    for outline in outlines:
        pieces = curves.chord_count(outline, CROSSING_TOLERANCE)
        if pieces > MOST_PIECES:
            continue
        if total + pieces > MOST_PIECES:
            yield batch
            batch, total = [], 0
        batch.append(outline)
        total += pieces
    if batch:
        yield batch


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
