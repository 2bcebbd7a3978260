"""Where the machine code of kernels is kept from one run to the next, and why it is not where nothing can be written.

    LAYERVEC_CACHE, or Numba's NUMBA_CACHE_DIR   a folder that the user has named: this one or none
    __pycache__                                  beside the sources, where the package may be written to
    the user's folder for caches                 layervec in ~/.cache, or what the system has instead
    the folder for temporary files               layervec-UID, which only its owner may open

What lies there is run, so that a folder that nobody named must belong to the user alone. Knows folders, nothing of
Numba: compiled.py fills them.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from layervec.files import reason

VARIABLES = ("LAYERVEC_CACHE", "NUMBA_CACHE_DIR")  # the first that is set counts
PACKAGE = Path(__file__).parent
PRIVATE = 0o700  # mode of folders that are made
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
writing = threading.Lock()  # held while a file is written: who ends the process waits for it, and leaves no half one


@dataclass(slots=True)
class Place:
    """Where kernels are kept. folder: None for `__pycache__` beside each source.

    trouble: why what is compiled now will not be there in the next run, "" while it will. What lies in a place with
    trouble is used all the same: a folder may have been filled by someone who could write to it.
    """

    folder: Path | None
    trouble: str = ""

    def of(self, source: Path) -> Path:
        """Return the folder for kernels of this source. Two copies of the package share none."""
        if self.folder is None:
            return source.parent / "__pycache__"
        digest = sha256(os.fsencode(source.resolve().parent)).hexdigest()[:16]
        return self.folder / f"{source.parent.name}-{digest}"

    def not_kept(self) -> str:
        """Return the sentence for people who will wait for the compiler in each run, "" where nobody will."""
        if not self.trouble:
            return ""
        return (
            "layervec: compiling kernels, up to a minute in each run, because they are not kept: "
            f"{self.trouble}. Name a folder for them by {VARIABLES[0]}."
        )

    def is_empty(self) -> bool:
        """Tell whether no kernel lies there."""
        return not any(any(self.of(source).glob("*.nbi")) for source in PACKAGE.glob("*/__init__.py"))


@lru_cache(maxsize=1)
def place() -> Place:
    """Return where this process keeps its kernels. The first call decides; it may make a folder."""
    for variable in VARIABLES:
        if named := os.environ.get(variable):
            why = _trouble(lambda: _check(Path(named)))
            return Place(Path(named), f"{variable} names a folder that cannot be written ({why})" if why else "")
    troubles = []
    for folder, check in _unnamed():
        why = _trouble(check)
        if not why:
            return Place(folder)
        troubles.append(why)
    return Place(None, "no place can be written (" + "; ".join(troubles) + ")")


def _unnamed() -> Iterator[tuple[Path | None, Callable[[], None]]]:
    """Yield places in the order in which they are tried, each with what raises OSError where it will not do."""
    yield None, lambda: _check(PACKAGE / "__pycache__")
    with suppress(RuntimeError):  # this user has no home at all
        users = _users_caches() / "layervec"
        yield users, lambda: _check_own(users)
    with suppress(FileNotFoundError):  # nor can temporary files be written
        temporary = Path(tempfile.gettempdir(), f"layervec-{_user()}")
        yield temporary, lambda: _check_own(temporary)


def _users_caches() -> Path:
    """Return the user's folder for caches. Raises RuntimeError where there is no home."""
    if sys.platform == "darwin":
        return Path("~/Library/Caches").expanduser()
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0  # Windows: each user has a folder for temporary files


def _trouble(check: Callable[[], None]) -> str:
    try:
        check()
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        place = f"{error.filename}: " if isinstance(error, OSError) and isinstance(error.filename, str) else ""
        return place + reason(error)
    return ""


def _check(folder: Path) -> None:
    """Raise OSError unless a file can be made in a folder, which is made where it is missing."""
    try:
        folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        error.filename = str(folder)  # not the name of the trial
        raise


def _check_own(folder: Path) -> None:
    """Raise OSError as `_check`, and where somebody else could put machine code there for us to run."""
    _check(folder)
    if not hasattr(os, "geteuid"):
        return
    found, above = os.lstat(folder), os.stat(folder.parent)
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(0, "it is a link", str(folder))
    if found.st_uid != _user() or found.st_mode & OTHERS_WRITE:
        raise OSError(0, "others may write there", str(folder))
    if above.st_mode & OTHERS_WRITE and not above.st_mode & stat.S_ISVTX:
        raise OSError(0, "others may replace it", str(folder))
