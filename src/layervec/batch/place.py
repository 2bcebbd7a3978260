"""The output of a batch: a folder of this machine, or a URL. Nothing shows there before all of it is written.

On a disk, a row's files are kept in a hidden folder first; once the journal has the row they take their names, by
rename. So a run that is killed between loses nothing: the next one renames what the journal knows. On a URL, files
are written at once: object stores show a whole object or none. Knows names and bytes, nothing of what they mean.

    .layervec/staging/RUN/   files of rows under way
    .layervec/journal.jsonl  how rows ended, one a line (URLs: .layervec/journal/RUN-000001.jsonl, ...)
    .layervec/lock           held by the run at work, while it lives
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from layervec.batch import address
from layervec.errors import InputError
from layervec.files import check_writable, reason, write_atomic

HIDDEN, STAGING, JOURNAL, LOCK = ".layervec", "staging", "journal", "lock"
OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss"})  # show whole objects only


class OutputError(Exception):
    """The output cannot be written: the end of the run, not of a row. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class Spot:
    """What workers need to know of an output. root: folder or URL. run: name of the run that writes there."""

    root: str
    run: str

    def place(self) -> Place:
        """Return the output itself."""
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

    def head(self, name: str, size: int) -> bytes:
        """Return the first bytes of a file, b"" where it cannot be read."""
        ...

    def stage(self, staged: str, name: str, data: bytes) -> None:
        """Keep a file of a row until `settle`."""
        ...

    def settle(self, staged: str, name: str) -> None:
        """Let a staged file take its name, or do nothing where it has done so before."""
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

    def append(self, line: bytes) -> None:
        """Add a line to the journal."""
        ...

    def close(self) -> None:
        """Write what was held back, and let others in."""
        ...


