"""The rows of a batch: which pictures, with which settings, and what their drawings are called.

A row comes from a folder, a pattern, a list in CSV or Parquet, or a single picture. Names mirror the input's, so the
same input gives the same names whatever else is done. Opens lists, never pictures.
"""

from __future__ import annotations

import csv
import glob
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from layervec.batch import address
from layervec.batch.place import HIDDEN, is_name
from layervec.errors import InputError
from layervec.files import reason
from layervec.settings import Settings, checked, section_of

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"})
LISTS = frozenset({".csv", ".parquet"})
IMAGE, OUTPUT = "image", "output"  # columns of a list; every other one is a setting
RESERVED = "index"  # the batch's own page lies beside the drawings
MAX_LIST = 1 << 30  # bytes of a list
INSIDE = ("masks", "levels", "palette")  # settings that name files; in a list they are seen from its folder


@dataclass(frozen=True, slots=True)
class Row:
    """One picture to draw. image: its path or URL. output: the drawing's place in the output, without an ending.

    refused: why it cannot be drawn, where that is known beforehand; `image` may then be a folder.
    """

    image: str
    output: str
    settings: Settings
    refused: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """A picture before its drawing has a name. name: to be mirrored, with `/`. where: what complaints call it."""

    image: str
    name: str
    settings: Settings
    where: str
    asked: bool = False  # the name is one that a list gives, without an ending
    refused: str = ""  # as in `Row`


def gather(source: str, out: str, base: Settings) -> list[Row]:
    """Return the rows of a folder, a pattern, a list or a picture, in a fixed order.

    out: the output, which is no input even where it lies inside. base: settings of all rows; a list's columns win.
    Raises InputError where there is nothing to do, a list is wrong, or two rows of it would have one name.
    """
    found = _found(source, out, base)
    if not found:
        raise InputError(f"{source}: there are no pictures here ({', '.join(sorted(ENDINGS))}).")
    names = _names(found, listed=_is_list(source))
    refusals = _alike(found, names)
    return [
        Row(one.image, name, one.settings, one.refused or why)
        for one, name, why in zip(found, names, refusals, strict=True)
    ]


def _is_list(source: str) -> bool:
    return PurePosixPath(source).suffix.lower() in LISTS


def _found(source: str, out: str, base: Settings) -> list[_Found]:
    if _is_list(source):
        return list(_listed(source, base))
    found = _remote(source) if address.is_url(source) else _local(source, out)
    return [
        _Found(image, name, base, image, asked=bool(why), refused=why)
        for image, name, why in sorted(found, key=lambda one: one[1])
    ]


def _local(source: str, out: str) -> Iterator[tuple[str, str, str]]:
    """Yield (path, name, why it is refused or "") of the pictures of a folder or pattern, or of the one picture."""
    output = os.path.realpath(out)
    if os.path.isdir(source):
        if output == os.path.realpath(source):
            raise InputError(f"{out} is the folder of the pictures; name another output with -o.")
        yield from ((os.path.join(source, name), name, why) for name, why in _walk(source, output))
    elif os.path.lexists(source):
        yield source, os.path.basename(source), ""
    elif glob.has_magic(source):
        root = _fixed(source)
        yield from ((os.path.join(root, name), name, why) for name, why in _matching(source, root, output))
    else:
        raise InputError(f"{source} cannot be read: there is no such folder, file or pattern.")


def _walk(folder: str, output: str) -> Iterator[tuple[str, str]]:
    """Yield (name, why it is refused or "") of the pictures in and below a folder, and of folders that cannot be read.

    Without what is hidden, the output, outputs of other batches, and what links to folders lead to, which may be a
    circle. Raises InputError where the folder itself cannot be read.
    """
    unread: list[OSError] = []
    for place, folders, files in os.walk(folder, onerror=unread.append):
        folders[:] = [name for name in folders if not _is_skipped(os.path.join(place, name), output)]
        found = [os.path.join(place, name) for name in files if _is_picture(name)]
        yield from ((Path(path).relative_to(folder).as_posix(), "") for path in found)
    for error in unread:
        why = f"{error.filename} cannot be read: {reason(error)}."
        if os.path.normpath(error.filename) == os.path.normpath(folder):
            raise InputError(why) from error
        yield f"{Path(error.filename).relative_to(folder).as_posix()}/*", why


