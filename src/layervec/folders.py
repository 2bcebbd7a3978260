"""Folders of PNGs that any program may have made: masks of objects, and simplified versions of a picture.

Knows files and sizes; nothing of what becomes of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from layervec.errors import InputError
from layervec.files import reason
from layervec.image import open_picture, resize
from layervec.segment import Mask
from layervec.types import Bool, Raster

LABELS = "labels.json"  # in a folder of masks: file name -> what it shows
ON = 0.5  # grey value, 0..1, from which a pixel belongs to a mask; alpha where the file has some
ASPECT_SLACK = 0.02  # how far the proportions of a file may be off those of the picture
MOST_FILES = 2000  # masks or levels in a folder
MOST_BYTES = 1 << 30  # of all masks or levels of a folder at the size that is drawn: 4096 masks, 256 levels at 512 px
MASK_BYTES, LEVEL_BYTES = 1, 16  # a pixel
MOST_LABELS = 4 << 20  # bytes of labels.json: 2000 files with labels of a page each


def masks(folder: Path, width: int, height: int, source: tuple[int, int] | None = None) -> list[Mask]:
    """Return the masks of a folder, one a PNG, in order of their names, brought to width x height px.

    A pixel is in where it is brighter than middle grey; in a file with transparency, where it is mostly opaque and not
    black. source: size of the whole picture, px. Files must have its proportions. Raises InputError.
    """
    labels = _labels(folder)
    found = []
    for path in _pngs(folder, width * height * MASK_BYTES):
        pixels = _scaled(path, width, height, source, "the mask").pixels
        inside = pixels[..., 3] * pixels[..., :3].max(axis=2) >= ON
        found.append(Mask(np.asarray(inside), 1.0, 0, labels.pop(path.name, "")))
    if labels:
        raise InputError(f"{folder / LABELS}: there is no mask called {next(iter(labels))!r} beside it.")
    return found


def levels(folder: Path, raster: Raster, source: tuple[int, int] | None = None) -> list[Raster]:
    """Return the picture and its simplified versions in a folder of PNGs, fine to coarse by their names, at its size.

    Names are ordered as people number them: 2.png before 10.png. source: as in `masks`. Raises InputError.
    """
    paths = _pngs(folder, raster.width * raster.height * LEVEL_BYTES)
    found = [_scaled(path, raster.width, raster.height, source, "the level") for path in paths]
    if raster.opaque:
        found = [Raster(np.concatenate([level.pixels[..., :3], raster.pixels[..., 3:]], axis=2)) for level in found]
    return [raster, *found]


def _pngs(folder: Path, each: int) -> list[Path]:
    """Return the PNGs of a folder in order. each: bytes that one takes once it is read. Raises InputError."""
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() == ".png"]
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        raise InputError(f"{folder} cannot be read: {reason(error)}.") from error
    if not found:
        raise InputError(f"{folder} has no PNG files.")
    if len(found) > MOST_FILES:
        raise InputError(f"{folder} has more than {MOST_FILES} PNG files.")
    if len(found) * each > MOST_BYTES:
        raise InputError(
            f"{folder} has {len(found)} PNG files, more than fit into {MOST_BYTES >> 20} MiB at the size that is "
            "drawn; a smaller --size takes more."
        )
    return sorted(found, key=_order)


def _order(path: Path) -> tuple[float, str]:
    stem = path.stem
    return (float(stem) if stem.isdecimal() else float("inf"), path.name)


def _scaled(path: Path, width: int, height: int, source: tuple[int, int] | None, noun: str) -> Raster:
    """Read a picture of the same proportions as width x height and bring it to that size."""
    picture = open_picture(path, max(width, height))  # shrunk on the way: files may be far larger than what is drawn
    whole = source or (width, height)
    if (picture.width, picture.height) not in (whole, (width, height)):
        off = picture.width * whole[1] / (picture.height * whole[0])
        if abs(off - 1.0) > ASPECT_SLACK:
            raise InputError(
                f"{path}: {noun} has {picture.width} x {picture.height} pixels, which does not fit a picture of "
                f"{whole[0]} x {whole[1]}."
            )
    return resize(picture.raster, width, height)


def _labels(folder: Path) -> dict[str, str]:
    path = folder / LABELS
    if not path.exists():
        return {}
    try:
        with open(path, "rb") as file:
            text = file.read(MOST_LABELS + 1)
        values = json.loads(text) if len(text) <= MOST_LABELS else None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}.") from error
    except ValueError:
        raise InputError(f"{path} is not JSON.") from None
    except RecursionError:
        raise InputError(f"{path} is nested too deeply.") from None
    if len(text) > MOST_LABELS:
        raise InputError(f"{path} has more than {MOST_LABELS >> 20} MiB.")
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise InputError(f"{path} should hold one object of file names and labels, both text.")
    return values


def pixels_of(found: list[Mask], height: int, width: int) -> Bool:
    """Return masks as one array: bool [m, h, w]."""
    return np.array([mask.pixels for mask in found], dtype=np.bool_).reshape(len(found), height, width)
