"""From a picture to a layered drawing: the order of the stages, and nothing else.

    open -> simplify (-> segment) -> tree -> arrange -> refine (optimize) -> layers -> svg

With the preset `paper` the same, but masks are the tree and errors the refinement (paper.py). Pixel art needs no
refinement (pixel_art.py).

Stages are pure functions; this file hands one's result to the next, tells `on_event` what happened, and scales
the drawing to the picture's own size.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from layervec import (
    arrange,
    background,
    choose,
    clean,
    folders,
    image,
    layers,
    models,
    ours,
    palette,
    paper,
    pixel_art,
    refine,
    simplify,
    stacking,
    svg,
    tree,
)
from layervec.digits import Grid, most_decimals
from layervec.events import Event, Kind, OnEvent, Stage, ignore
from layervec.segment import Mask
from layervec.settings import EFFORTS, VISIBLE_ERROR, Preset, Settings
from layervec.types import Drawing, Int64, Layer, Raster, Shape

T = TypeVar("T")

DRAWN: dict[Preset, bool] = {"photo": False, "art": True}  # whether a picture is drawn art; others are looked at
UNTITLED = "picture"  # the title where a picture has no name
MOST_LOOKED_AT = 1 << 23  # px; larger pictures are not looked at in full size for squares


@dataclass(frozen=True, slots=True, eq=False)
class Arranged:
    """What the stage `arrange` reports: the first drawing, in fitting pixels, and its shapes' tree nodes by rank."""

    drawing: Drawing
    nodes: Int64  # [k]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A finished run.

    drawing: in the picture's own pixels. svg: the same as text. seconds: wall time of each stage. notes: sentences
    about what was asked for and could not be done.
    """

    drawing: Drawing
    svg: str
    seconds: dict[Stage, float]
    notes: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the SVG; an existing file is replaced only when all of it is written. Raises InputError."""
        from layervec.files import write_atomic

        write_atomic(path, self.svg.encode())


def vectorize(
    source: image.Source,
    settings: Settings | None = None,
    *,
    threads: int | None = None,
    on_event: OnEvent = ignore,
) -> Result:
    """Turn a picture into a layered drawing.

    source: a file's path or bytes (as `image.File` where they have a name), a PIL image, or an array [h, w] or
    [h, w, 1..4] (integers, bool, or floats in 0..1). threads: most threads to use, None for one a core; the result is
    the same for any number.
    Raises InputError if the picture or a palette cannot be read. A background to drop that is not found stays, which
    the result's notes tell. Deterministic: same input and settings, same bytes.
    """
    settings = settings or Settings()
    clock = _Clock(on_event)
    colours = palette.given(settings.palette) if settings.palette else None
    with clock.stage("load") as done:
        picture = image.open_picture(source, settings.size)
        squares = _squares(source, picture, settings)
        whole = raster = picture.raster if squares is None else squares
        if settings.drop_background:
            raster = background.dropped(whole, soft=squares is None)
        notes = [_squares_note(picture, squares)] if settings.preset == "pixel" else []
        notes += [_background_note(whole)] if settings.drop_background and raster is whole else []
        name = image.name_of(source)
        picture = done(replace(picture, raster=raster))
        done.kind = None if squares is None else "pixel"
    with clock.stage("simplify") as done:
        levels = done([raster] if squares is not None else _levels(picture, settings, threads, clock))
    masks: list[Mask] = []
    if settings.masks or settings.segmenter != "none":
        with clock.stage("segment") as done:
            masks = done(_masks(picture, levels, settings, threads, clock))
    if settings.preset == "paper":
        fitted = _by_paper(raster, masks, settings, threads, clock)
    elif squares is not None:
        fitted = _by_squares(raster, colours, settings, clock)
    else:
        fitted = _by_regions(picture, levels, masks, colours, settings, threads, clock)
    with clock.stage("write") as done:
        drawing = replace(
            svg.tidied(_scaled(fitted, picture.width, picture.height)),
            title=_title(source),
            metadata={
                "generator": f"layervec {version('layervec')}",
                "seal": ours.UNSEALED,
                "settings": settings.recorded(),
                "source": {"sha256": picture.sha256, "width": picture.width, "height": picture.height},
            },
        )
        drawing.metadata["seal"] = ours.seal(svg.write(drawing).encode())  # an edited drawing no longer fits it
        text = done(svg.write(drawing))
    return Result(drawing, text, clock.seconds, tuple(f"{name} {note}" for note in notes if note))


