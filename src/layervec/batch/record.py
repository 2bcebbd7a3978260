"""What is known of one row: its keys, how it ended, and the figures of its drawing. And the key itself.

A row whose key, the hash of input bytes, settings and version, has not changed need not be drawn again. Knows no
engine and writes no file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

from layervec.batch.place import is_name
from layervec.errors import InputError
from layervec.files import reason
from layervec.settings import ROUTES, Settings

Status = Literal["done", "failed"]
HEADER = b'{"journal of": "layervec batch"}\n'  # the first line of every journal
STAGED = re.compile(r"\d{20}-[0-9a-f]{8}/\d+")  # run and row, see place.spot
DRAWING, PREVIEW, PAGE = ".svg", ".png", ".html"  # endings of what a row may leave


@dataclass(frozen=True, slots=True)
class Record:
    """How a row ended, as the manifest lists it.

    output: the drawing's place in the output, without an ending. reason: a sentence where it failed. note: of a
    drawing that is done, what was asked for and could not be. seconds: wall time, with reading and writing. width,
    height: of the picture, px. psnr (dB) and ssim: of the drawing, as `layervec score` has them. size: of the SVG,
    bytes. kinds: endings of the files it left. staged: where they were kept until they took their names.
    """

    image: str
    output: str
    status: Status
    reason: str = ""
    note: str = ""
    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    psnr: float | None = None
    ssim: float | None = None
    shapes: int | None = None
    nodes: int | None = None
    layers: int | None = None
    size: int | None = None
    input_sha256: str = ""
    settings_sha256: str = ""
    version: str = ""
    key: str = ""
    kinds: tuple[str, ...] = ()
    staged: str = ""

    def line(self) -> bytes:
        """Return the record as a line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=True).encode() + b"\n"

    @classmethod
    def of_plain(cls, values: dict[str, Any]) -> Record:
        """Undo `asdict`, also where the values have been JSON."""
        return cls(**{**values, "kinds": tuple(values["kinds"])})

    @classmethod
    def of_line(cls, line: bytes) -> Record | None:
        """Return the record of a line, None where it is none: torn when a run was killed, of another version, or a
        stranger's, as a journal comes from anywhere like all input.
        """
        try:
            found = cls.of_plain(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return found if found._is_sound() else None

    def _is_sound(self) -> bool:
        """Tell whether the values are such as a batch writes, and lead to files of the output alone."""
        texts, numbers = ([getattr(self, name) for name in names] for names in (TEXTS, NUMBERS))
        return (
            all(isinstance(text, str) for text in texts)
            and all(number is None or type(number) in (int, float) for number in numbers)
            and self.status in get_args(Status)
            and all(kind in (DRAWING, PREVIEW, PAGE) for kind in self.kinds)
            and is_name(self.output)
            and (not self.kinds or STAGED.fullmatch(self.staged) is not None)
            and (self.status == "failed" or None not in numbers)
        )


NUMBERS = ("seconds", "width", "height", "psnr", "ssim", "shapes", "nodes", "layers", "size")
TEXTS = tuple(field.name for field in fields(Record) if field.name not in (*NUMBERS, "kinds"))

# Of the manifest; the rest is the journal's own business.
COLUMNS = tuple(field.name for field in fields(Record) if field.name not in ("kinds", "staged"))


def settings_hash(settings: Settings) -> str:
    """Return the SHA-256 of what makes a drawing: settings with the contents of folders and files that they name.

    A model counts by its files' names and sizes. Raises InputError where a file cannot be read.
    """
    values = settings.recorded()
    for name in ("masks", "levels", "palette"):
        given = getattr(settings, name)
        if given and Path(given).exists():
            values[name] = _contents(Path(given))
    for route in ROUTES:
        model = Path(getattr(settings, f"{route}_model"))
        if f"{route}_model" in values and model.exists():
            values[f"{route}_model"] = _inventory(model)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def key(input_sha256: str, settings_sha256: str) -> str:
    """Return the key of a row: the same where nothing that makes its drawing has changed."""
    return hashlib.sha256(f"{version('layervec')} {input_sha256} {settings_sha256}".encode()).hexdigest()


def _contents(place: Path) -> str:
    try:
        found = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in _files(place)]
    except OSError as error:
        raise InputError(f"{place} cannot be read: {reason(error)}.") from error
    return json.dumps(found)


@lru_cache  # a batch has one model, and it does not change under way
def _inventory(place: Path) -> str:
    try:
        return json.dumps([(path.name, path.stat().st_size) for path in _files(place)])
    except OSError as error:
        raise InputError(f"{place} cannot be read: {reason(error)}.") from error


def _files(place: Path) -> Iterator[Path]:
    """Yield a file, or the files in and below a folder in order."""
    yield from [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())


def plain(record: Record) -> dict[str, Any]:
    """Return the record's columns of the manifest."""
    return {name: getattr(record, name) for name in COLUMNS}
