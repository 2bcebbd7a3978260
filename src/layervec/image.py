"""Pictures in and out: from files, bytes, Pillow images and arrays to Raster, and back to PNG; resizing.

Knows nothing of shapes or stages. How Pillow decodes is in decode.py, how files are written in files.py.

Colours are averaged as they are encoded (sRGB), not as light, because SVG viewers blend that way too.
Wherever pixels are mixed they are premultiplied first, so that colours behind transparent pixels never show.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from layervec import decode
from layervec.errors import InputError
from layervec.files import reason, write_atomic
from layervec.types import Float32, Int64, Raster

if TYPE_CHECKING:
    from PIL.Image import Image

    from layervec.tiff import Tiff

Source: TypeAlias = "str | os.PathLike[str] | bytes | File | Image | NDArray[Any]"
MAX_BYTES = 1 << 30  # largest file that is read; a raw picture of decode.MAX_PIXELS in RGB has half of that
RANGE_SLACK = 1e-4  # how far floats may leave 0..1 before they are refused; rounding errors stay below
MOST_COLOURS = 64  # frequent colours that are kept of a picture
LEAST_PIXELS = 8  # of a frequent colour, among those counted
MOST_COUNTED = 1 << 21  # px; of larger pictures only some rows are counted
ALPHA_SLACK = 1e-5  # how far off area means of alpha are; the least that 16 bits tell apart is more
LEAST_ALPHA = 1e-6  # below this, a premultiplied colour is only rounding noise


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture as opened: its pixels, perhaps shrunk, and what is worth knowing of its source.

    width, height: the source's size in pixels, upright. sha256: see `source_hash`. colours: straight RGBA in 0..1,
    float32 [n, 4], the source's most frequent ones, at most MOST_COLOURS, each of LEAST_PIXELS at least.
    """

    raster: Raster
    width: int
    height: int
    sha256: str
    colours: Float32


@dataclass(frozen=True, slots=True, eq=False)
class File:
    """A file that has been read: its bytes, and the name that messages call it by.

    title: of a drawing of it, None: the name without folder and ending.
    """

    name: str
    data: bytes
    title: str | None = None


def load(source: Source) -> Raster:
    """Return a picture at its full size; see `open_picture`."""
    return open_picture(source).raster


def open_picture(source: Source, longest: int | None = None) -> Picture:
    """Read a picture; with `longest`, shrink it on the way so that no side has more pixels than that.

    source: a path, a file's bytes (as `File` where they have a name), a Pillow image or an array [h, w] or
    [h, w, 1..4] (grey, grey + alpha, RGB, RGBA; bool, uint8, uint16 or float in 0..1, alpha straight). Files: see
    `decode.FORMATS`; the first frame, turned as EXIF says, with its colour profile applied. With `longest`, the full
    size is never held in floats.
    Raises InputError, naming the source and the cause, for anything that is not a whole picture.
    """
    name = name_of(source)
    if isinstance(source, np.ndarray):
        _check_array(source, name)
        height, width = source.shape[:2]
        tally = _Tally(width, height)
        pixels = _gather(tally.watched(_array_bands(source)), width, height, longest)
        return Picture(Raster(pixels), width, height, source_hash(source), tally.colours())
    image: Image | Tiff
    if _is_pillow(source):
        image, sha256 = decode.finish(source, name), source_hash(source)
    else:
        data = _read(source, name)
        image, sha256 = decode.open_image(data, name), hashlib.sha256(data).hexdigest()
        del data
    turn = decode.orientation(image)
    tally = _Tally(image.width, image.height)
    pixels = _gather(tally.watched(decode.bands(image, name)), image.width, image.height, longest)
    width, height = image.size if turn < 5 else image.size[::-1]
    return Picture(Raster(decode.upright(pixels, turn)), width, height, sha256, tally.colours())


def read(path: str | os.PathLike[str]) -> File:
    """Read a picture's file without looking into it. Raises InputError where it cannot be read, or is empty."""
    return File(str(path), _read(path, str(path)))


def source_hash(source: Source) -> str:
    """Return the SHA-256 of a source in hexadecimal: of a file's bytes, or of form and pixels in memory."""
    if isinstance(source, np.ndarray):
        form = f"{source.dtype.str} {source.shape} "
        return hashlib.sha256(form.encode() + np.ascontiguousarray(source).tobytes()).hexdigest()
    if _is_pillow(source):
        image = decode.finish(source, name_of(source))
        palette = bytes(image.getpalette() or []) if image.mode in ("P", "PA") else b""
        form = f"{image.mode} {image.size} "
        return hashlib.sha256(form.encode() + palette + image.tobytes()).hexdigest()
    return hashlib.sha256(_read(source, name_of(source))).hexdigest()


