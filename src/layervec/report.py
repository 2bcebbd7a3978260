"""A run to look at: reads a work folder and makes one page that needs no network and no server.

Knows what lies in a work folder (workdir.py) and measures what a page shows of it; how the page looks is the
business of report_page.py and viewer/. Trusts no file in the folder: drawings are read by `svg.read` and written
anew, pictures are decoded and encoded anew, the record is checked.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, NonNegativeFloat, NonNegativeInt, PositiveInt, ValidationError

from layervec import metrics, svg
from layervec.errors import InputError
from layervec.files import reason, write_atomic
from layervec.image import open_picture
from layervec.ours import sealed
from layervec.score import compared, only, render_svg
from layervec.types import Drawing, Float32, Raster
from layervec.workdir import MOST_MASKS, RECORD, RESULT, SOURCE, SOURCE_LONGEST

STEP_LONGEST = 448  # px; simplified versions, cuts and stages, opened large
MASK_LONGEST = 224  # px
MOST_STEPS = 24  # pictures of a kind; a run of standard quality has 5 levels, 7 cuts and 11 stages
MOST_RECORD = 16 << 20  # bytes of run.json; a score lists every layer


class Figures(BaseModel):
    """What the page shows of a score; PSNR is None where drawing and picture are the same."""

    psnr: float | None
    ssim: float
    shapes: NonNegativeInt
    nodes: NonNegativeInt
    layers: NonNegativeInt
    depth: NonNegativeInt
    kib: NonNegativeFloat
    opens_worst: NonNegativeFloat


class SourceSize(BaseModel):
    """The picture's own size, px."""

    width: PositiveInt
    height: PositiveInt


class Record(BaseModel, allow_inf_nan=False):
    """What the page needs of run.json."""

    version: str
    finished: Literal[True]
    source: SourceSize
    settings: dict[str, Any]
    seconds: dict[str, NonNegativeFloat]
    score: Figures


@dataclass(frozen=True, slots=True)
class Point:
    """Fidelity of a drawing with so many shapes; psnr in dB, None where it is exact."""

    paths: int
    psnr: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A picture on the way. name: its file's, without the ending. point: where it is a drawing that was measured."""

    name: str
    raster: Raster
    point: Point | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A finished run, read and measured. found: how many objects there were, of which the first ones are shown."""

    drawing: Drawing
    record: Record
    source: Raster
    by_rank: list[Point]
    levels: list[Step]
    cuts: list[Step]
    masks: list[Step]
    objects: list[Step]
    found: int
    stages: list[Step]


def write_report(folder: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Write the report of a work folder to target, whole or not at all.

    Raises InputError where the folder holds no finished run, where a file in it cannot be used, or where target
    cannot be written.
    """
    from layervec.report_page import page

    write_atomic(target, sealed(page(read_run(Path(folder))).encode()))


def read_run(folder: Path) -> Run:
    """Return what a work folder holds of a finished run. Raises InputError."""
    record = _record(folder)
    drawing = _drawing(folder / RESULT)
    kept = folder / SOURCE
    picture = kept if kept.is_file() else folder / "levels" / "0.png"  # older runs have the fitted one alone
    goal = compared(open_picture(picture).raster)
    objects = _names(folder, "objects", ".png")
    return Run(
        drawing=drawing,
        record=record,
        source=open_picture(picture, SOURCE_LONGEST).raster,
        by_rank=_by_rank(drawing, goal),
        levels=_pictures(folder, "levels", MOST_STEPS, STEP_LONGEST),
        cuts=_pictures(folder, "cuts", MOST_STEPS, STEP_LONGEST),
        masks=_pictures(folder, "masks", MOST_MASKS, MASK_LONGEST),
        objects=_pictures(folder, "objects", MOST_MASKS, MASK_LONGEST),
        found=len(objects),
        stages=_stages(folder, goal),
    )


def _record(folder: Path) -> Record:
    path = folder / RECORD
    try:
        with open(path, "rb") as file:
            text = file.read(MOST_RECORD + 1)
    except OSError as error:
        raise InputError(f"{folder} is no work folder: {path} cannot be read: {reason(error)}.") from error
    if len(text) > MOST_RECORD:
        raise InputError(f"{path} is larger than {MOST_RECORD >> 20} MiB, too large for the record of a run.")
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors()[0]
        if fault["loc"] == ("finished",) and fault["input"] is False:
            raise InputError(f"{folder} holds a run that did not finish.") from None
        where = ".".join(map(str, fault["loc"])) or "it"
        raise InputError(f"{path} is not the record of a run: {where}: {fault['msg']}.") from None


def _drawing(path: Path) -> Drawing:
    return svg.read(_text(path), str(path))


def _text(path: Path) -> bytes:
    try:
        if path.stat().st_size > svg.MAX_BYTES:  # before reading it
            raise InputError(f"{path} is larger than {svg.MAX_BYTES >> 20} MiB, too large for an SVG.")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}.") from error


def _names(folder: Path, kind: str, ending: str) -> list[Path]:
    """Return the files of a kind as people number them; none where there is no such folder."""
    found = [path for path in (folder / kind).glob("*" + ending) if path.is_file()]
    return sorted(found, key=lambda path: (int(path.stem) if path.stem.isdecimal() else 0, path.name))


def _pictures(folder: Path, kind: str, most: int, longest: int) -> list[Step]:
    files = _names(folder, kind, ".png")[:most]
    return [Step(path.stem, open_picture(path, longest).raster) for path in files]


def _stages(folder: Path, goal: Float32) -> list[Step]:
    """Return the drawing after each step, rendered and measured. goal: float32 [h, w, 3], the picture on white."""
    steps = []
    for path in _names(folder, "stages", ".svg")[:MOST_STEPS]:
        text = _text(path)
        shapes = len(svg.read(text, str(path)).shapes())
        shown = render_svg(text, goal.shape[1], goal.shape[0], name=str(path))
        steps.append(Step(path.stem, _opaque(shown), _point(shapes, shown, goal)))
    return steps


def _by_rank(drawing: Drawing, goal: Float32) -> list[Point]:
    """Measure the first 1, 2, 3, 4, 6, 8, 12, ... shapes by rank, and at last all of them."""
    shapes = len(drawing.shapes())
    text = svg.write(drawing)
    points = []
    for shown in _counts(shapes):
        pixels = render_svg(only(text, shown), goal.shape[1], goal.shape[0])
        points.append(_point(shown, pixels, goal))
    return points


def _counts(most: int) -> list[int]:
    """Return 1, 2, 3, 4, 6, 8, 12, 16, ... below `most`, and `most`; nothing where that is 0."""
    counts = {most} if most else set()
    for power in count():
        found = {number for number in (2**power, 3 * 2**power // 2) if number < most}
        if not found:
            return sorted(counts)
        counts |= found
    raise AssertionError("count() does not end")


def _point(paths: int, shown: Float32, goal: Float32) -> Point:
    error = metrics.mse(shown, goal)
    return Point(paths, metrics.psnr_of_mse(error) if error > 0 else None)


def _opaque(pixels: Float32) -> Raster:
    import numpy as np

    return Raster(np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=2))


def shown_drawing(drawing: Drawing) -> str:
    """Return a drawing as an element for a page: without XML declaration, title (a tooltip everywhere) and metadata."""
    text = svg.write(replace(drawing, title="", metadata={}))
    return text[text.index("<svg") :]
