"""Uploaded files: written to the place for what is under way, looked at by an errand, and then a work's own.

Every name of a file is made here, none is shown to a page as it came, and none stays that is not used. Knows works and
errands; the guard sees to the size of bodies.
"""

from __future__ import annotations

import base64
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from starlette.exceptions import HTTPException

from layervec.errors import InputError
from layervec.files import reason, write_atomic
from layervec.studio.guard import MOST_UPLOAD
from layervec.studio.home import remove
from layervec.studio.works import FITTED, SHOWN, PictureFacts, Work, storing

if TYPE_CHECKING:
    from fastapi import Request

    from layervec.studio.desks import Desk, Studio

# Bytes of an SVG: several times what drawings of 4096 shapes have. Opening one takes half a minute on one core.
MOST_SVG = 8 << 20
LARGE = 1 << 20  # bytes of an SVG from which reading it takes longer than a person waits without noticing
PNG = b"\x89PNG"


class Upload(NamedTuple):
    """A file that is to become a work. name: what it is called elsewhere."""

    name: str
    file: Path
    is_svg: bool


async def received(request: Request, hidden: Path, most: int = MOST_UPLOAD) -> Path:
    """Write a request's body into a new file, which is the caller's to use up; nothing stays of one that breaks off.

    Raises HTTPException 413 where it is larger than `most`, StorageError where it cannot be written.
    """
    path = _new_file(hidden)
    size = 0
    try:
        with storing(), open(path, "xb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size <= most:  # else the rest is read all the same, as many clients hear no answer before
                    file.write(chunk)
        if size > most:
            raise HTTPException(413, f"That is larger than {most >> 20} MiB, which is too large here.")
    except BaseException:
        remove(path)
        raise
    return path


def copied(source: Path, hidden: Path) -> Upload:
    """Copy a file of this machine as if it had been uploaded. Raises InputError, also where it is too large."""
    path = _new_file(hidden)
    try:
        with open(source, "rb") as file:
            data = file.read(MOST_UPLOAD + 1)
    except OSError as error:
        raise InputError(f"{source} cannot be read: {reason(error)}.") from error
    is_svg = data.lstrip()[:1] == b"<"
    most = MOST_SVG if is_svg else MOST_UPLOAD
    if len(data) > most:
        raise InputError(f"{source} is larger than {most >> 20} MiB, which is too large for the studio.")
    with storing():
        write_atomic(path, data)
    return Upload(source.name, path, is_svg)


async def make(studio: Studio, upload: Upload) -> Work:
    """Return a new work, made of a file that is used up. Raises InputError."""
    try:
        with studio.store.new(upload.name) as work:
            shown = await (_open if upload.is_svg else _begin)(studio, work, upload.file)
    finally:
        remove(upload.file)
    desk = studio.desk(work.id)
    desk.seen = (work.revision, shown)
    desk.post_drawing()
    return work


async def attach(studio: Studio, desk: Desk, file: Path) -> None:
    """Give a drawing the picture that it was made of. Raises InputError."""
    message = {"do": "facts", "file": str(file), "name": "The picture", "svg": desk.work.text()}
    desk.work.attach(file, PictureFacts(**await studio.errand(message)))


async def shown(studio: Studio, work: Work) -> tuple[bytes, str]:
    """Return a work's picture decoded and encoded anew, as large as a page needs it, and its content type.

    InputError where it cannot be decoded.
    """
    data = (await _prepared(studio, work, SHOWN)).read_bytes()
    return data, "image/png" if data.startswith(PNG) else "image/jpeg"


async def to_fit(studio: Studio, work: Work) -> Path:
    """Return the file of a work's picture as small as parts are fitted to. InputError where it cannot be decoded."""
    return await _prepared(studio, work, FITTED)


async def _begin(studio: Studio, work: Work, file: Path) -> str:
    """Fill a work with a picture."""
    facts = await studio.errand({"do": "facts", "file": str(file), "name": work.record.name})
    work.attach(file, PictureFacts(**facts))
    return ""


async def _open(studio: Studio, work: Work, file: Path) -> str:
    """Fill a work with somebody's SVG, and with its picture where a work has it; return what pages get of it."""
    large = file.stat().st_size >= LARGE
    found = await studio.errand({"do": "open", "file": str(file), "name": work.record.name}, large=large)
    other = studio.store.picture_like(found["source"])
    if other is not None and other.picture is not None and other.record.picture is not None:
        with storing():
            copy = shutil.copyfile(other.picture, _new_file(studio.store.hidden))
        work.attach(copy, other.record.picture)
    work.add(found["svg"], "open")
    return str(found["shown"])


async def _prepared(studio: Studio, work: Work, name: str) -> Path:
    """Return a file made of a work's picture. It is decoded once, and what pages and edits need of it is kept."""
    if work.picture is None:
        raise InputError("This work has no picture.")
    if not ((work.folder / SHOWN).exists() and (work.folder / FITTED).exists()):
        made = await studio.errand({"do": "prepare", "picture": str(work.picture)}, large=True)
        with storing():
            write_atomic(work.folder / FITTED, base64.b64decode(made["fitted"]))
            write_atomic(work.folder / SHOWN, base64.b64decode(made["shown"]))
    return work.folder / name


def _new_file(hidden: Path) -> Path:
    return hidden / f"upload-{secrets.token_hex(8)}"