def fit_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """Return (width, height) with no side above `longest`: aspect kept, never enlarged, at least 1 x 1."""
    if longest < 1:
        raise ValueError(f"longest must be at least 1 pixel, not {longest}")
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def resize(raster: Raster, width: int, height: int) -> Raster:
    """Return the raster at another size: area means where it shrinks, linear where it grows.

    Fully transparent pixels of a resized raster are black. Raises ValueError if width or height is below 1.
    """
    if width < 1 or height < 1:
        raise ValueError(f"cannot resize to {width} x {height} pixels")
    if (width, height) == (raster.width, raster.height):
        return raster
    return Raster(straight(_scaled(premultiplied(raster), width, height)))


def premultiplied(raster: Raster) -> Float32:
    """Return float32 [h, w, 4]: red, green and blue times alpha, and alpha."""
    pixels = raster.pixels.copy()
    pixels[..., :3] *= pixels[..., 3:]
    return pixels


def target(raster: Raster) -> Float32:
    """Return what is drawn: premultiplied RGBA, or RGB alone where nothing is transparent: float32 [h, w, 3 or 4]."""
    pixels = premultiplied(raster)
    return np.ascontiguousarray(pixels[..., :3] if raster.opaque else pixels)


def straight(pixels: Float32) -> Float32:
    """Undo `premultiplied`: float32 [h, w, 4] in 0..1, colours 0 where alpha is 0; mends slight excess."""
    alpha = np.clip(pixels[..., 3:], 0.0, 1.0)
    seen = alpha > LEAST_ALPHA
    out = np.zeros_like(pixels, dtype=np.float32, order="C")
    np.divide(pixels[..., :3], alpha, out=out[..., :3], where=seen)
    np.clip(out, 0.0, 1.0, out=out)
    out[..., 3:] = np.where(seen, alpha, 0.0)
    return out