class Folder:
    """An output on a disk."""

    def __init__(self, spot: Spot) -> None:
        self.root = Path(spot.root)
        self._run = spot.run
        self._hidden = self.root / HIDDEN
        self._staging = self._hidden / STAGING / spot.run
        self._journal: Any = None
        self._lock: Any = None

    def blocked(self, name: str) -> str:
        target = self.root / name
        try:
            if target.is_dir():
                return f"{target} is a folder"
            for parent in target.parents:
                if parent.exists() or parent == self.root:
                    return "" if parent.is_dir() else f"{parent} is no folder"
        except OSError as error:
            return f"{target} cannot be written: {reason(error)}"
        return ""

    def has(self, name: str) -> bool:
        return (self.root / name).is_file()

    def head(self, name: str, size: int) -> bytes:
        with suppress(OSError), open(self.root / name, "rb") as file:
            return file.read(size)
        return b""

    def stage(self, staged: str, name: str, data: bytes) -> None:
        try:
            with open(self._hidden / STAGING / staged, "xb") as file:
                file.write(data)
        except OSError as error:
            raise OutputError(f"{self.root / name} cannot be written: {reason(error)}.") from error

    def settle(self, staged: str, name: str) -> None:
        source, target = self._hidden / STAGING / staged, self.root / name
        try:
            if not source.exists():
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.replace(source, target)
            except OSError as error:
                if error.errno != errno.EXDEV:  # a folder inside that lies on another disk
                    raise
                write_atomic(target, source.read_bytes())
        except OSError as error:
            raise OutputError(f"{target} cannot be written: {reason(error)}.") from error

    def write(self, name: str, data: bytes) -> None:
        try:
            write_atomic(self.root / name, data)
        except InputError as error:
            raise OutputError(str(error)) from error

    def open(self) -> list[bytes]:
        try:
            self._hidden.mkdir(parents=True, exist_ok=True)
            self._lock = open(self._hidden / LOCK, "ab")  # noqa: SIM115  held as long as the run
        except OSError as error:
            raise InputError(f"{self.root} cannot be written: {reason(error)}.") from error
        if not _locked(self._lock):
            raise InputError(f"{self.root}: another batch is at work there.")
        check_writable(self.root / "manifest.csv")
        try:
            return self._journal_path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{self._journal_path} cannot be read: {reason(error)}.") from error

    def start(self, lines: list[bytes]) -> None:
        write_atomic(self._journal_path, b"".join(lines))
        try:
            shutil.rmtree(self._hidden / STAGING, ignore_errors=True)
            self._staging.mkdir(parents=True)
            self._journal = open(self._journal_path, "ab", buffering=0)  # noqa: SIM115  until `close`
        except OSError as error:
            raise InputError(f"{self.root} cannot be written: {reason(error)}.") from error

    def append(self, line: bytes) -> None:
        try:
            if self._journal.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise OutputError(f"{self._journal_path} cannot be written: {reason(error)}.") from error

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            shutil.rmtree(self._hidden / STAGING, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()

    @property
    def _journal_path(self) -> Path:
        return self._hidden / f"{JOURNAL}.jsonl"


def _locked(file: Any) -> bool:
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


class Bucket:
    """An output at a URL. The journal is written in parts, as objects cannot grow."""

    PART_ROWS, PART_SECONDS = 200, 5.0  # a part is written after so much; a killed run draws at most this again

    def __init__(self, spot: Spot) -> None:
        self.root, self._run = spot.root.rstrip("/"), spot.run
        self._system, self._base = address.filesystem(self.root)
        schemes = self._system.protocol
        self._whole = not OBJECT_STORES.isdisjoint([schemes] if isinstance(schemes, str) else schemes)
        self._held: list[bytes] = []
        self._old: list[str] = []
        self._parts = 0
        self._last = time.monotonic()

    def blocked(self, name: str) -> str:
        return ""

    def has(self, name: str) -> bool:
        return bool(self._try(lambda: self._system.isfile(self._at(name)), name, "read"))

    def head(self, name: str, size: int) -> bytes:
        with suppress(Exception), self._system.open(self._at(name), "rb") as file:
            return bytes(file.read(size))
        return b""

    def stage(self, staged: str, name: str, data: bytes) -> None:
        self.write(name, data)

    def settle(self, staged: str, name: str) -> None:
        pass

    def write(self, name: str, data: bytes) -> None:
        def put() -> None:
            if self._whole:
                self._system.pipe_file(self._at(name), data)
                return
            aside = self._at(f"{HIDDEN}/{STAGING}/{self._run}/{secrets.token_hex(8)}")
            self._make_parent(aside)
            self._system.pipe_file(aside, data)
            self._make_parent(self._at(name))
            self._system.mv(aside, self._at(name))

        self._try(put, name, "written")

    def open(self) -> list[bytes]:
        folder = self._at(f"{HIDDEN}/{JOURNAL}")
        try:
            self.write(f"{HIDDEN}/{LOCK}", self._run.encode())  # nobody looks; tells at once whether we may write
            parts = sorted(self._system.ls(folder, detail=False)) if self._system.exists(folder) else []
            self._old = parts
            return [line for part in parts for line in bytes(self._system.cat_file(part)).split(b"\n")]
        except OutputError as error:
            raise InputError(str(error)) from error
        except Exception as error:
            raise InputError(f"{self.root} cannot be read: {address.cause(error)}.") from error

    def start(self, lines: list[bytes]) -> None:
        self._held = list(lines)
        try:
            self._flush()
        except OutputError as error:
            raise InputError(str(error)) from error
        with suppress(Exception):  # what is left over is only untidy
            for part in self._old:
                self._system.rm(part)
            self._system.rm(self._at(f"{HIDDEN}/{STAGING}"), recursive=True)

    def append(self, line: bytes) -> None:
        self._held.append(line)
        if len(self._held) >= self.PART_ROWS or time.monotonic() - self._last > self.PART_SECONDS:
            self._flush()

    def close(self) -> None:
        self._flush()
        with suppress(Exception):
            self._system.rm(self._at(f"{HIDDEN}/{STAGING}"), recursive=True)

    def _flush(self) -> None:
        if self._held:
            self._parts += 1
            self.write(f"{HIDDEN}/{JOURNAL}/{self._run}-{self._parts:06}.jsonl", b"".join(self._held))
            self._held, self._last = [], time.monotonic()

    def _at(self, name: str) -> str:
        return f"{self._base.rstrip('/')}/{name}"

    def _make_parent(self, place: str) -> None:
        self._system.makedirs(str(PurePosixPath(place).parent), exist_ok=True)

    def _try(self, action: Any, name: str, verb: str) -> Any:
        try:
            return action()
        except Exception as error:  # drivers fail in ways of their own
            raise OutputError(f"{self.root}/{name} cannot be {verb}: {address.cause(error)}.") from error
