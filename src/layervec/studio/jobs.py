"""Queues, and the processes that work them off.

A job is what worker.py does; news of it go to its listener as they come. A process that does not stop when asked, takes
longer than a job may, or ends by itself, is replaced; its job then ends with a sentence, and the next one runs. Knows
no works and no requests. All of it happens on one event loop.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from layervec.errors import InputError

# Not from the working folder (-P): who knows what modules lie there.
COMMAND = (sys.executable, "-P", "-m", "layervec.studio.worker")
PROCESSES = 2  # a short edit need not wait for a long drawing; each uses all cores
MOST_WAITING = 24  # drawings; whoever waits behind so many has left
MOST_ERRANDS = 512  # that wait; a list of works asks for a thumbnail of each
ERRAND_LIMIT = 120.0  # s that an errand may take; the largest drawings that are let in take a quarter of it on one core
PATIENCE = 1.0  # s that a process has to notice a cancelled job before it is ended
MOST_LINE = 128 << 20  # bytes of one piece of news, which may hold a drawing
ENDS = frozenset({"done", "failed", "cancelled"})
Listener = Callable[[dict[str, Any]], None]


class Job:
    """One thing to do. message: what worker.py expects. listener: gets every piece of news as {"kind": ...}.

    limit: seconds that it may run, None for as long as it takes.
    """

    def __init__(self, message: dict[str, Any], listener: Listener, limit: float | None = None) -> None:
        self.message = message
        self._listener = listener
        self.limit = limit
        self.late = False  # it was ended because of its limit
        self.over = False
        self.cancelled = asyncio.Event()

    def tell(self, news: dict[str, Any]) -> None:
        """Hand on a piece of news; after the end there are no more."""
        if not self.over:
            self.over = news["kind"] in ENDS
            self._listener(news)


class Jobs:
    """Works jobs off while it is entered. words: more of the command line of its processes. most: that may wait."""

    def __init__(self, *words: str, most: int = MOST_WAITING, processes: int = PROCESSES) -> None:
        self._waiting: deque[Job] = deque()
        self._most = most
        self._more = asyncio.Condition()
        self._slots = [_Slot(words) for _ in range(processes)]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Jobs:
        self._tasks = [asyncio.create_task(self._serve(number)) for number in range(len(self._slots))]
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for slot in self._slots:
            await slot.end()

    async def put(self, job: Job) -> None:
        """Queue a job. InputError where too many wait."""
        if len(self._waiting) >= self._most:
            raise InputError(f"{self._most} drawings are waiting already; try again when some are done.")
        async with self._more:
            self._waiting.append(job)
            self._tell_places()
            self._more.notify()

    async def do(self, message: dict[str, Any], limit: float = ERRAND_LIMIT) -> dict[str, Any]:
        """Have a job done and return the news that it is. InputError where it fails or takes longer than `limit` s."""
        ended: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def listen(news: dict[str, Any]) -> None:
            if news["kind"] in ENDS and not ended.done():
                ended.set_result(news)

        job = Job(message, listen, limit)
        await self.put(job)
        try:
            news = await ended
        finally:
            if not job.over:
                self.cancel(job)
        if news.pop("kind") != "done":
            raise InputError(news.get("message", "This was cancelled."))
        return news

    def cancel(self, job: Job) -> None:
        """End a job, whether it waits or runs."""
        job.cancelled.set()
        if job in self._waiting:
            self._waiting.remove(job)
            job.tell({"kind": "cancelled"})
            self._tell_places()

    async def _serve(self, number: int) -> None:
        slot = self._slots[number]
        # One after the other: in the first run of all, a second process would compile the same once more.
        if number:
            await self._slots[number - 1].tried.wait()
        while True:
            await slot.start()
            async with self._more:
                self._tell_places()
                await self._more.wait_for(lambda: bool(self._waiting))
                job = self._waiting.popleft()
                self._tell_places()
            await slot.work(job)

    def _tell_places(self) -> None:
        ready = any(slot.ready for slot in self._slots)
        for place, job in enumerate(self._waiting, start=1):
            job.tell({"kind": "waiting", "place": place, "ready": ready})


class _Slot:
    """A process that takes one job after the other, and is replaced where it ends. words: see `Jobs`."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words
        self._process: Process | None = None
        self.tried = asyncio.Event()
        self.ready = False

    async def start(self) -> None:
        """Have a process that waits for a job; where none will start, the next job tells of it."""
        if self._process is not None and self._process.returncode is None:
            return
        self.ready = False
        self._process = None
        with suppress(EOFError, OSError):
            self._process = await asyncio.create_subprocess_exec(
                *COMMAND, *self._words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=MOST_LINE
            )
            await self._receive()
            self.ready = True
        self.tried.set()

    async def work(self, job: Job) -> None:
        """Have a job done; what has become of the process is seen to by the next `start`."""
        await self.start()  # again where it has ended while there was nothing to do
        stopping = asyncio.create_task(self._stop_when_asked(job))
        try:
            await self._send(job.message)
            while not job.over:
                job.tell(await self._receive())
        except (EOFError, OSError, ValueError):  # ValueError: a line longer than MOST_LINE
            job.tell({"kind": "cancelled"} if job.cancelled.is_set() else await self._obituary(job))
            await self.end()
        finally:
            stopping.cancel()

    async def _stop_when_asked(self, job: Job) -> None:
        try:
            await asyncio.wait_for(job.cancelled.wait(), job.limit)
            with suppress(OSError):
                await self._send({"do": "cancel"})
            await asyncio.sleep(PATIENCE)
        except TimeoutError:
            job.late = True
        self._kill()

    async def _send(self, message: dict[str, Any]) -> None:
        if self._process is None or self._process.stdin is None:
            raise EOFError
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        await self._process.stdin.drain()

    async def _receive(self) -> dict[str, Any]:
        """Return the next piece of news. EOFError where the process has ended."""
        if self._process is None or self._process.stdout is None:
            raise EOFError
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        news: dict[str, Any] = json.loads(line)
        return news

    async def _obituary(self, job: Job) -> dict[str, Any]:
        if job.late:
            return {"kind": "failed", "message": f"That takes longer than {job.limit:.0f} s, which is too long here."}
        if self._process is None:
            return {
                "kind": "failed",
                "message": "No process could be started to work on this, perhaps for lack of memory.",
            }
        self._kill()
        code = await self._process.wait()
        how = f"signal {-code}" if code < 0 else f"code {code}"
        return {
            "kind": "failed",
            "message": f"The process that worked on this ended unexpectedly ({how}), perhaps for lack of memory. "
            "Nothing else is lost; try again, or with a smaller picture.",
        }

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            if self._process is not None and self._process.returncode is None:
                self._process.kill()

    async def end(self) -> None:
        """End the process."""
        self._kill()
        if self._process is not None:
            await self._process.wait()
