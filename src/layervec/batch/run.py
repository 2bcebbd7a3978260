"""A whole batch: which rows are still to do, the engine that does them, the journal, and what is left behind.

A row has ended when the journal has its line; then its files take their names. That order, and nothing else, makes
a run that is killed at any moment safe to start again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, Protocol

from layervec.batch import local, manifest, page, place
from layervec.batch.progress import Progress
from layervec.batch.record import DRAWING, HEADER, PAGE, PREVIEW, Record
from layervec.batch.rows import Row, gather
from layervec.batch.seat import Answer, Limits
from layervec.batch.work import Task
from layervec.batch.worker import Setup
from layervec.errors import InputError
from layervec.settings import Settings

Engine = Literal["local", "ray"]


@dataclass(frozen=True, slots=True)
class Options:
    """How a batch is run.

    png, report: also written for each row. form: of the manifest. retry_failed: work again on rows that failed
    before. workers: processes, None for one a core. threads: of each worker, None for its share of the cores.
    address: of a Ray cluster, None for this machine. gpus: of each worker, may be a fraction.
    """

    png: bool = False
    report: bool = False
    form: manifest.Form = "csv"
    retry_failed: bool = False
    engine: Engine = "local"
    workers: int | None = None
    threads: int | None = None
    limits: Limits = field(default_factory=Limits)
    address: str | None = None
    gpus: float = 0.0
    quiet: bool = False
    verbose: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """How a batch ended: rows, and how many of them were drawn in this run, drawn before, and failed."""

    rows: int
    drawn: int
    kept: int
    failed: int


class Run(Protocol):
    """What an engine is: it yields how tasks end, in whatever order, and stops its workers when it is closed."""

    def __call__(self, tasks: Iterable[Task], setup: Setup, workers: int, limits: Limits) -> Generator[Answer]:
        """Run the tasks."""
        ...


def run(source: str, out: str, settings: Settings, options: Options) -> Summary:
    """Draw every picture of `source` into `out`; see `rows.gather` and `place`.

    Rows that ended before with the same key are left as they are. Raises InputError for bad input, OutputError where
    the output cannot be written any more; what has ended until then is kept, also when interrupted.
    """
    manifest.check(options.form)
    rows = gather(source, out, settings)
    engine = _engine(options)
    workers, threads = _shares(options, len(rows))
    spot = place.spot(out)
    output = spot.place()
    try:
        ended = _resumed(output, options)
        try:
            with Progress(len(rows), quiet=options.quiet, lines=options.verbose) as progress:
                tasks, setup = _tasks(rows, ended, options), Setup(spot, threads)
                with closing(engine(tasks, setup, workers, options.limits)) as answers:
                    drawn = _collect(answers, ended, output, progress)
        finally:
            records = [ended[row.output] for row in rows if row.output in ended]
            if records:
                output.write(f"manifest.{options.form}", manifest.manifest(records, options.form))
                output.write(page.NAME, page.page(records, len(rows)).encode())
    finally:
        output.close()
    failed = sum(record.status == "failed" for record in records)
    return Summary(len(rows), drawn, len(rows) - drawn - failed, failed)


def _shares(options: Options, rows: int) -> tuple[int, int]:
    """Return how many workers there are, and the threads of each: cores are divided, not multiplied.

    A cluster has cores of its own, which only Ray can count: 0 workers are as many as it has room for.
    """
    if options.address is not None:
        return options.workers or 0, options.threads or 1
    workers = options.workers or local.cores()
    threads = options.threads or max(1, local.cores() // workers)
    return max(1, min(workers, rows)), threads


def _engine(options: Options) -> Run:
    if options.engine == "local":
        return local.run
    from layervec.batch import on_ray

    on_ray.require()
    return partial(on_ray.run, address=options.address, gpus=options.gpus)


def _resumed(output: place.Place, options: Options) -> dict[str, Record]:
    """Open an output; return how its rows ended in earlier runs, with all files of theirs under their names."""
    lines = output.open()
    if not lines:
        for name in (f"manifest.{options.form}", page.NAME):
            if output.has(name):
                raise InputError(
                    f"{name} exists in the output and was not made by a batch; name another output with -o."
                )
    found = [Record.of_line(line) for line in lines]
    ended = {record.output: record for record in found if record is not None}
    for record in ended.values():
        for staged, name in _files(record):
            output.settle(staged, name)
    output.start([HEADER, *(record.line() for record in ended.values())])
    return ended


def _tasks(rows: Sequence[Row], ended: dict[str, Record], options: Options) -> Iterator[Task]:
    """Yield the tasks of rows. What ended before is told, so that workers, who read the pictures, can tell."""
    kinds = (DRAWING, *([PREVIEW] if options.png else []), *([PAGE] if options.report else []))
    for number, row in enumerate(rows):
        before = ended.get(row.output)
        known = ""
        if before is not None:
            whole = set(kinds) <= set(before.kinds) if before.status == "done" else not options.retry_failed
            known = before.key if whole else ""
        yield Task(
            number,
            row.image,
            row.output,
            row.settings.model_dump(mode="json", exclude_unset=True),
            kinds,
            known,
            before.kinds if before is not None else (),
        )


def _collect(answers: Iterator[Answer], ended: dict[str, Record], output: place.Place, progress: Progress) -> int:
    """Write down how rows end; return how many were drawn."""
    drawn = 0
    for answer in answers:
        record = answer.record
        if record is not None and not _told_before(record, ended):
            output.commit(record.line(), _files(record))
            ended[record.output] = record
            drawn += record.status == "done"
        progress.ended(ended[answer.task.output], anew=record is not None)
    return drawn


def _told_before(record: Record, ended: dict[str, Record]) -> bool:
    """Tell whether a row failed as it did before, when nothing could be read to know it by."""
    before = ended.get(record.output)
    return before is not None and not record.key and record == replace(before, seconds=record.seconds)


def _files(record: Record) -> list[tuple[str, str]]:
    """Return where a row's files were staged, and their names."""
    return [(record.staged + kind, record.output + kind) for kind in record.kinds]
