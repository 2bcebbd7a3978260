"""The command line: runs what was asked for, writes its files, and turns every end into an exit code.

Refuses to know flags (arguments.py), how a drawing is made (pipeline.py) or measured (score.py). What is
heavy loads when a command needs it, so that help and complaints come at once.

Exit codes: 0 done, 1 our fault, 2 bad input or usage, 3 done in part (batch), 130 interrupted.
Data goes to stdout, talk to stderr.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from layervec import signals, streams
from layervec.errors import InputError, printable
from layervec.ours import check_outputs, identity, inputs, objection_to, sealed

if TYPE_CHECKING:
    from layervec.arguments import Vectorize
    from layervec.events import Event
    from layervec.image import File
    from layervec.pipeline import Result
    from layervec.score import Score
    from layervec.types import Raster

DONE, OUR_FAULT, BAD_INPUT, IN_PART, INTERRUPTED = 0, 1, 2, 3, 130
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".pdf"})
NO_DRAWINGS = PICTURES | {".html", ".htm"}  # endings of what lies beside a drawing
HELP = """\
usage: layervec COMMAND ...

Turn a picture into a layered, editable SVG: big meaningful shapes first, details on top.

commands:
  vectorize IMAGE          write a layered SVG of a picture
  batch IN -o OUT          do so for a folder, a pattern or a list of pictures
  score OUT.svg IMAGE      measure how close an SVG comes to a picture
  report FOLDER            write a page about a run that was kept by --workdir
  studio [FILE]            open a page in the browser to draw, look and edit
  models                   list what is there for options that need a model

options:
  -h, --help               show this help; `layervec COMMAND --help` shows that of a command
  --version                show the version

examples:
  layervec vectorize photo.jpg
  layervec vectorize photo.jpg -o drawing.svg --paths 64 --quality best
  layervec score photo.svg photo.jpg
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line with these words (default: those of this process) and return the exit code."""
    process_ends = words is None
    words = sys.argv[1:] if words is None else list(words)
    streams.prepare()
    code = DONE
    try:
        with signals.ended_as_interrupted(for_good=process_ends), suppress(SystemExit):  # argparse has shown its help
            code = _run(words)
        return code
    except InputError as error:
        return _fail(str(error), BAD_INPUT)
    except KeyboardInterrupt:
        return _fail("interrupted.", INTERRUPTED)
    except BrokenPipeError:
        streams.silence_output()
        return DONE  # whoever read our output had enough of it
    except Exception as error:
        if signals.came():  # libraries may turn the interrupt into what they raise
            return _fail("interrupted.", INTERRUPTED)
        return _our_fault(error, "--verbose" in words or "-v" in words)


def _run(words: Sequence[str]) -> int:
    command, rest = (words[0], words[1:]) if words else ("", [])
    if command == "vectorize":
        _vectorize(rest)
    elif command == "batch":
        return _batch(rest)
    elif command == "score":
        _score(rest)
    elif command == "report":
        _report(rest)
    elif command == "studio":
        _studio(rest)
    elif command == "models":
        _models(rest)
    elif command in ("-h", "--help", "help"):
        _print(HELP)
    elif command == "--version":
        from importlib.metadata import version

        _print(f"layervec {version('layervec')}\n")
    else:
        told = f"there is no command '{command}'" if command else "a command is missing"
        if Path(command).suffix.lower() in PICTURES:
            told += f", perhaps `layervec vectorize {command}` was meant"
        raise InputError(f"{told}; see `layervec --help`.")
    return DONE


def _print(text: str) -> None:
    with streams.output() as stdout:
        stdout.write(text)


# vectorize


def _vectorize(words: Sequence[str]) -> None:
    from layervec import arguments

    asked = arguments.vectorize(words)
    start = time.perf_counter()
    settings = asked.drawing
    target = _target(asked)
    preview = _preview_path(target, asked.image) if asked.output.png and target else None
    page = _unclaimed(target.with_suffix(".html")) if asked.output.report and target else None
    _check_places(asked, target, preview, page)
    picture = _read(asked.image)

    from layervec.precompile import Precompiler
    from layervec.progress import Progress, say
    from layervec.workdir import WorkDir

    for note in asked.run.notes:
        say(f"layervec: {note}")
    bar, lines = not asked.run.quiet, asked.run.verbose
    with (
        _workdir_path(asked) as folder,
        Precompiler(asked.run.threads) as precompiler,
        Progress(settings, bar=bar, lines=lines) as progress,
    ):
        workdir = WorkDir(folder, settings, source=picture, config=asked.run.config) if folder else None
        fitted: list[Raster] = []

        def on_event(event: Event) -> None:
            signals.check()
            progress.on_event(event)
            precompiler.on_event(event)
            if event.stage == "load" and event.value is not None:
                fitted.append(event.value.raster)  # type: ignore[attr-defined]
            if workdir is not None:
                workdir.on_event(event)

        from layervec.pipeline import vectorize

        result = vectorize(picture, settings, threads=asked.run.threads, on_event=on_event)
        _save(result, target)
        if preview is not None:
            from layervec.files import write_atomic
            from layervec.preview import preview as preview_png

            write_atomic(preview, sealed(preview_png(result)))
        if workdir is not None:
            from layervec.score import score

            workdir.finish(result, score(result.svg, fitted[0].pixels if settings.drop_background else picture))
        if page is not None and folder is not None:
            from layervec.report import write_report

            write_report(folder, page)
    if not asked.run.quiet:
        say(_summary(target or streams.OUTPUT, result, fitted[0], time.perf_counter() - start))
    for note in result.notes:  # also where little is to be read: it is not what was asked for
        say(f"layervec: {note}")


def _target(asked: Vectorize) -> Path | None:
    """Return where the SVG goes, None for standard output. A name that nobody typed must not cost anybody a drawing."""
    if _goes_to_output(asked):
        beside = "--png" if asked.output.png else "--report" if asked.output.report else ""
        if beside:
            raise InputError(f"{beside} lies beside the drawing, which goes to {streams.OUTPUT}; name a file by -o.")
        streams.check_output()
        return None
    if asked.output.svg is not None:
        if asked.output.svg.suffix.lower() in NO_DRAWINGS:
            raise InputError(f"{asked.output.svg} is no name for a drawing, which is an SVG; end it in .svg.")
        return asked.output.svg
    if not asked.image.name:
        raise InputError(f"{asked.image} cannot be read: it is a folder.")
    target = asked.image.with_suffix(".svg")
    if not _same(target, asked.image) and (why := objection_to(target)):
        raise InputError(f"{target} exists and {why}; use -o, if only to say that it may go.")
    return target


def _goes_to_output(asked: Vectorize) -> bool:
    """Tell whether the SVG goes to standard output: asked for, or because nothing can lie beside the picture."""
    if asked.output.svg is not None:
        return str(asked.output.svg) in streams.OUTPUTS
    if not streams.is_placeless(asked.image):
        return False
    if sys.stdout.isatty():
        raise InputError(f"{asked.image} has no place beside it for a drawing; name one by -o (-o - shows it here).")
    return True


def _read(path: Path) -> File:
    """Return a picture's file, read once: a pipe cannot be read again. Raises InputError."""
    from layervec.image import MAX_BYTES, File, read

    if str(path) in streams.INPUTS:
        return File(streams.INPUT, streams.read_input(MAX_BYTES + 1), title="")
    return replace(read(path), title="" if streams.is_placeless(path) else None)


