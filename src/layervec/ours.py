"""Which existing files are ours to replace: those that bear our seal, and are as we wrote them.

What somebody typed as an output may be replaced. A name that nobody typed (a preview, a report, a file of a work folder
or of a batch) must not cost anybody a file of their own, nor what they have changed by hand, nor what a run reads. The
seal is a hash of the file in the file itself: filled in where a text has `UNSEALED`, in a chunk of its own in a PNG.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from layervec.errors import InputError
from layervec.files import reason

if TYPE_CHECKING:
    from layervec.settings import Settings

PREFIX = "layervec-seal-"
UNSEALED = PREFIX + "0" * 64
GENERATORS = (b'"generator":"layervec ', b'<meta name="generator" content="layervec ')  # of our SVGs, and of our pages
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_END = 12  # bytes of the chunk IEND, always the last one
MOST_BYTES = 1 << 28  # larger files are none of ours, and need not be read
READ_BY_SETTINGS = ("masks", "levels", "palette", "segmenter_model", "simplifier_model")

_SEAL = re.compile(PREFIX.encode() + b"[0-9a-f]{64}")

Identity = tuple[int, int]


def sealed(data: bytes) -> bytes:
    """Return a PNG with our seal, or a text with it in the place of `UNSEALED`."""
    if data.startswith(PNG_SIGNATURE):
        return data[:-PNG_END] + _chunk(seal(data)) + data[-PNG_END:]
    return data.replace(UNSEALED.encode(), seal(data).encode(), 1)


def seal(data: bytes) -> str:
    """Return the seal of a file that has none yet."""
    return PREFIX + hashlib.sha256(data).hexdigest()


def _chunk(text: str) -> bytes:
    """Return a chunk of a PNG that holds text. https://www.w3.org/TR/png-3/#11textinfo"""
    body = b"tEXtComment\0" + text.encode()
    return (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)


def _bare(data: bytes) -> bytes:
    """Undo `sealed`, of a file that bears a seal where ours would be."""
    if data.startswith(PNG_SIGNATURE):
        return data[: -PNG_END - len(_chunk(UNSEALED))] + data[-PNG_END:]
    return _SEAL.sub(UNSEALED.encode(), data, count=1)


def objection(data: bytes) -> str:
    """Return why a file of these bytes must stay, "" where it may go. An empty one is nobody's loss."""
    if not data:
        return ""
    if not _SEAL.search(data) and not any(mark in data for mark in GENERATORS):
        return "was not made by layervec"
    if not _SEAL.search(data) or sealed(_bare(data)) != data:
        return "was changed since layervec made it"
    return ""


def objection_to(path: str | os.PathLike[str]) -> str:
    """Return why what lies at a path that nobody typed must stay, "" where it may go or there is nothing."""
    try:
        mode = os.stat(path)
        if not stat.S_ISREG(mode.st_mode):
            return "is no file" if not stat.S_ISDIR(mode.st_mode) else "is a folder"
        if mode.st_size > MOST_BYTES:
            return "was not made by layervec"
        with open(path, "rb") as file:
            return objection(file.read())
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        return f"cannot be read ({reason(error)})"


# Inputs are never outputs


def identity(path: str | os.PathLike[str]) -> Identity | None:
    """Return what tells a file apart, however links and spelling lead to it; None where there is none."""
    with suppress(OSError, ValueError):
        found = os.stat(path)
        return found.st_dev, found.st_ino
    return None


def inputs(settings: Settings, *files: str | os.PathLike[str] | None) -> dict[Identity, str]:
    """Return what a run reads, by identity: these files, and what its settings name with what lies in there."""
    places = [str(getattr(settings, name)) for name in READ_BY_SETTINGS if getattr(settings, name)]
    for folder in tuple(places):
        with suppress(OSError, ValueError):
            places += sorted(os.path.join(folder, name) for name in os.listdir(folder))
    places += [str(file) for file in files if file is not None]
    return {found: place for place in places if (found := identity(place)) is not None}


def check_outputs(outputs: Iterable[Path | None], read: dict[Identity, str], kept: Iterable[Path] = ()) -> None:
    """Raise InputError where an output is what a run reads, or where two outputs, or it and one in `kept`, are one."""
    before = list(kept)
    for path in outputs:
        if path is None:
            continue
        found = identity(path)
        if found is not None and found in read:
            raise InputError(f"{path} is read by this run, as {read[found]}; name another output with -o.")
        if any(_one_file(path, other) for other in before):
            raise InputError(f"{path} would be written twice, as two outputs; name another output with -o.")
        before.append(path)


def _one_file(a: Path, b: Path) -> bool:
    """Tell whether two outputs would be one file, on a disk that does not tell case apart as well."""
    found = identity(a)
    return (found is not None and found == identity(b)) or _spelled(a) == _spelled(b)


def _spelled(path: Path) -> str:
    with suppress(OSError, ValueError):
        return os.path.realpath(path).casefold()
    return str(path)