def _is_skipped(folder: str, output: str) -> bool:
    return (
        os.path.basename(folder).startswith(".")
        or os.path.realpath(folder) == output
        or os.path.lexists(os.path.join(folder, HIDDEN))
    )


def _matching(pattern: str, root: str, output: str) -> Iterator[tuple[str, str]]:
    """Yield what `_walk` does for a pattern, whose fixed beginning is `root`."""
    wanted = PurePosixPath(pattern.replace(os.sep, "/")).parts[len(PurePosixPath(root.replace(os.sep, "/")).parts) :]
    if "**" in wanted:
        for name, why in _walk(root or ".", output):
            if why or _matches(name.split("/"), wanted):
                yield name, why
        return
    for path in glob.iglob(pattern):
        inside = Path(os.path.realpath(path)).is_relative_to(output)
        if _is_picture(path) and not os.path.isdir(path) and not inside:
            yield os.path.relpath(path, root or ".").replace(os.sep, "/"), ""


def _matches(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """Tell whether a path matches a pattern, part by part; `**` stands for any number of folders."""
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_matches(parts[skipped:], wanted[1:]) for skipped in range(len(parts) + 1)) or wanted[1:] == ()
    return bool(parts) and fnmatch(parts[0], wanted[0]) and _matches(parts[1:], wanted[1:])


def _fixed(pattern: str) -> str:
    """Return the folder before a pattern's first wildcard."""
    parts = PurePosixPath(pattern.replace(os.sep, "/")).parts
    fixed = list(parts[:-1])
    for place, part in enumerate(fixed):
        if glob.has_magic(part):
            fixed = fixed[:place]
            break
    return os.path.join(*fixed) if fixed else ""


def _remote(source: str) -> Iterator[tuple[str, str, str]]:
    """Yield (URL, name, "") of what lies at a URL: a folder, a pattern or one picture."""
    system, place = address.filesystem(source)
    try:
        magic = glob.has_magic(place)
        root = _fixed(place) if magic else place.rstrip("/")
        if not magic and system.isfile(place):
            yield source, PurePosixPath(place).name, ""
            return
        for path in system.glob(place) if magic else system.find(place):
            if _is_picture(path):
                yield system.unstrip_protocol(path), PurePosixPath(path).relative_to(root).as_posix(), ""
    except Exception as error:  # drivers fail in ways of their own
        raise InputError(f"{source} cannot be read: {address.cause(error)}.") from error


def _is_picture(path: str) -> bool:
    name = PurePosixPath(path.replace(os.sep, "/")).name
    return PurePosixPath(name).suffix.lower() in ENDINGS and not name.startswith(".")


# Lists


def _listed(source: str, base: Settings) -> Iterator[_Found]:
    """Yield what a list names. Raises InputError, naming the line, where a row cannot be understood."""
    columns, cells = _table(source)
    if IMAGE not in columns:
        raise InputError(f"{source} should have a column called '{IMAGE}', with a path or URL in each row.")
    for name in columns:
        if name not in (IMAGE, OUTPUT) and not _is_setting(name):
            raise InputError(
                f"{source}: there is no setting for the column '{name}' (known beside settings: {IMAGE}, {OUTPUT})."
            )
    given = base.model_dump(exclude_unset=True)
    folder = "" if address.is_url(source) else os.path.dirname(source)
    for number, row in enumerate(cells, start=1):
        yield _one(row, f"{source}, row {number}", folder, given, base)


def _one(row: dict[str, Any], where: str, folder: str, given: dict[str, Any], base: Settings) -> _Found:
    image = str(row.pop(IMAGE, "") or "")
    if not image:
        raise InputError(f"{where}: there is no {IMAGE}.")
    asked = str(row.pop(OUTPUT, "") or "")
    settings = _settings(row, where, folder, given) if row else base
    path = image if address.is_url(image) else os.path.join(folder, image)
    return _Found(path, _mirrored(asked or image, where), settings, where, bool(asked))


def _mirrored(name: str, where: str) -> str:
    """Return a name inside the output: that of a relative path, or a full one without its root."""
    scheme = name.find("://")
    path = PurePosixPath((name[scheme + 3 :] if scheme >= 0 else name).replace(os.sep, "/"))
    parts = [part for part in path.parts if part != path.anchor]
    if not is_name("/".join(parts)):
        raise InputError(f"{where}: {name} has no place in the output; give one in a column '{OUTPUT}'.")
    return "/".join(parts)


