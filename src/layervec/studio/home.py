"""The folder of a studio's works: one server's alone, and swept of what a crash has left.

    FOLDER/.studio/lock    held by the server at work, while it lives; its process id
    FOLDER/.studio/...     what is under way: uploads, works that are made or deleted, the page that opens the studio

What is under way stands in its place only once it is whole, so whatever a crash leaves lies in one folder, which is
nobody's once the lock is had. Knows no works.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from layervec.errors import InputError
from layervec.files import locked, reason

HIDDEN, LOCK = ".studio", "lock"


@contextmanager
def held(folder: Path) -> Iterator[Path]:
    """Hold a folder for this server alone, made where it is missing; hand out the place for what is under way.

    Raises InputError where the folder is not to be had, or another server has it.
    """
    hidden = folder.absolute() / HIDDEN
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        hidden.mkdir(exist_ok=True, mode=0o700)
        hidden.chmod(0o700)  # whatever somebody has made of it
        lock = open(hidden / LOCK, "a+b", buffering=0)  # noqa: SIM115  held as long as the server
    except OSError as error:
        raise InputError(f"{folder} cannot hold the studio's works: {reason(error)}.") from error
    with lock:
        if not locked(lock):
            raise InputError(
                f"{folder}: another studio is at work there{_whose(lock)}; use that one, end it, or name another "
                "folder with --folder."
            )
        _sign(lock)
        sweep(hidden)
        try:
            yield hidden
        finally:
            sweep(hidden)


def sweep(hidden: Path) -> None:
    """Remove everything that is under way; what cannot be removed stays, as works need it not."""
    with suppress(OSError):  # it may be gone with the folder
        for place in [place for place in hidden.iterdir() if place.name != LOCK]:
            remove(place)


def remove(place: Path) -> None:
    """Remove a file or a folder with all that it holds, never what a link leads to."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with suppress(OSError):
            place.unlink(missing_ok=True)


def _sign(lock: IO[bytes]) -> None:
    """Write this process's id for whoever comes next; a full disk must not keep anybody from making room."""
    with suppress(OSError):
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n".encode())


def _whose(lock: IO[bytes]) -> str:
    """Return whose a held lock is, as a sentence goes on with it."""
    with suppress(OSError, ValueError):
        lock.seek(0)
        return f" (process {int(lock.read(20))})"
    return ""
