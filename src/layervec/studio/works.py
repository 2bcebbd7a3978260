"""Works on disk: a picture, the drawings made of it in their order, and which of them is the present one.

    FOLDER/0123456789abcdef/work.json    name, settings, revisions
    FOLDER/0123456789abcdef/picture      the bytes that were uploaded; shown, fitted: the same made smaller
    FOLDER/0123456789abcdef/1.svg ...    every drawing, for undo and redo

Names of folders and files are made here and never by a browser. A new work takes its place once it is whole. Drawings
are written before the record that tells of them, and each in one step, so whatever ends the server, a finished drawing
stays. Texts only: reading drawings takes long, and is done in other processes. Knows no requests and no jobs.
"""

from __future__ import annotations

import errno
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from layervec.errors import InputError
from layervec.files import reason, write_atomic
from layervec.studio.home import remove

ID = re.compile("[0-9a-f]{16}")
RECORD, PICTURE = "work.json", "picture"
MADE_OF_PICTURE = SHOWN, FITTED = "shown", "fitted"  # see uploads.py
MOST_REVISIONS = 100  # drawings kept of a work; a hundred steps back is more than anybody takes
MOST_WORKS = 500  # in a folder
MOST_NAME = 120  # characters
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# What older studios left in works when they crashed, and `write_atomic` when it is killed.
LEFT = re.compile(r"upload(-[0-9a-f]{8})?|copy|\.layervec-[0-9a-f]{16}\.tmp")


class StorageError(InputError):
    """What should be kept cannot be. The sentence is for a page, and names no place of this machine."""


@contextmanager
def storing() -> Iterator[None]:
    """Turn what a disk refuses while something is written into StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(_refusal(error)) from error
    except InputError as error:
        if isinstance(error.__cause__, OSError):
            raise StorageError(_refusal(error.__cause__)) from error
        raise


def _refusal(error: OSError) -> str:
    if error.errno in FULL:
        return "The disk is full where the studio keeps its works, so this was not kept; make room and try again."
    return f"The folder where the studio keeps its works cannot be written ({reason(error)}), so this was not kept."


class PictureFacts(BaseModel):
    """What is worth knowing of a picture without opening it; width and height in px, upright."""

    width: PositiveInt
    height: PositiveInt
    sha256: str


class Revision(BaseModel):
    """A drawing of a work. what: how it came about, for people."""

    number: PositiveInt
    what: str


class Record(BaseModel):
    """What work.json holds. at: index of the present revision, -1 before the first."""

    model_config = ConfigDict(extra="forbid")

    name: str
    created: float
    picture: PictureFacts | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    revisions: list[Revision] = Field(default_factory=list)
    at: int = Field(default=-1, ge=-1)
    made: NonNegativeInt = 0  # revisions ever made


class Work:
    """One work; its methods keep folder and record in step."""

    def __init__(self, folder: Path, record: Record) -> None:
        self.folder = folder
        self.record = record

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def revision(self) -> int:
        """Number of the present drawing, 0 where there is none yet."""
        record = self.record
        return record.revisions[record.at].number if record.at >= 0 else 0

    @property
    def picture(self) -> Path | None:
        """The file of the picture, None where there is none."""
        return self.folder / PICTURE if self.record.picture is not None else None

    def text(self) -> str:
        """Return the present drawing as SVG text, the file's own. InputError where there is none."""
        if not self.revision:
            raise InputError("There is no drawing yet.")
        try:
            return (self.folder / f"{self.revision}.svg").read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"The file of this drawing cannot be read: {reason(error)}.") from error
        except UnicodeDecodeError as error:
            raise InputError("The file of this drawing is no text.") from error

    def add(self, text: str, what: str) -> None:
        """Make this SVG the present drawing; what could be redone goes. StorageError where it cannot be written."""
        record = self.record
        revision = Revision(number=record.made + 1, what=what)
        kept, gone = record.revisions[: record.at + 1], record.revisions[record.at + 1 :]
        gone, kept = gone + kept[: -MOST_REVISIONS + 1], kept[-MOST_REVISIONS + 1 :]
        kept = [*kept, revision]
        try:
            with storing():
                write_atomic(self._file(revision), text.encode())
            self._write(revisions=kept, at=len(kept) - 1, made=revision.number)
        except StorageError:
            remove(self._file(revision))
            raise
        for each in gone:
            remove(self._file(each))

    def undo(self) -> None:
        """Go one drawing back. InputError where there is none before."""
        if self.record.at < 1:
            raise InputError("There is nothing to undo.")
        self._write(at=self.record.at - 1)

    def redo(self) -> None:
        """Go one drawing forward again. InputError where there is none after."""
        if self.record.at + 1 >= len(self.record.revisions):
            raise InputError("There is nothing to redo.")
        self._write(at=self.record.at + 1)

    def attach(self, picture: Path, facts: PictureFacts) -> None:
        """Take over the file of a picture. StorageError where that is impossible."""
        self._write(picture=facts)
        for name in MADE_OF_PICTURE:
            remove(self.folder / name)
        with storing():
            picture.replace(self.folder / PICTURE)

    def choose(self, settings: dict[str, Any]) -> None:
        """Remember the settings that were chosen last."""
        self._write(settings=settings)

    def undoable(self) -> str | None:
        """Return what undo would undo."""
        return self.record.revisions[self.record.at].what if self.record.at >= 1 else None

    def redoable(self) -> str | None:
        """Return what redo would do again."""
        after = self.record.at + 1
        return self.record.revisions[after].what if after < len(self.record.revisions) else None

    def _file(self, revision: Revision) -> Path:
        return self.folder / f"{revision.number}.svg"

    def _write(self, **changes: object) -> None:
        record = self.record.model_copy(update=changes)
        with storing():
            write_atomic(self.folder / RECORD, record.model_dump_json(indent=1).encode())
        self.record = record

    def sweep(self) -> None:
        """Remove what a crash has left: files that were under way, drawings that the record knows no more."""
        known = {self._file(revision) for revision in self.record.revisions}
        with suppress(OSError):
            for place in list(self.folder.iterdir()):
                old = place.suffix == ".svg" and place.stem.isdecimal() and int(place.stem) <= self.record.made
                if LEFT.fullmatch(place.name) or (old and place not in known):
                    remove(place)