def _squares_note(picture: image.Picture, squares: Raster | None) -> str:
    """Return what is to be said of a picture whose pixels were to be squares, "" where they are."""
    raster = picture.raster
    if squares is not raster or (raster.width, raster.height) == (picture.width, picture.height):
        return ""
    return (
        "has too many pixels and colours to draw each pixel as a square; "
        f"it was shrunk to {raster.width} x {raster.height} squares."
    )


def _background_note(raster: Raster) -> str:
    """Return why a picture's background was not dropped."""
    if raster.opaque:
        return "has no plain background all round, so nothing was dropped."
    return "is transparent in places already, so no background was dropped."


def _by_regions(
    picture: image.Picture,
    levels: list[Raster],
    masks: list[Mask],
    colours: palette.Palette | None,
    settings: Settings,
    threads: int | None,
    clock: _Clock,
) -> Drawing:
    """Draw the regions of a tree that colours, levels and masks make. Return the drawing in fitting pixels."""
    raster = picture.raster
    with clock.stage("tree") as done:
        coarser = [level for level in levels if level is not raster]
        seen = clean.cleaned(raster, threads=threads) if settings.preset == "art" else raster
        raster = seen if settings.preset == "art" and clean.dithered(raster) else raster
        drawn, shaded = DRAWN.get(settings.preset), settings.gradients != "off"
        regions = done(
            tree.build(seen, coarser, masks=masks, drawn=drawn, shaded=shaded, colours=picture.colours, threads=threads)
        )
        done.kind = "art" if len(regions.stands) else "photo"
    pixels = image.target(raster)
    if settings.colors != "any":
        colours = palette.of_picture(regions, pixels, settings.colors)
    visible = VISIBLE_ERROR * regions.labels.size if settings.paths == "auto" else 0.0
    least_gain = max(choose.least_gain(regions), visible)
    gradient_price = choose.gradient_price(regions, settings.gradients)
    with clock.stage("arrange") as done:
        plan = arrange.arrange(
            regions,
            pixels,
            refine.first_budget(settings.most_paths),
            settings.tolerance,
            least_gain=least_gain,
            gradient_price=gradient_price,
            palette=colours,
            threads=threads,
        )
        done(Arranged(layers.drawing(regions, plan), plan.nodes))

    def on_progress(progress: refine.Progress) -> None:
        drawn = layers.drawing(regions, progress.plan) if progress.plan is not None else None
        clock.on_refined(progress, drawn)

    with clock.stage("refine") as done:
        plan = refine.refine(
            regions,
            plan,
            pixels,
            budget=settings.most_paths,
            tolerance=settings.tolerance,
            effort=EFFORTS[settings.quality],
            least_gain=least_gain,
            gradient_price=gradient_price,
            palette=colours,
            grid=Grid.of((picture.width, picture.height), (raster.width, raster.height)),
            threads=threads,
            on_progress=on_progress,
        )
        return done(layers.drawing(regions, plan))


def _by_paper(raster: Raster, masks: list[Mask], settings: Settings, threads: int | None, clock: _Clock) -> Drawing:
    """Draw masks, then what is wrong. Levels have done their work once masks are found."""

    def on_progress(progress: paper.Progress) -> None:
        drawn = progress.sheet.drawing() if progress.sheet is not None else None
        clock.on_refined(progress, drawn)

    with clock.stage("tree") as done:
        pile = paper.pile(masks, raster, settings)
        done(stacking.tree(pile)[0])
    painter = paper.Painter(image.target(raster), settings, threads, on_progress)
    with clock.stage("arrange") as done:
        sheet = painter.structure(pile)
        regions, plan = sheet.plan()
        done(Arranged(layers.drawing(regions, plan), plan.nodes))
    with clock.stage("refine") as done:
        return done(painter.detailed(sheet).drawing())


def _by_squares(raster: Raster, colours: palette.Palette | None, settings: Settings, clock: _Clock) -> Drawing:
    """Draw pixel art as it is, a pixel of the raster a square."""
    count = None if settings.colors == "any" else settings.colors
    with clock.stage("tree") as done:
        regions, plan = pixel_art.plan(raster, settings.most_paths, colours=count, palette=colours)
        done(regions)
    drawing = layers.drawing(regions, plan)
    with clock.stage("arrange") as done:
        done(Arranged(drawing, plan.nodes))
    with clock.stage("refine") as done:
        return done(drawing)


