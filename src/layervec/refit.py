"""Fit a part of a finished drawing anew: another budget for some layers, or more detail where it is missing.

Both look only at the part that they change. Shapes of other layers are drawn but neither moved nor recoloured, so
their part of the SVG stays the same bytes; where a layer ends up with fewer shapes, the ranks of others close up. Knows
drawings, layers and ids; what happens to flat shapes is in touchup.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from layervec import crop, edit
from layervec.crop import Crop
from layervec.digits import most_decimals
from layervec.errors import InputError
from layervec.insertion import Flat
from layervec.masks import grown
from layervec.palette import Palette
from layervec.settings import GRADIENT_PRICES
from layervec.touchup import Touchup
from layervec.types import Bool, Drawing, Layer, Raster, Shape, Solid

MOST_PATHS = 4096  # as in `Settings`
RIM = 2  # px around what is seen of a layer in which the picture counts as well, so that its outline may improve

OnProgress = Callable[[float], None]


def refit(
    drawing: Drawing,
    picture: Raster,
    ids: Sequence[str],
    *,
    paths: int,
    threads: int | None = None,
    on_progress: OnProgress = lambda share: None,
) -> Drawing:
    """Return the drawing with these layers, and the layers in them, made of at most `paths` shapes, fitted anew.

    picture: what the drawing shows, at any size. Several layers share the shapes as they do now; every layer keeps one
    at least. New shapes get the last ranks of their layers. on_progress hears shares of the work, 0..1; what it raises
    ends the work. Deterministic. Raises InputError for unknown ids, shapes instead of layers, a number of paths that
    is not 1 to 4096, layers that show nothing, and a picture of other proportions.
    """
    _check_paths(paths)
    layers = _outermost(drawing, ids)
    if len(layers) > paths:
        raise InputError(f"{len(layers)} layers cannot share {paths} paths.")
    shares = _shares([len(list(layer.shapes())) for layer in layers], paths)
    for number, (layer, share) in enumerate(zip(layers, shares, strict=True)):
        done = _part_of(on_progress, number, len(layers))
        drawing = _refitted(drawing, picture, layer.id, share, threads, done)
    on_progress(1.0)
    return drawing


def add_detail(
    drawing: Drawing,
    picture: Raster,
    region: Bool,
    *,
    paths: int,
    threads: int | None = None,
    on_progress: OnProgress = lambda share: None,
) -> Drawing:
    """Return the drawing with at most `paths` more shapes where a region is most wrong.

    region: bool [h, w], in the drawing's own pixels. Each new shape goes right above what is seen where it lies, into
    the same layer; where nothing is, into a new layer in front. All that was there stays as it is. Where the drawing
    is as good as it gets, it comes back unchanged. The rest as in `refit`.
    """
    _check_paths(paths)
    size = (math.ceil(drawing.height), math.ceil(drawing.width))
    if region.shape != size or region.dtype != np.bool_:
        raise InputError(f"The region must be a mask of {size[1]} x {size[0]} pixels.")
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if not len(rows):
        raise InputError("The region is empty.")
    part = crop.cut(drawing, picture, (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    start = _flat(part, set())
    may = part.mask(region)
    if not may.any():
        raise InputError("The region is smaller than a pixel of the picture.")
    for uncut in (True, False):  # edges that the picture does not have only where there is nothing else to add
        work = _work(drawing, part, start, may, may, threads, on_progress, uncut)
        found = work.run(paths)
        if len(found) > len(start) and work.loss(found) < work.loss(start):
            drawing = _rebuilt(drawing, part, found, [])
            break
    on_progress(1.0)
    return drawing


def _refitted(
    drawing: Drawing, picture: Raster, id: str, paths: int, threads: int | None, on_progress: OnProgress
) -> Drawing:

    layer = edit.find_layer(drawing, id)
    own = {shape.id for shape in layer.shapes()}
    box = crop.bounds(list(layer.shapes()))
    if box is None:
        raise InputError(f"Layer {id} has no shapes to fit.")
    size = np.array([drawing.width, drawing.height] * 2)
    box = np.clip(box, 0.0, size)
    part = crop.cut(drawing, picture, box.tolist())
    start = _flat(part, own)
    owner = crop.seen(start.fit, part.width, part.height, threads)
    may = np.append(start.moving, False)[owner]
    if not may.any():
        raise InputError(f"Nothing is seen of layer {id}.")
    near = grown(may, RIM)
    work = _work(drawing, part, start, may, near & (owner >= 0), threads, on_progress)
    bases = {inner.children[0].id for inner in layer.layers() if inner.children}
    work.bases = [i for i, shape in enumerate(part.shapes) if shape.id in bases]
    work.kept = [i for i, shape in enumerate(part.shapes) if shape.id in own][:1]
    found = work.run(paths)
    if len(own) <= paths and work.loss(found) >= work.loss(start):
        return drawing
    emptied = {inner.id for inner in layer.layers() if any(inner.shapes())}
    result = _rebuilt(drawing, part, found, list(layer.shapes()))
    gone = [inner.id for inner in edit.find_layer(result, id).layers() if not any(inner.shapes())]
    return edit.replaced(result, dict.fromkeys(emptied.intersection(gone), ()))


def _work(
    drawing: Drawing,
    part: Crop,
    start: Flat,
    may: Bool,
    free: Bool,
    threads: int | None,
    on_progress: OnProgress,
    uncut: bool = False,
) -> Touchup:
    homes = {child.id: number for number, layer in enumerate(drawing.root.layers()) for child in layer.children}
    graded = any(not isinstance(shape.paint, Solid) for shape in drawing.shapes())
    return Touchup(
        part.pixels,
        np.array([homes[shape.id] for shape in part.shapes], dtype=np.int64),
        may,
        free,
        start,
        uncut,
        gradient_price=GRADIENT_PRICES["auto" if graded else "off"],
        palette=_palette(drawing),
        threads=threads,
        on_progress=on_progress,
    )


def _palette(drawing: Drawing) -> Palette | None:
    """The colours that the drawing keeps to, if it was made so."""
    made = drawing.metadata.get("settings")
    limited = isinstance(made, dict) and (made.get("palette") or made.get("colors", "any") != "any")
    colours = {
        (shape.paint.red, shape.paint.green, shape.paint.blue)
        for shape in drawing.shapes()
        if isinstance(shape.paint, Solid)
    }
    return Palette(np.array(sorted(colours)), fixed=True) if limited and colours else None


def _flat(part: Crop, moving: set[str]) -> Flat:
    """The shapes of a part, of which those with these ids move."""
    numbers = np.arange(len(part.shapes))
    moves = np.array([shape.id in moving for shape in part.shapes], dtype=bool)
    return Flat(part.fit(), numbers, numbers, np.full(len(numbers), -1, dtype=np.int64), moves)


def _rebuilt(drawing: Drawing, part: Crop, found: Flat, old: list[Shape]) -> Drawing:
    """Return the drawing with what was found in a part. old: all shapes that were free to move or go."""
    fit = part.back(found.fit, most_decimals(drawing.width, drawing.height))
    names = edit.fresh_ids(drawing, "s")
    made: dict[int, Shape] = {}  # by index in `found`
    for i in np.flatnonzero(found.moving).tolist():
        outline, source = fit.outlines[i], int(found.source[i])
        name, rank = (next(names), 0) if source < 0 else (part.shapes[source].id, part.shapes[source].rank)
        made[i] = Shape(name, outline, crop.painted(fit, i), rank, even_odd=outline.contours > 1)
    made = dict(zip(made, _ranked(drawing, list(made.values()), old), strict=True))
    changed: dict[str, list[Shape]] = {shape.id: [] for shape in old}
    anchors = set(found.anchor[found.source < 0].tolist())
    for i, anchor in enumerate(found.anchor.tolist()):
        if anchor >= 0 and (i in made or anchor in anchors):
            home = part.shapes[anchor]
            changed.setdefault(home.id, []).append(made.get(i, home))
    front = [made[i] for i in made if found.anchor[i] < 0]
    result = edit.replaced(drawing, changed)
    if front:
        layer = Layer(next(edit.fresh_ids(drawing, "l")), "added details", tuple(front))
        result = replace(result, root=replace(result.root, children=(*result.root.children, layer)))
    return edit.closed(result)


def _ranked(drawing: Drawing, made: list[Shape], old: list[Shape]) -> Iterator[Shape]:
    """Yield shapes with ranks: those that were there first, as before, then new ones; in the given order."""
    last = max((shape.rank for shape in drawing.shapes()), default=0)
    free = sorted(shape.rank for shape in old)
    order = sorted(range(len(made)), key=lambda i: (made[i].rank == 0, made[i].rank, i))
    after = count(last + 1)
    ranks = {i: free[k] if k < len(free) else next(after) for k, i in enumerate(order)}
    yield from (replace(shape, rank=ranks[i]) for i, shape in enumerate(made))


def _outermost(drawing: Drawing, ids: Sequence[str]) -> list[Layer]:
    layers = [edit.find_layer(drawing, id) for id in dict.fromkeys(ids)]
    if not layers:
        raise InputError("There is no layer to fit.")
    inner = {below.id for layer in layers for below in layer.layers() if below is not layer}
    return [layer for layer in layers if layer.id not in inner]


def _shares(counts: Sequence[int], paths: int) -> list[int]:
    """Divide `paths` as these counts are, at least 1 each."""
    shares = [1] * len(counts)
    for _ in range(paths - len(counts)):
        neediest = max(range(len(counts)), key=lambda i: max(counts[i], 1) / shares[i])
        shares[neediest] += 1
    return shares


def _check_paths(paths: int) -> None:
    if not 1 <= paths <= MOST_PATHS:
        raise InputError(f"The number of paths must be 1 to {MOST_PATHS}, not {paths}.")


def _part_of(on_progress: OnProgress, number: int, parts: int) -> OnProgress:
    return lambda share: on_progress((number + share) / parts)
