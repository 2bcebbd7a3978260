"""Works on disk: a picture, the drawings made of it in their order, and which of them is the present one.

    FOLDER/0123456789abcdef/work.json    name, settings, revisions
    FOLDER/0123456789abcdef/picture      the bytes that were uploaded; shown, fitted: the same made smaller
    FOLDER/0123456789abcdef/1.svg ...    every drawing, for undo and redo

Names of folders and files are made here and never by a browser. Drawings are written before the record that tells of
them, and each in one step, so whatever ends the server, a finished drawing stays. Knows no requests and no jobs.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from layervec import svg
from layervec.errors import InputError
from layervec.files import reason, write_atomic
from layervec.types import Drawing

ID = re.compile("[0-9a-f]{16}")
RECORD, PICTURE = "work.json", "picture"
MADE_OF_PICTURE = SHOWN, FITTED = "shown", "fitted"  # see uploads.py
MOST_REVISIONS = 100  # drawings kept of a work; a hundred steps back is more than anybody takes
MOST_WORKS = 500  # in a folder
MOST_NAME = 120  # characters


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
        self._present: tuple[int, str, Drawing] | None = None

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
        return self._read()[1]

    def drawing(self) -> Drawing:
        """Return the present drawing. InputError where there is none."""
        return self._read()[2]

    def add(self, text: str, what: str) -> None:
        """Make this SVG the present drawing; what could be redone goes. InputError where it cannot be written."""
        record = self.record
        revision = Revision(number=record.made + 1, what=what)
        write_atomic(self._file(revision), text.encode())
        kept, gone = record.revisions[: record.at + 1], record.revisions[record.at + 1 :]
        gone, kept = gone + kept[: -MOST_REVISIONS + 1], kept[-MOST_REVISIONS + 1 :]
        kept = [*kept, revision]
        self._write(revisions=kept, at=len(kept) - 1, made=revision.number)
        for each in gone:
            self._file(each).unlink(missing_ok=True)

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
        """Take over the file of a picture."""
        for name in MADE_OF_PICTURE:
            (self.folder / name).unlink(missing_ok=True)
        picture.replace(self.folder / PICTURE)
        self._write(picture=facts)

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

    def _read(self) -> tuple[int, str, Drawing]:
        number = self.revision
        if not number:
            raise InputError("There is no drawing yet.")
        present = self._present
        if present is None or present[0] != number:
            path = self.folder / f"{number}.svg"
            try:
                text = path.read_text(encoding="utf-8")
            except OSError as error:
                raise InputError(f"{path} cannot be read: {reason(error)}.") from error
            present = self._present = (number, text, svg.read(text, "The drawing"))
        return present

    def _write(self, **changes: object) -> None:
        record = self.record.model_copy(update=changes)
        write_atomic(self.folder / RECORD, record.model_dump_json(indent=1).encode())
        self.record = record


class Store:
    """All works of a folder, which is made where it is missing. Raises InputError where that is impossible."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            places = [place for place in self.folder.iterdir() if ID.fullmatch(place.name) and place.is_dir()]
        except OSError as error:
            raise InputError(f"{folder} cannot hold the studio's works: {reason(error)}.") from error
        self._works = {work.id: work for work in map(_opened, places) if work is not None}

    def __iter__(self) -> Any:
        return iter(sorted(self._works.values(), key=lambda work: -work.record.created))

    def get(self, name: str) -> Work | None:
        """Return the work of this id, None where there is none."""
        return self._works.get(name)

    def create(self, name: str) -> Work:
        """Return a new work without picture or drawing. InputError where no more can be kept."""
        if len(self._works) >= MOST_WORKS:
            raise InputError(f"There are {MOST_WORKS} works, as many as are kept; delete some first.")
        folder = self.folder / secrets.token_hex(8)
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise InputError(f"{folder} cannot be made: {reason(error)}.") from error
        work = Work(folder, Record(name=shown_name(name), created=time.time()))
        work._write()
        self._works[work.id] = work
        return work

    def delete(self, work: Work) -> None:
        """Remove a work with all that it holds."""
        self._works.pop(work.id, None)
        shutil.rmtree(work.folder, ignore_errors=True)

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
