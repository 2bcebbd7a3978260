"""Uploaded files: written to the work's own folder, looked at before use, and never shown to a page as they are.

Every name of a file is made here. Knows works; the guard sees to the size of bodies.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import warnings
from pathlib import Path

from fastapi import Request

from layervec.errors import InputError
from layervec.files import write_atomic
from layervec.studio.works import FITTED, SHOWN, PictureFacts, Store, Work

MOST_PIXELS = 64_000_000  # of a picture; decoded it takes a quarter of a GiB
SHOWN_LONGEST = 1600  # px of the picture beside the drawing
FIT_LONGEST = 1024  # px of the picture that parts are fitted to; twice what whole drawings are
PNG = b"\x89PNG"
PROPORTIONS = 0.02  # how far those of a picture may be off its drawing's


async def received(request: Request, folder: Path) -> Path:
    """Write a request's body into a new file of this folder; the guard sees to its size."""
    path = folder / f"upload-{secrets.token_hex(4)}"
    with open(path, "xb") as file:
        async for chunk in request.stream():
            file.write(chunk)
    return path


def for_new_work(store: Store, work: Work, file: Path, is_svg: bool) -> None:
    """Fill a new work with an uploaded file, which is used up. Raises InputError."""
    if not is_svg:
        work.attach(file, picture_facts(file, work.record.name))
        return
    from layervec import svg

    drawing = svg.read(file.read_bytes(), work.record.name)
    file.unlink()
    source = drawing.metadata.get("source")
    other = store.picture_like(source.get("sha256")) if isinstance(source, dict) else None
    if other is not None and other.picture is not None and other.record.picture is not None:
        copy = work.folder / "copy"
        copy.write_bytes(other.picture.read_bytes())
        work.attach(copy, other.record.picture)
    work.add(svg.write(drawing), "open")


def picture_facts(file: Path, name: str) -> PictureFacts:
    """Return size and hash of a picture's file without decoding it. InputError where it is none or too large."""
    from PIL import Image

    from layervec import decode

    data = file.read_bytes()
    try:
        with warnings.catch_warnings():  # about size and metadata; what matters is checked below
            warnings.simplefilter("ignore")
            with Image.open(file, formats=decode.FORMATS) as image:
                width, height = image.size
                # In a PNG, looking for what does not stand before the pixels would decode them.
                turned = (image.format != "PNG" or "exif" in image.info) and decode.orientation(image) >= 5
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{name} is too large: at most {MOST_PIXELS // 10**6} million pixels are drawn here."
        ) from error
    except Exception as error:  # Pillow's plugins meet bad bytes with a dozen kinds of errors
        raise InputError(f"{name} is not an intact picture of a known kind.") from error
    if width * height > MOST_PIXELS:
        raise InputError(
            f"{name} is too large: {width} x {height} pixels, at most {MOST_PIXELS // 10**6} million here."
        )
    if turned:
        width, height = height, width
    return PictureFacts(width=width, height=height, sha256=hashlib.sha256(data).hexdigest())


def attach(work: Work, file: Path) -> None:
    """Give a drawing the picture that it was made of. Raises InputError; the file is used up only if all is well."""
    facts = picture_facts(file, "The picture")
    drawing = work.drawing()
    if abs(facts.width * drawing.height / (facts.height * drawing.width) - 1) > PROPORTIONS:
        raise InputError("The picture has other proportions than the drawing.")
    work.attach(file, facts)


def shown(work: Work) -> tuple[bytes, str]:
    """Return a work's picture decoded and encoded anew, as large as a page needs it, and its content type.

    InputError where it cannot be decoded.
    """
    _prepare(work)
    data = (work.folder / SHOWN).read_bytes()
    return data, "image/png" if data.startswith(PNG) else "image/jpeg"


def to_fit(work: Work) -> Path:
    """Return the file of a work's picture as small as parts are fitted to. InputError where it cannot be decoded."""
    _prepare(work)
    return work.folder / FITTED


def _prepare(work: Work) -> None:
    """Decode a work's picture, once, and keep what pages and edits need of it."""
    if (work.folder / SHOWN).exists() and (work.folder / FITTED).exists():
        return
    if work.picture is None:
        raise InputError("This work has no picture.")
    from layervec.image import fit_size, open_picture, resize, save_png
    from layervec.report_page import picture_address

    raster = open_picture(work.picture.read_bytes(), SHOWN_LONGEST).raster
    save_png(work.folder / FITTED, resize(raster, *fit_size(raster.width, raster.height, FIT_LONGEST)).pixels)
    write_atomic(work.folder / SHOWN, base64.b64decode(picture_address(raster).partition(",")[2]))
