"""Short jobs of the studio's processes: read drawings, look at pictures, grant edits, make files to keep.

Whatever comes from a file of somebody else is read here, never in the server: what takes long delays nobody who asks
for something else, and what ends a decoder ends a process that is replaced. Each job is a function from a message of
JSON to the values of its `done`; files travel as base64. Writes none and knows no works.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layervec.errors import InputError
from layervec.files import reason

if TYPE_CHECKING:
    from layervec.types import Drawing

Values = dict[str, Any]

MOST_PIXELS = 64_000_000  # of a picture; decoded it takes a quarter of a GiB
SHOWN_LONGEST = 1600  # px of the picture beside the drawing
FIT_LONGEST = 1024  # px of the picture that parts are fitted to; twice what whole drawings are
THUMBNAIL = 320  # px
PROPORTIONS = 0.02  # how far those of a picture may be off its drawing's
REMEMBERED = 2  # drawings; edits of one follow one another


def warm_up() -> None:
    """Load what all errands need, so that the first waits no longer than others."""
    from layervec import edit, report, score, svg  # noqa: F401
    from layervec.studio import edited, export, wishes  # noqa: F401


def seen(text: str) -> Values:
    """Return what is kept of a drawing and what pages get of it. Raises InputError."""
    from layervec.report import shown_drawing

    return {"svg": text, "shown": shown_drawing(_drawing(text))}


def look(message: Values) -> Values:
    """Read a drawing of a work."""
    return seen(message["svg"])


def open_svg(message: Values) -> Values:
    """Read the file of somebody's SVG. source: the hash of the picture that it was made of, None where it has none."""
    from layervec import svg
    from layervec.report import shown_drawing

    drawing = svg.read(_bytes(message["file"]), message["name"])
    source = drawing.metadata.get("source")
    told = source.get("sha256") if isinstance(source, dict) else None
    # Its own text need not be read again for that: it may be large.
    made = {"svg": svg.write(drawing), "shown": shown_drawing(drawing)}
    return {**made, "source": told if isinstance(told, str) else None}


def edit_drawing(message: Values) -> Values:
    """Grant a wish to edit a drawing."""
    from pydantic import TypeAdapter

    from layervec import svg
    from layervec.studio import wishes
    from layervec.studio.edited import edited

    wish: wishes.Edit = TypeAdapter(wishes.Edit).validate_python(message["wish"])
    return seen(svg.write(edited(_drawing(message["svg"]), wish)))


def look_at_picture(message: Values) -> Values:
    """Look at a file that should be a picture, without decoding it: of any proportions, or those of a drawing."""
    facts = _picture_facts(Path(message["file"]), message["name"])
    if "svg" in message:
        drawing = _drawing(message["svg"])
        if abs(facts["width"] * drawing.height / (facts["height"] * drawing.width) - 1) > PROPORTIONS:
            raise InputError("The picture has other proportions than the drawing.")
    return facts


def prepare_picture(message: Values) -> Values:
    """Decode a picture, and encode it anew as pages and edits need it."""
    from layervec.image import fit_size, open_picture, png_bytes, resize
    from layervec.report_page import picture_address

    raster = open_picture(_bytes(message["picture"]), SHOWN_LONGEST).raster
    fitted = png_bytes(resize(raster, *fit_size(raster.width, raster.height, FIT_LONGEST)).pixels)
    return {"shown": picture_address(raster).partition(",")[2], "fitted": base64.b64encode(fitted).decode()}


def export_drawing(message: Values) -> Values:
    """Make a file of a drawing. kind: thumbnail, png or pdf."""
    from layervec.studio import export

    text, drawing = message["svg"], _drawing(message["svg"])
    if message["kind"] == "pdf":
        data = export.pdf(drawing)
    else:
        longest = THUMBNAIL if message["kind"] == "thumbnail" else export.MOST_SIDE
        data = export.png(text, drawing.width, drawing.height, longest)
    return {"data": base64.b64encode(data).decode()}


ERRANDS: dict[str, Callable[[Values], Values]] = {
    "look": look,
    "open": open_svg,
    "edit": edit_drawing,
    "facts": look_at_picture,
    "prepare": prepare_picture,
    "export": export_drawing,
}


def _picture_facts(file: Path, name: str) -> Values:
    """Return size and hash of a picture's file. InputError where it is none or too large."""
    from layervec import decode

    data = _bytes(str(file))
    width, height = decode.upright_size(data, name)
    if width * height > MOST_PIXELS:
        raise InputError(
            f"{name} is too large: {width} x {height} pixels, at most {MOST_PIXELS // 10**6} million here."
        )
    return {"width": width, "height": height, "sha256": hashlib.sha256(data).hexdigest()}


@lru_cache(maxsize=REMEMBERED)
def _drawing(text: str) -> Drawing:
    from layervec import svg

    return svg.read(text, "The drawing")


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"A file of this work cannot be read: {reason(error)}.") from error