def _save(result: Result, target: Path | None) -> None:
    if target is not None:
        result.save(target)
        return
    with streams.output() as stdout:
        stdout.buffer.write(result.svg.encode())


def _preview_path(target: Path, image: Path) -> Path:
    beside = target.with_suffix(".png")
    return _unclaimed(target.with_suffix(".preview.png") if _same(beside, image) else beside)


def _unclaimed(path: Path) -> Path:
    """Return a path that nobody typed, if a file there is none that somebody would miss. Raises InputError."""
    if why := objection_to(path):
        raise InputError(f"{path} exists and {why}; give the drawing another name with -o.")
    return path


@contextmanager
def _workdir_path(asked: Vectorize) -> Iterator[Path | None]:
    """Hand out the work folder: the user's, or for a report alone one that goes when the run ends."""
    if asked.output.workdir is not None or not asked.output.report:
        yield asked.output.workdir
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="layervec-") as folder:
        yield Path(folder)


def _check_places(asked: Vectorize, *places: Path | None) -> None:
    """Raise InputError before the work starts if it could not be kept, or would cost what it is made from."""
    from layervec.files import check_writable
    from layervec.workdir import files

    for path in places:
        if path is not None and _same(path, asked.image):
            raise InputError(f"{path} is the picture itself; name another output with -o.")
    kept = files(asked.output.workdir) if asked.output.workdir is not None else []
    check_outputs(places, inputs(asked.drawing, asked.run.config), kept)
    for path in places:
        if path is not None:
            check_writable(path)


def _same(a: Path, b: Path) -> bool:
    """Tell whether two paths lead to one existing file, through links and different spelling."""
    with suppress(OSError):
        return os.path.samefile(a, b)
    return False


