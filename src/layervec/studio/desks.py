"""Works that somebody looks at or has drawn: their news, their job, and what becomes of what the job makes.

Between works on disk, the queue and the boards; knows no requests. All of it happens on one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from layervec.errors import InputError
from layervec.settings import Settings
from layervec.studio import uploads
from layervec.studio.jobs import MOST_ERRANDS, Job, Jobs
from layervec.studio.news import Board
from layervec.studio.worker import ERRANDS
from layervec.studio.works import Store, Work


class BusyError(InputError):
    """What is asked for must wait, or look again at what has changed meanwhile."""


@dataclass(eq=False)
class Desk:
    """A work that somebody looks at: its news, its job, and a lock that lets one change happen at a time."""

    work: Work
    board: Board = field(default_factory=Board)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    job: Job | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    seen: tuple[int, str] = (0, "")  # the revision that was read last, and what pages get of it
    looking: asyncio.Task[None] | None = None

    def post(self) -> None:
        """Put up how the work stands."""
        record, job = self.work.record, self.job
        self.board.post(
            "state",
            {
                "name": record.name,
                "picture": None if record.picture is None else record.picture.model_dump(exclude={"sha256"}),
                "settings": record.settings,
                "revision": self.work.revision,
                "undo": self.work.undoable(),
                "redo": self.work.redoable(),
                "running": None if job is None else {"job": job.message["do"], **self.progress},
                "message": self.message,
            },
        )

    def post_drawing(self) -> None:
        """Put up the present drawing, if it has been read."""
        revision, shown = self.seen
        if revision == self.work.revision != 0:
            self.board.post("drawing", {"svg": shown, "revision": revision, "draft": False})

    def keep(self, made: dict[str, Any], what: str) -> None:
        """Make what an errand or a job has made the present drawing. StorageError where it cannot be kept."""
        self.work.add(made["svg"], what)
        self.seen = (self.work.revision, made["shown"])


class Studio:
    """What the server knows while it runs."""

    def __init__(self, store: Store, base: Settings, offered: frozenset[str]) -> None:
        self.store = store
        self.base, self.offered = base, offered
        self.jobs = Jobs()
        self.errands = Jobs(ERRANDS, most=MOST_ERRANDS)
        self._large = asyncio.Semaphore(
            1
        )  # errands that take long or much memory, so that a process is left for others
        self._desks: dict[str, Desk] = {}

    def desk(self, name: str) -> Desk:
        """Return the desk of a work. KeyError where there is no such work."""
        work = self.store.get(name)
        if work is None:
            raise KeyError(name)
        if name not in self._desks:
            desk = self._desks[name] = Desk(work)
            desk.post()
        return self._desks[name]

    async def errand(self, message: dict[str, Any], *, large: bool = False) -> dict[str, Any]:
        """Have a short job done, see errands.py, and return its values. Raises InputError."""
        async with self._large if large or len(message.get("svg", "")) >= uploads.LARGE else nullcontext():
            return await self.errands.do(message)

    def look(self, desk: Desk) -> None:
        """See to it that the board gets the present drawing, or a message that says why not."""
        if desk.seen[0] != desk.work.revision and desk.looking is None:
            desk.looking = asyncio.create_task(self._look(desk))

    async def _look(self, desk: Desk) -> None:
        try:
            async with desk.lock:
                await self.read(desk)
        except InputError as error:
            desk.message = str(error)
            desk.post()
        finally:
            desk.looking = None

    async def read(self, desk: Desk) -> None:
        """Put up the present drawing, read first where it has not been. InputError where it cannot be read."""
        revision = desk.work.revision
        if desk.seen[0] != revision:
            desk.seen = (revision, (await self.errand({"do": "look", "svg": desk.work.text()}))["shown"])
        desk.post_drawing()

    def forget(self, desk: Desk) -> None:
        """Delete a work, end what is done for it and send away who follows it."""
        if desk.job is not None:
            self.jobs.cancel(desk.job)
        self._desks.pop(desk.work.id, None)
        self.store.delete(desk.work)
        desk.board.close()

    def close(self) -> None:
        """End all streams, or the server would wait for them when it stops."""
        for desk in self._desks.values():
            desk.board.close()

    async def start(
        self, desk: Desk, message: dict[str, Any], what: str, ended: Callable[[], None] | None = None
    ) -> None:
        """Queue a job for a work. BusyError where one is under way, InputError where too many wait."""
        if desk.job is not None:
            raise BusyError("This work is being drawn; wait for it or cancel it first.")
        message = {"name": desk.work.record.name, "picture": str(desk.work.picture), **message}
        job = Job(message, partial(self._on_news, desk, what, ended))
        desk.job, desk.progress, desk.message = job, {}, ""
        for kind in ("levels", "cuts"):
            if message["do"] == "draw":
                desk.board.drop(kind)
        try:
            await self.jobs.put(job)
        except InputError:
            desk.job = None
            raise
        desk.post()

    def _on_news(self, desk: Desk, what: str, ended: Callable[[], None] | None, news: dict[str, Any]) -> None:
        kind = news.pop("kind")
        if kind in ("progress", "waiting"):
            desk.progress = news
        elif kind in ("levels", "cuts"):
            desk.board.post(kind, news)
        elif kind == "drawing":
            desk.board.post("drawing", {**news, "revision": desk.work.revision, "draft": True})
        else:
            desk.job, desk.progress = None, {}
            desk.message = news.get("message", "")
            if kind == "done":
                try:
                    desk.keep(news, what)
                except InputError as error:
                    desk.message = str(error)
            if desk.work.revision:
                desk.post_drawing()
            elif kind != "done":
                desk.board.drop("drawing")
            if ended is not None:
                ended()
        desk.post()
