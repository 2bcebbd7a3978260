"""A worker's process from outside: starts it, gives it one row at a time, ends it where a row takes too much, and
starts another.

Whatever a row does to its process, the answer is a `Record`. Engines own seats; a seat knows no other.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from layervec.batch.place import OutputError
from layervec.batch.record import Record
from layervec.batch.work import Task
from layervec.batch.worker import Message, Setup, serve

POLL = 0.1  # s between looks at a limit
START_LIMIT = 600.0  # s that a worker may take to get ready: compiling takes a minute on a slow core
MOST_STARTS = 3  # workers in a row that end before they are ready, until it is no accident


@dataclass(frozen=True, slots=True)
class Limits:
    """What one picture may take: seconds, and MiB of its process's memory. None: anything."""

    seconds: float | None = None
    mebibytes: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """How a task ended; `record` None: nothing was to be done."""

    task: Task
    record: Record | None


class Seat:
    """A place where one row at a time is worked on."""

    def __init__(self, setup: Setup, limits: Limits) -> None:
        self._setup, self._limits = setup, limits
        self.task: Task | None = None
        self.ready = False
        self._known: Record | None = None
        self._begun = 0.0
        self._starts = 0
        self._start()

    @property
    def pipe(self) -> Connection:
        """What becomes readable when the worker says something, or ends."""
        return self._pipe

    def give(self, task: Task) -> None:
        """Let the worker, which must be ready and idle, begin with a task."""
        self.task, self._known, self._begun = task, None, time.monotonic()
        with suppress(OSError):  # it has just died; `look` will find out
            self._pipe.send(task)

    def look(self) -> Answer | None:
        """Take in what the worker has said and what became of it; return the answer if its row has ended.

        Raises OutputError where the output cannot be written, RuntimeError where no worker can be started.
        """
        try:
            while self._pipe.poll():
                answer = self._hear(self._pipe.recv())
                if answer is not None:
                    return answer
        except (EOFError, OSError):
            return self._died()
        return self._over_limit()

    def run(self, task: Task) -> Record | None:
        """Work on one task and wait for its end."""
        while not self.ready:
            self._pipe.poll(POLL)
            self.look()
        self.give(task)
        while True:
            self._pipe.poll(POLL)
            answer = self.look()
            if answer is not None:
                return answer.record

    def mebibytes(self) -> float:
        """Return the memory that the worker holds, 0 where that cannot be told."""
        number = self._process.pid
        with suppress(OSError, ValueError, IndexError):
            pages = int(Path(f"/proc/{number}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        with suppress(OSError, ValueError):
            shown = subprocess.run(["ps", "-o", "rss=", "-p", str(number)], capture_output=True, text=True, check=False)
            return int(shown.stdout) / 1024
        return 0.0

    def close(self) -> None:
        """End the worker, whatever it does."""
        self._process.kill()
        self._process.join()
        self._pipe.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _start(self) -> None:
        self.ready, self._starts, self._begun = False, self._starts + 1, time.monotonic()
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._scratch = tempfile.mkdtemp(prefix="layervec-")
        self._process: BaseProcess = context.Process(
            target=serve, args=(theirs, self._setup, self._scratch), name="layervec-worker", daemon=True
        )
        try:
            with _no_main():
                self._process.start()
        except BaseException:  # also when interrupted: no litter
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise
        theirs.close()  # so that the pipe ends when the worker does

    def _hear(self, message: Message) -> Answer | None:
        if message.kind == "stop":
            raise OutputError(message.sentence)
        if message.kind == "ready":
            self.ready, self._starts = True, 0
        elif message.kind == "begun":
            self._known = message.record
        else:
            return self._ended(message.record)
        return None

    def _ended(self, record: Record | None) -> Answer:
        assert self.task is not None, "a worker without a task has nothing to end"
        answer, self.task = Answer(self.task, record), None
        return answer

    def _died(self) -> Answer | None:
        """Start another worker; return how the row of this one ended, if it had one."""
        self._process.join()
        code = self._process.exitcode or 0
        if self.task is None and not self.ready and self._starts >= MOST_STARTS:
            raise RuntimeError(f"workers end before they begin ({_ending(code)})")
        return self._replaced(f"its worker ended ({_ending(code)})")

    def _over_limit(self) -> Answer | None:
        """End the worker where its row takes too much."""
        spent = time.monotonic() - self._begun
        if not self.ready:
            if spent > START_LIMIT:
                raise RuntimeError(f"a worker was not ready after {START_LIMIT:.0f} s")
            return None
        if self.task is None:
            return None
        most, room = self._limits.seconds, self._limits.mebibytes
        if most is not None and spent > most:
            return self._replaced(f"it took more than {most:g} s")
        if room is not None and self.mebibytes() > room:
            return self._replaced(f"it needed more than {room} MiB of memory")
        return None

    def _replaced(self, reason: str) -> Answer | None:
        """Put another worker in this one's place; return the end of its row, if it had one."""
        spent = time.monotonic() - self._begun
        self.close()
        self._start()
        if self.task is None:
            return None
        known = self._known or self.task.failed("")
        return self._ended(replace(known, reason=f"{self.task.image}: {reason}.", seconds=round(spent, 3)))


def _ending(code: int) -> str:
    """Return how a process ended, for people. The system ends processes by signal 9 when memory runs out."""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        name = signal.Signals(-code).name
        return f"{name}, as the system does when memory runs out" if name == "SIGKILL" else name
    return f"signal {-code}"


@contextmanager
def _no_main() -> Iterator[None]:
    """Keep a spawned process from importing the program that spawns it, which may be anybody's script."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