class Store:
    """All works of a folder that this server holds. hidden: place there for what is under way, see home.py.

    Raises InputError where the folder cannot be read.
    """

    def __init__(self, folder: Path, hidden: Path) -> None:
        self.folder = folder.absolute()
        self.hidden = hidden
        try:
            places = [place for place in self.folder.iterdir() if ID.fullmatch(place.name) and place.is_dir()]
        except OSError as error:
            raise InputError(f"{folder} cannot hold the studio's works: {reason(error)}.") from error
        for place in filter(_is_half_written, places):
            remove(place)
        self._works = {work.id: work for work in map(_opened, places) if work is not None}
        for work in self._works.values():
            work.sweep()

    def __iter__(self) -> Any:
        return iter(sorted(self._works.values(), key=lambda work: -work.record.created))

    def get(self, name: str) -> Work | None:
        """Return the work of this id, None where there is none."""
        return self._works.get(name)

    @contextmanager
    def new(self, name: str) -> Iterator[Work]:
        """Hand out a new work to be filled; it is kept if all goes well. InputError where no more can be kept."""
        self._check_room()
        folder = self.hidden / secrets.token_hex(8)
        work = Work(folder, Record(name=shown_name(name), created=time.time()))
        try:
            with storing():
                folder.mkdir(mode=0o700)
            yield work
            self._check_room()
            with storing():
                work.folder = folder.rename(self.folder / folder.name)
            self._works[work.id] = work
        finally:
            remove(folder)

    def delete(self, work: Work) -> None:
        """Remove a work with all that it holds; what a crash leaves of it is no work any more."""
        self._works.pop(work.id, None)
        with suppress(OSError):
            work.folder = work.folder.rename(self.hidden / work.id)
        remove(work.folder)

    def _check_room(self) -> None:
        if len(self._works) >= MOST_WORKS:
            raise InputError(f"There are {MOST_WORKS} works, as many as are kept; delete some first.")

    def picture_like(self, sha256: object) -> Work | None:
        """Return a work that has the picture of this hash."""
        for work in self._works.values():
            if work.record.picture is not None and work.record.picture.sha256 == sha256:
                return work
        return None


def shown_name(name: str) -> str:
    """Return an uploaded file's name without folders, ending and control characters, short enough to show."""
    last = re.split(r"[/\\]", name)[-1]
    stem = last.rpartition(".")[0] or last
    plain = "".join(character for character in stem if character.isprintable()).strip()
    return plain[:MOST_NAME] or "picture"


def _is_half_written(folder: Path) -> bool:
    """Tell whether a work holds neither picture nor drawing, as older studios left them when they crashed."""
    with suppress(OSError, ValidationError):
        names = {place.name for place in folder.iterdir()}
        if RECORD in names:
            record = Record.model_validate_json((folder / RECORD).read_bytes())
            names -= {RECORD} if record.picture is None and not record.revisions else set()
        return all(LEFT.fullmatch(name) for name in names)
    return False


def _opened(folder: Path) -> Work | None:
    """Return the work in a folder, None where its record is not whole: other works must still open."""
    with suppress(OSError, ValidationError):
        record = Record.model_validate_json((folder / RECORD).read_bytes())
        kept = [revision for revision in record.revisions if (folder / f"{revision.number}.svg").is_file()]
        at = min(record.at, len(kept) - 1)
        if record.picture is not None and not (folder / PICTURE).is_file():
            record = record.model_copy(update={"picture": None})
        return Work(folder, record.model_copy(update={"revisions": kept, "at": at}))
    return None
