"""An output at a URL, by fsspec.

Object stores show a whole object or none, so files are written at once, and the journal, as objects cannot grow, in
parts. What a killed run had drawn since its last part is drawn again, to the same bytes. Nobody is locked out.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from layervec.batch import address
from layervec.batch.place import HIDDEN, JOURNAL, LOCK, STAGING, OutputError, Place, Spot
from layervec.errors import InputError

OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss"})  # show whole objects only
PART_ROWS, PART_SECONDS = 200, 5.0  # a part of the journal is written after so much


class Bucket(Place):
    """An output at a URL. The journal is written in parts, as objects cannot grow."""

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

    def read(self, name: str) -> bytes:
        return bytes(self._try(lambda: self._system.cat_file(self._at(name)), name, "read"))

    def stage(self, staged: str, name: str, data: bytes) -> None:
        self.write(name, data)

    def settle(self, staged: str, name: str) -> None:
        pass

    def recover(self, staged: str, name: str) -> bool:
        return True

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

    def commit(self, line: bytes, files: Sequence[tuple[str, str]]) -> None:
        self._held.append(line)
        if len(self._held) >= PART_ROWS or time.monotonic() - self._last > PART_SECONDS:
            self._flush()

    def sync(self) -> None:
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
