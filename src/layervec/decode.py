"""Decode picture files: the adapter to Pillow, and the only file that knows its modes, profiles and moods.

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

from layervec.errors import InputError
from layervec.types import Float32

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageCms import ImageCmsTransform

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
MAX_PIXELS = 178_956_970  # twice Pillow's MAX_IMAGE_PIXELS: where its own guard against bombs stops, too
BAND_PIXELS = 1 << 20  # decoded pixels turned to floats at a time: 16 MiB, however big the picture
SAME_PROFILE = 2  # of 255: a profile that moves no colour further is sRGB, give or take rounding
ORIENTATION = 0x0112  # EXIF tag; 1 upright .. 8, 5 and above lie on their side

_GREY_MODES = ("1", "L", "LA", "La")
_RGB_MODES = ("RGB", "RGBA", "RGBX", "RGBa", "P", "PA")
_PROFILE_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}  # colour space of a profile: Pillow's mode
# Filters of `warnings` belong to the whole process; without the lock two threads could restore each other's.
_warnings_lock = threading.RLock()


def open_image(data: bytes, name: str) -> Image:
    """Return the first frame of a file's bytes as a decoded Pillow image; `name` is for messages.

    Raises InputError if the format is unknown, or the picture is damaged, cut off or larger than MAX_PIXELS,
    which is found before decoding.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with _guard(name):
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except InputError as error:
        if isinstance(error.__cause__, UnidentifiedImageError):
            known = ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]
            raise InputError(f"{name} is not an intact {known} picture.") from error.__cause__
        raise
    return finish(image, name)


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


def orientation(image: Image) -> int:
    """Return the EXIF orientation of a decoded image, 1..8; 1 (upright) if there is none or it is broken."""
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


def bands(image: Image, name: str) -> Iterator[Float32]:
    """Yield a decoded image from top to bottom as float32 [rows, w, 4]: straight RGBA, sRGB-encoded, 0..1.

    An embedded colour profile is applied; one that is broken or does not fit the picture is ignored. Raises
    InputError if the picture holds values that are no numbers.
    """
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
    transform = _transform(image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        scale = _full_scale(image, name)
        return partial(_deep_grey, scale=scale, transform=transform)
    return partial(_colour, transform=transform)


def _full_scale(image: Image, name: str) -> float:
    """Return the value that stands for white in a picture of deep grey (modes I;16, I and F).

    16 bits say so; for wider types the file does not tell, so that it is guessed from the brightest pixel.
    """
    if image.mode.startswith("I;16"):
        return 65535.0
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    # Extrema alone may skip NaN.
    if image.mode == "F" and not np.isfinite(np.asarray(image)).all():
        raise InputError(f"{name} has pixels that are not finite numbers.")
    if image.mode == "I":
        return 65535.0 if high <= 65535.0 else 2.0**31 - 1.0
    # Floats run from 0 to 1 by custom; files with whole numbers up to 255 or 65535 exist as well.
    whole = high > 1.0 and high.is_integer() and low.is_integer()
    return 1.0 if not whole else 255.0 if high <= 255.0 else 65535.0


def _deep_grey(band: Image, scale: float, transform: ImageCmsTransform | None) -> Float32:
    """Turn a band of mode I;16, I or F into straight RGBA floats [rows, w, 4]."""
    values = np.asarray(band)
    grey = np.clip(values.astype(np.float32) / np.float32(scale), 0.0, 1.0)
    pixels = np.ones((*grey.shape, 4), np.float32)
    pixels[..., :3] = grey[..., None]
    key = band.info.get("transparency")  # PNG: the one grey that is see-through
    if isinstance(key, int):
        pixels[values == key, 3] = 0.0
    if transform is not None:  # colour management is 8 bits deep: go through its curve to keep the precision
        curve = _apply(transform, np.arange(256, dtype=np.uint8)[None, :], "L")[0]
        for c in range(3):
            pixels[..., c] = np.interp(grey * 255.0, np.arange(256), curve[:, c] / 255.0)
    return pixels


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


def _transform(image: Image) -> ImageCmsTransform | None:
    """Return the way from the image's embedded profile to sRGB, None if there is nothing to do."""
    icc = image.info.get("icc_profile")
    if not isinstance(icc, bytes) or not icc:
        return None
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        mode = _PROFILE_MODES.get(profile.profile.xcolor_space.strip())
        if mode is None or mode != _profile_mode(image.mode):
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
