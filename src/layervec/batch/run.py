"""A whole batch: which rows are still to do, the engine that does them, the journal, and what is left behind.

A row has ended when the journal has its line; then its files take their names. That order, and nothing else, makes
a run that is killed at any moment safe to start again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, Protocol

from layervec import ours
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
    """How a batch ended: rows, and how many of them were drawn in this run, drawn before, and failed.

    failed_before: how many of those that failed did so in an earlier run, and were not tried again.
    """

    rows: int
    drawn: int
    kept: int
    failed: int
    failed_before: int


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
        read = _read(rows, source)
        ended, list_hash = _resumed(output, options, out, read)
        try:
            with Progress(len(rows), quiet=options.quiet, lines=options.verbose) as progress:
                refusals = _refusals(rows, options, out, read)
                tasks, refused = _tasks(rows, ended, options, refusals)
                count = _collect(refused, ended, output, progress)
                if len(refusals) < len(rows):
                    with closing(engine(tasks, Setup(spot, threads), workers, options.limits)) as answers:
                        count = _collect(answers, ended, output, progress)
        finally:
            records = [ended[row.output] for row in rows if row.output in ended]
            if records:
                _write_list(manifest.manifest(records, options.form), list_hash, output, options)
                output.write(page.NAME, ours.sealed(page.page(records, len(rows)).encode()))
    finally:
        output.close()
    failed = sum(record.status == "failed" for record in records)
    return Summary(len(rows), count.drawn, len(rows) - count.drawn - failed, failed, count.failed_before)


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


def _read(rows: Sequence[Row], source: str) -> dict[ours.Identity, str]:
    """Return what the batch reads on this machine, by identity."""
    chosen = {tuple(getattr(row.settings, name) for name in ours.READ_BY_SETTINGS): row.settings for row in rows}
    read = ours.inputs(Settings(), source, *(row.image for row in rows))
    for settings in chosen.values():
        read |= ours.inputs(settings)
    return read


def _resumed(
    output: place.Place, options: Options, out: str, read: dict[ours.Identity, str]
) -> tuple[dict[str, Record], str]:
    """Open an output; return how its rows ended in earlier runs, with all files of theirs under their names, and the
    hash of its manifest, "" where it has none. Raises InputError where manifest or page would cost what is not ours.
    """
    lines = output.open()
    list_hash = _list_hash(output, options, lines)
    for name in (f"manifest.{options.form}", page.NAME):
        if why := output.blocked(name) or _objection(output, name, out, read):
            raise InputError(f"{why}; move it away, or name another output with -o.")
    found = [Record.of_line(line) for line in lines]
    ended = {record.output: record for record in found if record is not None}
    for record in tuple(ended.values()):
        if not all(output.recover(staged, name) for staged, name in _files(record)):
            del ended[record.output]  # is drawn again
    known = [_list_line(list_hash)] if list_hash else []
    output.start([HEADER, *known, *(record.line() for record in ended.values())])
    return ended, list_hash


def _objection(output: place.Place, name: str, out: str, read: dict[ours.Identity, str]) -> str:
    if ours.identity(os.path.join(out, name)) in read:
        return f"{name} in the output is read by this batch"
    if name != page.NAME or not output.has(name):
        return ""
    why = ours.objection(output.read(name))
    return f"{name} exists in the output and {why}" if why else ""


def _list_hash(output: place.Place, options: Options, lines: Sequence[bytes]) -> str:
    """Return the hash of the manifest, which has no place for a seal, so the journal knows it. Raises InputError."""
    name = f"manifest.{options.form}"
    if output.blocked(name) or not output.has(name):
        return ""
    found = hashlib.sha256(output.read(name)).hexdigest()
    if _list_line(found).strip() not in lines:
        raise InputError(
            f"{name} exists in the output and is not as a batch has left it; move it away, or name another output with "
            "-o."
        )
    return found


def _list_line(list_hash: str) -> bytes:
    return json.dumps({"manifest": list_hash}).encode() + b"\n"


def _write_list(data: bytes, before: str, output: place.Place, options: Options) -> None:
    """Write the manifest; the journal knows it first, so that a killed run leaves none that seems a stranger's."""
    found = hashlib.sha256(data).hexdigest()
    if found != before:
        output.commit(_list_line(found), ())
        output.sync()
    output.write(f"manifest.{options.form}", data)


def _refusals(rows: Sequence[Row], options: Options, out: str, read: dict[ours.Identity, str]) -> dict[int, str]:
    """Return why rows are not worked on, by number."""
    found = ((number, row.refused or _costs_input(row, options, out, read)) for number, row in enumerate(rows))
    return {number: why for number, why in found if why}


def _tasks(
    rows: Sequence[Row], ended: dict[str, Record], options: Options, refusals: dict[int, str]
) -> tuple[Iterator[Task], Iterator[Answer]]:
    """Return the tasks of rows, and how those ended that are refused. What ended before is told, so that workers, who
    read the pictures, can tell.
    """

    def task(number: int) -> Task:
        return _task(number, rows[number], ended.get(rows[number].output), options)

    refused = (Answer(task(number), task(number).failed(why)) for number, why in refusals.items())
    return (task(number) for number in range(len(rows)) if number not in refusals), refused


def _task(number: int, row: Row, before: Record | None, options: Options) -> Task:
    known, kinds = "", _kinds(options)
    if before is not None:
        whole = set(kinds) <= set(before.kinds) if before.status == "done" else not options.retry_failed
        known = before.key if whole else ""
    chosen = row.settings.model_dump(mode="json", exclude_unset=True)
    return Task(number, row.image, row.output, chosen, kinds, known, before.kinds if before is not None else ())


def _kinds(options: Options) -> tuple[str, ...]:
    """Return the endings of the files that each row leaves."""
    return (DRAWING, *([PREVIEW] if options.png else []), *([PAGE] if options.report else []))


def _costs_input(row: Row, options: Options, out: str, read: dict[ours.Identity, str]) -> str:
    """Return why a row's files would replace what the batch reads, "" where they do not."""
    for kind in _kinds(options):
        found = ours.identity(os.path.join(out, row.output + kind))
        if found is not None and found in read:
            return f"{row.output}{kind} in the output is read by this batch, as {read[found]}, so it is kept."
    return ""


@dataclass(slots=True)
class _Count:
    """Rows that were drawn in this run, and that were not tried again as they had failed before."""

    drawn: int = 0
    failed_before: int = 0


def _collect(answers: Iterator[Answer], ended: dict[str, Record], output: place.Place, progress: Progress) -> _Count:
    """Write down how rows end; return how many did how."""
    count = _Count()
    for answer in answers:
        record = answer.record
        if record is not None and not _told_before(record, ended):
            output.commit(record.line(), _files(record))
            ended[record.output] = record
            count.drawn += record.status == "done"
        known = ended[answer.task.output]
        count.failed_before += record is None and known.status == "failed"
        progress.ended(known, anew=record is not None)
    return count


def _told_before(record: Record, ended: dict[str, Record]) -> bool:
    """Tell whether a row failed as it did before, when nothing could be read to know it by."""
    before = ended.get(record.output)
    return before is not None and not record.key and record == replace(before, seconds=record.seconds)


def _files(record: Record) -> list[tuple[str, str]]:
    """Return where a row's files were staged, and their names."""
    return [(record.staged + kind, record.output + kind) for kind in record.kinds]
