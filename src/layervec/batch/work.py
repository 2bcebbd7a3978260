"""One row from bytes to files: what a worker of any engine does.

Says how the row ended in a `Record`; only an output that cannot be written is raised. Knows no engine, no other
row and no journal.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layervec.batch import address, record
from layervec.batch.place import Place
from layervec.batch.record import DRAWING, PAGE, PREVIEW, Record
from layervec.errors import InputError
from layervec.ours import objection, sealed
from layervec.settings import Settings, checked

if TYPE_CHECKING:
    from layervec.events import Event
    from layervec.image import File
    from layervec.pipeline import Result
    from layervec.types import Raster
    from layervec.workdir import WorkDir


@dataclass(frozen=True, slots=True)
class Task:
    """A row to work on, as plain values that go anywhere.

    number: of the row, from 0. settings: those that were chosen. kinds: endings of the files that are wanted.
    known: the key for which the row has ended before, "" for none; then `kinds_known` are the files it left.
    """

    number: int
    image: str
    output: str
    settings: dict[str, Any]
    kinds: tuple[str, ...]
    known: str = ""
    kinds_known: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return the task as JSON data."""
        return asdict(self)

    @classmethod
    def of_plain(cls, values: dict[str, Any]) -> Task:
        """Undo `plain`."""
        return cls(**{**values, "kinds": tuple(values["kinds"]), "kinds_known": tuple(values["kinds_known"])})

    def failed(self, reason: str) -> Record:
        """Return how the row ended where nothing is known but why."""
        return Record(self.image, self.output, "failed", reason, version=version("layervec"))


def work(task: Task, place: Place, run: str, threads: int | None, begun: Callable[[Record], None]) -> Record | None:
    """Draw a row and stage its files in `place`; return how it ended, or None where it had before.

    run: names the run, for staging. begun: told what is known once the picture is read, before the work starts.
    Raises OutputError where the files cannot be written.
    """
    start = time.perf_counter()
    known = task.failed("")
    try:
        from layervec.image import MAX_BYTES

        data = address.read(task.image, MAX_BYTES)
        settings = checked(task.settings, task.image)
        known = _keyed(known, data, settings)
        if known.key == task.known and all(place.has(task.output + kind) for kind in task.kinds_known):
            return None
        begun(known)
        _check_names(task, place)
        files, figures = _drawn(task, data, settings, threads)
        found = replace(known, **figures, staged=f"{run}/{task.number}", kinds=tuple(files))
    except InputError as error:
        found, files = replace(known, reason=" ".join(str(error).split())), {}
    except MemoryError:
        found, files = replace(known, reason=f"{task.image}: the memory of this machine is too small."), {}
    except Exception as error:
        found, files = replace(known, reason=f"{task.image}: {_our_fault(error)}"), {}
    for kind, content in files.items():
        place.stage(found.staged + kind, task.output + kind, content)
    return replace(found, seconds=round(time.perf_counter() - start, 3))


def _keyed(known: Record, data: bytes, settings: Settings) -> Record:
    """Return a record with the hashes of a row. Raises InputError where a file of the settings cannot be read."""
    digest, chosen = hashlib.sha256(data).hexdigest(), record.settings_hash(settings)
    return replace(known, input_sha256=digest, settings_sha256=chosen, key=record.key(digest, chosen))


def _check_names(task: Task, place: Place) -> None:
    """Raise InputError where a file of the row could not be written, or would cost one that is not ours."""
    for kind in task.kinds:
        name = task.output + kind
        if why := place.blocked(name):
            raise InputError(f"{why}, so {name} cannot be written.")
        if place.has(name) and (why := objection(place.read(name))):
            raise InputError(f"{name} exists in the output and {why}, so it is kept.")


def _drawn(task: Task, data: bytes, settings: Settings, threads: int | None) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the files of a row by their endings, and its figures by their names in `Record`."""
    from layervec.image import File
    from layervec.pipeline import vectorize
    from layervec.preview import preview

    fitted: list[Raster] = []
    file = File(task.image, data)
    with _keeping_run(file, settings, wanted=PAGE in task.kinds) as kept:

        def on_event(event: Event) -> None:
            kept.on_event(event)
            if event.stage == "load" and event.value is not None:
                fitted.append(event.value.raster)  # type: ignore[attr-defined]

        result = vectorize(file, settings, threads=threads, on_event=on_event)
        files = {DRAWING: result.svg.encode()}
        if PREVIEW in task.kinds:
            files[PREVIEW] = sealed(preview(result))
        if PAGE in task.kinds:
            files[PAGE] = kept.page(result, fitted[0])
    return files, _figures(result, fitted[0])


def _figures(result: Result, fitted: Raster) -> dict[str, Any]:
    from layervec import metrics
    from layervec.score import compared, render_svg

    picture = compared(fitted)
    shown = render_svg(result.svg, picture.shape[1], picture.shape[0])
    shapes = result.drawing.shapes()
    return {
        "status": "done",
        "width": round(result.drawing.width),
        "height": round(result.drawing.height),
        "psnr": round(metrics.psnr(shown, picture), 3),
        "ssim": round(metrics.ssim(shown, picture), 5),
        "shapes": len(shapes),
        "nodes": sum(len(shape.outline.points) // 3 for shape in shapes),
        "layers": sum(1 for _ in result.drawing.root.layers()) - 1,  # its root is the file
        "size": len(result.svg.encode()),
        "note": " ".join(result.notes),
    }


class _Run:
    """A work folder for a report, or nothing where none is wanted."""

    def __init__(self, workdir: WorkDir | None, settings: Settings, source: Path) -> None:
        self._workdir, self._settings, self._source = workdir, settings, source

    def on_event(self, event: Event) -> None:
        if self._workdir is not None:
            self._workdir.on_event(event)

    def page(self, result: Result, fitted: Raster) -> bytes:
        """Return the report of the finished run."""
        from layervec.report import write_report
        from layervec.score import score

        assert self._workdir is not None, "a report was not wanted"
        picture = fitted.pixels if self._settings.drop_background else self._source
        self._workdir.finish(result, score(result.svg, picture))
        target = self._source.with_name("report.html")
        write_report(self._workdir.folder, target)
        return target.read_bytes()


@contextmanager
def _keeping_run(file: File, settings: Settings, *, wanted: bool) -> Iterator[_Run]:
    if not wanted:
        yield _Run(None, settings, Path())
        return
    from layervec.workdir import WorkDir

    with tempfile.TemporaryDirectory(prefix="layervec-") as folder:
        source = Path(folder, "picture")
        source.write_bytes(file.data)
        yield _Run(WorkDir(Path(folder, "run"), settings, source=source), settings, source)


def _our_fault(error: Exception) -> str:
    what = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(" .:")
    return f"something went wrong that is not your fault ({what}); please report it."
