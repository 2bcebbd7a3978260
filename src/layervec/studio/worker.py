"""What a process of the studio does: draw a picture, fit parts of a drawing anew, add detail; or errands.

A line of JSON on stdin is a job or the wish to cancel it, a line on stdout is news of it; see `Job` and jobs.py. A job
ends with one line of kind `done`, `failed` or `cancelled`. Pictures of unknown origin are decoded here, so that one
that ends a decoder ends no more than this process. Writes no files; ends when the server that started it does.

With the word `errands` it keeps to short jobs, see errands.py, and loads no kernels.
"""

from __future__ import annotations

import json
import math
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from layervec.errors import InputError
from layervec.files import reason
from layervec.studio import errands

if TYPE_CHECKING:
    from layervec.events import Event
    from layervec.settings import Settings
    from layervec.types import Bool, Drawing, Raster, RegionTree

SMALL = 160  # px; levels and cuts as the page shows them
CUTS = (4, 16, 64)  # regions
APART = 0.05  # s between two lines about progress: more than a page can show
PAINTED = 0.5  # alpha from which a pixel of a mask counts
ERRANDS = "errands"  # the word on the command line
SCALE = 0.9  # of the bar for a drawing after a draft that came first


class _Cancelled(Exception):  # noqa: N818 - no error
    pass


class Worker:
    """Works off jobs one at a time and tells of them."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._cancelled = threading.Event()
        self._jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._told = 0.0

    def listen(self, lines: Iterator[bytes]) -> None:
        """Take jobs and wishes to cancel them until the server has gone; then end this process, whatever it does."""
        for line in lines:
            message = json.loads(line)
            if message["do"] == "cancel":
                self._cancelled.set()
            else:
                self._cancelled.clear()
                self._jobs.put(message)
        os._exit(0)

    def run(self, warm_up: Callable[[], None]) -> None:
        """Work for ever, once all is loaded."""
        warm_up()
        self._tell("ready")
        while True:
            self._work(self._jobs.get())

    def _work(self, job: dict[str, Any]) -> None:
        try:
            work: dict[str, Callable[[dict[str, Any]], errands.Values]]
            work = {"draw": self._draw, "refit": self._refit, "detail": self._detail, **errands.ERRANDS}
            self._tell("done", **work[job["do"]](job))
        except _Cancelled:
            self._tell("cancelled")
        except InputError as error:
            self._tell("failed", message=str(error).replace("The given data", job.get("name", "The picture")))
        except OSError as error:
            self._tell("failed", message=f"A file of this work cannot be read: {reason(error)}.")
        except MemoryError:
            self._tell("failed", message="There is not enough memory for this picture.")
        except Exception as error:  # the page must hear of it, and the next job must run
            self._tell("failed", message=f"Something went wrong that is not your fault ({type(error).__name__}).")
            sys.excepthook(*sys.exc_info())

    def _draw(self, job: dict[str, Any]) -> errands.Values:
        from layervec.image import File
        from layervec.pipeline import vectorize
        from layervec.settings import Settings

        settings = Settings(**job["settings"])
        data = File(job["name"], Path(job["picture"]).read_bytes(), title=job["name"])
        before = 0.0
        if _is_slow(settings):  # then something to look at comes first
            before = 1.0 - SCALE
            draft = Settings(quality="draft", paths=settings.paths, gradients=settings.gradients)
            first = vectorize(data, draft, on_event=_News(self, draft, 0.0, before))
            self._tell("drawing", svg=_shown(first.drawing))
        result = vectorize(data, settings, on_event=_News(self, settings, before, 1.0))
        return {**errands.seen(result.svg), "message": " ".join(result.notes)}

    def _refit(self, job: dict[str, Any]) -> errands.Values:
        from layervec import svg
        from layervec.refit import refit

        drawing = svg.read(job["svg"])
        picture = _opened(job["picture"])
        fitted = refit(drawing, picture, job["ids"], paths=job["paths"], on_progress=self._part)
        return errands.seen(svg.write(fitted))

    def _detail(self, job: dict[str, Any]) -> errands.Values:
        from layervec import svg
        from layervec.refit import add_detail

        drawing = svg.read(job["svg"])
        added = add_detail(
            drawing, _opened(job["picture"]), _region(job["mask"], drawing), paths=job["paths"], on_progress=self._part
        )
        return errands.seen(svg.write(added))

    def _part(self, done: float) -> None:
        """Tell how far fitting a part is."""
        self.check()
        self.progress(done, "fitting shapes")

    def check(self) -> None:
        """Raise what ends a cancelled job."""
        if self._cancelled.is_set():
            raise _Cancelled

    def progress(self, done: float, doing: str, *, turn: bool = False, **facts: object) -> None:
        """Tell how far a job is, 0..1, and what it does; no more often than anybody can see, but at every turn."""
        now = time.monotonic()
        if turn or now - self._told >= APART:
            self._told = now
            self._tell("progress", done=round(done, 4), doing=doing, **facts)

    def tell(self, kind: str, **values: object) -> None:
        """Tell anything else."""
        self._tell(kind, **values)

    def _tell(self, kind: str, **values: object) -> None:
        self._out.write(json.dumps({"kind": kind, **values}, separators=(",", ":")) + "\n")
        self._out.flush()


class _News:
    """Turns a pipeline's events into lines. start, end: the part of the bar that the run has."""

    def __init__(self, worker: Worker, settings: Settings, start: float, end: float) -> None:
        from layervec.progress import shares_of

        self._worker, self._settings = worker, settings
        self._start, self._end = start, end
        self._shares = shares_of(settings)
        self._facts: dict[str, object] = {}

    def __call__(self, event: Event) -> None:
        from layervec.progress import WORDS, whole
        from layervec.types import Drawing

        self._worker.check()
        if event.psnr is not None:
            self._facts |= {"psnr": round(event.psnr, 2), "paths": event.paths, "round": event.round}
        done = self._start + whole(event, self._shares) * (self._end - self._start)
        turn = event.done in (0.0, 1.0)
        self._worker.progress(done, WORDS[event.stage], turn=turn, stage=event.stage, **self._facts)
        if event.value is None:
            return
        if event.stage == "simplify":
            self._pictures("levels", event.value)  # type: ignore[arg-type]
        elif event.stage == "tree" and self._settings.preset != "paper":
            self._pictures("cuts", _cuts(event.value, self._levels[0]))  # type: ignore[arg-type]
        elif event.stage == "arrange":
            self._worker.tell("drawing", svg=_shown(event.value.drawing))  # type: ignore[attr-defined]
        elif isinstance(event.value, Drawing) and event.done < 1.0:
            self._worker.tell("drawing", svg=_shown(event.value))

    def _pictures(self, kind: str, rasters: list[Raster]) -> None:
        from layervec.report_page import picture_address

        if kind == "levels":
            self._levels = rasters
        self._worker.tell(kind, pictures=[picture_address(raster, SMALL) for raster in rasters])


