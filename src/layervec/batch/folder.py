"""An output on a disk.

A row's files are kept in a hidden folder first; once the journal has the row they take their names, by rename. So a
run that is killed between loses nothing: the next one renames what the journal knows. Knows names and bytes, nothing
of what they mean. Not synced to the disk: this guards against killed runs, not power cuts.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from layervec.batch.place import HIDDEN, JOURNAL, LOCK, STAGING, OutputError, Place, Spot
from layervec.errors import InputError
from layervec.files import locked, reason, write_atomic
from layervec.ours import objection


class Folder(Place):
    """An output on a disk."""

    def __init__(self, spot: Spot) -> None:
        self.root = Path(spot.root)
        self._run = spot.run
        self._hidden = self.root / HIDDEN
        self._staging = self._hidden / STAGING / spot.run
        self._journal: Any = None
        self._lock: Any = None
        self._under_way = False  # a row is being committed, or that was broken off

    def blocked(self, name: str) -> str:
        target = self.root / name
        try:
            if why := _strange(target, stat.S_ISREG):
                return why
            if not Path(os.path.realpath(target.parent)).is_relative_to(os.path.realpath(self.root)):
                return f"{target.parent} leads out of {self.root}"
            for parent in target.parents:
                if parent.exists() or parent == self.root:
                    return "" if parent.is_dir() else f"{parent} is no folder"
        except OSError as error:
            return f"{target} cannot be written: {reason(error)}"
        return ""

    def has(self, name: str) -> bool:
        return (self.root / name).is_file()

    def read(self, name: str) -> bytes:
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise OutputError(f"{self.root / name} cannot be read: {reason(error)}.") from error

    def stage(self, staged: str, name: str, data: bytes) -> None:
        try:
            (self._hidden / STAGING / staged).write_bytes(data)  # perhaps again: Ray may give a row to two workers
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

    def recover(self, staged: str, name: str) -> bool:
        source = self._hidden / STAGING / staged
        with suppress(OSError, OutputError):
            if not os.path.lexists(source):
                return True
            if _strange(source, stat.S_ISREG) or objection(source.read_bytes()) or self.blocked(name):
                return False
            if self.has(name) and objection(self.read(name)):
                return False
            self.settle(staged, name)
            return True
        return False

    def write(self, name: str, data: bytes) -> None:
        staged = f"{self._run}/{secrets.token_hex(8)}"
        self.stage(staged, name, data)
        self.settle(staged, name)

    def open(self) -> list[bytes]:
        try:
            self._refuse_strange()
            self._hidden.mkdir(parents=True, exist_ok=True)
            self._lock = open(self._hidden / LOCK, "ab")  # noqa: SIM115  held as long as the run
        except OSError as error:
            raise InputError(f"{self.root} cannot be written: {reason(error)}.") from error
        if not locked(self._lock):
            raise InputError(f"{self.root}: another batch is at work there.")
        try:
            return self._journal_path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{self._journal_path} cannot be read: {reason(error)}.") from error

    def _refuse_strange(self) -> None:
        """Raise InputError where what we keep is not as we make it: links lead elsewhere, and pipes would keep us."""
        folders, kept = (self._hidden, self._hidden / STAGING), (self._hidden / LOCK, self._journal_path)
        for path in (*folders, *kept):
            if why := _strange(path, stat.S_ISDIR if path in folders else stat.S_ISREG):
                raise InputError(f"{why}, which no batch has made; name another output with -o.")

    def start(self, lines: list[bytes]) -> None:
        try:
            shutil.rmtree(self._hidden / STAGING, ignore_errors=True)
            self._staging.mkdir(parents=True)
            self.write(f"{HIDDEN}/{self._journal_path.name}", b"".join(lines))
            self._journal = open(self._journal_path, "ab", buffering=0)  # noqa: SIM115  until `close`
        except OutputError as error:
            raise InputError(str(error)) from error
        except OSError as error:
            raise InputError(f"{self.root} cannot be written: {reason(error)}.") from error

    def commit(self, line: bytes, files: Sequence[tuple[str, str]]) -> None:
        self._under_way = True
        try:
            if self._journal.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise OutputError(f"{self._journal_path} cannot be written: {reason(error)}.") from error
        for staged, name in files:
            self.settle(staged, name)
        self._under_way = False

    def sync(self) -> None:
        pass

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            if not self._under_way:  # else the next run has files to rename
                shutil.rmtree(self._hidden / STAGING, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()

    @property
    def _journal_path(self) -> Path:
        return self._hidden / f"{JOURNAL}.jsonl"


def _strange(path: Path, kind: Callable[[int], bool]) -> str:
    """Return why a path is not of a kind, such as `stat.S_ISREG`, itself and not through a link; "" if it may be."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if kind(mode):
        return ""
    return f"{path} is {'a link' if stat.S_ISLNK(mode) else 'a folder' if stat.S_ISDIR(mode) else 'no file'}"
