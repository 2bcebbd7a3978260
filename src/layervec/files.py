"""Write files whole or not at all, and lock them.

Knows nothing of what is written; whoever has bytes for a path comes here.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path
from typing import IO, Any

from layervec.errors import InputError


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write data to path in one step: readers see the old file or the new one, never a part.

    The bytes go to a temporary file in the same folder, which then takes the name. A link is followed, and an
    existing file keeps its permissions. Not synced to the disk: this guards against errors, not power cuts.
    Raises InputError, with the old file untouched and no temporary file left, where path cannot be written.
    """
    try:
        target, mode = _target(path)
        if mode is None or stat.S_ISREG(mode):
            _replace(target, data, mode)
        else:
            target.write_bytes(data)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        raise InputError(f"{path} cannot be written: {reason(error)}.") from error


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise the InputError of `write_atomic` before there is anything to write; leaves no trace.

    Permission bits do not tell enough (read-only disks, quotas, the superuser), so a file is really made.
    """
    try:
        target, mode = _target(path)
        if mode is None and not target.parent.exists():
            raise InputError(f"{path} cannot be written: the folder {target.parent} does not exist.")
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if mode is None or stat.S_ISREG(mode):
            trial = _temporary(target)
            try:
                open(trial, "xb").close()
            finally:  # also when interrupted
                trial.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be written: {reason(error)}.") from error


def locked(file: IO[Any]) -> bool:
    """Lock a file as long as it is open and this process lives; tell whether nobody else had."""
    try:
        import fcntl
    except ImportError:
        return True  # Windows: two runs in one folder are the user's to avoid
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a disk without locks
    return True


def reason(error: OSError | ValueError) -> str:
    """Return why the system, or Python for a path that none can have, refused; lower case, without path or number."""
    text = getattr(error, "strerror", None) or str(error) or "unknown reason"
    return text[:1].lower() + text[1:]


def _target(path: str | os.PathLike[str]) -> tuple[Path, int | None]:
    """Return what is to be written, and its type and permission bits, None if there is nothing yet.

    A file's links are followed, as the file is replaced. A device or a pipe is written to, never replaced, by the name
    that was given: a shell's /dev/fd/63 leads nowhere else.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = None
    if mode is None or stat.S_ISREG(mode):
        return Path(os.path.realpath(path)), mode
    return Path(path), mode


def _temporary(target: Path) -> Path:
    """Return an unused name beside target, of its own length: target's may be as long as names may be."""
    return target.with_name(f".layervec-{secrets.token_hex(8)}.tmp")


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    """Write data beside target, give it the permissions in mode (if any) and let it take target's place."""
    temporary = _temporary(target)
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException:  # also when interrupted: no litter
        temporary.unlink(missing_ok=True)
        raise
