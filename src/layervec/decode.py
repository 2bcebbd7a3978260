"""Decode picture files: the adapter to Pillow, and the only file that knows its modes, profiles and moods.

TIFFs that Pillow has no mode for come through tiff.py, by the same door.

Knows nothing of Raster, resizing or paths; gives bands of straight RGBA floats to image.py.

Pillow's plugins meet bad bytes with a dozen kinds of errors and warnings; only InputError leaves this file.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layervec import tiff
from layervec.errors import InputError
from layervec.tiff import Tiff
from layervec.types import Float32

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageCms import ImageCmsTransform

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
MAX_PIXELS = 178_956_970  # twice Pillow's MAX_IMAGE_PIXELS: where its own guard against bombs stops, too
BAND_PIXELS = 1 << 20  # decoded pixels turned to floats at a time: 16 MiB, however big the picture
SAME_PROFILE = 2  # of 255: a profile that moves no colour further is sRGB, give or take rounding
BRIGHT_FLOAT = 16.0  # floats up to this, if not all are whole, run from 0 to 1, with highlights above it
MOST_NEGATIVE = 0.1  # of the brightest float, below black: sharpening leaves less; measurements have more
PNG_DEPTH = 24  # where a PNG says how many bits a channel has: its first chunk must be the header
ORIENTATION = 0x0112  # EXIF tag; 1 upright .. 8, 5 and above lie on their side

_GREY_MODES = ("1", "L", "LA", "La")
_RGB_MODES = ("RGB", "RGBA", "RGBX", "RGBa", "P", "PA")
_PROFILE_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}  # colour space of a profile: Pillow's mode
# Filters of `warnings` belong to the whole process; without the lock two threads could restore each other's.
_warnings_lock = threading.RLock()


def open_image(data: bytes, name: str) -> Image | Tiff:
    """Return the first frame of a file's bytes as a decoded Pillow image, or a TIFF that Pillow cannot read.

    name: for messages. Raises InputError if the format is unknown, or the picture is damaged, cut off or larger than
    MAX_PIXELS, which is found before decoding; of a TIFF, damage to pixels is found by `bands`.
    """
    with _guard(name):
        described = tiff.described(data, name)
    if described is not None:
        check_size(described.width, described.height, name)
        return described
    image = finish(_opened(data, name), name)
    return _with_key_scaled(image, data) if image.format == "PNG" else image


def _opened(data: bytes, name: str) -> Image:
    """Return a picture of which Pillow has read the header only. Raises InputError as above."""
    from PIL import Image, UnidentifiedImageError

    try:
        with _guard(name):
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except InputError as error:
        if isinstance(error.__cause__, UnidentifiedImageError):
            known = ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]
            raise InputError(f"{name} is not an intact {known} picture.") from error.__cause__
        raise


def _with_key_scaled(image: Image, data: bytes) -> Image:
    """Return a PNG's image with its one see-through colour in the 8 bits that Pillow brings pixels to.

    Pillow leaves that colour as stored. Of 16 bits a channel, the lower 8 are lost, for pixels as well.
    """
    depth, key = data[PNG_DEPTH], image.info.get("transparency")
    if image.mode in ("1", "L") and isinstance(key, int) and depth in (1, 2, 4):
        if image.mode == "1":  # what a key means in this mode depends on Pillow's version
            info = image.info
            info.pop("transparency")
            image = image.convert("L")
            image.info.update(info)
        most = 2**depth - 1
        image.info["transparency"] = (key & most) * 255 // most
    elif image.mode == "RGB" and isinstance(key, tuple) and depth == 16:
        image.info["transparency"] = tuple(value >> 8 for value in key)
    return image


def finish(image: Image, name: str) -> Image:
    """Decode an opened Pillow image unless that was done before; return it. Raises InputError as above."""
    check_size(image.width, image.height, name)
    with _guard(name):
        image.load()
    check_size(image.width, image.height, name)  # some formats know their size only now
    return image


def check_size(width: int, height: int, name: str) -> None:
    """Raise InputError if a picture has no pixels or more than MAX_PIXELS."""
    if width < 1 or height < 1:
        raise InputError(f"{name} has no pixels ({width} x {height}).")
    if width * height > MAX_PIXELS:
        raise InputError(f"{name} is too large: {width} x {height} pixels, at most {MAX_PIXELS} are read.")


def upright_size(data: bytes, name: str) -> tuple[int, int]:
    """Return width and height that a file's picture has upright, without decoding it. Raises as `open_image` does."""
    if tiff.is_tiff(data):  # Pillow turns TIFFs at some point of its own, depending on its version
        with _guard(name):
            tiff.described(data, name)
            width, height = tiff.upright_size(data)
    else:
        image = _opened(data, name)
        width, height = image.size
        # In a PNG, looking for what does not stand before the pixels would decode them.
        if (image.format != "PNG" or "exif" in image.info) and orientation(image) >= 5:
            width, height = height, width
    check_size(width, height, name)
    return width, height