def _cuts(tree: RegionTree, picture: Raster) -> list[Raster]:
    from layervec.image import premultiplied, straight
    from layervec.tree import cut, paint_cut
    from layervec.types import Raster

    pixels = premultiplied(picture)
    return [Raster(straight(paint_cut(tree, cut(tree, regions), pixels))) for regions in CUTS]


def _shown(drawing: Drawing) -> str:
    from layervec.report import shown_drawing

    return shown_drawing(drawing)


def _is_slow(settings: Settings) -> bool:
    """Tell whether the first drawing of a run takes longer than people like to wait: where a model is asked."""
    return settings.simplifier != "classic" or settings.segmenter != "none"


def _region(mask: str, drawing: Drawing) -> Bool:
    """Return a painted mask, opaque where it counts, in the drawing's own pixels: bool [h, w]."""
    import cv2
    import numpy as np

    from layervec.image import open_picture

    painted = (open_picture(Path(mask).read_bytes()).raster.pixels[..., 3] >= PAINTED).astype(np.uint8)
    size = math.ceil(drawing.width), math.ceil(drawing.height)
    return np.asarray(cv2.resize(painted, size, interpolation=cv2.INTER_NEAREST)).astype(np.bool_)


@lru_cache(maxsize=1)
def _opened(path: str) -> Raster:
    """Return a work's picture; edits of one work follow one another."""
    from layervec.image import open_picture

    return open_picture(Path(path).read_bytes()).raster


def _warm_up() -> None:
    """Load every kernel by drawing something small, so that neither the first picture nor the first edit waits."""
    import numpy as np

    from layervec.image import load
    from layervec.pipeline import vectorize
    from layervec.refit import add_detail, refit
    from layervec.settings import Settings

    rows, columns = np.mgrid[:48, :48]
    rings = ((np.hypot(rows - 24, columns - 20) / 6).astype(int) % 3 * 100).astype(np.uint8)
    drawing = vectorize(rings, Settings(paths=4, quality="draft", levels_count=3)).drawing
    with suppress(InputError):  # a drawing too plain for more says so, once all is loaded
        refit(drawing, load(rings), [drawing.root.children[-1].id], paths=6)
        add_detail(drawing, load(rings), np.ones(rings.shape, dtype=np.bool_), paths=4)


def main() -> None:
    """Take over stdout: whatever a library prints there must not be taken for news."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker(out)
    threading.Thread(target=worker.listen, args=(iter(sys.stdin.buffer.readline, b""),), daemon=True).start()
    with suppress(BrokenPipeError, KeyboardInterrupt):
        worker.run(errands.warm_up if ERRANDS in sys.argv[1:] else _warm_up)


if __name__ == "__main__":
    main()
