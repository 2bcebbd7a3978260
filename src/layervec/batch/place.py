"""The output of a batch: a folder of this machine (folder.py), or a URL (bucket.py).

Nothing shows there before all of it is written. What this file says, both must do; the rest of the package knows no
more of an output than this.

    .layervec/staging/RUN/   files of rows under way
    .layervec/journal.jsonl  how rows ended, one a line (URLs: .layervec/journal/RUN-000001.jsonl, ...)
    .layervec/lock           held by the run at work, while it lives
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from layervec.batch import address

HIDDEN, STAGING, JOURNAL, LOCK = ".layervec", "staging", "journal", "lock"


def is_name(name: str) -> bool:
    """Tell whether a row's file may have this name: a path inside the output, and not among what we keep there."""
    parts = name.replace(os.sep, "/").split("/")
    return "\0" not in name and {"", ".", ".."}.isdisjoint(parts) and parts[0].casefold() != HIDDEN


class OutputError(Exception):
    """The output cannot be written: the end of the run, not of a row. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class Spot:
    """What workers need to know of an output. root: folder or URL. run: name of the run that writes there."""

    root: str
    run: str

    def place(self) -> Place:
        """Return the output itself."""
        from layervec.batch.bucket import Bucket
        from layervec.batch.folder import Folder

        return Bucket(self) if address.is_url(self.root) else Folder(self)


def spot(root: str) -> Spot:
    """Return an output for a new run; names of later runs sort after those of earlier ones."""
    return Spot(root, f"{time.time_ns():020}-{secrets.token_hex(4)}")


class Place(Protocol):
    """An output. Names are relative, with `/`. Writers raise OutputError, openers InputError."""

    def blocked(self, name: str) -> str:
        """Return why a row's file could never take this name, or ""."""
        ...

    def has(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        ...

    def read(self, name: str) -> bytes:
        """Return the bytes of a file. Raises OutputError."""
        ...

    def stage(self, staged: str, name: str, data: bytes) -> None:
        """Keep a file of a row until `settle`."""
        ...

    def settle(self, staged: str, name: str) -> None:
        """Let a staged file take its name, or do nothing where it has done so before."""
        ...

    def recover(self, staged: str, name: str) -> bool:
        """Let a file that a killed run has staged take its name, or do nothing where that was done; tell whether the
        name is free of what must stay.
        """
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a file at once, whole or not at all."""
        ...

    def open(self) -> list[bytes]:
        """Make the output ready, and return the lines of its journal, oldest first."""
        ...

    def start(self, lines: list[bytes]) -> None:
        """Begin a journal with these lines, and drop what earlier runs have staged: they are done with."""
        ...

    def commit(self, line: bytes, files: Sequence[tuple[str, str]]) -> None:
        """Add a line to the journal; then let its files (staged, name) take their names."""
        ...

    def sync(self) -> None:
        """Write what was held back of the journal."""
        ...

    def close(self) -> None:
        """Write what was held back, and let others in."""
        ...
