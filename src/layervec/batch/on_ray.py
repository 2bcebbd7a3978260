"""The engine for many machines: Ray Data, whose actors each hold a worker process just as the local engine does.

So limits, crashes and bytes are the same, and Ray's part is to place workers, to hand out rows no faster than they
are taken, and to move work away from machines that are lost. https://docs.ray.io/en/latest/data/data.html
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

from layervec.batch import local
from layervec.batch.address import EXTRA, cause
from layervec.batch.place import OutputError
from layervec.batch.record import Record
from layervec.batch.seat import Answer, Limits, Seat
from layervec.batch.work import Task
from layervec.batch.worker import Setup
from layervec.errors import InputError

STORE_BYTES = 256 << 20  # of shared memory on a single machine, where only rows pass through it
MOST_BLOCK = 16  # rows handed out at once; what a killed run has not yet heard of is drawn again
PATIENCE = 10.0  # s for a cluster to answer at all
BLOCKS_A_WORKER = 16  # at least, so that all are busy to the end


def require() -> None:
    """Raise InputError where Ray is not installed."""
    if find_spec("ray") is None or find_spec("pyarrow") is None:
        raise InputError(f"--engine ray needs Ray, which the extra `batch` brings: {EXTRA}")


def run(
    tasks: Iterable[Task], setup: Setup, workers: int, limits: Limits, *, address: str | None, gpus: float
) -> Generator[Answer]:
    """Yield how tasks end, in whatever order they do; as `local.run`.

    workers: 0 for as many as the cluster has room for. address: of the cluster, None for this machine alone.
    gpus: of each worker, perhaps a fraction. Raises InputError where the cluster cannot be reached, OutputError where
    the output cannot be written.
    """
    with _cluster(address, workers * setup.threads):
        import ray

        seats = workers or _room(ray.cluster_resources(), setup.threads, gpus)
        rows = [{"task": json.dumps(task.plain())} for task in tasks]
        block = max(1, min(MOST_BLOCK, len(rows) // (seats * BLOCKS_A_WORKER)))
        answers = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // block)).map_batches(
            Actor,
            fn_constructor_args=(setup, limits),
            batch_size=1,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=seats),
            num_cpus=setup.threads,
            num_gpus=gpus,
        )
        for row in answers.iter_rows():
            yield _answer(row)


class Actor:
    """What Ray keeps alive on some machine: one worker process."""

    def __init__(self, setup: Setup, limits: Limits) -> None:
        self._seat = Seat(setup, limits)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Work on a batch of tasks; return how they ended."""
        return {"task": list(batch["task"]), "ended": [self._ended(text) for text in batch["task"]]}

    def _ended(self, text: str) -> str:
        try:
            record = self._seat.run(Task.of_plain(json.loads(text)))
        except OutputError as error:
            return json.dumps({"stop": str(error)})
        return json.dumps({"record": None if record is None else asdict(record)})


def _answer(row: dict[str, str]) -> Answer:
    ended = json.loads(row["ended"])
    if "stop" in ended:
        raise OutputError(ended["stop"])
    values = ended["record"]
    return Answer(Task.of_plain(json.loads(row["task"])), None if values is None else Record.of_plain(values))


def _room(resources: dict[str, float], threads: int, gpus: float) -> int:
    """Return how many workers a cluster has room for."""
    by_cores = int(resources.get("CPU", 1)) // threads
    return max(1, min(by_cores, int(resources.get("GPU", 0) / gpus)) if gpus else by_cores)


@contextmanager
def _cluster(address: str | None, cores: int) -> Iterator[None]:
    """Join a cluster, or make one of this machine, and leave it in the end. Keeps Ray quiet."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # workers have this environment, not one of their own
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # all that goes wrong comes back as an exception, too
    import ray

    if address:
        _check_answers(address)
    own: dict[str, Any] = {"num_cpus": max(local.cores(), cores), "object_store_memory": STORE_BYTES}
    with _signals_kept():
        try:
            ray.init(
                address or "local",
                include_dashboard=None if address else False,
                logging_level=logging.ERROR,
                log_to_driver=False,
                **({} if address else own),
            )
        except Exception as error:  # of Ray's own classes, and ConnectionError
            what = f"The Ray cluster at {address} cannot be joined" if address else "Ray cannot be started"
            raise InputError(f"{what}: {' '.join(str(error).split()).rstrip('.')}.") from error
    try:
        _hush()
        yield
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise InputError where nobody listens at host:port; Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return  # `auto`
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"The Ray cluster at {address} cannot be joined: {cause(error)}.") from error


def _hush() -> None:
    """Leave bars and notes to us."""
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray.data", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep our answer to SIGTERM, in whose place Ray puts its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