def _squares(source: image.Source, picture: image.Picture, settings: Settings) -> Raster | None:
    """Return the picture with one pixel a square if it is pixel art, or to be drawn as such; else None."""
    asked = settings.preset == "pixel"
    if not asked and (settings.preset != "auto" or settings.masks or settings.levels or settings.segmenter != "none"):
        return None
    raster: Raster | None = picture.raster
    if (picture.width, picture.height) != (picture.raster.width, picture.raster.height):
        large = picture.width * picture.height > MOST_LOOKED_AT
        raster = image.load(source) if not large and (asked or pixel_art.may_be(picture.raster)) else None
    found = None if raster is None else pixel_art.exact(raster) if asked else pixel_art.squares(raster)
    return picture.raster if found is None and asked else found


def _levels(picture: image.Picture, settings: Settings, threads: int | None, clock: _Clock) -> list[Raster]:
    """The picture and its simplified versions, the user's own if there are any."""
    if settings.levels:
        return folders.levels(Path(settings.levels), picture.raster, (picture.width, picture.height))
    simplifier: simplify.Simplifier = simplify.Classic(settings.levels_count, threads)
    if settings.simplifier != "classic":
        simplifier = models.simplifier(settings, threads, clock.on_progress("simplify"))
    return simplifier.levels(picture.raster)


def _masks(
    picture: image.Picture, levels: list[Raster], settings: Settings, threads: int | None, clock: _Clock
) -> list[Mask]:
    """Masks of objects: the user's own, and what a segmenter finds."""
    found = []
    if settings.masks:
        size = (picture.width, picture.height)
        found += folders.masks(Path(settings.masks), picture.raster.width, picture.raster.height, size)
    if settings.segmenter != "none":
        found += models.segmenter(settings, threads, clock.on_progress("segment")).masks(levels)
    return found


class _Clock:
    """Times stages and tells about their start and end."""

    def __init__(self, on_event: OnEvent) -> None:
        self.seconds: dict[Stage, float] = {}
        self.on_event = on_event

    def on_progress(self, name: Stage) -> Callable[[float], None]:
        """Return what tells of a stage under way; its end is told by `stage`."""
        return lambda done: self.on_event(Event(name, min(done, 0.999)))

    def on_refined(self, progress: refine.Progress | paper.Progress, drawn: Drawing | None) -> None:
        """Tell how far the last stage of fitting is, and of a drawing that has just been finished."""
        done = min(progress.done, 0.999)
        self.on_event(Event("refine", done, progress.psnr, progress.paths, progress.round, drawn))

    @contextmanager
    def stage(self, name: Stage) -> Iterator[_Done]:
        """Announce a stage; hand out the function that reports its result and returns it."""
        self.on_event(Event(name, 0.0))
        start = time.perf_counter()
        done = _Done()
        yield done
        self.seconds[name] = time.perf_counter() - start
        self.on_event(Event(name, 1.0, kind=done.kind, value=done.value))


class _Done:
    value: object = None
    kind: Kind | None = None

    def __call__(self, value: T) -> T:
        self.value = value
        return value


def _scaled(drawing: Drawing, width: int, height: int) -> Drawing:
    """Bring a drawing to the picture's size, on a grid that is too fine to see."""
    from layervec import curves
    from layervec.curves.untangle import TOLERANCE, rounded

    sx, sy = width / drawing.width, height / drawing.height
    decimals = most_decimals(width, height)

    outlines = [shape.outline.scaled(sx, sy) for shape in drawing.shapes()]
    crossed = curves.self_crossings([replace(o, points=o.points.round(decimals)) for o in outlines], TOLERANCE) > 0
    left = iter(zip(outlines, crossed, strict=True))

    def scale(item: Layer | Shape) -> Layer | Shape:
        if isinstance(item, Layer):
            return replace(item, children=tuple(scale(child) for child in item.children))
        outline, crosses = next(left)
        if crosses:
            outline = rounded(outline, decimals, item.even_odd)
        else:
            outline = replace(outline, points=outline.points.round(decimals))
        return replace(item, outline=outline, paint=item.paint.scaled(sx, sy), even_odd=outline.contours > 1)

    root = scale(drawing.root)
    assert isinstance(root, Layer)
    return replace(drawing, width=width, height=height, root=root)


def _title(source: object) -> str:
    if isinstance(source, image.File):
        source = Path(source.name).stem if source.title is None else source.title
        return source or UNTITLED
    return Path(source).stem if isinstance(source, (str, os.PathLike)) else UNTITLED
