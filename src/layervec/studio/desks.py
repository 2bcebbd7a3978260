"""Works that somebody looks at or has drawn: their news, their job, and what becomes of what the job makes.

Between works on disk, the queue and the boards; knows no requests. All of it happens on one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from layervec.errors import InputError
from layervec.files import reason
from layervec.settings import Settings
from layervec.studio.jobs import Job, Jobs
from layervec.studio.news import Board
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
        """Put up the present drawing."""
        if self.work.revision:
            from layervec.report import shown_drawing

            drawing = self.work.drawing()
            svg = shown_drawing(drawing)
            self.board.post("drawing", {"svg": svg, "revision": self.work.revision, "draft": False})


class Studio:
    """What the server knows while it runs."""

    def __init__(self, folder: Path, base: Settings, offered: frozenset[str]) -> None:
        self.store = Store(folder)
        self.base, self.offered = base, offered
        self.jobs = Jobs()
        self.heavy = asyncio.Semaphore(1)  # what needs much memory in this process, one at a time
        self._desks: dict[str, Desk] = {}

    def desk(self, name: str) -> Desk:
        """Return the desk of a work. KeyError where there is no such work."""
        work = self.store.get(name)
        if work is None:
            raise KeyError(name)
        if name not in self._desks:
            desk = self._desks[name] = Desk(work)
            desk.post()
            desk.post_drawing()
        return self._desks[name]

    def take(self, file: Path) -> str:
        """Make a work of a file of this machine and return its id. Raises InputError."""
        from layervec.studio import uploads

        try:
            data = file.read_bytes()
        except OSError as error:
            raise InputError(f"{file} cannot be read: {reason(error)}.") from error
        work = self.store.create(file.name)
        try:
            copy = work.folder / "upload"
            copy.write_bytes(data)
            uploads.for_new_work(self.store, work, copy, data.lstrip()[:1] == b"<")
        except BaseException:
            self.store.delete(work)
            raise
        return work.id

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
                    desk.work.add(news["svg"], what)
                except InputError as error:
                    desk.message = str(error)
            if desk.work.revision:
                desk.post_drawing()
            elif kind != "done":
                desk.board.drop("drawing")
            if ended is not None:
                ended()
        desk.post()
