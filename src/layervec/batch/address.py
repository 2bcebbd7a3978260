"""Where batches read and write: paths of this machine, and URLs of any store that fsspec knows (s3://, gs://, ...).

The adapter to fsspec, loaded when a URL is met and never for paths. Knows nothing of pictures or rows.
https://filesystem-spec.readthedocs.io
"""

from __future__ import annotations

import os
import stat
from typing import Any

from layervec.errors import InputError
from layervec.files import reason

EXTRA = 'pip install ".[batch]"'


def is_url(address: str) -> bool:
    """Tell whether an address is a URL rather than a path of this machine."""
    return "://" in address


def filesystem(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of a URL, and its name of the place. Raises InputError."""
    try:
        import fsspec
    except ImportError:
        raise InputError(f"{url} needs fsspec, which the extra `batch` brings: {EXTRA}") from None
    try:
        system, place = fsspec.core.url_to_fs(url)
    except Exception as error:  # an unknown scheme, or a driver that is not installed: each in its own way
        raise InputError(f"{url} cannot be reached: {cause(error)}.") from error
    return system, str(place)


def read(address: str, most: int) -> bytes:
    """Return a file's bytes, `most` + 1 of them where it has more. Raises InputError where it cannot be read."""
    try:
        if not is_url(address):
            with open(address, "rb", opener=_without_waiting) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise InputError(f"{address} cannot be read: it is no file.")
                return file.read(most + 1)
        system, place = filesystem(address)
        with system.open(place, "rb") as file:
            return bytes(file.read(most + 1))
    except InputError:
        raise
    except Exception as error:  # drivers fail in ways of their own; open() over a null byte
        raise InputError(f"{address} cannot be read: {cause(error)}.") from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe that nobody writes to would keep us for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def cause(error: Exception) -> str:
    """Return what went wrong as half a sentence on one line."""
    if isinstance(error, OSError) and error.strerror:
        return reason(error)
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