def _summary(target: Path | str, result: Result, fitted: Raster, seconds: float) -> str:
    """Return one line about a finished drawing, its measured as `layervec score` does."""
    from layervec import metrics
    from layervec.score import compared, render_svg

    picture = compared(fitted)
    error = metrics.mse(render_svg(result.svg, picture.shape[1], picture.shape[0]), picture)
    fidelity = f"{metrics.psnr_of_mse(error):.1f} dB" if error > 0 else "exact"
    shapes = len(result.drawing.shapes())
    layers = sum(1 for _ in result.drawing.root.layers()) - 1  # its root is the file
    size = len(result.svg.encode()) / 1024
    return (
        f"{target}: {_counted(shapes, 'shape')} in {_counted(layers, 'layer')}, {fidelity},"
        f" {size:.{0 if size >= 10 else 1}f} KiB, {seconds:.1f} s"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


# batch


def _batch(words: Sequence[str]) -> int:
    """Draw many pictures; return DONE, or IN_PART where some of them failed."""
    from layervec import arguments

    asked = arguments.batch(words)
    from layervec.batch import run
    from layervec.batch.place import OutputError
    from layervec.progress import say

    for note in asked.notes:
        say(f"layervec: {note}")
    if not asked.options.quiet:
        _tell_of_compiling()
    start = time.perf_counter()
    try:
        summary = run.run(asked.source, asked.out, asked.drawing, asked.options)
    except OutputError as error:
        raise InputError(f"{error} What was drawn until then is kept.") from error
    except KeyboardInterrupt:
        if not asked.options.quiet:
            say(f"layervec: what is drawn is kept in {asked.out}; the same command goes on from there.")
        raise
    if not asked.options.quiet:
        kept = f", {summary.kept} drawn before" if summary.kept else ""
        failed = f", {summary.failed} failed" if summary.failed else ""
        say(f"{asked.out}: {summary.drawn} drawn{kept}{failed}, {time.perf_counter() - start:.1f} s")
        if summary.failed_before:
            say(f"layervec: {summary.failed_before} of them failed before; --retry-failed tries them again.")
    return IN_PART if summary.failed else DONE


def _tell_of_compiling() -> None:
    """Tell of kernels that will be compiled and not kept, where processes of ours that say nothing will do that."""
    from layervec import kernel_cache
    from layervec.progress import say

    place = kernel_cache.place()
    if place.is_empty() and (told := place.not_kept()):
        say(told)


# report


def _report(words: Sequence[str]) -> None:
    from layervec import arguments

    asked = arguments.report(words)
    from layervec.files import check_writable
    from layervec.progress import say
    from layervec.report import write_report
    from layervec.workdir import REPORT, files

    if not asked.folder.is_dir():
        raise InputError(f"{asked.folder} is no work folder, as `layervec vectorize --workdir` makes one.")
    page = asked.html or asked.folder / REPORT
    if page.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{page} is no name for a page; end it in .html.")
    if asked.html is None and (why := objection_to(page)):
        raise InputError(f"{page} exists and {why}; use -o, if only to say that it may go.")
    check_outputs([page], {found: str(file) for file in files(asked.folder) if (found := identity(file))})
    check_writable(page)
    write_report(asked.folder, page)
    say(f"{page}: {page.stat().st_size / 1024:.0f} KiB")


# score


def _score(words: Sequence[str]) -> None:
    from layervec import arguments

    asked = arguments.score(words)
    from layervec.score import score

    svg = Path("/dev/stdin") if str(asked.svg) == streams.DASH else asked.svg
    picture = _read(asked.image) if str(asked.image) == streams.DASH else asked.image
    figures = score(svg, picture, masks=asked.masks)
    if asked.json:
        import json

        _print(json.dumps(figures.as_dict(), indent=2, allow_nan=False) + "\n")
    else:
        _print_table(figures)


def _print_table(figures: Score) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=box.SIMPLE)
    for name, value in figures.table():
        table.add_row(Text(name), Text(value))
    with streams.output() as stdout:
        Console(file=stdout).print(table)


# studio


def _studio(words: Sequence[str]) -> None:
    from layervec import arguments

    asked = arguments.studio(words)
    from layervec.studio.command import run

    _tell_of_compiling()
    run(asked)


# models


def _models(words: Sequence[str]) -> None:
    from layervec import arguments

    asked = arguments.models(words)
    from layervec.models.inventory import inventory

    _print("".join(printable(line) + "\n" for line in inventory(asked.drawing)))


# Ends


def _fail(sentence: str, code: int) -> int:
    from layervec.progress import say

    say("layervec: " + " ".join(sentence.split()))  # one line, whatever a file is called
    return code


def _our_fault(error: Exception, verbose: bool) -> int:
    if verbose:
        import traceback

        from layervec.progress import say

        for line in traceback.format_exc().splitlines():
            say(line)
    what = f"{type(error).__name__}: {error}".rstrip(" .:")
    more = "" if verbose else ", with what the same command says with --verbose"
    return _fail(f"something went wrong that is not your fault ({what}); please report it{more}.", OUR_FAULT)