def over(raster: Raster, colour: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Float32:
    """Return float32 [h, w, 3]: the raster over one opaque colour (sRGB-encoded, 0..1), white by default."""
    alpha = raster.pixels[..., 3:]
    laid: Float32 = raster.pixels[..., :3] * alpha + np.array(colour, np.float32) * (1.0 - alpha)
    return laid


def png_bytes(pixels: NDArray[Any]) -> bytes:
    """Return a PNG file of pixels [h, w] (grey), [h, w, 3] or [h, w, 4] in 0..1, rounded to 8 bits."""
    from PIL import Image

    levels = np.rint(np.clip(pixels, 0.0, 1.0) * 255.0).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()


def save_png(path: str | os.PathLike[str], pixels: NDArray[Any]) -> None:
    """Write `png_bytes` to path, whole or not at all. Raises InputError where path cannot be written."""
    write_atomic(path, png_bytes(pixels))


def name_of(source: object) -> str:
    """Return what messages call a source."""
    if isinstance(source, str | os.PathLike):
        return str(source)
    if isinstance(source, File):
        return source.name
    if isinstance(source, np.ndarray):
        return "The array"
    return "The given data" if isinstance(source, bytes) else "The given image"


def _is_pillow(source: object) -> TypeGuard[Image]:
    """Tell whether source is a Pillow image, without loading Pillow for those that are plainly not."""
    if isinstance(source, str | os.PathLike | bytes | File | np.ndarray):
        return False
    from PIL.Image import Image

    return isinstance(source, Image)


def _read(source: object, name: str) -> bytes:
    """Return the bytes of a path or of bytes. Raises InputError if there are none or they cannot be had."""
    if isinstance(source, str | os.PathLike):
        try:
            with open(source, "rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise InputError(f"{name} cannot be read: {reason(error)}.") from error
        except ValueError as error:  # a path with a null byte
            raise InputError(f"{name!r} cannot be read: {error}.") from error
    elif isinstance(source, bytes):
        data = source
    elif isinstance(source, File):
        data = source.data
    else:
        raise InputError(f"A picture cannot be read from a {type(source).__name__}.")
    if not data:
        raise InputError(f"{name} cannot be read: it is empty.")
    if len(data) > MAX_BYTES:
        raise InputError(f"{name} cannot be read: it has more than {MAX_BYTES} bytes.")
    return data


def _check_array(array: NDArray[Any], name: str) -> None:
    """Raise InputError unless array is a picture as `open_picture` describes."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4):
        raise InputError(f"{name} is not a picture: its shape is {array.shape}, not [h, w] or [h, w, 1..4].")
    decode.check_size(array.shape[1], array.shape[0], name)
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not np.isfinite([low, high]).all():
            raise InputError(f"{name} has pixels that are not finite numbers.")
        if low < -RANGE_SLACK or high > 1.0 + RANGE_SLACK:
            raise InputError(f"{name} has floats from {low:g} to {high:g} where 0..1 is expected.")
    elif array.dtype.kind not in "bu" or array.dtype.itemsize > 2:
        raise InputError(f"{name} has pixels of type {array.dtype}, not bool, uint8, uint16 or float.")


def _array_bands(array: NDArray[Any]) -> Iterator[Float32]:
    """Yield a checked array from top to bottom as straight RGBA, float32 [rows, w, 4] in 0..1."""
    white = {"b": 1.0, "f": 1.0, "u": 255.0 if array.dtype.itemsize == 1 else 65535.0}[array.dtype.kind]
    array = array[..., None] if array.ndim == 2 else array
    height, width, channels = array.shape
    rows = max(1, decode.BAND_PIXELS // width)
    for top in range(0, height, rows):
        values = np.clip(array[top : top + rows].astype(np.float32) / np.float32(white), 0.0, 1.0)
        band = np.ones((*values.shape[:2], 4), np.float32)
        band[..., :3] = values[..., :3] if channels >= 3 else values[..., :1]
        if channels in (2, 4):
            band[..., 3] = values[..., -1]
        yield band


def _gather(bands: Iterator[Float32], width: int, height: int, longest: int | None) -> Float32:
    """Join bands of a picture [height, width] into straight floats, shrunk to `longest` if given.

    Area means are separable: each band is narrowed as it comes, and the wide picture never exists in floats.
    """
    size = (width, height) if longest is None else fit_size(width, height, longest)
    shrinks = size != (width, height)
    joined = np.empty((height, size[0], 4), np.float32)
    top = 0
    for band in bands:
        if shrinks:
            band = _scaled(premultiplied(Raster(band)), size[0], len(band))
        joined[top : top + len(band)] = band
        top += len(band)
    return straight(_scaled(joined, *size)) if shrinks else joined


class _Tally:
    """Counts the colours of a picture, in 8 bits a channel, while its bands pass by."""

    def __init__(self, width: int, height: int) -> None:
        self._every = -(-width * height // MOST_COUNTED)  # rows
        self._codes: list[NDArray[np.uint32]] = []
        self._counts: list[Int64] = []
        self._top = 0

    def watched(self, bands: Iterator[Float32]) -> Iterator[Float32]:
        """Yield the bands, straight RGBA [rows, w, 4], counting their colours."""
        for band in bands:
            some = band[-self._top % self._every :: self._every]
            self._top += len(band)
            levels = np.rint(some.reshape(-1, 4) * 255.0).astype(np.uint8)
            levels[levels[:, 3] == 0] = 0  # what is behind transparent pixels never shows
            codes, counts = np.unique(levels.view(np.uint32), return_counts=True)
            self._codes.append(codes)
            self._counts.append(counts)
            yield band

    def colours(self) -> Float32:
        """Return the most frequent ones, straight RGBA: float32 [n, 4]."""
        codes, where = np.unique(np.concatenate(self._codes), return_inverse=True)
        counts = np.bincount(where, np.concatenate(self._counts))
        order = np.argsort(-counts, kind="stable")[:MOST_COLOURS]
        frequent = codes[order[counts[order] >= LEAST_PIXELS]]
        return (frequent.view(np.uint8).reshape(-1, 4) / 255.0).astype(np.float32)


def _scaled(pixels: Float32, width: int, height: int) -> Float32:
    """Scale premultiplied pixels [h, w, 4] with area filtering; an axis that grows is interpolated linearly."""
    import cv2  # slow to load

    rows, columns = pixels.shape[:2]
    # OpenCV averages areas only where no axis grows, hence two steps.
    for size in ((min(width, columns), min(height, rows)), (width, height)):
        if size != (pixels.shape[1], pixels.shape[0]):
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.float32)
    # Sums of weights may be off by their rounding, but what is opaque, or clear, is so exactly.
    alpha = pixels[..., 3]
    alpha[alpha > 1.0 - ALPHA_SLACK] = 1.0
    alpha[alpha < ALPHA_SLACK] = 0.0
    return pixels