def _settings(row: dict[str, Any], where: str, folder: str, given: dict[str, Any]) -> Settings:
    values = json.loads(json.dumps(given))
    for name, value in row.items():
        section, _, field = name.rpartition(".")
        place = values.setdefault(section, {}) if section else values
        place[field] = _seen_from(folder, name, value)
    return checked(values, where)


def _seen_from(folder: str, name: str, value: Any) -> Any:
    """Return a cell's value: a list in brackets is one, and a file beside the list is found from anywhere."""
    if isinstance(value, str) and value.startswith("["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    if name in INSIDE and folder and os.path.exists(beside := os.path.join(folder, str(value))):
        return beside
    return value


def _is_setting(name: str) -> bool:
    section, _, field = name.rpartition(".")
    return field in ((section_of(section) or {}) if section else Settings.model_fields)


def _table(source: str) -> tuple[Sequence[str], list[dict[str, Any]]]:
    """Return a list's columns, and its rows without empty cells."""
    data = address.read(source, MAX_LIST)
    if len(data) > MAX_LIST:
        raise InputError(f"{source} is larger than {MAX_LIST >> 20} MiB, too large for a list.")
    columns, rows = _parquet(source, data) if source.lower().endswith(".parquet") else _csv(source, data)
    return columns, [{name: cell for name, cell in row.items() if cell not in (None, "")} for row in rows]


def _csv(source: str, data: bytes) -> tuple[Sequence[str], list[dict[str, Any]]]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        rows = list(reader)
    except UnicodeDecodeError:
        raise InputError(f"{source}: is not UTF-8 text.") from None
    except csv.Error as error:
        raise InputError(f"{source}: is not valid CSV ({error}).") from None
    for number, row in enumerate(rows, start=1):
        if None in row:
            raise InputError(f"{source}, row {number}: has more cells than there are columns.")
    return reader.fieldnames or [], rows


def _parquet(source: str, data: bytes) -> tuple[Sequence[str], list[dict[str, Any]]]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError:
        raise InputError(f"{source} needs pyarrow, which the extra `batch` brings: {address.EXTRA}") from None
    try:
        table = parquet.read_table(io.BytesIO(data))
    except (ArrowInvalid, OSError) as error:
        raise InputError(f"{source}: is not a Parquet file ({address.cause(error)}).") from None
    return table.column_names, table.to_pylist()


# Names


def _names(found: list[_Found], *, listed: bool) -> list[str]:
    """Return the drawings' names: the pictures' without ending, with it where two would be the same.

    Raises InputError where two of a list are the same even so. Names that differ in case only are the same to some
    disks.
    """
    whole = [one.name for one in found]
    names = [one.name if one.asked else _stem(one.name) for one in found]
    while clashing := _clashing(names):
        kept = [
            whole[i] if names[i].casefold() in clashing and not found[i].asked else names[i] for i in range(len(names))
        ]
        if kept == names and listed:
            _refuse(found, names, clashing)
        if kept == names:
            return names
        names = kept
    return names


def _alike(found: list[_Found], names: list[str]) -> list[str]:
    """Return why a name cannot be had, or "", of each: another one came first that differs in case alone."""
    first: dict[str, str] = {}
    owners = [first.setdefault(name.casefold(), one.image) for one, name in zip(found, names, strict=True)]
    return [
        "" if owner is one.image else f"{one.image} and {owner} would be drawn to names that differ in case alone."
        for one, owner in zip(found, owners, strict=True)
    ]


def _clashing(names: list[str]) -> set[str]:
    counts = Counter(name.casefold() for name in names)
    counts[RESERVED] += 1
    return {name for name, count in counts.items() if count > 1}


def _refuse(found: list[_Found], names: list[str], clashing: set[str]) -> None:
    first, *more = [i for i, name in enumerate(names) if name.casefold() in clashing]
    if not more:
        raise InputError(f"{found[first].where}: the output '{RESERVED}' is taken by the batch's own page.")
    second = next((i for i in more if names[i].casefold() == names[first].casefold()), more[0])
    raise InputError(
        f"{found[first].where} and {found[second].where} would both be drawn as {names[first]}; a list may say "
        f"otherwise in a column '{OUTPUT}'."
    )


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.suffix.lower() in ENDINGS else name
