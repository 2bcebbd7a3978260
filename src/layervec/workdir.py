"""The work folder: what was made on the way to a drawing, kept as files that a person can look at.

Listens to events and changes nothing of the run. Knows what each stage's value is, not how it comes about.

    levels/0.png ...           the picture and its simplified versions, fine to coarse
    cuts/4.png, 8.png, ...     the region tree cut into so many regions, in mean colours; up to `paths`
    masks/001.png ...          white where a picked region lies, by rank in the first drawing; 64 at most
    objects/0-001.png ...     masks of objects, where any were looked for or given, by level and a running number
    stages/00-arrange.svg ...  the drawing after each step: arrange, round-0 (the first fit), ..., refine
    result.svg                 the finished drawing
    source.png                 the picture, its longer side at most 1600 px
    report.html                what `layervec report` makes of all this
    run.json                   version, settings, source, seconds of each stage, figures of the score
All other pictures have fitting size. A folder of an earlier run is emptied of exactly these files first,
where they are as that run left them (ours.py).
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layervec import ours
from layervec.errors import InputError
from layervec.events import Event
from layervec.files import check_writable, reason, write_atomic
from layervec.image import File
from layervec.segment import Mask
from layervec.settings import Settings
from layervec.types import Drawing, Float32, Raster, RegionTree

if TYPE_CHECKING:
    from layervec.pipeline import Arranged, Result
    from layervec.score import Score
    from layervec.segment import Mask

MOST_MASKS = 64  # files; the first regions tell how the picture was understood, the rest are details
FIRST_CUT = 4  # regions of the coarsest cut, doubled from there
KEPT = {
    "levels": "*.png",
    "cuts": "*.png",
    "masks": "*.png",
    "objects": "*.png",
    "stages": "*.svg",
}  # folder: what lies in it
RECORD, RESULT, SOURCE, REPORT = "run.json", "result.svg", "source.png", "report.html"
SOURCE_LONGEST = 1600  # px; to compare with the drawing on a large screen


def files(folder: Path) -> list[Path]:
    """Return what a work folder has of a run, or will have; without its report."""
    found = [file for name, pattern in KEPT.items() for file in sorted((folder / name).glob(pattern))]
    return [*found, *(folder / name for name in (RESULT, SOURCE, RECORD))]


class WorkDir:
    """A folder that follows one run: give `on_event` to the pipeline, then call `finish`."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        settings: Settings,
        *,
        source: str | os.PathLike[str] | File | None = None,
        config: Path | None = None,
    ) -> None:
        """Make the folder ready. source: the picture's file. config: that of the settings, if they have one.

        Neither these nor what the settings name may be among the files that are replaced.

        Raises InputError where the folder cannot be made or written, or where it holds files of others.
        """
        self.folder = Path(folder)
        self._source = source
        self._settings = settings
        self._pixels: Float32 | None = None
        self._tree: RegionTree | None = None
        self._stages = 0
        self._prepare(source.name if isinstance(source, File) else source, config)
        self._record({"finished": False})

    def on_event(self, event: Event) -> None:
        """Keep what a stage has made. Raises InputError where that cannot be written."""
        value = event.value
        if value is None:
            return
        if event.stage == "simplify":
            self._keep_levels(value)  # type: ignore[arg-type]
        elif event.stage == "segment":
            self._keep_objects(value)  # type: ignore[arg-type]
        elif isinstance(value, RegionTree):
            self._keep_cuts(value)
        elif event.stage == "arrange":
            self._keep_arranged(value)  # type: ignore[arg-type]
        elif isinstance(value, Drawing):
            self._keep_stage(value, "refine" if event.done == 1.0 else f"round-{event.round}")

    def finish(self, result: Result, score: Score) -> None:
        """Keep the drawing, the picture, where it came from a file, and the record of the run."""
        write_atomic(self.folder / RESULT, result.svg.encode())
        if self._source is not None:
            self._keep_source(self._source)
        source = result.drawing.metadata.get("source")
        self._record({"finished": True, "source": source, "seconds": result.seconds, "score": score.as_dict()})

    def _prepare(self, source: str | os.PathLike[str] | None, config: Path | None) -> None:
        """Empty the folder of an earlier run's files, if nothing else would be lost by it."""
        read = ours.inputs(self._settings, source, config)
        try:
            self._refuse_links()
            old = [*files(self.folder), self.folder / REPORT]
            for file in old:
                if why := self._objection(file, read):
                    raise InputError(f"{self.folder} cannot be the work folder: {file} would be lost, which {why}.")
            for name in KEPT:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            for file in old:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{self.folder} cannot be the work folder: {reason(error)}.") from error
        check_writable(self.folder / RECORD)

    def _refuse_links(self) -> None:
        """Raise InputError where one of our folders is a link, which may lead anywhere."""
        for name in KEPT:
            if (self.folder / name).is_symlink():
                raise InputError(f"{self.folder} cannot be the work folder: {self.folder / name} is a link.")

    def _objection(self, file: Path, read: dict[ours.Identity, str]) -> str:
        if file.is_symlink():
            return "is a link"
        return "is read by this run" if ours.identity(file) in read else ours.objection_to(file)

    def _write(self, name: str, data: bytes) -> None:
        write_atomic(self.folder / name, ours.sealed(data))

    def _write_png(self, name: str, pixels: NDArray[Any]) -> None:
        from layervec.image import png_bytes

        self._write(name, png_bytes(pixels))

    def _keep_source(self, source: str | os.PathLike[str] | File) -> None:
        from layervec.image import open_picture

        self._write_png(SOURCE, open_picture(source, SOURCE_LONGEST).raster.pixels)

    def _record(self, facts: dict[str, object]) -> None:
        settings = self._settings.model_dump(mode="json")
        record = {"version": version("layervec"), "seal": ours.UNSEALED, "settings": settings, **facts}
        self._write(RECORD, (json.dumps(record, indent=2, allow_nan=False) + "\n").encode())

    def _keep_levels(self, levels: list[Raster]) -> None:
        from layervec.image import premultiplied

        self._pixels = premultiplied(levels[0])
        for i, level in enumerate(levels):
            self._write_png(f"levels/{i}.png", level.pixels)

    def _keep_objects(self, masks: list[Mask]) -> None:
        for number, mask in enumerate(masks, start=1):
            self._write_png(f"objects/{mask.level}-{number:03}.png", mask.pixels.astype(np.float32))

    def _keep_cuts(self, tree: RegionTree) -> None:
        from layervec.image import straight
        from layervec.tree import cut, paint_cut

        self._tree = tree
        assert self._pixels is not None, "simplify comes before tree"
        regions = FIRST_CUT
        while regions <= self._settings.most_paths:
            nodes = cut(tree, regions)
            self._write_png(f"cuts/{regions}.png", straight(paint_cut(tree, nodes, self._pixels)))
            if len(nodes) < regions:
                break  # all leaves are shown; further cuts would be the same picture
            regions *= 2

    def _keep_arranged(self, arranged: Arranged) -> None:
        assert self._tree is not None, "tree comes before arrange"
        labels, last = self._tree.labels, self._tree.last
        for rank, node in enumerate(arranged.nodes[:MOST_MASKS].tolist(), start=1):
            inside = (labels >= node) & (labels < last[node])
            self._write_png(f"masks/{rank:03}.png", inside.astype(np.float32))
        self._keep_stage(arranged.drawing, "arrange")

    def _keep_stage(self, drawing: Drawing, name: str) -> None:
        from layervec import svg

        text = svg.write(replace(drawing, metadata={**drawing.metadata, "seal": ours.UNSEALED}))
        self._write(f"stages/{self._stages:02}-{name}.svg", text.encode())
        self._stages += 1