def orientation(image: Image | Tiff) -> int:
    """Return the EXIF orientation of an opened picture, 1..8; 1 (upright) if there is none or it is broken."""
    if isinstance(image, Tiff):
        return image.orientation
    try:
        with _guard(""):
            value = image.getexif().get(ORIENTATION, 1)
    except InputError:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(pixels: Float32, orientation: int) -> Float32:
    """Turn pixels [h, w, c] as the EXIF orientation (1..8) asks; contiguous."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def bands(image: Image | Tiff, name: str) -> Iterator[Float32]:
    """Yield an opened picture from top to bottom as float32 [rows, w, 4]: straight RGBA, sRGB-encoded, 0..1.

    An embedded colour profile is applied; one that is broken or does not fit the picture is ignored. Raises
    InputError if the picture holds values that are no numbers.
    """
    if isinstance(image, Tiff):
        yield from _tiff_bands(image)
        return
    with _guard(name):
        convert = _converter(image, name)
    rows = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        with _guard(name):
            band = image.crop((0, top, image.width, min(top + rows, image.height)))
            pixels = convert(band)
        yield pixels


@contextmanager
def _guard(name: str) -> Iterator[None]:
    """Silence warnings and turn every error of Pillow into an InputError about `name`."""
    from PIL.Image import DecompressionBombError

    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except InputError:
            raise
        except DecompressionBombError as error:
            raise InputError(f"{name} is too large: more than {MAX_PIXELS} pixels.") from error
        except Exception as error:  # any kind: SyntaxError, struct.error, EOFError, MemoryError, ...
            text = str(error) or type(error).__name__
            cause = "its pixel data is cut off" if "truncated" in text else text.rstrip(".")
            raise InputError(f"{name} cannot be decoded: {cause}.") from error


def _converter(image: Image, name: str) -> Callable[[Image], Float32]:
    """Choose how bands of this image become floats."""
    transform = _transform(image.info.get("icc_profile"), _profile_mode(image.mode))
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        scale = _full_scale(image, name)
        return partial(_deep_grey, scale=scale, transform=transform)
    return partial(_colour, transform=transform)


def _full_scale(image: Image, name: str) -> float:
    """Return the value that stands for white in a picture of deep grey (modes I;16, I and F)."""
    if image.mode.startswith("I;16"):
        return 65535.0
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    # Extrema alone may skip NaN.
    if image.mode == "F" and not np.isfinite(np.asarray(image)).all():
        raise InputError(f"{name} has pixels that are not finite numbers.")
    return _guessed_white(low, high, None if image.mode == "F" else 2.0**31 - 1.0, name)


def _guessed_white(low: float, high: float, most: float | None, name: str) -> float:
    """Return the value that stands for white in a picture of numbers from `low` to `high`, by the brightest pixel.

    Wide types do not tell: they hold numbers up to 1, 255 or 65535 as well as all that they can hold. most: the
    largest that the type can hold, None for floats. Raises InputError where these are no numbers of a picture.
    """
    if most is None:
        whole = high.is_integer() and low.is_integer()
        steps = [1.0 if whole else BRIGHT_FLOAT, 255.0, 65535.0]
    else:
        steps = [*(step for step in (255.0, 65535.0) if step < most), most]
    step = next((step for step in steps if high <= step), None)
    white = 1.0 if step == BRIGHT_FLOAT else step
    least = 0.0 if most is not None else -MOST_NEGATIVE * max(high, 1.0)
    if white is None or low < least:
        raise InputError(f"{name} has pixels from {low:g} to {high:g}, which are no brightness of a picture.")
    return white


def _tiff_bands(image: Tiff) -> Iterator[Float32]:
    """Yield a TIFF that Pillow cannot read, as `bands` does."""
    with _guard(image.name):
        deep = image.dtype.kind != "u" or image.dtype.itemsize > 2
        white = _guessed_white(*image.extrema(), image.most, image.name) if deep else image.most
        assert white is not None, "whole numbers have a largest one"
        mode = {tiff.RGB: "RGB", tiff.CMYK: "CMYK"}.get(image.photometric, "L")
        transform = _transform(image.profile, mode)
        found = image.bands(white)
    while True:
        with _guard(image.name):
            band = next(found, None)
            if band is None:
                return
            pixels = _in_colour(band, mode, transform)
        yield pixels


def _in_colour(band: Float32, mode: str, transform: ImageCmsTransform | None) -> Float32:
    """Turn grey (mode L), RGB or CMYK, with or without alpha, into straight RGBA floats [rows, w, 4]."""
    colours = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    pixels = np.ones((*band.shape[:2], 4), np.float32)
    if mode == "L":
        pixels[..., :3] = _through(transform, band[..., 0])
    elif mode == "RGB" and transform is None:
        pixels[..., :3] = band[..., :3]
    else:  # both colour management and CMYK are 8 bits deep
        from PIL import Image

        levels = np.rint(band[..., :colours] * 255.0).astype(np.uint8)
        size = levels.shape[1], levels.shape[0]
        pixels[..., :3] = _colour(Image.frombytes(mode, size, levels.tobytes()), transform)[..., :3]
    if band.shape[2] > colours:
        pixels[..., 3] = band[..., colours]
    return pixels


def _deep_grey(band: Image, scale: float, transform: ImageCmsTransform | None) -> Float32:
    """Turn a band of mode I;16, I or F into straight RGBA floats [rows, w, 4]."""
    values = np.asarray(band)
    grey = np.clip(values.astype(np.float32) / np.float32(scale), 0.0, 1.0)
    pixels = np.ones((*grey.shape, 4), np.float32)
    pixels[..., :3] = _through(transform, grey)
    key = band.info.get("transparency")  # PNG: the one grey that is see-through
    if isinstance(key, int):
        pixels[values == key, 3] = 0.0
    return pixels


def _through(transform: ImageCmsTransform | None, grey: Float32) -> Float32:
    """Return the colours of grey values [h, w], in 0..1: float32 [h, w, 3 or 1]."""
    if transform is None:
        return grey[..., None]
    # Colour management is 8 bits deep: go through its curve to keep the precision.
    curve = _apply(transform, np.arange(256, dtype=np.uint8)[None, :], "L")[0]
    colours = [np.interp(grey * 255.0, np.arange(256), curve[:, c] / 255.0) for c in range(3)]
    return np.stack(colours, axis=2).astype(np.float32)


def _colour(band: Image, transform: ImageCmsTransform | None) -> Float32:
    """Turn a band of any 8-bit mode into straight RGBA floats [rows, w, 4]."""
    if band.mode == "La":
        band = band.convert("LA")
    direct = band.mode in _GREY_MODES or (band.mode in _RGB_MODES and band.mode != "RGBX")
    rgba = band.convert("RGBA") if direct else band.convert("RGB").convert("RGBA")
    pixels: Float32 = np.divide(np.asarray(rgba), 255, dtype=np.float32)
    if transform is not None:
        from PIL import ImageCms

        mode = _profile_mode(band.mode)
        colours = band if mode == "CMYK" else rgba.convert(mode)
        managed = ImageCms.applyTransform(colours, transform)
        pixels[..., :3] = np.divide(np.asarray(managed), 255, dtype=np.float32)
    return pixels


def _profile_mode(mode: str) -> str | None:
    """Return the mode in which pixels of a mode meet their profile, None where none can fit."""
    if mode in _GREY_MODES or mode.startswith("I;16"):
        return "L"
    if mode in _RGB_MODES:
        return "RGB"
    return "CMYK" if mode == "CMYK" else None


def _transform(icc: object, own: str | None) -> ImageCmsTransform | None:
    """Return the way from a picture's embedded profile to sRGB, None if there is nothing to do.

    own: Pillow's mode in which its pixels meet a profile, None where none can fit.
    """
    if not isinstance(icc, bytes) or not icc:
        return None
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        mode = _PROFILE_MODES.get(profile.profile.xcolor_space.strip())
        if mode is None or mode != own:
            return None
        # As browsers do: relative colorimetric, black kept black.
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return None if _changes_nothing(transform, mode) else transform
    except Exception:  # a broken profile says nothing about the pixels
        return None


def _changes_nothing(transform: ImageCmsTransform, mode: str) -> bool:
    """Tell whether a transform moves no colour by more than SAME_PROFILE."""
    steps = np.linspace(0, 255, 18).astype(np.uint8)
    if mode == "CMYK":
        return False
    if mode == "L":
        before = np.repeat(steps[None, :, None], 3, axis=2)
        after = _apply(transform, steps[None, :], mode)
    else:
        before = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        after = _apply(transform, before, mode)
    return bool(np.abs(after.astype(int) - before).max() <= SAME_PROFILE)


def _apply(transform: ImageCmsTransform, values: NDArray[np.uint8], mode: str) -> NDArray[np.uint8]:
    """Send uint8 values of a mode through a transform; returns uint8 [h, w, 3]."""
    from PIL import Image, ImageCms

    source = Image.frombytes(mode, (values.shape[1], values.shape[0]), np.ascontiguousarray(values).tobytes())
    return np.asarray(ImageCms.applyTransform(source, transform))
